//! Device authorizations (RFC 8628): a code that a device holds, a short one that a person types,
//! and what a poll or an answer means.

use std::fmt;
use std::net::IpAddr;

use crate::account::budget::Budget;
use crate::id::{ClientId, SessionId, UserId};
use crate::oauth::api::Audience;
use crate::oauth::scope::Scope;
use crate::secret::{constant_time_eq, keyed_hash};
use crate::time::{Span, Timestamp};

/// How long a person has to find the page and to type the code.
pub const DEVICE_TTL: Span = Span::from_minutes(10);

/// How long a device waits between two polls at first (RFC 8628 §3.2).
pub const POLL_INTERVAL: Span = Span::from_seconds(5);

/// RFC 8628 §3.5: how much longer after each poll that came too soon.
const SLOW_DOWN: Span = Span::from_seconds(5);

/// The longest wait that is ever asked for.
const MAX_INTERVAL: Span = Span::from_seconds(60);

/// A device that waits exactly as long as it was told may be early by the jitter of the network.
const JITTER: Span = Span::from_millis(500);

/// How long the row is kept after that, so that a device that polls too late is told so.
pub const KEPT_TTL: Span = Span::from_hours(1);

/// RFC 8628 §5.1: how many wrong codes one person may type.
pub const GUESSES_OF_A_PERSON: Budget = Budget::new(10, Span::from_minutes(1));

/// RFC 8628 §5.1: how many wrong codes may be typed at one address, whoever signs in there.
pub const GUESSES_FROM_AN_ADDRESS: Budget = Budget::new(30, Span::from_seconds(10));

/// How often devices at one address may ask: a public client proves nothing, and each request is a
/// row. A house full of devices fits.
pub const REQUESTS_FROM_AN_ADDRESS: Budget = Budget::new(60, Span::from_seconds(5));

/// RFC 8628 §6.1: no vowels, so that no words appear, and no digits to mistake for letters.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS: usize = 8;

/// The longest text that is looked at as a user code, in bytes: with separators between all.
const MAX_TYPED_BYTES: usize = 64;

/// What a person types: eight letters, about 34 bits, which is why guesses are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserCode(String);

impl UserCode {
    /// A code of sixteen random bytes. Of 2^128 values each code has its share to within 2^-93.
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut rest = u128::from_be_bytes(random);
        let letters = (0..USER_CODE_LETTERS).map(|_| {
            let place = usize::try_from(rest % 20).unwrap_or_default();
            rest /= 20;
            char::from(ALPHABET.get(place).copied().unwrap_or(b'B'))
        });
        Self(letters.collect())
    }

    /// Reads what a person typed (RFC 8628 §6.1: without regard to case and punctuation).
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > MAX_TYPED_BYTES {
            return None;
        }
        let separator = |c: &char| c.is_whitespace() || matches!(c, '-' | '.' | '_' | '–' | '—');
        let letters: String =
            typed.chars().filter(|c| !separator(c)).map(|c| c.to_ascii_uppercase()).collect();
        let fits = letters.bytes().all(|letter| ALPHABET.contains(&letter));
        (fits && letters.len() == USER_CODE_LETTERS).then_some(Self(letters))
    }

    /// What is kept of it. The same code is the same, under one key.
    pub fn stored(&self, key: &[u8; 32]) -> StoredUserCode {
        let hash = keyed_hash(key, &[self.0.as_bytes()]);
        let random = hash.first_chunk().copied().unwrap_or_default();
        StoredUserCode(Self::from_random(random).0)
    }
}

impl fmt::Display for UserCode {
    /// For people: `WDJB-MJHT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(USER_CODE_LETTERS / 2);
        write!(f, "{first}-{second}")
    }
}

/// What is kept of a user code: a keyed hash, spelled in as many letters as the code itself has, so
/// that whoever reads the database can type none. Two codes that have the same one do not live at
/// the same time, as two that are the same do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredUserCode(String);

