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
        "last_used_at",
        "purpose",
        "retires_at",
        "state",
        "withdrawn_at",
    ];
    assert_eq!(members, known);
}

const HERE: &[&str] = &["--output", "json", "--database", "sqlite:munjigi.db"];
const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn a_withdrawn_key_is_gone_from_a_running_server() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    let token = server.token("minji", "demo-minji");
    let kid = keys(&sandbox).iter().find(|key| key["algorithm"] == "ES256").unwrap()["kid"].clone();
    let kid = kid.as_str().unwrap();
    let withdraw = |kid: &str| {
        let sealing = ["--yes", "--encryption-key-file", "encryption.key"];
        sandbox.run(&[&["keys", "withdraw", kid][..], &sealing, HERE].concat())
    };
    withdraw("none").fails(1, "there is no signing key");
    withdraw("root").fails(1, "there is no signing key");
    let done = withdraw(kid).json();
    assert_eq!(done["was_withdrawn"], true);
    server.eventually("/api/v1/users/me", &token, 401);
    assert_eq!(states(&sandbox, "ES256"), ["destroyed", "active"]);
    let anew = server.token("minji", "demo-minji");
    assert_eq!(server.get("/api/v1/users/me", Some(&anew)).0, 200);
    assert_eq!(withdraw(kid).json()["was_withdrawn"], false);
}

#[test]
fn keys_are_sealed_anew_by_command_and_the_old_key_is_needed_no_more() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    // Made in the background: otherwise the command line makes it, under the other key.
    server.until(|| server.get("/.well-known/jwks.json", None).1.to_string().contains("RS256"));
    sandbox.write("next.key", OTHER_KEY);
    let reseal = |sealing: &[&str]| {
        sandbox.run(&[&["keys", "reseal", "--encryption-key-file"], sealing, HERE].concat())
    };
    reseal(&["next.key"]).fails(1, "does not open");
    let both = ["next.key", "--previous-encryption-key-file", "encryption.key"];
    let done = reseal(&both).json();
    assert!(done["sealed_anew"].as_u64().unwrap() >= 2, "{done}");
    assert_eq!(done["sealed_before"], 0);
    assert_eq!(reseal(&both).json()["sealed_anew"], 0);
    // The server that runs has only the old one, and goes on.
    let token = server.token("minji", "demo-minji");
    assert_eq!(server.get("/api/v1/users/me", Some(&token)).0, 200);
    drop(server);
    reseal(&["encryption.key"]).fails(1, "does not open");
    assert_eq!(reseal(&["next.key"]).json()["sealed_anew"], 0);
    std::fs::rename(sandbox.path("next.key"), sandbox.path("encryption.key")).unwrap();
    let server = sandbox.dev(&["--data", "."]);
    let (status, _) = server.get("/api/v1/users/me", Some(&server.token("minji", "demo-minji")));
    assert_eq!(status, 200);
}

#[test]
fn an_api_is_given_a_secret_that_is_told_once() {
    let sandbox = Sandbox::new();
    drop(sandbox.dev(&["--data", "."]));
    let verb =
        |words: &[&str], further: &[&str]| sandbox.run(&[&["apis"], words, further, HERE].concat());
    let sealing = ["--encryption-key-file", "encryption.key"];
    verb(&["create", "urn:shares"], &[]).json();
    verb(&["share-secret", "urn:none"], &sealing).fails(1, "there is no API");
    let told = verb(&["share-secret", "urn:shares", "--now"], &sealing).json();
    assert!(told["secret"].as_str().unwrap().starts_with("mj_hs_"));
    assert_eq!(told["state"], "active");
    let next = verb(&["share-secret", "urn:shares"], &sealing).json();
    assert_eq!(next["state"], "pending");
    verb(&["share-secret", "urn:shares"], &sealing).fails(1, "two secrets are taken");
    let listed = verb(&["secrets", "urn:shares"], &[]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("mj_hs_"));
    verb(&["unshare-secret", "urn:shares", "--yes"], &[]).json();
    let listed = verb(&["secrets", "urn:shares"], &[]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
}
