//! The server's tests: the real router, real databases, no network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    reason = "tests"
)]

mod account_deletion;
mod account_pages;
mod accounts;
mod admin;
mod bad_input;
mod cast;
mod code_flow;
mod cross_origin;
mod dev_walk;
mod device;
mod documents;
mod email_change;
mod faults;
mod forged;
mod harness;
mod introspection;
mod known_device;
mod mailed_links;
mod metadata;
mod openapi;
mod openid;
mod openid_modules;
mod outbox;
mod possession;
mod private_key_jwt;
mod pushed;
mod refresh;
mod registration;
mod review;
mod revocations;
mod role_ends;
mod route_table;
mod select_account;
mod sequencer;
mod serve;
mod session_limit;
mod sign_out;
mod signing;
mod signing_up;
mod smtp;
mod story;
mod token;
mod trail;
mod visitor;
