//! Mints tokens. Every token that this server issues is made here.

use std::collections::BTreeSet;
use std::sync::Arc;

use munjigi_core::access::{Permissions, grantable};
use munjigi_core::account::user::User;
use munjigi_core::id::UserId;
use munjigi_core::oauth::api::{Api, Audience, MAX_RESOURCES, Target, target};
use munjigi_core::oauth::client::{Client, GrantType, Origin, Party};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::time::Timestamp;
use munjigi_token::Algorithm;
use munjigi_verify::RevocationKind;
use serde::Serialize;
use serde_json::Value;

use crate::api_secret::Named;
use crate::app::{App, floor};
use crate::claim_words::{Whom, further, roles_told};
use crate::failure::Failure;
use crate::random;
use crate::snapshot::{SELF_AUDIENCE, Snapshot};

/// The `typ` of access tokens (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYP: &str = "at+jwt";

/// How many seconds ahead an `iat` may be, so that a token is on the living side of what was ended
/// in the second in which it is made: each ending of one person in one second takes a second more.
/// Verifiers that look at `iat` forgive as much (`munjigi-verify`: 30 s).
const MOST_LIFTED: i64 = 20;

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Aud<'a>,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: &'a str,
    scope: &'a Scope,
    gid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    // RFC 9068 §2.2.3.1.
    roles: &'a [&'a str],
    #[serde(skip_serializing_if = "Permissions::is_empty")]
    permissions: &'a Permissions,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

/// The key that a token is bound to (RFC 9449 §6.1).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Confirmation<'a> {
    /// Its thumbprint.
    pub jkt: &'a str,
}

/// The `token_type` of an access token that is bound to a key, or to none (RFC 9449 §5).
pub const fn token_type(jkt: Option<&str>) -> &'static str {
    if jkt.is_some() { "DPoP" } else { "Bearer" }
}

/// RFC 7519 §4.1.3: one audience is written as a text, several as a list.
#[derive(Serialize)]
#[serde(untagged)]
enum Aud<'a> {
    One(&'a str),
    Several(&'a [Audience]),
}

/// A successful answer of the token endpoint (RFC 6749 §5.1).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// `Bearer`, or `DPoP` when it is bound to a key.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: i64,
    /// The refresh token, where the client may use one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What was granted.
    pub scope: String,
    /// Who signed in, for a client that asked for `openid` (OpenID Connect Core §3.1.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// The APIs that a token is asked for, by the request's `resource` or else the client's own list.
///
/// # Errors
/// `invalid_target` (RFC 8707 §2).
pub fn audiences<'r>(
    app: &App,
    snapshot: &Snapshot,
    client: &Client,
    resources: impl Iterator<Item = &'r str>,
) -> Result<Vec<Audience>, OAuthRefusal> {
    let refuse = |why| OAuthRefusal::new(ErrorCode::InvalidTarget, why);
    let issuer = &app.config.issuer;
    let own = |name: &str| audience(app, snapshot, name);
    let listed: Vec<Audience> = match client.audiences.as_slice() {
        [] => vec![issuer.clone()],
        names => names.iter().map(|name| own(name)).collect(),
    };
    let asked: BTreeSet<Audience> = resources.map(own).collect();
    if asked.is_empty() {
        // An API that was deleted or disabled since is left out; the token is not for it.
        return Ok(listed.into_iter().filter(|name| snapshot.is_live(name)).collect());
    }
    if asked.len() > MAX_RESOURCES {
        return Err(refuse("at most 8 resources can be asked for at once"));
    }
    for name in &asked {
        let known = snapshot.apis.contains_key(name);
        // Somebody else's client gets tokens for the APIs that it was given, and no others.
        // Whom nobody here looked at gets them for those that are open to such clients, and only
        // because a person says so.
        let is_open = client.origin != Origin::Made && snapshot.settings.clients.apis.has(name);
        let allowed = client.party == Party::First || listed.contains(name) || is_open;
        if !known || !allowed {
            return Err(refuse("the resource is unknown, or this client may not ask for it"));
        }
    }
    Ok(asked.into_iter().collect())
}

