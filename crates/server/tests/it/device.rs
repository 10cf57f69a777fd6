//! Device authorization (RFC 8628): a device without a keyboard, and a person with a browser.

use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::future::join_all;
use http::header::COOKIE;
use http::{Method, Request};
use munjigi_core::oauth::device::StoredUserCode;
use munjigi_server::{Config, jobs};
use munjigi_store::testing::contents;
use munjigi_store::{DatabaseUrl, StoreError, devices, each_backend};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims, config};
use crate::possession::Holder;
use crate::visitor::Visitor;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SESSION: &str = "__Host-munjigi-session";
/// What is said of a code of nobody's, of one that is over, and of one that is somebody else's.
const UNKNOWN: &str = "We don&#39;t know this code, or its time is up.";

/// A server with a television.
async fn start() -> TestApp {
    with_television(TestApp::start().await).await
}

async fn with_television(app: TestApp) -> TestApp {
    app.app.ensure_rsa_key().await.unwrap();
    make_client(&app, "tv", "openid profile offline_access").await;
    app
}

/// A public client that lets people in by a device.
async fn make_client(app: &TestApp, id: &str, scope: &str) {
    let body = json!({
        "client_id": id,
        "name": format!("Living room <{id}>"),
        "grant_types": [GRANT, "refresh_token"],
        "token_endpoint_auth_method": "none",
        "scope": scope,
    });
    let admin = app.admin().await;
    app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await.expect(201);
}

/// What a device was told.
struct Television {
    app: TestApp,
    device_code: String,
    user_code: String,
    complete: String,
}

impl Television {
    async fn ask(app: &TestApp) -> Self {
        let answer = app.form("/oauth2/device_authorization", &[("client_id", "tv")]).await;
        Self::told(app, &answer.expect(200))
    }

    fn told(app: &TestApp, answer: &Answer) -> Self {
        Self {
            app: app.clone(),
            device_code: answer.text("/device_code"),
            user_code: answer.text("/user_code"),
            complete: answer.text("/verification_uri_complete"),
        }
    }

    async fn poll(&self) -> Answer {
        self.poll_as("tv").await
    }

    async fn poll_as(&self, client_id: &str) -> Answer {
        let form = [
            ("grant_type", GRANT),
            ("client_id", client_id),
            ("device_code", self.device_code.as_str()),
        ];
        self.app.form("/oauth2/token", &form).await
    }

    /// What a poll is refused with.
    async fn refusal(&self) -> String {
        self.poll().await.expect(400).text("/error")
    }

    /// Somebody presses a button beside its code.
    async fn press(&self, visitor: &Visitor, action: &str) -> Answer {
        visitor.send("/device", &[("user_code", &self.user_code), ("action", action)]).await
    }
}

/// A browser with which somebody is signed in.
async fn signed_in(app: &TestApp, who: (&str, &str)) -> Visitor {
    let visitor = Visitor::of(app);
    let answer = visitor.open("/account").await;
    visitor.sign_in(answer, who).await;
    visitor
}

/// The events of the trail: kind, outcome, reason.
async fn trail(app: &TestApp) -> Vec<(String, String)> {
    use munjigi_store::audit::{self, AuditFilter};
    let page = munjigi_store::page::Page::first(100);
    let listed = app.app.store.read(move |tx| audit::list(tx, &page, &AuditFilter::default()));
    let reason = |detail: &Value| detail["reason"].as_str().unwrap_or_default().to_owned();
    let items = listed.await.unwrap().items.into_iter();
    items.map(|it| (it.kind.to_string(), reason(&json!(it.detail)))).collect()
}

