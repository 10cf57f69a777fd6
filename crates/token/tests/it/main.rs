//! What a signed token is and is not: attacks, other people's vectors, other people's verifiers.
//! It must not use the network or the clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

mod attacks;
mod corpus;
mod differential;
mod errors;
mod forge;
mod keys;
mod limits;
mod outside;
mod peers;
mod properties;
mod vectors;
mod wycheproof;
