//! The story of the tutorials, with their own curl steps.

use std::time::Duration;

use munjigi_e2e::{Dev, curl, form, get, planner, post};
use serde_json::json;

const PLANNER: &str = "http://localhost:8001";

/// The event of the tutorial, to the letter.
fn event() -> serde_json::Value {
    json!({
        "title": "첫번째 타이틀",
        "image": "https://dummyimage.com/200x200/ccc/ff0.png?text=sample",
        "description": "첫번째 샘플 이벤트 입니다.",
        "tags": ["python", "fastapi", "sample"],
        "location": "Google Doc"
    })
}

#[test]
fn the_curl_steps_of_the_tutorials_work() {
    let dev = Dev::start();
    let planner = planner(&dev.issuer, PLANNER, 30);
    let users = format!("{}/api/v1/users", dev.issuer);
    let events = format!("{}/events", planner.url());

    // 회원가입. The tutorial's own password is refused, with the reason.
    let account = |password: &str| {
        let (email, username) = ("hong@test.com", "홍길동");
        json!({"email": email, "password": password, "username": username})
    };
    let weak = post(&format!("{users}/signup"), &account("password"), None).expect(422);
    assert_eq!(weak.json()["errors"][0]["pointer"], "/password");
    let made = post(&format!("{users}/signup"), &account("길동이의-비밀번호"), None).expect(201);
    assert_eq!(made.text("username"), "홍길동");
    post(&format!("{users}/signup"), &account("길동이의-비밀번호"), None).expect(409);

    // 로그인.
    let credentials = json!({"email": "hong@test.com", "password": "길동이의-비밀번호"});
    let tokens = post(&format!("{users}/signin"), &credentials, None).expect(200);
    assert_eq!(tokens.text("token_type"), "Bearer");
    let access = tokens.text("access_token");
    let wrong = json!({"email": "hong@test.com", "password": "wrong-password"});
    let unknown = json!({"email": "nobody@test.com", "password": "wrong-password"});
    let wrong = post(&format!("{users}/signin"), &wrong, None).expect(401);
    let unknown = post(&format!("{users}/signin"), &unknown, None).expect(401);
    assert_eq!(wrong.text("detail"), unknown.text("detail"));

    // Authorization 헤더 없이, 잘못된 토큰으로, 정상적인 토큰으로.
    let nothing = post(&events, &event(), None).expect(401);
    assert!(nothing.headers["www-authenticate"].starts_with("Bearer"));
    assert!(!nothing.headers["www-authenticate"].contains("error="));
    let malformed = post(&events, &event(), Some("xyz")).expect(401);
    assert!(malformed.headers["www-authenticate"].contains(r#"error="invalid_token""#));
    post(&events, &event(), Some(&access)).expect(201);
    let listed = get(&events, None).expect(200);
    assert_eq!(listed.json()[0]["title"], "첫번째 타이틀");
    assert_eq!(listed.json()[0]["owner"], made.json()["id"]);
    let mut forged = event();
    forged["user_id"] = json!("somebody-else");
    post(&events, &forged, Some(&access)).expect(422);
    assert_eq!(get(&events, None).json().as_array().unwrap().len(), 1);

    // The other routes of the tutorials.
    let base = planner.url();
    let items = get(&format!("{base}/items/"), Some(&access)).expect(200);
    assert_eq!(items.json()["user_id"], made.json()["id"]);
    get(&format!("{base}/protected"), None).expect(401);
    get(&format!("{base}/protected"), Some(&access)).expect(200);
    for stats in [format!("{base}/admin/stats"), format!("{}/api/v1/admin/stats", dev.issuer)] {
        get(&stats, None).expect(401);
        get(&stats, Some(&access)).expect(403);
        let admin = json!({"username": "jun", "password": "demo-jun"});
        let admin = post(&format!("{users}/signin"), &admin, None).expect(200);
        get(&stats, Some(&admin.text("access_token"))).expect(200);
    }

    // 로그아웃: the refresh token is refused, and the account API at once.
    let me = format!("{users}/me");
    assert_eq!(get(&me, Some(&access)).expect(200).json()["id"], made.json()["id"]);
    let bearer = format!("Authorization: Bearer {access}");
    curl(&["-X", "POST", &format!("{users}/signout"), "-H", &bearer]).expect(204);
    get(&me, Some(&access)).expect(401);
    let refresh = tokens.text("refresh_token");
    let again = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let refused = form(&format!("{}/oauth2/token", dev.issuer), &again).expect(400);
    assert_eq!(refused.text("error"), "invalid_grant");
}

/// FastAPI's OAuth2PasswordRequestForm, with and without `grant_type`.
#[test]
fn the_password_form_of_fastapi_works() {
    let dev = Dev::start();
    let token = format!("{}/oauth2/token", dev.issuer);
    let full = [
        ("grant_type", "password"),
        ("username", "minji@demo.local"),
        ("password", "demo-minji"),
        ("scope", ""),
        ("client_id", ""),
        ("client_secret", ""),
    ];
    assert_eq!(form(&token, &full).expect(200).text("token_type"), "Bearer");
    let short = [("username", "minji"), ("password", "demo-minji")];
    let access = form(&token, &short).expect(200).text("access_token");
    let me = get(&format!("{}/oauth2/userinfo", dev.issuer), Some(&access)).expect(200);
    assert_eq!(me.text("preferred_username"), "minji");
    let wrong = [("username", "minji"), ("password", "not-this-one")];
    assert_eq!(form(&token, &wrong).expect(400).text("error"), "invalid_grant");
}

/// A token of one second, at a planner that allows no leeway.
#[test]
fn an_expired_token_is_refused() {
    let dev = Dev::start();
    let admin = json!({"username": "jun", "password": "demo-jun"});
    let admin = post(&format!("{}/api/v1/users/signin", dev.issuer), &admin, None).expect(200);
    let api =
        json!({"audience": "https://short.example", "name": "Short", "access_ttl_seconds": 1});
    let apis = format!("{}/api/v1/admin/apis", dev.issuer);
    post(&apis, &api, Some(&admin.text("access_token"))).expect(201);
    let short = planner(&dev.issuer, "https://short.example", 0);
    let asked =
        [("username", "minji"), ("password", "demo-minji"), ("resource", "https://short.example")];
    let answer = form(&format!("{}/oauth2/token", dev.issuer), &asked).expect(200);
    assert_eq!(answer.json()["expires_in"], 1);
    let access = answer.text("access_token");

    std::thread::sleep(Duration::from_millis(2_100));

    let refused = get(&format!("{}/protected", short.url()), Some(&access)).expect(401);
    assert!(refused.headers["www-authenticate"].contains("invalid_token"));
    assert_eq!(refused.text("code"), "expired");
}

/// Refresh: the next token; the same one again within the window; the end outside of it.
#[test]
fn an_old_refresh_token_outside_of_the_window_ends_the_grant() {
    let dev = Dev::start();
    let token = format!("{}/oauth2/token", dev.issuer);
    let first = form(&token, &[("username", "minji"), ("password", "demo-minji")]).expect(200);
    let first = first.text("refresh_token");
    let present = |refresh: &str| {
        form(&token, &[("grant_type", "refresh_token"), ("refresh_token", refresh)])
    };

    let second = present(&first).expect(200).text("refresh_token");
    assert_eq!(present(&first).expect(200).text("refresh_token"), second, "a lost reply");
    post(&format!("{}/dev/clock", dev.issuer), &json!({"advance_seconds": 31}), None).expect(200);

    assert_eq!(present(&first).expect(400).text("error"), "invalid_grant");
    assert_eq!(present(&second).expect(400).text("error"), "invalid_grant");
}

/// The command line works on the database of a running server, which obeys at once.
#[test]
fn an_operator_disables_a_user_and_rotates_a_key_while_the_server_runs() {
    let dev = Dev::start();
    let planner = planner(&dev.issuer, PLANNER, 30);
    let sign_in = || {
        let body = json!({"username": "minji", "password": "demo-minji"});
        post(&format!("{}/api/v1/users/signin", dev.issuer), &body, None)
    };
    let before = sign_in().expect(200).text("access_token");
    let key = dev.data.path().join("encryption.key");
    dev.cli(&["keys", "rotate", "--now", "--encryption-key-file", key.to_str().unwrap()]);
    std::thread::sleep(Duration::from_millis(600));
    let after = sign_in().expect(200).text("access_token");
    assert_ne!(before.split('.').next(), after.split('.').next(), "another key signs");
    for token in [&before, &after] {
        get(&format!("{}/protected", planner.url()), Some(token)).expect(200);
    }

    dev.cli(&["users", "disable", "minji"]);

    sign_in().expect(401);
    get(&format!("{}/api/v1/users/me", dev.issuer), Some(&after)).expect(401);
}