#[tokio::test]
async fn a_device_is_let_in_by_a_person_who_signs_in_elsewhere() {
    let app = start().await;
    let answer = app.form("/oauth2/device_authorization", &[("client_id", "tv")]).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.json();
    assert_eq!((&told["expires_in"], &told["interval"]), (&json!(600), &json!(5)));
    assert_eq!(told["verification_uri"], json!(format!("{ISSUER}/device")));
    let tv = Television::told(&app, &answer);
    assert_eq!(tv.complete, format!("{ISSUER}/device?user_code={}", tv.user_code));
    assert!(tv.device_code.starts_with("mj_dc_"));
    assert_eq!(tv.refusal().await, "authorization_pending");

    // Who is not signed in signs in, and comes back with the code.
    let minji = Visitor::of(&app);
    let answer = minji.open(&tv.complete).await.expect(303);
    let answer = minji.sign_in(answer, MINJI).await;
    let page = minji.follow(answer).await.expect(200).page();
    assert!(page.contains(&format!("value=\"{}\"", tv.user_code)), "{page}");
    let page = tv.press(&minji, "continue").await.expect(200).page();
    assert!(page.contains("Living room &#60;tv&#62;") && page.contains(&tv.user_code), "{page}");
    let page = tv.press(&minji, "allow").await.expect(200).page();
    assert!(page.contains("Your device is signed in"), "{page}");

    app.advance(5);
    let answer = tv.poll().await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (id_token, access) =
        (claims(&answer.text("/id_token")), claims(&answer.text("/access_token")));
    assert_eq!((&id_token["aud"], &access["client_id"]), (&json!("tv"), &json!("tv")));
    assert_eq!((&id_token["sub"], &id_token["sid"]), (&access["sub"], &access["sid"]));
    assert_eq!(access["scope"], json!("offline_access openid profile"));
    assert!(id_token.get("nonce").is_none() && id_token["auth_time"].is_i64());
    let tokens = answer.tokens();
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "tv"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    app.form("/oauth2/token", &form).await.expect(200);

    let kinds: Vec<_> = trail(&app).await.into_iter().map(|(kind, _)| kind).collect();
    for kind in ["device_asked", "device_allowed", "tokens_issued"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind} in {kinds:?}");
    }
}

/// The session in which a device was let in, when it ends, ends what the device has.
#[tokio::test]
async fn a_device_is_signed_out_with_the_session_that_let_it_in() {
    let app = start().await;
    let tv = Television::ask(&app).await;
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    tv.press(&minji, "allow").await.expect(200);
    let tokens = tv.poll().await.tokens();
    let shown = minji.open("/account/applications").await.expect(200).page();
    assert!(shown.contains("Living room &#60;tv&#62;"), "{shown}");
    let sid = claims(&tokens.access)["sid"].as_str().unwrap().to_owned();
    let owner = app.sign_in(MINJI).await;
    let path = format!("/api/v1/users/me/sessions/{sid}");
    app.act_as(Method::DELETE, &path, &owner.access).await.expect(204);
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
}

