//! Errors that are put in on purpose (`cargo xtask planted`) are in no program that anybody runs.

const PROGRAM: &str = env!("CARGO_BIN_EXE_munjigi");

#[test]
fn the_program_has_no_trace_of_planted_errors() {
    let program = std::fs::read(PROGRAM).unwrap();
    let has = |name: &str| program.windows(name.len()).any(|part| part == name.as_bytes());
    // That what is there would be found.
    assert!(has("MUNJIGI_LOG"));
    for name in ["MUNJIGI_PLANTED", "code_spent_twice", "dummy_hash_skipped", "pkce_skipped"] {
        assert!(!has(name), "{name}");
    }
}
