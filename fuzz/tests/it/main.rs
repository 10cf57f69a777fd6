//! What `cargo test` fuzzes: every input of the corpora, and some thousands of mutations of them,
//! without an engine. The long runs are those of `cargo xtask fuzz`.

mod replay;
