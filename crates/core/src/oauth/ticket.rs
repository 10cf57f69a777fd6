//! Secrets that name the row they belong to: `prefix` + base64url(user, row, secret) for what is a
//! person's, `prefix` + base64url(secret) for what is nobody's yet. The row keeps a hash. Neither
//! may be kept in clear.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::id::UserId;
use crate::secret::{Secret, constant_time_eq, keyed_hash};

const SECRET_BYTES: usize = 32;
const TICKET_BYTES: usize = 16 + 16 + SECRET_BYTES;

/// The hashes are of 256 random bits, which cannot be guessed with or without a key (ASVS 6.5.2):
/// this one only keeps them apart from every other hash.
const DOMAIN: &[u8; 32] = b"munjigi ticket secret, version 1";

/// What a ticket is for. No kind is taken for another (KC CVE-2026-4325): it stands in the text and
/// in the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TicketKind {
    /// An authorization code (RFC 6749 §4.1.2).
    Code,
    /// The cookie of a browser that somebody has signed in with.
    BrowserSession,
    /// A link that was mailed.
    MailedLink,
}

impl TicketKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Code, Self::BrowserSession, Self::MailedLink];

    /// What every ticket of the kind begins with, so that secret scanners can find leaked ones.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "mj_ac_",
            Self::BrowserSession => "mj_bs_",
            Self::MailedLink => "mj_ml_",
        }
    }
}

/// A secret together with the row that it opens. That it names a row says nothing: only
/// [`Ticket::opens`] does.
pub struct Ticket {
    /// What it is for.
    pub kind: TicketKind,
    /// Whose it is; it leads the key of the row, and so the shard.
    pub user_id: UserId,
    /// The row.
    pub row_id: [u8; 16],
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl Ticket {
    /// A ticket for a row, with 32 random bytes.
    pub fn new(
        kind: TicketKind,
        user_id: UserId,
        row_id: [u8; 16],
        secret: [u8; SECRET_BYTES],
    ) -> Self {
        Self { kind, user_id, row_id, secret: Zeroizing::new(secret) }
    }

    /// The ticket as text.
    pub fn seal(&self) -> Secret {
        let mut bytes = Zeroizing::new(Vec::with_capacity(TICKET_BYTES));
        bytes.extend_from_slice(self.user_id.as_bytes());
        bytes.extend_from_slice(&self.row_id);
        bytes.extend_from_slice(self.secret.as_slice());
        sealed(self.kind.prefix(), &bytes)
    }

    /// Reads a ticket of one kind. `None` for everything that [`Ticket::seal`] does not write, to
    /// the letter.
    pub fn open(kind: TicketKind, text: &str) -> Option<Self> {
        let bytes = opened::<TICKET_BYTES>(kind.prefix(), text)?;
        let (user_id, rest) = bytes.split_first_chunk::<16>()?;
        let (row_id, secret) = rest.split_first_chunk::<16>()?;
        Some(Self::new(kind, UserId::from_bytes(*user_id), *row_id, secret.try_into().ok()?))
    }

    /// What the row keeps: bound to the kind and to the row, so that no hash serves another.
    pub fn hash(&self) -> [u8; 32] {
        let prefix = self.kind.prefix().as_bytes();
        let user_id = self.user_id.as_bytes();
        keyed_hash(DOMAIN, &[prefix, user_id, &self.row_id, self.secret.as_slice()])
    }

    /// Whether this is the ticket whose hash the row keeps.
    pub fn opens(&self, hash: &[u8]) -> bool {
        constant_time_eq(&self.hash(), hash)
    }
}

/// What a reference is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// A device code (RFC 8628 §3.2).
    DeviceCode,
    /// The `request_uri` of a pushed authorization request (RFC 9126 §2.2).
    PushedRequest,
    /// A token that lets somebody register clients (RFC 7591 §3).
    RegistrationToken,
    /// The token that a client manages its registration with (RFC 7592 §3).
    ManagementToken,
}

impl ReferenceKind {
    /// What every reference of the kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::DeviceCode => "mj_dc_",
            Self::PushedRequest => "urn:ietf:params:oauth:request_uri:",
            Self::RegistrationToken => "mj_rg_",
            Self::ManagementToken => "mj_mg_",
        }
    }
}

