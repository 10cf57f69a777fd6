//! `munjigi clients`.

use serde_json::{Value, json};

use crate::sandbox::{Done, Sandbox};

fn create(sandbox: &Sandbox, args: &[&str]) -> Done {
    sandbox.verb(&[&["clients", "create"], args].concat())
}

fn cron(sandbox: &Sandbox) -> Value {
    create(sandbox, &["--name", "Cron", "--id", "cron", "--grant-type", "client_credentials"])
        .json()
}

#[test]
fn a_confidential_client_gets_a_secret_that_is_never_shown_again() {
    let sandbox = Sandbox::new();
    let made = create(
        &sandbox,
        &[
            "--name",
            "Web",
            "--grant-type",
            "authorization_code",
            "--grant-type",
            "refresh_token",
            "--redirect-uri",
            "https://app.example/cb",
            "--auth-method",
            "client_secret_post",
            "--scope",
            "openid profile",
            "--audience",
            "https://api.example",
            "--pkce",
            "optional",
        ],
    );
    let made = made.json();
    let secret = made["client_secret"].as_str().unwrap();
    assert!(secret.starts_with("mj_cs_") && secret.len() > 40);
    let id = made["client_id"].as_str().unwrap();

    let shown = sandbox.verb(&["clients", "show", id]);
    assert!(!shown.stdout.contains(secret));
    let shown = shown.json();
    assert!(shown.get("client_secret").is_none());
    assert_eq!(shown["token_endpoint_auth_method"], "client_secret_post");
    assert_eq!(shown["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(shown["redirect_uris"], json!(["https://app.example/cb"]));
    assert_eq!(shown["scope"], "openid profile");
    assert_eq!(shown["audiences"], json!(["https://api.example"]));
    assert_eq!(shown["pkce"], "optional");
    assert_eq!(shown["first_party"], false);
}

#[test]
fn a_public_client_has_no_secret_to_show_or_to_rotate() {
    let sandbox = Sandbox::new();
    let args =
        ["--name", "App", "--id", "app", "--grant-type", "password", "--auth-method", "none"];
    let made = create(&sandbox, &[&args[..], &["--first-party"]].concat()).json();
    assert_eq!(made["client_id"], "app");
    assert_eq!(made["client_secret"], Value::Null);
    assert_eq!(made["first_party"], true);
    sandbox.verb(&["clients", "rotate-secret", "app"]).fails(5, "has no secret");
}

#[test]
fn a_registration_that_contradicts_itself_is_refused() {
    let sandbox = Sandbox::new();
    let refused = |args: &[&str], why: &str| create(&sandbox, args).fails(6, why);
    refused(&["--name", "A", "--grant-type", "password"], "first-party clients only");
    refused(&["--name", "A", "--grant-type", "authorization_code"], "redirect URI");
    let public = ["--name", "A", "--grant-type", "client_credentials", "--auth-method", "none"];
    refused(&public, "proves itself");
    for wrong in [
        vec!["--name", "A"],
        vec!["--grant-type", "password"],
        vec!["--name", "A", "--grant-type", "implicit"],
        vec!["--name", "A", "--grant-type", "password", "--auth-method", "secret"],
        vec!["--name", "A", "--grant-type", "password", "--redirect-uri", "http://app.example/cb"],
        vec!["--name", "A", "--grant-type", "password", "--audience", "planner"],
        vec!["--name", "A", "--grant-type", "password", "--scope", "a  b"],
        vec!["--name", "A", "--grant-type", "password", "--pkce", "no"],
        vec!["--name", "", "--grant-type", "password"],
    ] {
        assert_eq!(create(&sandbox, &wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_client_that_signs_has_keys_and_is_told_no_secret() {
    let sandbox = Sandbox::new();
    let signing = ["--name", "A", "--id", "bank", "--grant-type", "client_credentials"];
    let signing = [&signing[..], &["--auth-method", "private_key_jwt"]].concat();
    create(&sandbox, &signing).fails(6, "needs jwks or jwks_uri");
    let metadata = r#"{"jwks_uri": "https://bank.example/jwks", "dpop_bound_access_tokens": true}"#;
    let made = create(&sandbox, &[&signing[..], &["--metadata", metadata]].concat()).json();
    assert_eq!(made["client_secret"], Value::Null);
    assert_eq!(made["metadata"], serde_json::from_str::<Value>(metadata).unwrap());
    assert_eq!(made["origin"], "made");
    sandbox.verb(&["clients", "rotate-secret", "bank"]).fails(5, "has no secret");

    let update = |metadata| sandbox.verb(&["clients", "update", "bank", "--metadata", metadata]);
    update("{}").fails(6, "needs jwks or jwks_uri");
    let other = r#"{"jwks_uri": "https://bank.example/keys"}"#;
    let updated = update(other).json();
    assert_eq!(updated["metadata"], serde_json::from_str::<Value>(other).unwrap());
    for bad in ["[]", "{", r#"{"jwks_uri": "javascript:alert(1)"}"#, r#"{"contacts": 7}"#] {
        assert_eq!(update(bad).code, 2, "{bad}");
    }
}

#[test]
fn an_id_belongs_to_one_client() {
    let sandbox = Sandbox::new();
    cron(&sandbox);
    let again = ["--name", "B", "--id", "cron", "--grant-type", "client_credentials"];
    create(&sandbox, &again).fails(5, "`cron` already");
    for verb in ["show", "disable", "enable", "delete", "rotate-secret"] {
        sandbox.verb(&["clients", verb, "nobody"]).fails(3, "there is no client `nobody`");
    }
}

#[test]
fn a_client_is_disabled_enabled_listed_and_deleted() {
    let sandbox = Sandbox::new();
    cron(&sandbox);
    assert!(sandbox.verb(&["clients", "disable", "cron"]).json()["disabled_at"].is_string());
    assert!(sandbox.verb(&["clients", "enable", "cron"]).json()["disabled_at"].is_null());
    let listed = sandbox.verb(&["clients", "list"]).json();
    assert_eq!(listed["items"][0]["client_id"], "cron");
    assert_eq!(sandbox.verb(&["clients", "delete", "cron"]).json()["client_id"], "cron");
    assert_eq!(sandbox.verb(&["clients", "list"]).json()["items"], json!([]));
}

#[test]
fn a_rotated_secret_overlaps_unless_somebody_else_knows_it() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    let verb = |args: &[&str]| {
        let rest = ["--database", "sqlite:munjigi.db", "--output", "json"];
        sandbox.run(&[args, &rest].concat()).json()
    };
    let create = ["clients", "create", "--name", "Cron", "--id", "cron", "--auth-method"];
    let more = ["client_secret_post", "--grant-type", "client_credentials"];
    let first = verb(&[&create[..], &more].concat());
    let works = |secret: &Value| {
        let secret = secret["client_secret"].as_str().unwrap();
        let form = format!("grant_type=client_credentials&client_id=cron&client_secret={secret}");
        server.form("/oauth2/token", &form)
    };
    server.until(|| works(&first).0 == 200);

    let second = verb(&["clients", "rotate-secret", "cron"]);
    server.until(|| works(&second).0 == 200);
    assert_eq!(works(&first).0, 200, "the old one is taken for another day");

    let third = verb(&["clients", "rotate-secret", "cron", "--now"]);
    server.until(|| works(&third).0 == 200);
    assert_eq!([works(&first).0, works(&second).0], [401, 401]);
}
