//! What exists in `munjigi dev` alone.

pub mod mail;
pub mod walk;

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::extract::json::{FromMembers, Json, Members};
use crate::reply;
use crate::reply::problem::Problem;

/// The body of a journey in time.
pub struct ClockMove {
    by: Duration,
}

impl FromMembers for ClockMove {
    fn read(members: &mut Members) -> Option<Self> {
        let seconds = members.number("advance_seconds", 0, 366 * 86_400)?;
        let Some(seconds) = seconds.and_then(|it| u64::try_from(it).ok()) else {
            members.note("advance_seconds", "missing", "is missing");
            return None;
        };
        Some(Self { by: Duration::from_secs(seconds) })
    }
}

/// `POST /dev/clock`: moves this server's clock forward, so that tests need not wait for something
/// to expire. The process forgets it when it ends.
pub async fn move_clock(
    State(app): State<App>,
    Json(body): Json<ClockMove>,
) -> Result<Response, Problem> {
    app.clock.advance(body.by);
    app.reload().await?;
    let now = crate::accounts::rfc3339(app.clock.now());
    Ok(reply::json(StatusCode::OK, &json!({ "now": now })))
}
