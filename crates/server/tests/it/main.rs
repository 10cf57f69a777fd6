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
mod addresses;
mod admin;
mod admin_sessions;
mod anchors;
mod api_secrets;
mod attack_kit;
mod audit_complete;
mod audit_keys;
mod audit_tiles;
mod bad_input;
mod cast;
mod code_flow;
mod cross_origin;
mod dev_walk;
mod device;
mod documents;
mod edges;
mod email_change;
mod epochs;
mod faults;
mod forged;
mod forward_auth;
mod guesses;
mod harness;
mod hashing;
mod introspection;
mod known_device;
mod mailed_links;
mod metadata;
mod metrics;
mod openapi;
mod openid;
mod openid_modules;
mod outbox;
mod possession;
mod pre_registration;
mod private_key_jwt;
mod pushed;
mod refresh;
mod registration;
mod restored_trail;
mod restores;
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
mod signing_keys;
mod signing_up;
mod smtp;
mod story;
mod strangers;
mod token;
mod trail;
mod visitor;
mod withdrawn_keys;
