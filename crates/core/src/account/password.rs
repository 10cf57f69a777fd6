//! A password in clear (RFC 8265 §4 in spirit): bounded before any work, normalised once, wiped
//! when dropped. It is never printed, trimmed, cut or case-folded.

use std::str::Chars;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// The most bytes that are looked at, as they came.
pub const MAX_BYTES: usize = 1_024;
/// The most code points of a password, after NFKC.
pub const MAX_CHARS: usize = 256;
/// The fewest code points of a password that somebody chooses (NIST SP 800-63B-4 §3.1.1.2, ASVS
/// 6.2.1).
pub const MIN_CHARS: usize = 8;

/// A password in clear, in NFKC: macOS may send Hangul as single letters (NFD), other systems send
/// syllables, and both are the same password.
///
/// It has neither `Debug` nor `Display`. What holds it is wiped when it is dropped; the few code
/// points that normalisation works on at a time are not.
///
/// Deviates: RFC 8265 §4.2.2 normalises to NFC and refuses control characters; NIST SP 800-63B-4
/// asks for NFKC, and ASVS 6.2.5 for no rule about characters.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text cannot be a password at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordRefusal {
    /// Fewer than 8 characters.
    #[error(
        "This password is too short. Use at least 8 characters: several words that you remember \
         are good."
    )]
    TooShort,
    /// More than 256 characters, or more than 1,024 bytes.
    #[error("This password is too long. Use at most 256 characters; nothing of it is cut off.")]
    TooLong,
}

impl PasswordRefusal {
    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
        }
    }

    /// The sentence in Korean; the English one is `Display`.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::TooShort => {
                "비밀번호가 너무 짧아요. 8자 이상으로 정해 주세요. 기억하기 쉬운 낱말을 여러 개 이어 쓰면 좋아요."
            }
            Self::TooLong => {
                "비밀번호가 너무 길어요. 256자까지 쓸 수 있고, 일부를 잘라 내지 않아요."
            }
        }
    }
}

impl Password {
    /// A password that somebody chooses: 8 to 256 code points.
    /// [`policy::check`](super::policy::check) says whether it is a good one.
    pub fn parse(text: String) -> Result<Self, PasswordRefusal> {
        let password = Self::presented(text)?;
        if password.length() < MIN_CHARS {
            return Err(PasswordRefusal::TooShort);
        }
        Ok(password)
    }

    /// A password that somebody presents to prove who they are: the same form and upper bounds, and
    /// no lower one, because it is compared and not judged. A refusal here is a wrong password.
    pub fn presented(text: String) -> Result<Self, PasswordRefusal> {
        let text = Zeroizing::new(text);
        if text.len() > MAX_BYTES {
            return Err(PasswordRefusal::TooLong);
        }
        if text.is_ascii() {
            let fits = text.len() <= MAX_CHARS;
            return if fits { Ok(Self(text)) } else { Err(PasswordRefusal::TooLong) };
        }

        // All the room that it can need at once: growing would leave copies behind.
        let mut normal = Zeroizing::new(String::with_capacity(MAX_CHARS * 4));
        let mut length = 0;
        for c in text.nfkc() {
            length += 1;
            if length > MAX_CHARS {
                return Err(PasswordRefusal::TooLong);
            }
            normal.push(c);
        }
        Ok(Self(normal))
    }

    /// A password to hash when there is none, so that the work is the same. Whether it matches says
    /// nothing: the caller refuses in any case.
    pub fn nobodys() -> Self {
        Self(Zeroizing::new("nobody's".to_owned()))
    }

    /// What goes into the hash. Each call is a place to look at in a review.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Its length in code points.
    pub fn length(&self) -> usize {
        self.chars().count()
    }

    pub(super) fn chars(&self) -> Chars<'_> {
        self.0.chars()
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<String, PasswordRefusal> {
        Password::parse(text.to_owned()).map(|password| password.text().to_owned())
    }

    fn presented(text: &str) -> Result<String, PasswordRefusal> {
        Password::presented(text.to_owned()).map(|password| password.text().to_owned())
    }

    #[test]
    fn nothing_is_trimmed_cut_or_folded() {
        for text in
            ["  Tr0mbone  ", "correct horse battery staple", "\tTab\0Nul\n", "🔑🔑🔑🔑🔑🔑🔑🔑"]
        {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
        let (one, other) = ("a".repeat(72), "a".repeat(72) + "b");
        assert_ne!(parse(&one), parse(&other), "bcrypt's 72 bytes are nobody's limit here");
    }

    #[test]
    fn both_forms_of_hangul_are_one_password() {
        let syllables = "비밀번호가길어요";
        let letters: String = syllables.nfd().collect();
        assert_ne!(letters, syllables);
        assert_eq!(parse(&letters).as_deref(), Ok(syllables));
        assert_eq!(presented(&letters), presented(syllables));
    }

    #[test]
    fn eight_characters_are_the_fewest_that_can_be_chosen() {
        assert_eq!(parse("1234567"), Err(PasswordRefusal::TooShort));
        assert!(parse("12345678").is_ok());
        assert!(parse("가나다라마바사아").is_ok(), "eight syllables");
        let seven: String = "가나다라마바사".nfd().collect();
        assert_eq!(parse(&seven), Err(PasswordRefusal::TooShort), "seven, however they are sent");
        assert!(presented("").is_ok() && presented("secret").is_ok());
    }

    #[test]
    fn two_hundred_and_fifty_six_characters_are_the_most() {
        for (longest, too_long) in [
            ("a".repeat(256), "a".repeat(257)),
            ("🔑".repeat(256), "🔑".repeat(257)),
            ("é".repeat(256), "é".repeat(257)),
        ] {
            assert!(parse(&longest).is_ok() && presented(&longest).is_ok());
            assert_eq!(parse(&too_long), Err(PasswordRefusal::TooLong));
            assert_eq!(presented(&too_long), Err(PasswordRefusal::TooLong));
        }
        // What grows when normalised is counted afterwards; what is too big is not normalised at
        // all.
        assert_eq!(parse(&"\u{FDFA}".repeat(100)), Err(PasswordRefusal::TooLong));
        assert_eq!(presented(&"x".repeat(1_025)), Err(PasswordRefusal::TooLong));
        assert_eq!(presented(&"x".repeat(10_000_000)), Err(PasswordRefusal::TooLong));
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_its_normal_form_is_stable(text in any::<String>()) {
            if let Ok(normal) = presented(&text) {
                prop_assert!(normal.chars().count() <= MAX_CHARS);
                prop_assert_eq!(presented(&normal), Ok(normal.clone()));
                prop_assert_eq!(presented(&text.nfc().collect::<String>()), Ok(normal));
            }
        }

        #[test]
        fn case_counts(text in "[a-z]{8,30}") {
            prop_assert_ne!(parse(&text), parse(&text.to_uppercase()));
        }
    }
}
