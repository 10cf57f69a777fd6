//! The one place that reads the environment.

use std::collections::BTreeMap;

/// The variables that begin with `MUNJIGI_`. What is not UTF-8 is no value of ours.
pub fn read() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("MUNJIGI_"))
        .collect()
}
