//! Registrations (RFC 7591) and client documents: whoever makes themselves known gets no address
//! that a browser would run as a script, and no grant that only an operator gives.

use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::oauth::registration::Proposal;
use munjigi_token::json::object;
use url::Url;

pub fn run(bytes: &[u8]) {
    let Ok(members) = object(bytes) else { return };
    if let Ok(proposal) = Proposal::parse(&members) {
        check(&proposal);
    }
    let Ok(id) = "https://app.example/client.json".parse() else { panic!("no address") };
    if let Ok(proposal) = Proposal::document(&id, &members) {
        check(&proposal);
        let uri = proposal.metadata.client_uri.as_ref().and_then(|it| Url::parse(it.as_str()).ok());
        assert!(uri.is_none_or(|uri| uri.host_str() == Some("app.example")), "another's page");
    }
}

fn check(proposal: &Proposal) {
    for uri in &proposal.redirect_uris {
        assert!(RedirectUri::parse(uri.as_str()).as_ref() == Ok(uri), "{uri}");
        let Ok(url) = Url::parse(uri.as_str()) else { panic!("no URL: {uri}") };
        assert!(
            !["javascript", "data", "vbscript", "file", "blob"].contains(&url.scheme()),
            "{uri}"
        );
    }
    let metadata = &proposal.metadata;
    for uri in [&metadata.client_uri, &metadata.logo_uri].into_iter().flatten() {
        let Ok(url) = Url::parse(uri.as_str()) else { panic!("no URL") };
        assert!(url.scheme().starts_with("http"), "{}", uri.as_str());
    }
    let named: Vec<&str> = proposal.grant_types.iter().map(|grant| grant.as_str()).collect();
    assert!(!named.contains(&"password") && !named.contains(&"implicit"), "{named:?}");
}