/// A secret of 32 random bytes, whose row is found by its hash.
pub struct Reference {
    /// What it is for.
    pub kind: ReferenceKind,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl Reference {
    /// A reference of 32 random bytes.
    pub fn new(kind: ReferenceKind, secret: [u8; SECRET_BYTES]) -> Self {
        Self { kind, secret: Zeroizing::new(secret) }
    }

    /// The reference as text.
    pub fn seal(&self) -> Secret {
        sealed(self.kind.prefix(), self.secret.as_slice())
    }

    /// Reads a reference of one kind; `None` for everything that [`Reference::seal`] does not
    /// write.
    pub fn open(kind: ReferenceKind, text: &str) -> Option<Self> {
        let bytes = opened::<SECRET_BYTES>(kind.prefix(), text)?;
        Some(Self { kind, secret: bytes })
    }

    /// The key of its row.
    pub fn hash(&self) -> [u8; 32] {
        keyed_hash(DOMAIN, &[self.kind.prefix().as_bytes(), self.secret.as_slice()])
    }
}

fn sealed(prefix: &str, bytes: &[u8]) -> Secret {
    Secret::new(format!("{prefix}{}", Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes)).as_str()))
}

fn opened<const BYTES: usize>(prefix: &str, text: &str) -> Option<Zeroizing<[u8; BYTES]>> {
    let encoded = text.strip_prefix(prefix)?;
    // Without padding; looked at first, so that nothing long is ever decoded.
    if encoded.len() != (BYTES * 4).div_ceil(3) {
        return None;
    }
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(kind: TicketKind) -> Ticket {
        Ticket::new(kind, UserId::from_random([1; 16]), [2; 16], [3; 32])
    }

    #[test]
    fn a_ticket_is_read_back_and_opens_its_row_alone() {
        for kind in TicketKind::ALL {
            let opened = Ticket::open(kind, ticket(kind).seal().reveal()).unwrap();
            assert_eq!((opened.kind, opened.user_id), (kind, UserId::from_random([1; 16])));
            assert_eq!(opened.row_id, [2; 16]);
            assert!(opened.opens(&ticket(kind).hash()));

            let other_secret = Ticket::new(kind, opened.user_id, opened.row_id, [4; 32]);
            let other_row = Ticket::new(kind, opened.user_id, [4; 16], [3; 32]);
            assert!(!other_secret.opens(&ticket(kind).hash()));
            assert!(!other_row.opens(&ticket(kind).hash()));
            assert!(!opened.opens(&[]));
        }
    }

    #[test]
    fn no_kind_is_taken_for_another() {
        for kind in TicketKind::ALL {
            for other in TicketKind::ALL.into_iter().filter(|other| *other != kind) {
                assert!(Ticket::open(other, ticket(kind).seal().reveal()).is_none());
                assert_ne!(ticket(kind).hash(), ticket(other).hash());
            }
        }
        let kinds = [ReferenceKind::DeviceCode, ReferenceKind::PushedRequest];
        let [device, pushed] = kinds.map(|kind| Reference::new(kind, [3; 32]));
        assert_ne!(device.hash(), pushed.hash());
        assert!(
            Reference::open(ReferenceKind::PushedRequest, device.seal().reveal()).is_none(),
            "a device code is no request_uri"
        );
    }

    /// RT-07 of the attack kit, for everything that is sealed like this.
    #[test]
    fn a_text_changed_in_length_or_alphabet_is_refused() {
        let text = ticket(TicketKind::Code).seal().reveal().to_owned();
        for length in 0..text.len() {
            assert!(Ticket::open(TicketKind::Code, &text[..length]).is_none());
        }
        for bad in [format!("{text}A"), format!("{text}="), text.replace("AgIC", "+g/C")] {
            assert!(Ticket::open(TicketKind::Code, &bad).is_none(), "{bad}");
        }
        for index in 6..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let opened = Ticket::open(TicketKind::Code, &changed);
            assert!(!opened.is_some_and(|it| it.opens(&ticket(TicketKind::Code).hash())));
        }
    }

    #[test]
    fn a_reference_is_found_by_its_hash() {
        let reference = Reference::new(ReferenceKind::PushedRequest, [5; 32]);
        let text = reference.seal();
        assert!(text.reveal().starts_with("urn:ietf:params:oauth:request_uri:BQUF"));
        let opened = Reference::open(ReferenceKind::PushedRequest, text.reveal()).unwrap();
        assert_eq!(opened.hash(), reference.hash());
    }
}
