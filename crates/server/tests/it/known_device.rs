//! LG-07: whoever guesses at somebody's password from elsewhere does not keep them out of a browser
//! that they have signed in with before.

use munjigi_store::each_backend;
use serde_json::json;

use crate::harness::{JUN, MINJI, TestApp};
use crate::visitor::Visitor;

const DEVICE: &str = "__Host-munjigi-device";

async fn try_in(visitor: &Visitor, (name, password): (&str, &str)) -> u16 {
    visitor.send("/login", &[("username", name), ("password", password)]).await.status.as_u16()
}

/// Signs in and out with a browser; its device cookie is what is left.
async fn known(app: &TestApp, who: (&str, &str)) -> Visitor {
    let first = Visitor::of(app);
    assert_eq!(try_in(&first, who).await, 303);
    let later = Visitor::of(app);
    later.plant(DEVICE, &first.cookie(DEVICE).expect("the browser is known"));
    later
}

/// Guesses until the account is shut for strangers.
async fn guess(app: &TestApp) {
    let stranger = Visitor::of(app);
    while try_in(&stranger, (MINJI.0, "a-wrong-password")).await != 429 {}
    assert!(stranger.cookie(DEVICE).is_none(), "who failed is not known");
}

each_backend! {
    async fn a_known_browser_is_let_in_while_strangers_are_not(database) {
        let app = TestApp::start_with(&database).await;
        let minji = known(&app, MINJI).await;
        guess(&app).await;

        assert_eq!(try_in(&Visitor::of(&app), MINJI).await, 429, "a browser that nobody knows");
        let body = json!({"email": MINJI.0, "password": MINJI.1});
        app.post("/api/v1/users/signin", body).await.expect(429);
        assert_eq!(try_in(&minji, MINJI).await, 303);
        // That did not open the door for the others.
        assert_eq!(try_in(&Visitor::of(&app), MINJI).await, 429);
    }
}

#[tokio::test]
async fn a_known_browser_has_a_budget_too() {
    let app = TestApp::start().await;
    let minji = known(&app, MINJI).await;
    let mut guesses = 0;
    while try_in(&minji, (MINJI.0, "a-wrong-password")).await != 429 {
        guesses += 1;
        assert!(guesses <= 10, "more than ten");
    }
    assert_eq!(guesses, 10);
    let answer = minji.send("/login", &[("username", MINJI.0), ("password", MINJI.1)]).await;
    assert_eq!(answer.expect(429).header("ratelimit-policy"), Some("\"account\";q=10"));
    assert_eq!(try_in(&Visitor::of(&app), MINJI).await, 303, "strangers have their own");
}

#[tokio::test]
async fn a_browser_is_known_for_its_own_person_and_their_present_password() {
    let app = TestApp::start().await;
    let jun = known(&app, JUN).await;
    let minji = known(&app, MINJI).await;
    let changed = "a-lantern-over-the-han-river";
    let token = app.sign_in(MINJI).await.access;
    app.advance(1);
    let body = json!({"current_password": MINJI.1, "new_password": changed});
    app.call(http::Method::POST, "/api/v1/users/me/password", &token, body).await.expect(204);
    guess(&app).await;

    assert_eq!(try_in(&jun, (MINJI.0, changed)).await, 429, "another person's browser");
    assert_eq!(try_in(&minji, (MINJI.0, changed)).await, 429, "known by a password of before");
    let altered = Visitor::of(&app);
    altered.plant(DEVICE, "AAAA");
    assert_eq!(try_in(&altered, (MINJI.0, changed)).await, 429);
}
