//! The fields that may stand in the log, and how what they hold is made harmless: no control
//! character, no more than a few hundred characters, nothing that looks like a secret of ours.

/// Every field of an event that is written. A test looks for all that the sources name, so that a
/// new one is a decision and not an accident.
pub(super) const ALLOWED: &[&str] = &[
    "address",
    "algorithm",
    "at",
    "attempt",
    "audience",
    "cause",
    "client_id",
    "closure",
    "closures",
    "code",
    "database",
    "error",
    "failures",
    "file",
    "id",
    "is_own",
    "issuer",
    "kid",
    "kind",
    "listen",
    "message",
    "method",
    "metrics",
    "micros",
    "most",
    "name",
    "place",
    "reason",
    "request_id",
    "route",
    "seconds",
    "setting",
    "status",
    "took",
    "why",
];

/// How many characters of a text are written.
const LONGEST: usize = 500;

/// What stands where something was taken out.
const REMOVED: &str = "[removed]";

/// The beginnings of our secrets, and of a JWT.
const SECRETS: [&str; 2] = ["mj_", "eyJ"];

/// The names behind which a secret stands in a connection string, a query or a form.
const NAMES: [&str; 9] = [
    "password=",
    "passwd=",
    "secret=",
    "token=",
    "code=",
    "assertion=",
    "authorization:",
    "cookie:",
    "dpop:",
];

