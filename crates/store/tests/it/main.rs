//! The store's contract: every rule of the executor and of the tables, on SQLite and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "tests"
)]

mod durability;
mod executor;
mod opening;
mod race;
mod statements;
