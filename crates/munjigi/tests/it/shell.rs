//! What the binary says about itself.

use crate::sandbox::Sandbox;

#[test]
fn a_script_for_each_shell_names_every_command() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = sandbox.run(&["completion", shell]);
        assert_eq!(done.code, 0, "{shell}");
        for word in ["serve", "rotate-secret", "password-stdin"] {
            assert!(done.stdout.contains(word), "{shell}: {word}");
        }
    }
    sandbox.run(&["completion", "csh"]).fails(2, "possible values");
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let sandbox = Sandbox::new();
    let page = sandbox.run(&["man"]);
    assert!(
        page.stdout.contains(".TH munjigi 1") && page.stdout.contains("completion"),
        "{page:?}"
    );
    let page = sandbox.run(&["man", "users", "create"]);
    assert!(page.stdout.contains(".TH munjigi-users-create 1"), "{page:?}");
    sandbox.run(&["man", "users", "destroy"]).fails(2, "there is no command `destroy`");
}

#[test]
fn the_version_is_that_of_the_crate() {
    let done = Sandbox::new().run(&["--version"]);
    assert_eq!(done.stdout, format!("munjigi {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_is_no_failure_and_nonsense_is_wrong_usage() {
    let sandbox = Sandbox::new();
    for args in [&["--help"][..], &["users", "--help"], &["help", "clients", "create"]] {
        assert_eq!(sandbox.run(args).code, 0, "{args:?}");
    }
    for args in [&[][..], &["users"], &["user", "list"], &["users", "list", "--outptu", "json"]] {
        assert_eq!(sandbox.run(args).code, 2, "{args:?}");
    }
    sandbox.run(&["user", "list"]).fails(2, "'users'");
    assert_eq!(sandbox.files(), Vec::<String>::new());
}
