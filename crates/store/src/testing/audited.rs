//! Whether every change that a database holds has its event in the audit trail.

use std::collections::BTreeSet;

use munjigi_core::audit::Kind;
use munjigi_core::id::{GrantId, SessionId};
use munjigi_core::time::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{Audit, Committed, ReadTx, Result, Store, Tx, params};

/// What the trail says of sessions (`sid`) and grants (`gid`): kind, member and id.
type Said = BTreeSet<(String, &'static str, String)>;

/// Says, one sentence each, which sessions, grants and codes have no event that tells of what
/// happened to them, and which events tell of a grant that never was.
pub async fn unaudited(store: &Store) -> Result<Vec<String>> {
    store.read(|tx: &mut ReadTx<'_>| look(tx)).await
}

fn look(tx: &mut ReadTx<'_>) -> Result<Vec<String>> {
    let mut said = Said::new();
    for mut row in tx.rows("SELECT kind, detail FROM audit", Vec::new())? {
        let (kind, detail): (String, Map<String, Json>) = (row.take(0)?, row.take(1)?);
        for name in ["sid", "gid"] {
            if let Some(Json::String(id)) = detail.get(name) {
                said.insert((kind.clone(), name, id.clone()));
            }
        }
    }
    let tells = |kinds: &[Kind], name: &'static str, id: &str| {
        let tells = |kind: &Kind| said.contains(&(kind.as_str().to_owned(), name, id.to_owned()));
        kinds.iter().any(tells)
    };

    let mut missing = Vec::new();
    let mut grants = BTreeSet::new();
    for mut row in tx.rows("SELECT id FROM session", Vec::new())? {
        let id: SessionId = row.take(0)?;
        if !tells(&[Kind::SignedIn], "sid", &id.to_string()) {
            missing.push(format!("no event tells that session {id} began"));
        }
    }
    let revoked = "SELECT id, revoked_at FROM grant_";
    for mut row in tx.rows(revoked, Vec::new())? {
        let (id, revoked_at): (GrantId, Option<Timestamp>) = (row.take(0)?, row.take(1)?);
        let text = id.to_string();
        grants.insert(text.clone());
        if !tells(&[Kind::SignedIn, Kind::TokensIssued], "gid", &text) {
            missing.push(format!("no event tells that grant {id} began"));
        }
        let ends = [Kind::GrantRevoked, Kind::RefreshReused, Kind::CodeReused];
        if revoked_at.is_some() && !tells(&ends, "gid", &text) {
            missing.push(format!("no event tells that grant {id} ended"));
        }
    }
    for mut row in tx.rows("SELECT grant_id FROM code", Vec::new())? {
        let id: GrantId = row.take(0)?;
        if !tells(&[Kind::CodeIssued], "gid", &id.to_string()) {
            missing.push(format!("no event tells of the code for grant {id}"));
        }
    }
    let began = |kind: &str| kind == Kind::TokensIssued.as_str() || kind == Kind::SignedIn.as_str();
    for (kind, name, id) in &said {
        if began(kind) && *name == "gid" && !grants.contains(id) {
            missing.push(format!("an event tells of grant {id}, which is not there"));
        }
    }
    Ok(missing)
}

/// Deletes the newest events, as nothing of the product can: a checker has to notice.
pub async fn lose_events(store: &Store, count: u32) -> Result<()> {
    store
        .write(move |tx: &mut Tx<'_>| {
            tx.exec(
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id DESC LIMIT $1)",
                params![count],
            )?;
            Ok(Committed::new((), Audit::Routine("a test breaks the trail")))
        })
        .await
}
