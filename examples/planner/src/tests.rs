//! The planner as its callers meet it, with tokens from an issuer that needs no network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests"
)]

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use clap::Parser;
use http_body_util::BodyExt;
use munjigi_verify::Revocations;
use munjigi_verify::testing::Issuer;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::Options;
use crate::events::Events;
use crate::routes::app;

struct Planner {
    app: Router,
    issuer: Issuer,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn challenge(&self) -> &str {
        self.headers["www-authenticate"].to_str().unwrap()
    }
}

impl Planner {
    fn start() -> Self {
        let issuer = Issuer::new("http://localhost:8001").unwrap();
        let events = Events::open(":memory:".as_ref()).unwrap();
        Self { app: app(&issuer.verifier().unwrap(), events), issuer }
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("Authorization", token);
        }
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json");
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn read(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, token, "").await
    }

    async fn add(&self, token: &str, body: &Value) -> Answer {
        self.ask(Method::POST, "/events/", token, &body.to_string()).await
    }

    fn token(&self) -> String {
        self.issuer.bearer("hong").role("user").to_string()
    }
}

/// The event of the tutorial.
fn event() -> Value {
    json!({
        "title": "첫번째 타이틀",
        "image": "https://dummyimage.com/200x200/ccc/ff0.png?text=sample",
        "description": "첫번째 샘플 이벤트 입니다.",
        "tags": ["python", "fastapi", "sample"],
        "location": "Google Doc",
    })
}

#[tokio::test]
async fn anyone_lists_events_and_a_signed_in_user_adds_one() {
    let planner = Planner::start();
    assert_eq!(planner.read("/events", "").await.body, json!([]));

    let added = planner.add(&planner.token(), &event()).await;

    assert_eq!(added.status, 201);
    assert_eq!((&added.body["owner"], &added.body["id"]), (&json!("hong"), &json!(1)));
    assert!(added.body["created_at"].as_str().unwrap().ends_with('Z'));
    for (name, value) in event().as_object().unwrap() {
        assert_eq!(added.body[name], *value);
    }
    assert_eq!(planner.read("/events", "").await.body, json!([added.body]));
    assert_eq!(planner.read("/events/", "").await.body, json!([added.body]));
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_added() {
    let planner = Planner::start();
    let none = planner.add("", &event()).await;
    assert_eq!((none.status, none.challenge()), (StatusCode::UNAUTHORIZED, "Bearer"));

    let expired = planner.issuer.bearer("hong").expired().to_string();
    let foreign = planner.issuer.bearer("hong").audience("http://localhost:9").to_string();
    for bad in ["Bearer xyz", &expired, &foreign] {
        let refused = planner.add(bad, &event()).await;
        assert_eq!(refused.status, 401);
        assert!(refused.challenge().starts_with("Bearer error=\"invalid_token\""));
    }
    assert_eq!(planner.read("/events", "").await.body, json!([]));
}

#[tokio::test]
async fn the_owner_comes_from_the_token_and_never_from_the_body() {
    let planner = Planner::start();
    for member in ["user_id", "owner", "id", "created_at"] {
        let mut body = event();
        body[member] = json!("somebody else");
        let refused = planner.add(&planner.token(), &body).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.headers["content-type"], "application/problem+json");
        assert!(refused.body["detail"].as_str().unwrap().contains(member));
    }
    assert_eq!(planner.read("/events", "").await.body, json!([]));
}

#[tokio::test]
async fn a_body_that_is_no_event_is_refused() {
    let planner = Planner::start();
    let token = planner.token();
    for (member, value) in [
        ("title", json!(" ")),
        ("title", json!("x".repeat(201))),
        ("title", json!(7)),
        ("image", json!("javascript:alert(1)")),
        ("tags", json!("python")),
        ("tags", json!(vec!["x"; 21])),
        ("location", json!(null)),
    ] {
        let mut body = event();
        body[member] = value;
        assert_eq!(planner.add(&token, &body).await.status, 422, "{body}");
    }
    let post = |body: String| {
        let (planner, token) = (&planner, &token);
        async move { planner.ask(Method::POST, "/events", token, &body).await.status }
    };
    assert_eq!(post("{".to_owned()).await, 400);
    assert_eq!(post(String::new()).await, 415);
    assert_eq!(post("x".repeat(65 * 1024)).await, 413);
    let doubled = event().to_string().replacen('{', "{\"title\":\"another\",", 1);
    assert_eq!(post(doubled).await, 422);
    assert_eq!(planner.read("/events", "").await.body, json!([]));
}

