//! Which passwords may be chosen (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 §6.2): long enough, not a
//! known one, not made of what everybody knows about its owner. There are no rules of composition.

use thiserror::Error;
use zeroize::Zeroizing;

use super::blocklist;
use super::password::{MAX_CHARS, MIN_CHARS, Password, PasswordRefusal};
use super::unicode::fold;

/// Words that are always guessed first at this product.
const PRODUCT_WORDS: [&str; 2] = ["munjigi", "문지기"];
/// A word shorter than this says nothing: nearly every text contains it.
const MIN_WORD_CHARS: usize = 3;

/// Why a password should not be chosen. The sentences are for the person who chooses, never for a
/// log: a word of the password may stand in them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Weakness {
    /// Fewer than 8 characters.
    #[error("{}", PasswordRefusal::TooShort)]
    TooShort {
        /// The fewest that are taken.
        minimum: usize,
    },
    /// More than 256 characters or 1,024 bytes.
    #[error("{}", PasswordRefusal::TooLong)]
    TooLong {
        /// The most that are taken.
        maximum: usize,
    },
    /// It stands on the list of passwords that attackers try first.
    #[error(
        "Many people use this password, so it is among the first that are guessed. Choose another: \
         several words that do not belong together are good."
    )]
    Common,
    /// Without a word that is known about its owner, too little of it remains.
    #[error(
        "This password is little more than \u{201C}{word}\u{201D}, which others know. Add several \
         other words, or choose a different one."
    )]
    ContainsContext {
        /// The word, as it was found: case-folded.
        word: String,
    },
}

impl Weakness {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => PasswordRefusal::TooShort.code(),
            Self::TooLong { .. } => PasswordRefusal::TooLong.code(),
            Self::Common => "password_common",
            Self::ContainsContext { .. } => "password_contains_context",
        }
    }

    /// The sentence in Korean; the English one is `Display`.
    pub fn korean(&self) -> String {
        match self {
            Self::TooShort { .. } => PasswordRefusal::TooShort.korean().to_owned(),
            Self::TooLong { .. } => PasswordRefusal::TooLong.korean().to_owned(),
            Self::Common => {
                "많은 사람이 쓰는 비밀번호라서 가장 먼저 추측당해요. 다른 비밀번호를 정해 주세요. \
                             서로 관련 없는 낱말을 여러 개 이어 쓰면 좋아요."
                    .to_owned()
            }
            Self::ContainsContext { word } => format!(
                "다른 사람도 아는 말(\u{2018}{word}\u{2019})을 빼면 남는 것이 거의 없는 비밀번호예요. \
                 다른 낱말을 더 이어 쓰거나 새로 정해 주세요."
            ),
        }
    }
}

impl From<PasswordRefusal> for Weakness {
    fn from(refusal: PasswordRefusal) -> Self {
        match refusal {
            PasswordRefusal::TooShort => Self::TooShort { minimum: MIN_CHARS },
            PasswordRefusal::TooLong => Self::TooLong { maximum: MAX_CHARS },
        }
    }
}

/// Whether `password` may be chosen by somebody about whom `context` is known: their e-mail address
/// (its local part is added here), their user name and name. The product's own name is always
/// known.
///
/// Comparison ignores case and compatibility forms. Words from the context count for nothing: what
/// is left without them must be 8 characters long and not a common password itself. So `demo-minji`
/// is refused to minji, and a long sentence that happens to contain her name is not.
pub fn check(password: &Password, context: &[&str]) -> Result<(), Weakness> {
    if password.length() < MIN_CHARS {
        return Err(PasswordRefusal::TooShort.into());
    }
    let folded = fold(password.text());
    if blocklist::contains(&folded) {
        return Err(Weakness::Common);
    }

    let mut rest = folded;
    let mut found = None;
    for word in context_words(context) {
        if rest.contains(&word) {
            rest = Zeroizing::new(rest.replace(&word, ""));
            found.get_or_insert(word);
        }
    }
    match found {
        Some(word) if rest.chars().count() < MIN_CHARS || blocklist::contains(&rest) => {
            Err(Weakness::ContainsContext { word })
        }
        _ => Ok(()),
    }
}

