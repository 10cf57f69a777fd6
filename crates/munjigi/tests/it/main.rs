//! The binary as people and programs use it: real processes, real files, real sockets of this
//! machine. Each test has a directory of its own, and no environment but what it says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests"
)]

mod audit;
mod canaries;
mod clients;
mod configuration;
mod dev;
mod disk;
mod keys;
mod outage;
mod people;
mod planted;
mod postgres;
mod reference;
mod registry;
mod role;
mod sandbox;
mod serve;
mod shell;
mod tokens;
mod trail;
