//! What a person says about themselves: what to call them and in which language to speak to them
//! (OpenID Connect Core §5.1 `name` and `locale`, RFC 5646). Neither is ever an identifier.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::unicode::{is_bidi_control, is_invisible};

/// The longest name that is looked at, in bytes: 200 code points of four bytes, or Hangul in NFD.
const MAX_RAW_BYTES: usize = 2_048;
/// The most code points of a name.
const MAX_NAME_CHARS: usize = 200;
/// RFC 5646 §4.4.1: 35 characters hold every tag of language, script, region and variants.
const MAX_LOCALE_BYTES: usize = 35;

/// What a person wants to be called: one line of up to 200 characters, in NFC. Not unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisplayName(String);

/// Why a text is not taken as a name to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DisplayNameError {
    /// Empty, more than 200 characters, or with nothing in it that can be seen.
    #[error("A name has 1 to 200 characters that can be seen.")]
    Length,
    /// White space at the beginning or the end.
    #[error("A name must not begin or end with a space.")]
    EdgeSpace,
    /// A line break, a control character, or one that turns the direction of text or shows nothing.
    #[error("This name holds a line break or a character that cannot be seen. Type it again.")]
    Invisible,
}

impl DisplayNameError {
    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "name_length",
            Self::EdgeSpace => "name_edge_space",
            Self::Invisible => "name_invisible_character",
        }
    }

    /// The sentence in Korean; the English one is `Display`.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::Length => "이름은 눈에 보이는 글자로 1자 이상 200자 이하로 써 주세요.",
            Self::EdgeSpace => "이름의 앞뒤에 공백을 넣을 수 없어요.",
            Self::Invisible => "이름에 줄바꿈이나 보이지 않는 문자가 있어요. 다시 입력해 주세요.",
        }
    }
}

impl DisplayName {
    /// Reads a name. Joiners and variation selectors pass, because Persian, Hindi, Japanese names
    /// and emoji are written with them; what turns the direction of text does not.
    pub fn parse(text: &str) -> Result<Self, DisplayNameError> {
        if text.len() > MAX_RAW_BYTES {
            return Err(DisplayNameError::Length);
        }
        let text: String = text.nfc().collect();
        let refused = |c: char| {
            c.is_control()
                || is_bidi_control(c)
                || matches!(c, '\u{2028}' | '\u{2029}')
                || (is_invisible(c) && !is_joiner(c))
        };
        if text.contains(refused) {
            return Err(DisplayNameError::Invisible);
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(DisplayNameError::EdgeSpace);
        }
        let seen = |c: char| !c.is_whitespace() && !is_joiner(c) && !is_combining_mark(c);
        if text.chars().count() > MAX_NAME_CHARS || !text.contains(seen) {
            return Err(DisplayNameError::Length);
        }
        Ok(Self(text))
    }

    /// The name, in NFC.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A language tag (RFC 5646), in its recommended case: `ko`, `ko-KR`, `zh-Hant-TW`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Locale(String);

/// A text that has not the shape of a language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("A language is a tag of up to 35 characters, as in ko, ko-KR or en.")]
pub struct LocaleError;

impl LocaleError {
    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        "locale_shape"
    }

    /// The sentence in Korean; the English one is `Display`.
    pub const fn korean(self) -> &'static str {
        "언어는 35자 이하의 언어 태그로 써 주세요. 예: ko, ko-KR, en"
    }
}

impl Locale {
    /// Reads a tag by its shape; whether its parts are registered is not looked at. Tags of private
    /// use alone (`x-…`) and grandfathered ones (`i-…`) are refused.
    pub fn parse(text: &str) -> Result<Self, LocaleError> {
        if text.len() > MAX_LOCALE_BYTES {
            return Err(LocaleError);
        }
        let mut subtags = text.split('-');
        let language = subtags.next().unwrap_or_default();
        let letters = language.bytes().all(|b| b.is_ascii_alphabetic());
        if !letters || !(2..=8).contains(&language.len()) {
            return Err(LocaleError);
        }

        let mut tag = language.to_ascii_lowercase();
        let mut after_singleton = false;
        let mut in_extension = false;
        for subtag in subtags {
            let alphanumeric = subtag.bytes().all(|b| b.is_ascii_alphanumeric());
            if !alphanumeric || !(1..=8).contains(&subtag.len()) {
                return Err(LocaleError);
            }
            // RFC 5646 §2.2.6: a singleton introduces at least one subtag.
            let singleton = subtag.len() == 1;
            if singleton && after_singleton {
                return Err(LocaleError);
            }
            in_extension |= singleton;
            after_singleton = singleton;
            tag.push('-');
            tag.push_str(&in_usual_case(subtag, in_extension));
        }
        if after_singleton { Err(LocaleError) } else { Ok(Self(tag)) }
    }

