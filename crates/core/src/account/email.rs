//! E-mail addresses (RFC 5321 §4.1.2 dot-strings, RFC 6531 letters, UTS #46 domains): normalised
//! first, judged after. It never guesses that two mailboxes of one provider are the same person's.

use std::fmt;

use thiserror::Error;
use url::Host;

use super::unicode::{
    fold_lookalikes, is_bidi_control, is_identifier_letter, is_invisible, keeps_to_one_script, nfkc,
};

/// The longest text that is looked at, in bytes: an address of Hangul letters sent as NFD takes
/// three times its room.
const MAX_RAW_BYTES: usize = 1_024;
/// RFC 5321 §4.5.3.1.3: a path is 256 octets, two of which are its angle brackets.
const MAX_BYTES: usize = 254;
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;

/// An e-mail address that mail can be sent to.
///
/// Mail always goes to an address that was stored, never to the one that somebody typed to find it:
/// two that share a [`canonical`](Self::canonical) form may still be two mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    text: String,
    at: usize,
    canonical: String,
}

/// Why a text is not taken as an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EmailError {
    /// Longer than 254 bytes, or than 64 before the `@`.
    #[error("This e-mail address is too long. It may have 254 bytes, 64 of them before the @.")]
    TooLong,
    /// White space, control characters or characters that show nothing, anywhere.
    #[error("This e-mail address holds a space or a character that cannot be seen. Type it again.")]
    Invisible,
    /// No `@`, or more than one, in any of its forms.
    #[error("An e-mail address has exactly one @, as in minji@example.com.")]
    NotOneAt,
    /// Before the `@` stands nothing, a character that mail does not allow, or a misplaced dot.
    #[error("The part before the @ is empty or holds a character that e-mail does not allow.")]
    LocalPart,
    /// After the `@` stands no name of a host.
    #[error("The part after the @ is not the name of a mail host, as in example.com.")]
    Domain,
    /// Letters of scripts that are not written together: the usual way to imitate another address.
    #[error("The part before the @ mixes letters of different alphabets. Use one alphabet.")]
    MixedScripts,
}

impl EmailError {
    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "email_too_long",
            Self::Invisible => "email_invisible_character",
            Self::NotOneAt => "email_not_one_at",
            Self::LocalPart => "email_local_part",
            Self::Domain => "email_domain",
            Self::MixedScripts => "email_mixed_scripts",
        }
    }

    /// The sentence in Korean; the English one is `Display`.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::TooLong => {
                "이메일 주소가 너무 길어요. 전체 254바이트, @ 앞은 64바이트까지 쓸 수 있어요."
            }
            Self::Invisible => {
                "이메일 주소에 공백이나 보이지 않는 문자가 있어요. 다시 입력해 주세요."
            }
            Self::NotOneAt => "이메일 주소에는 @가 하나만 있어야 해요. 예: minji@example.com",
            Self::LocalPart => "@ 앞부분이 비어 있거나 이메일에 쓸 수 없는 문자가 있어요.",
            Self::Domain => "@ 뒷부분이 메일 서버 이름이 아니에요. 예: example.com",
            Self::MixedScripts => {
                "@ 앞부분에 서로 다른 문자 체계가 섞여 있어요. 한 가지로만 써 주세요."
            }
        }
    }
}

impl Email {
    /// Reads an address. Nothing is trimmed: surrounding white space is refused, so that what a
    /// person sees is what is kept. Everything is judged after NFKC, so that a full-width `＠` is an
    /// `@` before they are counted (Auth.js GHSA-7rqj-j65f-68wh, oauth2-proxy CVE-2026-40574).
    /// Quoted local parts, comments and address literals are refused.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > MAX_RAW_BYTES {
            return Err(EmailError::TooLong);
        }
        let text = nfkc(text);
        let unseen =
            |c: char| c.is_whitespace() || c.is_control() || is_bidi_control(c) || is_invisible(c);
        if text.contains(unseen) {
            return Err(EmailError::Invisible);
        }

        let (local, domain) = text.split_once('@').ok_or(EmailError::NotOneAt)?;
        if domain.contains('@') {
            return Err(EmailError::NotOneAt);
        }
        check_local(local)?;
        let domain = ascii_domain(domain)?;
        if local.len() + 1 + domain.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }

        // ASCII stays itself: user1@ and userl@ are two people, and only their host may say
        // otherwise.
        let canonical = format!("{}@{domain}", fold_lookalikes(local, |c| c.is_ascii()));
        Ok(Self { at: local.len(), text: format!("{local}@{domain}"), canonical })
    }

    /// As the person wrote it, in NFKC, with the domain in lower-case ASCII (`xn--…` where needed):
    /// where mail goes.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form in which addresses are unique and looked up: NFKC and case-folded; letters outside
    /// ASCII become those that they look like (UTS #39 skeleton), so that no address imitates an
    /// ASCII one. Dots and `+tags` count: only a provider knows whether they matter.
    ///
    /// It depends on the Unicode version of the tables: a newer one may need the column written
    /// again.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// What stands after the `@`, in lower-case ASCII.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// RFC 5321 §4.1.2: Local-part is a Dot-string of atext (RFC 5322 §3.2.3); RFC 6531 §3.3 adds what
