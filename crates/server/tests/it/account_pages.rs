//! The pages of one's own account, through a browser.

use munjigi_store::each_backend;
use serde_json::json;

use crate::harness::{Answer, JUN, MINJI, TestApp, Tokens, claims};
use crate::visitor::{CALLBACK, VERIFIER, Visitor, request};

const PAGES: [&str; 8] = [
    "/account",
    "/account/profile",
    "/account/email",
    "/account/delete",
    "/account/password",
    "/account/sessions",
    "/account/applications",
    "/account/data",
];

/// Every form, such as it would do something.
const FORMS: [(&str, &[(&str, &str)]); 8] = [
    ("/account/profile", &[("name", "Mallory")]),
    ("/account/password", &[("current_password", MINJI.1), ("password", NEW_PASSWORD)]),
    ("/account/email", &[("current_password", MINJI.1), ("email", "minji@other.example")]),
    ("/account/email/verify", &[("action", "verify")]),
    ("/account/delete", &[("current_password", MINJI.1), ("action", "delete")]),
    ("/account/sessions", &[("action", "end-others")]),
    ("/account/applications", &[("action", "remove"), ("client_id", "spa")]),
    ("/account/data/export", &[("action", "export")]),
];

pub const NEW_PASSWORD: &str = "a-lantern-over-the-han-river";
pub const SESSION: &str = "__Host-munjigi-session";

impl Visitor {
    /// A browser with which somebody is signed in.
    pub async fn of_owner(app: &TestApp, who: (&str, &str)) -> Self {
        let visitor = Self::of(app);
        let answer = visitor.open("/account").await;
        let answer = visitor.sign_in(answer, who).await;
        assert_eq!(answer.location().as_deref(), Some("/account"));
        visitor
    }

    /// Goes to the public demo client and lets it in; the code.
    pub async fn connect(&self) -> String {
        let mut answer = self.open(&request(&[])).await;
        for _ in 0..5 {
            let to = answer.expect(303).location().unwrap();
            if to.starts_with(CALLBACK) {
                let url = url::Url::parse(&to).unwrap();
                let code = url.query_pairs().find(|(name, _)| name == "code");
                return code.expect("a code").1.into_owned();
            }
            answer = match to.starts_with("/consent") {
                true => self.send(&to, &[("action", "allow")]).await,
                false => self.open(&to).await,
            };
        }
        panic!("the client is never reached");
    }

