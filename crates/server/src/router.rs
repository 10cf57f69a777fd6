//! The routes, and the layers around them. Every route stands in one table, so that tests can ask
//! for all of them.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};
use http::StatusCode;

use crate::app::App;
use crate::config::Mode;
use crate::context;
use crate::endpoint::api::{admin, users};
use crate::endpoint::oauth::{introspect, revoke, token, userinfo};
use crate::endpoint::{dev, docs, health, metadata};
use crate::reply::problem::Problem;

/// A route, for tests and documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{parameters}`.
    pub path: &'static str,
}

/// Routes while they are collected.
struct Table {
    router: Router<App>,
    routes: Vec<Route>,
}

impl Table {
    fn new() -> Self {
        Self { router: Router::new(), routes: Vec::new() }
    }

    fn add<H, T>(mut self, method: &'static str, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match method {
            "GET" => MethodFilter::GET,
            "PUT" => MethodFilter::PUT,
            "PATCH" => MethodFilter::PATCH,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::POST,
        };
        self.routes.push(Route { method, path });
        self.router = self.router.route(path, on(filter, handler));
        self
    }
}

/// The whole server as a router, to be served by itself or mounted under another one.
pub fn router(app: &App) -> Router {
    let open = open(app.config.mode).router;
    let guarded = guarded().router.layer(app.verifier.layer());
    open.merge(guarded)
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(app.clone(), context::layer))
        .with_state(app.clone())
}

/// Every route of a mode.
pub fn routes(mode: Mode) -> Vec<Route> {
    open(mode).routes.into_iter().chain(guarded().routes).collect()
}

/// The routes that anybody may call, or that authenticate clients.
fn open(mode: Mode) -> Table {
    let table = oauth(Table::new())
        .add("POST", "/api/v1/users/signup", users::sign_up::sign_up)
        .add("POST", "/api/v1/users/signin", users::sign_in::sign_in_with_json)
        .add("GET", "/livez", health::livez)
        .add("GET", "/readyz", health::readyz)
        .add("GET", "/openapi.json", docs::openapi)
        .add("GET", "/docs", docs::index)
        .add("GET", "/docs/", docs::page)
        .add("GET", "/docs/{*path}", docs::file);
    match mode {
        Mode::Serve => table,
        Mode::Dev => table.add("GET", "/", dev::home).add("POST", "/dev/clock", dev::move_clock),
    }
}

/// The routes behind our own verifier.
fn guarded() -> Table {
    admin_api(account_api(Table::new())).add("GET", "/oauth2/userinfo", userinfo::userinfo).add(
        "POST",
        "/oauth2/userinfo",
        userinfo::userinfo,
    )
}

fn oauth(table: Table) -> Table {
    table
        .add("GET", "/.well-known/openid-configuration", metadata::configuration)
        .add("GET", "/.well-known/oauth-authorization-server", metadata::configuration)
        .add("GET", "/.well-known/jwks.json", metadata::jwks)
        .add("POST", "/oauth2/token", token::token)
        .add("POST", "/oauth2/introspect", introspect::introspect)
        .add("POST", "/oauth2/revoke", revoke::revoke)
}

fn account_api(table: Table) -> Table {
    table
        .add("POST", "/api/v1/users/signout", users::sign_out::sign_out)
        .add("GET", "/api/v1/users/me", users::me::show)
        .add("PATCH", "/api/v1/users/me", users::me::change)
        .add("DELETE", "/api/v1/users/me", users::me::delete)
        .add("POST", "/api/v1/users/me/password", users::password::change)
        .add("GET", "/api/v1/users/me/sessions", users::sessions::list)
        .add("DELETE", "/api/v1/users/me/sessions/{id}", users::sessions::end)
}

fn admin_api(table: Table) -> Table {
    table
        .add("GET", "/api/v1/admin/stats", admin::stats::stats)
        .add("GET", "/api/v1/admin/users", admin::users::list)
        .add("POST", "/api/v1/admin/users", admin::users::create)
        .add("GET", "/api/v1/admin/users/{id}", admin::users::show)
        .add("PATCH", "/api/v1/admin/users/{id}", admin::users::change)
        .add("DELETE", "/api/v1/admin/users/{id}", admin::users::delete)
        .add("POST", "/api/v1/admin/users/{id}/disable", admin::users::disable)
        .add("POST", "/api/v1/admin/users/{id}/enable", admin::users::enable)
        .add("PUT", "/api/v1/admin/users/{id}/roles", admin::users::set_roles)
        .add("GET", "/api/v1/admin/clients", admin::clients::list)
        .add("POST", "/api/v1/admin/clients", admin::clients::create)
        .add("GET", "/api/v1/admin/clients/{id}", admin::clients::show)
        .add("PATCH", "/api/v1/admin/clients/{id}", admin::clients::change)
        .add("DELETE", "/api/v1/admin/clients/{id}", admin::clients::delete)
        .add("POST", "/api/v1/admin/clients/{id}/disable", admin::clients::disable)
        .add("POST", "/api/v1/admin/clients/{id}/enable", admin::clients::enable)
        .add("POST", "/api/v1/admin/clients/{id}/rotate-secret", admin::clients::rotate_secret)
        .add("GET", "/api/v1/admin/apis", admin::apis::list)
        .add("POST", "/api/v1/admin/apis", admin::apis::create)
        .add("GET", "/api/v1/admin/apis/{audience}", admin::apis::show)
        .add("PATCH", "/api/v1/admin/apis/{audience}", admin::apis::change)
        .add("DELETE", "/api/v1/admin/apis/{audience}", admin::apis::delete)
        .add("POST", "/api/v1/admin/apis/{audience}/disable", admin::apis::disable)
        .add("POST", "/api/v1/admin/apis/{audience}/enable", admin::apis::enable)
        .add("GET", "/api/v1/admin/roles", admin::roles::list)
        .add("POST", "/api/v1/admin/roles", admin::roles::create)
        .add("GET", "/api/v1/admin/roles/{name}", admin::roles::show)
        .add("PATCH", "/api/v1/admin/roles/{name}", admin::roles::change)
        .add("DELETE", "/api/v1/admin/roles/{name}", admin::roles::delete)
        .add("POST", "/api/v1/admin/roles/{name}/disable", admin::roles::disable)
        .add("POST", "/api/v1/admin/roles/{name}/enable", admin::roles::enable)
}

async fn not_found() -> Problem {
    Problem::not_found("page")
}

async fn not_allowed() -> Problem {
    let detail = "this path does not take this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
