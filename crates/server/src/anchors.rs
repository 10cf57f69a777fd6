//! Anchors: places outside of the database that are told now and then how far the audit trail is,
//! so that nobody can rewrite what came before. A file, syslog (RFC 5424), or a URL. It must never
//! keep a request, or the tree, waiting: whoever cannot be told is told later.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use munjigi_audit::kept_line;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::audit_log;
use munjigi_store::audit_log::StoredCheckpoint;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::task::JoinHandle;
use url::Url;

use crate::accounts::rfc3339;
use crate::app::App;
use crate::failure::Failure;

/// How often a place is told.
const EVERY: Span = Span::from_hours(1);
/// How long after it could not be.
const AGAIN: Span = Span::from_minutes(1);
/// How long a place has for taking it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where a machine's own syslog listens.
const LOCAL_SYSLOG: &str = "/dev/log";
/// RFC 5424 §6.2.1: the facility "log audit" (13), the severity "notice" (5).
const PRIORITY: u8 = 13 * 8 + 5;

/// A place that checkpoints are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchorage {
    /// A file that only ever gets longer: a line for each.
    File(PathBuf),
    /// Syslog, at a socket of this machine.
    Local(PathBuf),
    /// Syslog by UDP (RFC 5426): a host and a port.
    Udp(String),
    /// Syslog by TCP (RFC 6587 §3.4.1): a host and a port.
    Tcp(String),
    /// A URL that gets a form.
    Web(Url),
}

/// A text that names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an anchor is `file:/PATH`, `syslog:`, `syslog:/SOCKET`, `syslog+udp://HOST:PORT`, \
     `syslog+tcp://HOST:PORT` or a URL"
)]
pub struct NoAnchorage;

impl FromStr for Anchorage {
    type Err = NoAnchorage;

    fn from_str(text: &str) -> Result<Self, NoAnchorage> {
        let (scheme, rest) = text.split_once(':').ok_or(NoAnchorage)?;
        let path = || Some(PathBuf::from(rest)).filter(|path| path.is_absolute());
        let peer = || {
            let peer = rest.strip_prefix("//")?;
            let (host, port) = peer.rsplit_once(':')?;
            let is_good = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
            is_good.then(|| peer.to_owned())
        };
        let found = match (scheme, rest) {
            ("file", _) => path().map(Self::File),
            ("syslog", "") => Some(Self::Local(PathBuf::from(LOCAL_SYSLOG))),
            ("syslog", _) => path().map(Self::Local),
            ("syslog+udp", _) => peer().map(Self::Udp),
            ("syslog+tcp", _) => peer().map(Self::Tcp),
            ("http" | "https", _) => text.parse().ok().map(Self::Web),
            _ => None,
        };
        found.ok_or(NoAnchorage)
    }
}

impl fmt::Display for Anchorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Local(path) => write!(f, "syslog:{}", path.display()),
            Self::Udp(peer) => write!(f, "syslog+udp://{peer}"),
            Self::Tcp(peer) => write!(f, "syslog+tcp://{peer}"),
            Self::Web(url) => url.fmt(f),
        }
    }
}

/// How far one place is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    due_at: Option<Timestamp>,
    sent: i64,
}

/// When this node tells each place next, and what it told them last.
#[derive(Debug, Default)]
pub struct Anchors(BTreeMap<String, Progress>);

impl Anchors {
    /// Tells every place whose time it is the newest checkpoint, if it is new to it; how many were
    /// told. Only the node that writes the tree does it; a node that begins tells all at once.
    pub async fn run(&mut self, app: &App) -> Result<usize, Failure> {
        let now = app.clock.now();
        let mut places = app.config.anchors.clone();
        places.extend(app.snapshot().settings.audit.anchor.clone().map(Anchorage::Web));
        let is_due = |place: &Anchorage| {
            let progress = self.0.get(&place.to_string());
            progress.and_then(|it| it.due_at).is_none_or(|due_at| due_at <= now)
        };
        places.retain(is_due);
        if places.is_empty() {
            return Ok(0);
        }
        let Some(newest) = app.store.read(audit_log::last_checkpoint).await? else { return Ok(0) };
        let mut told = 0_usize;
        for place in places {
            let progress = self.0.entry(place.to_string()).or_default();
            if progress.sent == newest.size {
                continue;
            }
            match place.tell(app, &newest).await {
                Ok(()) => {
                    app.metrics.anchors.told(place.label(), now);
                    *progress = Progress { due_at: Some(now.plus(EVERY)), sent: newest.size };
                    told = told.saturating_add(1);
                }
                Err(error) => {
                    app.metrics.anchors.failed(place.label());
                    let place = place.to_string();
                    tracing::warn!(
                        place,
                        error,
                        "a checkpoint of the audit trail was not anchored"
                    );
                    progress.due_at = Some(now.plus(AGAIN));
                }
            }
        }
        Ok(told)
    }
}

