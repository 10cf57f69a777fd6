//! Further metadata of a client (RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2,
//! and those of the logout and DPoP specifications), as values that are checked when they are read.
//! It must not fetch what an address here names.

use munjigi_token::{Algorithm, Jwks, KeySet, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::oauth::authorization::ResponseMode;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oidc::claim_profile::ClaimProfile;
use crate::oidc::claims::IdTokenClaims;
use crate::time::Span;

/// How many keys a client may have.
pub const MAX_KEYS: usize = 10;
/// How many addresses a client may register for the end of a sign-out.
const MAX_URIS: usize = 32;
/// How many contacts, and how many classes for `default_acr_values`.
const MAX_TEXTS: usize = 16;
/// The longest of them, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// The algorithms that a client's own signatures and those made for it may have. Not `HS256`: a
/// client's secret is kept as a hash here, and whoever can verify could sign.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa];

/// What each member has to be, for whoever sent another thing.
const MEMBERS: &[(&str, &str)] = &[
    ("jwks", "must be a set of 1 to 10 public keys for signatures, and no private one"),
    ("jwks_uri", ADDRESS),
    ("token_endpoint_auth_signing_alg", ALGORITHM),
    ("id_token_signed_response_alg", ALGORITHM),
    ("userinfo_signed_response_alg", ALGORITHM),
    ("request_object_signing_alg", ALGORITHM),
    ("id_token_claims", "must be minimal or hydrated"),
    ("claim_profile", "must be a claim profile that this server knows"),
    ("default_max_age", "must be a number of seconds"),
    ("require_auth_time", FLAG),
    ("default_acr_values", TEXTS),
    ("response_modes", "must be a list of query and form_post"),
    ("dpop_bound_access_tokens", FLAG),
    ("require_pushed_authorization_requests", FLAG),
    ("post_logout_redirect_uris", "must be a list of at most 32 addresses as of redirect_uris"),
    ("backchannel_logout_uri", ADDRESS),
    ("backchannel_logout_session_required", FLAG),
    ("frontchannel_logout_uri", ADDRESS),
    ("frontchannel_logout_session_required", FLAG),
    ("initiate_login_uri", ADDRESS),
    ("logo_uri", ADDRESS),
    ("client_uri", ADDRESS),
    ("policy_uri", ADDRESS),
    ("tos_uri", ADDRESS),
    ("contacts", TEXTS),
];
const ADDRESS: &str = "must be an https address, or http on loopback, without a fragment";
const ALGORITHM: &str = "must be RS256, ES256, PS256 or EdDSA";
const FLAG: &str = "must be true or false";
const TEXTS: &str = "must be a list of at most 16 texts of 1 to 256 bytes";

/// A member that is not what it has to be. It repeats nothing of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{member} {expected}")]
pub struct BadMember {
    /// Its name.
    pub member: &'static str,
    /// What it has to be.
    pub expected: &'static str,
}

impl BadMember {
    fn of(member: &'static str) -> Self {
        let known = MEMBERS.iter().find(|(name, _)| *name == member);
        Self { member, expected: known.map_or("is not known", |(_, expected)| expected) }
    }
}

/// Further metadata of a client. What is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Its public keys; or `jwks_uri`.
    #[serde(skip_serializing_if = "is_default")]
    pub jwks: Option<ClientKeys>,
    /// Where its public keys are published.
    #[serde(skip_serializing_if = "is_default")]
    pub jwks_uri: Option<WebUri>,
    /// The one algorithm that its assertions may have; any of [`ALGORITHMS`] when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub token_endpoint_auth_signing_alg: Option<Algorithm>,
    /// How its ID tokens are signed; see [`Metadata::id_token_algorithm`].
    #[serde(skip_serializing_if = "is_default")]
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// How its UserInfo answers are signed; plain JSON when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub userinfo_signed_response_alg: Option<Algorithm>,
    /// The one algorithm that its request objects may have; any of [`ALGORITHMS`] when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub request_object_signing_alg: Option<Algorithm>,
    /// What its ID tokens say of the person.
    #[serde(skip_serializing_if = "is_default")]
    pub id_token_claims: IdTokenClaims,
    /// Whose words its tokens speak.
    #[serde(skip_serializing_if = "is_default")]
    pub claim_profile: ClaimProfile,
    /// How long ago a person may have proved who they are, where a request does not say.
    #[serde(with = "seconds", skip_serializing_if = "is_default")]
    pub default_max_age: Option<Span>,
    /// Whether `auth_time` is in every ID token.
    #[serde(skip_serializing_if = "is_default")]
    pub require_auth_time: bool,
    /// How strongly a person should prove who they are, best first, where a request does not say.
    #[serde(skip_serializing_if = "is_default")]
    pub default_acr_values: Vec<String>,
    /// How its answers may travel; in every way when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub response_modes: Vec<ResponseMode>,
    /// Whether every token of its own is bound to a key (RFC 9449 §5.2).
    #[serde(skip_serializing_if = "is_default")]
    pub dpop_bound_access_tokens: bool,
    /// Whether it has to push its requests (RFC 9126 §6).
    #[serde(skip_serializing_if = "is_default")]
    pub require_pushed_authorization_requests: bool,
    /// Where a browser may go after a sign-out.
    #[serde(skip_serializing_if = "is_default")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logout tokens are sent.
    #[serde(skip_serializing_if = "is_default")]
    pub backchannel_logout_uri: Option<WebUri>,
    /// Whether those need `sid`; they have it always.
    #[serde(skip_serializing_if = "is_default")]
    pub backchannel_logout_session_required: bool,
    /// What a browser loads after a sign-out.
    #[serde(skip_serializing_if = "is_default")]
    pub frontchannel_logout_uri: Option<WebUri>,
    /// Whether that gets `iss` and `sid`.
    #[serde(skip_serializing_if = "is_default")]
    pub frontchannel_logout_session_required: bool,
    /// Where a sign-in that somebody else wants begins.
    #[serde(skip_serializing_if = "is_default")]
    pub initiate_login_uri: Option<WebUri>,
    /// Its picture.
    #[serde(skip_serializing_if = "is_default")]
    pub logo_uri: Option<WebUri>,
    /// Its page.
    #[serde(skip_serializing_if = "is_default")]
    pub client_uri: Option<WebUri>,
    /// What it does with people's data.
    #[serde(skip_serializing_if = "is_default")]
    pub policy_uri: Option<WebUri>,
    /// Its terms.
    #[serde(skip_serializing_if = "is_default")]
    pub tos_uri: Option<WebUri>,
    /// Whom to write to about it.
    #[serde(skip_serializing_if = "is_default")]
    pub contacts: Vec<String>,
}

