//! A token that was signed out is refused by a resource server in a process of its own, long before
//! it expires.

use std::time::{Duration, Instant};

use munjigi_e2e::{Dev, Running, curl, get, planner_following, post};
use serde_json::json;

const PLANNER: &str = "http://localhost:8001";

/// A token of minji's that the planner takes.
fn token(dev: &Dev, planner: &Running) -> String {
    let body = json!({"username": "minji", "password": "demo-minji"});
    let signed_in = post(&format!("{}/api/v1/users/signin", dev.issuer), &body, None);
    let token = signed_in.expect(200).text("access_token");
    get(&format!("{}/protected", planner.url()), Some(&token)).expect(200);
    token
}

/// How long the planner still takes the token.
fn until_refused(planner: &Running, token: &str) -> Duration {
    let acknowledged = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = get(&format!("{}/protected", planner.url()), Some(token));
        if answer.status == 401 {
            assert_eq!(answer.text("code"), "revoked");
            assert!(answer.headers["www-authenticate"].contains("invalid_token"));
            return asked.saturating_duration_since(acknowledged);
        }
        assert!(acknowledged.elapsed() < Duration::from_secs(20), "it still passes");
    }
}

#[test]
fn the_planner_refuses_a_token_within_a_second_of_the_sign_out() {
    let dev = Dev::start();
    let planner = planner_following(&dev, PLANNER);
    for round in 0..5 {
        let access = token(&dev, &planner);
        let bearer = format!("Authorization: Bearer {access}");
        let sign_out = format!("{}/api/v1/users/signout", dev.issuer);
        curl(&["-X", "POST", &sign_out, "-H", &bearer]).expect(204);
        let took = until_refused(&planner, &access);
        assert!(took < Duration::from_secs(1), "round {round}: {took:?}");
    }
    // Whoever signs in again is let in again.
    token(&dev, &planner);
}

/// The operator's command line writes into the database; the server, and who follows it, hear.
#[test]
fn the_planner_refuses_whom_an_operator_disabled() {
    let dev = Dev::start();
    let planner = planner_following(&dev, PLANNER);
    let access = token(&dev, &planner);
    dev.cli(&["users", "disable", "minji"]);
    let took = until_refused(&planner, &access);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Best effort: the planner goes on with what it knows while the issuer is gone.
#[test]
fn the_planner_goes_on_while_the_issuer_is_gone() {
    let dev = Dev::start();
    let planner = planner_following(&dev, PLANNER);
    let (living, dead) = (token(&dev, &planner), token(&dev, &planner));
    let bearer = format!("Authorization: Bearer {dead}");
    let sign_out = format!("{}/api/v1/users/signout", dev.issuer);
    curl(&["-X", "POST", &sign_out, "-H", &bearer]).expect(204);
    until_refused(&planner, &dead);

    drop(dev);

    let protected = format!("{}/protected", planner.url());
    get(&protected, Some(&living)).expect(200);
    assert_eq!(get(&protected, Some(&dead)).expect(401).text("code"), "revoked");
}
