//! The account API: signing up and in, one's own account, password and sessions.

use axum::body::Body;
use http::{Method, Request};
use munjigi_core::account::{Argon2Params, Password};
use munjigi_server::Hashing;
use munjigi_store::each_backend;
use serde_json::{Value, json};

use crate::cast::{PASSWORD, subject};
use crate::harness::{Answer, JUN, MINJI, TestApp};

const SIGN_UP: &str = "/api/v1/users/signup";
const SIGN_IN: &str = "/api/v1/users/signin";
const ME: &str = "/api/v1/users/me";
const MY_PASSWORD: &str = "/api/v1/users/me/password";
const MY_SESSIONS: &str = "/api/v1/users/me/sessions";

/// Where the errors of a 422 or 409 point.
fn pointers(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

/// Status, body and headers, without what is different for every request.
fn all_that_is_told(answer: &Answer) -> String {
    let mut headers = answer.headers.clone();
    headers.remove("x-request-id");
    format!("{} {headers:?}", answer.shown())
}

/// The shape that outside programs depend on.
#[tokio::test]
async fn a_sign_up_is_answered_with_the_account() {
    let app = TestApp::start().await;
    let body = json!({
        "email": "Gil.Dong@Test.COM",
        "password": PASSWORD,
        "username": "고길동",
        "name": "고 길동",
        "locale": "ko-kr",
    });

    let made = app.post(SIGN_UP, body).await.expect(201);

    let shown = made.json();
    assert_eq!(shown["email"], "Gil.Dong@test.com", "the domain has no case, the rest is theirs");
    assert_eq!((&shown["username"], &shown["name"]), (&json!("고길동"), &json!("고 길동")));
    assert_eq!((&shown["locale"], &shown["roles"]), (&json!("ko-KR"), &json!(["user"])));
    assert_eq!(shown["email_verified"], false);
    assert_eq!(shown["created_at"], "2026-01-01T00:00:00Z");
    assert!(shown.get("password").is_none() && shown.get("disabled_at").is_none());
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let bare = json!({"email": "bare@test.com", "password": PASSWORD, "name": null});
    assert_eq!(app.post(SIGN_UP, bare).await.expect(201).json()["username"], Value::Null);
}

/// Each field says what it does not take, and is named; two wrong fields are named at once.
#[tokio::test]
async fn each_field_of_a_sign_up_is_checked_and_named() {
    let app = TestApp::start().await;
    let long = "x".repeat(2_000);
    for (name, value) in [
        ("email", json!(null)),
        ("email", json!(7)),
        ("email", json!("")),
        ("email", json!("nobody")),
        ("email", json!("a@b@c.example")),
        ("email", json!(" a@b.example")),
        ("email", json!("a\u{ff20}b\u{ff20}c.example")),
        ("email", json!(format!("{long}@b.example"))),
        ("password", json!(null)),
        ("password", json!(["a"])),
        ("password", json!("seven77")),
        ("password", json!("x".repeat(257))),
        ("username", json!("a@b.example")),
        ("username", json!("a\u{ff20}b.example")),
        ("username", json!("p\u{430}ypal")),
        ("username", json!("")),
        ("username", json!("a b")),
        ("username", json!("x".repeat(65))),
        ("username", json!({})),
        ("name", json!("a\nb")),
        ("name", json!("\u{202e}nimda")),
        ("name", json!("x".repeat(201))),
        ("name", json!(true)),
        ("locale", json!("english please")),
        ("locale", json!(1)),
    ] {
        let mut body = json!({"email": "new@test.com", "password": PASSWORD, "username": "new"});
        body[name] = value.clone();
        let refused = app.post(SIGN_UP, body).await;
        assert_eq!(refused.status.as_u16(), 422, "{name} {value}: {}", refused.shown());
        assert_eq!(pointers(&refused), [format!("/{name}")], "{value}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    }
    let both = json!({"email": "x", "username": "a@b"});
    let both = app.post(SIGN_UP, both).await.expect(422);
    assert_eq!(pointers(&both), ["/email", "/password", "/username"]);
}

/// LG-04: a password that everybody guesses is refused with the reason, before anything is hashed.
#[tokio::test]
async fn a_common_password_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    let body = json!({"email": "new@test.com", "password": "password1"});

    let refused = app.post(SIGN_UP, body).await.expect(422);

    let error = &refused.json()["errors"][0];
    assert_eq!(error["code"], "password_common");
    assert!(error["detail"].as_str().unwrap().starts_with("Many people use this password"));
    for (password, username) in [
        ("new@test.com", None),
        ("haneul-93", Some("haneul")),
        ("HANEUL!!!", Some("haneul")),
        ("munjigi-1", None),
        ("문지기문지기12", None),
    ] {
        let body = json!({"email": "new@test.com", "password": password, "username": username});
        let refused = app.post(SIGN_UP, body).await.expect(422);
        let code = &refused.json()["errors"][0]["code"];
        assert_eq!(code, "password_contains_context", "{password}");
    }
}

each_backend! {
    /// A name is taken in each of its spellings, and by those that look like it.
    async fn a_taken_address_or_name_is_a_conflict(database) {
        let app = TestApp::start_with(&database).await;
        for (email, username, pointer) in [
            ("minji@demo.local", "fresh", "/email"),
            ("MINJI@Demo.Local", "fresh", "/email"),
            ("\u{ff4d}inji@demo.local", "fresh", "/email"),
            ("new@test.com", "minji", "/username"),
            ("new@test.com", "MinJi", "/username"),
            ("new@test.com", "rninji", "/username"),
            ("new@test.com", "\u{ff4d}inji", "/username"),
        ] {
            let body = json!({"email": email, "password": PASSWORD, "username": username});
            let refused = app.post(SIGN_UP, body).await;
            assert_eq!(refused.status.as_u16(), 409, "{email} {username}: {}", refused.shown());
            assert_eq!(pointers(&refused), [pointer]);
        }
        app.sign_up("new@test.com", PASSWORD).await;
    }

    /// Of many who want one address at once, one gets it, and nobody sees a failure.
    async fn of_many_sign_ups_at_once_one_gets_the_address(database) {
        let app = TestApp::start_with(&database).await;
        let mut under_way = Vec::new();
        for number in 0..8 {
            let app = app.clone();
            let email = if number % 2 == 0 { "race@test.com" } else { "RACE@test.com" };
            let body = json!({"email": email, "password": PASSWORD});
            under_way.push(tokio::spawn(async move { app.post(SIGN_UP, body).await.status }));
        }
        let mut seen = Vec::new();
        for answer in under_way {
            seen.push(answer.await.unwrap().as_u16());
        }
        seen.sort_unstable();
        assert_eq!(seen, [201, 409, 409, 409, 409, 409, 409, 409]);
    }

    /// AD-09: who comes back under an old name is somebody else.
    async fn a_deleted_and_recreated_account_is_another_one(database) {
        let app = TestApp::start_with(&database).await;
        let old = app.sign_in(MINJI).await;
        app.advance(1);
        let farewell = json!({"password": MINJI.1});
        app.call(Method::DELETE, ME, &old.access, farewell).await.expect(204);
        app.read_as(ME, &old.access).await.expect(401);
        let gone = json!({"email": MINJI.0, "password": MINJI.1});
        app.post(SIGN_IN, gone).await.expect(401);

        let body = json!({"email": MINJI.0, "password": PASSWORD, "username": "minji"});
        let made = app.post(SIGN_UP, body).await.expect(201);

        assert_ne!(made.text("/id"), subject(&old.access));
        app.read_as(ME, &old.access).await.expect(401);
        app.read_as("/oauth2/userinfo", &old.access).await.expect(401);
        app.advance(1);
        app.refresh(&old.refresh).await.expect(400);
        let new = app.sign_in((MINJI.0, PASSWORD)).await;
        assert_eq!(subject(&new.access), made.text("/id"));
        let trail = app.trail(&subject(&old.access)).await;
        assert_eq!(trail[..2], ["refresh_refused", "user_deleted"]);
    }

    /// S1: hashes of other systems are verified, and replaced by Argon2id at the sign-in. The
    /// first two were made by libxcrypt.
    async fn bcrypt_hashes_are_verified_and_upgraded(database) {
        let app = TestApp::start_with(&database).await;
        let own = bcrypt::hash("imported-by-the-test", 4).unwrap();
        for (password, hash) in [
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("rasmuslerdorf", "$2y$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTpOq"),
            ("imported-by-the-test", own.as_str()),
        ] {
            let user = subject(&app.sign_in(JUN).await.access);
            app.import_hash(&user, hash).await;
            for wrong in ["wrong-password", "", "nul\u{0}nul", &"x".repeat(300)] {
                let body = json!({"email": JUN.0, "password": wrong});
                app.post(SIGN_IN, body).await.expect(401);
            }
            assert_eq!(app.stored_hash(&user).await, hash, "a wrong guess changes nothing");

            app.sign_in((JUN.0, password)).await;

            let upgraded = app.stored_hash(&user).await;
            assert!(upgraded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{upgraded}");
            app.sign_in((JUN.0, password)).await;
            assert_eq!(app.stored_hash(&user).await, upgraded, "once is enough");
            let hash = app.app.hashing.hash(Password::parse(JUN.1.to_owned()).unwrap()).await;
            app.import_hash(&user, &hash.unwrap().to_string()).await;
        }
    }

    /// LG-05: a stolen access token is no way to guess on, and a guess here counts there.
    async fn a_password_change_and_a_sign_in_share_one_budget_of_guesses(database) {
        let app = TestApp::start_with(&database).await;
        let tokens = app.sign_in(MINJI).await;
        for _ in 0..5 {
            let body = json!({"current_password": "a-wrong-guess", "new_password": PASSWORD});
            let refused = app.call(Method::POST, MY_PASSWORD, &tokens.access, body).await;
            assert_eq!(pointers(&refused.expect(422)), ["/current_password"]);
        }
        let body = json!({"current_password": MINJI.1, "new_password": PASSWORD});
        let refused = app.call(Method::POST, MY_PASSWORD, &tokens.access, body).await.expect(429);
        assert!(refused.header("retry-after").is_some());
        for name in [json!({"email": MINJI.0}), json!({"username": "MINJI"})] {
            let mut body = name;
            body["password"] = json!(MINJI.1);
            app.post(SIGN_IN, body).await.expect(429);
        }
        app.advance(2);
        app.sign_in(MINJI).await;
        let trail = app.trail(&subject(&tokens.access)).await;
        let refused = trail.iter().filter(|kind| *kind == "sign_in_refused").count();
        // Five wrong ones, and three that nobody looked at: by token, by address and by name.
        assert_eq!(refused, 8, "{trail:?}");
    }

    /// A stolen access token ends no account, and is no way to guess the password either.
    async fn an_account_is_deleted_with_its_password_alone(database) {
        let app = TestApp::start_with(&database).await;
        let tokens = app.sign_in(MINJI).await;
        let delete = async |body: Value| app.call(Method::DELETE, ME, &tokens.access, body).await;
        for (body, code) in [
            (json!({}), "missing"),
            (json!({"password": null}), "missing"),
            (json!({"password": "a-wrong-guess"}), "wrong_password"),
            (json!({"password": ""}), "wrong_password"),
        ] {
            let refused = delete(body).await.expect(422);
            assert_eq!(refused.text("/errors/0/code"), code);
            assert_eq!(pointers(&refused), ["/password"]);
        }
        let refused = app.act_as(Method::DELETE, ME, &tokens.access).await.expect(422);
        assert_eq!(refused.text("/errors/0/code"), "missing");
        let trail = app.trail(&subject(&tokens.access)).await;
        assert_eq!(trail.iter().filter(|kind| *kind == "sign_in_refused").count(), 2);
        for _ in 0..3 {
            delete(json!({"password": "a-wrong-guess"})).await.expect(422);
        }
        delete(json!({"password": MINJI.1})).await.expect(429);
        app.read_as(ME, &tokens.access).await.expect(200);
        app.advance(60);

        delete(json!({"password": MINJI.1})).await.expect(204);

        app.read_as(ME, &tokens.access).await.expect(401);
        assert_eq!(app.trail(&subject(&tokens.access)).await[0], "user_deleted");
    }

    /// Who signs in without a password has none to show.
    async fn an_account_without_a_password_is_deleted_without(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let body = json!({"email": "guest@cast.example"});
        let guest = app.call(Method::POST, "/api/v1/admin/users", &admin, body).await;
        let tokens = app.sign_in_like(&guest.text("/id"), &admin).await;

        app.act_as(Method::DELETE, ME, &tokens.access).await.expect(204);

        app.read_as(ME, &tokens.access).await.expect(401);
    }

    /// SS-02, ASVS 7.4.3: whoever else is signed in may be the reason for the change.
    async fn a_new_password_ends_every_other_session_and_keeps_this_one(database) {
        let app = TestApp::start_with(&database).await;
        let other = app.sign_in(MINJI).await;
        let mine = app.sign_in(MINJI).await;
        app.advance(1);
        let body = json!({"current_password": MINJI.1, "new_password": PASSWORD});

        app.call(Method::POST, MY_PASSWORD, &mine.access, body).await.expect(204);

        app.read_as(ME, &mine.access).await.expect(200);
        let mine = app.refresh(&mine.refresh).await.tokens();
        app.read_as(ME, &mine.access).await.expect(200);
        for path in [ME, "/oauth2/userinfo"] {
            app.read_as(path, &other.access).await.expect(401);
        }
        app.advance(1);
        app.refresh(&other.refresh).await.expect(400);
        app.advance(1);
        app.post(SIGN_IN, json!({"email": MINJI.0, "password": MINJI.1})).await.expect(401);
        app.advance(1);
        app.sign_in((MINJI.0, PASSWORD)).await;
        let trail = app.trail(&subject(&mine.access)).await;
        let told = ["signed_in", "sign_in_refused", "refresh_refused", "password_changed"];
        assert_eq!(trail[..4], told);
    }

    /// Where one is signed in, and a way to end each; nobody else's.
    async fn sessions_are_listed_and_ended_by_their_owner_alone(database) {
        let app = TestApp::start_with(&database).await;
        let first = app.sign_in(MINJI).await;
        app.advance(60);
        let second = app.sign_in(MINJI).await;
        let stranger = app.sign_in(JUN).await;
        let listed = app.read_as(MY_SESSIONS, &second.access).await.expect(200).json();
        let items = listed["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!((&items[0]["current"], &items[1]["current"]), (&json!(true), &json!(false)));
        let id = items[1]["id"].as_str().unwrap();
        let path = format!("{MY_SESSIONS}/{id}");

        app.act_as(Method::DELETE, &path, &stranger.access).await.expect(404);
        app.read_as(ME, &first.access).await.expect(200);
        app.act_as(Method::DELETE, &path, &second.access).await.expect(204);

        app.act_as(Method::DELETE, &path, &second.access).await.expect(404);
        app.read_as(ME, &first.access).await.expect(401);
        app.refresh(&first.refresh).await.expect(400);
        app.read_as(ME, &second.access).await.expect(200);
        let listed = app.read_as(MY_SESSIONS, &second.access).await.expect(200).json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        for nothing in ["x", "00000000-0000-0000-0000-000000000000", "%00"] {
            let path = format!("{MY_SESSIONS}/{nothing}");
            app.act_as(Method::DELETE, &path, &second.access).await.expect(404);
        }
    }
}

/// In `serve` nobody signs up unless it is opened.
#[tokio::test]
async fn a_closed_registration_makes_no_account() {
    let app = TestApp::start().await;
    app.set("registration", "closed").await;
    let body = json!({"email": "new@test.com", "password": PASSWORD});

    let refused = app.post(SIGN_UP, body).await.expect(403);

    assert_eq!(refused.text("/code"), "registration_closed");
    let stats = app.read_as("/api/v1/admin/stats", &app.admin().await).await;
    assert_eq!(stats.json()["users"], 2);
}

/// A person types their address or name as they please.
#[tokio::test]
async fn a_sign_in_takes_the_address_or_the_name_in_any_case() {
    let app = TestApp::start().await;
    for name in [
        json!({"email": "minji@demo.local"}),
        json!({"email": "Minji@DEMO.local"}),
        json!({"username": "minji"}),
        json!({"username": "MINJI"}),
        json!({"username": "\u{ff4d}inji"}),
        json!({"email": "minji"}),
    ] {
        let mut body = name.clone();
        body["password"] = json!(MINJI.1);
        let answer = app.post(SIGN_IN, body).await;
        assert_eq!(answer.status.as_u16(), 200, "{name}: {}", answer.shown());
        assert_eq!(answer.json()["token_type"], "Bearer");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let neither = app.post(SIGN_IN, json!({"password": MINJI.1})).await.expect(422);
    assert_eq!(pointers(&neither), ["/email"]);
    let both = json!({"email": MINJI.0, "username": "minji", "password": MINJI.1});
    assert_eq!(pointers(&app.post(SIGN_IN, both).await.expect(422)), ["/username"]);
}

/// LG-04: the same letters are the same password, however a keyboard sends them, and nothing of a
/// password is cut off or trimmed.
#[tokio::test]
async fn a_password_is_the_same_in_nfc_and_nfd_and_is_never_cut() {
    let app = TestApp::start().await;
    let composed = format!("{} café", "한".repeat(8));
    let apart = format!("{} cafe\u{301}", "\u{1112}\u{1161}\u{11ab}".repeat(8));
    assert_ne!(composed, apart);
    app.sign_up("nfc@test.com", &composed).await;
    app.sign_up("nfd@test.com", &apart).await;
    for email in ["nfc@test.com", "nfd@test.com"] {
        for password in [&composed, &apart] {
            app.sign_in((email, password)).await;
        }
    }
    let (long, spaced) = (format!("{}1", "gate-".repeat(15)), "  spaces count here  ");
    app.sign_up("long@test.com", &long).await;
    app.sign_up("spaced@test.com", spaced).await;
    for (email, wrong) in [
        ("long@test.com", format!("{}2", "gate-".repeat(15))),
        ("long@test.com", "gate-".repeat(15)),
        ("spaced@test.com", spaced.trim().to_owned()),
        ("spaced@test.com", spaced.to_uppercase()),
    ] {
        app.post(SIGN_IN, json!({"email": email, "password": wrong})).await.expect(401);
    }
    app.sign_in(("long@test.com", &long)).await;
    let emoji = "🔑".repeat(256);
    app.sign_up("emoji@test.com", &emoji).await;
    app.sign_in(("emoji@test.com", &emoji)).await;
}

/// A hash under yesterday's parameters is replaced at the sign-in that proves it.
#[tokio::test]
async fn a_cheaper_hash_is_computed_again_when_the_parameters_grew() {
    let app = TestApp::start().await;
    let user = app.sign_up("old@test.com", PASSWORD).await;
    let cheap = Hashing::start(1, Argon2Params { m_kib: 8_192, t: 1, p: 1 }).unwrap();
    let old = cheap.hash(Password::parse(PASSWORD.to_owned()).unwrap()).await.unwrap().to_string();
    app.import_hash(&user, &old).await;
    app.post(SIGN_IN, json!({"email": "old@test.com", "password": "wrong"})).await.expect(401);
    assert_eq!(app.stored_hash(&user).await, old);

    app.sign_in(("old@test.com", PASSWORD)).await;

    let new = app.stored_hash(&user).await;
    assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
    assert!(app.trail(&user).await.contains(&"password_rehashed".to_owned()));
    app.sign_in(("old@test.com", PASSWORD)).await;
}

/// LG-01: whatever the reason for a no, nothing that is told differs.
#[tokio::test]
async fn a_refused_sign_in_tells_nothing_about_the_account() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let disabled = app.make_user(&admin, "disabled", &["user"]).await;
    let path = format!("/api/v1/admin/users/{disabled}/disable");
    app.act_as(Method::POST, &path, &admin).await.expect(204);
    let without = json!({"email": "without@cast.example"});
    app.call(Method::POST, "/api/v1/admin/users", &admin, without).await.expect(201);

    let mut told = Vec::new();
    for (email, password) in [
        (MINJI.0, "wrong-password"),
        ("nobody@cast.example", "wrong-password"),
        ("disabled@cast.example", PASSWORD),
        ("disabled@cast.example", "wrong-password"),
        ("without@cast.example", PASSWORD),
        ("without@cast.example", ""),
        ("not\u{0}an address", "wrong-password"),
        (MINJI.0, &"x".repeat(5_000)),
    ] {
        let answer = app.post(SIGN_IN, json!({"email": email, "password": password})).await;
        told.push(all_that_is_told(&answer.expect(401)));
    }

    told.dedup();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains(r#""www-authenticate": "Bearer""#), "{}", told[0]);
}

/// LG-10, CVE-2021-32677: what a cross-site form can send is not read as JSON.
#[tokio::test]
async fn json_that_does_not_say_so_is_refused() {
    let app = TestApp::start().await;
    let body = json!({"email": MINJI.0, "password": MINJI.1}).to_string();
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json")]
    {
        let mut request = Request::post(SIGN_IN);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        app.send(request.body(Body::from(body.clone())).unwrap()).await.expect(415);
    }
    let request = Request::post(SIGN_IN).header("content-type", "Application/JSON; charset=utf-8");
    app.send(request.body(Body::from(body)).unwrap()).await.expect(200);
}

/// One's own profile: what may be changed, kept, taken away, and what is somebody else's name.
#[tokio::test]
async fn a_profile_is_changed_member_by_member() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    app.advance(5);
    let patch = async |body: Value| app.call(Method::PATCH, ME, &tokens.access, body).await;

    let changed = patch(json!({"name": "김 민지", "locale": "EN"})).await.expect(200).json();
    assert_eq!((&changed["name"], &changed["locale"]), (&json!("김 민지"), &json!("en")));
    assert_eq!(changed["username"], "minji", "what is not said stays");
    assert_eq!(changed["updated_at"], "2026-01-01T00:00:05Z");
    let cleared = patch(json!({"name": null, "username": null})).await.expect(200).json();
    assert_eq!((&cleared["name"], &cleared["username"]), (&Value::Null, &Value::Null));
    app.post(SIGN_IN, json!({"username": "minji", "password": MINJI.1})).await.expect(401);
    patch(json!({"username": "김민지"})).await.expect(200);
    app.post(SIGN_IN, json!({"username": "김민지", "password": MINJI.1})).await.expect(200);

    // LG-09: nobody takes another person's name, or their address as a name.
    assert_eq!(pointers(&patch(json!({"username": "JUN"})).await.expect(409)), ["/username"]);
    assert_eq!(pointers(&patch(json!({"username": JUN.0})).await.expect(422)), ["/username"]);
    let same = app.trail(&subject(&tokens.access)).await.len();
    patch(json!({"username": "김민지"})).await.expect(200);
    patch(json!({})).await.expect(200);
    let trail = app.trail(&subject(&tokens.access)).await;
    assert_eq!(trail.len(), same, "what is like this already is no change");
    assert_eq!(trail.iter().filter(|kind| *kind == "user_updated").count(), 3);
}

/// AD-02, ZD CVE-2026-27946: nobody makes themselves somebody else by a member more.
#[tokio::test]
async fn members_that_nobody_may_set_are_refused_by_name() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    let before = app.read_as(ME, &tokens.access).await.json();
    for (name, value) in [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("id", json!(subject(&app.sign_in(JUN).await.access))),
        ("user_id", json!("x")),
        ("email_verified", json!(true)),
        ("disabled_at", json!(null)),
        ("permissions", json!(["*"])),
    ] {
        let mut body = json!({"email": "new@test.com", "password": PASSWORD});
        body[name] = value.clone();
        let refused = app.post(SIGN_UP, body).await.expect(422);
        assert_eq!(pointers(&refused), [format!("/{name}")]);
        let body = json!({"name": "changed", name: value});
        let refused = app.call(Method::PATCH, ME, &tokens.access, body.clone()).await.expect(422);
        assert_eq!(pointers(&refused), [format!("/{name}")]);
        app.send(crate::harness::json_request(Method::PATCH, ME, None, &body)).await.expect(401);
    }
    // The address changes only once it was proved to be theirs (RC-04).
    let body = json!({"email": "other@test.com"});
    app.call(Method::PATCH, ME, &tokens.access, body).await.expect(422);
    assert_eq!(app.read_as(ME, &tokens.access).await.json(), before);
    let stats = app.read_as("/api/v1/admin/stats", &app.admin().await).await;
    assert_eq!(stats.json()["users"], 2);
}

/// A new password is judged like the first one.
#[tokio::test]
async fn a_weak_new_password_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    for (password, code) in [
        ("password1", "password_common"),
        ("minji-minji", "password_contains_context"),
        ("short", "invalid"),
    ] {
        let body = json!({"current_password": MINJI.1, "new_password": password});
        let refused = app.call(Method::POST, MY_PASSWORD, &tokens.access, body).await.expect(422);
        assert_eq!(pointers(&refused), ["/new_password"]);
        assert_eq!(refused.json()["errors"][0]["code"], code, "{password}");
    }
    app.sign_in(MINJI).await;
}

/// JW-06 of the attack kit: no other kind of token opens an account.
#[tokio::test]
async fn only_a_persons_own_access_token_for_this_server_opens_an_account() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    let own = app.own_token(app.web(), None).await.text("/access_token");
    let elsewhere =
        [("username", "minji"), ("password", MINJI.1), ("resource", "http://localhost:8001")];
    let elsewhere = app.form("/oauth2/token", &elsewhere).await.tokens();
    app.read_as(ME, &own).await.expect(403);
    for token in [&tokens.refresh, &elsewhere.access, &format!("{}x", tokens.access)] {
        app.read_as(ME, token).await.expect(401);
        app.read_as("/api/v1/admin/stats", token).await.expect(401);
    }
    app.refresh(&tokens.access).await.expect(400);
    app.read_as(ME, &tokens.access).await.expect(200);
}

/// `architecture.md`, Passwords and load: what cannot be hashed in time is put off, for accounts
/// that do not exist as well, and nothing else waits for it. LG-02 of the attack kit, by its cause:
/// where everybody costs a hash, no time tells who exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_beyond_what_can_be_hashed_are_put_off_alike() {
    let app = TestApp::start().await;
    let token = app.sign_in(JUN).await.access;
    let mut under_way = Vec::new();
    for number in 0..150 {
        let app = app.clone();
        let body = json!({"username": format!("nobody{number}"), "password": PASSWORD});
        under_way.push(tokio::spawn(async move { app.post(SIGN_IN, body).await }));
    }
    app.get("/.well-known/jwks.json").await.expect(200);
    app.read_as(ME, &token).await.expect(200);

    let mut seen = Vec::new();
    for answer in under_way {
        let answer = answer.await.unwrap();
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some(), "{}", answer.shown());
        }
        seen.push(answer.status.as_u16());
    }

    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [401, 503], "an account that does not exist costs a hash like any other");
    app.sign_in(MINJI).await;
}