/// DV-01 of the attack kit, KC#26100: however little is asked for, and whoever is signed in.
#[tokio::test]
async fn nobody_lets_a_device_in_without_seeing_it_and_pressing_a_button() {
    let app = start().await;
    make_client(&app, "bare", "").await;
    let asked = Request::post("/oauth2/device_authorization")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", "Mozilla/5.0 (Windows NT 10.0) Chrome/120.0")
        .extension(ConnectInfo(std::net::SocketAddr::from(([203, 0, 113, 7], 1))))
        .body(Body::from("client_id=bare"));
    let tv = Television::told(&app, &app.send(asked.unwrap()).await.expect(200));
    let minji = signed_in(&app, MINJI).await;

    let page = minji.open(&tv.complete).await.expect(200).page();
    assert!(!page.contains("Living room"), "an address shows nothing and does nothing: {page}");
    for action in ["allow", "deny"] {
        tv.press(&minji, action).await.expect(422);
    }
    let page = tv.press(&minji, "continue").await.expect(200).page();
    for told in [
        "Living room &#60;bare&#62;",
        "203.0.113.7",
        "Chrome · Windows",
        "1 Jan 2026, 00:00 UTC",
        "recognise you when you come back",
        "value=\"allow\"",
        "value=\"deny\"",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    let pending = async || tv.poll_as("bare").await.expect(400).text("/error");
    assert_eq!(pending().await, "authorization_pending");
    minji.send("/device", &[("user_code", &tv.user_code), ("action", "perhaps")]).await.expect(400);
    app.advance(5);
    assert_eq!(pending().await, "authorization_pending");
    tv.press(&minji, "allow").await.expect(200);
    let answer = tv.poll_as("bare").await.expect(200);
    assert_eq!(answer.text("/scope"), "");
    assert!(answer.json().get("id_token").is_none());
}

#[tokio::test]
async fn a_code_is_taken_as_people_type_it() {
    let app = start().await;
    let minji = signed_in(&app, MINJI).await;
    let tv = Television::ask(&app).await;
    let bare = tv.user_code.replace('-', "");
    for typed in [bare.to_lowercase(), format!(" {} ", tv.user_code), bare.replace("", " ")] {
        minji.send("/device", &[("user_code", &typed)]).await.expect(200);
        let page = minji.open(&filled(&typed)).await.expect(200).page();
        assert!(page.contains(&format!("value=\"{}\"", tv.user_code)), "{typed}");
    }
    for bad in ["<script>", "AAAA-AAAA", &"B".repeat(70)] {
        let page = minji.open(&filled(bad)).await.expect(200).page();
        assert!(page.contains("value=\"\"") && !page.contains("<script"), "{page}");
        minji.send("/device", &[("user_code", bad)]).await.expect(422);
    }
    minji.send("/device", &[("action", "continue")]).await.expect(400);
    assert!(!trail(&app).await.iter().any(|(kind, _)| kind == "user_code_refused"));
}

/// The address of the page with something filled in.
fn filled(typed: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/device?{}", query.append_pair("user_code", typed).finish())
}

/// A code that nobody was given, that is over, that was answered, and that somebody else opened.
#[tokio::test]
async fn nobody_learns_which_codes_there_are() {
    let app = start().await;
    let (minji, jun) = (signed_in(&app, MINJI).await, signed_in(&app, JUN).await);
    let old = Television::ask(&app).await;
    app.advance(601);
    let (answered, theirs) = (Television::ask(&app).await, Television::ask(&app).await);
    answered.press(&minji, "continue").await.expect(200);
    answered.press(&minji, "deny").await.expect(200);
    theirs.press(&jun, "continue").await.expect(200);
    let mut pages = Vec::new();
    for code in ["BBBB-BBBB", &old.user_code, &answered.user_code, &theirs.user_code] {
        for action in ["continue", "allow"] {
            let fields = [("user_code", code), ("action", action)];
            let page = minji.send("/device", &fields).await.expect(422).page();
            assert!(page.contains(UNKNOWN), "{page}");
            pages.push(page.replace(code, "CODE"));
        }
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
}

/// DV-02 of the attack kit (RFC 8628 §5.1).
#[tokio::test]
async fn guesses_at_codes_run_out_for_a_person() {
    let app = start().await;
    let minji = signed_in(&app, MINJI).await;
    let tv = Television::ask(&app).await;
    let guess = async |visitor: &Visitor, number: usize| {
        let letter = ["B", "C", "D", "F", "G", "H", "J", "K", "L", "M", "N"][number];
        visitor.send("/device", &[("user_code", &letter.repeat(8))]).await
    };
    for number in 0..9 {
        guess(&minji, number).await.expect(422);
    }
    // What goes right gives nothing back, or a device of one's own would buy guesses.
    tv.press(&minji, "continue").await.expect(200);
    guess(&minji, 9).await.expect(422);
    let refused = tv.press(&minji, "allow").await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("61"));
    assert!(refused.page().contains("Too many attempts"), "{}", refused.page());
    // Nor does the own password, nor another browser.
    let again = signed_in(&app, MINJI).await;
    guess(&again, 10).await.expect(429);
    assert!(trail(&app).await.contains(&("user_code_refused".into(), "too many attempts".into())));

    let jun = signed_in(&app, JUN).await;
    guess(&jun, 0).await.expect(422);
    app.advance(61);
    tv.press(&minji, "allow").await.expect(200);
    tv.poll().await.expect(200);
}

/// DV-02 and LG-06 of the attack kit: nor do many accounts help, or an address that one makes up.
#[tokio::test]
async fn guesses_at_codes_run_out_for_an_address() {
    let app = start().await;
    let admin = app.admin().await;
    let mut visitors = Vec::new();
    for name in ["a1", "a2", "a3", "a4"] {
        app.make_user(&admin, name, &[]).await;
        let who = (format!("{name}@cast.example"), crate::cast::PASSWORD);
        visitors.push(signed_in(&app, (&who.0, who.1)).await);
    }
    let guess = async |visitor: &Visitor, from: [u8; 4]| {
        let request = Request::post("/device")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", "198.51.100.1")
            .header(COOKIE, format!("{SESSION}={}", visitor.cookie(SESSION).unwrap()))
            .extension(ConnectInfo(std::net::SocketAddr::from((from, 1))))
            .body(Body::from("user_code=BBBB-BBBB"));
        app.send(request.unwrap()).await.status.as_u16()
    };
    for round in 0..30 {
        assert_eq!(guess(&visitors[round / 10], [203, 0, 113, 7]).await, 422, "{round}");
    }
    assert_eq!(guess(&visitors[3], [203, 0, 113, 7]).await, 429);
    assert_eq!(guess(&visitors[3], [203, 0, 113, 8]).await, 422);
    app.advance(11);
    assert_eq!(guess(&visitors[3], [203, 0, 113, 7]).await, 422);
}

/// DV-02 of the attack kit (RFC 8628 §3.5).
#[tokio::test]
async fn a_device_that_polls_too_fast_waits_five_seconds_longer_each_time() {
    let app = start().await;
    let tv = Television::ask(&app).await;
    assert_eq!(tv.refusal().await, "authorization_pending");
    assert_eq!(tv.refusal().await, "slow_down");
    app.advance(6);
    assert_eq!(tv.refusal().await, "slow_down", "five seconds are not enough any more");
    app.advance(14);
    assert_eq!(tv.refusal().await, "slow_down", "nor are ten");
    app.advance(20);
    assert_eq!(tv.refusal().await, "authorization_pending");
    // Whoever was let in is not kept waiting for it.
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    tv.press(&minji, "allow").await.expect(200);
    tv.poll().await.expect(200);
}

/// RFC 8628 §3.5: each end of the way has its own word.
#[tokio::test]
async fn a_device_is_told_when_it_is_over() {
    let app = start().await;
    let (denied, late) = (Television::ask(&app).await, Television::ask(&app).await);
    let minji = signed_in(&app, MINJI).await;
    denied.press(&minji, "continue").await.expect(200);
    let page = denied.press(&minji, "deny").await.expect(200).page();
    assert!(page.contains("The device wasn&#39;t let in"), "{page}");
    for _ in 0..2 {
        assert_eq!(denied.refusal().await, "access_denied");
    }
    late.press(&minji, "continue").await.expect(200);
    late.press(&minji, "allow").await.expect(200);
    app.advance(600);
    assert_eq!(late.refusal().await, "expired_token");
    jobs::run(&app.app).await.unwrap();
    assert_eq!(late.refusal().await, "expired_token", "it is kept, to be told so");
    app.advance(3_601);
    jobs::run(&app.app).await.unwrap();
    assert_eq!(late.refusal().await, "invalid_grant");
    let kinds: Vec<_> = trail(&app).await.into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&"device_denied".to_owned()), "{kinds:?}");
}

