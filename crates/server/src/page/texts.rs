//! The sentences of pages and mails, in English and Korean: Fluent resources that are part of the
//! program. A text never comes from a request, and what is put into one cannot turn it around.

use std::fmt::Display;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::page::locale::Locale;

/// The English texts of pages and of mails, as written.
pub const ENGLISH: [&str; 2] =
    [include_str!("../../texts/en.ftl"), include_str!("../../texts/mail.en.ftl")];
/// The Korean texts of pages and of mails, as written.
pub const KOREAN: [&str; 2] =
    [include_str!("../../texts/ko.ftl"), include_str!("../../texts/mail.ko.ftl")];

// Constants in all but name: parsed once, never changed.
static IN_ENGLISH: LazyLock<FluentBundle<FluentResource>> =
    LazyLock::new(|| bundle(Locale::English, ENGLISH));
static IN_KOREAN: LazyLock<FluentBundle<FluentResource>> =
    LazyLock::new(|| bundle(Locale::Korean, KOREAN));

impl Locale {
    /// A text without variables.
    pub fn text(self, id: &str) -> String {
        self.format(id, None)
    }

    /// A text with one variable.
    pub fn text_with(self, id: &str, name: &'static str, value: impl Display) -> String {
        self.text_of(id, &[(name, &value)])
    }

    /// A text with several variables.
    pub fn text_of(self, id: &str, variables: &[(&'static str, &dyn Display)]) -> String {
        let mut arguments = FluentArgs::new();
        for (name, value) in variables {
            arguments.set(*name, FluentValue::from(plain(&value.to_string())));
        }
        self.format(id, Some(&arguments))
    }

    /// A text about a number, `$count`, which decides on singular and plural.
    pub fn count(self, id: &str, count: i64) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("count", FluentValue::from(count));
        self.format(id, Some(&arguments))
    }

    fn format(self, id: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let bundle = match self {
            Self::English => &*IN_ENGLISH,
            Self::Korean => &*IN_KOREAN,
        };
        // A test holds that both languages have every text that is asked for.
        let Some(pattern) = bundle.get_message(id).and_then(|it| it.value()) else {
            return id.to_owned();
        };
        bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned()
    }
}

fn bundle(locale: Locale, sources: [&str; 2]) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = locale.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // Marks of isolation would stand in titles and be copied; `plain` takes their reason away.
    bundle.set_use_isolating(false);
    for source in sources {
        // A test holds that all of them parse.
        match FluentResource::try_new(source.to_owned()) {
            Ok(resource) | Err((resource, _)) => bundle.add_resource_overriding(resource),
        }
    }
    bundle
}

/// A value without what would turn the direction of the sentence around it, break its line or show
/// nothing.
pub fn plain(value: &str) -> String {
    let is_mark = |c: char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || c == '\u{061c}'
            || c == '\u{feff}'
    };
    value.chars().filter(|c| !c.is_control() && !is_mark(*c)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// Every message with its variables.
    fn messages(sources: [&str; 2]) -> BTreeMap<String, BTreeSet<String>> {
        for source in sources {
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "one does not parse");
        }
        let source = sources.join("\n");
        let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut last = String::new();
        for line in source.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if !line.starts_with([' ', '}']) {
                last = line.split(" =").next().unwrap().to_owned();
                assert!(messages.insert(last.clone(), BTreeSet::new()).is_none(), "{last} twice");
            }
            let variables = line.split('$').skip(1).map(|rest| {
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
            });
            messages.get_mut(&last).unwrap().extend(variables);
        }
        messages
    }

    fn sources(directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }

    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split('"').skip(1)
    }

    #[test]
    fn both_languages_hold_the_same_messages_with_the_same_variables() {
        assert_eq!(messages(ENGLISH), messages(KOREAN));
    }

    #[test]
    fn every_message_that_is_asked_for_exists_and_none_is_there_for_nothing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = Vec::new();
        sources(&root.join("templates"), &mut texts);
        sources(&root.join("src"), &mut texts);
        let messages = messages(ENGLISH);

        for call in ["text(\"", "text_with(\"", "count(\"", "text_of(\""] {
            for rest in texts.iter().flat_map(|text| text.split(call).skip(1)) {
                let id = rest.split('"').next().unwrap();
                assert!(messages.contains_key(id), "`{id}` is asked for and not written");
            }
        }
        let named: BTreeSet<&str> = texts.iter().flat_map(|text| quoted(text)).collect();
        for id in messages.keys() {
            assert!(named.contains(id.as_str()), "nobody asks for `{id}`");
        }
    }

    #[test]
    fn korean_is_polite_and_english_is_not_left_in_it() {
        let lines = KOREAN.into_iter().flat_map(str::lines);
        for line in lines.filter(|line| !line.starts_with('#') && line.contains(" = ")) {
            let has_hangul = line.chars().any(|c| ('가'..='힣').contains(&c));
            let value = line.split_once(" = ").unwrap().1;
            assert!(has_hangul || value.starts_with('{') || value.len() < 8, "{line}");
            assert!(!line.contains("니다."), "합니다체: {line}");
        }
    }

    #[test]
    fn a_value_cannot_turn_a_sentence_around_or_break_it() {
        let evil = "Shop\u{202e}\n\u{2066}x\u{200b}";
        assert_eq!(plain(evil), "Shopx");
        let text = Locale::English.text_with("consent-title", "client", evil);
        assert!(text.contains("Shopx"), "{text}");
    }

    #[test]
    fn numbers_decide_on_singular_and_plural() {
        let english = |count| Locale::English.count("complaint-attempts", count);
        assert!(english(1).ends_with("1 second."));
        assert!(english(34).ends_with("34 seconds."));
        assert!(Locale::Korean.count("complaint-attempts", 34).contains("34초"));
    }
}
