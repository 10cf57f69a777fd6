//! Authorization responses (RFC 6749 §4.1.2): back to the client, by the browser. Every one says
//! who issued it (RFC 9207), errors included.

use munjigi_core::oauth::authorization::{Destination, ResponseMode};
use munjigi_core::oauth::error::OAuthRefusal;
use url::form_urlencoded::Serializer;

use crate::page::form_post::FormPost;
use crate::page::frame::Frame;
use crate::page::reply::Page;

/// Brings a code to the client.
pub fn code(frame: Frame, issuer: &str, to: &Destination, code: &str) -> Page {
    answer(frame, issuer, to, &[("code", code)])
}

/// Brings an error to the client (RFC 6749 §4.1.2.1).
pub fn refusal(frame: Frame, issuer: &str, to: &Destination, refusal: OAuthRefusal) -> Page {
    let OAuthRefusal { code, description } = refusal;
    let said = [("error", code.as_str()), ("error_description", description)];
    answer(frame, issuer, to, &said).refusing(code)
}

fn answer(frame: Frame, issuer: &str, to: &Destination, said: &[(&str, &str)]) -> Page {
    let mut parameters = said.to_vec();
    parameters.extend(to.state.as_deref().map(|state| ("state", state)));
    // RFC 9207 §2: so that a client which speaks to several servers knows which one answered.
    parameters.push(("iss", issuer));
    match to.response_mode {
        ResponseMode::Query => Page::see_other(&with_query(&to.redirect_uri, &parameters)),
        ResponseMode::FormPost => FormPost::new(frame, &to.redirect_uri, &parameters).answer(),
    }
}

/// RFC 6749 §3.1.2: what stands in the query of a registered URI stays there.
pub(crate) fn with_query(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = match redirect_uri.rsplit_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{redirect_uri}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_the_client_stays() {
        let said = [("code", "a b"), ("iss", "https://id.example")];
        let query = "code=a+b&iss=https%3A%2F%2Fid.example";
        for (uri, expected) in [
            ("https://app.example/cb", format!("https://app.example/cb?{query}")),
            ("https://app.example/cb?x=1", format!("https://app.example/cb?x=1&{query}")),
            ("https://app.example/cb?", format!("https://app.example/cb?{query}")),
        ] {
            assert_eq!(with_query(uri, &said), expected);
        }
    }
}
