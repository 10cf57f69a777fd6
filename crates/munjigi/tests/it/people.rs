//! `munjigi users`, on a database that no server was ever started on.

use serde_json::{Value, json};

use crate::sandbox::{Done, Sandbox};

const GOOD: &str = "seven bridges at night\n";

fn create(sandbox: &Sandbox, password: &str, args: &[&str]) -> Done {
    let verb = ["users", "create", "--password-stdin"];
    sandbox.verb_with(password, &[&verb[..], args].concat())
}

fn minji(sandbox: &Sandbox) -> Value {
    let args = ["--email", "Minji@Example.com", "--username", "minji", "--name", "김민지"];
    create(sandbox, GOOD, &args).json()
}

#[test]
fn the_first_administrator_is_made_before_any_server_was_started() {
    let sandbox = Sandbox::new();
    let args = ["--email", "jun@example.com", "--username", "jun", "--role", "admin"];
    let made = create(&sandbox, GOOD, &args).json();
    assert_eq!(made["email"], "jun@example.com");
    assert_eq!(made["username"], "jun");
    assert_eq!(made["roles"], json!(["admin"]));
    assert_eq!(made["id"].as_str().unwrap().len(), 36);
}

#[test]
fn an_account_without_roles_said_gets_those_of_the_setting() {
    let sandbox = Sandbox::new();
    assert_eq!(minji(&sandbox)["roles"], json!(["user"]));
    sandbox.verb(&["settings", "set", "default_roles", "manager,user"]).json();
    let other = create(&sandbox, GOOD, &["--email", "jun@example.com"]).json();
    assert_eq!(other["roles"], json!(["manager", "user"]));
}

#[test]
fn a_weak_password_is_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    for (password, why) in [
        ("short", "too short"),
        ("password", "Many people use this password"),
        ("hana1234", "little more than"),
        ("", "too short"),
    ] {
        let args = ["--email", "hana@example.com", "--username", "hana"];
        create(&sandbox, password, &args).fails(6, why);
    }
    create(&sandbox, &"x".repeat(5_000), &["--email", "a@example.com"]).fails(6, "longer than");
    assert_eq!(sandbox.verb(&["users", "list"]).json()["items"], json!([]));

    minji(&sandbox);
    let reset = ["users", "reset-password", "minji", "--password-stdin"];
    sandbox.verb_with("qwerty123", &reset).fails(6, "Many people use this password");
}

#[test]
fn names_that_are_taken_or_imitate_one_are_a_conflict() {
    let sandbox = Sandbox::new();
    minji(&sandbox);
    create(&sandbox, GOOD, &["--email", "minji@example.com"]).fails(5, "has an account already");
    let args = ["--email", "other@example.com", "--username", "MINJI"];
    create(&sandbox, GOOD, &args).fails(5, "user name is taken");
}

#[test]
fn a_role_or_a_user_that_is_not_there_is_not_found() {
    let sandbox = Sandbox::new();
    let args = ["--email", "a@example.com", "--role", "boss"];
    create(&sandbox, GOOD, &args).fails(3, "there is no role `boss`");
    minji(&sandbox);
    sandbox.verb(&["users", "roles", "add", "minji", "boss"]).fails(3, "no role `boss`");
    for name in ["nobody", "nobody@example.com", "6b23b491-19e0-4756-bbf4-bc73d06f64db", "a b"] {
        for verb in ["show", "disable", "enable", "delete"] {
            sandbox.verb(&["users", verb, name]).fails(3, "there is no user");
        }
    }
}

#[test]
fn a_password_is_never_an_argument() {
    let sandbox = Sandbox::new();
    let create = ["users", "create", "--email", "a@example.com"];
    let with = |more: &[&str]| sandbox.verb(&[&create[..], more].concat());
    with(&["--password", "secret"]).fails(2, "unexpected argument");
    with(&[]).fails(2, "where is the password?");
    with(&["--password-file", "nowhere"]).fails(3, "nowhere");
    with(&["--password-file", "nowhere", "--password-stdin"]).fails(2, "cannot be used with");
    sandbox.write("secret", GOOD);
    assert_eq!(with(&["--password-file", "secret"]).json()["email"], "a@example.com");
}

