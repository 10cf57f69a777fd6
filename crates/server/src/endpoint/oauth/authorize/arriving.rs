//! What a browser brings to the authorization endpoint: a request, the reference of one that its
//! client pushed (RFC 9126 §4), or the flow of one that is on its way.

use munjigi_core::oauth::authorization::client_id;
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::parameters::Parameters;
use munjigi_core::oauth::pushed::PushedRequest;
use munjigi_core::oauth::ticket::{Reference, ReferenceKind};
use munjigi_core::secret::Secret;
use munjigi_store::pushed_requests;
use url::form_urlencoded;

use crate::app::App;
use crate::browser::Browser;
use crate::context::Context;
use crate::flow::Flow;
use crate::page::failed::Reason;

/// A request on its way, and the mark that its browser gets if it has none.
pub(super) struct Arrived {
    pub flow: Flow,
    pub mark: Option<Secret>,
    /// Why it goes no further though it is known whose it is.
    pub refusal: Option<OAuthRefusal>,
}

impl Arrived {
    pub async fn read(
        app: &App,
        browser: &Browser,
        context: &Context,
        query: &str,
    ) -> Result<Self, Reason> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if let Some((_, sealed)) = pairs.iter().find(|(name, _)| name == "flow") {
            let snapshot = app.snapshot_kept();
            let flow = Flow::open(&snapshot.keys, sealed, browser.mark, context.now)?;
            let flow = flow.begun_after(snapshot.ended_before)?;
            return Ok(Self { flow, mark: None, refusal: None });
        }
        let pushed = find(app, &pairs).await?;
        let marked = browser.mark_or_new();
        let (hash, mark) = marked.map_err(|error| Reason::of(&error.into()))?;
        let now = context.now;
        let Some(pushed) = pushed else {
            return Ok(Self { flow: Flow::begin(pairs, hash, None, now), mark, refusal: None });
        };
        let refusal = pushed.refer(&pushed.client_id, now).err();
        let refusal = refusal.map(|why| OAuthRefusal::new(ErrorCode::InvalidRequestUri, why));
        // RFC 9126 §4, RFC 9101 §6.3: what was pushed alone counts; whatever else the browser says
        // is of no interest.
        let parameters = pushed.parameters.pairs().to_vec();
        Ok(Self { flow: Flow::begin(parameters, hash, Some(pushed.hash), now), mark, refusal })
    }
}

/// The pushed request that these parameters refer to, if they refer to one.
async fn find(app: &App, pairs: &[(String, String)]) -> Result<Option<PushedRequest>, Reason> {
    let prefix = ReferenceKind::PushedRequest.prefix();
    let is_ours =
        |(name, value): &&(String, String)| name == "request_uri" && value.starts_with(prefix);
    let Some((_, text)) = pairs.iter().find(is_ours) else { return Ok(None) };
    let parameters = Parameters::new(pairs.to_vec()).map_err(|_| Reason::Request)?;
    if parameters.one("request_uri").is_err() {
        return Err(Reason::Request);
    }
    // RFC 9126 §4: `client_id` stands beside it, and is that of the client that pushed.
    let client_id = client_id(&parameters).map_err(|_| Reason::UnknownClient)?;
    let reference = Reference::open(ReferenceKind::PushedRequest, text);
    let hash = reference.ok_or(Reason::FlowExpired)?.hash();
    let found = app.store.read(move |tx| pushed_requests::find(tx, &hash)).await;
    let pushed = found.map_err(|error: munjigi_store::StoreError| Reason::of(&error.into()))?;
    let pushed = pushed.ok_or(Reason::FlowExpired)?;
    if pushed.client_id != client_id {
        return Err(Reason::Request);
    }
    Ok(Some(pushed))
}
