//! A server at the edge: `munjigi serve` with a configuration of its own, told by signals; and an
//! authority that makes certificates with the real `openssl`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::built;

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// `munjigi serve` in a folder of its own.
pub struct Edge {
    /// Where it listens on loopback.
    pub port: u16,
    /// The issuer.
    pub issuer: String,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Edge {
    /// A server that is not started yet; further lines of its configuration come in `more`.
    pub fn new(scheme: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let issuer = format!("{scheme}://localhost:{port}");
        let database = folder.path().join("munjigi.db");
        let text = format!(
            "issuer = \"{issuer}\"\nlisten = \"127.0.0.1:{port}\"\n\
             database = \"sqlite:{}\"\nlog.format = \"json\"\n\
             keys.encryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n{more}\n",
            database.display()
        );
        std::fs::write(folder.path().join("munjigi.toml"), text).unwrap();
        Self { port, issuer, folder, child: None }
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line with its configuration, with what it reads; its JSON.
    pub fn cli(&self, arguments: &[&str], input: &str) -> Value {
        use std::io::Write;

        let mut command = Command::new(built("munjigi"));
        command.args(arguments).args(["--output", "json", "--config"]);
        command.arg(self.file("munjigi.toml")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&mut self) {
        let mut appending = std::fs::OpenOptions::new();
        let log = appending.create(true).append(true).open(self.file("log")).unwrap();
        let mut serve = Command::new(built("munjigi"));
        serve.arg("serve").arg("--config").arg(self.file("munjigi.toml"));
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(serve.spawn().unwrap());
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "it ended: {}", self.log());
            assert!(Instant::now() < until, "the server does not get ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Waits until the log has a line with these words.
    pub fn wait_for_log(&self, words: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < until, "it never said {words:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    /// Waits until it ends.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > until {
                drop(child.kill());
                drop(child.wait());
                panic!("it does not end: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// `PRIVATE KEY`, of an elliptic curve.
    Pkcs8,
    /// `EC PRIVATE KEY`.
    Sec1,
    /// `RSA PRIVATE KEY`.
    Pkcs1,
}

/// An authority of the test's own, in a folder.
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let more = ["-nodes", "-days", "30", "-subj", "/CN=an authority of a test"];
        made.openssl(&[&request[..], &more, &["-keyout", "ca.key", "-out", "ca.pem"]].concat());
        made
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Writes a certificate for `localhost` that lives so many days, and its key, where they are
    /// wanted; in one step each, as a renewal does.
    pub fn issue(&self, (certificate, key): (&Path, &Path), form: KeyForm, days: i32) {
        match form {
            KeyForm::Pkcs1 => self.openssl(&["genrsa", "-traditional", "-out", "new.key", "2048"]),
            KeyForm::Pkcs8 | KeyForm::Sec1 => {
                let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
                self.openssl(&[&["genpkey"], &curve[..], &["-out", "new.key"]].concat());
            }
        }
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        std::fs::write(self.folder.path().join("names"), names).unwrap();
        let request = ["req", "-new", "-key", "new.key", "-subj", "/CN=localhost"];
        self.openssl(&[&request[..], &["-out", "new.csr"]].concat());
        let sign = ["x509", "-req", "-in", "new.csr", "-CA", "ca.pem", "-CAkey", "ca.key"];
        let days = days.to_string();
        let more = ["-CAcreateserial", "-extfile", "names", "-days", &days, "-out", "new.pem"];
        self.openssl(&[&sign[..], &more].concat());
        if form == KeyForm::Sec1 {
            self.openssl(&["ec", "-in", "new.key", "-out", "new.key"]);
        }
        let place = |name: &str| self.folder.path().join(name);
        std::fs::set_permissions(place("new.key"), std::fs::Permissions::from_mode(0o400)).unwrap();
        move_file(&place("new.pem"), certificate);
        move_file(&place("new.key"), key);
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("openssl is installed");
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {problem}");
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// In one step, so that nobody reads half of it.
fn move_file(from: &Path, to: &Path) {
    let beside = to.with_extension("beside");
    drop(std::fs::remove_file(&beside));
    std::fs::copy(from, &beside).unwrap();
    std::fs::remove_file(from).unwrap();
    std::fs::rename(&beside, to).unwrap();
}
