//! `munjigi audit`.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::{Done, Sandbox, Server};

/// A server that has signed what happened so far.
fn signing(sandbox: &Sandbox) -> Server {
    let server = sandbox.dev(&["--data", "."]);
    server.token("minji", "demo-minji");
    assert_eq!(server.sign_in("minji", "wrong password").0, 401);
    server.until(|| {
        let shown = audit(sandbox, &["checkpoint", "--output", "json"]);
        shown.code == 0 && shown.json()["waiting"] == 0 && shown.json()["size"].as_i64() > Some(5)
    });
    server
}

fn audit(sandbox: &Sandbox, args: &[&str]) -> Done {
    sandbox.run(&[&["audit", "--database", "sqlite:munjigi.db"], args].concat())
}

fn events(done: &Done) -> Vec<Value> {
    done.json()["items"].as_array().unwrap().clone()
}

#[test]
fn events_are_found_by_each_of_their_words_page_by_page() {
    let sandbox = Sandbox::new();
    let _server = signing(&sandbox);
    let search =
        |args: &[&str]| events(&audit(&sandbox, &[&["search", "--output", "json"], args].concat()));
    let all = search(&[]);
    assert!(all.len() > 5);
    let refused = search(&["--kind", "sign_in_refused"]);
    assert_eq!((refused.len(), &refused[0]["outcome"]), (1, &Value::from("refused")));
    let subject = refused[0]["subject"].as_str().unwrap();
    for (args, at_least) in [
        (&["--subject", subject][..], 2),
        (&["--outcome", "refused"], 1),
        (&["--address", "127.0.0.1"], 2),
        (&["--since", "1h"], 5),
        (&["--until", "2020-01-01T00:00:00Z"], 0),
        (&["--subject", subject, "--outcome", "succeeded", "--actor", subject], 1),
        (&["--client", "no-such-client"], 0),
    ] {
        let found = search(args);
        assert!(found.len() >= at_least && (at_least > 0 || found.is_empty()), "{args:?}");
    }
    let first = audit(&sandbox, &["search", "--limit", "2", "--output", "json"]).json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(search(&["--limit", "2", "--after", next])[0], all[2]);
    let newest = events(&audit(&sandbox, &["tail", "--lines", "3", "--output", "json"]));
    assert_eq!(newest, all[..3].iter().rev().cloned().collect::<Vec<_>>());

    audit(&sandbox, &["search", "--kind", "nothing"]).fails(2, "is no kind of event");
    audit(&sandbox, &["search", "--since", "yesterday"]).fails(2, "is a time");
    audit(&sandbox, &["search", "--after", "x!"]).fails(2, "not a cursor");
}

#[test]
fn a_trail_is_exported_proved_verified_and_erased() {
    let sandbox = Sandbox::new();
    let server = signing(&sandbox);
    let found = audit(&sandbox, &["search", "--kind", "sign_in_refused", "--output", "json"]);
    let event = events(&found).remove(0);
    let key = audit(&sandbox, &["checkpoint", "--output", "json"]).json();
    let vkey = key["vkey"].as_str().unwrap().parse::<munjigi_audit::VerifierKey>().unwrap();
    sandbox.write("kept", &audit(&sandbox, &["checkpoint"]).stdout);

    let verified = audit(&sandbox, &["verify", "--since", "kept", "--output", "json"]).json();
    assert_eq!((&verified["holds"], &verified["erased"]), (&true.into(), &0.into()));
    let exported = audit(&sandbox, &["export", "log"]);
    assert!(exported.stdout.contains("munjigi-audit verify"), "{exported:?}");
    let log = munjigi_audit::Directory::new(sandbox.path("log"));
    let holds = munjigi_audit::verify(&log, &vkey).unwrap();
    assert_eq!(i64::try_from(holds.checkpoint.size).ok(), key["size"].as_i64());

    let proof = audit(&sandbox, &["prove", event["id"].as_str().unwrap()]).stdout;
    let proof = munjigi_audit::Proof::parse(&proof).unwrap();
    assert_eq!(proof.check(&vkey).map(|checkpoint| checkpoint.size), Ok(holds.checkpoint.size));
    let nobody = "00000000-0000-7000-8000-000000000000";
    audit(&sandbox, &["prove", nobody]).fails(3, "there is no signed event");

    let subject = event["subject"].as_str().unwrap();
    let erased = audit(&sandbox, &["erase", subject, "--yes", "--output", "json"]).json();
    assert!(erased["events"].as_i64() > Some(1));
    let again = audit(&sandbox, &["search", "--kind", "sign_in_refused", "--output", "json"]);
    let again = events(&again).remove(0);
    assert_eq!((&again["address"], &again["detail"]), (&Value::Null, &serde_json::json!({})));
    let verified = audit(&sandbox, &["verify", "--since", "kept"]);
    assert!(verified.stdout.starts_with("ok: "), "{verified:?}");

    // Another key is not this trail's.
    let other = munjigi_audit::Signer::from_seed(vkey.name(), &[1; 32]).unwrap().verifier();
    let refused = audit(&sandbox, &["verify", "--vkey", &other.to_string()]);
    refused.fails(6, "no signature of the trusted key");
    drop(server);
}

