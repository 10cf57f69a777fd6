//! The extractors: what must be brought is in their type, and the token is verified once.

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use http::{Request, StatusCode};
use munjigi_verify::testing::Token;
use munjigi_verify::{
    Caller, MaybeCaller, Principal, Required, any_role, permission, role, roles, scope, scopes,
};
use std::sync::Arc;

use crate::replies::{Answer, request, send};
use crate::tokens::issuer;

scopes! {
    /// Reads.
    pub Read = "orders:read";
    pub ReadAndWrite = "orders:read", "orders:write";
}

roles! {
    pub Admin = "admin";
    pub Staff = "manager", "admin";
}

async fn anyone(me: MaybeCaller) -> String {
    me.map_or("nobody".to_owned(), |me| me.sub().to_owned())
}

async fn signed_in(me: Caller) -> String {
    me.sub().to_owned()
}

async fn read(me: Caller<Read>) -> String {
    me.sub().to_owned()
}

async fn write(me: Caller<ReadAndWrite>) -> String {
    me.sub().to_owned()
}

async fn admin(me: Caller<Admin>) -> String {
    me.sub().to_owned()
}

async fn both(me: Caller<Read>, _: Caller<Staff>) -> String {
    me.sub().to_owned()
}

async fn extension(Extension(me): Extension<Arc<Principal>>) -> String {
    me.sub().to_owned()
}

fn routes() -> Router {
    Router::new()
        .route("/anyone", get(anyone))
        .route("/signed-in", get(signed_in))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/admin", get(admin))
        .route("/both", get(both))
        .route("/extension", get(extension))
}

async fn ask(app: &Router, path: &str, token: Option<&Token>) -> Answer {
    let request = match token {
        Some(token) => request(path, &token.to_string()),
        None => Request::get(path).body(Body::empty()).unwrap(),
    };
    send(app.clone(), request).await
}

#[tokio::test]
async fn each_extractor_asks_for_what_its_type_says() {
    let issuer = issuer();
    let app = routes().layer(issuer.verifier().unwrap().layer());
    let plain = issuer.bearer("minji");
    let reader = plain.clone().scope("orders:read");
    let writer = reader.clone().scope("orders:write");
    let manager = reader.clone().role("manager");
    let boss = plain.clone().role("admin");
    let late = plain.clone().expired();

    let paths = ["/anyone", "/signed-in", "/read", "/write", "/admin", "/both"];
    for (token, wanted) in [
        (None, [200, 401, 401, 401, 401, 401]),
        (Some(&late), [401, 401, 401, 401, 401, 401]),
        (Some(&plain), [200, 200, 403, 403, 403, 403]),
        (Some(&reader), [200, 200, 200, 403, 403, 403]),
        (Some(&writer), [200, 200, 200, 200, 403, 403]),
        (Some(&manager), [200, 200, 200, 403, 403, 200]),
        (Some(&boss), [200, 200, 403, 403, 200, 403]),
    ] {
        for (path, wanted) in paths.into_iter().zip(wanted) {
            let answer = ask(&app, path, token).await;
            let who = token.map_or("nobody", |_| "minji");
            assert_eq!(answer.status.as_u16(), wanted, "{path} {token:?}");
            assert_eq!(answer.body == who, wanted == 200, "{path} {token:?}");
            assert_eq!(answer.challenge().is_none(), wanted == 200, "{path} {token:?}");
        }
    }
    let refused = ask(&app, "/write", Some(&reader)).await;
    assert!(refused.challenge().unwrap().ends_with("scope=\"orders:read orders:write\""));
    let refused = ask(&app, "/both", Some(&reader)).await;
    assert_eq!(refused.body["code"], "missing_role");
}

#[tokio::test]
async fn layers_and_extractors_verify_a_token_once() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let app = Router::new()
        .route("/", get(both).route_layer(verifier.require(role("admin"))))
        .layer(verifier.layer());
    let token = issuer.bearer("minji").scope("orders:read").role("admin");

    assert_eq!(ask(&app, "/", Some(&token)).await.status, 200);

    // The layer, the requirement and both extractors asked: a second look would be a hit.
    let status = verifier.status();
    assert_eq!((status.cache_misses, status.cache_hits), (1, 0));
}

#[tokio::test]
async fn a_requirement_alone_verifies_too() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let requirement = scope("orders:read").and(any_role(["manager", "admin"]));
    let guard = verifier.require(requirement.and(permission("orders.refund")));
    let app = Router::new().route("/", get(signed_in).route_layer(guard));

    let token = issuer.bearer("minji");
    assert_eq!(ask(&app, "/", None).await.status, 401);
    assert_eq!(ask(&app, "/", Some(&token)).await.body["code"], "insufficient_scope");
    let token = token.scope("orders:read");
    let refused = ask(&app, "/", Some(&token)).await;
    assert_eq!(refused.body["code"], "missing_role");
    assert!(refused.challenge().unwrap().contains("manager or admin"));
    let token = token.role("manager");
    assert_eq!(ask(&app, "/", Some(&token)).await.body["code"], "missing_permission");
    let token = token.permission("orders.refund");
    assert_eq!(ask(&app, "/", Some(&token)).await.body, "minji");
}

#[tokio::test]
async fn the_caller_of_one_verifier_is_nobody_to_another() {
    let ours = issuer();
    let theirs = issuer();
    let app = routes().layer(theirs.verifier().unwrap().layer());
    let app = app.layer(ours.verifier().unwrap().layer());
    let token = ours.bearer("minji");
    assert_eq!(ask(&app, "/signed-in", Some(&token)).await.status, 401);
    assert_eq!(ask(&app, "/extension", Some(&token)).await.status, 500, "no principal is left");
    assert_eq!(ask(&app, "/signed-in", Some(&theirs.bearer("minji"))).await.status, 200);
}

#[tokio::test]
async fn a_route_without_the_layer_stays_shut() {
    let issuer = issuer();
    let token = issuer.bearer("minji");
    for path in ["/signed-in", "/anyone"] {
        let answer = ask(&routes(), path, Some(&token)).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.body["code"], "no_verifier");
    }
}

#[test]
fn a_type_says_the_same_as_a_value() {
    assert_eq!(Read::requirement(), scope("orders:read"));
    assert_eq!(ReadAndWrite::requirement(), scope("orders:read orders:write"));
    assert_eq!(Staff::requirement(), any_role(["manager", "admin"]));
    assert_eq!(Admin::ROLES, ["admin"]);
}
