//! What cargo built, by its own account (`--message-format json`). It must not guess at the names
//! of files below `target/`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs a build and tells what programs came of it, each with the package that it is of. Nothing,
/// when the build failed.
pub(crate) fn executables(cargo: &mut Command) -> Option<Vec<(String, PathBuf)>> {
    let mut child = match cargo.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("cargo did not start: {error}");
            return None;
        }
    };
    let mut found = Vec::new();
    let lines = child.stdout.take().map(BufReader::new);
    for line in lines.into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        found.extend(executable(&message));
    }
    child.wait().ok()?.success().then_some(found)
}

fn executable(message: &Value) -> Option<(String, PathBuf)> {
    let program = message.get("executable")?.as_str()?;
    let manifest = PathBuf::from(message.get("manifest_path")?.as_str()?);
    let package = manifest.parent()?.file_name()?.to_string_lossy().into_owned();
    let target = message.get("target")?;
    let kind = target.get("kind")?.get(0)?.as_str()?;
    // `server/it` and `server/lib` are two test programs of one crate.
    let name = if kind == "lib" { "lib" } else { target.get("name")?.as_str()? };
    Some((format!("{package}/{name}"), PathBuf::from(program)))
}