#[tokio::test]
async fn a_device_code_is_good_once_and_for_its_client_alone() {
    let app = start().await;
    make_client(&app, "radio", "openid").await;
    let tv = Television::ask(&app).await;
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    tv.press(&minji, "allow").await.expect(200);
    assert_eq!(tv.poll_as("radio").await.expect(400).text("/error"), "invalid_grant");
    let refused = tv.poll_as("spa").await.expect(400);
    assert_eq!(refused.text("/error"), "unauthorized_client");
    tv.poll().await.expect(200);
    assert_eq!(tv.refusal().await, "invalid_grant");
    for reason in
        ["the device code was issued to another client", "the device code was used before"]
    {
        let event = ("device_code_refused".to_owned(), reason.to_owned());
        assert!(trail(&app).await.contains(&event), "{reason}");
    }
    for bad in ["", "mj_dc_", "mj_ac_x", &"A".repeat(5_000), &tv.device_code[1..]] {
        let form = [("grant_type", GRANT), ("client_id", "tv"), ("device_code", bad)];
        let error = app.form("/oauth2/token", &form).await.expect(400).text("/error");
        assert_eq!(error, if bad.is_empty() { "invalid_request" } else { "invalid_grant" });
    }
}

each_backend! {
    /// DV-02 of the attack kit.
    async fn of_many_polls_at_once_one_gets_tokens(database) {
        let app = with_television(TestApp::start_with(&database).await).await;
        let tv = Television::ask(&app).await;
        let minji = signed_in(&app, MINJI).await;
        tv.press(&minji, "continue").await.expect(200);
        tv.press(&minji, "allow").await.expect(200);
        let all = join_all((0..32).map(|_| tv.poll())).await;
        let good = all.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(good, 1);
        let refused = all.iter().filter(|answer| answer.status == 400);
        assert!(refused.clone().all(|answer| answer.text("/error") == "invalid_grant"));
        assert_eq!(refused.count(), 31);
    }

    /// Of polls at once, each is told the truth: one waits, the others were too fast.
    async fn of_many_early_polls_at_once_one_was_not_too_fast(database) {
        let app = with_television(TestApp::start_with(&database).await).await;
        let tv = Television::ask(&app).await;
        let all = join_all((0..8).map(|_| tv.poll())).await;
        let told: Vec<_> = all.into_iter().map(|it| it.expect(400).text("/error")).collect();
        let pending = told.iter().filter(|error| *error == "authorization_pending").count();
        let slower = told.iter().filter(|error| *error == "slow_down").count();
        assert_eq!((pending, slower), (1, 7), "{told:?}");
    }

    /// One button counts, whichever is quicker; and the device is told that one.
    async fn of_a_yes_and_a_no_at_once_one_counts(database) {
        let app = with_television(TestApp::start_with(&database).await).await;
        let minji = signed_in(&app, MINJI).await;
        for _ in 0..4 {
            let tv = Television::ask(&app).await;
            tv.press(&minji, "continue").await.expect(200);
            let (yes, no) = tokio::join!(tv.press(&minji, "allow"), tv.press(&minji, "deny"));
            let won = (yes.status.as_u16(), no.status.as_u16());
            let poll = tv.poll().await;
            match won {
                (200, 422) => poll.expect(200),
                (422, 200) => poll.expect(400),
                other => panic!("{other:?}"),
            };
            app.advance(60);
        }
    }

    /// DV-03 of the attack kit, CVE-2026-45337.
    async fn nobody_answers_for_somebody_else(database) {
        let app = with_television(TestApp::start_with(&database).await).await;
        let (minji, jun) = (signed_in(&app, MINJI).await, signed_in(&app, JUN).await);
        let tv = Television::ask(&app).await;
        tv.press(&minji, "continue").await.expect(200);
        for action in ["continue", "allow", "deny"] {
            tv.press(&jun, action).await.expect(422);
        }
        assert_eq!(tv.refusal().await, "authorization_pending");
        // In another session of theirs the page has to be opened first.
        let other = signed_in(&app, MINJI).await;
        tv.press(&other, "allow").await.expect(422);
        tv.press(&other, "continue").await.expect(200);
        tv.press(&minji, "allow").await.expect(422);
        tv.press(&other, "allow").await.expect(200);
        let tokens = tv.poll().await.tokens();
        let told = app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);
        assert_eq!(told.text("/preferred_username"), "minji");
    }
}

