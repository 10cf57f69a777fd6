//! `munjigi dev`: the first five minutes.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, Server, call, mode, set_mode};

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn its_first_line_tells_programs_what_there_is() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&[]);

    let users = server.told["users"].as_array().unwrap();
    for user in users {
        let username = user["username"].as_str().unwrap();
        assert!(user["email"].as_str().unwrap().contains('@'));
        let (status, _) = server.sign_in(username, user["password"].as_str().unwrap());
        assert_eq!(status, 200, "{username}");
    }
    for role in ["user", "admin"] {
        assert!(users.iter().any(|user| texts(&user["roles"]).contains(&role)), "{role}");
    }

    let clients = server.told["clients"].as_array().unwrap();
    let client = |id: &str| clients.iter().find(|client| client["client_id"] == id).unwrap();
    assert!(client("web")["client_secret"].as_str().unwrap().starts_with("mj_cs_"));
    for (id, grants) in [
        ("web", vec!["authorization_code", "refresh_token", "client_credentials"]),
        ("spa", vec!["authorization_code", "refresh_token"]),
        ("first-party", vec!["password", "refresh_token"]),
        ("swagger", vec!["password"]),
    ] {
        let told = client(id);
        assert!(grants.iter().all(|grant| texts(&told["grant_types"]).contains(grant)), "{told}");
        assert_eq!(told["client_secret"].is_null(), id != "web", "{id}");
        assert!(told["redirect_uris"].is_array() && told["first_party"].is_boolean());
    }
    assert_eq!(client("first-party")["first_party"], true);
    assert_eq!(client("spa")["first_party"], false);
}

#[test]
fn what_it_prints_for_people_works_when_it_is_pasted() {
    let sandbox = Sandbox::new();
    let command = sandbox.command(&["dev", "--listen", "localhost:0", "--memory"]);
    let mut server = Server::start(command);
    let banner = server.read_until("Ctrl-C");
    assert!(banner.contains("DEVELOPMENT MODE") && banner.contains("/openapi.json"), "{banner}");
    assert!(banner.contains("minji@demo.local") && banner.contains("demo-jun"), "{banner}");

    let from = banner.find("TOKEN=").expect("two lines to paste");
    let lines: Vec<&str> = banner[from..].lines().take(2).collect();
    let pasted = Command::new("sh").arg("-c").arg(lines.join("\n")).output().unwrap();

    let who: Value = serde_json::from_slice(&pasted.stdout)
        .unwrap_or_else(|_| panic!("curl and sed are needed here: {pasted:?}"));
    assert_eq!(who["username"], "minji");
}

#[test]
fn localhost_is_both_loopback_addresses() {
    let sandbox = Sandbox::new();
    let server =
        Server::start(sandbox.command(&["dev", "--json", "--listen", "localhost:0", "--memory"]));
    let told: Value = serde_json::from_str(&server.first_line).unwrap();
    let port = told["issuer"].as_str().unwrap().strip_prefix("http://localhost:").unwrap();
    assert_eq!(
        call(&format!("http://127.0.0.1:{port}"), "GET", "/livez", None, &Value::Null).0,
        200
    );
    // A machine without IPv6 has nobody there, and nobody else either.
    if TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(
            call(&format!("http://[::1]:{port}"), "GET", "/livez", None, &Value::Null).0,
            200
        );
    }
}

#[test]
fn addresses_that_others_can_reach_are_refused() {
    let sandbox = Sandbox::new();
    for address in ["0.0.0.0:8000", "[::]:8000", "192.0.2.1:8000", "example.com:8000"] {
        sandbox.run(&["dev", "--listen", address]).fails(2, "no other machine can reach it");
    }
    assert!(sandbox.files().is_empty(), "nothing is made for a server that does not start");
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let sandbox = Sandbox::new();
    sandbox.run(&["dev", "--listen", &address]).fails(1, "is in use");
    assert!(sandbox.files().is_empty());
}

#[test]
fn memory_leaves_no_file() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.dev(&["--memory"]);
    server.token("minji", "demo-minji");
    assert!(server.signal("-TERM").success());
    assert!(sandbox.files().is_empty());
    sandbox.run(&["dev", "--memory", "--data", "x"]).fails(2, "cannot be used with");
}

#[test]
fn data_is_kept_for_the_owner_alone_and_found_again() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.dev(&[]);
    let (_, before) = server.get("/api/v1/users/me", Some(&server.token("minji", "demo-minji")));
    let web = server.told["clients"][0].clone();
    assert!(server.signal("-INT").success());
    assert_eq!(server.remaining(), "", "one line, and nothing after it");

    assert_eq!(sandbox.files(), ["munjigi-dev"]);
    assert_eq!(mode(&sandbox.path("munjigi-dev")), 0o700);
    for file in ["encryption.key", "munjigi.db"] {
        assert_eq!(mode(&sandbox.path("munjigi-dev").join(file)), 0o600, "{file}");
    }
    assert_eq!(std::fs::read_to_string(sandbox.path("munjigi-dev/.gitignore")).unwrap(), "*\n");

    let server = sandbox.dev(&[]);
    let (_, after) = server.get("/api/v1/users/me", Some(&server.token("minji", "demo-minji")));
    assert_eq!(before["id"], after["id"]);
    assert_eq!(web, server.told["clients"][0], "and so is the secret");
}

