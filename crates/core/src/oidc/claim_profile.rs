//! Claim profiles: what access and ID tokens of a client say besides the claims of the standards,
//! in the words of another server or library. It must not replace a claim of the standards.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::id::{ClientId, SessionId, UserId};
use crate::oauth::client::wire_enum;
use crate::oauth::scope::Scope;

wire_enum! {
    /// Whose words a client's tokens speak.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    ClaimProfile {
        /// The standards' alone.
        #[default]
        Default = "default",
        /// Keycloak's adapters and what was written for them.
        Keycloak = "keycloak",
        /// Auth0's: namespaced claims, and `permissions`.
        Auth0 = "auth0",
        /// Hasura's JWT mode.
        Hasura = "hasura",
        /// PostgREST's `role`.
        Postgrest = "postgrest",
        /// Supabase's row level security.
        Supabase = "supabase",
        /// Spring Security's authorities.
        Spring = "spring",
    }
}

/// Who a token is about and for.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// This server.
    pub issuer: &'a str,
    /// The client that the token is issued to.
    pub client_id: &'a ClientId,
    /// The person.
    pub user_id: &'a UserId,
    /// Their sign-in.
    pub session_id: &'a SessionId,
    /// What was granted.
    pub scope: &'a Scope,
    /// The roles that they have today, in alphabetical order.
    pub roles: &'a [&'a str],
    /// What those permit at this server.
    pub permissions: &'a [&'a str],
    /// The claims that the granted scopes carry (`oidc::claims`): what a profile repeats of a
    /// person's own, it repeats from here, so that it tells nothing that was not granted.
    pub granted: &'a Map<String, Value>,
}

impl ClaimProfile {
    /// The further claims of a token.
    pub fn claims(self, about: &About<'_>) -> Map<String, Value> {
        let claims = match self {
            Self::Default => json!({}),
            Self::Keycloak => keycloak(about),
            Self::Auth0 => auth0(about),
            Self::Hasura => hasura(about),
            // Without a role PostgREST takes its own for strangers.
            Self::Postgrest => match leading_role(about.roles) {
                Some(role) => json!({ "role": role }),
                None => json!({}),
            },
            Self::Supabase => supabase(about),
            Self::Spring => spring(about),
        };
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }
}

/// The role that speaks for a person where only one can: the first, in alphabetical order, other
/// than `user`, which everybody has.
fn leading_role<'r>(roles: &[&'r str]) -> Option<&'r str> {
    roles.iter().find(|role| **role != "user").or(roles.first()).copied()
}

fn granted(about: &About<'_>, names: &[&str]) -> Map<String, Value> {
    let given = |name: &&str| Some(((*name).to_owned(), about.granted.get(*name)?.clone()));
    names.iter().filter_map(given).collect()
}

/// `realm_access.roles`, `resource_access.<client>.roles`, `azp`, `preferred_username`.
fn keycloak(about: &About<'_>) -> Value {
    let mut claims = granted(about, &["preferred_username", "name", "email", "email_verified"]);
    claims.insert("azp".into(), about.client_id.as_str().into());
    claims.insert("realm_access".into(), json!({ "roles": about.roles }));
    let of_client = json!({ "roles": about.permissions });
    claims.insert("resource_access".into(), json!({ about.client_id.as_str(): of_client }));
    claims.into()
}

/// Auth0 takes only claims with a URL of one's own before their names; `permissions` is what its
/// role-based access control writes.
fn auth0(about: &About<'_>) -> Value {
    let own = granted(about, &["name", "email", "email_verified"]);
    let named = |name: &str| format!("{}/{name}", about.issuer.trim_end_matches('/'));
    let mut claims: Map<String, Value> =
        own.into_iter().map(|(name, value)| (named(&name), value)).collect();
    claims.insert(named("roles"), about.roles.into());
    claims.insert("permissions".into(), about.permissions.into());
    claims.insert("azp".into(), about.client_id.as_str().into());
    claims.into()
}

/// Hasura asks for a default role among those allowed; who has none is `anonymous`.
fn hasura(about: &About<'_>) -> Value {
    let default_role = leading_role(about.roles).unwrap_or("anonymous");
    let allowed = if about.roles.is_empty() { &["anonymous"] } else { about.roles };
    json!({
        "https://hasura.io/jwt/claims": {
            "x-hasura-user-id": about.user_id,
            "x-hasura-default-role": default_role,
            "x-hasura-allowed-roles": allowed,
        }
    })
}

/// `role` is the database's role of everybody who is signed in, and no role of ours.
fn supabase(about: &About<'_>) -> Value {
    let mut claims = granted(about, &["email"]);
    claims.insert("role".into(), "authenticated".into());
    claims.insert("is_anonymous".into(), false.into());
    claims.insert("session_id".into(), json!(about.session_id));
    claims.insert("app_metadata".into(), json!({ "roles": about.roles }));
    let own = granted(about, &["name", "preferred_username", "picture", "email_verified"]);
    claims.insert("user_metadata".into(), own.into());
    claims.into()
}

