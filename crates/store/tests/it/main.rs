//! The store's contract: every rule of the executor and of the tables, on SQLite and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "tests"
)]

mod api_secrets;
mod apis;
mod audit;
mod batch;
mod clients;
mod codes;
mod consents;
mod counters;
mod devices;
mod durability;
mod executor;
mod grants;
mod isolation;
mod keys;
mod links;
mod nodes;
mod opening;
mod outbox;
mod passwords;
mod pushed_requests;
mod races;
mod registration_tokens;
mod replays;
mod revocations;
mod roles;
mod sample;
mod sessions;
mod settings;
mod statements;
mod throttles;
mod users;