/// A text as it may be written: on one line, of a bounded length, without what looks like a secret.
/// Errors of libraries stand here, which nobody promised to be discreet.
pub(super) fn harmless(text: &str) -> String {
    let plain = |character: char| if is_inert(character) { character } else { ' ' };
    let short: String = text.chars().take(LONGEST).map(plain).collect();
    let mut cuts = false;
    let words = short.split(' ').map(|word| {
        // `authorization: Bearer …`: what follows the name is it.
        let follows = std::mem::take(&mut cuts);
        let lower = word.to_ascii_lowercase();
        if let Some(name) = NAMES.iter().find(|name| lower.contains(**name)) {
            let end = lower.find(name).map_or(0, |at| at.saturating_add(name.len()));
            cuts = end == word.len();
            return format!("{}{REMOVED}", word.get(..end).unwrap_or_default());
        }
        if follows {
            cuts = matches!(lower.as_str(), "bearer" | "basic" | "dpop");
            return REMOVED.to_owned();
        }
        without_secret(word)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Letters, digits and signs alone: nothing that moves a cursor, ends a line or turns the direction
/// of the text around.
fn is_inert(character: char) -> bool {
    let is_direction = matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    !character.is_control() && !is_direction
}

fn without_secret(word: &str) -> String {
    if let Some(at) = SECRETS.iter().filter_map(|beginning| word.find(beginning)).min() {
        return format!("{}{REMOVED}", word.get(..at).unwrap_or_default());
    }
    // RFC 3986 §3.2.1: what stands before the host.
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        return format!("{scheme}://{REMOVED}@{host}");
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out_of_a_text() {
        for (text, shown) in [
            ("all is well", "all is well"),
            ("postgres://m:hunter2@db/x is away", "postgres://[removed]@db/x is away"),
            ("token mj_rt_AAAA was old", "token [removed] was old"),
            ("got \"eyJhbGciOi.e30.x\"", "got \"[removed]"),
            ("host=db password=hunter2 user=m", "host=db password=[removed] user=m"),
            ("Authorization: Bearer abc def", "Authorization:[removed] [removed] [removed] def"),
            ("Cookie: a=b; rest", "Cookie:[removed] [removed] rest"),
            ("/cb?code=abc&state=d", "/cb?code=[removed]"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    /// WB-04 of the attack kit.
    #[test]
    fn a_text_stays_on_its_line_and_moves_no_cursor() {
        let shown = harmless("a\r\nb\u{1b}[2Jc\u{202e}d\u{0}e\u{9b}f\u{2028}g");
        assert_eq!(shown, "a  b [2Jc d e f g");
        assert_eq!(harmless(&"x".repeat(10_000)).len(), LONGEST);
    }

    /// The files of our own crates.
    fn sources() -> Vec<PathBuf> {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut directories: Vec<_> = ["core", "munjigi", "server", "store", "verify", "token"]
            .iter()
            .map(|name| crates.join(name).join("src"))
            .collect();
        let mut files = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    files.push(path);
                }
            }
        }
        files
    }

    /// The arguments of every `tracing::level!(…)` of a text, as they are written.
    fn events(source: &str) -> Vec<Vec<String>> {
        let mut events = Vec::new();
        for level in ["trace", "debug", "info", "warn", "error"] {
            let opening = format!("tracing::{level}!(");
            for (at, _) in source.match_indices(&opening) {
                events.push(arguments(&source[at + opening.len()..]));
            }
        }
        events
    }

    /// Split at commas outside of brackets and texts, up to the bracket that ends them.
    fn arguments(text: &str) -> Vec<String> {
        let (mut found, mut argument, mut depth, mut quoted) = (vec![], String::new(), 0, false);
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' if quoted => {
                    argument.push(character);
                    argument.extend(characters.next());
                    continue;
                }
                '"' => quoted = !quoted,
                '(' | '[' | '{' if !quoted => depth += 1,
                ')' if !quoted && depth == 0 => break,
                ')' | ']' | '}' if !quoted => depth -= 1,
                ',' if !quoted && depth == 0 => {
                    found.push(std::mem::take(&mut argument));
                    continue;
                }
                _ => {}
            }
            argument.push(character);
        }
        found.push(argument);
        let found = found.into_iter().map(|argument| argument.trim().to_owned());
        found.filter(|argument| !argument.is_empty()).collect()
    }

    /// The name of a field, as in `name = value`, `%name`, `?name` or `name`.
    fn name(argument: &str) -> String {
        let name = argument.split('=').next().unwrap_or_default();
        let name = name.trim().trim_start_matches(['%', '?']);
        name.rsplit('.').next().unwrap_or_default().to_owned()
    }

    /// A field that is not listed would be dropped and never missed; a text that is put together
    /// could hold anything.
    #[test]
    fn every_field_of_our_sources_is_listed_and_every_message_is_a_fixed_text() {
        let mut named = BTreeSet::from(["message".to_owned()]);
        for path in sources() {
            let source = std::fs::read_to_string(&path).unwrap();
            // What tests write is theirs.
            for event in events(source.split("#[cfg(test)]").next().unwrap()) {
                let (messages, fields): (Vec<_>, Vec<_>) =
                    event.iter().partition(|argument| argument.starts_with('"'));
                assert_eq!(messages.len(), 1, "{}: {event:?}", path.display());
                assert!(!messages[0].contains('{'), "{}: {event:?}", path.display());
                named.extend(fields.into_iter().map(|field| name(field)));
            }
        }
        assert!(named.len() > 20, "the search finds no more than {named:?}");
        let is_known = |it: &&String| ALLOWED.contains(&it.as_str()) || DROPPED == it.as_str();
        let unlisted: Vec<_> = named.iter().filter(|it| !is_known(it)).collect();
        assert!(unlisted.is_empty(), "not on the list of `logs/fields.rs`: {unlisted:?}");
        let unused: Vec<_> = ALLOWED.iter().filter(|it| !named.contains(**it)).collect();
        assert!(unused.is_empty(), "listed, and nowhere logged: {unused:?}");
    }

    /// A verifier in somebody's own program helps them with it; in ours it could hold anything.
    const DROPPED: &str = "path";

    #[test]
    fn the_search_for_fields_notices_what_is_not_listed() {
        let source = "tracing::warn!(%password, a.token = f(1, 2), \"a {} text, (odd)\", 3);";
        let event = &events(source)[0];
        assert_eq!(event, &["%password", "a.token = f(1, 2)", "\"a {} text, (odd)\"", "3"]);
        assert_eq!(
            event.iter().take(2).map(|it| name(it)).collect::<Vec<_>>(),
            ["password", "token"]
        );
    }
}
