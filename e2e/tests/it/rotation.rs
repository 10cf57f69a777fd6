//! Verifiers that are not ours, before, during and after a key rotation: coreos/go-oidc and Spring
//! Security, each as a process that fetched our keys once and is not told of the new one.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use munjigi_e2e::{Dev, left_out, post, top};
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
            std::thread::sleep(std::time::Duration::from_millis(100));
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
