//! The table: every route of a server in production, who may pass its door, and what each of the
//! callers is answered. Nothing else says who may do what.

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everybody: there is nothing to protect, or what is sent proves who sends it.
    Open,
    /// A client that proves itself; no token of a person helps.
    Client,
    /// Who brings a token that the client was given for it; no token of a person helps.
    Registered,
    /// Whoever has an access token of their own.
    Person,
    /// Who has all of these permissions.
    May(&'static [&'static str]),
    /// A client that acts for itself and has this permission.
    ClientMay(&'static str),
    /// A page for everybody.
    Page,
    /// A page of somebody who is signed in with the browser.
    Own,
}

use Door::{Client, ClientMay, May, Open, Own, Page, Person, Registered};

/// Method, path, door, and what is answered to the callers in the order of
/// [`super::street::Caller`].
pub type Row = (&'static str, &'static str, Door, [u16; 5]);

/// Who brings no token is asked for one, everybody else is refused, and an administrator gets this.
const fn admins(status: u16) -> [u16; 5] {
    [401, 403, 403, 403, status]
}

#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    ("GET", "/.well-known/openid-configuration", Open, [200; 5]),
    ("GET", "/.well-known/oauth-authorization-server", Open, [200; 5]),
    ("GET", "/.well-known/jwks.json", Open, [200; 5]),
    ("POST", "/oauth2/token", Open, [400, 401, 401, 401, 401]),
    ("POST", "/oauth2/par", Client, [401; 5]),
    ("POST", "/oauth2/device_authorization", Client, [401; 5]),
    ("POST", "/oauth2/introspect", Client, [401; 5]),
    ("POST", "/oauth2/revoke", Client, [401; 5]),
    ("POST", "/oauth2/register", Registered, [401; 5]),
    ("GET", "/oauth2/register/{client_id}", Registered, [401; 5]),
    ("PUT", "/oauth2/register/{client_id}", Registered, [401; 5]),
    ("DELETE", "/oauth2/register/{client_id}", Registered, [401; 5]),
    ("POST", "/api/v1/users/signup", Open, [422; 5]),
    ("POST", "/api/v1/users/signin", Open, [422; 5]),
    ("GET", "/livez", Open, [200; 5]),
    ("GET", "/readyz", Open, [200; 5]),
    // Opens with the token that it is asked about: whoever asks holds it.
    ("GET", "/forward-auth", Open, [400; 5]),
    ("GET", "/openapi.json", Open, [200; 5]),
    ("GET", "/docs", Open, [303; 5]),
    ("GET", "/docs/", Open, [200; 5]),
    ("GET", "/docs/{*path}", Open, [200; 5]),
    ("POST", "/api/v1/users/signout", Person, [401, 204, 204, 204, 204]),
    ("GET", "/api/v1/users/me", Person, [401, 200, 200, 200, 200]),
    ("PATCH", "/api/v1/users/me", Person, [401, 200, 200, 200, 200]),
    // The password that comes along is none of the administrator's.
    ("DELETE", "/api/v1/users/me", Person, [401, 204, 204, 204, 422]),
    ("POST", "/api/v1/users/me/password", Person, [401, 204, 204, 204, 422]),
    ("GET", "/api/v1/users/me/sessions", Person, [401, 200, 200, 200, 200]),
    ("DELETE", "/api/v1/users/me/sessions/{id}", Person, [401, 204, 404, 404, 404]),
    ("GET", "/oauth2/userinfo", Person, [401, 200, 200, 403, 200]),
    ("POST", "/oauth2/userinfo", Person, [401, 200, 200, 403, 200]),
    ("GET", "/api/v1/revocations", ClientMay("revocations:read"), admins(403)),
    ("GET", "/api/v1/admin/stats", May(&["stats:read"]), admins(200)),
    ("GET", "/api/v1/admin/audit", May(&["audit:read"]), admins(200)),
    // Nothing was signed yet, and no tile is called so.
    ("GET", "/api/v1/audit/checkpoint", May(&["audit:read"]), admins(404)),
    ("GET", "/api/v1/audit/keys.ndjson", May(&["audit:read"]), admins(200)),
    ("GET", "/api/v1/audit/tile/{*path}", May(&["audit:read"]), admins(404)),
    ("GET", "/api/v1/admin/users", May(&["users:read"]), admins(200)),
    ("POST", "/api/v1/admin/users", May(&["users:write"]), admins(201)),
    ("GET", "/api/v1/admin/users/{id}", May(&["users:read"]), admins(200)),
    ("PATCH", "/api/v1/admin/users/{id}", May(&["users:write"]), admins(200)),
    ("DELETE", "/api/v1/admin/users/{id}", May(&["users:write"]), admins(204)),
    ("POST", "/api/v1/admin/users/{id}/disable", May(&["users:write"]), admins(204)),
    ("POST", "/api/v1/admin/users/{id}/enable", May(&["users:write"]), admins(204)),
    // Given a role that they do not have already; what it carries, one has to have: `admin.rs`.
    ("PUT", "/api/v1/admin/users/{id}/roles", May(&["users:write", "roles:write"]), admins(200)),
    ("GET", "/api/v1/admin/sessions", May(&["sessions:read"]), admins(200)),
    ("DELETE", "/api/v1/admin/sessions", May(&["sessions:write"]), admins(204)),
    ("DELETE", "/api/v1/admin/sessions/{id}", May(&["sessions:write"]), admins(204)),
    ("GET", "/api/v1/admin/clients", May(&["clients:read"]), admins(200)),
    ("POST", "/api/v1/admin/clients", May(&["clients:write"]), admins(201)),
    ("GET", "/api/v1/admin/clients/{id}", May(&["clients:read"]), admins(200)),
    ("PATCH", "/api/v1/admin/clients/{id}", May(&["clients:write"]), admins(200)),
    ("DELETE", "/api/v1/admin/clients/{id}", May(&["clients:write"]), admins(204)),
    ("POST", "/api/v1/admin/clients/{id}/disable", May(&["clients:write"]), admins(204)),
    ("POST", "/api/v1/admin/clients/{id}/enable", May(&["clients:write"]), admins(204)),
    ("POST", "/api/v1/admin/clients/{id}/rotate-secret", May(&["clients:write"]), admins(200)),
    ("GET", "/api/v1/admin/registration-tokens", May(&["clients:read"]), admins(200)),
    ("POST", "/api/v1/admin/registration-tokens", May(&["clients:write"]), admins(201)),
    ("DELETE", "/api/v1/admin/registration-tokens/{id}", May(&["clients:write"]), admins(204)),
    ("GET", "/api/v1/admin/apis", May(&["apis:read"]), admins(200)),
    ("POST", "/api/v1/admin/apis", May(&["apis:write"]), admins(201)),
    ("GET", "/api/v1/admin/apis/{audience}", May(&["apis:read"]), admins(200)),
    ("PATCH", "/api/v1/admin/apis/{audience}", May(&["apis:write"]), admins(200)),
    ("DELETE", "/api/v1/admin/apis/{audience}", May(&["apis:write"]), admins(204)),
    ("POST", "/api/v1/admin/apis/{audience}/disable", May(&["apis:write"]), admins(204)),
    ("POST", "/api/v1/admin/apis/{audience}/enable", May(&["apis:write"]), admins(204)),
    ("GET", "/api/v1/admin/apis/{audience}/secrets", May(&["keys:read"]), admins(200)),
    ("POST", "/api/v1/admin/apis/{audience}/secrets", May(&["keys:write"]), admins(201)),
    ("DELETE", "/api/v1/admin/apis/{audience}/secrets", May(&["keys:write"]), admins(204)),
    ("GET", "/api/v1/admin/keys", May(&["keys:read"]), admins(200)),
    ("POST", "/api/v1/admin/keys/rotate", May(&["keys:write"]), admins(200)),
    ("POST", "/api/v1/admin/keys/{kid}/withdraw", May(&["keys:write"]), admins(200)),
    ("GET", "/api/v1/admin/roles", May(&["roles:read"]), admins(200)),
    ("POST", "/api/v1/admin/roles", May(&["roles:write"]), admins(201)),
    ("GET", "/api/v1/admin/roles/{name}", May(&["roles:read"]), admins(200)),
    ("PATCH", "/api/v1/admin/roles/{name}", May(&["roles:write"]), admins(200)),
    ("DELETE", "/api/v1/admin/roles/{name}", May(&["roles:write"]), admins(204)),
    ("POST", "/api/v1/admin/roles/{name}/disable", May(&["roles:write"]), admins(204)),
    ("POST", "/api/v1/admin/roles/{name}/enable", May(&["roles:write"]), admins(204)),
    ("GET", "/oauth2/authorize", Page, [400; 5]),
    ("POST", "/oauth2/authorize", Page, [303; 5]),
    ("GET", "/oauth2/logout", Page, [200; 5]),
    ("POST", "/oauth2/logout", Page, [303; 5]),
    ("GET", "/login", Page, [200, 303, 303, 200, 303]),
    ("POST", "/login", Page, [400; 5]),
    ("GET", "/login/again", Own, [303, 200, 200, 303, 200]),
    ("GET", "/login/select", Page, [303; 5]),
    ("POST", "/login/select", Page, [303; 5]),
    ("GET", "/consent", Page, [400; 5]),
    ("POST", "/consent", Page, [400; 5]),
    ("GET", "/device", Own, [303, 200, 200, 303, 200]),
    ("POST", "/device", Own, [303, 422, 422, 303, 422]),
    ("GET", "/signup", Page, [403; 5]),
    ("POST", "/signup", Page, [403; 5]),
    ("GET", "/verify", Page, [400; 5]),
    ("POST", "/verify", Page, [400; 5]),
    ("GET", "/recover", Page, [200; 5]),
    ("POST", "/recover", Page, [400; 5]),
    ("GET", "/recover/password", Page, [400; 5]),
    ("POST", "/recover/password", Page, [400; 5]),
    ("GET", "/assets/{name}", Page, [200; 5]),
    ("GET", "/account", Own, [303, 200, 200, 303, 200]),
    ("GET", "/account/profile", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/profile", Own, [303; 5]),
    ("GET", "/account/email", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/email", Own, [303, 200, 200, 303, 422]),
    ("POST", "/account/email/verify", Own, [303; 5]),
    ("GET", "/account/email/confirm", Page, [400; 5]),
    ("POST", "/account/email/confirm", Page, [400; 5]),
    ("GET", "/account/email/undo", Page, [400; 5]),
    ("POST", "/account/email/undo", Page, [400; 5]),
    ("GET", "/account/password", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/password", Own, [303, 303, 303, 303, 422]),
    ("GET", "/account/sessions", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/sessions", Own, [303, 303, 404, 303, 404]),
    ("GET", "/account/applications", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/applications", Own, [303, 303, 404, 303, 404]),
    ("GET", "/account/delete", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/delete", Own, [303, 200, 200, 303, 422]),
    ("GET", "/account/data", Own, [303, 200, 200, 303, 200]),
    ("POST", "/account/data/export", Own, [303, 200, 200, 303, 200]),
];
