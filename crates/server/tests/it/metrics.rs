//! `/metrics`: what it tells, whom, and that nothing of it was chosen by a stranger.

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use munjigi_server::endpoint::metrics::{Scrapers, router};
use munjigi_server::{Mode, page_routes, routes};
use tower::ServiceExt;

use crate::harness::{MINJI, TestApp};
use crate::visitor::{self, request};

/// Reads them as a program that names the server so.
async fn scraped(router: Router, host: &str) -> (StatusCode, String) {
    let request = Request::get("/metrics").header("host", host).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

pub async fn metrics(app: &TestApp) -> String {
    let (status, text) = scraped(router(&app.app, Scrapers::ThisMachine), "127.0.0.1:9464").await;
    assert_eq!(status, 200);
    text
}

/// The value of a sample.
pub fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

#[tokio::test]
async fn what_happens_is_counted() {
    let app = TestApp::start().await;
    let hashed = "munjigi_hashing_wait_seconds_count";
    let hashed_before = sample(&metrics(&app).await, hashed).unwrap();
    let tokens = app.sign_in(MINJI).await;
    app.refresh(&tokens.refresh).await.expect(200);
    app.refresh("mj_rt_nothing").await.expect(400);
    let wrong = serde_json::json!({"email": MINJI.0, "password": "wrong wrong wrong"});
    app.post("/api/v1/users/signin", wrong).await.expect(401);
    app.read_as("/api/v1/users/me", &tokens.access).await.expect(200);
    app.open_registration().await;
    let script = serde_json::json!({"redirect_uris": ["javascript:alert(1)"]});
    app.post("/oauth2/register", script).await.expect(400);

    let text = metrics(&app).await;
    for (name, value) in [
        ("munjigi_tokens_issued_total{grant_type=\"password\"}", 1.0),
        ("munjigi_tokens_issued_total{grant_type=\"refresh_token\"}", 1.0),
        ("munjigi_tokens_issued_total{grant_type=\"device_code\"}", 0.0),
        ("munjigi_oauth_errors_total{error=\"invalid_grant\"}", 1.0),
        ("munjigi_oauth_errors_total{error=\"invalid_redirect_uri\"}", 1.0),
        ("munjigi_sign_ins_total{outcome=\"proved\"}", 1.0),
        ("munjigi_sign_ins_total{outcome=\"refused\"}", 1.0),
        (hashed, hashed_before + 2.0),
        ("munjigi_hashing_shed_total", 0.0),
        ("munjigi_store_up", 1.0),
        ("munjigi_store_queue_depth", 0.0),
        ("munjigi_revocation_followers", 0.0),
        ("munjigi_outbox_depth", 0.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in\n{text}");
    }
    let route = |method: &str, route: &str, status: &str| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        sample(&text, &format!("munjigi_http_requests_total{{{labels}}}"))
    };
    assert_eq!(route("POST", "/oauth2/token", "2xx"), Some(1.0));
    assert_eq!(route("POST", "/oauth2/token", "4xx"), Some(1.0));
    assert_eq!(route("GET", "/api/v1/users/me", "2xx"), Some(1.0));
    for begun in [
        "munjigi_build_info{version=",
        "munjigi_store_commits_total ",
        "munjigi_store_committed_total ",
        "munjigi_store_retries_total ",
        "munjigi_key_active_age_seconds{algorithm=\"ES256\"} ",
        "munjigi_audit_unnumbered ",
        "munjigi_http_request_duration_seconds_bucket{method=\"POST\",route=\"/oauth2/token\",le=",
    ] {
        assert!(text.lines().any(|line| line.starts_with(begun)), "{begun} is not in\n{text}");
    }
}

/// RFC 6749 §4.1.2.1: refusals that a browser carries back to the client count as those in JSON do,
/// each by its code and once.
#[tokio::test]
async fn refusals_that_go_back_by_a_browser_are_counted_by_code() {
    let minji = visitor::start().await;
    let counted = async |code: &str| {
        let name = format!("munjigi_oauth_errors_total{{error=\"{code}\"}}");
        sample(&metrics(&minji.app).await, &name).unwrap_or_default()
    };
    for (name, value, code) in [
        ("prompt", "none", "login_required"),
        ("request", "a.b.c", "request_not_supported"),
        ("scope", "admin\"", "invalid_scope"),
    ] {
        for mode in ["query", "form_post"] {
            let before = counted(code).await;
            let more = [(name, Some(value)), ("response_mode", Some(mode))];
            let answer = minji.open(&request(&more)).await;
            let said = answer.location().unwrap_or_default() + &answer.page();
            assert!(said.contains(code), "{name}: {said}");
            assert_eq!(counted(code).await, before + 1.0, "{name} by {mode}");
        }
    }

    // Somebody who says no, on a page of their own; and a code that goes back is no refusal.
    let answer = minji.open(&request(&[])).await;
    let answer = minji.sign_in(answer, MINJI).await;
    let denied = minji.follow_to_client(answer, "deny").await;
    assert_eq!(denied.brings("error").as_deref(), Some("access_denied"));
    assert_eq!(counted("access_denied").await, 1.0);
    let answer = minji.open(&request(&[])).await;
    let allowed = minji.follow_to_client(answer, "allow").await;
    assert!(allowed.brings("code").is_some());
    let all = metrics(&minji.app).await;
    let refusals = all.lines().filter(|it| it.starts_with("munjigi_oauth_errors_total{"));
    assert_eq!(refusals.count(), 4, "{all}");
}

#[tokio::test]
async fn a_trail_that_falls_behind_is_seen() {
    let app = TestApp::start().await;
    app.sign_in(MINJI).await;
    app.advance(90);
    let text = metrics(&app).await;
    assert!(sample(&text, "munjigi_audit_unnumbered").unwrap() >= 1.0, "{text}");
    assert_eq!(sample(&text, "munjigi_audit_lag_seconds"), Some(90.0));
}

/// Whatever somebody asks for, there are no more series than there are routes.
#[tokio::test]
async fn no_label_holds_what_a_stranger_wrote() {
    let app = TestApp::start().await;
    let canary = "kanarienvogel";
    for path in [
        format!("/{canary}"),
        format!("/assets/{canary}"),
        format!("/oauth2/register/{canary}"),
        format!("/api/v1/admin/users/{canary}?{canary}={canary}"),
        format!("/oauth2/authorize?client_id={canary}&scope={canary}"),
    ] {
        app.get(&path).await;
        let request =
            Request::builder().method("BREW").uri(path.as_str()).header("user-agent", canary);
        app.send(request.body(Body::empty()).unwrap()).await;
    }
    let form = [("grant_type", canary), ("client_id", canary), ("username", canary)];
    app.form("/oauth2/token", &form).await;
    let body = serde_json::json!({"username": canary, "password": canary});
    app.post("/api/v1/users/signin", body).await;
    let method = Method::from_bytes(canary.as_bytes()).unwrap();
    app.act_as(method, "/oauth2/token", canary).await;

    let text = metrics(&app).await;
    assert!(!text.contains(canary), "{text}");
    let declared = routes(Mode::Dev).into_iter().chain(page_routes(Mode::Dev));
    let mut known: Vec<_> = declared.map(|route| route.path).collect();
    known.push("unmatched");
    let labels = text.lines().filter_map(|line| line.split_once("route=\"")?.1.split_once('"'));
    for (route, _) in labels {
        assert!(known.contains(&route), "{route}");
    }
}

#[tokio::test]
async fn metrics_are_never_told_where_everybody_is_answered() {
    for app in [TestApp::start().await, TestApp::serving().await] {
        app.get("/metrics").await.expect(404);
    }
}

#[tokio::test]
async fn a_page_whose_name_resolves_to_this_machine_is_told_nothing() {
    let app = TestApp::start().await;
    let (status, text) =
        scraped(router(&app.app, Scrapers::ThisMachine), "evil.example:9464").await;
    assert_eq!((status.as_u16(), text.as_str()), (421, ""));
    let (status, _) = scraped(router(&app.app, Scrapers::Anyone), "munjigi.internal:9464").await;
    assert_eq!(status, 200);
}
