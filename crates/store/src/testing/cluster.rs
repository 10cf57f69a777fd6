//! A throw-away PostgreSQL cluster on loopback, made by `initdb` in a temporary directory, gone
//! with the process that started it however that ends.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::next_number;
use crate::migrate::Migration;
use crate::sql::run_batch;
use crate::{DatabaseUrl, StoreError};

/// Waits until this process closes the pipe, which it does even when it is killed; then stops the
/// server by its own id and removes the directory.
const WATCHDOG: &str = r#"
directory=$1; shift
"$@" >"$directory/log" 2>&1 &
server=$!
read -r _
kill -INT "$server"
wait "$server"
rm -rf "$directory"
"#;

/// A running cluster with a template that has the product's tables.
pub struct Cluster {
    port: u16,
    binaries: PathBuf,
    directory: PathBuf,
    /// Whether the template is there.
    template: Mutex<bool>,
    /// How the server is started.
    server: Vec<String>,
    /// Each one's standard input is the pipe that keeps a server alive: the last one's is the one
    /// that runs.
    watchdogs: Vec<Child>,
}

/// The processes of a cluster that hangs, until it is dropped.
#[derive(Debug)]
pub struct Hung(Vec<String>);

impl Drop for Hung {
    fn drop(&mut self) {
        // Some may be gone.
        drop(Command::new("kill").arg("-9").args(&self.0).stderr(Stdio::null()).status());
    }
}

impl Cluster {
    /// Starts a cluster with these settings (`fsync=off`); `None` where PostgreSQL is missing.
    pub fn start(settings: &[&str]) -> io::Result<Option<Self>> {
        Self::start_below(&std::env::temp_dir(), settings)
    }

    /// The same for hundreds of databases that each live as long as a test: where the files are in
    /// memory, if there is enough of it, for they take gigabytes and are written for nobody.
    pub fn start_in_memory() -> io::Result<Option<Self>> {
        let memory = Path::new("/dev/shm");
        if has_room(memory) { Self::start_below(memory, &[]) } else { Self::start(&[]) }
    }

    fn start_below(parent: &Path, settings: &[&str]) -> io::Result<Option<Self>> {
        let Some(binaries) = find_binaries()? else { return Ok(None) };
        let (directory, user) = place(parent)?;
        run_program(
            user.command(&binaries.join("initdb"))
                .args(["--username=munjigi", "--auth=trust", "--encoding=UTF8", "--locale=C"])
                .arg("--no-sync")
                .arg(format!("--pgdata={}", directory.join("data").display())),
        )?;
        Self::run_in(&directory, binaries, (free_port()?, settings)).map(Some)
    }

    /// A copy of this cluster as it is now (`pg_basebackup`) in a cluster of its own on this port:
    /// a standby that follows it, or a backup that was restored.
    pub fn copy(&self, copy: Copy, port: u16, settings: &[&str]) -> io::Result<Self> {
        let (directory, user) = place(&std::env::temp_dir())?;
        let mut command = user.command(&self.binaries.join("pg_basebackup"));
        command.args(["--host=127.0.0.1", "--username=munjigi", "--checkpoint=fast", "--no-sync"]);
        command.arg(format!("--port={}", self.port));
        command.arg(format!("--pgdata={}", directory.join("data").display()));
        if copy == Copy::Standby {
            command.arg("--write-recovery-conf");
        }
        run_program(&mut command)?;
        Self::run_in(&directory, self.binaries.clone(), (port, settings))
    }

