//! PostgreSQL as its operator sets it up: a role that is no superuser, and owns its database and
//! nothing else.

use std::time::{Duration, Instant};

use munjigi_core::time::Timestamp;
use munjigi_store::testing::Cluster;
use munjigi_store::{DatabaseUrl, Store, StoreOptions};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, Server};
use crate::serve::configured;

/// A cluster of this test, with a role `shop` and its database; nothing where there is none.
#[expect(clippy::disallowed_methods, reason = "what is not there fails where CI is set")]
async fn cluster() -> Option<Cluster> {
    let started = tokio::task::block_in_place(|| Cluster::start(&[])).unwrap();
    let Some(cluster) = started else {
        assert!(std::env::var_os("CI").is_none(), "CI has no PostgreSQL");
        eprintln!("NO POSTGRESQL HERE: an ordinary role was not shown");
        return None;
    };
    run(&cluster, "postgres", "CREATE ROLE shop LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE");
    run(&cluster, "postgres", "CREATE DATABASE shop OWNER shop");
    Some(cluster)
}

/// Runs a statement as the superuser.
fn run(cluster: &Cluster, database: &str, sql: &str) {
    tokio::task::block_in_place(|| cluster.run(database, sql)).unwrap();
}

fn url(cluster: &Cluster, database: &str) -> String {
    format!("postgres://shop@127.0.0.1:{}/{database}?sslmode=disable", cluster.port())
}

fn verb(url: &str, input: &str, args: &[&str]) -> Value {
    let rest = ["--output", "json", "--database", url];
    Sandbox::new().run_with(input, &[args, &rest].concat()).json()
}

/// Somebody, and a client by which they sign in.
fn fill(url: &str) {
    let create = ["users", "create", "--email", "a@example.com", "--username", "hana"];
    verb(url, "seven bridges", &[&create[..], &["--password-stdin"]].concat());
    let client = ["clients", "create", "--name", "C", "--id", "c", "--grant-type", "password"];
    verb(url, "", &[&client[..], &["--auth-method", "none", "--first-party"]].concat());
}

/// What a server says that is started on this database, lets somebody in, and is stopped.
fn serve(url: &str) -> String {
    let sandbox = Sandbox::new();
    let port = configured(&sandbox);
    let mut command = sandbox.command(&["serve"]);
    command.env("MUNJIGI_DATABASE", url);
    let mut server = Server::listening_quietly(command, port);
    let (status, told) = server.sign_in("hana", "seven bridges");
    assert_eq!(status, 200, "{told}");
    server.end()
}

/// What the database says it is, when the role asks.
async fn identity(url: &str) -> Option<String> {
    let url: DatabaseUrl = url.parse().unwrap();
    let store = Store::open(StoreOptions::new(url, Timestamp::from_millis(0))).await.unwrap();
    let standing = store.standing().await.unwrap();
    store.close().await;
    standing.map(|standing| standing.identity)
}

#[expect(clippy::disallowed_methods, reason = "nobody is told when a connection is gone")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_owns_its_database_is_enough_and_another_database_is_told_apart() {
    let Some(cluster) = cluster().await else { return };
    let shop = url(&cluster, "shop");
    fill(&shop);
    let said = serve(&shop);
    assert!(!said.contains("GRANT"), "{said}");
    let whole = identity(&shop).await.unwrap();
    assert!(whole.starts_with("pg:") && !whole.contains('?'), "{whole}");
    assert_eq!(verb(&shop, "", &["database", "epoch"])["number"], 1);

    // The rows of before in another database, as after a restore.
    let until = Instant::now() + Duration::from_secs(30);
    let copy = "CREATE DATABASE copy TEMPLATE shop OWNER shop";
    while let Err(error) = tokio::task::block_in_place(|| cluster.run("postgres", copy)) {
        // The last connection is just going away.
        assert!(Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let copy = url(&cluster, "copy");
    serve(&copy);
    let epoch = verb(&copy, "", &["database", "epoch"]);
    assert_eq!((&epoch["number"], &epoch["everything_ended"]), (&json!(2), &json!(true)));
}

/// What is taken from the role costs what the guide says, and the server names the grant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_may_not_ask_is_named_with_the_grant_that_is_missing() {
    let Some(cluster) = cluster().await else { return };
    let shop = url(&cluster, "shop");
    fill(&shop);
    let whole = identity(&shop).await.unwrap();

    run(&cluster, "shop", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    let said = serve(&shop);
    assert!(said.contains("GRANT EXECUTE ON FUNCTION pg_control_system() TO"), "{said}");
    let rest = whole.splitn(3, ':').nth(2).unwrap();
    assert_eq!(identity(&shop).await.unwrap(), format!("pg:?:{rest}"));
    assert_eq!(verb(&shop, "", &["database", "epoch"])["number"], 1);

    run(&cluster, "shop", "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC");
    let said = serve(&shop);
    assert!(said.contains("GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn)"), "{said}");
    assert_eq!(identity(&shop).await, None);

    run(&cluster, "shop", "GRANT EXECUTE ON FUNCTION pg_control_system() TO shop");
    run(&cluster, "shop", "GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) TO shop");
    let said = serve(&shop);
    assert!(!said.contains("GRANT"), "{said}");
    assert_eq!(identity(&shop).await.unwrap(), whole);
}
