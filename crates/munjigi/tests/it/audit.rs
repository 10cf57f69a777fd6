//! What the command line changes stands in the audit trail, and who did it.

use std::process::Stdio;

use munjigi_core::time::Timestamp;
use munjigi_store::page::Page;
use munjigi_store::{DatabaseUrl, Store, StoreError, StoreOptions, audit, users};
use serde_json::json;

use crate::sandbox::Sandbox;

async fn open(sandbox: &Sandbox) -> Store {
    let url = DatabaseUrl::SqliteFile(sandbox.path("test.db"));
    Store::open(StoreOptions::new(url, Timestamp::from_millis(0))).await.unwrap()
}

#[tokio::test]
async fn every_change_is_written_down_as_the_operators() {
    let sandbox = Sandbox::new();
    let create = ["users", "create", "--email", "a@example.com", "--username", "hana"];
    let password = "seven bridges at night";
    sandbox.verb_with(password, &[&create[..], &["--password-stdin"]].concat()).json();
    let api = "https://api.example";
    for change in [
        &["users", "disable", "hana"][..],
        &["users", "enable", "hana"],
        &["users", "roles", "add", "hana", "admin"],
        &["users", "roles", "remove", "hana", "admin"],
        &["users", "delete", "hana"],
        &["clients", "create", "--id", "c", "--name", "C", "--grant-type", "client_credentials"],
        &["clients", "rotate-secret", "c"],
        &["clients", "disable", "c"],
        &["clients", "enable", "c"],
        &["clients", "delete", "c"],
        &["roles", "create", "hr"],
        &["roles", "delete", "hr"],
        &["apis", "create", api],
        &["apis", "delete", api],
        &["settings", "set", "registration", "open"],
    ] {
        assert_eq!(sandbox.verb(change).code, 0, "{change:?}");
        // What was refused, or only looked at, leaves nothing.
        sandbox.verb(&["users", "disable", "nobody"]);
        sandbox.verb(&["users", "list"]);
    }

    let store = open(&sandbox).await;
    let page = Page::first(200);
    let listed = store.read(move |tx| audit::list(tx, &page, &Default::default())).await.unwrap();
    let mut events = listed.items;
    events.reverse();
    assert!(events.iter().all(|event| event.actor_kind == "operator"));
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            // The built-in roles.
            "role_created",
            "user_created",
            "user_disabled",
            "user_enabled",
            "user_roles_changed",
            "user_roles_changed",
            "user_deleted",
            "client_created",
            "client_secret_rotated",
            "client_disabled",
            "client_enabled",
            "client_deleted",
            "role_created",
            "role_deleted",
            "api_created",
            "api_deleted",
            "setting_changed",
        ]
    );
    assert_eq!(events[16].detail["to"], json!("open"));
    let trail = format!("{events:?}");
    assert!(!trail.contains(password) && !trail.contains("mj_cs_"), "no secret is in it");
    store.close().await;
}

#[tokio::test]
async fn commands_that_meet_on_a_new_database_all_succeed() {
    let sandbox = Sandbox::new();
    sandbox.write("password", "seven bridges at night");
    let start = |number: usize| {
        let email = format!("user{number}@example.com");
        let create = ["users", "create", "--email", &email, "--password-file", "password"];
        let mut command =
            sandbox.command(&[&create[..], &["--database", "sqlite:test.db"]].concat());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..6).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let store = open(&sandbox).await;
    assert_eq!(store.read::<_, StoreError>(users::count).await, Ok(6));
    store.close().await;
}
