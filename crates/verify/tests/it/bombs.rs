//! Tokens that are made to cost: refused by their size and their form, before they are opened.

use munjigi_verify::token::base64url;

use crate::tokens::issuer;

/// JW-08 of the attack kit.
#[test]
fn jw_08_bombs_are_refused_before_they_are_opened() {
    let verifier = issuer().verifier().unwrap();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let es256 = base64url::encode(r#"{"alg":"ES256","typ":"at+jwt","kid":"a"}"#);
    let pbes2 = r#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483648,"p2s":"AA"}"#;
    for (what, bomb) in [
        ("10 MB", "A".repeat(10_000_000)),
        ("dots", ".".repeat(1_000_000)),
        ("deep claims", format!("{es256}.{}.AA", base64url::encode(&deep))),
        ("a deep header", format!("{}.e30.AA", base64url::encode(&deep[..4_000]))),
        ("PBES2", format!("{}.AA.AA.AA.AA", base64url::encode(pbes2))),
        ("zip", format!("{}.AA.AA", base64url::encode(r#"{"alg":"ES256","zip":"DEF"}"#))),
    ] {
        let refusal = verifier.verify_now(&bomb).unwrap_err();
        assert_eq!(refusal.status().as_u16(), 401, "{what}: {refusal:?}");
    }
}
