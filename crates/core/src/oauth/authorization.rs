//! Authorization requests (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1), in two steps: where an
//! answer may be sent at all, and what is asked for. What fails in the first gets a page, never a
//! redirect; what fails in the second is told to the client.

mod decide;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::Locale;
use crate::id::ClientId;
use crate::oauth::api::{Audience, MAX_RESOURCES, parse_audience};
use crate::oauth::client::{Client, GrantType, Pkce, wire_enum};
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::oauth::parameters::{Parameters, Repeated, TooLarge};
use crate::oauth::pkce::CodeChallenge;
use crate::oauth::scope::Scope;
use crate::oidc::claims_request::ClaimsRequest;
use crate::time::Span;

pub use decide::{Decision, LoginReason, SignedIn, Surroundings, decide};

/// The longest `state`, in bytes.
pub const MAX_STATE_BYTES: usize = 2_048;
/// The longest `nonce`, in bytes: it is repeated in ID tokens.
pub const MAX_NONCE_BYTES: usize = 512;
/// The longest `login_hint`, in bytes.
const MAX_LOGIN_HINT_BYTES: usize = 512;
/// How many `acr_values` or languages are looked at.
const MAX_PREFERENCES: usize = 16;
/// The longest of the `acr_values`, in bytes.
const MAX_ACR_BYTES: usize = 256;

wire_enum! {
    /// How an answer travels.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    ResponseMode {
        /// In the query of the redirect; the default of codes.
        #[default]
        Query = "query",
        /// As a form that the browser posts (OAuth 2.0 Form Post Response Mode).
        FormPost = "form_post",
    }
}

wire_enum! {
    /// What the person is to be asked, whatever is known (OpenID Connect Core §3.1.2.1).
    Prompt {
        /// Nothing: answer at once, or with an error.
        None = "none",
        /// To prove again who they are.
        Login = "login",
        /// To allow it again.
        Consent = "consent",
        /// To choose as whom.
        SelectAccount = "select_account",
    }
}

wire_enum! {
    /// On what the pages are to be shown (OpenID Connect Core §3.1.2.1).
    Display {
        /// A whole page.
        Page = "page",
        /// A small window.
        Popup = "popup",
        /// A device that is touched.
        Touch = "touch",
        /// An old telephone.
        Wap = "wap",
    }
}

/// Where the answer may be sent, errors included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The address: as the request wrote it, which is one of the client's.
    pub redirect_uri: String,
    /// Whether the request named it.
    pub redirect_uri_named: bool,
    /// How.
    pub response_mode: ResponseMode,
    /// What the client wants to see again.
    pub state: Option<String>,
}

/// Why there is nowhere to send an answer. These get a page (RFC 6749 §4.1.2.1: "MUST NOT
/// automatically redirect the user-agent to the invalid redirection URI"), which repeats nothing of
/// the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageError {
    /// There are too many parameters, or they are too long.
    #[error("the request is too large")]
    TooLarge,
    /// `client_id` is missing or repeated, or can be none.
    #[error("client_id is missing or malformed")]
    ClientId,
    /// No such client, or it is disabled.
    #[error("the client is unknown")]
    UnknownClient,
    /// `redirect_uri` is missing or repeated.
    #[error("redirect_uri is missing or repeated")]
    RedirectUri,
    /// `redirect_uri` is none of the client's.
    #[error("redirect_uri is not registered for the client")]
    UnknownRedirectUri,
}

impl PageError {
    /// A stable code for programs and for the texts of the page.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "request_too_large",
            Self::ClientId => "client_id",
            Self::UnknownClient => "unknown_client",
            Self::RedirectUri => "redirect_uri",
            Self::UnknownRedirectUri => "unknown_redirect_uri",
        }
    }
}

impl From<TooLarge> for PageError {
    fn from(TooLarge: TooLarge) -> Self {
        Self::TooLarge
    }
}

/// How a request came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Through the browser, which anybody can make it say anything.
    #[default]
    Front,
    /// Pushed by the client itself (RFC 9126).
    Pushed,
}