/// Between the yes and the poll: everything that would end the tokens ends the waiting, too.
#[tokio::test]
async fn what_ends_before_the_device_polls_gives_it_nothing() {
    let app = start().await;
    let admin = app.admin().await;
    for (number, ending) in ["session", "application", "client", "user"].into_iter().enumerate() {
        let name = format!("guest{number}");
        let id = app.make_user(&admin, &name, &["user"]).await;
        let email = format!("{name}@cast.example");
        let guest = signed_in(&app, (&email, crate::cast::PASSWORD)).await;
        let tv = Television::ask(&app).await;
        tv.press(&guest, "continue").await.expect(200);
        tv.press(&guest, "allow").await.expect(200);
        let path = match ending {
            "session" => {
                let session = guest.open("/oauth2/logout").await.expect(200).page();
                assert!(session.contains("action"), "{session}");
                guest.send("/oauth2/logout", &[("action", "sign-out")]).await;
                None
            }
            "application" => {
                let fields = [("action", "remove"), ("client_id", "tv")];
                guest.send("/account/applications", &fields).await.expect(303);
                None
            }
            "client" => Some("/api/v1/admin/clients/tv".to_owned()),
            _ => Some(format!("/api/v1/admin/users/{id}")),
        };
        if let Some(path) = &path {
            let path = format!("{path}/disable");
            app.act_as(Method::POST, &path, &admin).await.expect(204);
        }
        let refused = tv.poll().await;
        let expected = if ending == "client" { "invalid_client" } else { "invalid_grant" };
        assert_eq!(refused.text("/error"), expected, "{ending}");
        if ending == "client" {
            let path = "/api/v1/admin/clients/tv/enable";
            app.act_as(Method::POST, path, &admin).await.expect(204);
        }
    }
}

