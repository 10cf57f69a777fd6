//! `POST /oauth2/par` (RFC 9126): a client says beforehand, by itself and proved, what it asks for.
//! The browser then brings a reference, so that nobody on the way reads or changes anything.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::oauth::authorization::{Channel, PageError, destination, request};
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::parameters::Parameters;
use munjigi_core::oauth::pushed::{PUSHED_TTL, PushedRequest};
use munjigi_core::oauth::ticket::{Reference, ReferenceKind};
use munjigi_store::{Audit, Committed, StoreError, pushed_requests};
use serde::Serialize;

use crate::addresses::{self, Limit};
use crate::app::App;
use crate::asking::terms;
use crate::documents;
use crate::extract::client_auth::{ClientAuth, FromForm};
use crate::extract::dpop::DpopProof;
use crate::extract::form::Form;
use crate::issue;
use crate::random;
use crate::registration;
use crate::reply::json;
use crate::reply::oauth::OAuthError;

/// What proves the client and is no part of what it asks for.
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// What a client asks for, as it came.
pub struct Pushed(Vec<(String, String)>);

impl FromForm for Pushed {
    const MUST_BE_CURRENT: bool = false;

    fn read(form: &mut Form) -> Result<Self, OAuthError> {
        // RFC 9126 §2.1: it "MUST NOT be provided": what it refers to could be another's.
        if form.find("request_uri").is_some() {
            return Err(refuse("request_uri cannot be pushed").into());
        }
        Ok(Self(form.take_all(|name| !PROOFS.contains(&name))))
    }
}

/// RFC 9126 §2.2.
#[derive(Serialize)]
struct Answer<'a> {
    request_uri: &'a str,
    expires_in: i64,
}

/// Keeps a request for the browser that will refer to it.
pub async fn par(
    State(app): State<App>,
    proof: DpopProof,
    auth: ClientAuth<Pushed>,
) -> Result<Response, OAuthError> {
    let ClientAuth { client, request: Pushed(said), context } = auth;
    let now = context.now;

    let asked = asked(said, &client, proof.jkt());
    let checked = asked.and_then(|asked| check(&app, &client, &asked).map(|()| asked));
    let parameters = match checked {
        Ok(parameters) => parameters,
        Err(refusal) => {
            addresses::count(&app, &context, Limit::Request).await?;
            return Err(refusal.into());
        }
    };
    if client.is_public() {
        addresses::count(&app, &context, Limit::Write).await?;
    }
    let jkt = proof.spend(&app, &context, &client.id).await?;
    documents::keep(&app, &context, &client, Some(registration::draw(&app, &context))).await?;
    let reference = Reference::new(ReferenceKind::PushedRequest, random::bytes()?);
    let pushed = PushedRequest {
        hash: reference.hash(),
        client_id: client.id.clone(),
        parameters,
        dpop_jkt: jkt,
        created_at: now,
        expires_at: now.plus(PUSHED_TTL),
        spent_at: None,
    };

    let written = app.store.write(move |tx| {
        pushed_requests::insert(tx, &pushed)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a request is pushed")))
    });
    written.await?;

    let reference = reference.seal();
    let answer = Answer { request_uri: reference.reveal(), expires_in: PUSHED_TTL.as_seconds() };
    Ok(proof.answered(&app, now, json(StatusCode::CREATED, &answer)))
}

const fn refuse(why: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidRequest, why)
}

/// The request that is kept: the client's own, and bound to the key of its proof.
fn asked(
    mut said: Vec<(String, String)>,
    client: &Client,
    jkt: Option<&str>,
) -> Result<Parameters, OAuthRefusal> {
    let find = |name: &str| said.iter().find(|(other, _)| other == name);
    match find("client_id") {
        Some((_, id)) if id != client.id.as_str() => {
            return Err(refuse("client_id names another client"));
        }
        // Whoever is nobody in particular has no request.
        None if client.is_public() => return Err(refuse("client_id is missing")),
        None => said.push(("client_id".to_owned(), client.id.to_string())),
        Some(_) => {}
    }
    // RFC 9449 §10.1: the key of the proof is the one that redeems the code.
    if let Some(jkt) = jkt {
        match said.iter().find(|(name, _)| name == "dpop_jkt") {
            Some((_, named)) if named != jkt => {
                let why = "dpop_jkt is not the key of the DPoP proof";
                return Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, why));
            }
            Some(_) => {}
            None => said.push(("dpop_jkt".to_owned(), jkt.to_owned())),
        }
    }
    Parameters::new(said).map_err(|_| refuse("the request is too large"))
}

/// RFC 9126 §2.1, 3: everything that can be checked now is. The browser's turn checks it again.
fn check(app: &App, client: &Client, parameters: &Parameters) -> Result<(), OAuthRefusal> {
    destination(parameters, client).map_err(|error| {
        refuse(match error {
            PageError::TooLarge => "the request is too large",
            PageError::ClientId | PageError::UnknownClient => "the client is unknown",
            PageError::RedirectUri => "redirect_uri is missing or repeated",
            PageError::UnknownRedirectUri => "redirect_uri is not registered for the client",
        })
    })?;
    let snapshot = app.snapshot_kept();
    let request = request(parameters, client, &terms(&snapshot, client, Channel::Pushed))?;
    let resources = request.resources.iter().map(String::as_str);
    issue::audiences(app, &snapshot, client, resources).map(|_| ())
}
