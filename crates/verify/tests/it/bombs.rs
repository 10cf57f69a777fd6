//! Tokens that are made to cost: refused by their size and their form, before they are opened.

use std::process::Command;

use munjigi_verify::Verifier;
use munjigi_verify::token::base64url;

use crate::tokens::issuer;

fn bombs() -> Vec<(&'static str, String)> {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let es256 = base64url::encode(r#"{"alg":"ES256","typ":"at+jwt","kid":"a"}"#);
    let pbes2 = r#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483648,"p2s":"AA"}"#;
    vec![
        ("10 MB", "A".repeat(10_000_000)),
        ("dots", ".".repeat(1_000_000)),
        ("deep claims", format!("{es256}.{}.AA", base64url::encode(&deep))),
        ("a deep header", format!("{}.e30.AA", base64url::encode(&deep[..4_000]))),
        ("PBES2", format!("{}.AA.AA.AA.AA", base64url::encode(pbes2))),
        ("zip", format!("{}.AA.AA", base64url::encode(r#"{"alg":"ES256","zip":"DEF"}"#))),
    ]
}

fn refuse(verifier: &Verifier, what: &str, bomb: &str) {
    let refusal = verifier.verify_now(bomb).unwrap_err();
    assert_eq!(refusal.status().as_u16(), 401, "{what}: {refusal:?}");
}

/// JW-08 of the attack kit: a bomb that was opened would take minutes, or hours. That none takes
/// long is seen from so far away that no busy machine looks like one.
#[expect(clippy::disallowed_methods, reason = "whether it explodes is the point")]
#[test]
fn jw_08_bombs_are_refused_before_they_are_opened() {
    let verifier = issuer().verifier().unwrap();
    for (what, bomb) in bombs() {
        let began = std::time::Instant::now();
        refuse(&verifier, what, &bomb);
        let took = began.elapsed();
        assert!(took.as_secs() < 5, "{what}: {took:?}");
    }
}

/// What the process of this test has of memory, in KiB, by a line of its status.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|it| it.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The child of the test below: the most that it ever takes counts, from the second time on.
#[ignore = "started by jw_08_two_hundred_bombs_take_no_memory"]
#[test]
fn child_refuses_two_hundred_bombs() {
    let (verifier, bombs) = (issuer().verifier().unwrap(), bombs());
    let round = || bombs.iter().for_each(|(what, bomb)| refuse(&verifier, what, bomb));
    round();
    let before = memory("VmRSS:");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    (0..34).for_each(|_| round());
    let most = memory("VmHWM:").saturating_sub(before);
    assert!(most < 4_096, "at most {most} KiB more");
}

/// JW-08: in a process of its own, since other tests take memory, too.
#[test]
fn jw_08_two_hundred_bombs_take_no_memory() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bombs::child_refuses_two_hundred_bombs"])
        .args(["--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
