//! `/api/v1/audit/…`: the audit trail as C2SP tlog-tiles lays it out, for whoever may see what
//! happened: the entries name people and clients by their ids, and networks. What can be erased is
//! not among them. No more is given out than was signed.

use axum::extract::State;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use munjigi_audit::{Tile, WIDTH};
use munjigi_store::audit_log::{self, StoredCheckpoint};
use munjigi_store::{ReadTx, StoreError};

use crate::app::App;
use crate::builtin::AUDIT_READ;
use crate::extract::caller::Admin;
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::failure::Failure;
use crate::operate::audit::introductions;
use crate::reply::problem::Problem;
use crate::reply::raw;

const TEXT: &str = "text/plain; charset=utf-8";
const LINES: &str = "application/x-ndjson";
const BYTES: &str = "application/octet-stream";
/// tlog-tiles: what a tile holds at a width, it holds for ever. For the caller's own cache alone.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// `GET /api/v1/audit/checkpoint`.
pub async fn checkpoint(
    State(app): State<App>,
    admin: Admin,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;

    let newest = admin.read(&app, AUDIT_READ, audit_log::last_checkpoint).await?;

    let newest = newest.ok_or_else(|| not_there("no checkpoint was signed yet"))?;
    Ok(raw(StatusCode::OK, TEXT, newest.note.into()))
}

/// `GET /api/v1/audit/keys.ndjson`: the checkpoints that introduced the keys after the first.
pub async fn keys(State(app): State<App>, admin: Admin, query: Query) -> Result<Response, Problem> {
    query.finish()?;

    let keys = admin.read(&app, AUDIT_READ, audit_log::keys).await?;

    Ok(raw(StatusCode::OK, LINES, introductions(&keys).into()))
}

/// `GET /api/v1/audit/tile/…`: the hashes of a tile, or a bundle of entries.
pub async fn tile(
    State(app): State<App>,
    admin: Admin,
    Path(path): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let wanted = Tile::parse(&format!("tile/{path}"));
    let wanted = wanted.ok_or_else(|| not_there("no tile is called so"))?;

    let found = admin.read(&app, AUDIT_READ, move |tx| {
        let signed = audit_log::last_checkpoint(tx)?;
        match signed.as_ref().is_some_and(|signed| reaches(signed, wanted)) {
            true => bytes_of(tx, wanted).map(Some),
            false => Ok(None),
        }
    });

    let bytes = found.await?.ok_or_else(|| not_there("the trail does not reach there yet"))?;
    // What was signed is all there, or something is wrong with it.
    let bytes = bytes.ok_or(Failure::Damaged("a tile of the audit trail"))?;
    let mut response = raw(StatusCode::OK, BYTES, bytes.into());
    response.headers_mut().insert(CACHE_CONTROL, FOR_EVER);
    Ok(response)
}

fn not_there(why: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", why)
}

/// Whether so much of a tile was signed.
fn reaches(signed: &StoredCheckpoint, wanted: Tile) -> bool {
    let size = u64::try_from(signed.size).unwrap_or(0);
    let there = Tile::of(size, wanted.level, wanted.index);
    there.is_some_and(|there| wanted.width <= there.width)
}

/// The file of a tile; nothing when a part of it is missing.
fn bytes_of(tx: &mut ReadTx<'_>, wanted: Tile) -> Result<Option<Vec<u8>>, StoreError> {
    let Tile { level, index, width } = wanted;
    let wide = usize::try_from(width.min(WIDTH)).unwrap_or(0);
    let Some(level) = level else {
        let first = i64::try_from(wanted.first_entry()).unwrap_or(i64::MAX);
        let entries = audit_log::entries(tx, first, u32::try_from(width).unwrap_or(0))?;
        let is_whole = entries.len() == wide;
        let bundle = munjigi_audit::write_bundle(entries.iter().map(String::as_bytes));
        return Ok(bundle.ok().filter(|_| is_whole));
    };
    let found = audit_log::tile(tx, i64::from(level), i64::try_from(index).unwrap_or(i64::MAX))?;
    let hashes = found.map(|tile| tile.hashes).unwrap_or_default();
    Ok(hashes.get(..wide.saturating_mul(32)).map(<[u8]>::to_vec))
}
