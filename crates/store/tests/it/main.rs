//! The store's contract: every rule of the executor and of the tables, on SQLite and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "tests"
)]

mod apis;
mod audit;
mod batch;
mod clients;
mod counters;
mod durability;
mod executor;
mod grants;
mod isolation;
mod keys;
mod opening;
mod outbox;
mod passwords;
mod races;
mod revocations;
mod roles;
mod sample;
mod sessions;
mod settings;
mod statements;
mod throttles;
mod users;
