//! What tokens of a client say of a person in the words of another server or library: puts together
//! what `core`'s claim profiles are made of. Access tokens and ID tokens both ask here.

use munjigi_core::access::Permissions;
use munjigi_core::account::user::User;
use munjigi_core::id::SessionId;
use munjigi_core::oauth::client::{Client, Origin};
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oidc::claim_profile::{About, ClaimProfile};
use munjigi_core::oidc::claims::of_userinfo;
use serde_json::{Map, Value};

use crate::id_token::person;
use crate::snapshot::Snapshot;

/// Whom a token is about.
#[derive(Clone, Copy)]
pub(crate) struct Whom<'a> {
    /// The person.
    pub user: &'a User,
    /// The sign-in.
    pub session_id: &'a SessionId,
    /// What the token is for.
    pub scope: &'a Scope,
}

/// The further claims of a token of this client; none for most clients. The claims of the standards
/// go over them.
pub(crate) fn further(
    issuer: &str,
    snapshot: &Snapshot,
    client: &Client,
    whom: Whom<'_>,
) -> Map<String, Value> {
    let profile = client.metadata.claim_profile;
    // Most tokens, and not a moment more for them.
    if profile == ClaimProfile::Default {
        return Map::new();
    }
    let Whom { user, session_id, scope } = whom;
    let (roles, permissions) = roles_told(snapshot, Some(client), (user, scope));
    let permissions: Vec<&str> = permissions.iter().map(|it| it.as_str()).collect();
    let profile_claims = user.profile.claims();
    let person = person(user, &profile_claims, &roles);
    profile.claims(&About {
        issuer,
        client_id: &client.id,
        user_id: &user.id,
        session_id,
        scope,
        roles: &roles,
        permissions: &permissions,
        granted: &of_userinfo(&person, scope, &Default::default()),
    })
}

/// What of a person's roles and permissions a client brings to an API: all of it where an operator
/// made the client. Whom nobody here looked at has no power of the person's but what the consent
/// page named: no permissions, and the roles only with the scope `roles`.
pub fn roles_told<'s>(
    snapshot: &'s Snapshot,
    client: Option<&Client>,
    (user, scope): (&'s User, &Scope),
) -> (Vec<&'s str>, Permissions) {
    let is_made = client.is_some_and(|client| client.origin == Origin::Made);
    let roles = snapshot.enabled_roles(&user.roles).map(|role| role.name.as_str());
    let roles = roles.filter(|_| is_made || scope.has("roles")).collect();
    let permissions = is_made.then(|| snapshot.permissions(&user.roles));
    (roles, permissions.unwrap_or_default())
}
