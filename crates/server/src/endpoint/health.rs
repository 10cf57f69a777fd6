//! `/livez` and `/readyz`: whether to restart this node, and whether to send requests to it. They
//! reveal nothing else.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use munjigi_store::counters;
use serde_json::json;

use crate::app::App;
use crate::reply::{json, raw};

/// How long the database may take to answer.
const BUDGET: Duration = Duration::from_secs(1);

/// `GET /livez`: the process answers.
pub async fn livez() -> Response {
    raw(StatusCode::OK, "application/json", Bytes::from_static(br#"{"status":"ok"}"#))
}

/// `GET /readyz`: the database answers and there are keys to sign with.
pub async fn readyz(State(app): State<App>) -> Response {
    if app.leaving.is_leaving() {
        // First of all, so that whoever sends requests here sends them elsewhere while all of them
        // are still answered.
        return json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "leaving"}));
    }
    let asked = tokio::time::timeout(BUDGET, app.store.read(counters::reference_version)).await;
    match asked {
        Ok(Ok(_)) => json(StatusCode::OK, &json!({"status": "ok"})),
        Ok(Err(_)) | Err(_) => {
            json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable"}))
        }
    }
}
