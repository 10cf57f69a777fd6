//! A file beside the database that says which one it was and how far it had come. It is not part of
//! a backup of the database; and if it is copied along, it is another file, which is noticed.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::sql::error::StoreError;

/// What stands beside a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The name of the database that it is about.
    pub identity: String,
    /// The number that only grows, as it was seen last.
    pub beat: i64,
}

/// The file beside this one.
fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-epoch");
    PathBuf::from(name)
}

/// What stands there; nothing if it is missing, or was copied from elsewhere.
pub(super) fn read(database: &Path) -> Option<Beside> {
    // Opened once: a server that runs may put another file in its place at any moment.
    let mut file = File::open(path_of(database)).ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let mut words = text.split_whitespace();
    let (version, identity) = (words.next()?, words.next()?.to_owned());
    let (beat, number) = (words.next()?.parse().ok()?, words.next()?);
    let is_ours = version == "1" && number == number_of(&file).ok()?;
    is_ours.then_some(Beside { identity, beat })
}

/// Writes it so that it is there as a whole or not at all, and survives a power loss.
pub(super) fn write(database: &Path, beside: &Beside) -> Result<(), StoreError> {
    let path = path_of(database);
    write_to(&path, beside).map_err(|error| {
        StoreError::Unavailable(format!("cannot write {}: {error}", path.display()))
    })
}

fn write_to(path: &Path, beside: &Beside) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    // The file that is renamed keeps its number; a copy of it has another one.
    let number = number_of(&file)?;
    writeln!(file, "1 {} {} {number}", beside.identity, beside.beat)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(unix)]
fn number_of(file: &File) -> std::io::Result<String> {
    Ok(std::os::unix::fs::MetadataExt::ino(&file.metadata()?).to_string())
}

#[cfg(not(unix))]
fn number_of(_: &File) -> std::io::Result<String> {
    Ok("-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_a_database_is_read_back_and_a_copy_of_it_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("m.db");
        assert_eq!(read(&database), None);
        for beat in [1, 2] {
            let beside = Beside { identity: "file:ab".to_owned(), beat };
            write(&database, &beside).unwrap();
            assert_eq!(read(&database), Some(beside));
        }
        let (file, copy) = (path_of(&database), directory.path().join("copy"));
        fs::copy(&file, &copy).unwrap();
        fs::rename(&copy, &file).unwrap();
        assert_eq!(read(&database), None);
        fs::write(&file, "1 file:ab x").unwrap();
        assert_eq!(read(&database), None);
    }
}
