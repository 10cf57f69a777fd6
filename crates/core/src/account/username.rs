//! The names that people sign in with (RFC 8265 §3 in spirit, UTS #39 for look-alikes). None
//! of them can be taken for an e-mail address.

use std::fmt;

use thiserror::Error;
use unicode_normalization::char::is_combining_mark;

use super::unicode::{fold_lookalikes, is_identifier_letter, keeps_to_one_script, nfkc};

/// The longest text that is looked at, in bytes.
const MAX_RAW_BYTES: usize = 1_024;
/// The most code points of a name, after NFKC.
const MAX_CHARS: usize = 64;

/// A name to sign in with. No name is reserved: a name gives no right here, only a role does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username {
    text: String,
    canonical: String,
}

/// Why a text is not taken as a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UsernameError {
    /// Empty, or more than 64 characters.
    #[error("A user name has 1 to 64 characters.")]
    Length,
    /// It holds an `@`, in any of its forms.
    #[error("A user name must not look like an e-mail address. Leave the @ out.")]
    LooksLikeEmail,
    /// A character other than letters, digits, `.`, `_` and `-`.
    #[error("A user name holds letters of any language, digits, dots, _ and - only.")]
    Character,
    /// A dot at the beginning or the end.
    #[error("A user name must not begin or end with a dot.")]
    EdgeDot,
    /// No letter and no digit, or a mark with no letter before it.
    #[error("A user name needs at least one letter or digit.")]
    NothingToRead,
    /// Letters of scripts that are not written together.
    #[error("This user name mixes letters of different alphabets. Use one alphabet.")]
    MixedScripts,
}

impl UsernameError {
    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "username_length",
            Self::LooksLikeEmail => "username_looks_like_email",
            Self::Character => "username_character",
            Self::EdgeDot => "username_edge_dot",
            Self::NothingToRead => "username_nothing_to_read",
            Self::MixedScripts => "username_mixed_scripts",
        }
    }

    /// The sentence in Korean; the English one is `Display`.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::Length => "사용자 이름은 1자 이상 64자 이하로 써 주세요.",
            Self::LooksLikeEmail => "사용자 이름은 이메일 주소처럼 보이면 안 돼요. @를 빼 주세요.",
            Self::Character => {
                "사용자 이름에는 글자, 숫자, 점(.), 밑줄(_), 붙임표(-)만 쓸 수 있어요."
            }
            Self::EdgeDot => "사용자 이름은 점(.)으로 시작하거나 끝날 수 없어요.",
            Self::NothingToRead => "사용자 이름에는 글자나 숫자가 하나 이상 있어야 해요.",
            Self::MixedScripts => {
                "사용자 이름에 서로 다른 문자 체계가 섞여 있어요. 한 가지로만 써 주세요."
            }
        }
    }
}