/// `authorities` holds both what `hasAuthority("SCOPE_…")` and what `hasRole("…")` look for, for a
/// `JwtGrantedAuthoritiesConverter` with this claim's name and without a prefix; `scp` is where it
/// looks by itself, besides `scope`.
fn spring(about: &About<'_>) -> Value {
    let scopes: Vec<&str> = about.scope.names().collect();
    let of_scopes = scopes.iter().map(|scope| format!("SCOPE_{scope}"));
    let of_roles = about.roles.iter().map(|role| format!("ROLE_{role}"));
    let authorities: Vec<String> = of_scopes.chain(of_roles).collect();
    json!({ "scp": scopes, "authorities": authorities })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const NO_ROLES: &[&str] = &[];

    fn claims(profile: ClaimProfile, roles: &[&str]) -> Value {
        let granted = json!({"name": "김민지", "email": "minji@example.com"});
        let about = About {
            issuer: "https://id.example",
            client_id: &"shop".parse().unwrap(),
            user_id: &UserId::from_random([1; 16]),
            session_id: &SessionId::from_parts(Timestamp::from_millis(0), [2; 10]),
            scope: &"events:read openid".parse().unwrap(),
            roles,
            permissions: &["users:read"],
            granted: granted.as_object().unwrap(),
        };
        profile.claims(&about).into()
    }

    #[test]
    fn the_default_adds_nothing() {
        assert_eq!(claims(ClaimProfile::Default, &["admin"]), json!({}));
    }

    #[test]
    fn keycloak_has_realm_roles() {
        assert_eq!(
            claims(ClaimProfile::Keycloak, &["admin", "user"]),
            json!({
                "azp": "shop", "name": "김민지", "email": "minji@example.com",
                "realm_access": {"roles": ["admin", "user"]},
                "resource_access": {"shop": {"roles": ["users:read"]}},
            })
        );
    }

    #[test]
    fn auth0_has_namespaced_claims_and_permissions() {
        assert_eq!(
            claims(ClaimProfile::Auth0, &["user"]),
            json!({
                "https://id.example/roles": ["user"],
                "https://id.example/name": "김민지",
                "https://id.example/email": "minji@example.com",
                "permissions": ["users:read"],
                "azp": "shop",
            })
        );
    }

    #[test]
    fn hasura_has_a_default_role_among_those_allowed() {
        let claims_of = |roles| claims(ClaimProfile::Hasura, roles);
        let of_manager = claims_of(&["manager", "user"]);
        assert_eq!(
            of_manager["https://hasura.io/jwt/claims"],
            json!({
                "x-hasura-user-id": UserId::from_random([1; 16]).to_string(),
                "x-hasura-default-role": "manager",
                "x-hasura-allowed-roles": ["manager", "user"],
            })
        );
        let of_nobody = &claims_of(NO_ROLES)["https://hasura.io/jwt/claims"];
        assert_eq!(of_nobody["x-hasura-default-role"], "anonymous");
        assert_eq!(of_nobody["x-hasura-allowed-roles"], json!(["anonymous"]));
    }

    #[test]
    fn postgrest_has_one_role_or_none() {
        let claims_of = |roles| claims(ClaimProfile::Postgrest, roles);
        assert_eq!(claims_of(&["manager", "user"]), json!({"role": "manager"}));
        assert_eq!(claims_of(&["user"]), json!({"role": "user"}));
        assert_eq!(claims_of(NO_ROLES), json!({}));
    }

    #[test]
    fn supabase_has_one_database_role_for_everybody() {
        let claims = claims(ClaimProfile::Supabase, &["admin"]);
        assert_eq!(claims["role"], "authenticated");
        assert_eq!(claims["app_metadata"], json!({"roles": ["admin"]}));
        assert_eq!(claims["user_metadata"], json!({"name": "김민지"}));
    }

    #[test]
    fn spring_has_scopes_and_roles_as_authorities() {
        assert_eq!(
            claims(ClaimProfile::Spring, &["user"]),
            json!({
                "scp": ["events:read", "openid"],
                "authorities": ["SCOPE_events:read", "SCOPE_openid", "ROLE_user"],
            })
        );
    }

    #[test]
    fn no_profile_replaces_a_claim_of_the_standards() {
        let standard = [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "nbf",
            "jti",
            "client_id",
            "scope",
            "sid",
            "gid",
            "acr",
            "amr",
            "auth_time",
            "roles",
            "groups",
            "cnf",
            "nonce",
            "at_hash",
        ];
        for profile in ClaimProfile::ALL {
            for claim in claims(*profile, &["admin"]).as_object().unwrap().keys() {
                assert!(!standard.contains(&claim.as_str()), "{profile:?}: {claim}");
            }
        }
    }

    #[test]
    fn a_profile_has_one_spelling_everywhere() {
        for profile in ClaimProfile::ALL {
            assert_eq!(json!(profile), json!(profile.as_str()));
            assert_eq!(ClaimProfile::parse(profile.as_str()), Some(*profile));
        }
    }
}
