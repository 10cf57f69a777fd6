//! What a client may say of itself: in a registration (RFC 7591 §2, OpenID Connect Dynamic Client
//! Registration 1.0 §2) or in the document that its id is the address of (Client ID Metadata
//! Document). Nobody here has looked at such a client, so that it gets what every stranger may
//! have and nothing else. It must not fetch what an address here names.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use thiserror::Error;
use url::{Host, Url};

use crate::id::ClientId;
use crate::oauth::client::{AuthMethod, GrantType};
use crate::oauth::error::ErrorCode;
use crate::oauth::metadata::Metadata;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::scope::Scope;

/// How many redirect URIs a client may register.
pub const MAX_REDIRECT_URIS: usize = 32;
/// How many clients that nobody here has looked at are known at once.
pub const MAX_CLIENTS: i64 = 10_000;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 200;
/// How many names a list of grants or of response types may have.
const MAX_NAMES: usize = 16;

/// The grants that need a person who says yes. The others let a client act by itself, or see
/// passwords: an operator decides who does.
pub const GRANTS: [GrantType; 3] =
    [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];

/// Characters that turn the direction of text, by which one name looks like another's.
const TURNING: &[char] = &[
    '\u{061c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Why something cannot be registered (RFC 7591 §3.2.2). The sentence repeats nothing of what came.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {description}", code.as_str())]
pub struct Refused {
    /// `invalid_redirect_uri` or `invalid_client_metadata`.
    pub code: ErrorCode,
    /// The sentence for `error_description`, in ASCII.
    pub description: String,
}

impl Refused {
    /// `invalid_client_metadata`.
    pub fn metadata(description: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidClientMetadata, description: description.into() }
    }

    fn redirect_uri(description: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidRedirectUri, description: description.into() }
    }
}

/// What kind of program a client is (OpenID Connect Registration §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationType {
    /// It runs on a server, or in a page.
    Web,
    /// It runs on a person's own machine.
    Native,
}

impl ApplicationType {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }

    /// What the redirect URIs of a client say that it is.
    pub fn of(redirect_uris: &[RedirectUri]) -> Self {
        let is_native = |uri: &RedirectUri| !uri.as_str().starts_with("https://");
        if redirect_uris.iter().any(is_native) { Self::Native } else { Self::Web }
    }
}

/// What a client says of itself, read and checked, as far as it fits together by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What people see.
    pub name: String,
    /// How it proves itself, where it says so.
    pub auth_method: Option<AuthMethod>,
    /// What it asks with.
    pub grant_types: BTreeSet<GrantType>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it wants to ask for, where it says so.
    pub scope: Option<Scope>,
    /// What else it says.
    pub metadata: Metadata,
}

impl Proposal {
    /// Reads a registration. Members that are not known are ignored (RFC 7591 §2).
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Refused> {
        let grant_types = grant_types(members, |name| match GrantType::parse(name) {
            Some(grant) if GRANTS.contains(&grant) => Ok(Some(grant)),
            Some(_) => Err(Refused::metadata(
                "grant_types holds one that only a client made by an operator may use",
            )),
            None => Err(Refused::metadata("grant_types holds one that is not supported")),
        })?;
        Self::with(members, grant_types)
    }

