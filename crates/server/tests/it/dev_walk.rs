//! The first page of `munjigi dev`: sign in, see the token, call a protected API, revoke, see the
//! token refused. It exists in `dev` alone.

use http::{Method, Request};

use crate::harness::{Answer, JUN, MINJI, TestApp};
use crate::visitor::{Visitor, start};

/// As far as the access token, as somebody.
async fn signed_in(visitor: &Visitor, who: (&str, &str)) -> Answer {
    let answer = visitor.open("/dev/sign-in").await.expect(303);
    let request = answer.location().unwrap();
    let answer = visitor.open(&request).await;
    let answer = visitor.sign_in(answer, who).await;
    let callback = follow_to(visitor, answer, "/dev/callback").await;
    visitor.open(&callback).await
}

/// Follows redirects until one leads there; where exactly.
async fn follow_to(visitor: &Visitor, mut answer: Answer, path: &str) -> String {
    for _ in 0..6 {
        let to = answer.expect(303).location().unwrap();
        if to.contains(path) {
            return to;
        }
        answer = visitor.open(&to).await;
    }
    panic!("{path} is never reached");
}

async fn step(visitor: &Visitor, action: &str) -> String {
    let answer = visitor.send("/dev/walk", &[("action", action)]).await.expect(303);
    assert_eq!(answer.location().as_deref(), Some("/"));
    visitor.open("/").await.expect(200).page()
}

#[tokio::test]
async fn a_token_is_explained_accepted_revoked_and_refused() {
    let visitor = start().await;
    let page = visitor.open("/").await.expect(200).page();
    assert!(page.contains("demo-minji") && page.contains("/dev/sign-in"));
    assert!(!page.contains("value=\"call\""), "there is no token to call with");

    assert_eq!(signed_in(&visitor, MINJI).await.expect(303).location().as_deref(), Some("/"));
    let page = visitor.open("/").await.expect(200).page();
    for claim in ["alg", "kid", "iss", "sub", "aud", "exp", "iat", "jti", "scope", "sid", "gid"] {
        assert!(page.contains(&format!("<code>{claim}</code>")), "{claim}");
    }
    assert!(!page.contains("claim-") && !page.contains("further information"), "{page}");
    assert!(page.contains("value=\"call\"") && !page.contains("value=\"revoke\""));

    let page = step(&visitor, "call").await;
    assert!(page.contains("200 OK") && page.contains("minji@demo.local"));
    let page = step(&visitor, "revoke").await;
    assert!(page.contains("value=\"call-again\"") && !page.contains("401"));
    let page = step(&visitor, "call-again").await;
    assert!(page.contains("200 OK") && page.contains("401 Unauthorized"));
    assert!(page.contains("the access token was revoked"), "and it says why: {page}");

    let page = step(&visitor, "reset").await;
    assert!(!page.contains("200 OK") && page.contains("/dev/sign-in"));
    assert_eq!(visitor.cookie("__Host-munjigi-dev-walk"), None);
}

#[tokio::test]
async fn an_administrator_sees_another_role_in_the_token() {
    let visitor = start().await;
    signed_in(&visitor, JUN).await.expect(303);
    let page = visitor.open("/").await.expect(200).page();
    assert!(page.contains("[&#34;admin&#34;,&#34;user&#34;]"), "{page}");
}

/// SE-01 of the attack kit: what answers another browser's request is refused, however it comes.
#[tokio::test]
async fn an_answer_that_this_browser_did_not_ask_for_is_refused() {
    let visitor = start().await;
    let request = visitor.open("/dev/sign-in").await.expect(303).location().unwrap();
    let answer = visitor.open(&request).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let callback = follow_to(&visitor, answer, "/dev/callback").await;

    let other = Visitor::of(&visitor.app);
    other.open(&callback).await.expect(400);
    other.open("/dev/sign-in").await.expect(303);
    other.open(&callback).await.expect(400);
    let state = url::Url::parse(&callback).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    visitor.open(&callback.replace(&state, "planted")).await.expect(400);
    visitor.open(&callback.replace("&iss=", "&iss=x")).await.expect(400);
    visitor.open("/dev/callback?code=mj_ac_x").await.expect(400);

    visitor.open(&callback).await.expect(303);
    visitor.open(&callback).await.expect(400);
}

#[tokio::test]
async fn a_step_whose_turn_has_not_come_or_of_another_site_does_nothing() {
    let visitor = start().await;
    for action in ["call", "revoke", "call-again", "reset", "", "x"] {
        assert!(step(&visitor, action).await.contains("/dev/sign-in"), "{action}");
    }
    signed_in(&visitor, MINJI).await.expect(303);
    for action in ["revoke", "call-again", "", "x"] {
        let page = step(&visitor, action).await;
        assert!(page.contains("value=\"call\""), "{action}");
    }
    visitor.send_from("cross-site", "/dev/walk", &[("action", "call")]).await.expect(403);
    assert!(visitor.open("/").await.expect(200).page().contains("value=\"call\""));
}

#[tokio::test]
async fn in_production_there_is_no_walk() {
    let app = TestApp::serving().await;
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/dev/sign-in"),
        (Method::GET, "/dev/callback"),
        (Method::POST, "/dev/walk"),
    ] {
        let request = Request::builder().method(method).uri(path);
        app.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(404);
    }
}
