//! `POST /oauth2/device_authorization` (RFC 8628 §3.1): a device without a keyboard asks to be let
//! in. It gets a code to poll with, and a short one to show to its person.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::Attempt;
use munjigi_core::account::budget::neighbourhood;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::device::{
    DEVICE_TTL, DeviceAuthorization, POLL_INTERVAL, REQUESTS_FROM_AN_ADDRESS, UserCode,
};
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oauth::ticket::{Reference, ReferenceKind};
use munjigi_core::time::Timestamp;
use munjigi_store::{Audit, Committed, StoreError, devices};
use serde::Serialize;
use url::form_urlencoded::Serializer;

use crate::addresses::{self, Limit};
use crate::app::App;
use crate::attempts::{Draw, wait_for};
use crate::context::{Context, UserAgent};
use crate::documents;
use crate::extract::client_auth::{ClientAuth, FromForm};
use crate::extract::form::Form;
use crate::flow::DEVICE;
use crate::issue;
use crate::random;
use crate::registration;
use crate::reply::json;
use crate::reply::oauth::OAuthError;

/// How often another code is drawn when a device shows this one at the moment: of 20^8 codes two
/// meet next to never.
const DRAWS: u32 = 5;

/// What a device asks for.
pub struct DeviceRequest {
    /// The scope, if it was named.
    scope: Option<String>,
    /// The APIs (RFC 8707 §2).
    resources: Vec<String>,
}

impl FromForm for DeviceRequest {
    const MUST_BE_CURRENT: bool = false;

    fn read(form: &mut Form) -> Result<Self, OAuthError> {
        Ok(Self {
            scope: form.find("scope").map(str::to_owned),
            resources: form.all("resource").map(str::to_owned).collect(),
        })
    }
}

/// RFC 8628 §3.2.
#[derive(Serialize)]
struct DeviceAnswer<'a> {
    device_code: &'a str,
    user_code: &'a str,
    verification_uri: &'a str,
    verification_uri_complete: &'a str,
    expires_in: i64,
    interval: i64,
}

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Asked {
    Written,
    Wait(Timestamp),
}

/// Answers a device.
pub async fn device_authorization(
    State(app): State<App>,
    UserAgent(user_agent): UserAgent,
    auth: ClientAuth<DeviceRequest>,
) -> Result<Response, OAuthError> {
    let ClientAuth { client, request, context } = auth;
    client.may_use(GrantType::DeviceCode)?;
    if client.is_public() {
        addresses::look(&app, &context, Limit::Request)?;
        addresses::count(&app, &context, Limit::Write).await?;
    }
    let (scope, audiences) = wanted(&app, &context, &client, &request)?;
    documents::keep(&app, &context, &client, Some(registration::draw(&app, &context))).await?;
    let event = context.event(Kind::DeviceAsked, Actor::Client(client.id.clone()))?;
    let event = event.client(client.id.clone()).with("scope", &scope);
    let reference = Reference::new(ReferenceKind::DeviceCode, random::bytes()?);

    let snapshot = app.snapshot_kept();
    for _ in 0..DRAWS {
        let user_code = UserCode::from_random(random::bytes()?);
        let device = DeviceAuthorization {
            hash: reference.hash(),
            user_code: user_code.stored(&snapshot.keys.user_codes),
            client_id: client.id.clone(),
            scope: scope.clone(),
            audiences: audiences.clone(),
            dpop_jkt: None,
            address: context.address,
            user_agent: user_agent.clone(),
            created_at: context.now,
            expires_at: context.now.plus(DEVICE_TTL),
            polled_at: None,
            poll_interval: POLL_INTERVAL,
            user_id: None,
            session_id: None,
            approved_at: None,
            denied_at: None,
            spent_at: None,
        };
        match write(&app, device, event.clone()).await {
            Ok(Asked::Written) => return Ok(reply(&app, &reference, &user_code)),
            Ok(Asked::Wait(until)) => {
                addresses::count(&app, &context, Limit::Request).await?;
                let budget = &REQUESTS_FROM_AN_ADDRESS;
                let wait = wait_for("device-authorization", budget, until, context.now);
                return Err(OAuthError::too_many_attempts(wait));
            }
            Err(error) if error.is_unique(devices::USER_CODE_TAKEN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "no code is free; try again"))
}

/// What the client may have; the token endpoint would refuse the rest in vain, after a person has
/// gone to the trouble of answering.
fn wanted(
    app: &App,
    context: &Context,
    client: &Client,
    request: &DeviceRequest,
) -> Result<(Scope, Vec<Audience>), OAuthError> {
    let snapshot = app.snapshot_kept();
    let scope = Scope::asked(request.scope.as_deref(), &client.scope)?;
    let resources = request.resources.iter().map(String::as_str);
    let audiences = issue::audiences(app, &snapshot, client, resources)?;
    issue::target_of(&snapshot, &audiences, context.now)?;
    Ok((scope, audiences))
}

async fn write(app: &App, device: DeviceAuthorization, event: Event) -> Result<Asked, StoreError> {
    // Where the address is not known, as when the server is embedded, there is none to count for.
    let draw = match device.address.map(neighbourhood) {
        Some(address) => {
            let whose = address.to_string();
            let whose = [b"device request from", whose.as_bytes()];
            Draw::default().on(app, REQUESTS_FROM_AN_ADDRESS, &whose)
        }
        None => Draw::default(),
    };
    let written = app.store.write(move |tx| {
        let now = device.created_at;
        if let Attempt::Wait { until } = draw.look(tx, now)? {
            let refused = event.clone().refused("too many requests from this address");
            let audit = Audit::Record(Box::new(refused));
            return Ok::<_, StoreError>(Committed::new(Asked::Wait(until), audit));
        }
        draw.count(tx, now)?;
        devices::insert(tx, &device)?;
        Ok(Committed::new(Asked::Written, Audit::Record(Box::new(event.clone()))))
    });
    written.await
}

fn reply(app: &App, reference: &Reference, user_code: &UserCode) -> Response {
    let (code, user_code) = (reference.seal(), user_code.to_string());
    let verification_uri = format!("{}{DEVICE}", app.config.issuer);
    let query = Serializer::new(String::new()).append_pair("user_code", &user_code).finish();
    let answer = DeviceAnswer {
        device_code: code.reveal(),
        user_code: &user_code,
        verification_uri: &verification_uri,
        verification_uri_complete: &format!("{verification_uri}?{query}"),
        expires_in: DEVICE_TTL.as_seconds(),
        interval: POLL_INTERVAL.as_seconds(),
    };
    json(StatusCode::OK, &answer)
}
