//! How texts that people type are made comparable (Unicode UAX #15 normalisation, case folding, UTS
//! #39 skeletons). It decides nothing; the types beside it say what they refuse.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{
    GeneralSecurityProfile as _, RestrictionLevel, RestrictionLevelDetection as _, skeleton,
};
use zeroize::Zeroizing;

/// How often a text is folded at most; nearly every text is stable after one round.
const ROUNDS: usize = 8;

/// NFKC: full-width, ligature and compatibility forms become the plain ones, and the letters of a
/// Hangul syllable become one code point, whichever way a keyboard sent them.
pub(super) fn nfkc(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfkc().collect() }
}

/// NFKC and without case, repeated until nothing changes any more. The result may hold a password,
/// so it is wiped when dropped.
pub(super) fn fold(text: &str) -> Zeroizing<String> {
    if text.is_ascii() {
        return Zeroizing::new(text.to_ascii_lowercase());
    }
    until_stable(text, fold_once)
}

/// [`fold`], with every character that looks like another replaced by its prototype (UTS #39 §4),
/// except where `exempt` says that it stays itself. Precomposed Hangul is always exempt: the
/// prototypes of its letters would make 가까 and 각가 one name, and no other script looks like its
/// syllables.
pub(super) fn fold_lookalikes(text: &str, exempt: fn(char) -> bool) -> String {
    let round = |text: &str| {
        let folded = fold(text);
        let mut out = String::with_capacity(folded.len());
        let mut run = String::new();
        for c in folded.chars() {
            if exempt(c) || is_hangul_syllable(c) {
                out.extend(skeleton(&std::mem::take(&mut run)));
                out.push(c);
            } else {
                run.push(c);
            }
        }
        out.extend(skeleton(&run));
        fold(&out)
    };
    until_stable(text, round).to_string()
}

/// Whether `text` keeps to one writing system, or to Latin beside one of Korean, Japanese or
/// Chinese: "highly restrictive" in UTS #39 §5.2. Only letters are looked at.
pub(super) fn keeps_to_one_script(text: &str) -> bool {
    let letters: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    letters.check_restriction_level(RestrictionLevel::HighlyRestrictive)
}

/// Whether `c` is a letter, digit or mark that UTS #39 §3.1 allows in identifiers: no symbol, no
/// emoji, no historic script, nothing invisible.
pub(super) fn is_identifier_letter(c: char) -> bool {
    c.identifier_allowed() && !is_invisible(c) && (c.is_alphanumeric() || is_combining_mark(c))
}

/// Whether `c` steers the direction of text: it can make a name read as another one (UAX #9).
pub(super) const fn is_bidi_control(c: char) -> bool {
    matches!(c,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}')
}

/// Whether `c` shows nothing, or nothing that two people would agree on: default ignorable code
/// points, blank letters, interlinear marks, tags, private use and noncharacters.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{E000}'..='\u{F8FF}'
        | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..='\u{10FFFF}')
}

const fn is_hangul_syllable(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}')
}

fn until_stable(text: &str, round: impl Fn(&str) -> Zeroizing<String>) -> Zeroizing<String> {
    let mut current = round(text);
    for _ in 1..ROUNDS {
        let next = round(&current);
        if next == current {
            break;
        }
        current = next;
    }
    current
}

// Upper case first: it joins what has several lower cases (ς and σ, ß and ss, dotless ı and i).
// Character by character, because a whole text's lower case treats a final sigma apart.
fn fold_once(text: &str) -> Zeroizing<String> {
    // Three code points of the same size is the most that one becomes: no copy is left by growing.
    let mut out = Zeroizing::new(String::with_capacity(text.len().saturating_mul(4)));
    out.extend(text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_two_hangul_syllables_and_no_two_pairs_of_them_become_one() {
        let syllable = |n: u32| char::from_u32(0xAC00 + n).unwrap();
        for n in 0..11_172 {
            let one = syllable(n).to_string();
            assert_eq!(fold_lookalikes(&one, |_| false), one);
        }
        assert_ne!(fold_lookalikes("가까", |_| false), fold_lookalikes("각가", |_| false));
    }

    #[test]
    fn final_sigma_sharp_s_and_dotless_i_fold_with_their_kin() {
        assert_eq!(*fold("ΟΔΟΣ"), *fold("οδος"));
        assert_eq!(*fold("STRASSE"), *fold("straße"));
        assert_eq!(*fold("mıke"), "mike");
    }

    #[test]
    fn what_steers_the_direction_shows_nothing() {
        for c in ('\0'..=char::MAX).filter(|c| is_bidi_control(*c)) {
            assert!(is_invisible(c), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(&*fold(&once), &*once);
            let once = fold_lookalikes(&text, |_| false);
            prop_assert_eq!(fold_lookalikes(&once, |_| false), once);
        }

        #[test]
        fn case_and_normal_form_do_not_matter(text in any::<String>()) {
            let folded = fold(&text);
            prop_assert_eq!(&*fold(&text.to_uppercase()), &*folded);
            prop_assert_eq!(&*fold(&text.nfc().collect::<String>()), &*folded);
            prop_assert_eq!(&*fold(&text.nfd().collect::<String>()), &*folded);
            prop_assert_eq!(&*fold(&text.nfkd().collect::<String>()), &*folded);
        }
    }

    // Every single code point, because random texts seldom meet the odd ones; ideographs and
    // syllables, which have neither case nor look-alikes, are sampled by the others.
    #[test]
    fn every_code_point_folds_to_something_stable() {
        let sampled = |c: &char| {
            let ideograph = matches!(*c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}');
            !ideograph && !is_hangul_syllable(*c)
        };
        for c in ('\0'..='\u{1FFFF}').filter(sampled) {
            let text = c.to_string();
            let once = fold_lookalikes(&text, |_| false);
            assert_eq!(fold_lookalikes(&once, |_| false), once, "{c:?}");
            let once = fold(&text);
            assert_eq!(*fold(&once), *once, "{c:?}");
            assert_eq!(*fold(&text.to_uppercase()), *once, "{c:?}");
            assert_eq!(*fold(&text.to_lowercase()), *once, "{c:?}");
        }
    }
}
