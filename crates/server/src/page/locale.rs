//! The language of a page: what the application asked for (OpenID Connect Core §3.1.2.1
//! `ui_locales`), what the person chose before, what the browser prefers (RFC 9110 §12.5.4), and
//! English. It must not guess from an address.

/// The languages that pages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locale {
    /// English.
    English,
    /// Korean.
    Korean,
}

/// How many languages of a list are looked at.
const MAX_RANGES: usize = 32;

impl Locale {
    /// Every language, in the order in which pages offer them.
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// The tag (RFC 5646), as in `lang` and `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// What the language calls itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Korean => "한국어",
        }
    }

    /// The one of two sentences that is in this language.
    pub fn pick<T>(self, english: T, korean: T) -> T {
        match self {
            Self::English => english,
            Self::Korean => korean,
        }
    }

    /// The language that a tag or a range of tags stands for (RFC 4647 §3.4: `ko-KR` falls back to
    /// `ko`).
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| primary.eq_ignore_ascii_case(locale.tag()))
    }

    /// The first language of `ui_locales`, a list in the order of preference, that we have.
    pub fn first_of(ui_locales: &str) -> Option<Self> {
        ui_locales.split_ascii_whitespace().take(MAX_RANGES).find_map(Self::parse)
    }

    /// The best language for an `Accept-Language` (RFC 9110 §12.5.4); the earlier one of equals.
    pub fn negotiate(accept_language: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in accept_language.split(',').take(MAX_RANGES) {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
            let Some(locale) = Self::parse(tag) else { continue };
            let weight = quality(parameter).unwrap_or(0);
            if weight > best.map_or(0, |(other, _)| other) {
                best = Some((weight, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }

    /// The language of a page.
    pub fn choose(
        ui_locales: Option<&str>,
        cookie: Option<&str>,
        accept_language: Option<&str>,
    ) -> Self {
        ui_locales
            .and_then(Self::first_of)
            .or_else(|| cookie.and_then(Self::parse))
            .or_else(|| accept_language.and_then(Self::negotiate))
            .unwrap_or(Self::English)
    }
}

/// A weight in thousandths (RFC 9110 §12.4.2); `None` for what is not one.
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.trim().split_once('=')?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let are_digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !name.eq_ignore_ascii_case("q") || !are_digits {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Locale::{English, Korean};
    use super::*;

    #[test]
    fn the_application_is_asked_first_then_the_person_then_the_browser() {
        assert_eq!(Locale::choose(Some("fr ko en"), Some("en"), Some("en")), Korean);
        assert_eq!(Locale::choose(Some("fr"), Some("ko"), Some("en")), Korean);
        assert_eq!(Locale::choose(None, Some("xx"), Some("ko-KR,en;q=0.8")), Korean);
        assert_eq!(Locale::choose(None, None, Some("fr, *")), English);
        assert_eq!(Locale::choose(None, None, None), English);
    }

    #[test]
    fn a_browser_gets_the_language_that_it_prefers_most() {
        let negotiate = |text: &str| Locale::negotiate(text);
        assert_eq!(negotiate("en;q=0.5, ko;q=0.9"), Some(Korean));
        assert_eq!(negotiate("en-GB,en;q=0.9,ko;q=0.8"), Some(English));
        assert_eq!(negotiate("ko , en"), Some(Korean));
        assert_eq!(negotiate("KO-kr"), Some(Korean));
        assert_eq!(negotiate("ko;q=0"), None);
        for bad in ["", "ko;q=2", "ko;q=1.5", "ko;q=.5", "ko;q=0.1234", "ko;x=1", "한국어"] {
            assert_eq!(negotiate(bad), None, "{bad}");
        }
        let late = format!("{}ko", "x,".repeat(40));
        assert_eq!(negotiate(&late), None);
    }
}
