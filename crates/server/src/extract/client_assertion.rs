//! `private_key_jwt` (RFC 7523 §2.2, OpenID Connect Core §9): a client proves itself by a token
//! that it signed a moment ago, for this server alone, good once.

use munjigi_core::id::ClientId;
use munjigi_core::oauth::assertion::{Assertion, Presented};
use munjigi_core::oauth::client::{AuthMethod, Client, Origin};
use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::replays::{self, Kind};
use munjigi_store::{Audit, Committed, StoreError};
use munjigi_token::{Algorithm, Header, KeySet, Unverified, base64url, json};
use serde_json::{Map, Value};

use crate::app::App;
use crate::client_keys::{Owner, Wanted};
use crate::context::Context;
use crate::failure::Failure;

/// What is said of one that is no good for a reason that is nobody's business, or everybody's.
const NO_GOOD: &str = "the assertion does not hold";

/// No assertion lives longer, clocks that are apart included.
const OLDEST: Span = Span::from_minutes(7);

/// What an assertion comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It is the client.
    Holds,
    /// It proves nothing. The sentence says what is wrong with what was sent, and nothing that its
    /// sender does not know.
    Fails(&'static str),
}

/// Whom an assertion names. Nobody vouches for it.
pub(super) fn named(assertion: &str) -> Option<ClientId> {
    payload(assertion)?.get("sub")?.as_str()?.parse().ok()
}

/// Whether an assertion proves that this client made the request. Then it is spent.
pub(super) async fn prove(
    app: &App,
    client: &Client,
    assertion: &str,
    context: &Context,
) -> Result<Proof, Failure> {
    let now = context.now;
    if client.auth_method != AuthMethod::PrivateKeyJwt {
        return Ok(Proof::Fails(NO_GOOD));
    }
    let Ok(unverified) = Unverified::parse(assertion) else { return Ok(Proof::Fails(NO_GOOD)) };
    if let Err(why) = check_header(client, unverified.header()) {
        return Ok(Proof::Fails(why));
    }
    let Some(claims) = payload(assertion) else { return Ok(Proof::Fails(NO_GOOD)) };
    // Before anybody is asked for keys: one that cannot hold makes no request anywhere.
    let presented = Presented { client_id: &client.id, issuer: &app.config.issuer, now };
    let checked = match Assertion::check(&claims, &presented) {
        Ok(checked) => checked,
        Err(refusal) => return Ok(Proof::Fails(refusal.description)),
    };
    if is_forgotten(&claims, app.snapshot().ended_before, now) {
        return Ok(Proof::Fails("the assertion is older than this server's memory"));
    }
    let keys = keys(app, client, unverified.header(), context).await;
    let is_signed = keys.is_some_and(|keys| unverified.verify(&keys).is_ok());
    if !is_signed {
        return Ok(Proof::Fails(NO_GOOD));
    }
    // RFC 7523 §3, 7. Last, so that nobody uses up ids who has no key.
    let (key, until) = checked.seen_once(&client.id);
    let is_first = app.store.write(move |tx| {
        let is_first = replays::spend_once(tx, Kind::ClientAssertion, &key, until)?;
        Ok::<_, StoreError>(Committed::new(is_first, Audit::Routine("an assertion is spent")))
    });
    let is_first = is_first.await?;
    match munjigi_core::planted!("assertion_good_twice" => true, is_first) {
        true => Ok(Proof::Holds),
        false => Ok(Proof::Fails("the assertion was used before")),
    }
}

/// Whether it may have been used before a restore, when it would have been forgotten. One that does
/// not say when it was made may be as old as they may get.
fn is_forgotten(claims: &Map<String, Value>, ended: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(ended) = ended else { return false };
    match claims.get("iat").and_then(Value::as_i64) {
        Some(iat) => iat <= ended.as_seconds(),
        None => now <= ended.plus(OLDEST),
    }
}

/// Whether it is the kind of token, and of signature, that proves this client.
fn check_header(client: &Client, header: &Header) -> Result<(), &'static str> {
    // RFC 8725 §3.11: what says that it is another thing, such as a request object, is none of
    // these. rfc7523bis gives them a type of their own; most libraries say `JWT`, or nothing.
    let is_kind = header.typ.as_deref().is_none_or(|typ| {
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        ["JWT", "client-authentication+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
    });
    if !is_kind {
        return Err("typ of the assertion is that of another kind of token");
    }
    let is = |algorithm: Algorithm| header.alg.is_same_as(algorithm);
    let registered = client.metadata.token_endpoint_auth_signing_alg;
    if !ALGORITHMS.into_iter().any(is) || !registered.is_none_or(is) {
        return Err("alg of the assertion is not registered for the client");
    }
    Ok(())
}

/// The keys of the client: its own, or those that it publishes.
async fn keys(app: &App, client: &Client, header: &Header, context: &Context) -> Option<KeySet> {
    let metadata = &client.metadata;
    if let Some(jwks) = &metadata.jwks {
        return Some(jwks.key_set());
    }
    let uri = metadata.jwks_uri.as_ref()?;
    let owner = match client.origin {
        Origin::Made => Owner::Made,
        Origin::Registered | Origin::Document => Owner::Stranger(context.address),
    };
    let wanted = Wanted { kid: header.kid.as_deref(), algorithm: header.alg, owner };
    let fetch = app.fetch.for_client(client);
    app.client_keys.find(&fetch, uri.as_str(), wanted, context.now).await
}

fn payload(assertion: &str) -> Option<Map<String, Value>> {
    let payload =
        assertion.split('.').nth(1).filter(|it| it.len() <= munjigi_token::MAX_TOKEN_BYTES)?;
    json::object(&base64url::decode(payload).ok()?).ok()
}
