//! The code flow as other people's programs go through it: `openid-client`, Authlib, and a real
//! Chromium.

use std::process::{Command, Output};

use munjigi_e2e::{Dev, get, skipped, top};
use serde_json::Value;

#[track_caller]
fn succeeded(output: &Output) -> String {
    let (said, problem) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{problem}");
    said.into_owned()
}

/// Node with a script of ours and the packages of the tests; `None` when they are not there.
fn node(script: &str) -> Option<Command> {
    let modules = top().join("target/e2e-node/node_modules");
    if !modules.join("playwright-core").exists() {
        return None;
    }
    let mut command = Command::new("node");
    command.arg(top().join("e2e/clients/node").join(script)).env("NODE_PATH", modules);
    Some(command)
}

/// Makes a client of these options and their values; what the command line says.
fn create_client(dev: &Dev, options: &[(&str, &str)]) -> String {
    let options = options.iter().flat_map(|(name, value)| [*name, *value]);
    dev.cli(&["clients", "create"].into_iter().chain(options).collect::<Vec<_>>())
}

#[test]
fn openid_client_goes_through_the_code_flow() {
    let Some(mut node) = node("openid-client.cjs") else {
        return skipped("target/e2e-node is not there; `cargo xtask test` makes it");
    };
    let dev = Dev::start();
    let web = dev.client("web");
    let secret = web["client_secret"].as_str().unwrap();
    let redirect_uri = web["redirect_uris"][0].as_str().unwrap();
    let said = succeeded(&node.args([&dev.issuer, "web", secret, redirect_uri]).output().unwrap());
    assert_eq!(said, "code\nuserinfo\nrefresh\nreplay\n");
}

/// ID tokens and UserInfo by the algorithms whose keys are made when somebody asks for them.
#[test]
fn openid_client_has_its_tokens_signed_by_the_algorithm_that_it_asks_for() {
    if node("openid-client.cjs").is_none() {
        return skipped("target/e2e-node is not there; `cargo xtask test` makes it");
    }
    let dev = Dev::start();
    let web = dev.client("web");
    let secret = web["client_secret"].as_str().unwrap();
    let redirect_uri = web["redirect_uris"][0].as_str().unwrap();
    for algorithm in ["PS256", "EdDSA"] {
        let metadata = serde_json::json!({
            "id_token_signed_response_alg": algorithm,
            "userinfo_signed_response_alg": algorithm,
        });
        dev.cli(&["clients", "update", "web", "--metadata", &metadata.to_string()]);
        // The key comes with the change, within a moment: the server looks four times a second.
        let published = || get(&format!("{}/.well-known/jwks.json", dev.issuer), None).json();
        let has = |jwks: Value| {
            jwks["keys"].as_array().unwrap().iter().any(|key| key["alg"] == algorithm)
        };
        let made = (0..2_000).any(|_| has(published()));
        assert!(made, "{algorithm}");
        let mut node = node("openid-client.cjs").unwrap();
        let arguments = [&*dev.issuer, "web", secret, redirect_uri, algorithm];
        let said = succeeded(&node.args(arguments).output().unwrap());
        assert_eq!(said, "code\nuserinfo\nrefresh\nreplay\n", "{algorithm}");
    }
}

/// FAPI 2.0: private_key_jwt, a pushed request, DPoP with our nonce, and a code that comes twice.
#[test]
fn openid_client_pushes_its_request_signs_for_itself_and_holds_a_key() {
    let (Some(mut making), Some(mut going)) = (node("strict.cjs"), node("strict.cjs")) else {
        return skipped("target/e2e-node is not there; `cargo xtask test` makes it");
    };
    let dev = Dev::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.json");
    let jwks = succeeded(&making.arg("new-key").arg(&file).output().unwrap());
    let metadata = serde_json::json!({
        "jwks": serde_json::from_str::<Value>(&jwks).unwrap(),
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "ES256",
        "require_pushed_authorization_requests": true,
        "dpop_bound_access_tokens": true,
    });
    let (metadata, redirect_uri) = (metadata.to_string(), "http://127.0.0.1/callback");
    let options = [
        ("--id", "bank"),
        ("--name", "Bank"),
        ("--auth-method", "private_key_jwt"),
        ("--grant-type", "authorization_code"),
        ("--grant-type", "refresh_token"),
        ("--redirect-uri", redirect_uri),
        ("--scope", "openid profile email"),
        ("--metadata", &metadata),
        ("--output", "json"),
    ];
    create_client(&dev, &options);
    let going = going.args(["go", &dev.issuer, "bank", redirect_uri]).arg(&file);
    let said = succeeded(&going.output().unwrap());
    assert_eq!(said, "pushed\nbound\nrefused\nrefresh\nreplay\n");
}

