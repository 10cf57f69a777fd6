//! RFC 9728: the document that says whom an API trusts.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use munjigi_verify::Verifier;
use munjigi_verify::token::KeySet;
use serde_json::json;

use crate::replies::send;

fn builder(audience: &str) -> munjigi_verify::Builder {
    Verifier::with_keys("https://id.test", audience, KeySet::default())
}

fn asked(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn the_metadata_is_public_and_complete() {
    let verifier = builder("https://api.test")
        .scopes_supported(["orders:read", "orders:write"])
        .resource_name("Orders")
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(|| async { "" }))
        .layer(verifier.layer())
        .merge(verifier.metadata_router());

    let answer = send(app, asked("/.well-known/oauth-protected-resource")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(
        answer.body,
        json!({
            "resource": "https://api.test",
            "authorization_servers": ["https://id.test"],
            "scopes_supported": ["orders:read", "orders:write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Orders",
        })
    );
}

#[tokio::test]
async fn the_path_of_an_api_follows_the_well_known_one() {
    let verifier = builder("https://api.test/v1/orders").build().unwrap();
    let app: Router = verifier.metadata_router();
    let there = "/.well-known/oauth-protected-resource/v1/orders";
    let answer = send(app.clone(), asked(there)).await;
    assert_eq!(answer.body["resource"], "https://api.test/v1/orders");
    assert!(answer.body.get("scopes_supported").is_none());
    let elsewhere = send(app, asked("/.well-known/oauth-protected-resource")).await;
    assert_eq!(elsewhere.status, 404);
}
