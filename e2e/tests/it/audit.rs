//! The audit trail of a running server, read over HTTP: by `munjigi-audit`, and by a program in Go
//! that knows nothing of ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use munjigi_e2e::{Dev, built, get, left_out, post, top};
use serde_json::{Value, json};

/// A server, what its trail is measured by, and what lets one read it.
struct Trail {
    dev: Dev,
    kept: tempfile::TempDir,
    vkey: String,
    url: String,
}

impl Trail {
    fn start() -> Self {
        let (dev, kept) = (Dev::start(), tempfile::tempdir().unwrap());
        let url = format!("{}/api/v1/audit", dev.issuer);
        let trail = Self { vkey: String::new(), dev, kept, url };
        std::fs::write(trail.file("token"), trail.token("jun")).unwrap();
        let vkey = trail.signed()["vkey"].as_str().unwrap().to_owned();
        Self { vkey, ..trail }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.kept.path().join(name)
    }

    fn token(&self, name: &str) -> String {
        let body = json!({"username": name, "password": format!("demo-{name}")});
        let url = format!("{}/api/v1/users/signin", self.dev.issuer);
        post(&url, &body, None).expect(200).text("access_token")
    }

    /// The trail's newest checkpoint as it is.
    fn checkpoint(&self) -> Value {
        let database = format!("sqlite:{}", self.dev.data.path().join("munjigi.db").display());
        let mut command = Command::new(built("munjigi"));
        let command = command.args(["audit", "checkpoint", "--output", "json"]);
        let output = command.args(["--database", &database]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The trail's newest checkpoint, once everything that happened is in it.
    fn signed(&self) -> Value {
        for _ in 0..100 {
            let shown = self.checkpoint();
            if shown["waiting"] == 0 {
                return shown;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("nothing is signed");
    }

    /// So many events: somebody asks for what is not theirs.
    fn happen(&self, events: usize) {
        let token = self.token("minji");
        for _ in 0..events {
            get(&format!("{}/api/v1/admin/stats", self.dev.issuer), Some(&token)).expect(403);
        }
    }

    fn audit(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(built("munjigi-audit"));
        let command = command.args(arguments).args(["--vkey", &self.vkey, "--log", &self.url]);
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}

fn keep(path: &Path, signed: &Value) {
    std::fs::write(path, signed["checkpoint"].as_str().unwrap()).unwrap();
}

#[test]
fn a_trail_is_verified_and_watched_over_http() {
    let trail = Trail::start();
    let (token, state) = (trail.path("token"), trail.path("state"));
    let with_token = ["--token-file", token.as_str()];
    keep(&trail.file("old"), &trail.signed());
    let monitor = [&["monitor", "--once", "--state", &state][..], &with_token].concat();
    assert_eq!(trail.audit(&monitor).0, Some(0));
    trail.happen(280);
    let size = trail.signed()["size"].as_i64().unwrap();

    let old = trail.path("old");
    let verify = [&["verify", "--since", &old][..], &with_token].concat();
    let (code, said, problem) = trail.audit(&verify);
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.contains(&format!(": {size} events, which goes on from")), "{said}");
    // A client of its own gets its tokens itself.
    let client = json!({
        "client_id": "watch", "name": "watch", "grant_types": ["client_credentials"],
        "scope": "admin audit:read",
    });
    let admin = std::fs::read_to_string(trail.file("token")).unwrap();
    let clients = format!("{}/api/v1/admin/clients", trail.dev.issuer);
    let secret = post(&clients, &client, Some(&admin)).expect(201).text("client_secret");
    std::fs::write(trail.file("secret"), secret).unwrap();
    let secret = trail.path("secret");
    let as_client = ["monitor", "--once", "--state", &state, "--client", "watch"];
    let kinds = ["--secret-file", &secret, "--kinds", "access_refused"];
    let (code, said, problem) = trail.audit(&[&as_client[..], &kinds].concat());
    assert_eq!(code, Some(0), "{problem}");
    assert_eq!(said.lines().count(), 280, "{said}");
    assert!(said.lines().all(|line| line.contains("\"kind\":\"access_refused\"")));
    let (code, said, _) = trail.audit(&[&as_client[..], &kinds].concat());
    assert_eq!((code, said.as_str()), (Some(0), ""), "there is nothing new");

    // What it saw and what there is are of two trails: the other server has the other key.
    let other = Trail::start();
    std::fs::write(trail.file("state"), other.signed()["checkpoint"].as_str().unwrap()).unwrap();
    assert_eq!(trail.audit(&monitor).0, Some(1));
    // Who may not read it learns nothing, and nobody says that it holds.
    std::fs::write(trail.file("token"), trail.token("minji")).unwrap();
    assert_eq!(trail.audit(&verify).0, Some(69));
}

/// Whoever stops a server and keeps its checkpoint holds everything that the server acknowledged,
/// down to the last answer.
#[test]
fn a_server_that_is_told_to_stop_signs_what_it_has_acknowledged() {
    let mut trail = Trail::start();
    let before = trail.signed()["size"].as_i64().unwrap();
    // More than are signed at a time, and the last of them a moment before the end.
    trail.happen(300);
    assert_eq!(trail.dev.stop(), Some(0));

    let last = trail.checkpoint();
    assert_eq!(last["waiting"], 0, "{last}");
    // The events, and the sign-in of who caused them.
    assert_eq!(last["size"], before + 301, "{last}");
    let verified = trail.dev.cli(&["audit", "verify", "--vkey", &trail.vkey]);
    assert!(verified.contains(&(before + 301).to_string()), "{verified}");
}

/// `golang.org/x/mod/sumdb` checks the signature, an inclusion and a consistency.
#[test]
fn a_program_that_is_not_ours_checks_the_trail_over_http() {
    let program = top().join("target/e2e-go/auditor");
    if !program.exists() {
        return left_out("target/e2e-go is not there: no Go, or `cargo xtask test` did not run");
    }
    let trail = Trail::start();
    trail.happen(9);
    keep(&trail.file("old"), &trail.signed());
    trail.happen(300);
    trail.signed();
    let audit = |index: &str, old: &str| {
        let mut command = Command::new(&program);
        let command = command.args([&trail.url, &trail.vkey, &trail.path("token"), index, old]);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    for index in ["0", "7", "255", "256", "300"] {
        let (holds, said, problem) = audit(index, &trail.path("old"));
        assert!(holds && said.starts_with("ok "), "{index}: {problem}");
        assert!(said.contains("\"pii\":\""), "{said}");
    }
    // Another root, or another key: it is ours that holds, and not anything.
    let kept = std::fs::read_to_string(trail.file("old")).unwrap();
    let size = kept.lines().nth(1).unwrap().to_owned();
    let changed = kept.replacen(&format!("\n{size}\n"), "\n1\n", 1);
    std::fs::write(trail.file("forged"), changed).unwrap();
    assert!(!audit("0", &trail.path("forged")).0);
    assert!(!audit("100000", &trail.path("old")).0);
}
