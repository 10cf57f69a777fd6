//! The schema, step by step: one forward-only set for both databases. A step, once released, is
//! never changed. Expand first, contract a version later, so that version N−1 keeps working: a
//! release brings one step at most.

use crate::migrate::Migration;

/// Every step, in order. The number is the version of the schema.
pub(crate) const ALL: &[Migration] = &[
    Migration { id: 1, name: "first", sql: include_str!("0001_first.sql") },
    Migration { id: 2, name: "openid", sql: include_str!("0002_openid.sql") },
    Migration { id: 3, name: "audit_log", sql: include_str!("0003_audit_log.sql") },
    Migration { id: 4, name: "proof", sql: include_str!("0004_proof.sql") },
];
