//! `munjigi roles`, `munjigi apis` and `munjigi settings`.

use serde_json::json;

use crate::sandbox::Sandbox;

#[test]
fn a_role_is_made_shown_listed_and_deleted() {
    let sandbox = Sandbox::new();
    let made = sandbox.verb(&[
        "roles",
        "create",
        "hr",
        "--description",
        "Human resources",
        "--permission",
        "users:write",
        "--permission",
        "users:read",
        "--scope",
        "admin events:read",
    ]);
    assert_eq!(made.json()["permissions"], json!(["users:read", "users:write"]));
    let shown = sandbox.verb(&["roles", "show", "hr"]).json();
    assert_eq!(shown["description"], "Human resources");
    assert_eq!(shown["scope"], "admin events:read");

    let listed = sandbox.verb(&["roles", "list"]).json();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["admin", "hr", "manager", "user"]);

    sandbox.verb(&["roles", "create", "hr"]).fails(5, "`hr` already");
    assert_eq!(sandbox.verb(&["roles", "delete", "hr"]).json()["name"], "hr");
    sandbox.verb(&["roles", "show", "hr"]).fails(3, "there is no role `hr`");
    sandbox.verb(&["roles", "delete", "hr"]).fails(3, "there is no role `hr`");
}

#[test]
fn the_built_in_roles_stay() {
    let sandbox = Sandbox::new();
    for name in ["admin", "manager", "user"] {
        sandbox.verb(&["roles", "delete", name]).fails(5, "stays");
    }
    sandbox.verb(&["roles", "create", "Boss"]).fails(2, "a role's name is");
    sandbox.verb(&["roles", "create", "x", "--permission", "users:*"]).fails(2, "a permission is");
}

#[test]
fn an_api_is_registered_shown_listed_and_deleted() {
    let sandbox = Sandbox::new();
    let planner = "https://planner.example";
    let made =
        sandbox.verb(&["apis", "create", planner, "--access-ttl", "5m", "--algorithm", "RS256"]);
    let made = made.json();
    assert_eq!(made["name"], planner);
    assert_eq!(made["access_ttl_seconds"], 300);
    assert_eq!(made["algorithm"], "RS256");
    assert_eq!(sandbox.verb(&["apis", "show", planner]).json(), made);
    assert_eq!(sandbox.verb(&["apis", "list"]).json()["items"], json!([made]));

    sandbox.verb(&["apis", "create", planner]).fails(5, "already");
    let other = "https://other.example";
    let unknown = sandbox.verb(&["apis", "create", other, "--client-id", "nobody"]);
    unknown.fails(3, "there is no client `nobody`");
    for wrong in [
        vec!["planner"],
        vec![other, "--access-ttl", "2h"],
        vec![other, "--access-ttl", "0s"],
        vec![other, "--algorithm", "HS256"],
    ] {
        let done = sandbox.verb(&[&["apis", "create"], &wrong[..]].concat());
        assert_eq!(done.code, 2, "{done:?}");
    }
    assert_eq!(sandbox.verb(&["apis", "delete", planner]).json()["audience"], planner);
    sandbox.verb(&["apis", "delete", planner]).fails(3, "there is no API");
}

#[test]
fn a_setting_is_changed_and_says_that_somebody_did() {
    let sandbox = Sandbox::new();
    let set = sandbox.verb(&["settings", "set", "access_ttl", "15m"]).json();
    assert_eq!([&set["before"], &set["value"]], ["600s", "15m"]);
    let listed = sandbox.verb(&["settings", "list"]).json();
    let named = |name: &str| {
        let items = listed["items"].as_array().unwrap();
        items.iter().find(|item| item["name"] == name).unwrap().clone()
    };
    assert_eq!(named("access_ttl")["value"], "900s");
    assert_eq!(named("access_ttl")["source"], "database");
    assert_eq!(named("registration")["value"], "closed");
    assert_eq!(named("registration")["source"], "default");

    sandbox.verb(&["settings", "set", "acces_ttl", "15m"]).fails(3, "no setting `acces_ttl`");
    sandbox.verb(&["settings", "set", "access_ttl", "2h"]).fails(6, "from 1s to 1h");
    sandbox.verb(&["settings", "set", "default_client", "x"]).fails(3, "no client `x`");
    sandbox.verb(&["settings", "set", "default_roles", "boss"]).fails(3, "no role `boss`");
}