/// "Authorize" under `/docs` works wherever `dev` listens, not only where it did at first.
#[test]
fn the_pages_under_docs_get_their_codes_where_dev_listens_now() {
    let sandbox = Sandbox::new();
    let redirects = || {
        let show = ["clients", "show", "swagger", "--output", "json", "--database"];
        let shown = sandbox.run(&[&show[..], &["sqlite:munjigi-dev/munjigi.db"]].concat()).json();
        shown["redirect_uris"].clone()
    };
    let page = "/docs/oauth2-redirect.html";
    let mut first = sandbox.dev(&[]);
    assert_eq!(redirects(), json!([format!("{}{page}", first.url)]));
    assert!(first.signal("-INT").success());
    // The port may not be given a second time.
    let port_taken = TcpListener::bind(first.url.strip_prefix("http://").unwrap());

    let second = sandbox.dev(&[]);

    assert_ne!(first.url, second.url, "{port_taken:?}");
    assert_eq!(redirects(), json!([format!("{}{page}", second.url)]));
    let told = second.told["clients"].as_array().unwrap();
    let swagger = told.iter().find(|it| it["client_id"] == "swagger").unwrap();
    assert_eq!(swagger["redirect_uris"], redirects());
}

/// On a laptop it is a warning: the data is nobody's but the developer's.
#[test]
fn dev_warns_of_a_key_file_that_others_can_read() {
    let sandbox = Sandbox::new();
    drop(sandbox.dev(&[]));
    let key = sandbox.path("munjigi-dev/encryption.key");
    let warning = "others can read munjigi-dev/encryption.key";
    for (mode, warns) in [(0o600, false), (0o644, true)] {
        set_mode(&key, mode);
        let mut child =
            sandbox.command(&["dev", "--json", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        assert_eq!(said.contains(warning), warns, "{said}");
    }
}

#[test]
fn nobody_is_told_a_password_that_was_changed() {
    let sandbox = Sandbox::new();
    drop(sandbox.dev(&["--data", "kept"]));
    let reset = ["users", "reset-password", "minji", "--password-stdin", "--database"];
    let database = "sqlite:kept/munjigi.db";
    let done = sandbox.run_with("seven bridges at night", &[&reset[..], &[database]].concat());
    assert_eq!(done.code, 0, "{done:?}");

    let server = sandbox.dev(&["--data", "kept"]);
    let names: Vec<_> = server.told["users"].as_array().unwrap().iter().collect();
    assert!(names.iter().all(|user| user["username"] != "minji"), "{names:?}");
    assert_eq!(server.sign_in("minji", "demo-minji").0, 401);
    assert_eq!(server.sign_in("minji", "seven bridges at night").0, 200);
}

#[test]
fn data_without_its_key_is_not_opened_and_not_destroyed() {
    let sandbox = Sandbox::new();
    let secret = sandbox.dev(&[]).told["clients"][0].clone();
    let key = sandbox.path("munjigi-dev/encryption.key");
    let kept = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let done = sandbox.run(&["dev", "--listen", "127.0.0.1:0"]);
    done.fails(1, "delete munjigi-dev to begin anew, or bring its encryption.key back");

    std::fs::write(&key, kept).unwrap();
    assert_eq!(sandbox.dev(&[]).told["clients"][0], secret);
}

#[test]
fn who_is_made_at_the_command_line_signs_in_at_once_and_who_is_disabled_is_out_at_once() {
    let sandbox = Sandbox::new();
    let server = sandbox.dev(&["--data", "."]);
    let verb = |input: &str, args: &[&str]| {
        let rest = ["--database", "sqlite:munjigi.db", "--output", "json"];
        sandbox.run_with(input, &[args, &rest].concat())
    };
    let create = ["users", "create", "--email", "hana@example.com", "--username", "hana"];
    let made =
        verb("seven bridges\n", &[&create[..], &["--role", "user", "--password-stdin"]].concat());
    assert_eq!(made.json()["roles"], serde_json::json!(["user"]));

    let token = server.token("hana", "seven bridges");
    let me = "/api/v1/users/me";
    assert_eq!(server.get(me, Some(&token)).1["id"], made.json()["id"]);

    // Roles come with the next token, and go with the tokens that carried them.
    let stats = "/api/v1/admin/stats";
    assert_eq!(server.get(stats, Some(&token)).0, 403);
    verb("", &["users", "roles", "add", "hana", "admin"]).json();
    let admin = server.token("hana", "seven bridges");
    assert_eq!(server.get(stats, Some(&admin)).0, 200);
    verb("", &["users", "roles", "remove", "hana", "admin"]).json();
    server.eventually(stats, &admin, 401);

    let token = server.token("hana", "seven bridges");
    verb("", &["users", "disable", "hana@example.com"]).json();
    server.eventually(me, &token, 401);
    assert_eq!(server.sign_in("hana", "seven bridges").0, 401);
    verb("", &["users", "enable", "hana"]).json();
    let token = server.token("hana", "seven bridges");

    verb("eight bridges", &["users", "reset-password", "hana", "--password-stdin"]).json();
    server.eventually(me, &token, 401);
    assert_eq!(server.sign_in("hana", "seven bridges").0, 401);
    let token = server.token("hana", "eight bridges");
    verb("", &["users", "delete", "hana"]).json();
    server.eventually(me, &token, 401);
    assert_eq!(server.sign_in("hana", "eight bridges").0, 401);
}
