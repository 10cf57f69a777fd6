//! The project's own chores: `tidy` holds the written rules, `suite` runs everything,
//! `fuzz` looks for what nobody thought of, `planted` puts errors in that the tests have to notice.
//! It must not know anything that a user of Munjigi needs.

#![expect(clippy::print_stdout, reason = "a command speaks on standard output")]

mod built;
mod clock;
pub mod fuzz;
pub mod planted;
pub mod suite;
pub mod tidy;

use std::path::{Path, PathBuf};

/// The top of the repository: the folder above this crate.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