/// What the client's metadata says about its requests, and how this one came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// How the request came.
    pub channel: Channel,
    /// `require_pushed_authorization_requests` (RFC 9126 §6): the channel that it has to come by.
    pub required_channel: Channel,
    /// `default_max_age`.
    pub default_max_age: Option<Span>,
    /// `default_acr_values`.
    pub default_acr_values: &'a [String],
    /// The response modes that the client registered; every one when it registered none.
    pub response_modes: &'a [ResponseMode],
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// What it wants to do.
    pub scope: Scope,
    /// At which APIs (RFC 8707); at the client's own when empty.
    pub resources: Vec<Audience>,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// What redeems the code.
    pub challenge: Option<CodeChallenge>,
    /// The thumbprint of the key that redeems the code (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// What the person is to be asked.
    pub prompt: BTreeSet<Prompt>,
    /// How long ago the person may have proved who they are.
    pub max_age: Option<Span>,
    /// What they may type to sign in.
    pub login_hint: Option<String>,
    /// An ID token of the person that is meant, not checked yet.
    pub id_token_hint: Option<String>,
    /// In which languages to speak to them, best first.
    pub ui_locales: Vec<Locale>,
    /// In which languages the claims are wanted, best first.
    pub claims_locales: Vec<Locale>,
    /// How strongly they should prove who they are, best first; a wish, no condition.
    pub acr_values: Vec<String>,
    /// On what the pages are shown.
    pub display: Option<Display>,
    /// The claims asked for one by one, as far as the client may have them.
    pub claims: ClaimsRequest,
}

impl AuthorizationRequest {
    /// Whether the person is to be asked this.
    pub fn asks(&self, prompt: Prompt) -> bool {
        self.prompt.contains(&prompt)
    }

    /// What the person has to consent to: the scopes, and those that speak of the claims that are
    /// asked for one by one.
    pub fn disclosed(&self) -> Scope {
        self.scope.with(&self.claims.scope())
    }
}

/// Which client asks.
pub fn client_id(parameters: &Parameters) -> Result<ClientId, PageError> {
    let text = parameters.one("client_id").map_err(|Repeated| PageError::ClientId)?;
    text.and_then(|text| text.parse().ok()).ok_or(PageError::ClientId)
}

/// Where the answer to a request of this client may be sent.
pub fn destination(parameters: &Parameters, client: &Client) -> Result<Destination, PageError> {
    if client.is_disabled() {
        return Err(PageError::UnknownClient);
    }
    let named = parameters.one("redirect_uri").map_err(|Repeated| PageError::RedirectUri)?;
    let redirect_uri = match named {
        // RFC 9700 §2.1: exact comparison, but for the port of a loopback address.
        Some(presented) if client.redirect_uris.iter().any(|it| it.matches(presented)) => presented,
        Some(_) => return Err(PageError::UnknownRedirectUri),
        None => only_redirect_uri(parameters, client).ok_or(PageError::RedirectUri)?,
    };
    // A mode or state that is no good is an error for the client, by the default mode.
    let mode = parameters.one("response_mode").unwrap_or_default();
    let state = parameters.one("state").unwrap_or_default();
    Ok(Destination {
        redirect_uri: redirect_uri.to_owned(),
        redirect_uri_named: named.is_some(),
        response_mode: mode.and_then(ResponseMode::parse).unwrap_or_default(),
        state: state.filter(|state| is_line(state, MAX_STATE_BYTES)).map(str::to_owned),
    })
}

/// RFC 6749 §3.1.2.3: it may be left out where only one is registered; OpenID Connect Core
/// §3.1.2.1: but not by who asks for `openid`.
fn only_redirect_uri<'c>(parameters: &Parameters, client: &'c Client) -> Option<&'c str> {
    let scope = parameters.one("scope").ok()?;
    let asks_openid = match scope {
        Some(scope) => scope.split(' ').any(|name| name == "openid"),
        None => client.scope.has("openid"),
    };
    match client.redirect_uris.as_slice() {
        [only] if !asks_openid => Some(only.as_str()),
        _ => None,
    }
}

