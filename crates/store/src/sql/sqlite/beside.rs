//! A file beside the database that says which one it was and how far it had come. It is not part of
//! a backup of the database; and if it is copied along, it is another file, which is noticed: it
//! holds its own number on the file system and the moment at which it was made. A number alone is
//! not enough, since it is given again, and a file that is overwritten keeps it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::sql::error::StoreError;

/// What stands beside a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The name of the database that it is about.
    pub identity: String,
    /// The number that only grows, as it was seen last.
    pub beat: i64,
}

/// The version of what is written. That of the first had only the number of the file.
const VERSION: &str = "2";
/// Where nobody tells when a file was made: how long after that it may have changed for the last
/// time, in nanoseconds. It is written, flushed and renamed in this time.
const SETTLED: u128 = 60 * 1_000_000_000;

/// What a file system says of a file, and no copy of it can carry along.
#[derive(Clone, Copy, Debug)]
struct Facts {
    number: u64,
    /// When it was made, in nanoseconds; not every file system knows.
    made: Option<u128>,
    /// When anything of it was changed last, its name and owner among it. Nobody can set that.
    changed: u128,
}

impl Facts {
    fn of(about: &Metadata) -> Self {
        let made = about.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let made = made.map(|since| since.as_nanos()).filter(|made| *made != 0);
        Self { number: number_of(about), made, changed: changed(about) }
    }

    /// What is written into a new file.
    fn mark(&self) -> String {
        match self.made {
            Some(made) => format!("{}:{made}", self.number),
            None => format!("{}:~{}", self.number, self.changed),
        }
    }

    /// Whether this is the file into which that was written.
    fn fit(&self, mark: &str) -> bool {
        let Some((number, at)) = mark.split_once(':') else { return false };
        let is_as_new = match at.strip_prefix('~') {
            None => self.made.is_some_and(|made| at == made.to_string()),
            Some(at) => at.parse().is_ok_and(|at| self.changed <= SETTLED.saturating_add(at)),
        };
        is_as_new && number == self.number.to_string()
    }
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
    let (beat, mark) = (words.next()?.parse().ok()?, words.next()?);
    let is_ours = version == VERSION && Facts::of(&file.metadata().ok()?).fit(mark);
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
    // One that is left over from a server that was killed was made at another time.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    // The file that is renamed stays what it is; a copy of it is another one.
    let mark = Facts::of(&file.metadata()?).mark();
    writeln!(file, "{VERSION} {} {} {mark}", beside.identity, beside.beat)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(unix)]
fn number_of(about: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
fn number_of(_: &Metadata) -> u64 {
    0
}

#[cfg(unix)]
fn changed(about: &Metadata) -> u128 {
    use std::os::unix::fs::MetadataExt;

    let seconds = u128::try_from(about.ctime()).unwrap_or_default();
    let rest = u128::try_from(about.ctime_nsec()).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Nobody tells, so that what is not known by when it was made is another file.
#[cfg(not(unix))]
fn changed(_: &Metadata) -> u128 {
    u128::MAX
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
        for damaged in ["2 file:ab x", "2 file:ab 1", "2 file:ab 1 x", "", "1 file:ab 1 7"] {
            fs::write(&file, damaged).unwrap();
            assert_eq!(read(&database), None, "{damaged}");
        }
    }

    /// Numbers are given again, by turns, and who writes into a file leaves it its number.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "two files are to be made at two times")]
    fn an_older_one_that_is_put_back_is_another_file_however_often_it_was_written_since() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("m.db");
        let (file, backup) = (path_of(&database), directory.path().join("backup"));
        for beats in 1..=12 {
            for is_in_place in [true, false] {
                let beside = |beat| Beside { identity: "file:ab".to_owned(), beat };
                write(&database, &beside(0)).unwrap();
                fs::copy(&file, &backup).unwrap();
                for beat in 1..=beats {
                    // A clock of a file system may tick a hundred times a second.
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    write(&database, &beside(beat)).unwrap();
                }
                assert_eq!(read(&database), Some(beside(beats)));
                if !is_in_place {
                    fs::remove_file(&file).unwrap();
                }
                fs::copy(&backup, &file).unwrap();
                assert_eq!(read(&database), None, "{beats}, in place: {is_in_place}");
            }
        }
    }

    #[test]
    fn where_nobody_tells_when_a_file_was_made_its_last_change_tells() {
        let new = Facts { number: 7, made: None, changed: 5_000 };
        let (known, mark) = (Facts { made: Some(5_000), ..new }, new.mark());
        assert!(known.fit(&known.mark()) && new.fit(&mark));
        let renamed = Facts { changed: 5_000 + SETTLED, ..new };
        assert!(renamed.fit(&mark));
        for copy in [
            Facts { number: 8, ..new },
            Facts { changed: 5_001 + SETTLED, ..new },
            Facts { changed: u128::MAX, ..new },
        ] {
            assert!(!copy.fit(&mark), "{copy:?}");
        }
        // What a file system told once, it tells.
        assert!(!new.fit(&known.mark()));
        assert!(!Facts { made: Some(5_001), ..known }.fit(&known.mark()));
    }
}