    /// The tag in its usual case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone: `ko` of `ko-KR`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// RFC 5646 §2.1.1: regions in upper case, scripts with a capital, everything else in lower case;
// and all in lower case behind a singleton.
fn in_usual_case(subtag: &str, in_extension: bool) -> String {
    let lower = subtag.to_ascii_lowercase();
    match subtag.len() {
        2 if !in_extension => subtag.to_ascii_uppercase(),
        4 if !in_extension => {
            let (first, rest) = lower.split_at(1);
            first.to_ascii_uppercase() + rest
        }
        _ => lower,
    }
}

const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_people_are_taken() {
        for name in [
            "홍길동",
            "김 민지",
            "Jean-Luc O'Neil, Jr.",
            "نازنین\u{200C}زهرا",
            "葛\u{E0100}城",
            "👩\u{200D}💻 Ada",
            "X Æ A-12",
        ] {
            assert_eq!(DisplayName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn hangul_letters_become_syllables() {
        assert_eq!(DisplayName::parse("\u{1112}\u{1161}\u{11AB}").unwrap().as_str(), "한");
    }

    #[test]
    fn what_cannot_be_seen_is_no_name() {
        for name in ["", "\u{200D}", "\u{FE0F}", "\u{301}"] {
            assert_eq!(DisplayName::parse(name), Err(DisplayNameError::Length), "{name:?}");
        }
        for name in [" ", " minji", "minji\u{3000}"] {
            assert_eq!(DisplayName::parse(name), Err(DisplayNameError::EdgeSpace), "{name:?}");
        }
        for name in [
            "a\nb",
            "a\0",
            "\u{202E}nimda",
            "a\u{2066}b",
            "a\u{3164}",
            "a\u{2028}b",
            "a\u{200B}b",
            "\u{E000}",
        ] {
            assert_eq!(DisplayName::parse(name), Err(DisplayNameError::Invisible), "{name:?}");
        }
    }

    #[test]
    fn a_name_has_at_most_two_hundred_characters() {
        assert!(DisplayName::parse(&"힣".repeat(200)).is_ok());
        assert_eq!(DisplayName::parse(&"a".repeat(201)), Err(DisplayNameError::Length));
        assert_eq!(DisplayName::parse(&"a".repeat(3_000)), Err(DisplayNameError::Length));
    }

    #[test]
    fn language_tags_get_their_usual_case() {
        for (given, tag) in [
            ("ko", "ko"),
            ("KO-kr", "ko-KR"),
            ("EN", "en"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("de-ch-1996", "de-CH-1996"),
            ("EN-U-HC-H23", "en-u-hc-h23"),
            ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"),
        ] {
            assert_eq!(Locale::parse(given).unwrap().as_str(), tag);
        }
        assert_eq!(Locale::parse("ko-KR").unwrap().language(), "ko");
    }

    #[test]
    fn other_shapes_are_no_language_tags() {
        for text in [
            "",
            "k",
            "x-mine",
            "i-klingon",
            "ko_KR",
            "ko-",
            "-ko",
            "ko--KR",
            "k0",
            "한국어",
            "en-u",
            "en-a-b-cc",
            "en-abcdefghi",
            "ko KR",
            "ko-KR\n",
            "en-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa",
        ] {
            assert_eq!(Locale::parse(text), Err(LocaleError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_what_is_taken_is_taken_again(text in any::<String>()) {
            if let Ok(name) = DisplayName::parse(&text) {
                prop_assert_eq!(DisplayName::parse(name.as_str()), Ok(name.clone()));
            }
            drop(Locale::parse(&text));
        }

        #[test]
        fn a_tag_is_taken_again(text in "[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,3}") {
            if let Ok(locale) = Locale::parse(&text) {
                prop_assert!(locale.as_str().eq_ignore_ascii_case(&text));
                prop_assert_eq!(Locale::parse(locale.as_str()), Ok(locale.clone()));
            }
        }
    }
}
