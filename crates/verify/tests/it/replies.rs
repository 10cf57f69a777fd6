//! What a refused request is told: RFC 6750 §3, RFC 9457, RFC 9728 §5.1, to the letter.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use munjigi_verify::{Caller, Refusal, RequestId, RevocationKind, Verifier, role, scope};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::tokens::issuer;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn challenge(&self) -> Option<&str> {
        self.headers.get("www-authenticate").map(|value| value.to_str().unwrap())
    }
}

pub async fn send(app: Router, request: Request<Body>) -> Answer {
    let response = app.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
    Answer { status: parts.status, headers: parts.headers, body }
}

pub fn request(path: &str, authorization: &str) -> Request<Body> {
    Request::get(path).header("Authorization", authorization).body(Body::empty()).unwrap()
}

fn app(verifier: &Verifier) -> Router {
    Router::new()
        .route("/me", get(|me: Caller| async move { me.sub().to_owned() }))
        .route(
            "/write",
            get(|| async { "written" })
                .route_layer(verifier.require(scope("orders:read orders:write"))),
        )
        .route("/admin", get(|| async { "stats" }).route_layer(verifier.require(role("admin"))))
        .layer(verifier.layer())
}

#[tokio::test]
async fn without_credentials_the_challenge_is_bare() {
    let app = app(&issuer().verifier().unwrap());
    let answer = send(app, Request::get("/me").body(Body::empty()).unwrap()).await;

    assert_eq!(answer.status, 401);
    assert_eq!(answer.challenge(), Some("Bearer"));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(
        answer.body,
        json!({
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "an access token is required in the Authorization header",
            "code": "no_credentials",
        })
    );
}

#[tokio::test]
async fn the_challenge_names_the_metadata_where_it_was_set() {
    let url = "https://api.test/.well-known/oauth-protected-resource";
    let verifier = issuer().builder().resource_metadata(url).build().unwrap();
    let app = app(&verifier);
    let bare = send(app.clone(), Request::get("/me").body(Body::empty()).unwrap()).await;
    assert_eq!(bare.challenge(), Some(&*format!("Bearer resource_metadata=\"{url}\"")));

    let bad = send(app, request("/me", "Bearer xyz")).await;
    let challenge = bad.challenge().unwrap();
    assert!(challenge.starts_with("Bearer error=\"invalid_token\", error_description=\""));
    assert!(challenge.ends_with(&format!(", resource_metadata=\"{url}\"")));
}

#[tokio::test]
async fn a_bad_token_is_invalid_token() {
    let issuer = issuer();
    let app = app(&issuer.verifier().unwrap());
    let expired = issuer.bearer("minji").expired().to_string();
    for (authorization, code) in
        [("Bearer xyz", "malformed"), (&*expired, "expired"), ("bearer", "malformed")]
    {
        let answer = send(app.clone(), request("/me", authorization)).await;
        assert_eq!(answer.status, 401);
        let challenge = answer.challenge().unwrap();
        let start = "Bearer error=\"invalid_token\", error_description=\"the access token is not \
                     valid: ";
        assert!(challenge.starts_with(start), "{challenge}");
        assert_eq!(answer.body["code"], code);
        assert!(!answer.body.to_string().contains("eyJ"), "no token is repeated");
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let issuer = issuer();
    let app = app(&issuer.verifier().unwrap());
    let some = issuer.bearer("minji").scope("orders:read").to_string();
    let answer = send(app.clone(), request("/write", &some)).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.challenge(),
        Some(
            "Bearer error=\"insufficient_scope\", error_description=\"the access token does not \
             carry the scope that is required: orders:read orders:write\", \
             scope=\"orders:read orders:write\""
        )
    );
    assert_eq!(answer.body["code"], "insufficient_scope");

    let all = issuer.bearer("minji").scope("orders:read orders:write").to_string();
    assert_eq!(send(app, request("/write", &all)).await.status, 200);
}

