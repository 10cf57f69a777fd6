//! The routes. What a route asks of its caller stands in the type of its first argument.

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use munjigi_verify::{Caller, Verifier, roles};
use serde_json::{Value, json};

use crate::events::{Event, Events, NewEvent};
use crate::problem::Problem;

const MAX_BODY: usize = 64 * 1024;

roles! {
    /// Who may see the figures.
    pub Admin = "admin";
}

/// The whole application.
pub fn app(verifier: &Verifier, events: Events) -> Router {
    Router::new()
        .route("/events", get(list).post(add))
        .route("/events/", get(list).post(add))
        .route("/items", get(items))
        .route("/items/", get(items))
        .route("/protected", get(protected))
        .route("/protected/", get(protected))
        .route("/admin/stats", get(stats))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        // Verifies the token of a request once; the `Caller` of each route asks for the outcome.
        .layer(verifier.layer())
        // Public, because they are merged after the layer.
        .merge(verifier.metadata_router())
        .merge(Router::new().route("/readyz", get(readyz)).with_state(verifier.clone()))
        .with_state(events)
}

/// Anyone: no `Caller` among the arguments.
async fn list(State(events): State<Events>) -> Result<Json<Vec<Event>>, Problem> {
    Ok(Json(events.list().await?))
}

/// Any signed-in user. The owner is who the token says, whatever the body says.
async fn add(
    me: Caller,
    State(events): State<Events>,
    body: Result<Json<NewEvent>, JsonRejection>,
) -> Result<(StatusCode, Json<Event>), Problem> {
    let Json(event) = body?;
    event.check()?;

    let event = events.insert(me.sub().to_owned(), event).await?;

    Ok((StatusCode::CREATED, Json(event)))
}

/// Whether good tokens pass, for whoever sends requests here.
async fn readyz(State(verifier): State<Verifier>) -> (StatusCode, Json<Value>) {
    match verifier.status().is_ready {
        true => (StatusCode::OK, Json(json!({ "status": "ok" }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable" }))),
    }
}

async fn items(me: Caller) -> Json<Value> {
    Json(json!({ "user_id": me.sub(), "items": ["Foo", "Bar", "Baz"] }))
}

async fn protected(_: Caller) -> Json<Value> {
    Json(json!({ "message": "Protected route" }))
}

async fn stats(_: Caller<Admin>, State(events): State<Events>) -> Result<Json<Value>, Problem> {
    let count = events.count().await?;
    Ok(Json(json!({ "data": format!("{count} events") })))
}
