//! `munjigi roles`, `munjigi apis`, `munjigi registration-tokens` and `munjigi settings`.

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

/// What is not said stays; what is said is checked as when it was made.
#[test]
fn a_role_is_changed_disabled_and_enabled() {
    let sandbox = Sandbox::new();
    let make = ["roles", "create", "hr", "--permission", "users:read", "--scope", "admin"];
    sandbox.verb(&make).json();
    let changed = sandbox.verb(&["roles", "update", "hr", "--description", "People"]).json();
    assert_eq!(changed["permissions"], json!(["users:read"]));
    let change = ["roles", "update", "hr", "--permission", "users:write", "--scope", ""];
    let changed = sandbox.verb(&change).json();
    assert_eq!(changed["permissions"], json!(["users:write"]));
    assert_eq!([&changed["scope"], &changed["description"]], ["", "People"]);
    let changed = sandbox.verb(&["roles", "update", "hr", "--no-permissions"]).json();
    assert_eq!(changed["permissions"], json!([]));
    assert_ne!(sandbox.verb(&["roles", "disable", "hr"]).json()["disabled_at"], json!(null));
    assert_ne!(sandbox.verb(&["roles", "show", "hr"]).json()["disabled_at"], json!(null));
    assert_eq!(sandbox.verb(&["roles", "enable", "hr"]).json()["disabled_at"], json!(null));

    sandbox.verb(&["roles", "update", "hr"]).fails(2, "required");
    sandbox.verb(&["roles", "update", "boss", "--scope", "x"]).fails(3, "there is no role `boss`");
    sandbox.verb(&["roles", "disable", "user"]).fails(5, "stays");
    sandbox.verb(&["roles", "update", "admin", "--no-permissions"]).fails(5, "stays");
    for verb in ["disable", "enable"] {
        sandbox.verb(&["roles", verb, "boss"]).fails(3, "there is no role `boss`");
    }
}

#[test]
fn an_api_is_changed_disabled_and_enabled() {
    let sandbox = Sandbox::new();
    let planner = "https://planner.example";
    sandbox.verb(&["apis", "create", planner, "--access-ttl", "5m"]).json();
    let changed = sandbox.verb(&["apis", "update", planner, "--name", "Planner"]).json();
    assert_eq!(
        (&changed["name"], &changed["access_ttl_seconds"]),
        (&json!("Planner"), &json!(300))
    );
    assert_ne!(sandbox.verb(&["apis", "disable", planner]).json()["disabled_at"], json!(null));
    assert_eq!(sandbox.verb(&["apis", "enable", planner]).json()["disabled_at"], json!(null));
    assert_eq!(sandbox.verb(&["apis", "show", planner]).json(), changed);

    sandbox.verb(&["apis", "update", planner]).fails(2, "required");
    sandbox.verb(&["apis", "update", planner, "--client-id", "x"]).fails(3, "no client `x`");
    for verb in [vec!["update", "urn:x", "--name", "x"], vec!["disable", "urn:x"]] {
        sandbox.verb(&[&["apis"], &verb[..]].concat()).fails(3, "there is no API `urn:x`");
    }
}

#[test]
fn a_client_is_changed_member_by_member() {
    let sandbox = Sandbox::new();
    let make = ["clients", "create", "--id", "shop", "--name", "Shop", "--scope", "openid"];
    let made = [&make[..], &["--grant-type", "client_credentials"]].concat();
    sandbox.verb(&made).json();
    let change = ["clients", "update", "shop", "--scope", "openid email", "--first-party", "true"];
    let changed = sandbox.verb(&change).json();
    assert_eq!((&changed["name"], &changed["scope"]), (&json!("Shop"), &json!("email openid")));
    assert_eq!(changed["first_party"], true);
    assert_eq!(sandbox.verb(&["clients", "show", "shop"]).json(), changed);

    sandbox.verb(&["clients", "update", "shop"]).fails(2, "required");
    let code = ["clients", "update", "shop", "--grant-type", "authorization_code"];
    assert_eq!(sandbox.verb(&code).code, 6, "a code has nowhere to go");
    sandbox.verb(&["clients", "update", "nobody", "--name", "x"]).fails(3, "no client `nobody`");
}

#[test]
fn a_setting_that_is_reset_has_its_default_again() {
    let sandbox = Sandbox::new();
    sandbox.verb(&["settings", "set", "access_ttl", "15m"]).json();
    let reset = sandbox.verb(&["settings", "reset", "access_ttl"]).json();
    assert_eq!([&reset["before"], &reset["value"]], ["900s", "600s"]);
    let listed = sandbox.verb(&["settings", "list"]).json();
    let of = |name: &str| {
        let items = listed["items"].as_array().unwrap();
        items.iter().find(|item| item["name"] == name).unwrap().clone()
    };
    assert_eq!(of("access_ttl")["source"], "default");
    let again = sandbox.verb(&["settings", "reset", "access_ttl"]).json();
    assert_eq!([&again["before"], &again["value"]], ["600s", "600s"]);
    for verb in [vec!["reset", "mode"], vec!["set", "mode", "dev"], vec!["reset", "acces_ttl"]] {
        sandbox.verb(&[&["settings"], &verb[..]].concat()).fails(3, "there is no setting");
    }
}

/// What is listed is what holds: in a database of `dev` anybody may sign up.
#[test]
fn the_settings_of_a_dev_database_are_those_that_hold_there() {
    let sandbox = Sandbox::new();
    drop(sandbox.dev(&[]));
    let list =
        ["settings", "list", "--output", "json", "--database", "sqlite:munjigi-dev/munjigi.db"];
    let listed = sandbox.run(&list).json();
    let items = listed["items"].as_array().unwrap();
    let registration = items.iter().find(|item| item["name"] == "registration").unwrap();
    assert_eq!([&registration["value"], &registration["source"]], ["open", "default"]);
    assert!(items.iter().all(|item| item["name"] != "mode"));
}

#[test]
fn a_registration_token_is_told_once_listed_by_its_hash_and_taken_back() {
    let sandbox = Sandbox::new();
    let made = sandbox.verb(&["registration-tokens", "create", "--registrations", "3"]).json();
    let token = made["registration_token"].as_str().unwrap();
    assert!(token.starts_with("mj_rg_") && token.len() > 40);
    assert_eq!(made["registrations_left"], 3);

    let listed = sandbox.verb(&["registration-tokens", "list"]);
    assert!(!listed.stdout.contains(token));
    assert_eq!(listed.json()["items"][0]["id"], made["id"]);

    let id = made["id"].as_str().unwrap();
    let delete = ["registration-tokens", "delete", id];
    assert_eq!(sandbox.verb(&delete).json()["id"], id);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    sandbox.verb(&delete).fails(3, "there is no registration token");
    for wrong in [["--registrations", "0"], ["--registrations", "1001"], ["--ttl", "1s"]] {
        sandbox.verb(&[&["registration-tokens", "create"], &wrong[..]].concat()).fails(2, "");
    }
}