/// RFC 8628; without Chromium the person answers with forms alone.
#[test]
fn openid_client_is_let_in_as_a_device_without_a_keyboard() {
    let Some(mut node) = node("device.cjs") else {
        return skipped("target/e2e-node is not there; `cargo xtask test` makes it");
    };
    let dev = Dev::start();
    let options = [
        ("--id", "tv"),
        ("--name", "Television"),
        ("--auth-method", "none"),
        ("--grant-type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("--grant-type", "refresh_token"),
        ("--scope", "openid profile offline_access"),
    ];
    create_client(&dev, &options);
    let said = succeeded(&node.args([&dev.issuer, "tv"]).args(chromium()).output().unwrap());
    let seen = if chromium().is_some() { "seen\n" } else { "" };
    assert_eq!(said, format!("allowed\ndenied\nonce\n{seen}"));
}

#[test]
fn authlib_goes_through_the_code_flow_and_gives_its_tokens_back() {
    let python = top().join("target/e2e-python/bin/python");
    let packages = || Command::new(&python).args(["-c", "import authlib, joserfc"]).output();
    if !packages().is_ok_and(|output| output.status.success()) {
        return skipped("target/e2e-python lacks Authlib; `cargo xtask test` installs it");
    }
    let dev = Dev::start();
    let web = dev.client("web");
    let secret = web["client_secret"].as_str().unwrap();
    let redirect_uri = web["redirect_uris"][0].as_str().unwrap();
    let program = top().join("e2e/clients/python/authlib_client.py");
    let mut command = Command::new(python);
    let arguments = [&dev.issuer, "web", secret, redirect_uri];
    let said = succeeded(&command.arg(program).args(arguments).output().unwrap());
    assert_eq!(said, "code\nrefresh\nintrospection\nrevocation\n");
}

/// Debian's Chromium, if it is there.
fn chromium() -> Option<&'static str> {
    let program = "/usr/bin/chromium";
    std::path::Path::new(program).exists().then_some(program)
}

#[test]
fn swagger_ui_authorizes_by_code_and_pkce() {
    let (Some(mut node), Some(chromium)) = (node("swagger.cjs"), chromium()) else {
        return skipped("target/e2e-node or Chromium is not there; `cargo xtask test` makes them");
    };
    let dev = Dev::start();
    let said = succeeded(&node.args([&dev.issuer, chromium]).output().unwrap());
    assert_eq!(said, "authorized\ncalled\n");
}

#[test]
fn a_browser_goes_through_the_pages_in_both_languages_with_and_without_javascript() {
    let (Some(mut node), Some(chromium)) = (node("browser.cjs"), chromium()) else {
        return skipped("target/e2e-node or Chromium is not there; `cargo xtask test` makes them");
    };
    let dev = Dev::start();
    let options = [
        ("--name", "Photo album"),
        ("--auth-method", "none"),
        ("--grant-type", "authorization_code"),
        ("--redirect-uri", "http://127.0.0.1/callback"),
        ("--scope", "openid profile email"),
        ("--output", "json"),
    ];
    let made = create_client(&dev, &options);
    let made: Value = serde_json::from_str(&made).unwrap();
    let client_id = made["client_id"].as_str().unwrap();
    let said = succeeded(&node.args([&dev.issuer, client_id, chromium]).output().unwrap());
    assert!(said.ends_with("done\n"), "{said}");
    assert_eq!(said.lines().count(), 4 * 26 + 1, "{said}");
}

/// WB-02: what others write is text wherever it is shown, and no page's policy has to stop it.
#[test]
fn wb_02_a_browser_runs_nothing_of_what_others_wrote() {
    let (Some(mut node), Some(chromium)) = (node("hostile.cjs"), chromium()) else {
        return skipped("target/e2e-node or Chromium is not there; `cargo xtask test` makes them");
    };
    let dev = Dev::start();
    let name = "\"'><img src=x onerror=window.ran=1><script>window.ran=1</script>";
    let options = [
        ("--id", "hostile"),
        ("--name", name),
        ("--auth-method", "none"),
        ("--grant-type", "authorization_code"),
        ("--redirect-uri", "http://127.0.0.1/callback"),
        ("--scope", "openid profile email"),
    ];
    create_client(&dev, &options);
    let said = succeeded(&node.args([&*dev.issuer, "hostile", name, chromium]).output().unwrap());
    assert!(said.ends_with("done\n"), "{said}");
    assert_eq!(said.lines().count(), 18, "{said}");
}