/// The anchors of a node, beside its tree: a place that does not answer holds nothing up.
#[derive(Debug, Default)]
pub struct Anchoring {
    idle: Option<Anchors>,
    under_way: Option<JoinHandle<Anchors>>,
}

impl Anchoring {
    /// Begins to tell whoever is to be told, unless that is under way.
    pub async fn begin(&mut self, app: &App) {
        match self.under_way.take() {
            Some(task) if !task.is_finished() => {
                self.under_way = Some(task);
                return;
            }
            Some(task) => self.idle = task.await.ok(),
            None => {}
        }
        let (mut anchors, app) = (self.idle.take().unwrap_or_default(), app.clone());
        self.under_way = Some(tokio::spawn(async move {
            if let Err(error) = anchors.run(&app).await {
                tracing::warn!(%error, "the audit trail was not anchored; trying again");
            }
            anchors
        }));
    }
}

impl Anchorage {
    /// What it is called where many look: the rest of a URL may be a secret.
    fn label(&self) -> String {
        match self {
            Self::Web(url) => url.origin().ascii_serialization(),
            Self::File(_) | Self::Local(_) | Self::Udp(_) | Self::Tcp(_) => self.to_string(),
        }
    }

    async fn tell(&self, app: &App, checkpoint: &StoredCheckpoint) -> Result<(), String> {
        let at = rfc3339(app.clock.now());
        let line = kept_line(&at, &checkpoint.note);
        let host = Url::parse(&app.config.issuer).ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or("-");
        let message = syslog_message(&at, host, line.trim_end());
        let sent = match self {
            Self::Web(url) => {
                let form = [("checkpoint", checkpoint.note.as_str())];
                let sent = app.fetch.post_form(url.as_str(), &form).await;
                return sent.map(|_| ()).map_err(|error| error.to_string());
            }
            Self::File(path) => append(path.clone(), line).await,
            Self::Local(path) => in_time(local(path, &message)).await,
            Self::Udp(peer) => in_time(udp(peer, &message)).await,
            Self::Tcp(peer) => in_time(tcp(peer, &message)).await,
        };
        sent.map_err(|error| error.to_string())
    }
}

/// RFC 5424 §6: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG`.
fn syslog_message(at: &str, host: &str, message: &str) -> String {
    let process = std::process::id();
    format!("<{PRIORITY}>1 {at} {host} munjigi {process} audit-checkpoint - {message}")
}

async fn in_time(sending: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(PATIENCE, sending).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

async fn local(path: &Path, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.send(message.as_bytes()).await.map(|_| ())
}

async fn udp(peer: &str, message: &str) -> io::Result<()> {
    let mut all = tokio::net::lookup_host(peer).await?;
    let peer = all.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let own = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await?;
    socket.send_to(message.as_bytes(), peer).await.map(|_| ())
}

async fn tcp(peer: &str, message: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(peer).await?;
    // RFC 6587 §3.4.1: behind its length.
    stream.write_all(format!("{} {message}", message.len()).as_bytes()).await?;
    stream.shutdown().await
}

async fn append(path: PathBuf, line: String) -> io::Result<()> {
    let written = tokio::task::spawn_blocking(move || append_line(&path, &line));
    written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Adds a line, and waits until the disk has it. The file is opened anew for each, so that it may
/// be moved away at any time; the next line begins another.
fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    // What ended in the middle of a line, for want of space or of power, must not spoil the next.
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let text = if last == [b'\n'] { line.to_owned() } else { format!("\n{line}") };
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    match path.parent() {
        Some(parent) if is_new => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown_as_they_are_written() {
        for text in [
            "file:/var/log/munjigi/anchors",
            "syslog:/run/log",
            "syslog+udp://log.example:514",
            "syslog+tcp://[::1]:601",
            "https://anchor.example/munjigi",
        ] {
            assert_eq!(text.parse::<Anchorage>().unwrap().to_string(), text);
        }
        assert_eq!("syslog:".parse(), Ok(Anchorage::Local(LOCAL_SYSLOG.into())));
        for bad in [
            "",
            "anchors",
            "file:anchors",
            "file:",
            "syslog:log",
            "syslog+udp:log.example:514",
            "syslog+udp://log.example",
            "syslog+tcp://:601",
            "syslog+tcp://log.example:0",
            "ftp://anchor.example",
        ] {
            assert_eq!(bad.parse::<Anchorage>(), Err(NoAnchorage), "{bad}");
        }
    }

    #[test]
    fn a_line_that_was_torn_does_not_spoil_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchors");
        append_line(&path, "one\n").unwrap();
        std::fs::write(&path, "one\ntw").unwrap();
        append_line(&path, "three\n").unwrap();
        append_line(&path, "four\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntw\nthree\nfour\n");
    }
}