/// The API that a name stands for, known or not. RFC 3986 §6.2.3: an empty path and `/` are the
/// same, and libraries write either for an API that was registered with the other.
pub fn audience(app: &App, snapshot: &Snapshot, name: &str) -> Audience {
    if name == SELF_AUDIENCE {
        return app.config.issuer.clone();
    }
    let is_host = |name: &str| {
        let authority = name.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|it| !it.is_empty() && !it.contains(['/', '?']))
    };
    let other = match name.strip_suffix('/') {
        Some(host) if is_host(host) => host.to_owned(),
        None if is_host(name) => format!("{name}/"),
        Some(_) | None => return name.to_owned(),
    };
    match snapshot.apis.contains_key(name) || !snapshot.apis.contains_key(&other) {
        true => name.to_owned(),
        false => other,
    }
}

/// What a token for these APIs has to look like.
pub fn target_of(
    snapshot: &Snapshot,
    audiences: &[Audience],
    now: Timestamp,
) -> Result<Target, OAuthRefusal> {
    let found: Option<Vec<&Api>> =
        audiences.iter().map(|name| snapshot.apis.get(name).map(Arc::as_ref)).collect();
    let gone = OAuthRefusal::new(ErrorCode::InvalidTarget, "a resource is no longer registered");
    target(&found.ok_or(gone)?, snapshot.settings.access_ttl, now)
}

/// What of `wanted` a person may have in a token today.
pub fn granted_scope(snapshot: &Snapshot, user: &User, wanted: &Scope) -> Scope {
    grantable(wanted, snapshot.enabled_roles(&user.roles))
}

/// An access token for a person, on a grant of theirs.
pub fn for_user(
    app: &App,
    snapshot: &Snapshot,
    user: &User,
    grant: &Grant,
    asked: UserToken<'_>,
) -> Result<String, Failure> {
    let (sub, gid, sid) = (user.id.to_string(), grant.id.to_string(), grant.session_id.to_string());
    let client = snapshot.clients.get(&grant.client_id).map(Arc::as_ref);
    let (roles, permissions) = roles_told(snapshot, client, (user, asked.scope));
    let iat = asked.iat()?;
    let claims = AccessClaims {
        iss: &app.config.issuer,
        sub: &sub,
        aud: aud(&asked.target.audiences),
        exp: iat.saturating_add(asked.target.access_ttl.as_seconds()),
        iat,
        jti: jti(snapshot, asked, (grant.client_id.as_str(), &sub, &gid))?,
        client_id: grant.client_id.as_str(),
        scope: asked.scope,
        gid: &gid,
        sid: Some(&sid),
        auth_time: Some(grant.authenticated_at.as_seconds()),
        roles: &roles,
        permissions: &permissions,
        cnf: asked.jkt.map(|jkt| Confirmation { jkt }),
    };
    let whom = Whom { user, session_id: &grant.session_id, scope: asked.scope };
    let further = client.map(|client| further(&app.config.issuer, snapshot, client, whom));
    let Some(mut all) = further.filter(|further| !further.is_empty()) else {
        return sign(snapshot, asked.target, &claims, asked.now);
    };
    if let Value::Object(own) =
        serde_json::to_value(&claims).map_err(|_| Failure::Damaged("claims"))?
    {
        // Last, so that none of the others can take their place.
        all.extend(own);
    }
    sign(snapshot, asked.target, &all, asked.now)
}

/// What a person's access token is to be like.
#[derive(Clone, Copy)]
pub struct UserToken<'a> {
    /// For which APIs.
    pub target: &'a Target,
    /// What for.
    pub scope: &'a Scope,
    /// When.
    pub now: Timestamp,
    /// The floor of `iat`, read before everything else that the token is made of.
    pub not_before: i64,
    /// The thumbprint of the key that it is bound to; that of the request's proof.
    pub jkt: Option<&'a str>,
}

