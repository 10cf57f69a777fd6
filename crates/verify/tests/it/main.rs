//! The verifier as a resource server meets it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests"
)]

mod bombs;
mod cache;
mod dpop;
mod extractors;
mod feed_server;
mod following;
mod issuer_server;
mod production;
mod remote;
mod replies;
mod resource_metadata;
mod tokens;
mod vectors;
