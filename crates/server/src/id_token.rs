//! ID tokens (OpenID Connect Core §2): who signed in, for the client. Made here alone; an access
//! token is another kind of token, and neither is taken for the other.

use munjigi_core::account::user::User;
use munjigi_core::id::{ClientId, SessionId, UserId};
use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oidc::acr::{self, Acr};
use munjigi_core::oidc::at_hash::at_hash;
use munjigi_core::oidc::claims::{Person, of_id_token};
use munjigi_core::oidc::claims_request::ClaimsRequest;
use munjigi_core::time::{Span, Timestamp};
use munjigi_token::Unverified;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::claim_words::{Whom, further};
use crate::failure::Failure;
use crate::snapshot::Snapshot;

/// How long an ID token may be taken: it is read once, when it arrives.
const ID_TOKEN_TTL: Span = Span::from_minutes(10);

/// The `typ` of ID tokens.
const TYP: &str = "JWT";

/// What an ID token is made of.
pub struct IdToken<'a> {
    /// For which client.
    pub client: &'a Client,
    /// About whom.
    pub user: &'a User,
    /// The sign-in.
    pub session_id: SessionId,
    /// How it was proved, as names of RFC 8176.
    pub amr: &'a str,
    /// When.
    pub authenticated_at: Timestamp,
    /// What the authorization request gave to be repeated; a refresh has none.
    pub nonce: Option<&'a str>,
    /// What was granted.
    pub scope: &'a Scope,
    /// What was asked for one by one.
    pub claims: Option<&'a ClaimsRequest>,
    /// The access token beside it.
    pub access_token: &'a str,
    /// When it is issued.
    pub now: Timestamp,
}

/// Whether an ID token for this client can be signed now: asked before anything that is good once
/// is spent for it.
///
/// # Errors
/// `NoKey` while the RSA key is still being made, on the very first start.
pub fn is_ready(client: &Client, snapshot: &Snapshot, now: Timestamp) -> Result<(), Failure> {
    let algorithm = client.metadata.id_token_algorithm();
    let key = snapshot.keys.active(algorithm, now);
    key.map(|_| ()).ok_or(Failure::NoKey(algorithm.as_str()))
}

impl IdToken<'_> {
    /// Signs it, where one stands beside the access token: for clients whose people sign in at our
    /// pages, where there was an authentication request (OpenID Connect Core §3.1.2.1). The
    /// password grant knows none.
    ///
    /// # Errors
    /// `NoKey` while the RSA key is still being made, on the very first start.
    pub fn due(&self, app: &App, snapshot: &Snapshot) -> Result<Option<String>, Failure> {
        let by_page = |grant: &GrantType| {
            matches!(grant, GrantType::AuthorizationCode | GrantType::DeviceCode)
        };
        let is_due = self.scope.has("openid") && self.client.grant_types.iter().any(by_page);
        is_due.then(|| self.sign(app, snapshot)).transpose()
    }

    fn sign(&self, app: &App, snapshot: &Snapshot) -> Result<String, Failure> {
        // OpenID Connect Core §2: "iss", "sub", "aud", "exp" and "iat" are required.
        let algorithm = self.client.metadata.id_token_algorithm();
        let asked = self.claims.map(|claims| &claims.id_token);
        let mut claims = self.about_person(&app.config.issuer, snapshot);
        let acr = acr::told(Acr::Password, asked.and_then(|asked| asked.get("acr")));
        let own = json!({
            "iss": app.config.issuer,
            "sub": self.user.id,
            "aud": self.client.id.as_str(),
            "iat": self.now.as_seconds(),
            "exp": self.now.plus(ID_TOKEN_TTL).as_seconds(),
            "auth_time": self.authenticated_at.as_seconds(),
            "acr": acr.as_str(),
            "amr": self.amr.split(' ').collect::<Vec<_>>(),
            "sid": self.session_id,
            "at_hash": at_hash(algorithm, self.access_token),
        });
        if let Value::Object(own) = own {
            // Last, so that no claim about the person can take their place.
            claims.extend(own);
        }
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        let key = snapshot.keys.signer(algorithm, self.now);
        let key = key.ok_or(Failure::NoKey(algorithm.as_str()))?;
        Ok(key.sign(TYP, &claims)?)
    }

    fn about_person(&self, issuer: &str, snapshot: &Snapshot) -> Map<String, Value> {
        let roles: Vec<&str> =
            snapshot.enabled_roles(&self.user.roles).map(|role| role.name.as_str()).collect();
        let (none, profile) = (Default::default(), self.user.profile.claims());
        let asked = self.claims.map_or(&none, |claims| &claims.id_token);
        let person = person(self.user, &profile, &roles);
        let placement = self.client.metadata.id_token_claims;
        let mut claims = of_id_token(&person, self.scope, asked, placement);
        let whom = Whom { user: self.user, session_id: &self.session_id, scope: self.scope };
        claims.extend(further(issuer, snapshot, self.client, whom));
        claims
    }
}

/// A person as claims tell of them. Until there are groups, one's roles are one's groups.
pub fn person<'a>(
    user: &'a User,
    further: &'a Map<String, Value>,
    roles: &'a [&'a str],
) -> Person<'a> {
    Person {
        email: &user.email,
        email_verified_at: user.email_verified_at,
        username: user.username.as_deref(),
        name: user.name.as_deref(),
        locale: user.locale.as_deref(),
        updated_at: user.updated_at,
        further,
        roles,
        groups: roles,
    }
}

/// Whom and which sign-in a hint is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hinted {
    /// The person.
    pub user_id: UserId,
    /// The sign-in.
    pub session_id: Option<SessionId>,
    /// The client that it was issued to.
    pub client_id: Option<ClientId>,
}

/// Reads an `id_token_hint`: an ID token of ours, however old (OpenID Connect Core §3.1.2.1,
/// RP-Initiated Logout §2). `None` for everything else; an access token is no ID token.
pub fn hinted(app: &App, hint: &str) -> Option<Hinted> {
    let unverified = Unverified::parse(hint).ok()?;
    if unverified.header().typ.as_deref() != Some(TYP) {
        return None;
    }
    let verified = unverified.verify(app.snapshot_kept().keys.accepted()).ok()?;
    let claims = verified.claims().ok()?;
    if claims.iss.as_deref() != Some(app.config.issuer.as_str()) {
        return None;
    }
    Some(Hinted {
        user_id: claims.sub.as_deref()?.parse().ok()?,
        session_id: claims.sid.as_deref().and_then(|sid| sid.parse().ok()),
        client_id: claims.aud.first().and_then(|aud| aud.parse().ok()),
    })
}
