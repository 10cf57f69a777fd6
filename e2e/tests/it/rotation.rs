//! Verifiers in processes of their own before, during and after a key rotation: coreos/go-oidc,
//! Spring Security, PyJWT, jose and our own, each of which fetched our keys once and is not told of
//! the new one; and what becomes of tokens whose key is withdrawn.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use munjigi_e2e::{Dev, Running, get, left_out, planner, planner_following, post, skipped, top};
use serde_json::{Value, json};

const PLANNER: &str = "http://localhost:8001";

/// A verifier that answers one line for each token.
struct Verifier {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Verifier {
    fn start(command: &mut Command, issuer: &str) -> Self {
        let command = command.args([issuer, PLANNER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut verifier = Self { child, input, output };
        assert_eq!(verifier.line(), "ready");
        verifier
    }

    fn line(&mut self) -> String {
        self.output.next().expect("the verifier ended").unwrap()
    }

    fn verdict(&mut self, token: &str) -> String {
        writeln!(self.input, "{token}").unwrap();
        self.line()
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn access_token(dev: &Dev) -> String {
    let body = json!({"username": "minji", "password": "demo-minji"});
    let url = format!("{}/api/v1/users/signin", dev.issuer);
    post(&url, &body, None).expect(200).text("access_token")
}

fn key_id(token: &str) -> String {
    let dev = munjigi_e2e::built("munjigi");
    let mut command = Command::new(dev);
    let command = command.args(["tokens", "decode", "-", "--output", "json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let decoded: Value = serde_json::from_slice(&output.stdout).unwrap();
    decoded["header"]["kid"].as_str().unwrap().to_owned()
}

/// A token whose signature was changed by one letter.
fn forged(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let changed = if signature.starts_with('A') { "B" } else { "A" };
    format!("{head}.{changed}{}", &signature[1..])
}

/// `oidcc-server-rotate-keys`: what was issued under the old key is taken until it expires, and
/// what is issued under the new one at once.
fn rotates(command: &mut Command) {
    let dev = Dev::start();
    let before = access_token(&dev);
    let mut verifier = Verifier::start(command, &dev.issuer);
    assert!(verifier.verdict(&before).starts_with("ok "));
    assert_eq!(verifier.verdict(&forged(&before)), "refused");

    let key = dev.data.path().join("encryption.key");
    dev.cli(&["keys", "rotate", "--now", "--encryption-key-file", key.to_str().unwrap()]);
    let after = (0..100)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            access_token(&dev)
        })
        .find(|token| key_id(token) != key_id(&before))
        .expect("the running server takes the new key");

    assert!(verifier.verdict(&after).starts_with("ok "), "a token of the new key");
    assert!(verifier.verdict(&before).starts_with("ok "), "a token of the old key");
    assert_eq!(verifier.verdict(&forged(&after)), "refused");
}

#[test]
fn go_oidc_follows_a_key_rotation() {
    let program = top().join("target/e2e-go/verifier");
    if !program.exists() {
        return left_out("target/e2e-go is not there: no Go, or `cargo xtask test` did not run");
    }
    rotates(&mut Command::new(program));
}

#[test]
fn spring_security_follows_a_key_rotation() {
    let folder = top().join("target/e2e-spring");
    if !folder.join("verifier-1.jar").exists() {
        return left_out(
            "target/e2e-spring is not there: no Maven, or `cargo xtask test` did not run",
        );
    }
    let places = [folder.join("verifier-1.jar"), folder.join("dependency/*")];
    let places = places.map(|place| place.display().to_string()).join(":");
    rotates(Command::new("java").args(["-cp", &places, "verifier.Main"]));
}

/// Rotates, as an operator does; the `kid` of the key that signs next.
fn rotate(dev: &Dev, further: &[&str]) -> String {
    let key = dev.data.path().join("encryption.key");
    let key = key.to_str().unwrap();
    let rotate = ["keys", "rotate", "--output", "json", "--encryption-key-file", key];
    let made: Value = serde_json::from_str(&dev.cli(&[&rotate, further].concat())).unwrap();
    made["kid"].as_str().unwrap().to_owned()
}

/// How many verifications a second each verifier gets.
const RATE: u32 = 20;

/// Who verifies: ours, which is asked over HTTP, or another one.
enum Place {
    Planner(Running),
    Other(Verifier),
}

impl Place {
    fn verdict(&mut self, token: &str) -> String {
        match self {
            Self::Other(verifier) => verifier.verdict(token),
            Self::Planner(planner) => {
                let answer = get(&format!("{}/protected", planner.url()), Some(token));
                if answer.status == 200 { "ok ".to_owned() } else { answer.body }
            }
        }
    }

    /// Verifies what is newest and what is older by turns, each when it is due: so many times, and
    /// without a pause where the machine is late. What was refused.
    fn verify(&mut self, fresh: &RwLock<String>, before: &str, times: u32) -> Vec<String> {
        let began = Instant::now();
        let mut refused = Vec::new();
        for time in 0..times {
            let due = began + Duration::from_secs(1) / RATE * time;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let fresh = fresh.read().unwrap().clone();
            let said = self.verdict(if time % 2 == 0 { &fresh } else { before });
            refused.extend(Some(said).filter(|said| !said.starts_with("ok ")));
        }
        refused
    }
}

/// Every verifier under one load.
struct Load {
    places: Vec<Place>,
    /// How many verifications each of them has done.
    verified: u32,
    refused: Vec<String>,
}

impl Load {
    /// Verifies fresh tokens, and one of before, for so many seconds: at least [`RATE`] a second at
    /// each verifier, side by side. How many a second it were.
    fn run(&mut self, dev: &Dev, before: &str, seconds: u32) -> f64 {
        let (fresh, ends) = (RwLock::new(access_token(dev)), AtomicBool::new(false));
        let (began, times) = (Instant::now(), RATE * seconds);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let token = access_token(dev);
                    *fresh.write().unwrap() = token;
                    std::thread::sleep(Duration::from_millis(500));
                }
            });
            let verify = |place| scope.spawn(|| Place::verify(place, &fresh, before, times));
            let all: Vec<_> = self.places.iter_mut().map(verify).collect();
            let all: Vec<_> = all.into_iter().map(|one| one.join()).collect();
            let took = began.elapsed().as_secs_f64();
            ends.store(true, Ordering::Relaxed);
            for (which, refused) in all.into_iter().enumerate() {
                self.refused.extend(refused.unwrap().iter().map(|said| format!("{which}: {said}")));
            }
            self.verified += times;
            f64::from(times) / took
        })
    }
}