impl Metadata {
    /// Reads what a registration or a document says. Members that are not known are ignored
    /// (RFC 7591 §2), and `null` says that there is none (RFC 7592 §2.2).
    pub fn parse(members: &Map<String, Value>) -> Result<Self, BadMember> {
        let mut members = members.clone();
        let registered = members.get("token_endpoint_auth_signing_alg");
        // RFC 7517 §4.4: a key need not say what it is for; then the client's registration does.
        if registered.is_some_and(|it| it == Algorithm::Ps256.as_str())
            && let Some(jwks) = members.get_mut("jwks")
        {
            say_ps256(jwks);
        }
        let mut known = Map::new();
        for (name, _) in MEMBERS {
            let Some(value) = members.get(*name).filter(|value| !value.is_null()) else { continue };
            // Each by itself, so that it can be told which one is no good.
            let one = Map::from_iter([((*name).to_owned(), value.clone())]);
            serde_json::from_value::<Self>(one.into()).map_err(|_| BadMember::of(name))?;
            known.insert((*name).to_owned(), value.clone());
        }
        let whole = serde_json::from_value::<Self>(known.into());
        let metadata = whole.map_err(|_| BadMember::of("jwks"))?;
        metadata.check()?;
        Ok(metadata)
    }

    /// Whether every member is what it has to be, and they fit together.
    pub fn check(&self) -> Result<(), BadMember> {
        // RFC 7591 §2: they "MUST NOT both be present in the same request or response".
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(BadMember { member: "jwks_uri", expected: "must not come with jwks" });
        }
        for (member, algorithm) in [
            ("token_endpoint_auth_signing_alg", self.token_endpoint_auth_signing_alg),
            ("id_token_signed_response_alg", self.id_token_signed_response_alg),
            ("userinfo_signed_response_alg", self.userinfo_signed_response_alg),
            ("request_object_signing_alg", self.request_object_signing_alg),
        ] {
            if algorithm.is_some_and(|algorithm| !ALGORITHMS.contains(&algorithm)) {
                return Err(BadMember::of(member));
            }
        }
        for (member, texts) in
            [("contacts", &self.contacts), ("default_acr_values", &self.default_acr_values)]
        {
            let fits = |text: &String| {
                let length = (1..=MAX_TEXT_BYTES).contains(&text.len());
                length && !text.contains(char::is_control)
            };
            if texts.len() > MAX_TEXTS || !texts.iter().all(fits) {
                return Err(BadMember::of(member));
            }
        }
        if self.response_modes.len() > ResponseMode::ALL.len() {
            return Err(BadMember::of("response_modes"));
        }
        // A native application comes back by its own scheme, as for codes; RU-05 of the attack
        // kit: never by `javascript:` or `data:`.
        let uris = &self.post_logout_redirect_uris;
        if uris.len() > MAX_URIS || uris.iter().any(|uri| RedirectUri::parse(uri).is_err()) {
            return Err(BadMember::of("post_logout_redirect_uris"));
        }
        Ok(())
    }

    /// Whether there are keys to check its signatures with.
    pub fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.jwks_uri.is_some()
    }

    /// How its ID tokens are signed. OpenID Connect Registration §2: "The default, if omitted, is
    /// RS256."
    pub fn id_token_algorithm(&self) -> Algorithm {
        self.id_token_signed_response_alg.unwrap_or(Algorithm::Rs256)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An address on the web: https, or http on loopback, without a fragment and user information.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct WebUri(String);

impl WebUri {
    /// Reads an address of at most 2,000 ASCII characters; `None` for every other text.
    pub fn parse(text: &str) -> Option<Self> {
        // Everything but applications' own schemes is as of redirect URIs.
        let web = text.starts_with("https://") || text.starts_with("http://");
        (web && RedirectUri::parse(text).is_ok()).then(|| Self(text.to_owned()))
    }

    /// The address, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for WebUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(ADDRESS))
    }
}

