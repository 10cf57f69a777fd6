//! What exists in `munjigi dev` alone.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::extract::json::{FromMembers, Json, Members};
use crate::reply;
use crate::reply::problem::Problem;

/// `GET /`: the documentation, where everything can be tried.
pub async fn home(State(app): State<App>) -> Response {
    Redirect::to(&format!("{}/docs", app.config.issuer)).into_response()
}

/// The body of a journey in time.
pub struct ClockMove {
    seconds: i64,
}

impl FromMembers for ClockMove {
    fn read(members: &mut Members) -> Option<Self> {
        let year = 366 * 86_400;
        let seconds = members.number("advance_seconds", -year, year)?;
        if seconds.is_none() {
            members.note("advance_seconds", "missing", "is missing");
        }
        Some(Self { seconds: seconds? })
    }
}

/// `POST /dev/clock`: moves this server's clock, so that tests need not wait for something to
/// expire. The process forgets it when it ends.
pub async fn move_clock(
    State(app): State<App>,
    Json(body): Json<ClockMove>,
) -> Result<Response, Problem> {
    app.clock.advance(body.seconds.saturating_mul(1_000));
    app.reload().await?;
    let now = crate::accounts::rfc3339(app.clock.now());
    Ok(reply::json(StatusCode::OK, &json!({ "now": now })))
}
