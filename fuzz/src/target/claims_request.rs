//! The `claims` parameter (OpenID Connect Core §5.5): bounded, and read back as it is kept.

use munjigi_core::oidc::claims_request::{ClaimsRequest, MAX_BYTES, MAX_CLAIMS, MAX_VALUES};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(request) = ClaimsRequest::parse(text) else { return };
    assert!(text.len() <= MAX_BYTES);
    for wishes in [&request.userinfo, &request.id_token] {
        assert!(wishes.len() <= MAX_CLAIMS, "more claims than are looked at");
        assert!(wishes.values().all(|wish| wish.values.len() <= MAX_VALUES));
    }
    let kept = request.to_json();
    // The stored text may be longer than what is taken from a request: `\n` for a line feed.
    if kept.len() <= MAX_BYTES {
        assert_eq!(ClaimsRequest::parse(&kept).as_ref(), Ok(&request), "not read back");
    }
}
