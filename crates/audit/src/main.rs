//! `munjigi-audit`: verifies an audit trail, exported or as a server gives it out, without any of
//! the server in it. Small on purpose, so that whoever doubts a trail can read what says that it
//! holds.

mod monitor;
mod web;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use munjigi_audit::{
    Checkpoint, Directory, Error, Finding, Leaf, Log, Proof, Tile, Verified, VerifierKey,
    check_since, entry_at, hash_in_tile, inclusion, verify,
};
use web::{Access, Web};

const USAGE: &str = "\
munjigi-audit: verifies an audit trail without its server

  munjigi-audit verify --vkey KEY --log LOG [--since FILE]
      computes every hash anew; with a file of checkpoints that were kept (an anchor file, or
      one checkpoint), also that nothing before them was changed or taken back
  munjigi-audit monitor --vkey KEY --log LOG --state FILE [--every SECONDS | --once]
                        [--kinds KIND,KIND,...]
      looks again and again; what it sees has to go on from what it saw, which stands in FILE;
      prints each new event, or those of some kinds
  munjigi-audit prove --vkey KEY --log LOG (--index N | --event ID)
      writes a proof that one event is in the trail
  munjigi-audit check-proof --vkey KEY FILE
      checks such a proof and prints the event

KEY is the trail's verifier key, NAME+ID+KEY. Keep it, and a checkpoint now and then, in a place
that the server cannot reach: they are what a trail is measured by.
LOG is the directory that `munjigi audit export` wrote, or the server's URL
https://ISSUER/api/v1/audit with what lets one in there:
  --token-file FILE                  an access token, read again for each look, or
  --client ID --secret-file FILE     a client, which gets its tokens from the server
Exit codes: 0 it holds, 1 tampered, 2 incomplete, 3 forked or rolled back, 64 wrong usage, 69 it
could not be looked at: the server is away or lets nobody in, or there is no such directory or file.
";

/// Why it ends.
enum Stop {
    Usage(String),
    Found(Finding),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Found(finding)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}\n\n{USAGE}"),
            Self::Found(finding) => finding.fmt(f),
        }
    }
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(answer) => match io::stdout().lock().write_all(answer.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(74),
        },
        Err(stop) => {
            eprint!("munjigi-audit: {stop}");
            eprintln!();
            ExitCode::from(match stop {
                Stop::Usage(_) => 64,
                Stop::Found(finding) => finding.exit_code(),
            })
        }
    }
}

/// What the command line says: each option at most once.
#[derive(Default)]
struct Arguments {
    options: Vec<(String, String)>,
    file: Option<String>,
}

/// The options that are followed by a value.
const OPTIONS: [&str; 11] = [
    "--vkey",
    "--log",
    "--since",
    "--index",
    "--event",
    "--state",
    "--every",
    "--kinds",
    "--token-file",
    "--client",
    "--secret-file",
];

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Stop> {
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                if arguments.file.replace(word.clone()).is_some() {
                    return Err(Stop::Usage(format!("said twice: {word}")));
                }
                continue;
            }
            if arguments.find(&word).is_some() {
                return Err(Stop::Usage(format!("said twice: {word}")));
            }
            let value = match word.as_str() {
                "--once" => Some(String::new()),
                option if OPTIONS.contains(&option) => words.next(),
                option => return Err(Stop::Usage(format!("no such option: {option}"))),
            };
            let value = value.ok_or_else(|| Stop::Usage(format!("{word} needs a value")))?;
            arguments.options.push((word, value));
        }
        Ok(arguments)
    }

    fn find(&self, name: &str) -> Option<&str> {
        let mut all = self.options.iter();
        all.find(|(option, _)| option == name).map(|(_, value)| value.as_str())
    }

    fn needed(&self, name: &str) -> Result<&str, Stop> {
        self.find(name).ok_or_else(|| Stop::Usage(format!("{name} is missing")))
    }

    fn key(&self) -> Result<VerifierKey, Stop> {
        let wrong = |error: Error| Stop::Usage(format!("--vkey: {error}"));
        self.needed("--vkey")?.parse().map_err(wrong)
    }

    fn log(&self) -> Result<Box<dyn Log>, Stop> {
        let place = self.needed("--log")?;
        if !place.starts_with("http://") && !place.starts_with("https://") {
            if !Path::new(place).is_dir() {
                return Err(Finding::Unreadable(format!("{place} is no directory")).into());
            }
            return Ok(Box::new(Directory::new(place)));
        }
        let wrong = |what: String| Stop::Usage(format!("--log: {what}"));
        let access = match (self.find("--token-file"), self.find("--client")) {
            (Some(file), None) => Access::TokenFile(file.into()),
            (None, Some(id)) => {
                Access::Client { id: id.to_owned(), file: self.needed("--secret-file")?.into() }
            }
            (None, None) => Access::Nothing,
            (Some(_), Some(_)) => {
                return Err(wrong("one of --token-file and --client is enough".to_owned()));
            }
        };
        Ok(Box::new(Web::new(place, access).map_err(wrong)?))
    }
}

