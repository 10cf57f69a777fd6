//! Tests of the chores: each rule of tidy catches its violation, the repository is tidy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests"
)]

mod planted;
mod planted_bugs;
mod repository;
