//! `munjigi config`, and how a command finds its database.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, set_mode};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn good() -> String {
    format!("issuer = \"https://auth.example\"\nkeys.encryption_key = \"{KEY}\"\n")
}

#[test]
fn a_right_configuration_is_right() {
    let sandbox = Sandbox::new();
    sandbox.write("munjigi.toml", &good());
    assert_eq!(sandbox.run(&["config", "check", "--output", "json"]).json()["ok"], true);
    assert_eq!(sandbox.run(&["config", "check"]).stdout, "The configuration is right.\n");
}

#[test]
fn every_mistake_is_told_at_once_and_the_exit_code_is_six() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "issuer = \"http://auth.example\"\nlisten = \"x\"\n");
    let done = sandbox.run(&["config", "check", "--config", "bad.toml"]);
    for key in ["issuer:", "listen:", "keys.encryption_key_file:"] {
        done.fails(6, key);
    }
    let shown = sandbox.run(&["config", "check", "--config", "bad.toml", "--output", "json"]);
    let shown = shown.json_with(6);
    assert_eq!(shown["ok"], false);
    assert_eq!(shown["mistakes"][0]["key"], "issuer");

    sandbox.write("typo.toml", "isuer = \"https://auth.example\"\n");
    sandbox.run(&["config", "check", "--config", "typo.toml"]).fails(6, "did you mean `issuer`?");
    sandbox.run(&["config", "check", "--config", "nowhere.toml"]).fails(2, "cannot read nowhere");
}

/// Whoever reads the key-encryption key can open every signing key of a stolen database.
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let sandbox = Sandbox::new();
    let file = "issuer = \"https://auth.example\"\nkeys.encryption_key_file = \"munjigi.key\"\n";
    sandbox.write("munjigi.toml", file);
    let key = sandbox.write("munjigi.key", KEY);
    for mode in [0o600, 0o400] {
        set_mode(&key, mode);
        assert_eq!(sandbox.run(&["config", "check"]).code, 0, "{mode:o}");
    }
    for mode in [0o640, 0o604, 0o644, 0o620] {
        set_mode(&key, mode);
        sandbox.run(&["config", "check"]).fails(6, "others can read munjigi.key");
        sandbox.run(&["serve"]).fails(2, "chmod 400 munjigi.key");
    }
}