    fn run_in(
        directory: &Path,
        binaries: PathBuf,
        (port, settings): (u16, &[&str]),
    ) -> io::Result<Self> {
        let user = Account::for_this_process()?;
        let mut server = user.words(&binaries.join("postgres"));
        server.extend(["-D".to_owned(), directory.join("data").display().to_string()]);
        let fixed = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", directory.display()),
            "max_connections=200".to_owned(),
        ];
        for setting in fixed.into_iter().chain(settings.iter().map(|text| (*text).to_owned())) {
            server.extend(["-c".to_owned(), setting]);
        }
        let (template, directory) = (Mutex::new(false), directory.to_owned());
        let watchdogs = Vec::new();
        let mut cluster = Self { port, binaries, directory, template, server, watchdogs };
        cluster.start_again()?;
        Ok(cluster)
    }

    /// Starts the server on what is there, after [`Cluster::stop`].
    pub fn start_again(&mut self) -> io::Result<()> {
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(&self.directory)
            .args(&self.server)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // The one before stays: its end would take the directory along.
        self.watchdogs.push(watchdog);
        wait_until_up(self.port, &self.directory.join("log"))
    }

    /// Stops the server as its operator does, and waits for its end. The directory stays.
    pub fn stop(&self) -> io::Result<()> {
        let file = self.directory.join("data/postmaster.pid");
        let text = fs::read_to_string(&file)?;
        let id = text.lines().next().unwrap_or_default();
        run_program(Command::new("kill").args(["-INT", id]))?;
        for _ in 0..300 {
            if !file.exists() {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Err(io::Error::other("PostgreSQL does not stop"))
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends its first process as `kill -9` does: nothing is told to anybody, nothing is finished.
    pub fn kill(&self) -> io::Result<()> {
        let file = fs::read_to_string(self.directory.join("data/postmaster.pid"))?;
        let id = file.lines().next().unwrap_or_default().to_owned();
        run_program(Command::new("kill").args(["-9", &id]))
    }

    /// Stops all of its processes in the middle of what they do, as a machine that hangs: whoever
    /// has a connection, or makes one, waits. They are killed with what this returns.
    pub fn hang(&self) -> io::Result<Hung> {
        let file = fs::read_to_string(self.directory.join("data/postmaster.pid"))?;
        let first = file.lines().next().unwrap_or_default().to_owned();
        // The first one first, so that it makes no more of them.
        run_program(Command::new("kill").args(["-STOP", &first]))?;
        let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &first]).output()?;
        let children = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut all = Hung(vec![first]);
        all.0.extend(children.split_whitespace().map(str::to_owned));
        run_program(Command::new("kill").arg("-STOP").args(&all.0))?;
        Ok(all)
    }

    /// Makes a standby the primary.
    pub fn promote(&self) -> io::Result<()> {
        let user = Account::for_this_process()?;
        let mut command = user.command(&self.binaries.join("pg_ctl"));
        let data = self.directory.join("data");
        run_program(command.arg("promote").arg("-w").arg(format!("--pgdata={}", data.display())))
    }

    /// Confirms nothing from now on that a standby does not have, or does again.
    pub fn wait_for_standby(&self, waits: bool) -> Result<(), StoreError> {
        let sql = match waits {
            true => "ALTER SYSTEM SET synchronous_standby_names = '*'",
            false => "ALTER SYSTEM RESET synchronous_standby_names",
        };
        self.run("postgres", sql)?;
        self.run("postgres", "SELECT pg_reload_conf()")
    }

    /// The URL of one of its databases. `postgres` is always there.
    pub fn url(&self, database: &str) -> DatabaseUrl {
        DatabaseUrl::Postgres(self.text_url(database))
    }

    /// Runs statements in one of its databases, as its superuser.
    pub fn run(&self, database: &str, sql: &str) -> Result<(), StoreError> {
        run_batch(&self.text_url(database), sql)
    }

    /// Makes a database with the product's tables; its URL.
    pub(super) fn fresh_database(&self) -> Result<String, StoreError> {
        let mut made = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        if !*made {
            self.run("postgres", "CREATE DATABASE munjigi_template")?;
            let all: &[Migration] = crate::migrations::ALL;
            crate::sql::run_migrations(&self.text_url("munjigi_template"), all, super::OPENED_AT)?;
            *made = true;
        }
        // One at a time: a template must not be in use.
        let name = format!("test_{}", next_number());
        self.run("postgres", &format!("CREATE DATABASE {name} TEMPLATE munjigi_template"))?;
        Ok(self.text_url(&name))
    }

    /// The end of what the server wrote down: why it does not answer, perhaps.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn text_url(&self, database: &str) -> String {
        format!("postgres://munjigi@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

/// What a copy of a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// A standby that follows it.
    Standby,
    /// A backup of it that is restored at once.
    Backup,
}

/// A directory for a cluster, and whose it is.
fn place(parent: &Path) -> io::Result<(PathBuf, Account)> {
    let directory = tempfile::Builder::new().prefix("munjigi-pg-").tempdir_in(parent)?.keep();
    let user = Account::for_this_process()?;
    user.take_over(&directory)?;
    Ok((directory, user))
}

/// Whether there is a file system with room for a cluster of tests.
fn has_room(path: &Path) -> bool {
    const NEEDED_BYTES: u64 = 8 << 30;
    let mut command = Command::new("df");
    let told = command.args(["--output=avail", "--block-size=1"]).arg(path).output();
    let Ok(told) = told else { return false };
    let text = String::from_utf8_lossy(&told.stdout);
    let available = text.lines().nth(1).and_then(|line| line.trim().parse::<u64>().ok());
    available.is_some_and(|bytes| bytes >= NEEDED_BYTES)
}

fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn run_program(command: &mut Command) -> io::Result<()> {
    let done = command.stdin(Stdio::null()).output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned())),
    }
}

