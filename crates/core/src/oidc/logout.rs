//! Signing out: when a client's wish is followed without asking (OpenID Connect RP-Initiated Logout
//! 1.0), and what other clients are told (Back-Channel Logout 1.0, Front-Channel Logout 1.0).

use serde::Serialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::id::{ClientId, SessionId, TokenId, UserId};
use crate::time::{Span, Timestamp};

/// The `typ` of logout tokens (Back-Channel Logout §2.4).
pub const LOGOUT_TOKEN_TYP: &str = "logout+jwt";

/// How long a logout token holds (Back-Channel Logout §4: "preferably at most two minutes").
pub const LOGOUT_TOKEN_TTL: Span = Span::from_minutes(2);

/// The one event of a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What an `id_token_hint` was found to be. Its signature is checked before; that it has expired
/// is no fault (RP-Initiated Logout §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// There was none.
    Absent,
    /// It is no ID token of ours.
    Bad,
    /// It is one of ours.
    Good {
        /// The client that it was issued to.
        client_id: ClientId,
        /// Whom it is about.
        user_id: UserId,
        /// From which sign-in, if it says so.
        session_id: Option<SessionId>,
    },
}

/// A request to sign out, and who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct SignOut<'a> {
    /// `id_token_hint`.
    pub hint: &'a Hint,
    /// `client_id`.
    pub client_id: Option<&'a str>,
    /// `post_logout_redirect_uri`.
    pub redirect_uri: Option<&'a str>,
    /// The addresses that the client of the hint registered for it.
    pub registered: &'a [String],
    /// Who is signed in with the browser.
    pub browser: Option<(UserId, SessionId)>,
}

/// What becomes of a request to sign out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedOut<'a> {
    /// Ask the person first; then go there.
    Confirm(Onward<'a>),
    /// End the browser's session; then go there.
    End(Onward<'a>),
    /// Nobody is signed in: go there.
    Nobody(Onward<'a>),
}

/// Where the browser goes once its person is signed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward<'a> {
    /// To a page of ours.
    Page,
    /// To the client, with `state`.
    Client(&'a str),
}

impl<'a> SignOut<'a> {
    /// What becomes of it. Only a good hint shows that the request is the client's, and not that of
    /// a page that wants somebody signed out or sent somewhere (RP-Initiated Logout §2, §4): so
    /// only with one is nothing asked, and only with one does the browser leave.
    pub fn decide(&self) -> SignedOut<'a> {
        let Some((user_id, session_id)) = self.good_hint() else {
            return match self.browser {
                None => SignedOut::Nobody(Onward::Page),
                Some(_) => SignedOut::Confirm(Onward::Page),
            };
        };
        let onward = self.onward();
        match self.browser {
            None => SignedOut::Nobody(onward),
            // The same sign-in, or a later one of the same person.
            Some((user, session)) if user == user_id || Some(session) == session_id => {
                SignedOut::End(onward)
            }
            Some(_) => SignedOut::Confirm(onward),
        }
    }

    fn good_hint(&self) -> Option<(UserId, Option<SessionId>)> {
        match self.hint {
            Hint::Absent | Hint::Bad => None,
            // RP-Initiated Logout §2: "When both client_id and id_token_hint are present, the OP
            // MUST verify that the Client Identifier matches the one used when issuing the ID
            // Token".
            Hint::Good { client_id, user_id, session_id } => {
                let fits = self.client_id.is_none_or(|named| named == client_id.as_str());
                fits.then_some((*user_id, *session_id))
            }
        }
    }

    /// RP-Initiated Logout §3: exactly one that was registered, compared as text.
    fn onward(&self) -> Onward<'a> {
        munjigi_token::planted!(
            "post_logout_open_redirect",
            return self.redirect_uri.map_or(Onward::Page, Onward::Client)
        );
        match self.redirect_uri {
            Some(uri) if self.registered.iter().any(|registered| registered == uri) => {
                Onward::Client(uri)
            }
            _ => Onward::Page,
        }
    }
}

/// The claims of a logout token (Back-Channel Logout §2.4). There is never a `nonce`, so that none
/// is taken for an ID token.
#[derive(Clone, Debug, Serialize)]
pub struct LogoutClaims {
    iss: String,
    sub: UserId,
    aud: ClientId,
    iat: i64,
    exp: i64,
    jti: TokenId,
    sid: SessionId,
    events: Map<String, Value>,
}

/// Who was signed out.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The person.
    pub user_id: UserId,
    /// Their session.
    pub session_id: SessionId,
}

impl LogoutClaims {
    /// What one client is told.
    pub fn new(
        issuer: &str,
        client_id: &ClientId,
        ended: Ended,
        jti: TokenId,
        now: Timestamp,
    ) -> Self {
        Self {
            iss: issuer.to_owned(),
            sub: ended.user_id,
            aud: client_id.clone(),
            iat: now.as_seconds(),
            exp: now.plus(LOGOUT_TOKEN_TTL).as_seconds(),
            jti,
            sid: ended.session_id,
            events: Map::from_iter([(EVENT.to_owned(), json!({}))]),
        }
    }
}

