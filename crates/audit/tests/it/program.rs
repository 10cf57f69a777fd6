//! `munjigi-audit` as it is called.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::sample;

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_munjigi-audit")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn exit_codes_tell_what_was_found() {
    let directory = TempDir::new().unwrap();
    let (log, old) = (directory.path().join("log"), directory.path().join("old"));
    let (log_path, old_path) = (log.to_str().unwrap(), old.to_str().unwrap());
    let vkey = sample::signer().verifier().to_string();
    let verify = ["verify", "--vkey", &vkey, "--log", log_path];
    let since = [&verify[..], &["--since", old_path]].concat();

    let mut files = sample::log(0, 0, 300);
    std::fs::write(&old, &files["checkpoint"]).unwrap();
    sample::write(&log, &sample::log(0, 0, 301));
    assert_eq!(run(&since).0, Some(0));
    let (code, out, _) = run(&verify);
    assert_eq!((code, out.starts_with("ok: id.example/audit: 301 events")), (Some(0), true));

    sample::write(&log, &sample::log(0, 0, 299));
    assert_eq!((run(&verify).0, run(&since).0), (Some(0), Some(3)));

    files.get_mut("tile/entries/001.p/44").unwrap()[70] ^= 1;
    sample::write(&log, &files);
    let (code, _, error) = run(&verify);
    assert_eq!((code, error.contains("tampered: index 256")), (Some(1), true), "{error}");

    files.remove("tile/0/000");
    sample::write(&log, &files);
    assert_eq!(run(&verify).0, Some(2));

    // What could not be looked at lacks nothing that anybody knows of.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("http://{nobody}/api/v1/audit");
    for nowhere in [&*away, directory.path().join("nowhere").to_str().unwrap(), old_path] {
        let (code, _, error) = run(&["verify", "--vkey", &vkey, "--log", nowhere]);
        assert_eq!((code, error.contains("not looked at: ")), (Some(69), true), "{error}");
    }
    for wrong in [&[][..], &["verify"], &["verify", "--vkey", "x", "--log", log_path], &["--bad"]] {
        assert_eq!(run(wrong).0, Some(64), "{wrong:?}");
    }
}

#[test]
fn a_proof_is_checked_without_the_log() {
    let directory = TempDir::new().unwrap();
    let (log, proof) = (directory.path().join("log"), directory.path().join("one.tlog-proof"));
    let (log_path, proof_path) = (log.to_str().unwrap(), proof.to_str().unwrap());
    let vkey = sample::signer().verifier().to_string();
    sample::write(&log, &sample::log(0, 0, 700));

    let event = "00000000-0000-7000-8000-000000000517";
    let (code, text, _) = run(&["prove", "--vkey", &vkey, "--log", log_path, "--event", event]);
    assert_eq!(code, Some(0));
    std::fs::write(&proof, &text).unwrap();
    sample::write(&log, &sample::Files::new());

    let (code, entry, _) = run(&["check-proof", "--vkey", &vkey, proof_path]);
    assert_eq!((code, entry.contains(event)), (Some(0), true));
    std::fs::write(&proof, text.replace("index 517", "index 516")).unwrap();
    assert_eq!(run(&["check-proof", "--vkey", &vkey, proof_path]).0, Some(1));
    assert_eq!(run(&["check-proof", "--vkey", &vkey, log_path]).0, Some(69));
}