#[test]
fn the_key_before_is_named_while_another_one_takes_its_place() {
    let sandbox = Sandbox::new();
    let more = "keys.previous_encryption_key_file = \"before.key\"\n";
    sandbox.write("munjigi.toml", &(good() + more));
    let name = "keys.previous_encryption_key_file";
    sandbox.run(&["config", "check"]).fails(6, name);
    let before = sandbox.write("before.key", KEY);
    set_mode(&before, 0o400);
    sandbox.run(&["config", "check"]).fails(6, "the same key");
    set_mode(&before, 0o600);
    sandbox.write("before.key", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    assert_eq!(sandbox.run(&["config", "check"]).code, 0);
    set_mode(&before, 0o644);
    sandbox.run(&["config", "check"]).fails(6, "others can read before.key");
}

/// A variable that is misspelt would silently mean the default.
#[test]
fn a_misspelt_variable_is_told_with_all_other_mistakes() {
    let sandbox = Sandbox::new();
    sandbox.write("munjigi.toml", "listen = \"x\"\n");
    let run = |args: &[&str], code: i32| {
        let mut command = sandbox.command(args);
        command.env("MUNJIGI_ISUER", "https://a.example").env("MUNJIGI_DATABSE", "sqlite:x.db");
        command.env("MUNJIGI_LOG", "info").env("MUNJIGI_NOTHING_LIKE_IT", "1");
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(code));
        String::from_utf8(done.stderr).unwrap() + &String::from_utf8(done.stdout).unwrap()
    };
    for (args, code) in [(vec!["config", "check"], 6), (vec!["serve"], 2)] {
        let said = run(&args, code);
        for part in [
            "MUNJIGI_ISUER: there is no such variable; did you mean `MUNJIGI_ISSUER`?",
            "did you mean `MUNJIGI_DATABASE`?",
            "MUNJIGI_NOTHING_LIKE_IT: there is no such variable\n",
            "issuer: is missing",
            "listen: ",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert!(!said.contains("MUNJIGI_LOG"), "{said}");
    }
    let shown = run(&["config", "check", "--output", "json"], 6);
    assert!(shown.contains(r#""key":"MUNJIGI_DATABSE""#), "{shown}");
    // Every key of the file is a variable, too.
    let file = sandbox.command(&["config", "check"]).env("MUNJIGI_PROXY_TRUSTED", "x").output();
    assert!(!String::from_utf8(file.unwrap().stderr).unwrap().contains("no such variable"));
}

#[test]
fn every_value_is_shown_with_its_source_and_no_secret() {
    let sandbox = Sandbox::new();
    sandbox.write("munjigi.toml", &format!("{}hashing.threads = 2\n", good()));
    let shown = sandbox
        .command(&["config", "show", "--output", "json"])
        .env("MUNJIGI_DATABASE", "postgres://munjigi:hunter2@db.example/munjigi")
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(!text.contains("hunter2") && !text.contains(KEY), "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    let of = |key: &str| {
        let items = shown["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["key"] == key).unwrap();
        (item["value"].clone(), item["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("issuer"), (json!("https://auth.example"), "file".into()));
    assert_eq!(of("hashing.threads"), (json!(2), "file".into()));
    assert_eq!(of("keys.encryption_key"), (json!("(hidden)"), "file".into()));
    let database = json!("postgres://(hidden)@db.example/munjigi");
    assert_eq!(of("database"), (database, "environment".into()));
    assert_eq!(of("listen"), (json!("127.0.0.1:8000"), "default".into()));
}

#[test]
fn a_command_finds_its_database_by_flag_file_or_environment() {
    let sandbox = Sandbox::new();
    sandbox.run(&["roles", "list"]).fails(2, "which database?");
    assert_eq!(sandbox.files(), Vec::<String>::new());

    sandbox.write("other.toml", "database = \"sqlite:by-file.db\"\n");
    assert_eq!(sandbox.run(&["roles", "list", "--config", "other.toml"]).code, 0);
    assert!(sandbox.path("by-file.db").exists());

    let named =
        sandbox.command(&["roles", "list"]).env("MUNJIGI_DATABASE", "sqlite:by-env.db").output();
    assert!(named.unwrap().status.success() && sandbox.path("by-env.db").exists());

    let both = ["roles", "--database", "sqlite:by-flag.db", "list", "--config", "other.toml"];
    assert_eq!(sandbox.run(&both).code, 0);
    assert!(sandbox.path("by-flag.db").exists(), "the flag wins");

    sandbox.write("munjigi.toml", "database_file = \"url\"\n");
    sandbox.write("url", "sqlite:by-url.db\n");
    assert_eq!(sandbox.run(&["roles", "list"]).code, 0);
    assert!(sandbox.path("by-url.db").exists());
}

#[test]
fn a_database_that_cannot_be_opened_is_unreachable() {
    let sandbox = Sandbox::new();
    for url in ["sqlite:no/such/directory/x.db", "postgres://127.0.0.1:1/munjigi"] {
        sandbox.run(&["users", "list", "--database", url]).fails(7, "unavailable");
    }
    let wrong = sandbox.run(&["users", "list", "--database", "mysql://u:hunter2@h/d"]);
    wrong.fails(2, "a database is");
    assert!(!wrong.stderr.contains("hunter2"), "{wrong:?}");
    sandbox.run(&["users", "list", "--database", "sqlite::memory:"]).fails(2, "in memory");
    sandbox
        .write("text", "this is no database, however long it is looked at\n".repeat(100).as_str());
    assert_eq!(sandbox.run(&["users", "list", "--database", "sqlite:text"]).code, 7);
}
