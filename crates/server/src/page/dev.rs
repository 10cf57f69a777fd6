//! The pages of `munjigi dev` alone: the first page, which walks a developer through sign-in, a
//! token, a protected call and a revocation; and the mailbox.

use askama::Template;
use munjigi_token::base64url;
use serde_json::Value;

use crate::page::frame::Frame;
use crate::page::moment::Moment;
use crate::page::reply::views;

/// Somebody whom a developer can sign in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoPerson {
    /// The user name.
    pub username: String,
    /// The password, which everybody knows.
    pub password: String,
    /// The roles, for people.
    pub roles: String,
}

/// A call of the protected API, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// The request, such as `GET /api/v1/users/me`.
    pub request: String,
    /// The status, such as `200 OK`.
    pub status: String,
    /// The body.
    pub body: String,
}

/// How far the walk is. Each step has what came before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The access token, once signed in.
    pub access_token: Option<String>,
    /// The first call, once made.
    pub call: Option<ApiCall>,
    /// Whether the token was revoked.
    pub is_revoked: bool,
    /// The call after the revocation, once made.
    pub refused: Option<ApiCall>,
}

/// A claim, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// Its name.
    pub name: String,
    /// Its value, as JSON.
    pub value: String,
    /// What it means.
    pub meaning: String,
}

/// A token, taken apart. Nothing is checked: it is our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedToken {
    /// The three parts as they stand.
    pub parts: [String; 3],
    /// The claims of the header and the payload.
    pub claims: Vec<ClaimRow>,
}

/// `/` in `dev`: sends `action=call`, `action=revoke`, `action=call-again` or `action=reset` to
/// `/dev/walk`; signing in is a link to `/dev/sign-in`.
#[derive(Clone, Debug, Template)]
#[template(path = "dev_home.html")]
pub struct DevHome {
    /// What stands around it.
    pub frame: Frame,
    /// The issuer.
    pub issuer: String,
    /// Whom a developer can sign in as.
    pub people: Vec<DemoPerson>,
    /// The token, taken apart.
    pub token: Option<DecodedToken>,
    /// How far the walk is.
    pub walk: Walk,
    /// Where signing in begins.
    pub sign_in: String,
    /// Where the forms go.
    pub action: String,
    /// Further places, with what stands on them.
    pub places: Vec<(String, String)>,
}

impl DevHome {
    /// The page.
    pub fn new(frame: Frame, issuer: &str, people: Vec<DemoPerson>, walk: Walk) -> Self {
        let token = walk.access_token.as_deref().and_then(|it| DecodedToken::read(&frame, it));
        let place = |path: &str, label: String| (frame.path(path), label);
        let places = vec![
            place("/docs/", frame.text("dev-place-docs")),
            place("/dev/mail", frame.text("dev-place-mail")),
            place("/account", frame.text("dev-place-account")),
            place("/signup", frame.text("dev-place-sign-up")),
            place("/.well-known/openid-configuration", frame.text("dev-place-discovery")),
        ];
        Self {
            issuer: issuer.to_owned(),
            people,
            token,
            walk,
            sign_in: frame.path("/dev/sign-in"),
            action: frame.path("/dev/walk"),
            places,
            frame,
        }
    }
}

impl DecodedToken {
    /// Takes a token apart; `None` when it is not one.
    pub fn read(frame: &Frame, token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let mut claims = Vec::new();
        for part in [header, payload] {
            let Value::Object(members) =
                serde_json::from_slice(&base64url::decode(part).ok()?).ok()?
            else {
                return None;
            };
            claims.extend(members.into_iter().map(|(name, value)| ClaimRow {
                meaning: meaning(frame, &name),
                value: value.to_string(),
                name,
            }));
        }
        let parts = [header, payload, signature].map(str::to_owned);
        Some(Self { parts, claims })
    }
}

