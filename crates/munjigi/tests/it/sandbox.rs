//! A directory to work in, the binary in it, and as much HTTP as these tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a server may take to say that it is ready, on a machine that builds meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of its own for one test.
pub struct Sandbox {
    dir: TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// The JSON that it printed, of a command that succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The same, whatever the exit code.
    pub fn json_with(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Whether it ended with this code and said this on standard error.
    #[track_caller]
    pub fn fails(&self, code: i32, said: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.contains(said), "{said:?} is not in {:?}", self.stderr);
    }
}

impl Sandbox {
    pub fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        path
    }

    /// The names of what is in the directory.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// The binary in this directory, without any variable of ours.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_munjigi"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MUNJIGI_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.dir.path()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Done {
        finish(self.command(args).spawn().unwrap(), "")
    }

    /// With something on its standard input.
    pub fn run_with(&self, input: &str, args: &[&str]) -> Done {
        finish(self.command(args).stdin(Stdio::piped()).spawn().unwrap(), input)
    }

    /// A command on the sandbox's own database, answered in JSON.
    pub fn verb(&self, args: &[&str]) -> Done {
        self.verb_with("", args)
    }

    pub fn verb_with(&self, input: &str, args: &[&str]) -> Done {
        let rest = ["--database", "sqlite:test.db", "--output", "json"];
        self.run_with(input, &[args, &rest].concat())
    }

    /// Starts `dev` on a free port; `args` are added.
    pub fn dev(&self, args: &[&str]) -> Server {
        let first = ["dev", "--json", "--listen", "127.0.0.1:0"];
        let mut server = Server::start(self.command(&[&first, args].concat()));
        server.told = serde_json::from_str(&server.first_line).unwrap();
        server.url = server.told["issuer"].as_str().unwrap().to_owned();
        server
    }
}

fn finish(mut child: Child, input: &str) -> Done {
    if let Some(mut stdin) = child.stdin.take() {
        // A command that refuses its arguments may be gone before it reads.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a server said, once it has ended.
struct Heard {
    heard: mpsc::Receiver<Vec<u8>>,
    text: Option<std::io::Cursor<Vec<u8>>>,
}

impl Read for Heard {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.text.is_none() {
            let text = self.heard.recv_timeout(PATIENCE).map_err(std::io::Error::other)?;
            self.text = Some(std::io::Cursor::new(text));
        }
        self.text.as_mut().unwrap().read(into)
    }
}

/// A running server; it ends with this value.
pub struct Server {
    child: Child,
    pub first_line: String,
    rest: BufReader<Box<dyn Read + Send>>,
    pub told: Value,
    pub url: String,
}

impl Server {
    /// Starts one and waits for the first line of its standard output.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().unwrap());
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut reader, mut line) = (BufReader::new(stdout), String::new());
            reader.read_line(&mut line).unwrap();
            // Nobody listens any more when the test has failed.
            drop(said.send((reader, line)));
        });
        let (rest, first_line) = heard.recv_timeout(PATIENCE).expect("it said nothing");
        Self { child, first_line, rest, told: Value::Null, url: String::new() }
    }

    /// Starts one that says nothing on standard output, and waits until it answers.
    pub fn listening(mut command: Command, port: u16) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().unwrap());
        let url = format!("http://127.0.0.1:{port}");
        let rest = BufReader::new(stderr);
        let server = Self { child, first_line: String::new(), rest, told: Value::Null, url };
        server.until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        server.until(|| server.get("/readyz", None).0 == 200);
        server
    }

    /// The same for one that says a lot: what it says is read all the while, lest it wait for a
    /// full pipe.
    pub fn listening_quietly(mut command: Command, port: u16) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // Whoever listened is gone when the test has failed.
            drop(stderr.read_to_end(&mut text).map(|_| said.send(text)));
        });
        let rest: Box<dyn Read + Send> = Box::new(Heard { heard, text: None });
        let url = format!("http://127.0.0.1:{port}");
        let rest = BufReader::new(rest);
        let server = Self { child, first_line: String::new(), rest, told: Value::Null, url };
        server.until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        server.until(|| server.get("/readyz", None).0 == 200);
        server
    }

    /// Ends it; what it said since it was started.
    pub fn end(&mut self) -> String {
        assert!(self.signal("-TERM").success());
        self.remaining()
    }

    /// The next lines, up to the one that begins like this.
    pub fn read_until(&mut self, beginning: &str) -> String {
        let mut text = self.first_line.clone();
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            assert!(self.rest.read_line(&mut line).unwrap() > 0, "it ended after {text}");
            text.push_str(&line);
        }
        text
    }

    /// Sends a signal by name.
    pub fn signal(&mut self, name: &str) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// What it prints until it ends.
    pub fn remaining(&mut self) -> String {
        let mut text = String::new();
        self.rest.read_to_string(&mut text).unwrap();
        text
    }

    /// One request with JSON; the status and the JSON of the answer.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        call(&self.url, method, path, token, body)
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        self.call("GET", path, token, &Value::Null)
    }

    /// Signs in by user name; the status and the answer.
    pub fn sign_in(&self, username: &str, password: &str) -> (u16, Value) {
        let body = serde_json::json!({ "username": username, "password": password });
        self.call("POST", "/api/v1/users/signin", None, &body)
    }

    /// Signs in by user name; the access token.
    pub fn token(&self, username: &str, password: &str) -> String {
        let (status, answer) = self.sign_in(username, password);
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// One form; the status and the JSON of the answer.
    pub fn form(&self, path: &str, form: &str) -> (u16, Value) {
        exchange(&self.url, "POST", path, None, Some(("application/x-www-form-urlencoded", form)))
    }

    /// Asks until the answer has this status.
    pub fn eventually(&self, path: &str, token: &str, status: u16) {
        self.until(|| self.get(path, Some(token)).0 == status);
    }

    /// Asks until it is so: servers follow the database within a moment.
    #[track_caller]
    pub fn until(&self, is_so: impl Fn() -> bool) {
        let tries = 200;
        assert!((0..tries).any(|_| is_so() || pause()), "the server did not follow");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One HTTP/1.1 request (RFC 9112) on a connection of its own.
pub fn call(
    url: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> (u16, Value) {
    let text = body.to_string();
    let body = if body.is_null() { None } else { Some(("application/json", text.as_str())) };
    exchange(url, method, path, token, body)
}

/// Waits a little; never says that it is so.
fn pause() -> bool {
    std::thread::park_timeout(Duration::from_millis(50));
    false
}

fn exchange(
    url: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<(&str, &str)>,
) -> (u16, Value) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if let Some(token) = token {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    let (kind, body) = body.unwrap_or_default();
    if !kind.is_empty() {
        head.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Sets the mode bits of a file.
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The mode bits of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
