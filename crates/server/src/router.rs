//! The routes, and the layers around them. Every route stands in one table, so that tests can ask
//! for all of them.

mod below;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, any, on};
use http::StatusCode;
use tower::layer::layer_fn;
use tower::layer::util::Stack;

use crate::app::App;
use crate::builtin::{
    APIS_READ, APIS_WRITE, AUDIT_READ, CLIENTS_READ, CLIENTS_WRITE, KEYS_READ, KEYS_WRITE,
    ROLES_READ, ROLES_WRITE, SESSIONS_READ, SESSIONS_WRITE, STATS_READ, USERS_READ, USERS_WRITE,
};
use crate::config::Mode;
use crate::context::{Contexts, Named, Needed};
use crate::cross_origin::{Readers, SHARED, preflight};
use crate::endpoint::api::{admin, revocations, users};
use crate::endpoint::oauth::{
    authorize, device_authorization, introspect, logout, par, register, revoke, token, userinfo,
};
use crate::endpoint::page::{account, consent, device, login, recover, select, sign_up, verify};
use crate::endpoint::{dev, docs, forward_auth, health, metadata};
use crate::page::assets;
use crate::reply::problem::Problem;
use below::Below;

/// A route, for tests and documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{parameters}`.
    pub path: &'static str,
}

/// What the layer around a handler has to know of where it stands.
#[derive(Clone, Copy)]
struct Place {
    route: Route,
    readers: Readers,
}

impl Place {
    fn of(method: &'static str, path: &'static str) -> Self {
        Self { route: Route { method, path }, readers: Readers::of(path) }
    }
}

/// Where a request is that is at no route: whatever it names stands nowhere.
const NOWHERE: Place =
    Place { route: Route { method: "any", path: "unmatched" }, readers: Readers::SameOrigin };

/// Routes while they are collected.
struct Table {
    /// Whose routes they are; nobody's, when only their names are asked for.
    app: Option<App>,
    router: Router<App>,
    routes: Vec<Route>,
}

impl Table {
    fn new(app: Option<&App>) -> Self {
        Self { app: app.cloned(), router: Router::new(), routes: Vec::new() }
    }

