//! Tests of the log and of the program that doubts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests"
)]

mod campaign;
mod program;
mod properties;
mod sample;
mod vectors;
mod verdicts;
