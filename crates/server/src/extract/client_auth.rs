//! Client authentication (RFC 6749 §2.3): who sent this form, and that it is really them.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::ClientId;
use munjigi_core::oauth::assertion::ASSERTION_TYPE;
use munjigi_core::oauth::client::{AuthMethod, Client};
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::secret::Secret;
use munjigi_store::{Audit, Committed, StoreError};

use crate::addresses::{self, Limit};
use crate::app::App;
use crate::context::Context;
use crate::documents::find_client;
use crate::extract::client_assertion::{self, Proof};
use crate::extract::form::Form;
use crate::reply::oauth::OAuthError;

/// One sentence for every way in which a client can fail to prove itself.
const REFUSED: &str = "client is unknown or did not prove itself";

/// What is read from a form once it is known who sent it.
pub trait FromForm: Sized {
    /// Whether the answer is a token, or says that one is good: then what another node ended a
    /// moment ago has to be known here, too ([`App::be_current`]).
    const MUST_BE_CURRENT: bool;

    /// Reads the parameters.
    fn read(form: &mut Form) -> Result<Self, OAuthError>;
}

/// A request of an authenticated client. The form cannot be had without the check.
pub struct ClientAuth<T> {
    /// Who sent it; a public client has only said so.
    pub client: Arc<Client>,
    /// What it says.
    pub request: T,
    /// The request around it.
    pub context: Context,
}

/// What the `Authorization` header says.
enum InHeader {
    /// There is none.
    Nothing,
    /// There is more than one.
    Several,
    /// It is not `Basic`, or malformed.
    Unreadable,
    /// An id and a secret.
    Basic(String, Secret),
}

impl InHeader {
    fn read(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::Nothing,
            (Some(_), Some(_)) => Self::Several,
            (Some(line), None) => match basic(line.as_bytes()) {
                Some((id, secret)) => Self::Basic(id, secret),
                None => Self::Unreadable,
            },
        }
    }
}

/// What a request presents to prove a client.
struct Presented {
    client_id: ClientId,
    evidence: Evidence,
}

/// With what it proves that it is the client.
enum Evidence {
    /// With nothing: it says so.
    Word,
    /// It knows the secret.
    Secret(Secret),
    /// It signed this (RFC 7523 §2.2).
    Assertion(Secret),
}

impl Evidence {
    fn of_secret(secret: Option<Secret>) -> Self {
        secret.map_or(Self::Word, Self::Secret)
    }
}

impl<T: FromForm> FromRequest<App> for ClientAuth<T> {
    type Rejection = OAuthError;

    async fn from_request(request: Request, app: &App) -> Result<Self, OAuthError> {
        let (mut parts, body) = request.into_parts();
        let context = Context::from_request_parts(&mut parts, app).await;
        let context = context.map_err(|_| OAuthError::new(ErrorCode::ServerError, "no context"))?;
        let header = InHeader::read(&parts.headers);
        let mut form = Form::from_request(Request::from_parts(parts, body), app).await?;

        if T::MUST_BE_CURRENT {
            app.be_current().await?;
        }
        let client = authenticate(app, header, &form, &context).await?;

        Ok(Self { client, request: T::read(&mut form)?, context })
    }
}

/// Finds and checks the client. A failure is audited.
async fn authenticate(
    app: &App,
    header: InHeader,
    form: &Form,
    context: &Context,
) -> Result<Arc<Client>, OAuthError> {
    let with_header = !matches!(header, InHeader::Nothing);
    let presented = match presented(header, form)? {
        Some(presented) => presented,
        None => {
            let fallback = app.snapshot().default_client();
            let missing = || OAuthError::invalid_client("no client is named", with_header);
            return fallback.ok_or_else(missing);
        }
    };
    // Whoever only says a name proves nothing by it: there is nothing to guess.
    if !matches!(presented.evidence, Evidence::Word) {
        addresses::look(app, context, Limit::Client)?;
    }
    let known = find_client(app, &presented.client_id, context.address).await?;
    let proof = match &known {
        Some(client) => prove(app, client, &presented, context).await?,
        None => Proof::Fails(REFUSED),
    };
    match (known, proof) {
        (Some(client), Proof::Holds) => Ok(client),
        (None, Proof::Holds) => Err(OAuthError::invalid_client(REFUSED, with_header)),
        (_, Proof::Fails(why)) => {
            refused(app, &presented.client_id, context, why).await?;
            Err(OAuthError::invalid_client(why, with_header))
        }
    }
}

async fn prove(
    app: &App,
    client: &Client,
    presented: &Presented,
    context: &Context,
) -> Result<Proof, OAuthError> {
    if client.is_disabled() {
        return Ok(Proof::Fails(REFUSED));
    }
    let holds = match (&presented.evidence, client.auth_method) {
        (Evidence::Word, AuthMethod::None) => true,
        // RFC 6749 §2.3.1: the header is for every client with a secret, the body for those that
        // cannot use it. We take either from both, since libraries differ in what they send.
        (
            Evidence::Secret(secret),
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost,
        ) => client.admits(secret.reveal(), context.now),
        (Evidence::Assertion(assertion), AuthMethod::PrivateKeyJwt) => {
            let assertion = assertion.reveal();
            return Ok(client_assertion::prove(app, client, assertion, context).await?);
        }
        (Evidence::Secret(_) | Evidence::Assertion(_), AuthMethod::None)
        | (
            Evidence::Word | Evidence::Assertion(_),
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost,
        )
        | (Evidence::Word | Evidence::Secret(_), AuthMethod::PrivateKeyJwt) => false,
    };
    Ok(if holds { Proof::Holds } else { Proof::Fails(REFUSED) })
}

