//! Which answers a page of another origin may read (WB-03 of the attack kit): those that need no
//! cookie, and no others.

use axum::body::Body;
use http::{Method, Request};
use munjigi_server::{Mode, Route, page_routes, routes};

use crate::harness::{Answer, MINJI, TestApp};

/// What an application in a page calls.
const SHARED: [&str; 9] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/oauth2/token",
    "/oauth2/par",
    "/oauth2/revoke",
    "/oauth2/userinfo",
    "/oauth2/register",
    "/oauth2/register/{client_id}",
];
const ORIGINS: [&str; 5] = [
    "https://spa.example",
    "null",
    "http://localhost:8000.evil.example",
    "http://localhost:8000",
    "https://evil.example",
];

async fn from(app: &TestApp, origin: &str, method: &str, path: &str) -> Answer {
    let method: Method = method.parse().unwrap();
    let request = Request::builder().method(method).uri(path.replace(['{', '}', '*'], "x"));
    let request = request.header("origin", origin).header("cookie", "a=b");
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn wb_03_only_answers_that_need_no_cookie_are_for_pages_of_other_origins() {
    let app = TestApp::start().await;
    let every = routes(Mode::Dev).into_iter().chain(page_routes(Mode::Dev));
    let mut shared = 0;
    for Route { method, path } in every {
        // The API's description says so itself, as it always did.
        if path == "/openapi.json" {
            continue;
        }
        for origin in ORIGINS {
            let answer = from(&app, origin, method, path).await;
            let allowed = answer.header("access-control-allow-origin");
            let expected = SHARED.contains(&path).then_some("*");
            assert_eq!(allowed, expected, "{method} {path} from {origin}: {}", answer.shown());
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
            shared += usize::from(allowed.is_some());
        }
        let asked = from(&app, ORIGINS[0], "OPTIONS", path).await;
        assert_eq!(asked.status == 204, SHARED.contains(&path), "OPTIONS {path}");
    }
    assert!(shared >= SHARED.len() * ORIGINS.len());
}

#[tokio::test]
async fn a_page_of_another_origin_asks_first_and_reads_refusals_too() {
    let app = TestApp::start().await;
    for path in SHARED {
        let answer = from(&app, ORIGINS[0], "OPTIONS", path).await.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let headers = answer.header("access-control-allow-headers").unwrap();
        for needed in
            ["authorization", "content-type", "dpop", "mcp-protocol-version", "x-requested-with"]
        {
            assert!(headers.contains(needed), "{path}: {headers}");
        }
        assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    }
    let form = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", "x")];
    let refused = app.form("/oauth2/token", &form).await.expect(400);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    let refused = app.get("/oauth2/userinfo").await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    let exposed = refused.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("www-authenticate") && exposed.contains("dpop-nonce"));
    let tokens = app.sign_in(MINJI).await;
    let told = app.read_as("/oauth2/userinfo", &tokens.access).await;
    assert_eq!(told.header("access-control-allow-origin"), Some("*"));
    let mine = app.read_as("/api/v1/users/me", &tokens.access).await.expect(200);
    assert_eq!(mine.header("access-control-allow-origin"), None);
}