fn run(words: Vec<String>) -> Result<String, Stop> {
    let mut words = words.into_iter();
    let verb = words.next().unwrap_or_default();
    if ["help", "--help", "-h"].contains(&verb.as_str()) {
        return Ok(USAGE.to_owned());
    }
    if verb == "--version" {
        return Ok(format!("munjigi-audit {}\n", env!("CARGO_PKG_VERSION")));
    }
    let arguments = Arguments::parse(words)?;
    match verb.as_str() {
        "verify" => verified(&arguments),
        "monitor" => monitor::run(&arguments),
        "prove" => proved(&arguments),
        "check-proof" => checked(&arguments),
        "" => Err(Stop::Usage("what is to be done?".into())),
        other => Err(Stop::Usage(format!("no such command: {other}"))),
    }
}

fn verified(arguments: &Arguments) -> Result<String, Stop> {
    let (key, log) = (arguments.key()?, arguments.log()?);
    let holds = verify(&*log, &key)?;
    let since = match arguments.find("--since") {
        Some(path) => {
            let (kept, others) = kept(path, &holds)?;
            kept.iter().try_for_each(|old| check_since(&*log, &holds, old))?;
            since(&kept, others)
        }
        None => String::new(),
    };
    let Checkpoint { origin, size, .. } = &holds.checkpoint;
    let mut answer = format!(
        "ok: {origin}: {size} events{since}; personal data of {} is there, and as it was\n",
        holds.personal
    );
    if *holds.keys.last() != key {
        answer.push_str(&format!("keep from now on: --vkey '{}'\n", holds.keys.last()));
    }
    Ok(answer)
}

/// What was found in the file of checkpoints.
fn since(kept: &[Checkpoint], others: usize) -> String {
    let sizes = kept.iter().map(|old| old.size);
    let last = sizes.max().unwrap_or_default();
    let mut text = match kept.len() {
        1 => format!(", which goes on from the checkpoint of {last}"),
        more => format!(", which goes on from {more} checkpoints up to that of {last}"),
    };
    if others > 0 {
        text.push_str(&format!(" ({others} of other keys were not looked at)"));
    }
    text
}

/// The checkpoints that somebody kept.
fn kept(path: &str, holds: &Verified) -> Result<(Vec<Checkpoint>, usize), Stop> {
    let wrong = |what: String| Stop::Usage(format!("--since {path}: {what}"));
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    holds.keys.kept(&text).map_err(|error| wrong(error.to_string()))
}

fn proved(arguments: &Arguments) -> Result<String, Stop> {
    let (key, log) = (arguments.key()?, arguments.log()?);
    // Nothing is proved about a log that does not hold.
    let size = verify(&*log, &key)?.checkpoint.size;
    let index = match (arguments.find("--index"), arguments.find("--event")) {
        (Some(text), None) => text
            .parse()
            .map_err(|_| Stop::Usage(format!("--index {text}: a number is expected")))?,
        (None, Some(event)) => find(&*log, size, event)?,
        _ => return Err(Stop::Usage("one of --index and --event is needed".into())),
    };
    let entry = entry_at(&*log, size, index)?;
    let path = inclusion(index, size, |height, subtree| {
        hash_in_tile(height, subtree, |level, tile_index, _| {
            let tile = Tile::of(size, Some(level), tile_index).ok_or(Error::OutOfRange)?;
            log.hashes(tile)
        })
    })?;
    Ok(Proof { entry, index, path, note: log.checkpoint()? }.to_string())
}

fn find(log: &dyn Log, size: u64, event: &str) -> Result<u64, Finding> {
    let is_it = |entry: &Vec<u8>| Leaf::parse(entry).is_ok_and(|leaf| leaf.id == event);
    for index in 0.. {
        let Some(tile) = Tile::of(size, None, index) else { break };
        let (entries, _) = log.entries(tile)?;
        if let Some((found, _)) = (tile.first_entry()..).zip(&entries).find(|(_, one)| is_it(one)) {
            return Ok(found);
        }
    }
    Err(Finding::incomplete(None, format!("there is no event {event}")))
}

fn checked(arguments: &Arguments) -> Result<String, Stop> {
    let key = arguments.key()?;
    let path = arguments.file.as_ref().ok_or_else(|| Stop::Usage("which proof?".into()))?;
    let text = fs::read_to_string(path)
        .map_err(|error| Finding::Unreadable(format!("{path}: {error}")))?;
    let wrong = |error: Error| Finding::tampered(None, format!("{path}: {error}"));
    let proof = Proof::parse(&text).map_err(wrong)?;
    let checkpoint = proof.check(&key).map_err(wrong)?;
    let Checkpoint { origin, size, .. } = checkpoint;
    eprintln!("ok: entry {} of the {size} of {origin}", proof.index);
    Ok(format!("{}\n", harmless(&String::from_utf8_lossy(&proof.entry))))
}

/// A text that others wrote, on its way to a terminal.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