    /// Reads the document of the client `id` (Client ID Metadata Document §4).
    pub fn document(id: &ClientId, members: &Map<String, Value>) -> Result<Self, Refused> {
        // §4.1: it "MUST match the URL of the document using simple string comparison": otherwise
        // one host could speak for another's client.
        if members.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
            return Err(Refused::metadata("client_id is not the address of the document"));
        }
        // §4.1: a secret that everybody can read is none.
        if ["client_secret", "client_secret_expires_at"].iter().any(|it| members.contains_key(*it))
        {
            return Err(Refused::metadata("a document holds no secret"));
        }
        // It is written for every server that its client meets, so that grants of others are no
        // mistake here.
        let grant_types = grant_types(members, |name| {
            Ok(GrantType::parse(name).filter(|grant| GRANTS.contains(grant)))
        })?;
        let mut proposal = Self::with(members, grant_types)?;
        let method = proposal.auth_method.unwrap_or(AuthMethod::None);
        if method.uses_secret() {
            let why = "token_endpoint_auth_method is none or private_key_jwt in a document";
            return Err(Refused::metadata(why));
        }
        proposal.auth_method = Some(method);
        // What it calls its page has to be of the host that speaks: it is all that is proved.
        let same = |uri: &str| origin(uri).is_some_and(|it| Some(it) == origin(id.as_str()));
        let metadata = &mut proposal.metadata;
        metadata.client_uri.take_if(|uri| !same(uri.as_str()));
        metadata.logo_uri.take_if(|uri| !same(uri.as_str()));
        Ok(proposal)
    }

    fn with(
        members: &Map<String, Value>,
        grant_types: BTreeSet<GrantType>,
    ) -> Result<Self, Refused> {
        let metadata =
            Metadata::parse(members).map_err(|bad| Refused::metadata(bad.to_string()))?;
        let redirect_uris = redirect_uris(members)?;
        check_application_type(members, &redirect_uris)?;
        let uses_codes = grant_types.contains(&GrantType::AuthorizationCode);
        check_response_types(members, uses_codes)?;
        if uses_codes && redirect_uris.is_empty() {
            let why = "redirect_uris is needed for authorization_code";
            return Err(Refused::redirect_uri(why));
        }
        // OpenID Connect Registration §2: there are no pairwise subjects here.
        if text(members, "subject_type")?.is_some_and(|kind| kind != "public") {
            return Err(Refused::metadata("subject_type is public"));
        }
        let auth_method = text(members, "token_endpoint_auth_method")?.map(|name| {
            let unknown = || Refused::metadata("token_endpoint_auth_method is not supported");
            AuthMethod::parse(name).ok_or_else(unknown)
        });
        let scope = text(members, "scope")?.map(|scope| {
            scope.parse().map_err(|_| Refused::metadata("scope is malformed or too large"))
        });
        Ok(Self {
            name: name(members, &redirect_uris)?,
            auth_method: auth_method.transpose()?,
            grant_types,
            redirect_uris,
            scope: scope.transpose()?,
            metadata,
        })
    }
}

/// The scheme, host and port of an address.
fn origin(text: &str) -> Option<url::Origin> {
    Url::parse(text).ok().map(|url| url.origin())
}

/// A text that may be absent; `null` says that there is none.
fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, Refused> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::metadata(format!("{name} is a text"))),
    }
}