#[test]
fn what_cannot_be_an_address_or_a_name_is_wrong_usage() {
    let sandbox = Sandbox::new();
    for args in [
        ["--email", "minji", "--username", "minji"],
        ["--email", "a@example.com", "--username", "a@example.com"],
        ["--email", "a@example.com", "--role", "Admin"],
    ] {
        create(&sandbox, GOOD, &args).fails(2, "invalid value");
    }
    create(&sandbox, GOOD, &[]).fails(2, "--email");
    assert_eq!(sandbox.files(), Vec::<String>::new(), "no database was made");
}

#[test]
fn a_user_is_found_by_id_address_and_name() {
    let sandbox = Sandbox::new();
    let id = minji(&sandbox)["id"].as_str().unwrap().to_owned();
    for name in [&id, "minji", "MINJI", "minji@example.com", "minji@EXAMPLE.com"] {
        let shown = sandbox.verb(&["users", "show", name]).json();
        assert_eq!(shown["id"], id.as_str(), "{name}");
        assert_eq!(shown["live_sessions"], 0);
        assert_eq!(shown["name"], "김민지");
    }
}

#[test]
fn disabling_enabling_and_roles_say_what_they_came_to_and_twice_is_no_failure() {
    let sandbox = Sandbox::new();
    minji(&sandbox);
    for _ in 0..2 {
        assert!(sandbox.verb(&["users", "disable", "minji"]).json()["disabled_at"].is_string());
    }
    for _ in 0..2 {
        assert!(sandbox.verb(&["users", "enable", "minji"]).json()["disabled_at"].is_null());
    }
    for _ in 0..2 {
        let given = sandbox.verb(&["users", "roles", "add", "minji", "admin", "manager"]);
        assert_eq!(given.json()["roles"], json!(["admin", "manager", "user"]));
    }
    for _ in 0..2 {
        let left = sandbox.verb(&["users", "roles", "remove", "minji", "admin", "user"]);
        assert_eq!(left.json()["roles"], json!(["manager"]));
    }
    sandbox.verb(&["users", "roles", "add", "minji"]).fails(2, "required");
    assert_eq!(sandbox.verb(&["users", "delete", "minji", "--yes"]).json()["username"], "minji");
    sandbox.verb(&["users", "show", "minji"]).fails(3, "there is no user `minji`");
}

#[test]
fn a_list_comes_in_pages_and_can_be_narrowed() {
    let sandbox = Sandbox::new();
    for name in ["ara", "bora", "chan"] {
        create(&sandbox, GOOD, &["--email", &format!("{name}@example.com"), "--username", name]);
    }
    sandbox.verb(&["users", "roles", "add", "bora", "manager"]).json();
    sandbox.verb(&["users", "disable", "chan"]).json();
    let names = |args: &[&str]| {
        let listed = sandbox.verb(&[&["users", "list"], args].concat()).json();
        let items = listed["items"].as_array().unwrap().iter();
        let names: Vec<_> =
            items.map(|user| user["username"].as_str().unwrap().to_owned()).collect();
        (names, listed["next"].as_str().map(str::to_owned))
    };
    assert_eq!(names(&[]), (vec!["ara".into(), "bora".into(), "chan".into()], None));
    let (first, next) = names(&["--limit", "2"]);
    assert_eq!(first, ["ara", "bora"]);
    assert_eq!(names(&["--limit", "2", "--after", &next.unwrap()]).0, ["chan"]);
    assert_eq!(names(&["--search", "BORA"]).0, ["bora"]);
    assert_eq!(names(&["--role", "manager"]).0, ["bora"]);
    assert_eq!(names(&["--state", "disabled"]).0, ["chan"]);
    for bad in [["--limit", "0"], ["--limit", "201"], ["--after", "?"], ["--state", "gone"]] {
        sandbox.verb(&[&["users", "list"], &bad[..]].concat()).fails(2, "invalid value");
    }

    let table = sandbox.run(&["users", "list", "--limit", "1", "--database", "sqlite:test.db"]);
    assert!(table.stdout.starts_with("ID  "), "{table:?}");
    assert!(table.stdout.contains("ara@example.com") && table.stdout.contains("--after "));
    assert!(!table.stdout.contains('\u{1b}'), "no colours");
}
