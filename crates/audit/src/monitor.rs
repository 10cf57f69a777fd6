//! `munjigi-audit monitor`: looks at a log again and again, and holds it to what it said before. It
//! must not say that something holds which it has not compared.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use munjigi_audit::{Finding, Leaf, Log, VerifierKey, news, verify};

use crate::{Arguments, Stop, harmless};

/// How often it looks, if nothing else was said.
const EVERY_SECONDS: u64 = 60;

/// What it watches.
struct Monitor {
    log: Box<dyn Log>,
    key: VerifierKey,
    state: PathBuf,
    /// The kinds of events that are printed; all of them when empty.
    kinds: Vec<String>,
}

/// Looks once, or until something is wrong.
pub(crate) fn run(arguments: &Arguments) -> Result<String, Stop> {
    let kinds = arguments.find("--kinds").map(|text| text.split(',').map(str::to_owned).collect());
    let monitor = Monitor {
        log: arguments.log()?,
        key: arguments.key()?,
        state: arguments.needed("--state")?.into(),
        kinds: kinds.unwrap_or_default(),
    };
    if arguments.find("--once").is_some() {
        monitor.look()?;
        return Ok(String::new());
    }
    let every = match arguments.find("--every") {
        Some(text) => text.parse().ok().filter(|seconds| *seconds > 0),
        None => Some(EVERY_SECONDS),
    };
    let every = every.ok_or_else(|| Stop::Usage("--every: so many seconds".into()))?;
    loop {
        match monitor.look() {
            Ok(()) => {}
            // A server that is away for a moment, or is being restarted, has tampered with nothing.
            Err(Stop::Found(finding @ (Finding::Unreadable(_) | Finding::Incomplete(None, _)))) => {
                eprintln!("munjigi-audit: {finding}; looking again");
            }
            Err(stop) => return Err(stop),
        }
        pause(Duration::from_secs(every));
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that looks now and then waits between")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

impl Monitor {
    fn look(&self) -> Result<(), Stop> {
        let wrong =
            |error: io::Error| Stop::Usage(format!("--state {}: {error}", self.state.display()));
        let old = match fs::read_to_string(&self.state) {
            Ok(old) => old,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.begin(),
            Err(error) => return Err(wrong(error)),
        };
        let news = news(&*self.log, &self.key, &old)?;
        let (first, entries) = &news.entries;
        self.print(*first, entries).map_err(wrong)?;
        // Behind what was printed: what is printed twice is better than what never is.
        if news.note != old {
            keep(&self.state, &news.note).map_err(wrong)?;
        }
        Ok(())
    }

    /// The first look goes over everything, and prints nothing.
    fn begin(&self) -> Result<(), Stop> {
        // Read first: what comes meanwhile is news.
        let note = self.log.checkpoint()?;
        let holds = verify(&*self.log, &self.key)?;
        let kept = holds.keys.open(&note).map_err(Finding::from)?;
        munjigi_audit::check_since(&*self.log, &holds, &kept)?;
        eprintln!("munjigi-audit: {} events hold; news from here on", kept.size);
        let wrong = |error| Stop::Usage(format!("--state {}: {error}", self.state.display()));
        keep(&self.state, &note).map_err(wrong)
    }

    fn print(&self, first: u64, entries: &[Vec<u8>]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for (index, entry) in (first..).zip(entries) {
            let leaf = Leaf::parse(entry);
            // What is no leaf is shown to everybody: nobody knows what it says.
            let is_wanted = leaf.is_ok_and(|leaf| !self.kinds.contains(&leaf.kind));
            if self.kinds.is_empty() || !is_wanted {
                writeln!(out, "{index} {}", harmless(&String::from_utf8_lossy(entry)))?;
            }
        }
        out.flush()
    }
}

/// Puts a file in the place of another, so that there is always one of the two.
fn keep(path: &Path, note: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