/// What a claim means (RFC 7515 §4.1, RFC 7519 §4.1, RFC 9068 §2.2).
fn meaning(frame: &Frame, name: &str) -> String {
    let id = match name {
        "alg" => "claim-alg",
        "kid" => "claim-kid",
        "typ" => "claim-typ",
        "iss" => "claim-iss",
        "sub" => "claim-sub",
        "aud" => "claim-aud",
        "exp" => "claim-exp",
        "iat" => "claim-iat",
        "nbf" => "claim-nbf",
        "jti" => "claim-jti",
        "client_id" => "claim-client-id",
        "scope" => "claim-scope",
        "roles" => "claim-roles",
        "groups" => "claim-groups",
        "permissions" => "claim-permissions",
        "sid" => "claim-sid",
        "gid" => "claim-gid",
        "auth_time" => "claim-auth-time",
        "acr" => "claim-acr",
        "amr" => "claim-amr",
        "cnf" => "claim-cnf",
        _ => "claim-other",
    };
    frame.text(id)
}

/// A mail in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRow {
    /// Where it is read.
    pub href: String,
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
    /// When.
    pub at: Moment,
}

/// `/dev/mail`: the mails that would have been sent, the newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "dev_mailbox.html")]
pub struct DevMailbox {
    /// What stands around it.
    pub frame: Frame,
    /// The mails.
    pub mails: Vec<MailRow>,
    /// The same for programs.
    pub json: String,
}

/// `/dev/mail/{id}`: one mail.
#[derive(Clone, Debug, Template)]
#[template(path = "dev_mail.html")]
pub struct DevMail {
    /// What stands around it.
    pub frame: Frame,
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
    /// When.
    pub at: Moment,
    /// The text, as it would be sent.
    pub text: String,
    /// The links in it, to be followed.
    pub links: Vec<String>,
    /// Back to the list.
    pub list: String,
}

impl DevMailbox {
    /// The page; each mail with its id, below `/dev/mail/`.
    pub fn new(frame: Frame, mails: Vec<DevMailSeen<'_>>) -> Self {
        let row = |mail: DevMailSeen<'_>| MailRow {
            href: frame.path(&format!("/dev/mail/{}", mail.id)),
            to: mail.to.to_owned(),
            subject: mail.subject.to_owned(),
            at: mail.at,
        };
        let mails = mails.into_iter().map(row).collect();
        Self { mails, json: frame.path("/dev/mail.json"), frame }
    }
}

/// A mail in the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevMailSeen<'m> {
    /// Its id, of letters, digits and `-`.
    pub id: String,
    /// To whom.
    pub to: &'m str,
    /// About what.
    pub subject: &'m str,
    /// When.
    pub at: Moment,
}

impl DevMail {
    /// The page of a mail with its text.
    pub fn new(frame: Frame, mail: DevMailSeen<'_>, text: &str) -> Self {
        let is_link = |word: &&str| word.starts_with("https://") || word.starts_with("http://");
        let links = text.split_whitespace().filter(is_link).map(str::to_owned).collect();
        Self {
            to: mail.to.to_owned(),
            subject: mail.subject.to_owned(),
            at: mail.at,
            text: text.to_owned(),
            links,
            list: frame.path("/dev/mail"),
            frame,
        }
    }
}

views!(DevHome, DevMailbox, DevMail);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::locale::Locale;

    #[test]
    fn a_token_is_taken_apart_and_every_claim_explained() {
        let frame = Frame::new("http://localhost:8000", Locale::Korean);
        let part = |json: &str| base64url::encode(json.as_bytes());
        let header = part(r#"{"alg":"ES256"}"#);
        let token = format!("{header}.{}.c2ln", part(r#"{"sub":"u","x":1}"#));
        let decoded = DecodedToken::read(&frame, &token).unwrap();
        let names: Vec<_> = decoded.claims.iter().map(|claim| claim.name.as_str()).collect();
        assert_eq!(names, ["alg", "sub", "x"]);
        assert_eq!(decoded.claims[1].value, "\"u\"");
        assert!(decoded.claims.iter().all(|claim| !claim.meaning.starts_with("claim-")));
        for bad in ["", "a.b", "a.b.c", "e30.W10.x"] {
            assert_eq!(DecodedToken::read(&frame, bad), None, "{bad}");
        }
    }
}
