//! Errors that are put in on purpose, so that it can be seen that the tests notice them. `cargo
//! xtask planted` builds with `--cfg planted` and names one of them in `MUNJIGI_PLANTED`; in every
//! other build neither the calls nor the names are there. Nothing that is right may stand here.

/// Where an error is put in. `planted!("name", wrong)` does what is wrong and goes on, or returns;
/// `planted!("name" => wrong, right)` is the wrong value, or the right one in every other build.
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:literal => $wrong:expr, $right:expr) => {{
        #[cfg(planted)]
        let value = if $crate::planted::is($name) { $wrong } else { $right };
        #[cfg(not(planted))]
        let value = $right;
        value
    }};
    ($name:literal, $wrong:expr) => {
        #[cfg(planted)]
        if $crate::planted::is($name) {
            $wrong;
        }
    };
}

/// Whether this is the error that was chosen for this run.
#[cfg(planted)]
#[doc(hidden)]
#[expect(clippy::disallowed_methods, reason = "one build serves every error; nobody ships it")]
pub fn is(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("MUNJIGI_PLANTED").ok());
    CHOSEN.as_deref() == Some(name)
}
