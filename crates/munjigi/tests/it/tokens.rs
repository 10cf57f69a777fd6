//! `munjigi tokens`.

use serde_json::Value;

use crate::sandbox::{Done, Sandbox, Server};

struct Signed {
    sandbox: Sandbox,
    server: Server,
    token: String,
}

fn signed_in() -> Signed {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    let token = server.token("minji", "demo-minji");
    let (_, jwks) = server.get("/.well-known/jwks.json", None);
    sandbox.write("jwks.json", &jwks.to_string());
    Signed { sandbox, server, token }
}

impl Signed {
    fn verify(&self, token: &str, issuer: &str, audience: &str, args: &[&str]) -> Done {
        let verb = ["tokens", "verify", "--issuer", issuer, "--audience", audience];
        self.sandbox.run_with(token, &[&verb[..], args, &["--output", "json"]].concat())
    }
}

const OFFLINE: &[&str] = &["--jwks", "jwks.json"];
const BY_DATABASE: &[&str] = &["--database", "sqlite:munjigi.db"];

#[test]
fn a_token_is_decoded_from_standard_input_or_a_file_and_said_not_to_be_verified() {
    let it = signed_in();
    let file = it.sandbox.write("token", &format!("{}\n", it.token));
    for args in [vec![], vec!["-"], vec![file.to_str().unwrap()]] {
        let verb = ["tokens", "decode", "--output", "json"];
        let done = it.sandbox.run_with(&it.token, &[&verb[..], &args].concat());
        let shown = done.json();
        assert_eq!(shown["verified"], false);
        assert_eq!(shown["header"]["typ"], "at+jwt");
        assert_eq!(shown["claims"]["iss"], it.server.url.as_str());
    }
    let table = it.sandbox.run_with(&it.token, &["tokens", "decode"]);
    table.fails(0, "NOT VERIFIED");
    assert!(table.stdout.contains("not verified") && table.stdout.contains("exp is 20"));
}

#[test]
fn a_token_is_not_taken_as_an_argument() {
    let it = signed_in();
    let done = it.sandbox.run(&["tokens", "decode", &it.token]);
    done.fails(2, "a token is a secret");
    assert!(!done.stderr.contains(&it.token));
}

#[test]
fn what_is_no_token_is_refused_by_its_code() {
    let sandbox = Sandbox::new();
    for (text, code) in [
        ("", "malformed"),
        ("a.b", "malformed"),
        ("e30.e30", "malformed"),
        ("e30.?.x", "bad_base64"),
        ("W10.e30.x", "bad_json"),
        (&"a".repeat(9_000), "too_large"),
    ] {
        sandbox.run_with(text, &["tokens", "decode"]).fails(6, code);
    }
    sandbox.run(&["tokens", "decode", "nowhere"]).fails(3, "nowhere");
}

#[test]
fn a_token_that_holds_is_said_to_by_a_file_of_keys_and_by_the_database() {
    let it = signed_in();
    let issuer = it.server.url.clone();
    for keys in [OFFLINE, BY_DATABASE] {
        let shown = it.verify(&it.token, &issuer, &issuer, keys).json();
        assert_eq!(shown["valid"], true);
        assert_eq!(shown["claims"]["iss"], issuer.as_str());
    }
}

#[test]
fn a_token_that_does_not_hold_ends_with_six_and_a_stable_code() {
    let it = signed_in();
    let issuer = it.server.url.clone();
    let code = |done: Done| -> Value {
        let shown = done.json_with(6);
        assert_eq!(shown["valid"], false);
        shown["code"].clone()
    };
    for keys in [OFFLINE, BY_DATABASE] {
        let other = "https://other.example";
        assert_eq!(code(it.verify(&it.token, other, &issuer, keys)), "wrong_issuer");
        assert_eq!(code(it.verify(&it.token, &issuer, other, keys)), "wrong_audience");
        assert_eq!(code(it.verify("a.b.c", &issuer, &issuer, keys)), "bad_base64");
        let (start, signature) = it.token.rsplit_once('.').unwrap();
        let changed = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{start}.{changed}{}", &signature[1..]);
        assert_eq!(code(it.verify(&forged, &issuer, &issuer, keys)), "bad_signature");
        let typ = [keys, &["--typ", "JWT"]].concat();
        assert_eq!(code(it.verify(&it.token, &issuer, &issuer, &typ)), "wrong_typ");
    }
    let table = ["tokens", "verify", "--issuer", "x", "--audience", "y", "--jwks", "jwks.json"];
    let done = it.sandbox.run_with(&it.token, &table);
    assert_eq!((done.code, done.stdout.starts_with("refused: wrong_issuer")), (6, true));
}

#[test]
fn a_revoked_token_is_known_to_the_database() {
    let it = signed_in();
    let issuer = it.server.url.clone();
    let (status, _) =
        it.server.call("POST", "/api/v1/users/signout", Some(&it.token), &Value::Null);
    assert_eq!(status, 204);
    let shown = it.verify(&it.token, &issuer, &issuer, BY_DATABASE).json_with(6);
    assert_eq!(shown["code"], "revoked");
}

#[test]
fn verifying_needs_an_issuer_an_audience_and_keys() {
    let sandbox = Sandbox::new();
    sandbox.run(&["tokens", "verify"]).fails(2, "--issuer");
    sandbox.run(&["tokens", "verify", "--issuer", "x"]).fails(2, "--audience");
    let both = ["tokens", "verify", "--issuer", "x", "--audience", "y", "--jwks", "a"];
    sandbox.run(&[&both[..], BY_DATABASE].concat()).fails(2, "cannot be used with");
    sandbox.run_with("a.b.c", &both).fails(3, "a: ");
    sandbox.write("a", "{}");
    sandbox.run_with("a.b.c", &both).fails(2, "no set of public keys");
}