impl UserToken<'_> {
    /// The `iat`: now, or the end of the second in which something was ended.
    fn iat(&self) -> Result<i64, Failure> {
        let now = self.now.as_seconds();
        if self.not_before > now.saturating_add(MOST_LIFTED) {
            return Err(Failure::Ended(self.not_before));
        }
        Ok(now.max(self.not_before))
    }
}

/// The floor of a person's tokens for a client.
pub fn floor_of(app: &App, user_id: &UserId, client: &Client) -> i64 {
    let user_id = user_id.to_string();
    let client_id = client.id.as_str();
    floor(app, &[(RevocationKind::User, &user_id), (RevocationKind::Client, client_id)])
}

/// An access token for a client on its own behalf (RFC 6749 §4.4). Nothing is written for it; its
/// `gid` is of no row, so that it can be revoked all the same.
pub fn for_client(
    app: &App,
    snapshot: &Snapshot,
    client: &Client,
    asked: UserToken<'_>,
) -> Result<String, Failure> {
    let gid = random::grant_id(asked.now)?.to_string();
    let id = client.id.as_str();
    let iat = asked.iat()?;
    let claims = AccessClaims {
        iss: &app.config.issuer,
        // RFC 9068 §2.2: without a resource owner, `sub` identifies the client. A client id never
        // looks like a user id (RFC 9700 §4.15.2).
        sub: id,
        aud: aud(&asked.target.audiences),
        exp: iat.saturating_add(asked.target.access_ttl.as_seconds()),
        iat,
        jti: jti(snapshot, asked, (id, id, &gid))?,
        client_id: id,
        scope: asked.scope,
        gid: &gid,
        sid: None,
        auth_time: None,
        roles: &[],
        permissions: &Permissions::default(),
        cnf: asked.jkt.map(|jkt| Confirmation { jkt }),
    };
    sign(snapshot, asked.target, &claims, asked.now)
}

/// The token's own id. Where an API could have made the token as well, it proves that we did.
fn jti(
    snapshot: &Snapshot,
    asked: UserToken<'_>,
    (client_id, sub, gid): (&str, &str, &str),
) -> Result<String, Failure> {
    let id = random::token_id(asked.now)?;
    Ok(match (asked.target.algorithm, asked.target.audiences.as_slice()) {
        (Algorithm::Hs256, [audience]) => {
            Named { client_id, sub, gid, audience }.jti(&snapshot.keys, id)
        }
        _ => id.to_string(),
    })
}

fn aud(audiences: &[Audience]) -> Aud<'_> {
    match audiences {
        [one] => Aud::One(one),
        several => Aud::Several(several),
    }
}

fn sign(
    snapshot: &Snapshot,
    target: &Target,
    claims: &impl Serialize,
    now: Timestamp,
) -> Result<String, Failure> {
    let key = match (target.algorithm, target.audiences.as_slice()) {
        (Algorithm::Hs256, [audience]) => snapshot.api_secrets.signer(audience, now),
        (Algorithm::Hs256, _) => None,
        (algorithm, _) => snapshot.keys.signer(algorithm, now),
    };
    let key = key.ok_or(Failure::NoKey(target.algorithm.as_str()))?;
    Ok(key.sign(ACCESS_TOKEN_TYP, claims)?)
}

/// The answer for a person's grant: a new access token, and the grant's current refresh token if
/// the grant's client may use one.
pub fn response(
    app: &App,
    snapshot: &Snapshot,
    user: &User,
    grant: &Grant,
    asked: UserToken<'_>,
) -> Result<TokenResponse, Failure> {
    let client = snapshot.clients.get(&grant.client_id);
    let refreshes = client.is_some_and(|it| it.may_use(GrantType::RefreshToken).is_ok());
    let refresh_token = grant.token().seal(&snapshot.keys.refresh);
    Ok(TokenResponse {
        access_token: for_user(app, snapshot, user, grant, asked)?,
        token_type: token_type(asked.jkt),
        expires_in: asked.target.access_ttl.as_seconds(),
        refresh_token: refreshes.then(|| refresh_token.reveal().to_owned()),
        scope: asked.scope.to_string(),
        id_token: None,
    })
}