    fn add<H, T>(mut self, method: &'static str, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        H::Future: Unpin,
        T: 'static,
    {
        self.routes.push(Route { method, path });
        if let Some(app) = &self.app {
            let handler = around(app, Place::of(method, path), handler);
            self.router = self.router.route(path, on(filter(method), handler));
        }
        self
    }

    /// The same for every method: a proxy asks with that of the request that it asks about.
    fn any<H, T>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        H::Future: Unpin,
        T: 'static,
    {
        self.routes.push(Route { method: "GET", path });
        if let Some(app) = &self.app {
            let handler = around(app, Place::of("GET", path), handler);
            self.router = self.router.route(path, any(handler));
        }
        self
    }

    /// The same behind our own verifier.
    fn guard<H, T>(self, method: &'static str, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.guarded((method, path), None, handler)
    }

    /// The same of the admin API, for who has a permission: whoever has not is told so before
    /// anything that they sent is looked at.
    fn admin<H, T>(
        self,
        method: &'static str,
        path: &'static str,
        needed: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.guarded((method, path), Some(Needed(needed)), handler)
    }

    fn guarded<H, T>(
        mut self,
        (method, path): (&'static str, &'static str),
        needed: Option<Needed>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.routes.push(Route { method, path });
        if let Some(app) = &self.app {
            let named = layer_fn(move |inner| Named::new(inner, needed));
            let verifier = Stack::new(app.verifier.layer(), named);
            let handler = around(app, Place::of(method, path), handler.layer(verifier));
            self.router = self.router.route(path, on(filter(method), handler));
        }
        self
    }
}

/// The outermost layer, right around a handler: one that the router is given costs every request
/// a box and a copy of what stands below it.
fn around<H, T>(app: &App, place: Place, handler: H) -> impl Handler<T, App>
where
    H: Handler<T, App>,
    H::Future: Unpin,
    T: 'static,
{
    let app = app.clone();
    let numbers = app.metrics.requests.of(place.route);
    let outermost =
        move |inner| Contexts::new(app.clone(), (place.readers, Arc::clone(&numbers)), inner);
    handler.layer(layer_fn(outermost))
}

fn filter(method: &str) -> MethodFilter {
    match method {
        "GET" => MethodFilter::GET,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::POST,
    }
}

/// The whole server as a router, to be served by itself or mounted under another one.
pub fn router(app: &App) -> Router {
    let open = open(app.config.mode, Some(app)).router;
    let routes = open
        .merge(guarded(Some(app)).router)
        .merge(pages(app.config.mode, Some(app)).router)
        .merge(preflights(app))
        .method_not_allowed_fallback(around(app, NOWHERE, not_allowed));
    let not_found = around(app, NOWHERE, not_found);
    let whole = routes.clone().fallback(not_found).with_state(app.clone());
    match path_of(&app.config.issuer) {
        "" => whole,
        path => mounted(app, routes, path).fallback_service(Below::new(path, whole)),
    }
}

/// What browsers ask before a page of another origin sends something.
fn preflights(app: &App) -> Router<App> {
    SHARED.into_iter().fold(Router::new(), |routes, path| {
        let handler = around(app, Place::of("OPTIONS", path), preflight);
        routes.route(path, on(MethodFilter::OPTIONS, handler))
    })
}

/// The routes of an issuer with a path. A proxy may take the path away before it asks here, or
/// leave it there; and metadata is looked for in front of it, too.
fn mounted(app: &App, routes: Router<App>, path: &str) -> Router {
    let well_known =
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
    let routes = well_known.into_iter().fold(routes, |routes, name| {
        // RFC 8414 §3.1: the well-known part stands between the host and the path; §5: so it does
        // for OpenID Connect's own document, beside the place that its specification says.
        let path = format!("{name}{path}");
        let document = around(app, Place::of("GET", name), metadata::configuration);
        let asked = around(app, Place::of("OPTIONS", name), preflight);
        let methods = on(MethodFilter::GET, document).on(MethodFilter::OPTIONS, asked);
        routes.route(&path, methods)
    });
    routes.with_state(app.clone())
}

/// The path of an issuer; empty when it has none.
fn path_of(issuer: &str) -> &str {
    let authority = issuer.find("://").and_then(|at| issuer.get(at.saturating_add(3)..));
    let authority = authority.unwrap_or_default();
    authority.find('/').and_then(|at| authority.get(at..)).unwrap_or_default()
}

/// Every route of a mode.
pub fn routes(mode: Mode) -> Vec<Route> {
    open(mode, None).routes.into_iter().chain(guarded(None).routes).collect()
}

/// Every route that a person's browser follows: pages, which no API document lists.
pub fn page_routes(mode: Mode) -> Vec<Route> {
    pages(mode, None).routes
}

/// The pages, and the endpoints that a browser is sent to.
fn pages(mode: Mode, app: Option<&App>) -> Table {
    let table = account_pages(Table::new(app))
        .add("GET", "/oauth2/authorize", authorize::get)
        .add("POST", "/oauth2/authorize", authorize::post)
        .add("GET", "/oauth2/logout", logout::get)
        .add("POST", "/oauth2/logout", logout::post)
        .add("GET", "/login", login::identifier)
        .add("POST", "/login", login::send)
        .add("GET", "/login/again", login::again)
        .add("GET", "/login/select", select::ask)
        .add("POST", "/login/select", select::send)
        .add("GET", "/consent", consent::ask)
        .add("POST", "/consent", consent::send)
        .add("GET", "/device", device::form)
        .add("POST", "/device", device::send)
        .add("GET", "/signup", sign_up::form)
        .add("POST", "/signup", sign_up::send)
        .add("GET", "/verify", verify::ask)
        .add("POST", "/verify", verify::send)
        .add("GET", "/recover", recover::form)
        .add("POST", "/recover", recover::send)
        .add("GET", "/recover/password", recover::password)
        .add("POST", "/recover/password", recover::set_password)
        .add("GET", "/assets/{name}", assets::serve);
    match mode {
        Mode::Serve => table,
        Mode::Dev => table
            .add("GET", "/", dev::walk::home)
            .add("GET", "/dev/sign-in", dev::walk::sign_in)
            .add("GET", "/dev/callback", dev::walk::callback)
            .add("POST", "/dev/walk", dev::walk::step)
            .add("GET", "/dev/mail", dev::mail::list)
            .add("GET", "/dev/mail.json", dev::mail::json)
            .add("DELETE", "/dev/mail.json", dev::mail::clear)
            .add("GET", "/dev/mail/{id}", dev::mail::show),
    }
}

/// The pages of one's own account.
fn account_pages(table: Table) -> Table {
    table
        .add("GET", "/account", account::overview::show)
        .add("GET", "/account/profile", account::profile::show)
        .add("POST", "/account/profile", account::profile::send)
        .add("GET", "/account/email", account::email::show)
        .add("POST", "/account/email", account::email::send)
        .add("POST", "/account/email/verify", account::verification::send)
        .add("GET", "/account/email/confirm", account::email::ask_to_change)
        .add("POST", "/account/email/confirm", account::email::agree)
        .add("GET", "/account/email/undo", account::email::ask_to_undo)
        .add("POST", "/account/email/undo", account::email::undo)
        .add("GET", "/account/password", account::password::show)
        .add("POST", "/account/password", account::password::send)
        .add("GET", "/account/sessions", account::sessions::show)
        .add("POST", "/account/sessions", account::sessions::send)
        .add("GET", "/account/applications", account::applications::show)
        .add("POST", "/account/applications", account::applications::send)
        .add("GET", "/account/delete", account::delete::show)
        .add("POST", "/account/delete", account::delete::send)
        .add("GET", "/account/data", account::data::show)
        .add("POST", "/account/data/export", account::data::export)
}

/// The routes that anybody may call, or that authenticate clients.
fn open(mode: Mode, app: Option<&App>) -> Table {
    let table = oauth(Table::new(app))
        .add("POST", "/api/v1/users/signup", users::sign_up::sign_up)
        .add("POST", "/api/v1/users/signin", users::sign_in::sign_in_with_json)
        .add("GET", "/livez", health::livez)
        .add("GET", "/readyz", health::readyz)
        .any("/forward-auth", forward_auth::forward_auth)
        .add("GET", "/openapi.json", docs::openapi)
        .add("GET", "/docs", docs::index)
        .add("GET", "/docs/", docs::page)
        .add("GET", "/docs/{*path}", docs::file);
    match mode {
        Mode::Serve => table,
        Mode::Dev => table.add("POST", "/dev/clock", dev::move_clock),
    }
}

/// The routes behind our own verifier.
fn guarded(app: Option<&App>) -> Table {
    admin_api(account_api(Table::new(app)))
        .guard("GET", "/api/v1/revocations", revocations::follow)
        .guard("GET", "/oauth2/userinfo", userinfo::userinfo)
        .guard("POST", "/oauth2/userinfo", userinfo::userinfo)
}

fn oauth(table: Table) -> Table {
    table
        .add("GET", "/.well-known/openid-configuration", metadata::configuration)
        .add("GET", "/.well-known/oauth-authorization-server", metadata::configuration)
        .add("GET", "/.well-known/jwks.json", metadata::jwks)
        .add("POST", "/oauth2/token", token::token)
        .add("POST", "/oauth2/par", par::par)
        .add("POST", "/oauth2/device_authorization", device_authorization::device_authorization)
        .add("POST", "/oauth2/introspect", introspect::introspect)
        .add("POST", "/oauth2/revoke", revoke::revoke)
        .add("POST", "/oauth2/register", register::register)
        .add("GET", "/oauth2/register/{client_id}", register::read)
        .add("PUT", "/oauth2/register/{client_id}", register::replace)
        .add("DELETE", "/oauth2/register/{client_id}", register::delete)
}

fn account_api(table: Table) -> Table {
    table
        .guard("POST", "/api/v1/users/signout", users::sign_out::sign_out)
        .guard("GET", "/api/v1/users/me", users::me::show)
        .guard("PATCH", "/api/v1/users/me", users::me::change)
        .guard("DELETE", "/api/v1/users/me", users::me::delete)
        .guard("POST", "/api/v1/users/me/password", users::password::change)
        .guard("GET", "/api/v1/users/me/sessions", users::sessions::list)
        .guard("DELETE", "/api/v1/users/me/sessions/{id}", users::sessions::end)
}

const API_SECRETS: &str = "/api/v1/admin/apis/{audience}/secrets";

fn role_api(table: Table) -> Table {
    table
        .admin("GET", "/api/v1/admin/roles", ROLES_READ, admin::roles::list)
        .admin("POST", "/api/v1/admin/roles", ROLES_WRITE, admin::roles::create)
        .admin("GET", "/api/v1/admin/roles/{name}", ROLES_READ, admin::roles::show)
        .admin("PATCH", "/api/v1/admin/roles/{name}", ROLES_WRITE, admin::roles::change)
        .admin("DELETE", "/api/v1/admin/roles/{name}", ROLES_WRITE, admin::roles::delete)
        .admin("POST", "/api/v1/admin/roles/{name}/disable", ROLES_WRITE, admin::roles::disable)
        .admin("POST", "/api/v1/admin/roles/{name}/enable", ROLES_WRITE, admin::roles::enable)
}

fn key_api(table: Table) -> Table {
    role_api(table)
        .admin("GET", API_SECRETS, KEYS_READ, admin::api_secrets::list)
        .admin("POST", API_SECRETS, KEYS_WRITE, admin::api_secrets::share)
        .admin("DELETE", API_SECRETS, KEYS_WRITE, admin::api_secrets::delete)
        .admin("GET", "/api/v1/admin/keys", KEYS_READ, admin::keys::list)
        .admin("POST", "/api/v1/admin/keys/rotate", KEYS_WRITE, admin::keys::rotate)
        .admin("POST", "/api/v1/admin/keys/{kid}/withdraw", KEYS_WRITE, admin::keys::withdraw)
}

fn audit_api(table: Table) -> Table {
    table
        .admin("GET", "/api/v1/admin/audit", AUDIT_READ, admin::audit::list)
        .admin("GET", "/api/v1/audit/checkpoint", AUDIT_READ, admin::audit_tiles::checkpoint)
        .admin("GET", "/api/v1/audit/keys.ndjson", AUDIT_READ, admin::audit_tiles::keys)
        .admin("GET", "/api/v1/audit/tile/{*path}", AUDIT_READ, admin::audit_tiles::tile)
}

fn admin_api(table: Table) -> Table {
    audit_api(key_api(table))
        .admin("GET", "/api/v1/admin/stats", STATS_READ, admin::stats::stats)
        .admin("GET", "/api/v1/admin/users", USERS_READ, admin::users::list)
        .admin("POST", "/api/v1/admin/users", USERS_WRITE, admin::users::create)
        .admin("GET", "/api/v1/admin/users/{id}", USERS_READ, admin::users::show)
        .admin("PATCH", "/api/v1/admin/users/{id}", USERS_WRITE, admin::users::change)
        .admin("DELETE", "/api/v1/admin/users/{id}", USERS_WRITE, admin::users::delete)
        .admin("POST", "/api/v1/admin/users/{id}/disable", USERS_WRITE, admin::users::disable)
        .admin("POST", "/api/v1/admin/users/{id}/enable", USERS_WRITE, admin::users::enable)
        .admin("PUT", "/api/v1/admin/users/{id}/roles", USERS_WRITE, admin::users::set_roles)
        .admin("GET", "/api/v1/admin/sessions", SESSIONS_READ, admin::sessions::list)
        .admin("DELETE", "/api/v1/admin/sessions", SESSIONS_WRITE, admin::sessions::end_all)
        .admin("DELETE", "/api/v1/admin/sessions/{id}", SESSIONS_WRITE, admin::sessions::end)
        .admin("GET", "/api/v1/admin/clients", CLIENTS_READ, admin::clients::list)
        .admin("POST", "/api/v1/admin/clients", CLIENTS_WRITE, admin::clients::create)
        .admin("GET", "/api/v1/admin/clients/{id}", CLIENTS_READ, admin::clients::show)
        .admin("PATCH", "/api/v1/admin/clients/{id}", CLIENTS_WRITE, admin::clients::change)
        .admin("DELETE", "/api/v1/admin/clients/{id}", CLIENTS_WRITE, admin::clients::delete)
        .admin("POST", "/api/v1/admin/clients/{id}/disable", CLIENTS_WRITE, admin::clients::disable)
        .admin("POST", "/api/v1/admin/clients/{id}/enable", CLIENTS_WRITE, admin::clients::enable)
        .admin(
            "POST",
            "/api/v1/admin/clients/{id}/rotate-secret",
            CLIENTS_WRITE,
            admin::clients::rotate_secret,
        )
        .admin(
            "GET",
            "/api/v1/admin/registration-tokens",
            CLIENTS_READ,
            admin::registration_tokens::list,
        )
        .admin(
            "POST",
            "/api/v1/admin/registration-tokens",
            CLIENTS_WRITE,
            admin::registration_tokens::create,
        )
        .admin(
            "DELETE",
            "/api/v1/admin/registration-tokens/{id}",
            CLIENTS_WRITE,
            admin::registration_tokens::delete,
        )
        .admin("GET", "/api/v1/admin/apis", APIS_READ, admin::apis::list)
        .admin("POST", "/api/v1/admin/apis", APIS_WRITE, admin::apis::create)
        .admin("GET", "/api/v1/admin/apis/{audience}", APIS_READ, admin::apis::show)
        .admin("PATCH", "/api/v1/admin/apis/{audience}", APIS_WRITE, admin::apis::change)
        .admin("DELETE", "/api/v1/admin/apis/{audience}", APIS_WRITE, admin::apis::delete)
        .admin("POST", "/api/v1/admin/apis/{audience}/disable", APIS_WRITE, admin::apis::disable)
        .admin("POST", "/api/v1/admin/apis/{audience}/enable", APIS_WRITE, admin::apis::enable)
}

async fn not_found() -> Problem {
    Problem::not_found("page")
}

async fn not_allowed() -> Problem {
    let detail = "this path does not take this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
