//! Programs in other languages: the examples, and verifiers that are not ours.

use std::path::PathBuf;
use std::process::{Command, Output};

use munjigi_e2e::{Dev, planner, post, skipped, top};
use serde_json::json;

const PLANNER: &str = "http://localhost:8001";

fn python() -> Option<PathBuf> {
    let python = top().join("target/e2e-python/bin/python");
    python.exists().then_some(python)
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let (said, problem) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{problem}");
    said.into_owned()
}

#[test]
fn the_python_client_goes_through_the_whole_story() {
    let Some(python) = python() else {
        return skipped("target/e2e-python is not there; `cargo xtask test` makes it");
    };
    let dev = Dev::start();
    let planner = planner(&dev.issuer, PLANNER, 30);
    let client = top().join("examples/clients/python/client.py");
    let mut command = Command::new(python);
    command.arg(client).args(["--issuer", &dev.issuer, "--planner", &planner.url()]);
    let said = succeeded(&command.env("PYTHONIOENCODING", "utf-8").output().unwrap());
    assert!(said.ends_with("done\n"), "{said}");
}

#[test]
fn the_java_client_goes_through_the_whole_story() {
    if Command::new("java").arg("-version").output().is_err() {
        return skipped("java is not installed");
    }
    let dev = Dev::start();
    let planner = planner(&dev.issuer, PLANNER, 30);
    let client = top().join("examples/clients/java/Client.java");
    let mut command = Command::new("java");
    command.arg("-Dfile.encoding=UTF-8").arg(client).args([&dev.issuer, &planner.url()]);
    let said = succeeded(&command.output().unwrap());
    assert!(said.ends_with("done\n"), "{said}");
}

/// A token for the verifiers that are not ours.
fn access_token(dev: &Dev) -> String {
    let body = json!({"username": "minji", "password": "demo-minji"});
    let url = format!("{}/api/v1/users/signin", dev.issuer);
    post(&url, &body, None).expect(200).text("access_token")
}

#[test]
fn pyjwt_verifies_our_access_token_with_our_key_set() {
    let Some(python) = python() else {
        return skipped("target/e2e-python is not there; `cargo xtask test` makes it");
    };
    let dev = Dev::start();
    let program = "import jwt, sys\n\
        issuer, audience, token = sys.argv[1:]\n\
        keys = jwt.PyJWKClient(issuer + '/.well-known/jwks.json')\n\
        key = keys.get_signing_key_from_jwt(token).key\n\
        print(jwt.decode(token, key, ['ES256'], audience=audience, issuer=issuer)['roles'])\n";
    let arguments = ["-c", program, &dev.issuer, PLANNER, &access_token(&dev)];
    let said = succeeded(&Command::new(python).args(arguments).output().unwrap());
    assert_eq!(said.trim(), "['user']");
}

#[test]
fn jose_verifies_our_access_token_with_our_key_set() {
    let modules = top().join("target/e2e-node");
    if !modules.join("node_modules/jose").exists() {
        return skipped("target/e2e-node is not there; `cargo xtask test` makes it");
    }
    let dev = Dev::start();
    let program = "const { createRemoteJWKSet, jwtVerify } = require('jose');\n\
        const [issuer, audience, token] = process.argv.slice(1);\n\
        const keys = createRemoteJWKSet(new URL(issuer + '/.well-known/jwks.json'));\n\
        jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' })\n\
          .then(({ payload }) => console.log(payload.roles.join()));\n";
    let arguments = ["-e", program, &dev.issuer, PLANNER, &access_token(&dev)];
    let output = Command::new("node").args(arguments).current_dir(&modules).output().unwrap();
    assert_eq!(succeeded(&output).trim(), "user");
}
