//! `munjigi-audit`: verifies an exported audit trail without a server. Small on purpose, so that
//! whoever doubts a trail can read what says that it holds.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use munjigi_audit::{
    Checkpoint, Directory, Error, Finding, Leaf, Proof, Tile, VerifierKey, check_since, entry_at,
    hash_in_tile, inclusion, verify,
};

const USAGE: &str = "\
munjigi-audit: verifies an audit trail that `munjigi audit export` wrote, without a server

  munjigi-audit verify --vkey KEY --log DIR [--since CHECKPOINT]
      computes every hash anew; with a checkpoint that was kept, also that nothing before it was
      changed or taken back
  munjigi-audit prove --vkey KEY --log DIR (--index N | --event ID)
      writes a proof that one event is in the trail
  munjigi-audit check-proof --vkey KEY FILE
      checks such a proof and prints the event

KEY is the trail's verifier key, NAME+ID+KEY. Keep it, and a checkpoint now and then, in a place
that the server cannot reach: they are what a trail is measured by.
Exit codes: 0 it holds, 1 tampered, 2 incomplete, 3 forked or rolled back, 64 wrong usage.
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

/// What the command line says.
#[derive(Default)]
struct Arguments {
    vkey: Option<String>,
    log: Option<String>,
    since: Option<String>,
    index: Option<String>,
    event: Option<String>,
    file: Option<String>,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, Stop> {
        let mut arguments = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--vkey" => &mut arguments.vkey,
                "--log" => &mut arguments.log,
                "--since" => &mut arguments.since,
                "--index" => &mut arguments.index,
                "--event" => &mut arguments.event,
                option if option.starts_with('-') => {
                    return Err(Stop::Usage(format!("no such option: {option}")));
                }
                _ => &mut arguments.file,
            };
            let value = if word.starts_with('-') { words.next() } else { Some(word.clone()) };
            let value = value.ok_or_else(|| Stop::Usage(format!("{word} needs a value")))?;
            if place.replace(value).is_some() {
                return Err(Stop::Usage(format!("said twice: {word}")));
            }
        }
        Ok(arguments)
    }

    fn key(&self) -> Result<VerifierKey, Stop> {
        let text = self.vkey.as_deref().ok_or_else(|| Stop::Usage("--vkey is missing".into()))?;
        text.parse().map_err(|error: Error| Stop::Usage(format!("--vkey: {error}")))
    }

    fn log(&self) -> Result<Directory, Stop> {
        let path = self.log.as_ref().ok_or_else(|| Stop::Usage("--log is missing".into()))?;
        Ok(Directory::new(path))
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
        "prove" => proved(&arguments),
        "check-proof" => checked(&arguments),
        "" => Err(Stop::Usage("what is to be done?".into())),
        other => Err(Stop::Usage(format!("no such command: {other}"))),
    }
}

fn verified(arguments: &Arguments) -> Result<String, Stop> {
    let (key, log) = (arguments.key()?, arguments.log()?);
    let old = arguments.since.as_deref().map(|path| kept(path, &key)).transpose()?;
    let holds = verify(&log, &key)?;
    let mut since = String::new();
    if let Some(old) = old {
        check_since(&log, &holds, &old)?;
        since = format!(", which goes on from the checkpoint of {}", old.size);
    }
    let Checkpoint { origin, size, .. } = &holds.checkpoint;
    Ok(format!(
        "ok: {origin}: {size} events{since}; personal data of {} is there, and as it was\n",
        holds.personal
    ))
}

/// The checkpoint that somebody kept.
fn kept(path: &str, key: &VerifierKey) -> Result<Checkpoint, Stop> {
    let wrong = |what: String| Stop::Usage(format!("--since {path}: {what}"));
    let note = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Checkpoint::open(&note, key).map_err(|error| wrong(error.to_string()))
}

fn proved(arguments: &Arguments) -> Result<String, Stop> {
    let (key, log) = (arguments.key()?, arguments.log()?);
    // Nothing is proved about a log that does not hold.
    let size = verify(&log, &key)?.checkpoint.size;
    let index = match (&arguments.index, &arguments.event) {
        (Some(text), None) => text
            .parse()
            .map_err(|_| Stop::Usage(format!("--index {text}: a number is expected")))?,
        (None, Some(event)) => find(&log, size, event)?,
        _ => return Err(Stop::Usage("one of --index and --event is needed".into())),
    };
    let entry = entry_at(&log, size, index)?;
    let path = inclusion(index, size, |height, subtree| {
        hash_in_tile(height, subtree, |level, tile_index, _| {
            let tile = Tile::of(size, Some(level), tile_index).ok_or(Error::OutOfRange)?;
            log.hashes(tile)
        })
    })?;
    Ok(Proof { entry, index, path, note: log.checkpoint()? }.to_string())
}

fn find(log: &Directory, size: u64, event: &str) -> Result<u64, Finding> {
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
        .map_err(|error| Finding::incomplete(None, format!("{path}: {error}")))?;
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