/// A list of texts that may be absent.
fn texts<'m>(
    members: &'m Map<String, Value>,
    name: &str,
    most: usize,
) -> Result<Option<Vec<&'m str>>, Refused> {
    let wrong = || Refused::metadata(format!("{name} is a list of at most {most} texts"));
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) if items.len() <= most => {
            items.iter().map(Value::as_str).collect::<Option<_>>().map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn grant_types(
    members: &Map<String, Value>,
    read: impl Fn(&str) -> Result<Option<GrantType>, Refused>,
) -> Result<BTreeSet<GrantType>, Refused> {
    // RFC 7591 §2: "If omitted, the default behavior is that the client will use only the
    // authorization_code Grant Type."
    let Some(names) = texts(members, "grant_types", MAX_NAMES)? else {
        return Ok([GrantType::AuthorizationCode].into());
    };
    let read: Vec<Option<GrantType>> = names.into_iter().map(read).collect::<Result<_, _>>()?;
    let found: BTreeSet<_> = read.into_iter().flatten().collect();
    // A refresh token comes with another grant.
    let begins = |grant: &GrantType| *grant != GrantType::RefreshToken;
    if !found.iter().any(begins) {
        return Err(Refused::metadata("grant_types holds none by which anything begins"));
    }
    Ok(found)
}

/// RFC 7591 §2.1: `code` and `authorization_code` come together or not at all.
fn check_response_types(members: &Map<String, Value>, uses_codes: bool) -> Result<(), Refused> {
    let Some(names) = texts(members, "response_types", MAX_NAMES)? else { return Ok(()) };
    if names.iter().any(|name| *name != "code") {
        return Err(Refused::metadata("response_types is a list of code alone"));
    }
    if names.is_empty() == uses_codes {
        let why = "response_types and grant_types contradict each other";
        return Err(Refused::metadata(why));
    }
    Ok(())
}

fn redirect_uris(members: &Map<String, Value>) -> Result<Vec<RedirectUri>, Refused> {
    let wrong = |_| {
        let most = format!("redirect_uris is a list of at most {MAX_REDIRECT_URIS} texts");
        Refused::redirect_uri(most)
    };
    let uris = texts(members, "redirect_uris", MAX_REDIRECT_URIS).map_err(wrong)?;
    let parse =
        |uri| RedirectUri::parse(uri).map_err(|error| Refused::redirect_uri(error.to_string()));
    uris.unwrap_or_default().into_iter().map(parse).collect()
}

/// OpenID Connect Registration §2: a web application comes back over https, a native one on
/// loopback or by a scheme of its own (RFC 8252 §7). Deviates: a client that does not say what it
/// is may be either, since most that are native leave it out.
fn check_application_type(
    members: &Map<String, Value>,
    redirect_uris: &[RedirectUri],
) -> Result<(), Refused> {
    match text(members, "application_type")? {
        None | Some("native") => Ok(()),
        Some("web") => {
            let is_web = |uri: &RedirectUri| {
                uri.as_str().starts_with("https://") && !is_this_machine(uri.as_str())
            };
            let why = "a web application has redirect URIs with https, and none on loopback";
            let all = redirect_uris.iter().all(is_web);
            if all { Ok(()) } else { Err(Refused::redirect_uri(why)) }
        }
        Some(_) => Err(Refused::metadata("application_type is web or native")),
    }
}

/// Whether an address leads to the machine on which it is opened.
pub fn is_this_machine(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // RFC 6761 §6.3.
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The name, or else where its answers go.
fn name(members: &Map<String, Value>, redirect_uris: &[RedirectUri]) -> Result<String, Refused> {
    if let Some(name) = text(members, "client_name")? {
        let length = name.chars().count();
        let is_plain = |c: char| !c.is_control() && !TURNING.contains(&c);
        if length == 0 || length > MAX_NAME_CHARS || !name.chars().all(is_plain) {
            let why = "client_name is 1 to 200 characters that are seen";
            return Err(Refused::metadata(why));
        }
        return Ok(name.to_owned());
    }
    let first = redirect_uris.first().and_then(|uri| Url::parse(uri.as_str()).ok());
    let host = first.as_ref().and_then(Url::host_str).filter(|host| !host.is_empty());
    Ok(host.unwrap_or("?").to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(members: Value) -> Result<Proposal, Refused> {
        Proposal::parse(members.as_object().unwrap())
    }

    #[track_caller]
    fn refused(members: Value, code: ErrorCode) {
        assert_eq!(parse(members.clone()).map_err(|it| it.code), Err(code), "{members}");
    }

    /// A good registration with one member changed.
    fn with(name: &str, value: Value) -> Value {
        let mut members = json!({"redirect_uris": ["https://app.example/cb"]});
        members.as_object_mut().unwrap().insert(name.to_owned(), value);
        members
    }

    #[test]
    fn what_is_not_said_has_the_defaults_of_the_specification() {
        let proposal = parse(json!({"redirect_uris": ["https://app.example/cb"]})).unwrap();
        assert_eq!(proposal.grant_types, [GrantType::AuthorizationCode].into());
        assert_eq!(proposal.auth_method, None);
        assert_eq!(proposal.name, "app.example");
        assert_eq!((proposal.scope, proposal.metadata), (None, Metadata::default()));
    }

    #[test]
    fn members_that_are_not_known_are_ignored_and_null_is_nothing() {
        let members = json!({
            "redirect_uris": ["https://app.example/cb"], "software_id": "x", "client_name#ko": "앱",
            "made_up": {"a": [1]}, "scope": null, "grant_types": null, "client_name": null,
        });
        assert!(parse(members).is_ok());
    }

    /// RU-05 of the attack kit.
    #[test]
    fn ru_05_dangerous_addresses_are_not_registered() {
        for bad in [
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "http://app.example/cb",
            "https://app.example/cb#f",
            "https://a@app.example/cb",
            "/cb",
            "",
        ] {
            refused(json!({"redirect_uris": [bad]}), ErrorCode::InvalidRedirectUri);
            for name in ["logo_uri", "tos_uri", "policy_uri", "client_uri", "jwks_uri"] {
                refused(with(name, json!(bad)), ErrorCode::InvalidClientMetadata);
            }
            let more = with("post_logout_redirect_uris", json!([bad]));
            refused(more, ErrorCode::InvalidClientMetadata);
        }
        refused(json!({}), ErrorCode::InvalidRedirectUri);
        refused(json!({"redirect_uris": "https://a.example"}), ErrorCode::InvalidRedirectUri);
        let many = vec!["https://app.example/cb"; 33];
        refused(json!({"redirect_uris": many}), ErrorCode::InvalidRedirectUri);
    }

    #[test]
    fn an_application_comes_back_as_its_type_may() {
        let of = |kind: &str, uri: &str| {
            let members = json!({"application_type": kind, "redirect_uris": [uri]});
            parse(members).map(|_| ()).map_err(|it| it.code)
        };
        assert_eq!(of("web", "https://app.example/cb"), Ok(()));
        for uri in ["http://localhost:3000/cb", "com.example.app:/cb", "https://localhost/cb"] {
            assert_eq!(of("web", uri), Err(ErrorCode::InvalidRedirectUri), "{uri}");
            assert_eq!(of("native", uri), Ok(()), "{uri}");
            assert!(parse(json!({"redirect_uris": [uri]})).is_ok(), "{uri}");
        }
        assert_eq!(of("desktop", "https://a.example/"), Err(ErrorCode::InvalidClientMetadata));
        let uri = |text: &str| RedirectUri::parse(text).unwrap();
        assert_eq!(ApplicationType::of(&[uri("https://app.example/cb")]), ApplicationType::Web);
        assert_eq!(ApplicationType::of(&[uri("http://127.0.0.1/cb")]), ApplicationType::Native);
    }

    #[test]
    fn grants_and_response_types_are_supported_and_fit_together() {
        let invalid = ErrorCode::InvalidClientMetadata;
        for grants in [
            json!(["client_credentials"]),
            json!(["authorization_code", "password"]),
            json!(["implicit"]),
            json!(["refresh_token"]),
            json!([]),
            json!("authorization_code"),
            json!([1]),
        ] {
            refused(with("grant_types", grants), invalid);
        }
        for types in [json!(["token"]), json!(["code", "id_token"]), json!([]), json!("code")] {
            refused(with("response_types", types), invalid);
        }
        let device = "urn:ietf:params:oauth:grant-type:device_code";
        let members = json!({"grant_types": [device, "refresh_token"], "response_types": []});
        assert!(parse(members).is_ok());
        let contradiction = json!({"grant_types": [device], "response_types": ["code"]});
        refused(contradiction, invalid);
    }

    #[test]
    fn everything_else_that_is_wrong_is_named_and_not_repeated() {
        for (name, value) in [
            ("token_endpoint_auth_method", json!("tls_client_auth")),
            ("token_endpoint_auth_method", json!(1)),
            ("client_name", json!("")),
            ("client_name", json!("a".repeat(201))),
            ("client_name", json!("bank\u{202e}knab")),
            ("client_name", json!("a\u{0}b")),
            ("scope", json!("a  b")),
            ("scope", json!(["a"])),
            ("subject_type", json!("pairwise")),
            ("id_token_signed_response_alg", json!("none")),
            ("jwks", json!({"keys": []})),
        ] {
            let refused = parse(with(name, value.clone())).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidClientMetadata, "{name}: {value}");
            assert!(refused.description.starts_with(name), "{refused}");
            assert!(refused.description.is_ascii() && !refused.description.contains('"'));
        }
    }

    fn document(members: Value) -> Result<Proposal, Refused> {
        let id = "https://app.example/client.json".parse().unwrap();
        Proposal::document(&id, members.as_object().unwrap())
    }

    #[test]
    fn a_document_speaks_for_its_own_address_and_holds_no_secret() {
        let good = json!({
            "client_id": "https://app.example/client.json",
            "redirect_uris": ["http://127.0.0.1/cb"],
            "grant_types": ["authorization_code", "refresh_token", "urn:example:other"],
            "client_uri": "https://app.example/", "logo_uri": "https://cdn.example/logo.png",
        });
        let proposal = document(good.clone()).unwrap();
        assert_eq!(proposal.auth_method, Some(AuthMethod::None));
        assert_eq!(proposal.grant_types.len(), 2);
        assert!(proposal.metadata.client_uri.is_some() && proposal.metadata.logo_uri.is_none());
        for (name, value) in [
            ("client_id", json!("https://app.example/client.jso")),
            ("client_id", json!("https://APP.example/client.json")),
            ("client_id", json!("https://evil.example/client.json")),
            ("client_id", json!(null)),
            ("client_secret", json!("s3cret")),
            ("client_secret_expires_at", json!(0)),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("token_endpoint_auth_method", json!("client_secret_jwt")),
            ("redirect_uris", json!(null)),
            ("redirect_uris", json!(["javascript:x"])),
            ("grant_types", json!(["urn:example:other"])),
        ] {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().insert(name.to_owned(), value.clone());
            assert!(document(bad).is_err(), "{name}: {value}");
        }
    }
}