#[tokio::test]
async fn a_device_of_a_client_that_was_disabled_is_not_let_in() {
    let app = start().await;
    let tv = Television::ask(&app).await;
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    let admin = app.admin().await;
    app.act_as(Method::POST, "/api/v1/admin/clients/tv/disable", &admin).await.expect(204);
    for action in ["allow", "continue"] {
        tv.press(&minji, action).await.expect(422);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_to_the_device() {
    let app = start().await;
    for (form, status, error) in [
        (&[("client_id", "nobody")][..], 401, "invalid_client"),
        (&[("client_id", "spa")], 400, "unauthorized_client"),
        (&[("client_id", "web")], 401, "invalid_client"),
        (&[("client_id", "tv"), ("client_secret", "x")], 401, "invalid_client"),
        (&[("client_id", "tv"), ("scope", "openid admin")], 400, "invalid_scope"),
        (&[("client_id", "tv"), ("scope", "a\"b")], 400, "invalid_scope"),
        (&[("client_id", "tv"), ("resource", "https://unknown.example")], 400, "invalid_target"),
        (&[("client_id", "tv"), ("resource", "/x")], 400, "invalid_target"),
        (&[("client_id", "tv"), ("scope", "a"), ("scope", "b")], 400, "invalid_request"),
        (&[("client_id", "tv"), ("client_id", "tv")], 400, "invalid_request"),
    ] {
        let answer = app.form("/oauth2/device_authorization", form).await.expect(status);
        assert_eq!(answer.text("/error"), error, "{form:?}");
    }
    app.post("/oauth2/device_authorization", json!({"client_id": "tv"})).await.expect(415);
    app.get("/oauth2/device_authorization").await.expect(405);
    let tables = contents(&app.app.store).await.unwrap();
    assert!(tables.contains(&("device", 0)), "{tables:?}");
}

/// Who reads the database can type no code.
#[tokio::test]
async fn a_code_is_not_kept_as_it_is_shown() {
    let app = start().await;
    let television = Television::ask(&app).await;
    let shown = StoredUserCode::parse(&television.user_code.replace('-', "")).unwrap();
    let kept = app.app.store.read(move |tx| devices::find_by_user_code(tx, &shown)).await;
    assert_eq!(kept, Ok::<_, StoreError>(None));
    let minji = signed_in(&app, MINJI).await;
    let page = television.press(&minji, "continue").await.expect(200).page();
    assert!(page.contains(&television.user_code), "{page}");
}

/// A public client proves nothing: whoever names it fills no table.
#[tokio::test]
async fn devices_at_one_address_do_not_ask_without_end() {
    let app = start().await;
    let ask = async |from: &str| {
        let address: std::net::IpAddr = from.parse().unwrap();
        let request = Request::post("/oauth2/device_authorization")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(ConnectInfo(std::net::SocketAddr::from((address, 1))))
            .body(Body::from("client_id=tv"));
        app.send(request.unwrap()).await
    };
    for number in 0..60 {
        ask(&format!("2001:db8::{number}")).await.expect(200);
    }
    let refused = ask("2001:db8::ffff").await.expect(429);
    assert_eq!(refused.text("/error"), "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), Some("6"));
    ask("2001:db8:0:1::1").await.expect(200);
    app.advance(6);
    ask("2001:db8::ffff").await.expect(200);
}

/// LG-10 and SS-03 of the attack kit.
#[tokio::test]
async fn neither_another_site_nor_another_browser_lets_a_device_in() {
    let app = start().await;
    let tv = Television::ask(&app).await;
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    let fields = [("user_code", tv.user_code.as_str()), ("action", "allow")];
    for site in ["cross-site", "same-site"] {
        minji.send_from(site, "/device", &fields).await.expect(403);
    }
    assert_eq!(tv.refusal().await, "authorization_pending");

    // A way that a stranger began leads the victim nowhere.
    let stranger = Visitor::of(&app);
    let begun = stranger.open(&tv.complete).await.location().unwrap();
    assert_eq!(minji.open(&begun).await.status, 400);
    // Who is not signed in any more is asked to, and presses the button again.
    let gone = stranger.send("/device", &fields).await;
    assert!(gone.location().unwrap().starts_with("/login?flow="));
    let back = stranger.sign_in(gone, JUN).await;
    let page = stranger.follow(back).await.expect(200).page();
    assert!(page.contains(&format!("value=\"{}\"", tv.user_code)));
    // The way to a device is no authorization request.
    let flow = begun.split_once("flow=").unwrap().1;
    stranger.open(&format!("/consent?flow={flow}")).await.expect(400);
    tv.press(&minji, "allow").await.expect(200);
}

/// WB-01 of the attack kit, in both languages.
#[tokio::test]
async fn the_pages_of_a_device_forbid_what_they_do_not_need() {
    let app = start().await;
    let tv = Television::ask(&app).await;
    let minji = signed_in(&app, MINJI).await;
    let typed = minji.open("/device?user_code=x&user_code=y&ui_locales=ko").await;
    assert!(typed.page().contains("기기 연결하기"), "{}", typed.page());
    let asked = tv.press(&minji, "continue").await;
    assert!(asked.page().contains(&format!("?user_code={}&#38;ui_locales=en", tv.user_code)));
    let wrong = minji.send("/device", &[("user_code", "BBBB-BBBB")]).await;
    let done = tv.press(&minji, "deny").await;
    for answer in [typed, asked, wrong, done] {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.ends_with("frame-ancestors 'none'; form-action 'self'"), "{policy}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    // The language goes along through the sign-in.
    let stranger = Visitor::of(&app);
    let login = stranger.open("/device?ui_locales=ko").await.location().unwrap();
    assert!(stranger.open(&login).await.page().contains("lang=\"ko\""));
}

/// RC-01 and WB-05 of the attack kit: no address is made of what a request says.
#[tokio::test]
async fn every_address_is_the_configured_one() {
    let issuer = "http://localhost:8000/auth/shop";
    let from = Config { issuer: issuer.to_owned(), ..config(DatabaseUrl::SqliteMemory) };
    let app = TestApp::start_from(from).await;
    make_client(&app, "tv", "profile").await;
    let request = Request::post("/oauth2/device_authorization")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("host", "localhost:9999")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .body(Body::from("client_id=tv"));
    let told = app.send(request.unwrap()).await.expect(200).json();
    assert_eq!(told["verification_uri"], json!(format!("{issuer}/device")));
    assert!(!told.to_string().contains("evil") && !told.to_string().contains("9999"), "{told}");
    let login = Visitor::of(&app).open("/device").await.location().unwrap();
    assert!(login.starts_with("/auth/shop/login?flow="), "{login}");
}

/// RFC 8628 §4.
#[tokio::test]
async fn discovery_says_where_devices_ask() {
    let app = TestApp::start().await;
    let document = app.get("/.well-known/openid-configuration").await.expect(200).json();
    let endpoint = format!("{ISSUER}/oauth2/device_authorization");
    assert_eq!(document["device_authorization_endpoint"], json!(endpoint));
    assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
}

/// A device of a confidential client proves itself at both endpoints.
#[tokio::test]
async fn a_confidential_client_proves_itself_each_time() {
    let app = start().await;
    let admin = app.admin().await;
    let body = json!({"client_id": "kiosk", "name": "Kiosk", "grant_types": [GRANT]});
    let made = app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await.expect(201);
    let kiosk = ("kiosk", made.text("/client_secret"));
    let kiosk = (kiosk.0, kiosk.1.as_str());
    let answer = app.form_as(kiosk, "/oauth2/device_authorization", &[]).await.expect(200);
    let tv = Television::told(&app, &answer);
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    tv.press(&minji, "allow").await.expect(200);
    assert_eq!(tv.poll_as("kiosk").await.expect(401).text("/error"), "invalid_client");
    let form = [("grant_type", GRANT), ("device_code", tv.device_code.as_str())];
    let answer = app.form_as(kiosk, "/oauth2/token", &form).await.expect(200);
    assert!(answer.json().get("refresh_token").is_none(), "it may not refresh");
}

/// RFC 9449 §5: the tokens of a device are bound to the key that it polls with.
#[tokio::test]
async fn a_device_that_holds_a_key_gets_tokens_that_are_bound_to_it() {
    let app = start().await;
    let (tv, device) = (Television::ask(&app).await, Holder::of(&app));
    let minji = signed_in(&app, MINJI).await;
    tv.press(&minji, "continue").await.expect(200);
    tv.press(&minji, "allow").await.expect(200);
    let form =
        [("grant_type", GRANT), ("client_id", "tv"), ("device_code", tv.device_code.as_str())];
    let answer = device.send("/oauth2/token", &form).await.expect(200);
    assert_eq!(answer.text("/token_type"), "DPoP");
    let access = answer.text("/access_token");
    assert_eq!(claims(&access)["cnf"]["jkt"], json!(device.jkt()));
    app.read_as("/oauth2/userinfo", &access).await.expect(401);
    let refresh = answer.text("/refresh_token");
    let form = [("grant_type", "refresh_token"), ("client_id", "tv"), ("refresh_token", &refresh)];
    app.form("/oauth2/token", &form).await.expect(400);
    device.send("/oauth2/token", &form).await.expect(200);
}

/// What a person may not have, a device of theirs may not have either, whatever its client may.
#[tokio::test]
async fn a_device_gets_what_its_person_may_have() {
    let app = start().await;
    make_client(&app, "tool", "profile admin").await;
    let form = [("client_id", "tool"), ("scope", "profile admin")];
    for (who, scope) in [(MINJI, "profile"), (JUN, "admin profile")] {
        let answer = app.form("/oauth2/device_authorization", &form).await.expect(200);
        let tv = Television::told(&app, &answer);
        let visitor = signed_in(&app, who).await;
        let page = tv.press(&visitor, "continue").await.expect(200).page();
        assert_eq!(page.contains("use the permission"), who == JUN, "{page}");
        tv.press(&visitor, "allow").await.expect(200);
        assert_eq!(tv.poll_as("tool").await.expect(200).text("/scope"), scope);
    }
}