/// The public keys of a client (RFC 7517 §5): 1 to [`MAX_KEYS`] that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClientKeys(Jwks);

impl ClientKeys {
    /// Reads a key set. Keys for other purposes and algorithms are left out (RFC 7517 §5). One with
    /// a private or symmetric key spoils the set: it has leaked, and whoever sent it has to know.
    pub fn parse(document: &Value) -> Option<Self> {
        let entries = document.get("keys")?.as_array()?;
        // RFC 7518 §6.2.2, §6.3.2, §6.4.1: every private key has `d`, every symmetric one `k`.
        let secret = |key: &Value| key.get("d").is_some() || key.get("k").is_some();
        if entries.len() > MAX_KEYS || entries.iter().any(secret) {
            return None;
        }
        let jwks = Jwks::parse(document.to_string().as_bytes()).ok()?;
        (!jwks.keys.is_empty()).then_some(Self(jwks))
    }

    /// The keys, found by name.
    pub fn key_set(&self) -> KeySet {
        KeySet::from_jwks(&self.0)
    }

    /// The keys of a document that a client publishes. Who may use which algorithm is registered
    /// with the client, so an RSA key that does not say is found for either padding.
    pub fn published(document: &Value) -> Option<KeySet> {
        let keys = Self::parse(document)?;
        let mut said = document.clone();
        if !say_ps256(&mut said) {
            return Some(keys.key_set());
        }
        let silent =
            Self::parse(&said)?.0.keys.into_iter().filter(|key| !keys.0.keys.contains(key));
        let all = keys.0.keys.iter().cloned().chain(silent);
        Some(KeySet::from_keys(all.filter_map(|key| VerifyingKey::from_jwk(&key).ok())))
    }
}

