//! Discovery (OpenID Connect Discovery 1.0 §3, RFC 8414 §2) and the key set (RFC 7517 §5): ready
//! bytes with an entity tag. It says what works, and nothing else.

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use munjigi_core::access::Role;
use munjigi_core::oauth::authorization::{Prompt, ResponseMode};
use munjigi_core::oauth::client::{AuthMethod, GrantType};
use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::oauth::pkce;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oidc::acr::Acr;
use munjigi_core::oidc::claims;
use munjigi_token::{Algorithm, dpop};
use serde::Serialize;

use crate::app::App;
use crate::builtin::ADMIN_SCOPE;
use crate::page::locale::Locale;
use crate::settings::{ClientRegistration, Settings};
use crate::snapshot::Document;

/// The metadata document.
#[derive(Serialize)]
pub struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    end_session_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    device_authorization_endpoint: String,
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: Vec<&'static str>,
    grant_types_supported: Vec<&'static str>,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
    userinfo_signing_alg_values_supported: Vec<&'static str>,
    #[serde(flatten)]
    proofs: Proofs,
    pushed_authorization_request_endpoint: String,
    require_pushed_authorization_requests: bool,
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    prompt_values_supported: Vec<&'static str>,
    acr_values_supported: Vec<&'static str>,
    claim_types_supported: [&'static str; 1],
    claims_supported: Vec<&'static str>,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    ui_locales_supported: Vec<&'static str>,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    frontchannel_logout_supported: bool,
    frontchannel_logout_session_supported: bool,
    client_id_metadata_document_supported: bool,
    service_documentation: String,
}

/// How clients prove themselves, and what they hold (RFC 8414 §2, RFC 9449 §5.1).
#[derive(Serialize)]
struct Proofs {
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    dpop_signing_alg_values_supported: Vec<&'static str>,
}

impl Proofs {
    fn supported() -> Self {
        let all: Vec<_> = AuthMethod::ALL.iter().map(|method| method.as_str()).collect();
        let proving = AuthMethod::ALL.iter().filter(|method| **method != AuthMethod::None);
        // RFC 8414 §2: they MUST be there where private_key_jwt is.
        let signing: Vec<_> = ALGORITHMS.iter().map(|it| it.as_str()).collect();
        Self {
            token_endpoint_auth_methods_supported: all.clone(),
            token_endpoint_auth_signing_alg_values_supported: signing.clone(),
            revocation_endpoint_auth_methods_supported: all,
            revocation_endpoint_auth_signing_alg_values_supported: signing.clone(),
            introspection_endpoint_auth_methods_supported: proving
                .map(|method| method.as_str())
                .collect(),
            introspection_endpoint_auth_signing_alg_values_supported: signing,
            dpop_signing_alg_values_supported: dpop::ALGORITHMS.map(Algorithm::as_str).to_vec(),
        }
    }
}

/// The grants that work today.
const GRANTS: &[GrantType] = &[
    GrantType::AuthorizationCode,
    GrantType::RefreshToken,
    GrantType::ClientCredentials,
    GrantType::Password,
    GrantType::DeviceCode,
];

/// The identity scopes that work today.
const SCOPES: &[&str] = &[
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "roles",
    "groups",
    "offline_access",
    ADMIN_SCOPE,
];

/// Writes the document for an issuer.
pub fn discovery<'r>(
    issuer: &str,
    algorithms: &[Algorithm],
    (settings, roles): (&Settings, impl Iterator<Item = &'r Role>),
) -> Discovery {
    let at = |path: &str| format!("{issuer}{path}");
    let carried = roles.fold(Scope::empty(), |all, role| all.with(&role.scope));
    let mut scopes: Vec<String> = SCOPES.iter().map(|name| (*name).to_owned()).collect();
    let further = carried.names().filter(|name| !SCOPES.contains(name));
    scopes.extend(further.map(str::to_owned));
    let signed: Vec<&str> = algorithms.iter().map(|it| it.as_str()).collect();
    let Settings { clients, requests, .. } = settings;
    Discovery {
        issuer: issuer.to_owned(),
        authorization_endpoint: at("/oauth2/authorize"),
        token_endpoint: at("/oauth2/token"),
        jwks_uri: at("/.well-known/jwks.json"),
        userinfo_endpoint: at("/oauth2/userinfo"),
        revocation_endpoint: at("/oauth2/revoke"),
        introspection_endpoint: at("/oauth2/introspect"),
        end_session_endpoint: at("/oauth2/logout"),
        registration_endpoint: match clients.registration {
            ClientRegistration::Off => None,
            ClientRegistration::Token | ClientRegistration::Open => Some(at("/oauth2/register")),
        },
        // RFC 8628 §4.
        device_authorization_endpoint: at("/oauth2/device_authorization"),
        scopes_supported: scopes,
        response_types_supported: ["code"],
        response_modes_supported: ResponseMode::ALL.iter().map(|mode| mode.as_str()).collect(),
        grant_types_supported: GRANTS.iter().map(|grant| grant.as_str()).collect(),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: signed.clone(),
        userinfo_signing_alg_values_supported: signed,
        proofs: Proofs::supported(),
        pushed_authorization_request_endpoint: at("/oauth2/par"),
        require_pushed_authorization_requests: requests.require_pushed,
        code_challenge_methods_supported: [pkce::METHOD],
        // RFC 9207 §3.
        authorization_response_iss_parameter_supported: true,
        prompt_values_supported: Prompt::ALL.iter().map(|prompt| prompt.as_str()).collect(),
        acr_values_supported: vec![Acr::Password.as_str()],
        claim_types_supported: ["normal"],
        claims_supported: std::iter::once("sub").chain(claims::supported()).collect(),
        claims_parameter_supported: true,
        request_parameter_supported: false,
        // OpenID Connect Discovery §3: true where it is left out.
        request_uri_parameter_supported: false,
        ui_locales_supported: Locale::ALL.iter().map(|locale| locale.tag()).collect(),
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        frontchannel_logout_supported: true,
        frontchannel_logout_session_supported: true,
        client_id_metadata_document_supported: clients.documents,
        service_documentation: at("/docs"),
    }
}

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
pub async fn configuration(State(app): State<App>, request: Request) -> Response {
    answer(&app.snapshot().discovery, request.headers())
}

/// `GET /.well-known/jwks.json`.
pub async fn jwks(State(app): State<App>, request: Request) -> Response {
    answer(&app.snapshot().jwks, request.headers())
}

/// RFC 9110 §13.1.2: a list of tags, compared weakly (a proxy that compresses makes them weak), or
/// `*` for any.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    let mut strong = tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
    strong.any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}

fn answer(document: &Document, headers: &HeaderMap) -> Response {
    let known = is_known(headers, &document.etag);
    let mut response = match known {
        true => Response::default(),
        false => Response::new(document.body.clone().into()),
    };
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    // With those of the layers around: a map that grows is hashed anew.
    headers.reserve(8);
    headers.insert(ETAG, document.etag.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Verifiers keep it for five minutes; a new key is published a day before it is used.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