impl StoredUserCode {
    /// Reads what was kept.
    pub fn parse(text: &str) -> Option<Self> {
        let is_canonical = |code: &UserCode| code.0 == text;
        UserCode::parse(text).filter(is_canonical).map(|code| Self(code.0))
    }

    /// Eight capital letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a device asked for, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAuthorization {
    /// The hash of the device code.
    pub hash: [u8; 32],
    /// What is kept of the code that the person types.
    pub user_code: StoredUserCode,
    /// Which client asks.
    pub client_id: ClientId,
    /// For what.
    pub scope: Scope,
    /// At which APIs.
    pub audiences: Vec<Audience>,
    /// The thumbprint of the key that its tokens will be bound to (RFC 9449).
    pub dpop_jkt: Option<String>,
    /// From where the device asked.
    pub address: Option<IpAddr>,
    /// With what, as the program named itself; at most 200 characters.
    pub user_agent: Option<String>,
    /// When it asked.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// When it last polled.
    pub polled_at: Option<Timestamp>,
    /// How long it has to wait between two polls.
    pub poll_interval: Span,
    /// The person who opened the page with its code: nobody else can answer it.
    pub user_id: Option<UserId>,
    /// The session in which they did.
    pub session_id: Option<SessionId>,
    /// When they said yes.
    pub approved_at: Option<Timestamp>,
    /// When they said no.
    pub denied_at: Option<Timestamp>,
    /// When its tokens were issued.
    pub spent_at: Option<Timestamp>,
}

/// Who polls, and when.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// The client, which has proved who it is as far as it can.
    pub client_id: &'a ClientId,
    /// The thumbprint of the key of the DPoP proof.
    pub dpop_jkt: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

/// What a poll means (RFC 8628 §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// `authorization_pending`: note when it polled.
    Pending,
    /// `slow_down`: note when it polled, and that it has to wait this long from now on.
    SlowDown(Span),
    /// Its person said yes: spend it, make a grant of this session, issue.
    Approved {
        /// Who.
        user_id: UserId,
        /// In which session.
        session_id: SessionId,
    },
    /// `access_denied`.
    Denied,
    /// `expired_token`.
    Expired,
    /// `invalid_grant`: its tokens were issued already.
    Spent,
    /// `invalid_grant`: another's, or bound to another key. Nothing changes; the sentence is for
    /// the caller.
    Refuse(&'static str),
}

/// What it means that a signed-in person opens the page with the code, or presses a button on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They may: write it.
    Take,
    /// It is too late.
    Expired,
    /// It was answered already.
    Answered,
    /// Somebody else opened it, or nobody has yet (DV-03 of the attack kit).
    NotTheirs,
}

impl DeviceAuthorization {
    /// What a poll means.
    pub fn poll(&self, poll: &Poll<'_>) -> Polled {
        if self.client_id != *poll.client_id {
            return Polled::Refuse("the device code was issued to another client");
        }
        if self.spent_at.is_some() {
            return Polled::Spent;
        }
        if poll.now >= self.expires_at {
            return Polled::Expired;
        }
        if let Some(bound) = &self.dpop_jkt {
            let fits = |jkt: &str| constant_time_eq(jkt.as_bytes(), bound.as_bytes());
            if !poll.dpop_jkt.is_some_and(fits) {
                return Polled::Refuse("the device code is bound to another DPoP key");
            }
        }
        if self.denied_at.is_some() {
            return Polled::Denied;
        }
        match (self.approved_at, self.user_id, self.session_id) {
            (Some(_), Some(user_id), Some(session_id)) => Polled::Approved { user_id, session_id },
            _ => self.pending(poll.now),
        }
    }

