//! The server in its other places: in production on either database, inside an application, and
//! its documentation without a network.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use munjigi_e2e::production::Production;
use munjigi_e2e::{Dev, Running, built, form, get, post};
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;
use serde_json::json;

/// `munjigi serve` with a configuration file; users and clients by the command line.
fn production(mut server: Production) {
    let create = ["users", "create", "--email", "root@example.kr", "--username", "root"];
    let create = [&create[..], &["--role", "admin", "--password-stdin"]].concat();
    let made = server.cli(&create, "a-long-enough-secret\n");
    assert_eq!(made["roles"], json!(["admin"]));
    let client = ["clients", "create", "--name", "Shop", "--grant-type", "password"];
    let more = ["--grant-type", "refresh_token", "--auth-method", "none", "--first-party"];
    let client = server.cli(&[&client[..], &more, &["--scope", "openid admin"]].concat(), "");
    let id = client["client_id"].as_str().unwrap();

    server.start();
    let issuer = &server.issuer;
    let token = [("client_id", id), ("username", "root"), ("password", "a-long-enough-secret")];
    let token = [&token[..], &[("grant_type", "password")]].concat();
    let tokens = form(&format!("{issuer}/oauth2/token"), &token).expect(200);
    let stats = format!("{issuer}/api/v1/admin/stats");
    get(&stats, Some(&tokens.text("access_token"))).expect(200);
    let closed = json!({"email": "x@example.kr", "password": "a-long-enough-secret"});
    post(&format!("{issuer}/api/v1/users/signup"), &closed, None).expect(403);
    get(&format!("{issuer}/dev/clock"), None).expect(404);
}

#[test]
fn production_runs_on_sqlite() {
    production(Production::on_sqlite());
}

#[tokio::test(flavor = "multi_thread")]
async fn production_runs_on_postgresql() {
    // Says loudly when it is not installed, and fails then where `CI` is set.
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("a PostgreSQL database") };
    let server = Production::on_postgres(url);
    tokio::task::spawn_blocking(move || production(server)).await.unwrap();
}

#[test]
fn the_server_runs_inside_an_application() {
    let embedded = Running::start(Command::new(built("embedded")).arg("127.0.0.1:0"));
    let (base, issuer) = (embedded.url(), format!("{}/auth", embedded.url()));
    get(&format!("{base}/"), None).expect(200);
    get(&format!("{base}/greeting"), None).expect(401);

    let credentials = json!({"username": "minji", "password": "demo-minji"});
    let tokens = post(&format!("{issuer}/api/v1/users/signin"), &credentials, None).expect(200);

    let greeting = get(&format!("{base}/greeting"), Some(&tokens.text("access_token")));
    assert_eq!(greeting.expect(200).json()["roles"], json!(["user"]));
    let discovery = get(&format!("{issuer}/.well-known/openid-configuration"), None).expect(200);
    assert_eq!(discovery.text("issuer"), issuer);
    get(&discovery.text("jwks_uri"), None).expect(200);
}

#[test]
fn the_documentation_is_served_from_the_binary() {
    let dev = Dev::start();
    let page = get(&format!("{}/docs/", dev.issuer), None).expect(200);
    assert!(page.body.contains("swagger-ui"));
    assert!(!page.body.contains("//cdn"), "nothing is loaded from elsewhere");
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        get(&format!("{}/docs/{file}", dev.issuer), None).expect(200);
    }
    let document = get(&format!("{}/openapi.json", dev.issuer), None).expect(200).json();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    assert_eq!(document["servers"][0]["url"], dev.issuer);
}

#[test]
fn the_demo_is_told_as_one_json_object() {
    let dev = Dev::start();
    let users = dev.there["users"].as_array().unwrap();
    for role in ["user", "admin"] {
        assert!(users.iter().any(|user| user["roles"].as_array().unwrap().contains(&json!(role))));
    }
    assert!(dev.client("web")["client_secret"].is_string());
    for public in ["spa", "first-party", "swagger"] {
        assert!(dev.client(public)["client_secret"].is_null(), "{public}");
    }
    let credentials = format!("web:{}", dev.client("web")["client_secret"].as_str().unwrap());
    let token = format!("{}/oauth2/token", dev.issuer);
    let answer =
        munjigi_e2e::curl(&["-u", &credentials, &token, "-d", "grant_type=client_credentials"]);
    answer.expect(200);
}

/// DS-01: whoever begins a request and does not go on is not waited for for ever.
#[test]
fn a_slow_header_is_not_waited_for() {
    let dev = Dev::start();
    let mut stream = TcpStream::connect(dev.issuer.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: local").unwrap();
    let started = Instant::now();
    let mut rest = Vec::new();
    // Closed with or without an answer; only the time counts.
    drop(stream.read_to_end(&mut rest));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