/// A running `munjigi audit tail --follow`.
struct Tail {
    child: Child,
    lines: Receiver<Value>,
}

impl Tail {
    /// One that tells this many events of before.
    fn start(sandbox: &Sandbox, lines: &str) -> Self {
        let args = ["audit", "--database", "sqlite:munjigi.db", "tail", "--follow", "--lines"];
        let mut child = sandbox.command(&[&args[..], &[lines]].concat()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whoever listens no longer has seen enough: the pipe is closed then.
                if said.send(serde_json::from_str(&line).unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("another event")
    }

    /// Waits for its end, which comes by itself.
    fn end(mut self) -> ExitStatus {
        let Self { child, lines } = &mut self;
        *lines = channel().1;
        for _ in 0..600 {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        panic!("it does not end");
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// While a server writes, another process is told of each event once, in the order of `search`, and
/// goes on until it is interrupted or nobody reads what it says.
#[test]
fn who_follows_the_trail_is_told_of_each_event_once_until_they_have_seen_enough() {
    let sandbox = Sandbox::new();
    let server = signing(&sandbox);
    let before = audit(&sandbox, &["tail", "--lines", "2", "--output", "json"]);
    let mut tail = Tail::start(&sandbox, "2");
    let mut told: Vec<Value> = (0..2).map(|_| tail.next()).collect();
    assert_eq!(told, events(&before), "it begins with the newest of before");
    assert!(tail.lines.try_recv().is_err(), "nothing happened");

    for number in 0..12 {
        let password = if number % 4 == 0 { "demo-minji" } else { "wrong password" };
        assert_eq!(server.sign_in("minji", password).0, if number % 4 == 0 { 200 } else { 401 });
    }
    told.extend((0..12).map(|_| tail.next()));
    assert_eq!(server.sign_in("jun", "demo-jun").0, 200);
    told.push(tail.next());
    let mut all = events(&audit(&sandbox, &["search", "--limit", "15", "--output", "json"]));
    all.reverse();
    assert_eq!(told, all, "each once, in order, none left out");
    let refused = told.iter().filter(|event| event["kind"] == "sign_in_refused").count();
    assert!(refused >= 9, "{told:?}");

    // Interrupted, it is gone at once.
    let id = tail.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(tail.child.wait().unwrap().signal(), Some(2));

    // Nobody reads any more: the next event ends it.
    let tail = Tail::start(&sandbox, "1");
    assert_eq!(tail.next(), told[14]);
    let enough = std::thread::spawn(move || tail.end());
    while !enough.is_finished() {
        server.sign_in("minji", "demo-minji");
        std::thread::park_timeout(Duration::from_millis(300));
    }
    assert!(enough.join().unwrap().success());
}

/// A page of events is 200: whatever comes between two looks is more than one.
#[test]
fn who_follows_the_trail_misses_nothing_however_much_happens_between_two_looks() {
    let sandbox = Sandbox::new();
    let server = signing(&sandbox);
    let tail = Tail::start(&sandbox, "1");
    tail.next();
    let id = tail.child.id().to_string();
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, id.as_str()]).status().unwrap().success());
    };
    signal("-STOP");
    const MANY: usize = 450;
    let guess = "grant_type=client_credentials&client_id=web&client_secret=wrong";
    for _ in 0..MANY {
        assert_eq!(server.form("/oauth2/token", guess).0, 401);
    }
    signal("-CONT");
    let told: Vec<Value> = (0..MANY).map(|_| tail.next()).collect();
    assert!(told.iter().all(|event| event["kind"] == "client_refused"), "{:?}", told[0]);
    let ids: std::collections::BTreeSet<_> = told.iter().map(|it| it["id"].to_string()).collect();
    assert_eq!(ids.len(), MANY);
    assert_eq!(server.sign_in("jun", "demo-jun").0, 200);
    assert_eq!(tail.next()["kind"], "signed_in", "and nothing twice");
}

#[test]
fn nothing_is_said_of_a_trail_that_nobody_signed() {
    let sandbox = Sandbox::new();
    audit(&sandbox, &["verify"]).fails(6, "no checkpoint was signed yet");
    audit(&sandbox, &["export", "log"]).fails(6, "no checkpoint was signed yet");
    assert!(!sandbox.path("log").exists());
    assert_eq!(audit(&sandbox, &["search"]).code, 0);
}