    fn pending(&self, now: Timestamp) -> Polled {
        let Some(polled_at) = self.polled_at else { return Polled::Pending };
        // RFC 8628 §3.5: "the interval MUST be increased by 5 seconds for this and all subsequent
        // requests".
        if now.plus(JITTER) < polled_at.plus(self.poll_interval) {
            let longer = Span::from_millis(
                self.poll_interval.as_millis().saturating_add(SLOW_DOWN.as_millis()),
            );
            return Polled::SlowDown(longer.min(MAX_INTERVAL));
        }
        Polled::Pending
    }

    /// Whether a signed-in person may open its page, which makes it theirs to answer.
    pub fn open(&self, user_id: &UserId, now: Timestamp) -> Answer {
        match self.user_id {
            Some(owner) if owner != *user_id => Answer::NotTheirs,
            _ => self.still_open(now),
        }
    }

    /// Whether a signed-in person may say yes or no: only the one who opened its page, in the
    /// session in which they did (DV-03 of the attack kit; CVE-2026-45337).
    pub fn answer(&self, user_id: &UserId, session_id: &SessionId, now: Timestamp) -> Answer {
        if self.user_id != Some(*user_id) || self.session_id != Some(*session_id) {
            return Answer::NotTheirs;
        }
        self.still_open(now)
    }

    fn still_open(&self, now: Timestamp) -> Answer {
        if self.approved_at.is_some() || self.denied_at.is_some() || self.spent_at.is_some() {
            return Answer::Answered;
        }
        if now >= self.expires_at { Answer::Expired } else { Answer::Take }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn minji() -> (UserId, SessionId) {
        (UserId::from_random([1; 16]), SessionId::from_parts(at(1), [1; 10]))
    }

    fn device() -> DeviceAuthorization {
        DeviceAuthorization {
            hash: [1; 32],
            user_code: UserCode::parse("WDJB-MJHT").unwrap().stored(&[1; 32]),
            client_id: "tv".parse().unwrap(),
            scope: Scope::empty(),
            audiences: vec![],
            dpop_jkt: None,
            address: None,
            user_agent: None,
            created_at: at(100),
            expires_at: at(100).plus(DEVICE_TTL),
            polled_at: None,
            poll_interval: POLL_INTERVAL,
            user_id: None,
            session_id: None,
            approved_at: None,
            denied_at: None,
            spent_at: None,
        }
    }

    fn approved() -> DeviceAuthorization {
        let (user_id, session_id) = minji();
        DeviceAuthorization {
            user_id: Some(user_id),
            session_id: Some(session_id),
            approved_at: Some(at(110)),
            ..device()
        }
    }

    fn poll(device: &DeviceAuthorization, now: Timestamp) -> Polled {
        device.poll(&Poll { client_id: &"tv".parse().unwrap(), dpop_jkt: None, now })
    }

    #[test]
    fn a_user_code_is_read_as_people_type_it() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        for same in ["wdjbmjht", " WDJB MJHT ", "wd.jb_mj-ht", "WDJB–MJHT"] {
            assert_eq!(UserCode::parse(same).as_ref(), Some(&code), "{same}");
        }
        assert_eq!(code.to_string(), "WDJB-MJHT");
        for bad in ["", "WDJB-MJH", "WDJB-MJHTX", "WDJA-MJHT", "WDJ8-MJHT", "문지기문지기문지"]
        {
            assert_eq!(UserCode::parse(bad), None, "{bad}");
        }
        assert_eq!(UserCode::parse(&"-".repeat(65)), None);
    }