/// What the client asks for. A refusal is for the [`Destination`], with `state` and `iss`.
///
/// A pushed request and a request object were opened before: what they say has taken the place of
/// the parameters. One that is still here came where it is not taken.
pub fn request(
    parameters: &Parameters,
    client: &Client,
    terms: &Terms<'_>,
) -> Result<AuthorizationRequest, OAuthRefusal> {
    let asked = Asked(parameters);
    asked.fits(client, terms)?;
    Ok(AuthorizationRequest {
        scope: Scope::asked(asked.one("scope")?, &client.scope)?,
        resources: asked.resources()?,
        nonce: asked.line("nonce", MAX_NONCE_BYTES)?,
        challenge: asked.challenge(client)?,
        dpop_jkt: asked.dpop_jkt()?,
        prompt: asked.prompt()?,
        max_age: asked.max_age()?.or(terms.default_max_age),
        login_hint: asked.line("login_hint", MAX_LOGIN_HINT_BYTES)?,
        id_token_hint: asked.line("id_token_hint", munjigi_token::MAX_TOKEN_BYTES)?,
        ui_locales: asked.locales("ui_locales")?,
        claims_locales: asked.locales("claims_locales")?,
        acr_values: asked.acr_values(terms)?,
        // What the pages are shown on is theirs to find out; a value that is not known says
        // nothing, as oidcc-display-* expect.
        display: asked.one("display")?.and_then(Display::parse),
        claims: asked.claims(&client.scope)?,
    })
}

/// The parameters, read one at a time.
struct Asked<'p>(&'p Parameters);

const fn refuse(why: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidRequest, why)
}

impl<'p> Asked<'p> {
    fn one(&self, name: &str) -> Result<Option<&'p str>, OAuthRefusal> {
        self.0.one(name).map_err(|Repeated| refuse("a parameter is repeated"))
    }

    /// What every request has to be, whatever it asks for.
    fn fits(&self, client: &Client, terms: &Terms<'_>) -> Result<(), OAuthRefusal> {
        // RFC 6749 §3.1, RFC 8707 §2: only `resource` may be repeated.
        if self.0.any_repeated(&["resource"]) {
            return Err(refuse("a parameter is repeated"));
        }
        // OpenID Connect Core §6, §7.2.1.
        for (name, code) in [
            ("request", ErrorCode::RequestNotSupported),
            ("request_uri", ErrorCode::RequestUriNotSupported),
            ("registration", ErrorCode::RegistrationNotSupported),
        ] {
            if self.one(name)?.is_some() {
                return Err(OAuthRefusal::new(code, "this way of asking is not supported here"));
            }
        }
        // RFC 9126 §6.
        if terms.required_channel == Channel::Pushed && terms.channel == Channel::Front {
            return Err(refuse("this client has to push its authorization requests"));
        }
        self.line("state", MAX_STATE_BYTES)?;
        // RFC 6749 §4.1.2.1.
        client.may_use(GrantType::AuthorizationCode)?;
        self.response_type()?;
        self.response_mode(terms)
    }

    /// OAuth 2.1 §4.1: codes alone; tokens never travel through a browser (RFC 9700 §2.1.2).
    fn response_type(&self) -> Result<(), OAuthRefusal> {
        match self.one("response_type")? {
            Some("code") => Ok(()),
            None => Err(refuse("response_type is missing")),
            Some(_) => {
                let why = "response_type must be code";
                Err(OAuthRefusal::new(ErrorCode::UnsupportedResponseType, why))
            }
        }
    }

    fn response_mode(&self, terms: &Terms<'_>) -> Result<(), OAuthRefusal> {
        let Some(text) = self.one("response_mode")? else { return Ok(()) };
        let mode =
            ResponseMode::parse(text).ok_or(refuse("response_mode must be query or form_post"))?;
        if !terms.response_modes.is_empty() && !terms.response_modes.contains(&mode) {
            return Err(refuse("response_mode is not registered for the client"));
        }
        Ok(())
    }

    /// A text of one line.
    fn line(&self, name: &str, max_bytes: usize) -> Result<Option<String>, OAuthRefusal> {
        let too_long = refuse("a parameter is too long or holds a control character");
        match self.one(name)? {
            Some(text) if !is_line(text, max_bytes) => Err(too_long),
            text => Ok(text.map(str::to_owned)),
        }
    }

    fn resources(&self) -> Result<Vec<Audience>, OAuthRefusal> {
        let refuse = |why| OAuthRefusal::new(ErrorCode::InvalidTarget, why);
        let resources: BTreeSet<&str> = self.0.all("resource").collect();
        if resources.len() > MAX_RESOURCES {
            return Err(refuse("at most 8 resources can be asked for at once"));
        }
        // RFC 8707 §2: an absolute URI without a fragment.
        let parse = |text| parse_audience(text).map_err(|_| refuse("a resource is malformed"));
        resources.into_iter().map(parse).collect()
    }

    fn challenge(&self, client: &Client) -> Result<Option<CodeChallenge>, OAuthRefusal> {
        let method = self.one("code_challenge_method")?;
        let Some(challenge) = self.one("code_challenge")? else {
            // OAuth 2.1 §4.1.1, RFC 9700 §2.1.1: public clients always.
            if client.pkce == Pkce::Required || client.is_public() {
                return Err(refuse("code_challenge is missing"));
            }
            return match method {
                Some(_) => Err(refuse("code_challenge_method comes without code_challenge")),
                None => Ok(None),
            };
        };
        CodeChallenge::parse(challenge, method).map(Some)
    }

    fn dpop_jkt(&self) -> Result<Option<String>, OAuthRefusal> {
        let Some(jkt) = self.one("dpop_jkt")? else { return Ok(None) };
        // RFC 9449 §10: a SHA-256 thumbprint, which is written like a challenge.
        match CodeChallenge::from_stored(jkt) {
            Some(_) => Ok(Some(jkt.to_owned())),
            None => Err(refuse("dpop_jkt is no SHA-256 thumbprint")),
        }
    }

    fn prompt(&self) -> Result<BTreeSet<Prompt>, OAuthRefusal> {
        let text = self.one("prompt")?.unwrap_or_default();
        let names = text.split(' ').filter(|name| !name.is_empty());
        let prompt: Option<BTreeSet<Prompt>> = names.map(Prompt::parse).collect();
        let prompt = prompt.ok_or(refuse("prompt holds a value that is not supported"))?;
        // OpenID Connect Core §3.1.2.1: "If this parameter contains none with any other value, an
        // error is returned".
        if prompt.contains(&Prompt::None) && prompt.len() > 1 {
            return Err(refuse("prompt=none stands alone"));
        }
        Ok(prompt)
    }

    fn max_age(&self) -> Result<Option<Span>, OAuthRefusal> {
        let Some(text) = self.one("max_age")? else { return Ok(None) };
        let digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = text.parse().ok().filter(|_| digits);
        let seconds = seconds.ok_or(refuse("max_age must be a number of seconds"))?;
        Ok(Some(Span::from_seconds(seconds)))
    }

    /// OpenID Connect Core §3.1.2.1: a language that is not known is no error.
    fn locales(&self, name: &str) -> Result<Vec<Locale>, OAuthRefusal> {
        let text = self.one(name)?.unwrap_or_default();
        let tags = text.split(' ').take(MAX_PREFERENCES);
        Ok(tags.filter_map(|tag| Locale::parse(tag).ok()).collect())
    }

    fn acr_values(&self, terms: &Terms<'_>) -> Result<Vec<String>, OAuthRefusal> {
        let Some(text) = self.one("acr_values")? else {
            return Ok(terms.default_acr_values.to_vec());
        };
        let values: Vec<String> =
            text.split(' ').filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let fits = |value: &String| is_line(value, MAX_ACR_BYTES);
        if values.len() > MAX_PREFERENCES || !values.iter().all(fits) {
            return Err(refuse("acr_values has too many or too long values"));
        }
        Ok(values)
    }

    fn claims(&self, allowed: &Scope) -> Result<ClaimsRequest, OAuthRefusal> {
        let Some(text) = self.one("claims")? else { return Ok(ClaimsRequest::default()) };
        let request = ClaimsRequest::parse(text)
            .map_err(|_| refuse("the claims parameter is malformed or too large"))?;
        Ok(request.within(allowed))
    }
}