// Folded, the longest first, so that an address goes before its local part.
fn context_words(context: &[&str]) -> Vec<String> {
    let mut words = Vec::with_capacity(2 * context.len() + PRODUCT_WORDS.len());
    for word in context.iter().chain(&PRODUCT_WORDS) {
        let word = fold(word);
        words.extend(word.split_once('@').map(|(local, _)| local.to_owned()));
        words.push(word.to_string());
    }
    words.retain(|word| word.chars().count() >= MIN_WORD_CHARS);
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINJI: [&str; 2] = ["minji.kim@example.com", "minji"];

    fn judged(text: &str) -> Result<(), Weakness> {
        check(&Password::parse(text.to_owned())?, &MINJI)
    }

    fn contains(word: &str) -> Result<(), Weakness> {
        Err(Weakness::ContainsContext { word: word.to_owned() })
    }

    #[test]
    fn a_passphrase_is_good_whatever_it_is_made_of() {
        for text in [
            "correct horse battery staple",
            "아침에마시는커피",
            "zvbqmxkw",
            "97318642",
            "  spaces  here  ",
        ] {
            assert_eq!(judged(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn common_passwords_are_refused_in_every_case_and_width() {
        for text in [
            "password",
            "PassWord",
            "ｐａｓｓｗｏｒｄ",
            "qwerty123",
            "Qwer1234!",
            "dkssudgktpdy",
            "qlalfqjsgh",
            "비밀번호1234",
            "12345678",
        ] {
            assert_eq!(judged(text), Err(Weakness::Common), "{text}");
        }
    }

    #[test]
    fn what_is_known_about_the_owner_counts_for_nothing() {
        assert_eq!(judged("demo-minji"), contains("minji"));
        assert_eq!(judged("MinjiMinji1!"), contains("minji"));
        assert_eq!(judged("minji.kim1234"), contains("minji.kim"));
        assert_eq!(judged("minji.kim@example.com!!"), contains("minji.kim@example.com"));
        assert_eq!(judged("Munjigi-2026"), contains("munjigi"));
        assert_eq!(judged("문지기문지기2026"), contains("문지기"));
        assert_eq!(judged("minjipassword"), contains("minji"), "the rest is a common password");
        assert_eq!(judged("passminjiword"), contains("minji"), "and so it is in two pieces");
        assert_eq!(judged("minji walks over seven bridges"), Ok(()));
    }

    #[test]
    fn words_of_one_or_two_letters_say_nothing() {
        let password = Password::parse("aabbaabb-7".to_owned()).ok().unwrap();
        assert_eq!(check(&password, &["a", "bb", "", "b@example.com", "가"]), Ok(()));
    }

    #[test]
    fn the_length_comes_first_and_is_judged_again_here() {
        assert_eq!(judged("minji"), Err(Weakness::TooShort { minimum: 8 }));
        assert_eq!(judged(&"x".repeat(257)), Err(Weakness::TooLong { maximum: 256 }));
        let presented = Password::presented("short".to_owned()).ok().unwrap();
        assert_eq!(check(&presented, &[]), Err(Weakness::TooShort { minimum: 8 }));
    }

    #[test]
    fn every_weakness_has_its_code_and_says_in_two_languages_what_to_do() {
        let all = [
            (Weakness::from(PasswordRefusal::TooShort), "password_too_short", "8"),
            (Weakness::from(PasswordRefusal::TooLong), "password_too_long", "256"),
            (Weakness::Common, "password_common", ""),
            (
                Weakness::ContainsContext { word: "minji".into() },
                "password_contains_context",
                "minji",
            ),
        ];
        for (weakness, code, said) in all {
            assert_eq!(weakness.code(), code);
            assert!(weakness.to_string().contains(said) && weakness.korean().contains(said));
            assert!(!weakness.to_string().contains("  ") && !weakness.korean().contains("  "));
            assert!(weakness.korean().ends_with("요."));
        }
    }

    proptest! {
        #[test]
        fn any_text_and_any_context_are_answered(
            text in any::<String>(), context in any::<[String; 3]>(),
        ) {
            if let Ok(password) = Password::presented(text) {
                let context = context.each_ref().map(String::as_str);
                drop(check(&password, &context));
            }
        }
    }
}
