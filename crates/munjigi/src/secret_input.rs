//! Secrets that come in: from a prompt, standard input or a file, never from an argument, which
//! every process of the machine could read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use munjigi_core::account::Password;
use munjigi_core::secret::Secret;

use crate::stop::{Code, Stop};

/// The most that is read of a password, in bytes.
const MAX_PASSWORD: usize = 4 * 1024;

/// Where a password comes from. On a terminal it is asked for.
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// Read the password from standard input; one line break at its end is not part of it
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,

    /// Read the password from a file; one line break at its end is not part of it
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password that somebody chooses. What cannot be one is refused with the reason.
    pub fn read(&self) -> Result<Password, Stop> {
        let text = match &self.password_file {
            Some(path) => read_file(path, MAX_PASSWORD)?,
            None if self.password_stdin => read_all(io::stdin(), "standard input", MAX_PASSWORD)?,
            None if io::stdin().is_terminal() => prompt()?,
            None => {
                let how = "--password-stdin or --password-file FILE";
                return Err(Stop::usage(format!("where is the password? Say {how}")));
            }
        };
        Password::parse(text).map_err(|error| Stop::new(Code::CheckFailed, error.to_string()))
    }
}

fn prompt() -> Result<String, Stop> {
    let ask = |question| {
        rpassword::prompt_password(question).map_err(|error| Stop::file("terminal", &error))
    };
    let (first, second) = (ask("Password: ")?, Secret::new(ask("The same again: ")?));
    if first != second.reveal() {
        return Err(Stop::usage("the two are not the same"));
    }
    Ok(first)
}

/// A secret of a file, or of standard input for `-`.
pub fn read_secret(path: &Path, most: usize) -> Result<Secret, Stop> {
    let text = if path == Path::new("-") {
        read_all(io::stdin(), "standard input", most)
    } else {
        read_file(path, most)
    };
    text.map(Secret::new)
}

fn read_file(path: &Path, most: usize) -> Result<String, Stop> {
    let what = path.display().to_string();
    let file = File::open(path).map_err(|error| Stop::file(&what, &error))?;
    read_all(file, &what, most)
}

/// Everything up to `most` bytes, in one allocation, so that growing leaves no copy behind; without
/// the line break at its end.
fn read_all(from: impl Read, what: &str, most: usize) -> Result<String, Stop> {
    let mut text = String::with_capacity(most.saturating_add(1));
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    from.take(bound).read_to_string(&mut text).map_err(|error| Stop::file(what, &error))?;
    if text.len() > most {
        return Err(Stop::new(Code::CheckFailed, format!("{what}: longer than {most} bytes")));
    }
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(text)
}

/// Asks before something that cannot be undone. Without a terminal the command itself is meant.
pub fn confirm(question: &str, yes: bool) -> Result<(), Stop> {
    if yes || !io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("{question} Type `yes`: ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Stop::file("terminal", &error))?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Stop::new(Code::Failed, "nothing was done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        read_all(text.as_bytes(), "test", 8).ok()
    }

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_a_secret() {
        assert_eq!(read("secret").as_deref(), Some("secret"));
        assert_eq!(read("secret\n").as_deref(), Some("secret"));
        assert_eq!(read("secret\r\n").as_deref(), Some("secret"));
        assert_eq!(read(" a \n\n").as_deref(), Some(" a \n"));
    }

    #[test]
    fn no_more_is_read_than_fits() {
        assert_eq!(read("12345678").as_deref(), Some("12345678"));
        assert_eq!(read("123456789"), None);
    }
}