fn is_line(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes && !text.contains(char::is_control)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::oauth::client::{AuthMethod, Origin, Party};
    use crate::oauth::metadata::Metadata;
    use crate::oauth::redirect_uri::RedirectUri;
    use crate::time::Timestamp;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// A confidential client that may leave the challenge out, so that a test can do either.
    pub(crate) fn client() -> Client {
        Client {
            id: "shop".parse().unwrap(),
            name: "Shop".into(),
            auth_method: AuthMethod::ClientSecretBasic,
            secrets: vec![],
            grant_types: [GrantType::AuthorizationCode].into(),
            redirect_uris: vec![RedirectUri::parse("https://shop.example/cb").unwrap()],
            scope: "email openid profile".parse().unwrap(),
            audiences: vec![],
            pkce: Pkce::Optional,
            party: Party::Third,
            created_at: Timestamp::from_millis(0),
            disabled_at: None,
            metadata: Metadata::default(),
            origin: Origin::Made,
            used_at: None,
            refreshed_at: None,
            management_hash: None,
        }
    }

    /// A valid request for `openid profile`, with some parameters changed or added.
    pub(crate) fn parameters(changes: &[(&str, &str)]) -> Parameters {
        let mut pairs = vec![
            ("client_id", "shop"),
            ("redirect_uri", "https://shop.example/cb"),
            ("response_type", "code"),
            ("scope", "openid profile"),
            ("state", "s"),
            ("nonce", "n"),
        ];
        pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        pairs.extend(changes);
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Parameters::new(pairs.into_iter().map(owned).collect()).unwrap()
    }

    pub(crate) fn request(
        parameters: &Parameters,
        client: &Client,
    ) -> Result<AuthorizationRequest, OAuthRefusal> {
        super::request(parameters, client, &Terms::default())
    }

    fn asked(changes: &[(&str, &str)]) -> Result<AuthorizationRequest, OAuthRefusal> {
        request(&parameters(changes), &client())
    }

    fn refusal(changes: &[(&str, &str)]) -> ErrorCode {
        asked(changes).map(|_| ()).expect_err("is refused").code
    }

    fn page(changes: &[(&str, &str)]) -> PageError {
        destination(&parameters(changes), &client()).expect_err("is refused")
    }

    /// oidcc-server, oidcc-alternate-happy-flow.
    #[test]
    fn a_valid_request_is_read() {
        let request = asked(&[]).unwrap();
        assert_eq!(request.scope.to_string(), "openid profile");
        assert_eq!(request.nonce.as_deref(), Some("n"));
        assert!(request.prompt.is_empty() && request.max_age.is_none());
        let backwards = asked(&[("scope", "profile openid")]).unwrap();
        assert_eq!(backwards.scope, request.scope);

        let destination = destination(&parameters(&[]), &client()).unwrap();
        assert_eq!(destination.redirect_uri, "https://shop.example/cb");
        assert_eq!(destination.state.as_deref(), Some("s"));
        assert_eq!(destination.response_mode, ResponseMode::Query);
    }

    /// RU-01 and RU-06 of the attack kit; oidcc-ensure-registered-redirect-uri.
    #[test]
    fn a_wrong_client_or_address_is_for_a_page() {
        assert_eq!(client_id(&parameters(&[])).unwrap().as_str(), "shop");
        for bad in [
            &[("client_id", "")][..],
            &[("client_id", "a b")],
            &[("client_id", "shop"), ("client_id", "shop")],
        ] {
            assert_eq!(client_id(&parameters(bad)), Err(PageError::ClientId));
        }
        for bad in [
            "https://shop.example/cb/",
            "https://shop.example/cb?x",
            "https://shop.example@evil.example/cb",
            "https://evil.example/cb",
            "javascript:alert(1)",
        ] {
            assert_eq!(page(&[("redirect_uri", bad)]), PageError::UnknownRedirectUri, "{bad}");
        }
        let twice = ("redirect_uri", "https://shop.example/cb");
        assert_eq!(page(&[twice, twice]), PageError::RedirectUri);
        assert_eq!(page(&[twice, ("redirect_uri[]", "x")]), PageError::RedirectUri);

        let disabled = Client { disabled_at: Some(Timestamp::from_millis(1)), ..client() };
        let to = destination(&parameters(&[]), &disabled);
        assert_eq!(to, Err(PageError::UnknownClient));
    }

    /// fapi2 ensure-redirect-uri-in-authorization-request.
    #[test]
    fn the_address_may_be_left_out_only_without_openid_and_where_there_is_one() {
        assert_eq!(page(&[("redirect_uri", "")]), PageError::RedirectUri);
        let without = [("redirect_uri", ""), ("scope", "profile")];
        let found = destination(&parameters(&without), &client()).unwrap();
        assert_eq!(found.redirect_uri, "https://shop.example/cb");
        assert!(!found.redirect_uri_named);

        // The client's own scope has `openid`, and it is what a request without one asks for.
        assert_eq!(page(&[("redirect_uri", ""), ("scope", "")]), PageError::RedirectUri);
        let mut two = client();
        two.redirect_uris.push(RedirectUri::parse("https://shop.example/other").unwrap());
        assert_eq!(destination(&parameters(&without), &two), Err(PageError::RedirectUri));
    }

    /// RU-10 of the attack kit; fapi2 ensure-response-type-code-idtoken-fails, -token-fails;
    /// oidcc-response-type-missing.
    #[test]
    fn only_codes_are_issued() {
        assert_eq!(refusal(&[("response_type", "")]), ErrorCode::InvalidRequest);
        for bad in ["token", "id_token", "code id_token", "none", "Code"] {
            let code = refusal(&[("response_type", bad)]);
            assert_eq!(code, ErrorCode::UnsupportedResponseType, "{bad}");
        }
        let mut other = client();
        other.grant_types = [GrantType::ClientCredentials].into();
        let refused = request(&parameters(&[]), &other).unwrap_err();
        assert_eq!(refused.code, ErrorCode::UnauthorizedClient);
    }

    /// RU-10 of the attack kit.
    #[test]
    fn an_answer_travels_by_query_or_form() {
        let form = parameters(&[("response_mode", "form_post")]);
        let mode = destination(&form, &client()).unwrap().response_mode;
        assert_eq!(mode, ResponseMode::FormPost);
        assert!(request(&form, &client()).is_ok());
        for bad in ["fragment", "query.jwt", "web_message"] {
            assert_eq!(refusal(&[("response_mode", bad)]), ErrorCode::InvalidRequest, "{bad}");
        }
        let only = Terms { response_modes: &[ResponseMode::Query], ..Terms::default() };
        assert!(super::request(&form, &client(), &only).is_err());
    }

    #[test]
    fn without_a_scope_the_clients_own_is_asked_for_and_more_is_refused() {
        assert_eq!(asked(&[("scope", "")]).unwrap().scope, client().scope);
        assert_eq!(refusal(&[("scope", "openid admin")]), ErrorCode::InvalidScope);
        assert_eq!(refusal(&[("scope", "openid  profile")]), ErrorCode::InvalidScope);
    }

    /// oidcc-ensure-request-with-unknown-parameter-succeeds; RU-06 of the attack kit.
    #[test]
    fn unknown_parameters_are_ignored_and_repeated_ones_refused() {
        assert!(asked(&[("extra", "foobar")]).is_ok());
        for bad in [[("scope", "openid"), ("scope", "openid")], [("extra", "1"), ("extra", "2")]] {
            assert_eq!(refusal(&bad), ErrorCode::InvalidRequest);
        }
        assert_eq!(refusal(&[("scope", "openid"), ("scope[]", "x")]), ErrorCode::InvalidRequest);
    }

    /// oidcc-ensure-request-without-nonce-succeeds-for-code-flow; fapi2
    /// ensure-authorization-request-without-state-success, -with-long-nonce, -with-long-state.
    #[test]
    fn state_and_nonce_may_be_absent_or_long_but_not_endless() {
        let none = asked(&[("state", ""), ("nonce", "")]).unwrap();
        assert_eq!(none.nonce, None);
        let long = "x".repeat(384);
        assert!(asked(&[("state", &long), ("nonce", &long)]).is_ok());
        assert_eq!(refusal(&[("state", &"x".repeat(2_049))]), ErrorCode::InvalidRequest);
        assert_eq!(refusal(&[("nonce", &"x".repeat(513))]), ErrorCode::InvalidRequest);
        assert_eq!(refusal(&[("nonce", "a\nb")]), ErrorCode::InvalidRequest);
        let to = destination(&parameters(&[("state", "a\nb")]), &client()).unwrap();
        assert_eq!(to.state, None, "what is refused is not repeated");
    }

    /// PK-01 of the attack kit; fapi2 par-ensure-pkce-required, par-plain-pkce-rejected;
    /// oidcc-ensure-request-with-valid-pkce-succeeds.
    #[test]
    fn a_challenge_is_required_unless_a_confidential_client_was_let_off() {
        let with = |method| [("code_challenge", CHALLENGE), ("code_challenge_method", method)];
        assert!(asked(&with("S256")).unwrap().challenge.is_some());
        assert_eq!(refusal(&with("plain")), ErrorCode::InvalidRequest);
        assert_eq!(refusal(&with("")), ErrorCode::InvalidRequest);
        assert_eq!(refusal(&[("code_challenge_method", "S256")]), ErrorCode::InvalidRequest);

        let strict = Client { pkce: Pkce::Required, ..client() };
        let public = Client { auth_method: AuthMethod::None, ..client() };
        for client in [strict, public] {
            let refused = request(&parameters(&[]), &client).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidRequest);
            assert!(request(&parameters(&with("S256")), &client).is_ok());
        }
    }

    #[test]
    fn prompt_is_a_set_of_known_values_and_none_stands_alone() {
        let request = asked(&[("prompt", "consent login login")]).unwrap();
        assert!(request.asks(Prompt::Login) && request.asks(Prompt::Consent));
        assert_eq!(request.prompt.len(), 2);
        for bad in ["none login", "create", "None"] {
            assert_eq!(refusal(&[("prompt", bad)]), ErrorCode::InvalidRequest, "{bad}");
        }
    }

    #[test]
    fn max_age_is_a_number_of_seconds() {
        assert_eq!(asked(&[("max_age", "0")]).unwrap().max_age, Some(Span::default()));
        for bad in ["-1", "+1", "1.5", "1e3", " 1", "12345678901", "x"] {
            assert_eq!(refusal(&[("max_age", bad)]), ErrorCode::InvalidRequest, "{bad}");
        }
    }

    /// oidcc-ui-locales, oidcc-claims-locales, oidcc-display-page, oidcc-display-popup,
    /// oidcc-login-hint, oidcc-ensure-request-with-acr-values-succeeds.
    #[test]
    fn hints_are_read_and_those_that_are_not_known_are_no_error() {
        let request = asked(&[
            ("ui_locales", "ko-KR xx_bad en"),
            ("claims_locales", "se"),
            ("display", "popup"),
            ("login_hint", "minji@example.com"),
            ("acr_values", "1 2"),
        ])
        .unwrap();
        let locales: Vec<&str> = request.ui_locales.iter().map(Locale::as_str).collect();
        assert_eq!(locales, ["ko-KR", "en"]);
        assert_eq!(request.display, Some(Display::Popup));
        assert_eq!(request.acr_values, ["1", "2"]);
        assert_eq!(asked(&[("display", "hologram")]).unwrap().display, None);
        let many = "a ".repeat(17);
        assert_eq!(refusal(&[("acr_values", &many)]), ErrorCode::InvalidRequest);
        assert_eq!(refusal(&[("login_hint", &"x".repeat(513))]), ErrorCode::InvalidRequest);
    }

    #[test]
    fn claims_are_asked_for_within_the_clients_scopes() {
        let claims = r#"{"userinfo":{"email":null,"phone_number":null}}"#;
        let request = asked(&[("claims", claims), ("scope", "openid")]).unwrap();
        assert!(request.claims.userinfo.contains_key("email"));
        assert!(!request.claims.userinfo.contains_key("phone_number"));
        assert_eq!(request.disclosed().to_string(), "email openid");
        assert_eq!(refusal(&[("claims", "{")]), ErrorCode::InvalidRequest);
    }

    #[test]
    fn resources_may_be_repeated_and_are_absolute_uris() {
        let two = [("resource", "https://b.example"), ("resource", "https://a.example")];
        assert_eq!(asked(&two).unwrap().resources, ["https://a.example", "https://b.example"]);
        for bad in ["/x", "https://a.example/#x"] {
            assert_eq!(refusal(&[("resource", bad)]), ErrorCode::InvalidTarget, "{bad}");
        }
        let many: Vec<String> = (0..9).map(|n| format!("https://{n}.example")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|it| ("resource", it.as_str())).collect();
        assert_eq!(refusal(&many), ErrorCode::InvalidTarget);
    }

    #[test]
    fn dpop_jkt_is_a_thumbprint() {
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(asked(&[("dpop_jkt", jkt)]).unwrap().dpop_jkt.as_deref(), Some(jkt));
        assert_eq!(refusal(&[("dpop_jkt", "short")]), ErrorCode::InvalidRequest);
    }

    /// oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported,
    /// oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported.
    #[test]
    fn what_was_not_opened_before_is_not_supported() {
        for (name, code) in [
            ("request", ErrorCode::RequestNotSupported),
            ("request_uri", ErrorCode::RequestUriNotSupported),
            ("registration", ErrorCode::RegistrationNotSupported),
        ] {
            assert_eq!(refusal(&[(name, "x")]), code);
        }
    }

    /// fapi2 ensure-unsigned-authorization-request-without-using-par-fails.
    #[test]
    fn a_client_that_has_to_push_cannot_use_the_browser() {
        let front = Terms { required_channel: Channel::Pushed, ..Terms::default() };
        assert!(super::request(&parameters(&[]), &client(), &front).is_err());
        let pushed = Terms { channel: Channel::Pushed, ..front };
        assert!(super::request(&parameters(&[]), &client(), &pushed).is_ok());
    }
}