    pub async fn exchange(&self, code: &str) -> Answer {
        let parameters = [
            ("grant_type", "authorization_code"),
            ("client_id", "spa"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.app.form("/oauth2/token", &parameters).await
    }

    pub async fn sees_the_account(&self) -> bool {
        self.open("/account").await.status == 200
    }

    /// The ids of the sessions on the page.
    pub async fn sessions(&self) -> Vec<String> {
        let page = self.open("/account/sessions").await.expect(200).page();
        let marks = page.split(r#"name="session" value=""#).skip(1);
        marks.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    }
}

async fn refresh(app: &TestApp, tokens: &Tokens) -> Answer {
    let parameters =
        [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", &tokens.refresh)];
    app.form("/oauth2/token", &parameters).await
}

fn subject(tokens: &Tokens) -> String {
    claims(&tokens.access)["sub"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_leads(answer: &Answer, to: &str) {
    assert_eq!(answer.location().as_deref(), Some(to), "{}", answer.shown());
}

#[tokio::test]
async fn nobody_is_sent_to_sign_in_and_comes_back_to_their_account() {
    let app = TestApp::start().await;
    for page in PAGES {
        assert_leads(&Visitor::of(&app).open(page).await, "/login");
    }
    for (page, fields) in FORMS {
        assert_leads(&Visitor::of(&app).send(page, fields).await, "/login");
    }
    let minji = Visitor::of_owner(&app, MINJI).await;
    for page in PAGES {
        let answer = minji.open(page).await.expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{page}");
        assert!(answer.page().contains(r#"action="/oauth2/logout""#), "{page}");
    }
}

/// RFC 9700 §4.7, WB-03 of the attack kit.
#[tokio::test]
async fn a_form_from_another_site_changes_nothing() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let minji = Visitor::of_owner(&app, MINJI).await;
    let tokens = minji.exchange(&minji.connect().await).await.tokens();
    let other = Visitor::of_owner(&app, MINJI).await;
    let before = app.trail(&subject(&tokens)).await;
    for (page, fields) in FORMS {
        for site in ["cross-site", "same-site"] {
            minji.send_from(site, page, fields).await.expect(403);
        }
    }
    assert_eq!(app.trail(&subject(&tokens)).await, before);
    assert!(other.sees_the_account().await);
    refresh(&app, &tokens).await.expect(200);
    app.sign_in(MINJI).await;
}

#[tokio::test]
async fn a_profile_is_stored_as_it_was_typed() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let fields = [("name", "김민지"), ("username", "minji.kim")];
    let answer = minji.send("/account/profile", &fields).await;
    assert_leads(&answer, "/account/profile?done=profile");
    let page = minji.open("/account/profile?done=profile").await.expect(200).page();
    assert!(page.contains(r#"value="김민지""#) && page.contains(r#"value="minji.kim""#), "{page}");
    assert!(page.contains(r#"role="status""#) || page.contains(r#"role="alert""#), "{page}");
    let tokens = app.sign_in(MINJI).await;
    assert!(app.trail(&subject(&tokens)).await.contains(&"user_updated".to_owned()));

    minji.send("/account/profile", &[]).await.expect(303);
    let me = app.read_as("/api/v1/users/me", &tokens.access).await.expect(200).json();
    assert_eq!((&me["name"], &me["username"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_profile_that_cannot_be_is_refused_with_what_was_typed() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let jun = [("name", "Minji"), ("username", "jun")];
    let page = minji.send("/account/profile", &jun).await.expect(409).page();
    assert!(page.contains(r#"value="jun""#), "{page}");
    for bad in [("username", "no@name"), ("name", " Minji")] {
        minji.send("/account/profile", &[bad]).await.expect(422);
    }
    let hostile = [("username", r#""><script>alert(1)</script>"#)];
    let page = minji.send("/account/profile", &hostile).await.expect(422).page();
    assert!(!page.contains("<script"), "{page}");
    let tokens = app.sign_in(MINJI).await;
    let me = app.read_as("/api/v1/users/me", &tokens.access).await.json();
    assert_eq!(me["username"], json!("minji"));
}

each_backend! {
    /// SS-01 of the attack kit, ASVS 7.4.3.
    async fn a_new_password_ends_every_other_session_and_the_old_cookie(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        let other = Visitor::of_owner(&app, MINJI).await;
        let tokens = app.sign_in(MINJI).await;
        let old = minji.cookie(SESSION).unwrap();
        let fields = [("current_password", MINJI.1), ("password", NEW_PASSWORD)];
        let answer = minji.send("/account/password", &fields).await;
        assert_leads(&answer, "/account/password?done=password");

        assert_ne!(minji.cookie(SESSION).unwrap(), old);
        assert!(minji.sees_the_account().await);
        let thief = Visitor::of(&app);
        thief.plant(SESSION, &old);
        assert!(!thief.sees_the_account().await, "the cookie before is dead");
        assert!(!other.sees_the_account().await);
        app.read_as("/api/v1/users/me", &tokens.access).await.expect(401);
        app.refresh(&tokens.refresh).await.expect(400);
        assert_eq!(minji.sessions().await.len(), 1);
        assert!(app.trail(&subject(&tokens)).await.contains(&"password_changed".to_owned()));
        Visitor::of_owner(&app, (MINJI.0, NEW_PASSWORD)).await;
    }
}

#[tokio::test]
async fn a_password_is_not_changed_without_the_present_one() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let send = |current: &'static str, new: &'static str| {
        let minji = &minji;
        let fields = [("current_password", current), ("password", new)];
        async move { minji.send("/account/password", &fields).await }
    };
    send("", NEW_PASSWORD).await.expect(400);
    send(MINJI.1, "").await.expect(400);
    send(MINJI.1, "password1").await.expect(422);
    let page = send("not-hers-at-all", NEW_PASSWORD).await.expect(422).page();
    assert!(!page.contains("not-hers-at-all") && !page.contains(NEW_PASSWORD), "{page}");
    assert!(minji.sees_the_account().await);
    app.sign_in(MINJI).await;
}

/// An unwatched browser is no way to guess the password: one ledger for all guesses.
#[tokio::test]
async fn guesses_at_the_present_password_run_out() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let fields = [("current_password", "a-wrong-guess"), ("password", NEW_PASSWORD)];
    let mut last = 0;
    for _ in 0..20 {
        let answer = minji.send("/account/password", &fields).await;
        last = answer.status.as_u16();
        if last == 429 {
            assert!(answer.header("retry-after").is_some());
            break;
        }
    }
    assert_eq!(last, 429);
}

each_backend! {
    async fn a_session_that_is_ended_is_over_at_once(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        let phone = Visitor::of_owner(&app, MINJI).await;
        let tokens = app.sign_in(MINJI).await;
        let ids = minji.sessions().await;
        assert_eq!(ids.len(), 3);
        let sid = claims(&tokens.access)["sid"].as_str().unwrap().to_owned();
        assert!(ids.contains(&sid));

        let answer = minji.send("/account/sessions", &[("action", "end"), ("session", &sid)]).await;
        assert_leads(&answer, "/account/sessions?done=session");
        app.read_as("/api/v1/users/me", &tokens.access).await.expect(401);
        assert!(phone.sees_the_account().await);
        minji.send("/account/sessions", &[("action", "end"), ("session", &sid)]).await.expect(404);

        let answer = minji.send("/account/sessions", &[("action", "end-others")]).await;
        assert_leads(&answer, "/account/sessions?done=sessions");
        assert!(!phone.sees_the_account().await && minji.sees_the_account().await);

        let own = minji.sessions().await.remove(0);
        let answer = minji.send("/account/sessions", &[("action", "end"), ("session", &own)]).await;
        assert_leads(&answer, "/login");
        assert!(minji.cookie(SESSION).is_none() && !minji.sees_the_account().await);
    }
}

#[tokio::test]
async fn sessions_of_others_cannot_be_ended() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let jun = Visitor::of_owner(&app, JUN).await;
    let theirs = jun.sessions().await.remove(0);
    assert!(!minji.sessions().await.contains(&theirs));
    for id in [theirs.as_str(), "nothing", ""] {
        minji.send("/account/sessions", &[("action", "end"), ("session", id)]).await.expect(404);
    }
    minji.send("/account/sessions", &[("action", "end-others")]).await.expect(303);
    minji.send("/account/sessions", &[("action", "burn")]).await.expect(400);
    assert!(jun.sees_the_account().await);
}

each_backend! {
    async fn an_application_that_is_removed_loses_its_tokens_at_once(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let minji = Visitor::of_owner(&app, MINJI).await;
        let tokens = minji.exchange(&minji.connect().await).await.tokens();
        let waiting = minji.connect().await;
        let page = minji.open("/account/applications").await.expect(200).page();
        assert!(page.contains(r#"name="client_id" value="spa""#), "{page}");
        app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);

        app.advance(1);
        let remove = [("action", "remove"), ("client_id", "spa")];
        let answer = minji.send("/account/applications", &remove).await;
        assert_leads(&answer, "/account/applications?done=application");
        app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
        refresh(&app, &tokens).await.expect(400);
        minji.exchange(&waiting).await.expect(400);
        let page = minji.open("/account/applications").await.expect(200).page();
        assert!(!page.contains(r#"value="spa""#), "{page}");
        assert!(app.trail(&subject(&tokens)).await.contains(&"grant_revoked".to_owned()));
        minji.send("/account/applications", &remove).await.expect(404);

        let answer = minji.open(&request(&[])).await;
        let to = answer.location().unwrap();
        assert!(to.starts_with("/consent"), "asked again: {to}");
    }
}

#[tokio::test]
async fn applications_of_others_cannot_be_removed() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let minji = Visitor::of_owner(&app, MINJI).await;
    let jun = Visitor::of_owner(&app, JUN).await;
    let tokens = jun.exchange(&jun.connect().await).await.tokens();
    for id in ["spa", "nobody", ""] {
        let fields = [("action", "remove"), ("client_id", id)];
        minji.send("/account/applications", &fields).await.expect(404);
    }
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);
    refresh(&app, &tokens).await.expect(200);
}

#[tokio::test]
async fn a_copy_of_ones_data_has_everything_but_secrets() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let jun = Visitor::of_owner(&app, JUN).await;
    jun.exchange(&jun.connect().await).await.expect(200);
    let minji = Visitor::of_owner(&app, MINJI).await;
    let tokens = minji.exchange(&minji.connect().await).await.tokens();
    app.advance(1);
    let answer = minji.send("/account/data/export", &[("action", "export")]).await.expect(200);

    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"munjigi-data.json\"")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let copy = answer.json();
    assert_eq!(copy["profile"]["id"], json!(subject(&tokens)));
    assert_eq!(copy["profile"]["email"], json!(MINJI.0));
    assert!(copy["roles"].is_array());
    assert_eq!(copy["sessions"][0]["id"], claims(&tokens.access)["sid"]);
    assert_eq!(copy["consents"][0]["client_id"], json!("spa"));
    assert_eq!(copy["grants"][0]["id"], claims(&tokens.access)["gid"]);
    let kinds: Vec<_> = copy["events"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert!(kinds.contains(&&json!("signed_in")) && kinds.contains(&&json!("consent_granted")));

    let text = answer.page();
    let cookie = minji.cookie(SESSION).unwrap();
    for secret in ["$argon2", "hash", "nonce", "secret", "mj_", cookie.as_str(), &tokens.refresh] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!text.contains(JUN.0), "{text}");
    assert!(app.trail(&subject(&tokens)).await.contains(&"data_exported".to_owned()));
    minji.open("/account/data/export").await.expect(405);
}

#[tokio::test]
async fn looking_at_ones_account_keeps_its_session_alive() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    for _ in 0..3 {
        app.advance(11 * 3_600);
        assert!(minji.sees_the_account().await);
    }
    app.advance(13 * 3_600);
    assert!(!minji.sees_the_account().await);
}
