//! DS-06 of the attack kit: the disk below SQLite is full, or fails to flush, for a while. What
//! has to be written is 503 meanwhile and has not happened; whatever only reads goes on.

use std::path::Path;
use std::process::Command;

use munjigi_core::time::Timestamp;
use munjigi_store::testing::unaudited;
use munjigi_store::{DatabaseUrl, Store, StoreOptions};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, Server};
use crate::serve::configured;

const REFRESH: &str = "grant_type=refresh_token&client_id=c&refresh_token=";

/// A server in `data`, on a disk that does what `switches` say.
struct Disk {
    data: Sandbox,
    switches: Sandbox,
    port: u16,
}

impl Disk {
    /// With one person, and a client to refresh with.
    fn new() -> Self {
        let (data, switches) = (Sandbox::new(), Sandbox::new());
        let port = configured(&data);
        let create = ["users", "create", "--email", "a@example.com", "--username", "hana"];
        data.verb_with("seven bridges", &[&create[..], &["--password-stdin"]].concat()).json();
        let client = ["clients", "create", "--name", "C", "--id", "c", "--grant-type", "password"];
        let public = ["--grant-type", "refresh_token", "--auth-method", "none", "--first-party"];
        data.verb(&[&client[..], &public].concat()).json();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-o"]).arg(switches.path("disk.so")).arg(source);
        assert!(compile.arg("-ldl").status().unwrap().success(), "a C compiler is needed to build");
        Self { data, switches, port }
    }

    fn start(&self) -> Server {
        let mut command = self.data.command(&["serve"]);
        command.env("LD_PRELOAD", self.switches.path("disk.so"));
        command.env("DISK", self.data.path("").canonicalize().unwrap());
        command.env("DISK_SWITCHES", self.switches.path(""));
        Server::listening_quietly(command, self.port)
    }

    fn begin(&self, fault: &str) {
        self.switches.write(fault, "");
    }

    fn end(&self, fault: &str) {
        std::fs::remove_file(self.switches.path(fault)).unwrap();
    }

    /// Every change that is there has its event, and the trail of them holds.
    fn is_whole(&self) {
        let holds = self.data.verb(&["audit", "verify"]).json();
        assert_eq!(holds["holds"], true, "{holds}");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let found = runtime.block_on(async {
            let url = DatabaseUrl::SqliteFile(self.data.path("test.db"));
            let store = Store::open(StoreOptions::new(url, Timestamp::from_millis(0))).await;
            let store = store.unwrap();
            let found = unaudited(&store).await.unwrap();
            store.close().await;
            found
        });
        assert_eq!(found, Vec::<String>::new());
    }
}

/// What a person holds.
struct Held {
    access: String,
    refresh: String,
}

impl Held {
    fn new(server: &Server) -> Self {
        let (status, tokens) = server.sign_in("hana", "seven bridges");
        assert_eq!(status, 200, "{tokens}");
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }

    fn refresh(&self, server: &Server) -> (u16, Value) {
        server.form("/oauth2/token", &format!("{REFRESH}{}", self.refresh))
    }

    fn rename(&self, server: &Server, name: &str) -> (u16, Value) {
        let me = "/api/v1/users/me";
        server.call("PATCH", me, Some(&self.access), &json!({ "name": name }))
    }

    /// What writes is refused; what reads is not.
    fn meets(&self, server: &Server) {
        let out = "/api/v1/users/signout";
        for (what, answer) in [
            ("a sign-in", server.sign_in("hana", "seven bridges")),
            ("a wrong sign-in", server.sign_in("hana", "no such password")),
            ("a refresh", self.refresh(server)),
            ("a change of name", self.rename(server, "Nobody")),
            ("a sign-out", server.call("POST", out, Some(&self.access), &Value::Null)),
        ] {
            assert_eq!(answer.0, 503, "{what}: {}", answer.1);
        }
        let (status, me) = server.get("/api/v1/users/me", Some(&self.access));
        assert_eq!((status, &me["name"]), (200, &json!("Hana")), "{me}");
        assert_eq!(server.get("/.well-known/jwks.json", None).0, 200);
        assert_eq!(server.get("/.well-known/openid-configuration", None).0, 200);
        assert_eq!(server.get("/livez", None).0, 200);
        let (_, ready) = server.get("/readyz", None);
        assert_eq!(ready, json!({"status": "unavailable", "reasons": ["database"]}));
    }

    /// Nothing of what was refused has happened, and all of it happens now.
    fn goes_on(&self, server: &Server) {
        let (status, me) = server.get("/api/v1/users/me", Some(&self.access));
        assert_eq!((status, &me["name"]), (200, &json!("Hana")), "{me}");
        assert_eq!(self.rename(server, "Hana").0, 200);
        let (status, tokens) = self.refresh(server);
        assert_eq!(status, 200, "{tokens}");
        let successor = tokens["refresh_token"].as_str().unwrap().to_owned();
        let successor = Self { access: self.access.clone(), refresh: successor };
        assert_eq!(successor.refresh(server).0, 200);
        Self::new(server);
    }
}

fn for_a_while(fault: &str) {
    let disk = Disk::new();
    let mut server = disk.start();
    let held = Held::new(&server);
    assert_eq!(held.rename(&server, "Hana").0, 200);
    for _ in 0..2 {
        let held = Held::new(&server);
        disk.begin(fault);
        for _ in 0..3 {
            held.meets(&server);
        }
        disk.end(fault);
        // It finds out by itself that the disk takes writes again.
        server.until(|| server.get("/readyz", None).0 == 200);
        held.goes_on(&server);
    }
    held.goes_on(&server);
    server.end();
    disk.is_whole();
}

#[test]
fn ds_06_while_the_disk_is_full_nothing_is_half_written_and_then_all_goes_on() {
    for_a_while("full");
}

#[test]
fn ds_06_while_flushes_fail_nothing_is_said_to_be_done_and_then_all_goes_on() {
    for_a_while("failing");
}

/// What was written by halves when the space ended is nothing to the server that is started next.
#[test]
fn ds_06_a_server_that_is_killed_on_a_full_disk_starts_on_what_it_acknowledged() {
    let disk = Disk::new();
    let mut server = disk.start();
    let held = Held::new(&server);
    assert_eq!(held.rename(&server, "Hana").0, 200);
    disk.begin("full");
    held.meets(&server);
    server.signal("-KILL");
    disk.end("full");

    let mut server = disk.start();
    held.goes_on(&server);
    server.end();
    disk.is_whole();
}