impl Username {
    /// Reads a name: 1 to 64 letters and digits of any script in everyday use, `.`, `_` and `-`,
    /// judged after NFKC. Latin may stand beside Hangul, Japanese or Chinese; other mixtures are
    /// refused. A name that looks like an e-mail address is refused, so that nobody takes another
    /// person's address as their name (Keycloak CVE-2021-3754). So is one whose small form would
    /// be: people sign in without minding case.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.len() > MAX_RAW_BYTES {
            return Err(UsernameError::Length);
        }
        let text = nfkc(text);
        Self::check(&text)?;
        // Letter and mark may be one code point when they are small, of which the rules say
        // something else: H with a macron below is two, and h with it (U+1E96) is one.
        Self::check(&nfkc(&text.to_lowercase()))?;
        let canonical = fold_lookalikes(&text, |_| false);
        Ok(Self { text, canonical })
    }

    /// Judges a text in NFKC.
    fn check(text: &str) -> Result<(), UsernameError> {
        if !(1..=MAX_CHARS).contains(&text.chars().count()) {
            return Err(UsernameError::Length);
        }
        if text.contains('@') {
            return Err(UsernameError::LooksLikeEmail);
        }
        let allowed = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => true,
            _ => !c.is_ascii() && is_identifier_letter(c),
        };
        if !text.chars().all(allowed) {
            return Err(UsernameError::Character);
        }
        if text.starts_with('.') || text.ends_with('.') {
            return Err(UsernameError::EdgeDot);
        }
        if !text.contains(char::is_alphanumeric) || text.starts_with(is_combining_mark) {
            return Err(UsernameError::NothingToRead);
        }
        if !keeps_to_one_script(text) {
            return Err(UsernameError::MixedScripts);
        }
        Ok(())
    }

    /// As the person wrote it, in NFKC.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form in which names are unique and looked up: NFKC, case-folded, and each letter
    /// replaced by what it looks like (UTS #39 skeleton), so that an imitation collides with the
    /// original. It is a key, not a text to show: `m` is in it as `rn`, `1` as `l` and `0` as `o`,
    /// so those collide too.
    ///
    /// Case is folded first, so a capital `I` counts as `i`, not as the `l` that it resembles. The
    /// form depends on the Unicode version of the tables: a newer one may need the column written
    /// again.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    fn canonical(text: &str) -> String {
        Username::parse(text).unwrap().canonical().to_owned()
    }

    #[test]
    fn names_of_the_tutorials_and_of_other_languages_are_taken() {
        let names = [
            "고길동",
            "홍길동",
            "아이디",
            "minji",
            "Jun_2",
            "a",
            "admin",
            "hong.gil-dong",
            "gildong고",
            "佐藤さくら",
            "иван",
            "josé",
            "محمد",
            "山田taro",
            "7",
            "अमित",
        ];
        for name in names {
            assert_eq!(
                Username::parse(name).map(|n| n.as_str().to_owned()),
                Ok(name.nfkc().collect())
            );
        }
    }

    #[test]
    fn a_name_never_looks_like_an_address() {
        for text in ["minji@example.com", "@", "minji＠example.com", "a﹫b"] {
            assert_eq!(Username::parse(text), Err(UsernameError::LooksLikeEmail), "{text}");
        }
    }

    #[test]
    fn characters_that_cannot_be_read_aloud_are_refused() {
        for text in [
            "홍 길동",
            " minji",
            "minji\n",
            "a/b",
            "a%b",
            "a\u{202E}b",
            "a\u{200D}b",
            "😀",
            "a'b",
            "a:b",
            "ㅋㅋㅋ",
            "\u{3164}",
        ] {
            assert_eq!(Username::parse(text), Err(UsernameError::Character), "{text:?}");
        }
        for text in ["---", "_", "\u{301}a"] {
            assert_eq!(Username::parse(text), Err(UsernameError::NothingToRead), "{text:?}");
        }
        for text in [".", ".a", "a.", "a．"] {
            assert_eq!(Username::parse(text), Err(UsernameError::EdgeDot), "{text:?}");
        }
    }

    #[test]
    fn a_name_whose_small_form_is_refused_is_refused() {
        for text in ["H\u{331}", "H\u{331}ana", "h\u{331}", "\u{1E96}"] {
            assert_eq!(Username::parse(text), Err(UsernameError::Character), "{text:?}");
        }
        // One capital is two code points when it is small.
        assert_eq!(Username::parse(&"\u{130}".repeat(33)), Err(UsernameError::Length));
        assert!(Username::parse(&"\u{130}".repeat(32)).is_ok());
    }

    /// Every capital with every mark of the usual block: random texts seldom meet the odd pairs.
    #[test]
    fn the_small_form_of_every_capital_with_a_mark_is_the_same_name() {
        let capitals = ('\0'..='\u{FFFF}').filter(|c| c.to_lowercase().next() != Some(*c));
        for c in capitals {
            for mark in ('\u{300}'..='\u{36F}').map(Some).chain([None]) {
                let text: String = [Some(c), mark].into_iter().flatten().collect();
                let Ok(name) = Username::parse(&text) else { continue };
                let small = Username::parse(&name.as_str().to_lowercase());
                let small = small.map(|it| it.canonical().to_owned());
                assert_eq!(small.as_deref(), Ok(name.canonical()), "{text:?}");
            }
        }
    }

    #[test]
    fn the_length_is_counted_in_characters_after_normalisation() {
        assert_eq!(Username::parse(""), Err(UsernameError::Length));
        let longest: String = "한".repeat(64).nfd().collect();
        assert!(Username::parse(&longest).is_ok());
        assert_eq!(Username::parse(&"a".repeat(65)), Err(UsernameError::Length));
        assert_eq!(Username::parse(&"\u{FDFA}".repeat(4)), Err(UsernameError::Length));
        assert_eq!(Username::parse(&"a".repeat(1_025)), Err(UsernameError::Length));
    }

    #[test]
    fn an_imitation_is_refused_or_collides() {
        assert_eq!(Username::parse("pаypal"), Err(UsernameError::MixedScripts), "one Cyrillic а");
        assert_eq!(Username::parse("аdmin"), Err(UsernameError::MixedScripts));
        assert_eq!(canonical("рор"), canonical("pop"), "Cyrillic alone");
        for (one, other) in [
            ("paypa1", "paypal"),
            ("bum", "burn"),
            ("g00d", "good"),
            ("ADMIN", "admin"),
            ("ﬁlip", "filip"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} {other}");
        }
    }

    #[test]
    fn names_that_differ_stay_apart() {
        for (one, other) in [
            ("고길동", "홍길동"),
            ("가까", "각가"),
            ("user1", "user2"),
            ("minji", "mingi"),
            ("a.b", "ab"),
            ("a-b", "a_b"),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            drop(Username::parse(&text));
        }

        #[test]
        fn what_is_taken_is_taken_again(text in "\\PC{1,12}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(Username::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(!name.canonical().contains('@'));
                let small = Username::parse(&name.as_str().to_lowercase());
                let small = small.map(|it| it.canonical().to_owned());
                prop_assert_eq!(small.as_deref(), Ok(name.canonical()));
                if let Ok(again) = Username::parse(name.canonical()) {
                    prop_assert_eq!(again.canonical(), name.canonical());
                }
            }
        }

        #[test]
        fn case_and_width_do_not_matter(text in "[a-zA-Z0-9]{1,20}") {
            let wide: String =
                text.bytes().map(|b| char::from_u32(u32::from(b) + 0xFEE0).unwrap()).collect();
            let expected = canonical(&text);
            prop_assert_eq!(canonical(&text.to_uppercase()), expected.clone());
            prop_assert_eq!(canonical(&text.to_lowercase()), expected.clone());
            prop_assert_eq!(canonical(&wide), expected);
        }

        #[test]
        fn hangul_names_differ_exactly_when_they_are_written_differently(
            one in "[가-힣]{1,4}", other in "[가-힣]{1,4}",
        ) {
            let nfd: String = one.nfd().collect();
            prop_assert_eq!(canonical(&nfd), canonical(&one));
            prop_assert_eq!(canonical(&one) == canonical(&other), one == other);
        }
    }
}
