//! In `dev`: how a redirect URI differs from those that a client registered, part by part. It is
//! text for the developer's own eyes; in production nothing of it is shown.

use url::Url;

use crate::page::frame::Frame;

/// A registered redirect URI, and what is different in the one that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// As registered.
    pub uri: String,
    /// What differs, a sentence for each part.
    pub differences: Vec<String>,
}

/// What came and what is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectDifference {
    /// The client.
    pub client_id: String,
    /// What came.
    pub received: String,
    /// What is registered.
    pub registered: Vec<Registered>,
}

impl RedirectDifference {
    /// Compares what came with what is registered.
    pub fn new(frame: &Frame, client_id: &str, received: &str, registered: &[String]) -> Self {
        let compared = registered.iter().map(|uri| Registered {
            uri: uri.clone(),
            differences: differences(frame, received, uri),
        });
        Self {
            client_id: client_id.to_owned(),
            received: received.to_owned(),
            registered: compared.collect(),
        }
    }
}

fn differences(frame: &Frame, received: &str, registered: &str) -> Vec<String> {
    let (Ok(got), Ok(own)) = (Url::parse(received), Url::parse(registered)) else {
        return vec![frame.text("difference-no-uri")];
    };
    let port = |url: &Url| url.port_or_known_default().map(|it| it.to_string());
    let text = |part: Option<&str>| part.map(str::to_owned);
    let parts = [
        ("difference-scheme", text(Some(got.scheme())), text(Some(own.scheme()))),
        ("difference-host", text(got.host_str()), text(own.host_str())),
        ("difference-port", port(&got), port(&own)),
        ("difference-path", text(Some(got.path())), text(Some(own.path()))),
        ("difference-query", text(got.query()), text(own.query())),
        ("difference-fragment", text(got.fragment()), text(own.fragment())),
    ];
    let differ = parts.into_iter().filter(|(_, got, own)| got != own);
    let mut found: Vec<_> = differ
        .map(|(id, got, own)| {
            let shown =
                |part: Option<String>| part.unwrap_or_else(|| frame.text("difference-none"));
            frame.locale.text_of(id, &[("got", &shown(got)), ("own", &shown(own))])
        })
        .collect();
    if found.is_empty() && received != registered {
        // The comparison is of characters (RFC 9700 §2.1), so that case and escapes count too.
        found.push(frame.text("difference-spelling"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::locale::Locale;

    fn found(received: &str) -> Vec<String> {
        let frame = Frame::new("http://localhost:8000", Locale::English);
        let registered = ["http://localhost:3000/callback".to_owned()];
        let difference = RedirectDifference::new(&frame, "spa", received, &registered);
        difference.registered[0].differences.clone()
    }

    #[test]
    fn every_part_that_differs_is_named() {
        let both = found("http://127.0.0.1:3000/callback/");
        assert_eq!(both.len(), 2);
        assert!(both[0].contains("127.0.0.1") && both[0].contains("localhost"), "{both:?}");
        assert!(both[1].contains("/callback/"), "{both:?}");
        assert_eq!(found("https://localhost:3000/callback").len(), 1);
        assert_eq!(found("http://localhost:3000/callback?x=1").len(), 1);
        assert_eq!(found("http://LOCALHOST:3000/callback").len(), 1);
        assert_eq!(found("callback").len(), 1);
        assert!(found("http://localhost:3000/callback").is_empty());
    }
}
