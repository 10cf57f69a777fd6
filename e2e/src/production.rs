//! `munjigi serve` on a database of its own, which can be killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::built;

/// A server, its configuration and, on SQLite, its database.
pub struct Production {
    /// The issuer.
    pub issuer: String,
    /// Where this node of it listens.
    pub base: String,
    /// The database, as in the configuration.
    pub database: String,
    directory: tempfile::TempDir,
    child: Option<Child>,
    /// The program that it runs.
    program: PathBuf,
}

impl Production {
    /// A server that is not started yet, on a file of its own.
    pub fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", directory.path().join("munjigi.db").display());
        Self::in_directory(directory, database)
    }

    /// A server that is not started yet, on a database of PostgreSQL.
    pub fn on_postgres(url: &str) -> Self {
        Self::in_directory(tempfile::tempdir().unwrap(), url.to_owned())
    }

    /// The same with another program, such as that of an older version.
    pub fn of(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    fn in_directory(directory: tempfile::TempDir, database: String) -> Self {
        let port = free_port();
        Self::node(directory, format!("http://127.0.0.1:{port}"), port, database)
    }

    /// Another node of the same issuer, which is not started yet. Beside a file of SQLite it has a
    /// copy of its own, as no installation should: what is spent at one is unspent at the other.
    pub fn another_node(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = match self.file() {
            None => self.database.clone(),
            Some(file) => {
                let copy = directory.path().join("munjigi.db");
                for end in ["", "-wal"] {
                    drop(std::fs::copy(beside(&file, end), beside(&copy, end)));
                }
                format!("sqlite:{}", copy.display())
            }
        };
        Self::node(directory, self.issuer.clone(), free_port(), database)
    }

    fn node(directory: tempfile::TempDir, issuer: String, port: u16, database: String) -> Self {
        let text = format!(
            "issuer = \"{issuer}\"\nlisten = \"127.0.0.1:{port}\"\ndatabase = \"{database}\"\n\
             keys.encryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n"
        );
        std::fs::write(directory.path().join("munjigi.toml"), text).unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let program = built("munjigi");
        Self { issuer, base, database, directory, child: None, program }
    }

    /// Adds lines to the configuration of this node.
    pub fn configure(&self, lines: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), text + lines).unwrap();
    }

    /// Where the file of SQLite is.
    pub fn file(&self) -> Option<PathBuf> {
        self.database.strip_prefix("sqlite:").map(PathBuf::from)
    }

    /// The command line on the same database, with what it reads; its JSON.
    pub fn cli(&self, arguments: &[&str], input: &str) -> Value {
        let told = self.ask(arguments, input);
        told.unwrap_or_else(|| panic!("{arguments:?}"))
    }

    /// The same without anything to read; nothing if it fails.
    pub fn cli_or_not(&self, arguments: &[&str]) -> Option<Value> {
        self.ask(arguments, "")
    }

    fn ask(&self, arguments: &[&str], input: &str) -> Option<Value> {
        let (code, output) = self.call(arguments, input);
        (code == Some(0)).then(|| serde_json::from_slice(&output).unwrap())
    }

    /// The command line on the same database: its exit code, and its JSON if it said any.
    pub(crate) fn tell(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let (code, output) = self.call(arguments, "");
        (code, serde_json::from_slice(&output).unwrap_or(Value::Null))
    }

    fn call(&self, arguments: &[&str], input: &str) -> (Option<i32>, Vec<u8>) {
        use std::io::Write;

        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--output", "json", "--config"]).arg(self.config());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            println!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        (output.status.code(), output.stdout)
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&mut self) {
        let mut serve = Command::new(&self.program);
        // Where the programs are is said to this one, not to the server.
        serve.env_remove("MUNJIGI_BIN_DIR").arg("serve").arg("--config").arg(self.config());
        serve.stdin(Stdio::null()).stdout(Stdio::null());
        serve.stderr(std::fs::File::create(self.log()).unwrap());
        self.child = Some(serve.spawn().unwrap());
        let address = self.base.trim_start_matches("http://").to_owned();
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(&address).is_err() {
            let said = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(Instant::now() < until, "the server does not get ready: {}", said());
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// What it said since it was started.
    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// How much memory it holds, in KiB.
    pub fn memory(&self) -> u64 {
        let id = self.child.as_ref().expect("it runs").id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it is started").id()
    }

    /// Ends it as `kill -9` does: it is told nothing, and finishes nothing.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("munjigi.toml")
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The file that SQLite keeps beside a database.
pub(crate) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