/// A key that was published before it signs, and then one that nobody has seen: what was issued
/// under each is taken by all of them all the time.
#[test]
fn no_verification_fails_while_keys_are_rotated_under_load() {
    let (python, modules) =
        (top().join("target/e2e-python/bin/python"), top().join("target/e2e-node"));
    if !python.exists() || !modules.join("node_modules/jose").exists() {
        return skipped(
            "target/e2e-python or e2e-node is not there; `cargo xtask test` makes them",
        );
    }
    let dev = Dev::start();
    let planner = planner(&dev.issuer, PLANNER, 30);
    let clients = top().join("e2e/clients");
    let node_path = modules.join("node_modules");
    let others = [
        Verifier::start(
            Command::new(python).arg(clients.join("python/pyjwt_verifier.py")),
            &dev.issuer,
        ),
        Verifier::start(
            Command::new("node")
                .env("NODE_PATH", node_path)
                .arg(clients.join("node/jose-verifier.cjs")),
            &dev.issuer,
        ),
    ];
    let first = access_token(&dev);
    let mut places = vec![Place::Planner(planner)];
    places.extend(others.map(Place::Other));
    let mut load = Load { places, verified: 0, refused: Vec::new() };
    // Ours asks for an unknown key at most every ten seconds.
    let pause = 11;
    rotate(&dev, &[]);
    let mut rates = vec![load.run(&dev, &first, pause)];
    let spare = rotate(&dev, &["--now"]);
    rates.push(load.run(&dev, &first, pause));
    let second = access_token(&dev);
    assert_eq!(key_id(&second), spare, "the key that waited signs");
    let fresh = rotate(&dev, &["--now"]);
    rates.push(load.run(&dev, &second, 5));
    assert_eq!(key_id(&access_token(&dev)), fresh);
    assert_ne!(fresh, spare);

    assert_eq!(load.refused, Vec::<String>::new());
    assert_eq!((load.places.len(), load.verified), (3, RATE * (11 + 11 + 5)));
    println!("{} verifications at each of three, {rates:.1?} a second", load.verified);
    // The harness notices a token that does not hold.
    load.run(&dev, &forged(&first), 1);
    assert_eq!(load.refused.len(), 3 * 10, "{:?}", load.refused);
}

/// A resource server that follows the feed refuses what a withdrawn key signed, what it verified
/// before included; whoever holds a refresh token goes on.
#[test]
fn the_planner_refuses_the_tokens_of_a_withdrawn_key_within_a_second() {
    let dev = Dev::start();
    let planner = planner_following(&dev, PLANNER);
    let protected = format!("{}/protected", planner.url());
    let signed_in = json!({"username": "minji", "password": "demo-minji"});
    let tokens = post(&format!("{}/api/v1/users/signin", dev.issuer), &signed_in, None);
    let tokens = tokens.expect(200);
    let access = tokens.text("access_token");
    for _ in 0..3 {
        get(&protected, Some(&access)).expect(200);
    }

    let key = dev.data.path().join("encryption.key");
    let sealing = ["--encryption-key-file", key.to_str().unwrap()];
    let kid = key_id(&access);
    dev.cli(&[&["keys", "withdraw", &kid, "--yes"][..], &sealing].concat());
    let acknowledged = Instant::now();
    let answer = loop {
        let answer = get(&protected, Some(&access));
        if answer.status != 200 {
            break answer;
        }
        assert!(acknowledged.elapsed() < Duration::from_secs(20), "it still passes");
    };
    let took = acknowledged.elapsed();
    assert_eq!(answer.expect(401).text("code"), "revoked");
    println!("refused {took:?} after the withdrawal");

    let anew = access_token(&dev);
    assert_ne!(key_id(&anew), kid);
    get(&protected, Some(&anew)).expect(200);
    get(&protected, Some(&access)).expect(401);
    let me = format!("{}/api/v1/users/me", dev.issuer);
    get(&me, Some(&access)).expect(401);
    get(&me, Some(&anew)).expect(200);
}
