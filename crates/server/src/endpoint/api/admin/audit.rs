//! `GET /api/v1/admin/audit`: what happened, the newest first. It must not change anything: the
//! trail is only ever added to.

use std::net::IpAddr;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::audit::{Kind, Outcome};
use munjigi_core::id::{ClientId, UserId};
use munjigi_core::time::Timestamp;
use munjigi_store::audit::{self, AuditFilter};

use super::{page, shown};
use crate::accounts::parse_rfc3339;
use crate::app::App;
use crate::builtin::AUDIT_READ;
use crate::extract::caller::Admin;
use crate::extract::query::Query;
use crate::operate::audit::show_event;
use crate::reply::json;
use crate::reply::problem::Problem;

/// `GET /admin/audit?after=&limit=&actor=&subject=&client=&kind=&outcome=&address=&since=&until=`.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = page(&mut query)?;
    let filter = filter(&mut query)?;
    query.finish()?;

    let (app_in, searches) = (app.clone(), app.searches.clone());
    let listed = searches.run(async move {
        admin.read(&app_in, AUDIT_READ, move |tx| audit::list(tx, &page, &filter)).await
    });

    Ok(json(StatusCode::OK, &shown(listed.await??, |event| show_event(&event))))
}

fn filter(query: &mut Query) -> Result<AuditFilter, Problem> {
    let actor = |text: &str| {
        // An id of somebody, or of a client: no other text can be found.
        let is_id = text.parse::<UserId>().is_ok() || text.parse::<ClientId>().is_ok();
        is_id.then(|| text.to_owned()).ok_or("is the id of a person or of a client")
    };
    let outcome = |text: &str| {
        let mut all = [Outcome::Succeeded, Outcome::Refused].into_iter();
        all.find(|one| one.as_str() == text).ok_or("is `succeeded` or `refused`")
    };
    Ok(AuditFilter {
        actor_id: query.parsed("actor", actor)?,
        subject: query.parsed("subject", str::parse::<UserId>)?,
        client_id: query.parsed("client", str::parse::<ClientId>)?,
        kind: query.parsed("kind", str::parse::<Kind>)?,
        outcome: query.parsed("outcome", outcome)?,
        address: query.parsed("address", |text| {
            text.parse::<IpAddr>().map_err(|_| "is an address, such as `203.0.113.9`")
        })?,
        since: query.parsed("since", moment)?,
        until: query.parsed("until", moment)?,
    })
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    parse_rfc3339(text).ok_or("is a time, such as `2026-08-01T00:00:00Z`")
}
