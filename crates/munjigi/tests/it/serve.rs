//! `munjigi serve`.

use std::net::TcpListener;

use serde_json::Value;

use crate::sandbox::{Sandbox, Server};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A configuration of `serve` in the sandbox; the port that it listens on.
pub fn configured(sandbox: &Sandbox) -> u16 {
    let port = free_port();
    sandbox.write("munjigi.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n");
    sandbox.write(
        "munjigi.toml",
        &format!(
            "issuer = \"http://localhost:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\
             database = \"sqlite:test.db\"\nkeys.encryption_key_file = \"munjigi.key\"\n\
             log.format = \"json\"\n"
        ),
    );
    port
}

#[test]
fn an_unsafe_configuration_is_refused_with_all_its_mistakes() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "munjigi.toml",
        "issuer = \"http://auth.example\"\nlisten = \"0.0.0.0:8000\"\ntoken.access_ttl = \"1d\"\n",
    );
    let done = sandbox.run(&["serve"]);
    for said in
        ["4 mistakes", "issuer:", "listen: ", "token.access_ttl:", "keys.encryption_key_file:"]
    {
        done.fails(2, said);
    }
    assert_eq!(sandbox.files(), ["munjigi.toml"], "nothing was made");
    sandbox.run(&["serve", "--config", "nowhere.toml"]).fails(2, "cannot read nowhere.toml");
}

#[test]
fn a_database_that_cannot_be_reached_and_a_port_in_use_are_told_apart() {
    let sandbox = Sandbox::new();
    let port = configured(&sandbox);
    let lost = sandbox.command(&["serve"]).env("MUNJIGI_DATABASE", "sqlite:no/such/x.db").output();
    assert_eq!(lost.unwrap().status.code(), Some(7));
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox.run(&["serve"]).fails(1, "is in use");
    drop(taken);
}

/// What a new installation does: the administrator and the client first, on a database that no
/// server has seen; then the server, which makes its keys and finds the roles there.
#[test]
fn a_server_finds_what_was_made_before_it_started_and_makes_nobody_itself() {
    let sandbox = Sandbox::new();
    let port = configured(&sandbox);
    let verb = |input: &str, args: &[&str]| {
        sandbox.run_with(input, &[args, &["--output", "json"]].concat()).json()
    };
    let create = ["users", "create", "--email", "jun@example.com", "--username", "jun"];
    verb("seven bridges", &[&create[..], &["--role", "admin", "--password-stdin"]].concat());
    verb(
        "",
        &[
            "clients",
            "create",
            "--name",
            "Console",
            "--grant-type",
            "password",
            "--auth-method",
            "none",
            "--first-party",
            "--scope",
            "openid admin",
        ],
    );

    let mut server = Server::listening(sandbox.command(&["serve"]), port);
    let token = server.token("jun", "seven bridges");
    let (status, stats) = server.get("/api/v1/admin/stats", Some(&token));
    assert_eq!(status, 200, "{stats}");
    let (_, users) = server.get("/api/v1/admin/users", Some(&token));
    assert_eq!(users["items"].as_array().unwrap().len(), 1, "no demo data: {users}");
    assert_eq!(server.call("POST", "/dev/clock", None, &Value::Null).0, 404);

    let log = server.end();
    assert!(log.lines().count() >= 3, "{log}");
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("one JSON object a line");
        assert!(event["level"].is_string(), "{event}");
    }
    assert!(!log.contains("seven bridges") && !log.contains(&token));
}

#[test]
fn the_log_is_filtered_by_the_environment() {
    let sandbox = Sandbox::new();
    let port = configured(&sandbox);
    let mut command = sandbox.command(&["serve"]);
    command.env("MUNJIGI_LOG", "error");
    let mut server = Server::listening(command, port);
    assert_eq!(server.end(), "");

    let wrong = sandbox.command(&["roles", "list"]).env("MUNJIGI_LOG", "a=b=c").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
