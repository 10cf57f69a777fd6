//! Uses the real programs as people do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod audit;
mod clients;
mod contention;
mod crash;
mod drain;
mod flood;
mod forward_auth;
mod modes;
mod nodes;
mod openid;
mod places;
mod revocation;
mod rotation;
mod storm;
mod story;
mod timings;
mod tls;
