//! Scopes (RFC 6749 §3.3): the names between single spaces, and one text for one set.

use std::collections::BTreeSet;

use munjigi_core::oauth::scope::Scope;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(scope) = text.parse::<Scope>() else { return };
    let named: BTreeSet<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
    assert!(scope.names().eq(named.iter().copied()), "other names than are written");
    let plain =
        |name: &str| name.bytes().all(|it| it.is_ascii_graphic() && it != b'"' && it != b'\\');
    assert!(scope.names().all(plain), "a name of more than plain characters: {text}");

    let written = scope.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&scope), "not read back");
    assert!(scope.within(&scope) && scope.common(&scope) == scope && scope.with(&scope) == scope);
    let half = scope.only(|name| name.len().is_multiple_of(2));
    assert!(half.within(&scope) && half.common(&scope) == half, "more than there was");
}
