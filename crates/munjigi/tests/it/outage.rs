//! DS-06 of the attack kit: the database stops for a while, and comes back. Meanwhile nobody is
//! told anything false: 503, never 401, never that something was done. Keys are told all the while.

use std::time::{Duration, Instant};

use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Cluster;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, Server};
use crate::serve::configured;

/// Longer than whatever waits for the database.
const OUTAGE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "what is not there fails where CI is set")]
#[test]
fn ds_06_while_the_database_is_away_nobody_is_told_anything_false_and_then_all_goes_on() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else {
        assert!(std::env::var_os("CI").is_none(), "CI has no PostgreSQL");
        eprintln!("NO POSTGRESQL HERE: an outage was not shown");
        return;
    };
    let DatabaseUrl::Postgres(url) = cluster.url("postgres") else { panic!("not PostgreSQL") };
    let sandbox = Sandbox::new();
    let port = configured(&sandbox);
    let verb = |input: &str, args: &[&str]| {
        sandbox.run_with(input, &[args, &["--output", "json", "--database", &url]].concat()).json()
    };
    let create = ["users", "create", "--email", "a@example.com", "--username", "hana"];
    verb("seven bridges", &[&create[..], &["--password-stdin"]].concat());
    let client = ["clients", "create", "--name", "C", "--id", "c", "--grant-type", "password"];
    let client =
        [&client[..], &["--grant-type", "refresh_token", "--auth-method", "none"]].concat();
    verb("", &[&client[..], &["--first-party"]].concat());
    let mut command = sandbox.command(&["serve"]);
    command.env("MUNJIGI_DATABASE", &url);
    let mut server = Server::listening_quietly(command, port);
    let (status, tokens) = server.sign_in("hana", "seven bridges");
    assert_eq!(status, 200, "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refresh = format!("grant_type=refresh_token&client_id=c&refresh_token={refresh}");

    cluster.stop().unwrap();
    server.until(|| server.get("/readyz", None).0 == 503);
    let began = Instant::now();
    while began.elapsed() < OUTAGE {
        let (_, ready) = server.get("/readyz", None);
        assert_eq!(ready, json!({"status": "unavailable", "reasons": ["database"]}));
        assert_eq!(server.get("/livez", None).0, 200);
        assert_eq!(server.get("/.well-known/jwks.json", None).0, 200);
        assert_eq!(server.get("/.well-known/openid-configuration", None).0, 200);
        for (what, answer) in [
            ("a sign-in", server.sign_in("hana", "seven bridges")),
            ("a wrong sign-in", server.sign_in("hana", "no such password")),
            ("a refresh", server.form("/oauth2/token", &refresh)),
            ("one's account", server.get("/api/v1/users/me", Some(access))),
            (
                "a sign-out",
                server.call("POST", "/api/v1/users/signout", Some(access), &Value::Null),
            ),
        ] {
            assert_eq!(answer.0, 503, "{what}: {}", answer.1);
        }
        std::thread::park_timeout(Duration::from_secs(3));
    }

    cluster.start_again().unwrap();
    server.until(|| server.get("/readyz", None).0 == 200);
    // What was refused did not happen: the session lives, and the refresh token is good.
    assert_eq!(server.get("/api/v1/users/me", Some(access)).0, 200);
    assert_eq!(server.form("/oauth2/token", &refresh).0, 200);
    assert_eq!(server.sign_in("hana", "seven bridges").0, 200);
    server.end();
}
