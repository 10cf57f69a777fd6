//! LG-05 and LG-07 of the attack kit: a guess at somebody's password is one guess, by whichever
//! name and on whichever path it comes; and no number of them keeps their owner out.

use futures_util::future::join_all;
use http::Method;
use munjigi_core::account::Password;
use munjigi_server::operate::Operator;
use munjigi_store::each_backend;
use serde_json::json;

use crate::harness::{MINJI, TestApp};
use crate::visitor::Visitor;

const SIGN_IN: &str = "/api/v1/users/signin";
const MY_PASSWORD: &str = "/api/v1/users/me/password";
const ME: &str = "/api/v1/users/me";
const DEVICE: &str = "__Host-munjigi-device";
/// How many wrong guesses are looked at without a wait.
const FREE: usize = 5;

/// One guess at Minji's password, by one of the ways to make one; the status of the answer.
async fn guess(app: &TestApp, token: &str, number: usize) -> u16 {
    let names = ["minji", "MINJI", "minji@demo.local", "Minji@Demo.LOCAL", " minji", "minji "];
    let name = names[number % names.len()];
    let member = if name.contains('@') { "email" } else { "username" };
    let wrong = format!("a-wrong-guess-{number}");
    let page = Visitor::of(app);
    let answer = match number % 5 {
        0 => app.post(SIGN_IN, json!({member: name, "password": wrong})).await,
        1 => app.form("/oauth2/token", &[("username", name), ("password", &wrong)]).await,
        2 => page.send("/login", &[("username", name), ("password", &wrong)]).await,
        3 => {
            let body = json!({"current_password": wrong, "new_password": "several-unlike-words"});
            app.call(Method::POST, MY_PASSWORD, token, body).await
        }
        _ => app.call(Method::DELETE, ME, token, json!({"password": wrong})).await,
    };
    answer.status.as_u16()
}

/// LG-05: two hundred at once, by six spellings and on five paths, share one budget.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lg_05_guesses_by_every_name_and_on_every_path_share_one_budget() {
    let app = TestApp::start().await;
    let token = app.sign_in(MINJI).await.access;
    let statuses = join_all((0..200).map(|number| guess(&app, &token, number))).await;

    // What names nobody (a space is part of a name that nobody has) is not about Minji.
    let spaced = |number: &usize| number % 6 > 3 && number % 5 < 3;
    let about_minji = (0..200).filter(|number| !spaced(number));
    let looked_at = about_minji.filter(|number| statuses[*number] != 429).count();
    assert!(looked_at <= FREE + 1, "{looked_at} guesses were looked at: {statuses:?}");
    for name in [json!({"email": MINJI.0}), json!({"username": "minji"})] {
        let mut body = name;
        body["password"] = json!(MINJI.1);
        app.post(SIGN_IN, body).await.expect(429);
    }
}

/// LG-07: a thousand wrong guesses close the door for strangers, even with the right password, on
/// every path; a browser that is known is let in, and so is everybody else's account.
#[tokio::test]
async fn lg_07_a_thousand_guesses_do_not_keep_the_owner_out() {
    let app = TestApp::start().await;
    let fields = [("username", MINJI.0), ("password", MINJI.1)];
    let before = Visitor::of(&app);
    before.send("/login", &fields).await.expect(303);
    let tokens = app.sign_in(MINJI).await;
    // The first ones make the wait long; the others come while it lasts.
    for number in 0..12 {
        let body = json!({"email": MINJI.0, "password": format!("guess-{number}")});
        app.post(SIGN_IN, body).await.expect(401);
        app.advance(120);
    }
    let guess = async |number: u32| {
        let body = json!({"email": MINJI.0, "password": format!("guess-{number}")});
        app.post(SIGN_IN, body).await.status
    };
    let statuses = join_all((12..1_000).map(guess)).await;
    assert!(statuses.iter().all(|status| *status == 429), "{statuses:?}");

    let form = [("username", MINJI.0), ("password", MINJI.1)];
    app.form("/oauth2/token", &form).await.expect(429);
    app.post(SIGN_IN, json!({"email": MINJI.0, "password": MINJI.1})).await.expect(429);
    Visitor::of(&app).send("/login", &fields).await.expect(429);
    app.refresh(&tokens.refresh).await.expect(200);
    let known = Visitor::of(&app);
    known.plant(DEVICE, &before.cookie(DEVICE).unwrap());
    known.send("/login", &fields).await.expect(303);
    app.sign_in(crate::harness::JUN).await;
}

each_backend! {
    /// NIST SP 800-63B-4 §3.2.2: after a hundred wrong guesses in a row a device that is not known
    /// guesses no more, not even rightly, until a month has passed or the password is another one.
    async fn after_a_hundred_wrong_guesses_only_a_device_that_is_known_may_try(database) {
        let app = TestApp::start_with(&database).await;
        let fields = [("username", MINJI.0), ("password", MINJI.1)];
        let home = Visitor::of(&app);
        home.send("/login", &fields).await.expect(303);
        for number in 0..100 {
            app.advance(16 * 60);
            let body = json!({"email": MINJI.0, "password": format!("guess-{number}")});
            app.post(SIGN_IN, body).await.expect(401);
        }

        let right = json!({"email": MINJI.0, "password": MINJI.1});
        app.advance(24 * 60 * 60);
        app.post(SIGN_IN, right.clone()).await.expect(429);
        let known = Visitor::of(&app);
        known.plant(DEVICE, &home.cookie(DEVICE).unwrap());
        known.send("/login", &fields).await.expect(303);
        app.post(SIGN_IN, right.clone()).await.expect(429);

        app.advance(29 * 24 * 60 * 60);
        app.post(SIGN_IN, right).await.expect(200);
    }

    async fn a_new_password_of_an_operator_opens_what_guesses_had_closed(database) {
        let app = TestApp::start_with(&database).await;
        for number in 0..100 {
            let body = json!({"email": MINJI.0, "password": format!("guess-{number}")});
            app.post(SIGN_IN, body).await.expect(401);
            app.advance(16 * 60);
        }
        app.post(SIGN_IN, json!({"email": MINJI.0, "password": MINJI.1})).await.expect(429);
        let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
        let password = Password::parse("a-lantern-over-the-river".to_owned()).unwrap();
        operator.reset_password(MINJI.0, password).await.unwrap();
        operator.close().await;
        let body = json!({"email": MINJI.0, "password": "a-lantern-over-the-river"});
        app.post(SIGN_IN, body).await.expect(200);
    }
}
