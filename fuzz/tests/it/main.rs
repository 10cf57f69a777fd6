//! What `cargo test` fuzzes: every input of the corpora, and some thousands of mutations of them,
//! without an engine. The long runs are those of `cargo xtask fuzz`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod replay;