#[tokio::test]
async fn the_items_and_the_protected_route_are_for_the_signed_in() {
    let planner = Planner::start();
    let token = planner.token();
    for path in ["/items", "/items/", "/protected", "/protected/"] {
        assert_eq!(planner.read(path, "").await.status, 401);
        assert_eq!(planner.read(path, "Bearer xyz").await.body["code"], "malformed");
    }
    let items = planner.read("/items/", &token).await;
    assert_eq!(items.body, json!({ "user_id": "hong", "items": ["Foo", "Bar", "Baz"] }));
    let protected = planner.read("/protected", &token).await;
    assert_eq!(protected.body, json!({ "message": "Protected route" }));
}

#[tokio::test]
async fn the_figures_are_for_administrators() {
    let planner = Planner::start();
    planner.add(&planner.token(), &event()).await;
    assert_eq!(planner.read("/admin/stats", "").await.status, 401);

    let refused = planner.read("/admin/stats", &planner.token()).await;
    assert_eq!(refused.status, 403);
    assert!(refused.challenge().starts_with("Bearer error=\"insufficient_scope\""));

    let admin = planner.issuer.bearer("kim").role("admin").to_string();
    let stats = planner.read("/admin/stats", &admin).await;
    assert_eq!((stats.status, &stats.body["data"]), (StatusCode::OK, &json!("1 events")));
}

#[tokio::test]
async fn clients_learn_whom_the_planner_trusts() {
    let planner = Planner::start();
    let metadata = planner.read("/.well-known/oauth-protected-resource", "").await;
    assert_eq!(metadata.body["resource"], "http://localhost:8001");
    assert_eq!(metadata.body["authorization_servers"], json!(["https://issuer.test"]));
}

#[tokio::test]
async fn it_is_ready_while_good_tokens_pass() {
    let planner = Planner::start();
    let ready = planner.read("/readyz", "").await;
    assert_eq!((ready.status, ready.body), (StatusCode::OK, json!({ "status": "ok" })));

    let strict = [&CLIENT[..], &["--revocations", "strict"]].concat();
    let strict = crate::verifier(&options(&strict).unwrap(), Some("secret")).unwrap();
    let app = app(&strict, Events::open(":memory:".as_ref()).unwrap());
    let request = Request::get("/readyz").body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), 503, "it knows nothing yet");
}

/// Nobody listens at the issuer.
const CLIENT: [&str; 6] =
    ["--issuer", "http://127.0.0.1:9", "--client-id", "a", "--client-secret-file", "b"];

fn options(words: &[&str]) -> Result<Options, String> {
    let words = ["planner"].iter().chain(words);
    Options::try_parse_from(words).map_err(|wrong| wrong.to_string())
}

#[test]
fn how_it_follows_what_is_revoked_is_said_with_the_client() {
    let followed = |more: &[&str]| {
        let options = options(&[&CLIENT[..], more].concat()).unwrap();
        options.followed()
    };
    let strict = |seconds| {
        let max_staleness = std::time::Duration::from_secs(seconds);
        Revocations::Strict { max_staleness }
    };
    assert_eq!(followed(&[]), Revocations::BestEffort);
    assert_eq!(followed(&["--revocations", "off"]), Revocations::Off);
    assert_eq!(followed(&["--revocations", "best_effort"]), Revocations::BestEffort);
    assert_eq!(followed(&["--revocations", "strict"]), strict(30));
    let bound = ["--revocations", "strict", "--max-staleness-seconds", "5"];
    assert_eq!(followed(&bound), strict(5));

    for (words, told) in [
        (["--revocations", "sometimes"], "[possible values: off, best_effort, strict]"),
        (["--max-staleness-seconds", "4"], "4 is not in 5..=3600"),
        (["--max-staleness-seconds", "soon"], "invalid value 'soon'"),
    ] {
        let wrong = options(&[&CLIENT[..], &words].concat()).err().unwrap();
        assert!(wrong.contains(told), "{wrong}");
    }
    for mode in ["best_effort", "strict"] {
        let wrong = options(&["--revocations", mode]).err().unwrap();
        assert!(wrong.contains("--client-id <CLIENT_ID>"), "{wrong}");
    }
}