/// Lets the RSA keys of a document that do not name an algorithm say PS256; whether there were any.
fn say_ps256(document: &mut Value) -> bool {
    let mut any = false;
    let keys = document.get_mut("keys").and_then(Value::as_array_mut);
    for key in keys.into_iter().flatten().filter_map(Value::as_object_mut) {
        if key.get("kty").is_some_and(|kty| kty == "RSA") && !key.contains_key("alg") {
            key.insert("alg".to_owned(), Algorithm::Ps256.as_str().into());
            any = true;
        }
    }
    any
}

impl<'de> Deserialize<'de> for ClientKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        Self::parse(&document).ok_or_else(|| serde::de::Error::custom("no set of public keys"))
    }
}

/// Spans as whole seconds, as on the wire.
mod seconds {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Span};

    pub(super) fn serialize<S: Serializer>(
        span: &Option<Span>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(Span::as_seconds).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Span>, D::Error> {
        let seconds = Option::<u32>::deserialize(deserializer)?;
        Ok(seconds.map(|seconds| Span::from_seconds(seconds.into())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7515, appendix A.3.
    fn key() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": "1",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn parse(members: Value) -> Result<Metadata, BadMember> {
        Metadata::parse(members.as_object().unwrap())
    }

    fn full() -> Value {
        json!({
            "jwks": {"keys": [{
                "kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }]},
            "token_endpoint_auth_signing_alg": "ES256",
            "id_token_signed_response_alg": "EdDSA",
            "userinfo_signed_response_alg": "PS256",
            "request_object_signing_alg": "ES256",
            "id_token_claims": "hydrated",
            "claim_profile": "keycloak",
            "default_max_age": 3600,
            "require_auth_time": true,
            "default_acr_values": ["urn:munjigi:acr:pwd"],
            "response_modes": ["form_post"],
            "dpop_bound_access_tokens": true,
            "require_pushed_authorization_requests": true,
            "post_logout_redirect_uris": ["https://app.example/bye", "com.example.app:/bye"],
            "backchannel_logout_uri": "https://app.example/back",
            "backchannel_logout_session_required": true,
            "frontchannel_logout_uri": "https://app.example/front",
            "frontchannel_logout_session_required": true,
            "initiate_login_uri": "https://app.example/login",
            "logo_uri": "https://app.example/logo.svg",
            "client_uri": "https://app.example/",
            "policy_uri": "https://app.example/privacy",
            "tos_uri": "https://app.example/terms",
            "contacts": ["ops@app.example"],
        })
    }

    #[test]
    fn what_is_read_is_written_again() {
        let metadata = parse(full()).unwrap();
        assert_eq!(serde_json::to_value(&metadata).unwrap(), full());
        assert_eq!(serde_json::from_value::<Metadata>(full()).unwrap(), metadata);
        assert_eq!(metadata.default_max_age, Some(Span::from_hours(1)));
        assert_eq!(metadata.id_token_algorithm(), Algorithm::EdDsa);
        assert_eq!(metadata.jwks.unwrap().key_set().len(), 1);
    }

    #[test]
    fn what_is_absent_or_null_has_its_default_and_is_not_written() {
        for members in [json!({}), json!({"jwks": null, "contacts": null, "software_id": 7})] {
            let metadata = parse(members).unwrap();
            assert_eq!(metadata, Metadata::default());
            assert_eq!(serde_json::to_string(&metadata).unwrap(), "{}");
            assert_eq!(metadata.id_token_algorithm(), Algorithm::Rs256);
        }
    }

    #[test]
    fn every_member_that_can_be_written_can_be_read() {
        let Value::Object(mut written) = full() else { panic!() };
        written.insert("jwks_uri".to_owned(), json!("https://app.example/jwks"));
        let known: Vec<&str> = MEMBERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(known.len(), written.len());
        assert!(known.iter().all(|name| written.contains_key(*name)));
        for name in known {
            assert_eq!(parse(json!({ name: {"x": []} })).unwrap_err().member, name);
        }
    }

    /// RU-05 of the attack kit.
    #[test]
    fn no_address_is_a_script_or_has_a_fragment() {
        let addresses = MEMBERS.iter().filter(|(_, expected)| *expected == ADDRESS);
        for (member, _) in addresses {
            for bad in [
                "http://app.example/x",
                "javascript:alert(1)",
                "JavaScript:alert(1)",
                "data:text/html,x",
                "vbscript:x",
                "com.example.app:/x",
                "https://app.example/#x",
                "https://user@app.example/",
                "/x",
                "",
            ] {
                let error = parse(json!({ *member: bad })).unwrap_err();
                assert_eq!((error.member, error.expected), (*member, ADDRESS), "{bad}");
            }
            assert!(parse(json!({ *member: "http://127.0.0.1:8080/x" })).is_ok());
        }
        for bad in ["javascript:alert(1)", "data:text/html,x", "https://app.example/#x"] {
            let error = parse(json!({"post_logout_redirect_uris": [bad]})).unwrap_err();
            assert_eq!(error.member, "post_logout_redirect_uris");
        }
    }

    #[test]
    fn a_key_set_has_public_keys_alone_and_few_of_them() {
        let with = |change: fn(&mut Value)| {
            let mut key = key();
            change(&mut key);
            parse(json!({"jwks": {"keys": [key]}})).is_ok()
        };
        assert!(with(|_| ()));
        assert!(!with(|key| key["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")));
        assert!(!with(|key| *key = json!({"kty": "oct", "k": "c2VjcmV0"})));
        assert!(!with(|key| key["use"] = json!("enc")), "none is left");

        let keys = |count: usize| {
            let named = (0..count).map(|kid| {
                let mut key = key();
                key["kid"] = json!(kid.to_string());
                key
            });
            parse(json!({"jwks": {"keys": named.collect::<Vec<_>>()}})).is_ok()
        };
        assert!(keys(10));
        assert!(!keys(11) && !keys(0));
    }

    #[test]
    fn keys_are_given_or_published_and_never_both() {
        let both = json!({"jwks": {"keys": [key()]}, "jwks_uri": "https://app.example/jwks"});
        assert_eq!(parse(both).unwrap_err().to_string(), "jwks_uri must not come with jwks");
    }

    #[test]
    fn signatures_are_by_asymmetric_algorithms_alone() {
        for algorithm in ["none", "HS256", "RS384", "Ed25519", "rs256"] {
            for member in ["id_token_signed_response_alg", "token_endpoint_auth_signing_alg"] {
                let error = parse(json!({ member: algorithm })).unwrap_err();
                assert_eq!((error.member, error.expected), (member, ALGORITHM), "{algorithm}");
            }
        }
    }

    #[test]
    fn lists_and_texts_are_bounded() {
        assert!(parse(json!({"contacts": vec!["a"; 17]})).is_err());
        assert!(parse(json!({"contacts": ["a".repeat(257)]})).is_err());
        assert!(parse(json!({"contacts": ["a\nb"]})).is_err());
        assert!(parse(json!({"default_max_age": -1})).is_err());
        assert!(parse(json!({"default_max_age": 1e99})).is_err());
        let uris = vec!["https://app.example/bye"; 33];
        assert!(parse(json!({"post_logout_redirect_uris": uris})).is_err());
    }
}
