//! Who calls, as a verified token says (RFC 9068 §2.2). Only the verifier makes one.

use munjigi_token::Claims;

/// The caller of a request: what a token says after every check of it has passed.
///
/// It cannot be made or changed outside this crate, so that whoever holds one holds a proof.
#[derive(Clone, Debug)]
pub struct Principal {
    claims: Claims,
    kid: Option<Box<str>>,
}

impl Principal {
    pub(crate) fn new(claims: Claims, kid: Option<&str>) -> Self {
        Self { claims, kid: kid.map(Into::into) }
    }

    /// Who acts: a person's id, or the client's own for `client_credentials`.
    pub fn sub(&self) -> &str {
        self.claims.sub.as_deref().unwrap_or_default()
    }

    /// The client that the token was issued to.
    pub fn client_id(&self) -> &str {
        self.claims.client_id.as_deref().unwrap_or_default()
    }

    /// What the client may do for `sub` (RFC 8693 §4.2).
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.claims.scope.iter()
    }

    /// The roles of `sub` (RFC 9068 §2.2.3.1).
    pub fn roles(&self) -> &[String] {
        &self.claims.roles
    }

    /// The groups of `sub` (RFC 9068 §2.2.3.1).
    pub fn groups(&self) -> &[String] {
        &self.claims.groups
    }

    /// The permissions of `sub` at this API.
    pub fn permissions(&self) -> &[String] {
        &self.claims.permissions
    }

    /// The session in which the person signed in; none for a client that acts for itself.
    pub fn sid(&self) -> Option<&str> {
        self.claims.sid.as_deref()
    }

    /// The grant that the token comes from.
    pub fn gid(&self) -> Option<&str> {
        self.claims.gid.as_deref()
    }

    /// How strongly the person signed in (RFC 9068 §2.2.1).
    pub fn acr(&self) -> Option<&str> {
        self.claims.acr.as_deref()
    }

    /// By which methods the person signed in (RFC 8176).
    pub fn amr(&self) -> &[String] {
        &self.claims.amr
    }

    /// When the person signed in, in Unix seconds.
    pub fn auth_time(&self) -> Option<i64> {
        self.claims.auth_time
    }

    /// When the token ends, in Unix seconds.
    pub fn exp(&self) -> i64 {
        self.claims.exp.unwrap_or_default()
    }

    /// When the token was issued, in Unix seconds.
    pub fn iat(&self) -> i64 {
        self.claims.iat.unwrap_or_default()
    }

    /// The token's own id.
    pub fn jti(&self) -> Option<&str> {
        self.claims.jti.as_deref()
    }

    /// The key that signed the token.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The thumbprint of the key that the token is bound to (RFC 9449 §6.1).
    pub fn jkt(&self) -> Option<&str> {
        self.claims.cnf.as_ref().and_then(|cnf| cnf.jkt.as_deref())
    }

    /// Whether the token is bound to a key, in this way or in one that is not known here.
    pub(crate) fn is_bound(&self) -> bool {
        self.claims.cnf.is_some()
    }

    /// Every claim, those of your own under `extra`.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether the token carries this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.scope.has(scope)
    }

    /// Whether the caller has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.claims.roles.iter().any(|one| one == role)
    }

    /// Whether the caller is in this group.
    pub fn is_in_group(&self, group: &str) -> bool {
        self.claims.groups.iter().any(|one| one == group)
    }

    /// Whether the caller has this permission.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.claims.permissions.iter().any(|one| one == permission)
    }
}