/// What the request presents; `None` when it names no client at all.
fn presented(header: InHeader, form: &Form) -> Result<Option<Presented>, OAuthError> {
    let invalid = |why| OAuthError::new(ErrorCode::InvalidRequest, why);
    let refused = |challenge| OAuthError::invalid_client(REFUSED, challenge);
    let (id, secret) = (form.find("client_id"), form.find("client_secret"));
    let is_asserted =
        ["client_assertion", "client_assertion_type"].map(|it| form.find(it)) != [None; 2];
    match header {
        InHeader::Several => Err(invalid("there is more than one Authorization header")),
        InHeader::Unreadable => Err(refused(true)),
        // RFC 6749 §2.3: "MUST NOT use more than one authentication method in each request".
        InHeader::Basic(..) if secret.is_some() || is_asserted => {
            Err(invalid("the client proves itself in two ways"))
        }
        InHeader::Nothing if secret.is_some() && is_asserted => {
            Err(invalid("the client proves itself in two ways"))
        }
        InHeader::Nothing if is_asserted => asserted(form).map(Some),
        InHeader::Basic(named, _) if id.is_some_and(|other| other != named) => {
            Err(invalid("the header and the body name different clients"))
        }
        InHeader::Basic(named, secret) => {
            let client_id = named.parse().map_err(|_| refused(true))?;
            // An empty password is none: a public client that uses the header all the same.
            let secret = (!secret.reveal().is_empty()).then_some(secret);
            Ok(Some(Presented { client_id, evidence: Evidence::of_secret(secret) }))
        }
        InHeader::Nothing => match (id, secret) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(invalid("client_secret without client_id")),
            (Some(id), secret) => {
                let client_id = id.parse().map_err(|_| refused(false))?;
                let secret = secret.map(|secret| Secret::new(secret.to_owned()));
                Ok(Some(Presented { client_id, evidence: Evidence::of_secret(secret) }))
            }
        },
    }
}

/// RFC 7521 §4.2: an assertion, and of which kind it is. `client_id` may be left out, since the
/// assertion names the client; if it is there, both have to name the same one, which the rule about
/// `sub` sees to.
fn asserted(form: &Form) -> Result<Presented, OAuthError> {
    let invalid = |why| OAuthError::new(ErrorCode::InvalidRequest, why);
    let refused = || OAuthError::invalid_client(REFUSED, false);
    let together = "client_assertion and client_assertion_type come together";
    let assertion = form.required("client_assertion", together)?;
    if form.required("client_assertion_type", together)? != ASSERTION_TYPE {
        return Err(invalid("client_assertion_type is not one that this server knows"));
    }
    let client_id = match form.find("client_id") {
        Some(id) => id.parse().map_err(|_| refused())?,
        None => client_assertion::named(assertion).ok_or_else(refused)?,
    };
    let assertion = Secret::new(assertion.to_owned());
    Ok(Presented { client_id, evidence: Evidence::Assertion(assertion) })
}

/// RFC 6749 §2.3.1: `Basic base64(form-encoded id ":" form-encoded secret)`. Two thirds of the
/// clients in the field do not form-encode; since ids and secrets made here hold no character
/// that encoding changes, both read the same.
fn basic(header: &[u8]) -> Option<(String, Secret)> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, credentials) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let decoded = Secret::new(String::from_utf8(decoded).ok()?);
    let (id, secret) = decoded.reveal().split_once(':')?;
    Some((form_decoded(id)?, Secret::new(form_decoded(secret)?)))
}

/// One form-encoded value, in which a bare `+` stays one: our own ids and secrets hold neither.
fn form_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok()
}

/// Writes a refusal of a client that exists, or does not, into the audit trail, unless there were
/// too many from this address.
async fn refused(
    app: &App,
    client_id: &ClientId,
    context: &Context,
    why: &'static str,
) -> Result<(), OAuthError> {
    addresses::count(app, context, Limit::Client).await?;
    let event = context.event(Kind::ClientRefused, Actor::Anonymous)?;
    let why = if why == REFUSED { "client did not prove itself" } else { why };
    let event = event.refused(why).client(client_id.clone());
    app.store
        .write(move |_| {
            Ok::<_, StoreError>(Committed::new((), Audit::Record(Box::new(event.clone()))))
        })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Option<(String, String)> {
        let encoded = format!("Basic {}", STANDARD.encode(text));
        basic(encoded.as_bytes()).map(|(id, secret)| (id, secret.reveal().to_owned()))
    }

    #[test]
    fn credentials_are_form_decoded() {
        assert_eq!(header("web:s3cret"), Some(("web".into(), "s3cret".into())));
        assert_eq!(header("we%3Ab:a%25b"), Some(("we:b".into(), "a%b".into())));
        assert_eq!(header("web:a:b"), Some(("web".into(), "a:b".into())));
        assert_eq!(header("web"), None);
        assert_eq!(header("web:%f"), None);
    }

    #[test]
    fn other_schemes_are_no_credentials() {
        assert!(basic(b"Bearer x").is_none());
        assert!(basic(b"Basic !!!").is_none());
        assert!(basic(b"Basic").is_none());
    }
}
