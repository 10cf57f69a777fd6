//! The same commands on PostgreSQL, beside a server on the same database.

use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;
use serde_json::json;

use crate::sandbox::{Sandbox, Server};
use crate::serve::configured;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_command_works_on_postgresql_too() {
    // Where there is none, it is said loudly, and fails where CI is set.
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url().clone() else { panic!("not PostgreSQL") };
    let sandbox = Sandbox::new();
    let verb = |input: &str, args: &[&str]| {
        let rest = ["--output", "json", "--database", &url];
        sandbox.run_with(input, &[args, &rest].concat())
    };
    let create = ["users", "create", "--email", "a@example.com", "--username", "hana"];
    let create = [&create[..], &["--role", "admin", "--password-stdin"]].concat();
    assert_eq!(verb("seven bridges", &create).json()["roles"], json!(["admin"]));
    verb("seven bridges", &create).fails(5, "has an account already");
    let client = ["clients", "create", "--name", "C", "--id", "c", "--grant-type", "password"];
    verb("", &[&client[..], &["--auth-method", "none", "--first-party"]].concat()).json();
    verb("", &client).fails(6, "first-party");
    verb("", &["roles", "create", "hr", "--permission", "users:read"]).json();
    verb("", &["roles", "create", "hr"]).fails(5, "already");
    verb("", &["apis", "create", "https://a.example", "--client-id", "x"]).fails(3, "no client");
    verb("", &["apis", "create", "https://a.example", "--client-id", "c"]).json();
    verb("", &["settings", "set", "access_ttl", "5m"]).json();

    let port = configured(&sandbox);
    let mut command = sandbox.command(&["serve"]);
    command.env("MUNJIGI_DATABASE", &url);
    let mut server = Server::listening(command, port);
    let token = server.token("hana", "seven bridges");
    let me = "/api/v1/users/me";
    assert_eq!(server.get(me, Some(&token)).0, 200);
    let rotate = ["keys", "rotate", "--now", "--encryption-key-file", "munjigi.key"];
    assert_eq!(verb("", &rotate).json()["state"], "active");
    assert_eq!(server.get(me, Some(&token)).0, 200);
    verb("", &["users", "disable", "hana"]).json();
    server.eventually(me, &token, 401);
    verb("", &["users", "delete", "hana"]).json();
    assert_eq!(verb("", &["users", "list"]).json()["items"], json!([]));
    server.end();
}
