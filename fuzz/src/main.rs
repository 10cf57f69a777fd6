//! The targets under libFuzzer: `cargo xtask fuzz` builds and runs it, with the target's name in
//! `MUNJIGI_FUZZ_TARGET`. One program for all of them, because each link takes its time.

#![no_main]

use std::sync::LazyLock;

use munjigi_fuzz::{Target, target};

#[expect(clippy::disallowed_methods, reason = "libFuzzer reads the arguments itself")]
static CHOSEN: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("MUNJIGI_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("MUNJIGI_FUZZ_TARGET names no target: {name:?}"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (CHOSEN.run)(bytes));