/// The address that a page of ours loads in a frame to tell a client (Front-Channel Logout §2),
/// with `iss` and `sid`, which it may always have. `None` if what is registered is no URL.
pub fn front_channel_uri(registered: &str, issuer: &str, session_id: &SessionId) -> Option<String> {
    let mut url = Url::parse(registered).ok()?;
    url.query_pairs_mut().append_pair("iss", issuer).append_pair("sid", &session_id.to_string());
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYE: &str = "https://shop.example/bye";

    fn minji() -> UserId {
        UserId::from_random([1; 16])
    }

    fn session(number: u8) -> SessionId {
        SessionId::from_parts(Timestamp::from_millis(1), [number; 10])
    }

    fn hint() -> Hint {
        let client_id = "shop".parse().unwrap();
        Hint::Good { client_id, user_id: minji(), session_id: Some(session(1)) }
    }

    fn decide(hint: &Hint, change: impl FnOnce(&mut SignOut<'_>)) -> SignedOut<'static> {
        let registered = [BYE.to_owned()];
        let mut request = SignOut {
            hint,
            client_id: None,
            redirect_uri: Some(BYE),
            registered: &registered,
            browser: Some((minji(), session(1))),
        };
        change(&mut request);
        let to = |onward| match onward {
            Onward::Page => Onward::Page,
            Onward::Client(uri) => {
                assert_eq!(uri, BYE);
                Onward::Client(BYE)
            }
        };
        match request.decide() {
            SignedOut::Confirm(onward) => SignedOut::Confirm(to(onward)),
            SignedOut::End(onward) => SignedOut::End(to(onward)),
            SignedOut::Nobody(onward) => SignedOut::Nobody(to(onward)),
        }
    }

    /// oidcc-rp-initiated-logout.
    #[test]
    fn a_good_hint_signs_out_and_goes_on_at_once() {
        assert_eq!(decide(&hint(), |_| ()), SignedOut::End(Onward::Client(BYE)));
        let nobody = decide(&hint(), |it| it.browser = None);
        assert_eq!(nobody, SignedOut::Nobody(Onward::Client(BYE)));
    }

    /// RU-09 of the attack kit; oidcc-rp-initiated-logout-no-id-token-hint,
    /// -modified-id-token-hint, -bad-id-token-hint, -no-params, -only-state.
    #[test]
    fn without_a_good_hint_the_person_is_asked_and_goes_nowhere() {
        for hint in [Hint::Absent, Hint::Bad] {
            assert_eq!(decide(&hint, |_| ()), SignedOut::Confirm(Onward::Page));
            let nobody = decide(&hint, |it| it.browser = None);
            assert_eq!(nobody, SignedOut::Nobody(Onward::Page));
        }
        let other = decide(&hint(), |it| it.client_id = Some("other"));
        assert_eq!(other, SignedOut::Confirm(Onward::Page));
        let same = decide(&hint(), |it| it.client_id = Some("shop"));
        assert_eq!(same, SignedOut::End(Onward::Client(BYE)));
    }

    /// RU-09 of the attack kit; oidcc-rp-initiated-logout-bad-post-logout-redirect-uri,
    /// -query-added-to-post-logout-redirect-uri, -no-post-logout-redirect-uri.
    #[test]
    fn only_a_registered_address_is_gone_to() {
        for bad in [None, Some("https://shop.example/bye?x"), Some("https://evil.example")] {
            let decision = decide(&hint(), |it| it.redirect_uri = bad);
            assert_eq!(decision, SignedOut::End(Onward::Page), "{bad:?}");
        }
        let none = decide(&hint(), |it| it.registered = &[]);
        assert_eq!(none, SignedOut::End(Onward::Page));
    }

    #[test]
    fn a_hint_about_somebody_else_asks_first() {
        let other = UserId::from_random([9; 16]);
        let decision = decide(&hint(), |it| it.browser = Some((other, session(2))));
        assert_eq!(decision, SignedOut::Confirm(Onward::Client(BYE)));
        let later = decide(&hint(), |it| it.browser = Some((minji(), session(2))));
        assert_eq!(later, SignedOut::End(Onward::Client(BYE)));
    }

    /// oidcc-backchannel-rp-initiated-logout.
    #[test]
    fn a_logout_token_says_who_where_and_that_it_is_one() {
        let jti = TokenId::from_parts(Timestamp::from_millis(1), [3; 10]);
        let ended = Ended { user_id: minji(), session_id: session(1) };
        let now = Timestamp::from_seconds(100);
        let client_id = "shop".parse().unwrap();
        let claims = LogoutClaims::new("https://id.example", &client_id, ended, jti, now);
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            json!({
                "iss": "https://id.example", "sub": minji(), "aud": "shop", "iat": 100,
                "exp": 220, "jti": jti, "sid": session(1),
                "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            })
        );
    }

    /// oidcc-frontchannel-rp-initiated-logout.
    #[test]
    fn a_front_channel_address_keeps_its_query() {
        let uri =
            front_channel_uri("https://shop.example/out?a=b", "https://id.example", &session(1));
        let expected =
            format!("https://shop.example/out?a=b&iss=https%3A%2F%2Fid.example&sid={}", session(1));
        assert_eq!(uri.as_deref(), Some(expected.as_str()));
        assert_eq!(front_channel_uri("x", "https://id.example", &session(1)), None);
    }
}
