//! `munjigi keys`.

use munjigi_token::base64url;
use serde_json::Value;

use crate::sandbox::Sandbox;

fn keys(sandbox: &Sandbox) -> Vec<Value> {
    let listed =
        sandbox.run(&["keys", "list", "--output", "json", "--database", "sqlite:munjigi.db"]);
    listed.json()["items"].as_array().unwrap().clone()
}

fn states(sandbox: &Sandbox, algorithm: &str) -> Vec<String> {
    let of = keys(sandbox).into_iter().filter(|key| key["algorithm"] == algorithm);
    of.map(|key| key["state"].as_str().unwrap().to_owned()).collect()
}

const ROTATE: &[&str] = &[
    "keys",
    "rotate",
    "--output",
    "json",
    "--database",
    "sqlite:munjigi.db",
    "--encryption-key-file",
    "encryption.key",
];

#[test]
fn a_key_is_published_a_day_before_it_signs_or_signs_at_once() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    assert_eq!(states(&sandbox, "ES256"), ["active"]);

    let next = sandbox.run(ROTATE).json();
    assert_eq!(next["state"], "pending");
    assert!(next["activates_at"].as_str().unwrap() > next["created_at"].as_str().unwrap());
    assert_eq!(states(&sandbox, "ES256"), ["active", "pending"]);
    let published = || {
        let (_, jwks) = server.get("/.well-known/jwks.json", None);
        let keys = jwks["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    server.until(|| published().contains(&next["kid"].as_str().unwrap().to_owned()));

    let token = server.token("minji", "demo-minji");
    let at_once = sandbox.run(&[ROTATE, &["--now"]].concat()).json();
    assert_eq!(at_once["state"], "active");
    server.until(|| published().contains(&at_once["kid"].as_str().unwrap().to_owned()));
    assert_eq!(server.get("/api/v1/users/me", Some(&token)).0, 200, "it was signed before");
    server.token("minji", "demo-minji");

    let other = sandbox.run(&[ROTATE, &["--algorithm", "EdDSA", "--now"]].concat()).json();
    assert_eq!(other["algorithm"], "EdDSA");
    sandbox.run(&[ROTATE, &["--algorithm", "HS256"]].concat()).fails(2, "invalid value");
}

/// The command line can ask for an algorithm without the key that seals others: a server makes it.
#[test]
fn a_running_server_makes_the_key_of_an_algorithm_that_a_client_is_told_to_ask_for() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    assert!(states(&sandbox, "PS256").is_empty());

    let metadata = r#"{"id_token_signed_response_alg": "PS256", "claim_profile": "hasura"}"#;
    let update = ["clients", "update", "first-party", "--metadata", metadata];
    let here = ["--output", "json", "--database", "sqlite:munjigi.db"];
    let changed = sandbox.run(&[&update[..], &here[..]].concat()).json();
    assert_eq!(changed["metadata"]["id_token_signed_response_alg"], "PS256");

    server.until(|| states(&sandbox, "PS256") == ["active"]);
    let said = server.token("minji", "demo-minji");
    let payload = base64url::decode(said.split('.').nth(1).unwrap()).unwrap();
    let said: Value = serde_json::from_slice(&payload).unwrap();
    let words = &said["https://hasura.io/jwt/claims"];
    assert_eq!(words["x-hasura-user-id"], said["sub"]);
    assert_eq!(words["x-hasura-default-role"], "user");
    let next = sandbox.run(&[ROTATE, &["--algorithm", "PS256"]].concat()).json();
    assert_eq!(next["state"], "pending", "the first one signs meanwhile");
    // Of an algorithm that nobody has asked for yet, the first one does not wait.
    let first = sandbox.run(&[ROTATE, &["--algorithm", "EdDSA"]].concat()).json();
    assert_eq!(first["state"], "active");
}

#[test]
fn a_key_is_made_with_the_key_encryption_key_and_with_no_other() {
    let sandbox = Sandbox::new();
    drop(sandbox.dev(&["--data", "."]));
    let before = keys(&sandbox);
    let rotate = ["keys", "rotate", "--database", "sqlite:munjigi.db"];
    sandbox.run(&rotate).fails(2, "keys.encryption_key_file");
    sandbox.write("other.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let wrong = sandbox.run(&[&rotate[..], &["--encryption-key-file", "other.key"]].concat());
    wrong.fails(1, "does not open");
    assert_eq!(keys(&sandbox), before);
}

#[test]
fn no_private_half_is_listed() {
    let sandbox = Sandbox::new();
    drop(sandbox.dev(&["--data", "."]));
    let all = keys(&sandbox);
    let members: Vec<_> = all[0].as_object().unwrap().keys().cloned().collect();
    let known = [
        "activates_at",
        "algorithm",
        "created_at",
        "destroyed_at",
        "kid",
        "purpose",
        "retires_at",
        "state",
    ];
    assert_eq!(members, known);
}