#[tokio::test]
async fn a_missing_role_is_named() {
    let issuer = issuer();
    let app = app(&issuer.verifier().unwrap());
    let user = issuer.bearer("minji").role("user").to_string();
    let answer = send(app.clone(), request("/admin", &user)).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.challenge(),
        Some(
            "Bearer error=\"insufficient_scope\", error_description=\"a role is required that the \
             caller does not have: admin\""
        )
    );
    assert_eq!(answer.body["code"], "missing_role");
    assert_eq!(answer.body["title"], "Forbidden");

    let admin = issuer.bearer("minji").role("admin").to_string();
    assert_eq!(send(app.clone(), request("/admin", &admin)).await.status, 200);
    let nobody = Request::get("/admin").body(Body::empty()).unwrap();
    assert_eq!(send(app, nobody).await.status, 401);
}

#[tokio::test]
async fn a_malformed_request_is_invalid_request() {
    let issuer = issuer();
    let app = app(&issuer.verifier().unwrap());
    let good = issuer.bearer("minji").to_string();

    let twice = Request::get("/me")
        .header("Authorization", &good)
        .header("Authorization", &good)
        .body(Body::empty())
        .unwrap();
    let both = request(&format!("/me?a=1&access_token={}", &good[7..]), &good);
    for (bad, description) in [
        (twice, "there is more than one Authorization header"),
        (both, "a token in the query besides the header"),
    ] {
        let answer = send(app.clone(), bad).await;
        assert_eq!(answer.status, 400);
        let wanted =
            format!("Bearer error=\"invalid_request\", error_description=\"{description}\"");
        assert_eq!(answer.challenge(), Some(&*wanted));
        assert_eq!(answer.body["code"], "invalid_request");
    }
}

#[tokio::test]
async fn a_token_is_read_from_the_header_alone() {
    let issuer = issuer();
    let app = app(&issuer.verifier().unwrap());
    let good = issuer.bearer("minji").to_string();
    let in_query = Request::get(format!("/me?access_token={}", &good[7..]));
    let in_query = send(app.clone(), in_query.body(Body::empty()).unwrap()).await;
    assert_eq!((in_query.status, in_query.challenge()), (StatusCode::UNAUTHORIZED, Some("Bearer")));

    let basic = send(app.clone(), request("/me", "Basic bWluamk6cGFzc3dvcmQ=")).await;
    assert_eq!((basic.status, basic.challenge()), (StatusCode::UNAUTHORIZED, Some("Bearer")));

    let lower = good.replace("Bearer", "bEARER ");
    assert_eq!(send(app, request("/me", &lower)).await.body, "minji");
}

#[test]
fn without_keys_the_answer_is_503_and_never_a_challenge() {
    let refusal = Refusal::KeysUnavailable { retry_after_seconds: 7 };
    let answer = refusal.answer(Some("https://api.test/"), None);
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert!(!answer.headers().contains_key("www-authenticate"));
}

#[test]
fn a_revoked_token_is_invalid_token() {
    let refusal = Refusal::Revoked(RevocationKind::Session);
    assert_eq!(refusal.status(), 401);
    assert_eq!(
        refusal.challenge(None).unwrap(),
        "Bearer error=\"invalid_token\", error_description=\"the access token was revoked\""
    );
}

#[tokio::test]
async fn the_request_id_is_repeated() {
    let app = app(&issuer().verifier().unwrap());
    let asked =
        |id: &str| Request::get("/me").header("x-request-id", id).body(Body::empty()).unwrap();
    assert_eq!(send(app.clone(), asked("01J9K")).await.body["request_id"], "01J9K");

    let mut known = asked("from outside");
    known.extensions_mut().insert(RequestId("from inside".to_owned()));
    assert_eq!(send(app.clone(), known).await.body["request_id"], "from inside");

    let long = asked(&"x".repeat(129));
    assert!(send(app, long).await.body.get("request_id").is_none());
}
