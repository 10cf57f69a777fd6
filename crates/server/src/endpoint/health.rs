//! `/livez` and `/readyz`: whether to restart this node, and whether to send requests to it. They
//! reveal nothing else.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::readiness::{Reason, reasons};
use crate::reply::{json, raw};

/// `GET /livez`: the process answers. It asks nobody: a database that is away is no reason to
/// restart what waits for it.
pub async fn livez() -> Response {
    raw(StatusCode::OK, "application/json", Bytes::from_static(br#"{"status":"ok"}"#))
}

/// `GET /readyz`: the database answers, there are keys to sign with, and the node is not about to
/// stop; or the words for what is not so.
pub async fn readyz(State(app): State<App>) -> Response {
    let against: Vec<_> = reasons(&app).await.into_iter().map(Reason::as_str).collect();
    if against.is_empty() {
        return json(StatusCode::OK, &json!({"status": "ok"}));
    }
    let body = json!({"status": "unavailable", "reasons": against});
    json(StatusCode::SERVICE_UNAVAILABLE, &body)
}
