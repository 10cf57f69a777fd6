//! `GET /api/v1/admin/stats`: figures about the whole server (seed S6: 401, 403, 200).

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_store::users;
use serde_json::json;

use crate::app::App;
use crate::builtin::STATS_READ;
use crate::extract::caller::Admin;
use crate::reply;
use crate::reply::problem::Problem;

/// Counts what there is.
pub async fn stats(State(app): State<App>, admin: Admin) -> Result<Response, Problem> {
    let counted = admin.read(&app, STATS_READ, users::count);
    let users = counted.await?;

    let snapshot = app.snapshot();
    let statistics = app.store.statistics();
    let stats = json!({
        "users": users,
        "clients": snapshot.clients.len(),
        "apis": snapshot.apis.len(),
        "roles": snapshot.roles.len(),
        "store": {
            "backend": app.store.backend(),
            "writes": statistics.writes,
            "commits": statistics.commits,
            "retries": statistics.retries,
        },
    });
    Ok(reply::json(StatusCode::OK, &stats))
}