    #[test]
    fn random_bytes_give_every_letter() {
        let mut seen = std::collections::BTreeSet::new();
        for byte in 0..=255_u8 {
            let mut random = [byte; 16];
            random[15] = byte.wrapping_mul(7);
            let code = UserCode::from_random(random);
            assert_eq!(UserCode::parse(&code.to_string()), Some(code.clone()));
            seen.extend(code.0.bytes());
        }
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn what_is_kept_of_a_user_code_is_another_one_under_another_key() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        let stored = code.stored(&[1; 32]);
        assert_eq!(code.stored(&[1; 32]), stored);
        assert_ne!(code.stored(&[2; 32]), stored);
        assert_ne!(stored.as_str(), code.0);
        let again = UserCode::parse(stored.as_str()).unwrap().stored(&[1; 32]);
        assert_ne!(again, stored, "typed as a code it is another one");
        assert_eq!(StoredUserCode::parse(stored.as_str()), Some(stored));
        for bad in ["", "WDJB-MJHT", "wdjbmjht", "WDJAMJHT", "WDJBMJHTB"] {
            assert_eq!(StoredUserCode::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_device_waits_until_its_person_answers() {
        assert_eq!(poll(&device(), at(101)), Polled::Pending);
        let (user_id, session_id) = minji();
        assert_eq!(poll(&approved(), at(111)), Polled::Approved { user_id, session_id });
        let denied = DeviceAuthorization { denied_at: Some(at(110)), ..device() };
        assert_eq!(poll(&denied, at(111)), Polled::Denied);
    }

    /// DV-02 of the attack kit.
    #[test]
    fn who_polls_too_fast_has_to_wait_longer_each_time() {
        let polled = DeviceAuthorization { polled_at: Some(at(101)), ..device() };
        assert_eq!(poll(&polled, at(106)), Polled::Pending);
        assert_eq!(poll(&polled, at(106).minus(JITTER)), Polled::Pending);
        assert_eq!(poll(&polled, at(105)), Polled::SlowDown(Span::from_seconds(10)));
        let slow = DeviceAuthorization { poll_interval: MAX_INTERVAL, ..polled };
        assert_eq!(poll(&slow, at(105)), Polled::SlowDown(MAX_INTERVAL));
    }

    /// DV-02 of the attack kit.
    #[test]
    fn an_approval_issues_once_and_not_for_ever() {
        let spent = DeviceAuthorization { spent_at: Some(at(111)), ..approved() };
        assert_eq!(poll(&spent, at(112)), Polled::Spent);
        assert_eq!(poll(&approved(), approved().expires_at), Polled::Expired);
    }

    #[test]
    fn another_client_or_key_gets_nothing_and_changes_nothing() {
        let now = at(111);
        let stranger = Poll { client_id: &"other".parse().unwrap(), dpop_jkt: None, now };
        assert!(matches!(approved().poll(&stranger), Polled::Refuse(_)));

        let bound = DeviceAuthorization { dpop_jkt: Some("a".repeat(43)), ..approved() };
        assert!(matches!(poll(&bound, now), Polled::Refuse(_)));
        let jkt = "a".repeat(43);
        let poll = Poll { client_id: &"tv".parse().unwrap(), dpop_jkt: Some(&jkt), now };
        assert!(matches!(bound.poll(&poll), Polled::Approved { .. }));
    }

    /// DV-03 of the attack kit.
    #[test]
    fn only_who_opened_the_page_can_answer_and_only_once() {
        let (user_id, session_id) = minji();
        let other = UserId::from_random([9; 16]);
        let other_session = SessionId::from_parts(at(2), [9; 10]);
        let now = at(105);
        assert_eq!(device().open(&user_id, now), Answer::Take);
        assert_eq!(device().answer(&user_id, &session_id, now), Answer::NotTheirs);

        let opened = DeviceAuthorization { approved_at: None, ..approved() };
        assert_eq!(opened.open(&user_id, now), Answer::Take);
        assert_eq!(opened.open(&other, now), Answer::NotTheirs);
        assert_eq!(opened.answer(&user_id, &session_id, now), Answer::Take);
        assert_eq!(opened.answer(&other, &session_id, now), Answer::NotTheirs);
        assert_eq!(opened.answer(&user_id, &other_session, now), Answer::NotTheirs);
        assert_eq!(opened.answer(&user_id, &session_id, opened.expires_at), Answer::Expired);
        assert_eq!(approved().answer(&user_id, &session_id, now), Answer::Answered);
    }
}
