//! The issuer for tests does not exist in production.

use std::process::Command;

use munjigi_verify::testing::{CannotIssue, Issuer};

/// Runs itself once more for each environment: a process cannot change its own safely.
#[test]
fn the_test_issuer_is_not_made_where_the_environment_says_production() {
    let program = std::env::current_exe().unwrap();
    for (name, value, wanted) in [
        ("MUNJIGI_ENV", "production", "refused"),
        ("APP_ENV", "Production", "refused"),
        ("APP_ENV", "test", "made"),
    ] {
        let output = Command::new(&program)
            .args(["--exact", "production::tells_whether_it_is_made", "--nocapture"])
            .env_remove("MUNJIGI_ENV")
            .env_remove("APP_ENV")
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("the issuer is {wanted}")), "{name}={value}: {said}");
    }
}

#[test]
fn tells_whether_it_is_made() {
    match Issuer::new("orders-api") {
        Ok(_) => println!("the issuer is made"),
        Err(CannotIssue::Production(_)) => println!("the issuer is refused"),
        Err(other) => panic!("{other}"),
    }
}