// is not ASCII, of which only letters, digits and marks are taken.
fn check_local(local: &str) -> Result<(), EmailError> {
    if local.len() > MAX_LOCAL_BYTES {
        return Err(EmailError::TooLong);
    }
    let allowed = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' => true,
        _ if c.is_ascii() => "!#$%&'*+-/=?^_`{|}~".contains(c),
        _ => is_identifier_letter(c),
    };
    if !local.chars().all(allowed) || local.split('.').any(str::is_empty) {
        return Err(EmailError::LocalPart);
    }
    if keeps_to_one_script(local) { Ok(()) } else { Err(EmailError::MixedScripts) }
}

// UTS #46 processing as in URLs, of a text that has none of the characters which URLs treat apart
// (a `%`, a bracket), and whose result is a host name in the sense of RFC 1123 §2.1.
fn ascii_domain(domain: &str) -> Result<String, EmailError> {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if domain.is_empty() || !domain.chars().all(plain) {
        return Err(EmailError::Domain);
    }
    let Ok(Host::Domain(ascii)) = Host::parse(domain) else { return Err(EmailError::Domain) };

    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let fits = ascii.len() <= 253 && ascii.split('.').all(label_fits);
    if fits { Ok(ascii) } else { Err(EmailError::Domain) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    fn canonical(text: &str) -> String {
        Email::parse(text).unwrap().canonical().to_owned()
    }

    #[test]
    fn an_address_keeps_its_case_and_its_domain_does_not() {
        let email = Email::parse("Minji.Kim+shop@Example.COM").unwrap();
        assert_eq!(email.as_str(), "Minji.Kim+shop@example.com");
        assert_eq!(email.canonical(), "minji.kim+shop@example.com");
        assert_eq!((email.local_part(), email.domain()), ("Minji.Kim+shop", "example.com"));
    }

    #[test]
    fn an_international_domain_becomes_ascii() {
        assert_eq!(Email::parse("a@한국.kr").unwrap().as_str(), "a@xn--3e0b707e.kr");
        assert_eq!(
            Email::parse("홍길동@bücher.example").unwrap().domain(),
            "xn--bcher-kva.example"
        );
    }

    #[test]
    fn every_form_of_the_at_sign_is_counted() {
        assert_eq!(Email::parse("a＠example.com").unwrap().as_str(), "a@example.com");
        for text in ["a@b@c.com", "a＠b@c.com", "a@evil.com﹫good.com", "a@b＠c.com", "@@", "a@@b"]
        {
            assert_eq!(Email::parse(text), Err(EmailError::NotOneAt), "{text}");
        }
        assert_eq!(Email::parse("example.com"), Err(EmailError::NotOneAt));
    }

    #[test]
    fn nothing_is_trimmed_and_nothing_unseen_passes() {
        let unseen = [
            " a@b.com",
            "a@b.com ",
            "a@b.com\n",
            "a@b.com\r\nBcc: c@d.com",
            "a b@c.com",
            "a@b\0.com",
            "a@b\u{AD}.com",
            "a\u{200B}@b.com",
            "\u{202E}a@b.com",
            "a@b.com\u{3000}",
            "a\u{3164}@b.com",
        ];
        for text in unseen {
            assert_eq!(Email::parse(text), Err(EmailError::Invisible), "{text:?}");
        }
    }

    #[test]
    fn what_stands_before_the_at_is_a_dot_string() {
        for text in [
            "@b.com",
            ".a@b.com",
            "a.@b.com",
            "a..b@c.com",
            "\"a\"@b.com",
            "a,b@c.com",
            "a(x)@b.com",
            "<a@b.com",
            "😀@b.com",
        ] {
            assert_eq!(Email::parse(text), Err(EmailError::LocalPart), "{text}");
        }
        assert!(Email::parse("o'neil!#$%&*+-/=?^_`{|}~@b.com").is_ok());
    }

    #[test]
    fn what_stands_after_the_at_is_the_name_of_a_host() {
        let bad = [
            "a@",
            "a@.com",
            "a@b..com",
            "a@b.com.",
            "a@-b.com",
            "a@b-.com",
            "a@b_c.com",
            "a@127.0.0.1",
            "a@[127.0.0.1]",
            "a@0x7f.1",
            "a@[::1]",
            "a@b.com:25",
            "a@ex%61mple.com",
            "a@b/c",
            "a@xn--0.com",
            "a@1",
        ];
        for text in bad {
            assert_eq!(Email::parse(text), Err(EmailError::Domain), "{text}");
        }
        for text in ["minji@demo.local", "root@localhost", "a@b。com", "a@4u.example"] {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn lengths_are_those_of_smtp() {
        let local = "a".repeat(64);
        let domain = format!("{}.{}.{}.com", "b".repeat(63), "c".repeat(63), "d".repeat(57));
        let longest = format!("{local}@{domain}");
        assert_eq!(longest.len(), 254);
        assert!(Email::parse(&longest).is_ok());
        assert_eq!(Email::parse(&format!("a{longest}")), Err(EmailError::TooLong));
        assert_eq!(Email::parse(&format!("{local}@{domain}m")), Err(EmailError::TooLong));
        assert_eq!(Email::parse(&"a".repeat(1_025)), Err(EmailError::TooLong));
    }

    #[test]
    fn no_address_imitates_another() {
        assert_eq!(Email::parse("pаypal@b.com"), Err(EmailError::MixedScripts));
        assert_eq!(canonical("рор@b.com"), canonical("pop@b.com"), "Cyrillic letters alone");
        assert_eq!(canonical("mıke@b.com"), canonical("mike@b.com"));
        assert_ne!(canonical("a@exаmple.com"), canonical("a@example.com"));
    }

    #[test]
    fn ascii_addresses_that_differ_stay_apart() {
        for (one, other) in
            [("user1", "userl"), ("o", "0"), ("m", "rn"), ("a.b", "ab"), ("a+b", "a")]
        {
            assert_ne!(canonical(&format!("{one}@b.com")), canonical(&format!("{other}@b.com")));
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_one() {
        let nfd: String = "홍길동@b.com".nfd().collect();
        assert_eq!(Email::parse(&nfd), Email::parse("홍길동@b.com"));
        assert_eq!(canonical("ｍｉｎｊｉ＠Ｂ.ｃｏｍ"), canonical("minji@b.com"));
        assert_eq!(canonical("JOSÉ@b.com"), canonical("jose\u{301}@b.com"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            drop(Email::parse(&text));
            drop(Email::parse(&format!("{text}@b.com")));
            drop(Email::parse(&format!("a@{text}")));
        }

        #[test]
        fn what_is_taken_is_clean_and_taken_again(text in "\\PC{1,20}@\\PC{1,20}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                prop_assert!(email.domain().is_ascii() && email.as_str().len() <= 254);
                if let Ok(again) = Email::parse(email.canonical()) {
                    prop_assert_eq!(again.canonical(), email.canonical());
                }
            }
        }

        #[test]
        fn case_and_width_do_not_matter(local in "[a-zA-Z0-9]{1,20}") {
            let wide: String = local
                .bytes()
                .map(|b| char::from_u32(u32::from(b) + 0xFEE0).unwrap())
                .collect();
            let expected = canonical(&format!("{local}@b.com"));
            let upper = local.to_uppercase();
            prop_assert_eq!(canonical(&format!("{upper}@B.COM")), expected.clone());
            prop_assert_eq!(canonical(&format!("{wide}＠b.com")), expected);
        }

        #[test]
        fn hangul_addresses_are_taken_in_either_form(local in "[가-힣]{1,7}") {
            let nfd: String = local.nfd().collect();
            prop_assert_eq!(
                Email::parse(&format!("{local}@b.com")).unwrap(),
                Email::parse(&format!("{nfd}@b.com")).unwrap()
            );
        }
    }
}
