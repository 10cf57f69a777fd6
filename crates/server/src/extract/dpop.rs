//! DPoP proofs (RFC 9449): read, checked and compared with our nonces before anything else is
//! looked at; spent, in the store that every node shares, once it is known who sent them.

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use munjigi_core::audit::{Actor, Event, Kind as EventKind};
use munjigi_core::id::ClientId;
use munjigi_core::oauth::dpop::{check_nonce, nonce, refusal, seen_once};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::time::Timestamp;
use munjigi_store::replays::{self, Kind};
use munjigi_store::{Audit, Committed, StoreError};
use munjigi_token::dpop::{Proof, Request};

use crate::addresses::{self, Denied, Limit};
use crate::app::App;
use crate::context::Context;
use crate::reply::oauth::OAuthError;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The proof that a request to an OAuth endpoint came with, if there is one: for this request, made
/// a moment ago, with a nonce of ours where one is asked for. Whether it is the first time that it
/// comes, [`DpopProof::spend`] says.
pub struct DpopProof(Option<Proof>);

impl FromRequestParts<App> for DpopProof {
    type Rejection = OAuthError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, OAuthError> {
        let context = parts.extensions.get::<Context>();
        let now = context.map_or_else(|| app.clock.now(), |context| context.now);
        let context = context.cloned();
        let refusal = match read(parts, app, now) {
            Ok(proof) => return Ok(Self(proof)),
            Err(refusal) => refusal,
        };
        // RFC 9449 §8: whoever is told a nonce has done nothing wrong.
        if let (Some(context), ErrorCode::InvalidDpopProof) = (context, refusal.code) {
            addresses::count(app, &context, Limit::Request).await?;
        }
        Err(OAuthError::from(refusal).dpop_nonce(our_nonce(app, now)))
    }
}

impl DpopProof {
    /// The thumbprint of its key; nobody may act on it who did not spend it.
    pub fn jkt(&self) -> Option<&str> {
        self.0.as_ref().map(Proof::jkt)
    }

    /// Uses it up, and tells the thumbprint of its key. The client has proved who it is, as far as
    /// it can.
    ///
    /// # Errors
    /// `invalid_dpop_proof` when it came before, to whichever node (RFC 9449 §11.1).
    pub async fn spend(
        &self,
        app: &App,
        context: &Context,
        client: &ClientId,
    ) -> Result<Option<String>, OAuthError> {
        let Some(proof) = &self.0 else { return Ok(None) };
        let event = context.event(EventKind::DpopProofReused, Actor::Client(client.clone()))?;
        let event = event.client(client.clone()).refused(USED_BEFORE);
        match spend(app, context, proof, event).await? {
            true => Ok(Some(proof.jkt().to_owned())),
            false => Err(refuse(USED_BEFORE).into()),
        }
    }

    /// An answer with the nonce for the next proof, for who makes proofs (RFC 9449 §8.2).
    pub fn answered(&self, app: &App, now: Timestamp, mut response: Response) -> Response {
        if let (Some(_), Some(nonce)) = (&self.0, our_nonce(app, now)) {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
        response
    }
}

/// Why a proof that comes again is refused.
pub const USED_BEFORE: &str = "the DPoP proof was used before";

const fn refuse(why: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidDpopProof, why)
}

fn read(parts: &Parts, app: &App, now: Timestamp) -> Result<Option<Proof>, OAuthRefusal> {
    let mut lines = parts.headers.get_all(DPOP).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line,
        // RFC 9449 §4.3, 1.
        (Some(_), Some(_)) => return Err(refuse("there is more than one DPoP proof")),
    };
    let text = line.to_str().map_err(|_| refuse("the DPoP proof is not valid"))?;
    let proof = Proof::parse(text).map_err(|error| refusal(&error))?;
    // The URL as clients know it, never as the request tells it.
    let url = format!("{}{}", app.config.issuer, parts.uri.path());
    munjigi_core::planted!("proof_of_any_request", return Ok(Some(proof)));
    let request = Request { method: parts.method.as_str(), url: &url, access_token: None };
    proof.check(&request, now.as_seconds()).map_err(|error| refusal(&error))?;
    let snapshot = app.snapshot();
    // What was seen before a restore is forgotten: such a proof may have been.
    if snapshot.ended_before.is_some_and(|at| proof.iat() <= at.as_seconds()) {
        return Err(refuse("the DPoP proof is older than this server's memory"));
    }
    check_nonce(&proof, snapshot.settings.requests.dpop_nonce, &snapshot.keys.derive(NONCES), now)?;
    Ok(Some(proof))
}

/// What the key of the nonces is derived for.
const NONCES: &str = "dpop nonces";

/// The nonce of this time.
fn our_nonce(app: &App, now: Timestamp) -> Option<HeaderValue> {
    HeaderValue::from_str(&nonce(&app.snapshot().keys.derive(NONCES), now)).ok()
}

/// Uses a proof up; false when it was before, which the trail is told as `again`, and counted on
/// the address.
async fn spend(app: &App, context: &Context, proof: &Proof, again: Event) -> Result<bool, Denied> {
    let (key, until) = seen_once(proof);
    let put_off = addresses::look(app, context, Limit::Request).err();
    let again = Some(again.with("jkt", proof.jkt())).filter(|_| put_off.is_none());
    let is_first = app.store.write(move |tx| {
        let is_first = replays::spend_once(tx, Kind::DpopProof, &key, until)?;
        munjigi_core::planted!("dpop_proof_good_twice", return Ok(Committed::nothing(true)));
        let audit = match (is_first, &again) {
            (true, _) => Audit::Routine("a DPoP proof is spent"),
            (false, Some(again)) => Audit::Record(Box::new(again.clone())),
            (false, None) => return Ok(Committed::nothing(false)),
        };
        Ok::<_, StoreError>(Committed::new(is_first, audit))
    });
    match (is_first.await?, put_off) {
        (true, _) => Ok(true),
        (false, Some(denied)) => Err(denied),
        (false, None) => addresses::count(app, context, Limit::Request).await.map(|()| false),
    }
}

/// Uses up the proof of a request to an API of this server, which the verifier has checked, and
/// remembers on this node alone; false when another node has seen it, which the trail is told as
/// `again`.
pub async fn spend_at_api(
    app: &App,
    context: &Context,
    parts: &Parts,
    again: Event,
) -> Result<bool, Denied> {
    let line = parts.headers.get(DPOP).and_then(|line| line.to_str().ok());
    match line.and_then(|text| Proof::parse(text).ok()) {
        Some(proof) => spend(app, context, &proof, again).await,
        None => Ok(false),
    }
}