/// The server program refuses to be run by root, so root runs it as somebody else.
struct Account(Option<(u32, u32)>);

impl Account {
    fn for_this_process() -> io::Result<Self> {
        // Whoever makes a directory owns it.
        if fs::metadata(tempfile::tempdir()?.path())?.uid() != 0 {
            return Ok(Self(None));
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        let numbers = ["postgres:", "nobody:"].iter().find_map(|name| {
            let line = accounts.lines().find(|line| line.starts_with(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        });
        numbers
            .map(|numbers| Self(Some(numbers)))
            .ok_or_else(|| io::Error::other("root needs an account `postgres` to run PostgreSQL"))
    }

    fn take_over(&self, directory: &Path) -> io::Result<()> {
        match self.0 {
            Some((user, group)) => std::os::unix::fs::chown(directory, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    fn words(&self, program: &Path) -> Vec<String> {
        let program = program.display().to_string();
        match self.0 {
            Some((user, group)) => vec![
                "setpriv".to_owned(),
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
                program,
            ],
            None => vec![program],
        }
    }

    fn command(&self, program: &Path) -> Command {
        let words = self.words(program);
        let (first, rest) =
            words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let mut command = Command::new(first);
        // The account need not be allowed to see the directory that the tests run in.
        command.args(rest).current_dir("/");
        command
    }
}

/// Debian keeps each version's programs in a directory of its own; others put them on the path.
#[expect(clippy::disallowed_methods, reason = "where programs are is the environment's to say")]
fn find_binaries() -> io::Result<Option<PathBuf>> {
    let mut versions = Vec::new();
    if let Ok(entries) = fs::read_dir("/usr/lib/postgresql") {
        for entry in entries {
            let entry = entry?;
            let version = entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0);
            versions.push((version, entry.path().join("bin")));
        }
    }
    versions.sort();
    let newest_first = versions.into_iter().rev().map(|(_, path)| path);
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(newest_first.chain(std::env::split_paths(&path)).find(|directory| {
        directory.join("initdb").is_file() && directory.join("postgres").is_file()
    }))
}

fn wait_until_up(port: u16, log: &Path) -> io::Result<()> {
    let url = format!("postgres://munjigi@127.0.0.1:{port}/postgres?sslmode=disable");
    let mut last = String::new();
    for _ in 0..300 {
        match run_batch(&url, "SELECT 1") {
            Ok(()) => return Ok(()),
            // It is up; the settings of this cluster are what a test wants to see refused.
            Err(StoreError::Unavailable(why))
                if why.starts_with("PostgreSQL runs with")
                    || why.starts_with("PostgreSQL is a standby") =>
            {
                return Ok(());
            }
            Err(error) => last = error.to_string(),
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let mut written = String::new();
    fs::File::open(log)?.read_to_string(&mut written)?;
    Err(io::Error::other(format!("{last}\n{written}")))
}
