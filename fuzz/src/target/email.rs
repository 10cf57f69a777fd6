//! E-mail addresses (RFC 5321, RFC 6531): one `@`, nothing that breaks out of a mail's header, and
//! the same address when it is read again.

use munjigi_core::account::email::Email;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(email) = Email::parse(text) else { return };
    let kept = email.as_str();
    assert_eq!(kept, format!("{}@{}", email.local_part(), email.domain()));
    assert!(kept.len() <= 254 && kept.matches('@').count() == 1, "{kept}");
    assert!(
        !kept.contains(|c: char| c.is_control() || c.is_whitespace() || "<>(),:;\"".contains(c))
    );
    assert!(email.domain().is_ascii(), "{kept}");

    let Ok(again) = Email::parse(kept) else { panic!("not read again: {kept}") };
    assert_eq!((again.as_str(), again.canonical()), (kept, email.canonical()), "another address");
    let shouted = Email::parse(&kept.to_ascii_uppercase());
    let is_other = shouted.is_ok_and(|it| it.canonical() != email.canonical());
    assert!(!is_other, "case makes two of one");
}
