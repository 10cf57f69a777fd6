//! Munjigi's storage: serializable closures over SQLite and PostgreSQL, one module per table. The
//! only crate that knows SQL; it decides nothing.
//!
//! A table module holds functions over [`Tx`] and [`ReadTx`]; who calls them says what the audit
//! trail is told ([`Committed`]). One SQL text serves both databases: `$n` parameters by number,
//! `ON CONFLICT`, `RETURNING`, row-value pages, partial indexes, `IS NOT DISTINCT FROM`, `CAST`.

mod clock;
mod columns;
mod migrate;
mod migrations;
mod sql;
#[cfg(feature = "testing")]
pub mod testing;

pub mod api_secrets;
pub mod apis;
pub mod audit;
pub mod audit_log;
pub mod clients;
pub mod codes;
pub mod consents;
pub mod counters;
pub mod devices;
pub mod epochs;
pub mod grants;
pub mod keys;
pub mod links;
pub mod outbox;
pub mod page;
pub mod passwords;
pub mod pushed_requests;
pub mod registration_tokens;
pub mod replays;
pub mod revocations;
pub mod roles;
pub mod sessions;
pub mod settings;
pub mod throttles;
pub mod users;

pub use sql::{
    Audit, Beside, Committed, DatabaseUrl, DatabaseUrlError, FromValue, ReadTx, Result, Row,
    Standing, Statistics, Store, StoreError, StoreOptions, ToValue, Tx, Value,
};
