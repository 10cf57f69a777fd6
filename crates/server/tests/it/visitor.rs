//! A person in front of a browser: keeps cookies, follows redirects one at a time, fills forms in.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use munjigi_token::base64url;

use crate::harness::{Answer, ISSUER, MINJI, TestApp};

/// A code verifier, and its challenge.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CALLBACK: &str = "http://localhost:3000/callback";

/// The challenge of a verifier (RFC 7636 §4.2).
pub fn challenge(verifier: &str) -> String {
    base64url::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

/// A browser.
pub struct Visitor {
    pub app: TestApp,
    jar: Mutex<BTreeMap<String, String>>,
}

impl Visitor {
    pub fn of(app: &TestApp) -> Self {
        Self { app: app.clone(), jar: Mutex::default() }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    /// Plants a cookie.
    pub fn plant(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    fn cookies(&self) -> String {
        let jar = self.jar.lock().unwrap();
        jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn remember(&self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            assert!(line.contains("; Secure; HttpOnly; SameSite=Lax"), "{line}");
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let mut jar = self.jar.lock().unwrap();
            match rest.contains("Max-Age=0") {
                true => jar.remove(name),
                false => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
    }

    /// Opens an address of this server.
    pub async fn open(&self, url: &str) -> Answer {
        let path = url.strip_prefix(ISSUER).unwrap_or(url);
        let request = Request::get(path).header(COOKIE, self.cookies()).body(Body::empty());
        let answer = self.app.send(request.unwrap()).await;
        self.remember(&answer.headers);
        answer
    }

    /// Sends a form as a page of this server does. What the consent page shows goes along.
    pub async fn send(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        if !url.starts_with("/consent") {
            return self.send_from("same-origin", url, fields).await;
        }
        let page = self.open(url).await;
        if page.status != StatusCode::OK {
            return page;
        }
        let shown = page.shown_consent();
        let fields = [fields, &[("shown", shown.as_str())]].concat();
        self.send_from("same-origin", url, &fields).await
    }

    /// Sends a form from a page of such a site.
    pub async fn send_from(&self, site: &str, url: &str, fields: &[(&str, &str)]) -> Answer {
        let path = url.strip_prefix(ISSUER).unwrap_or(url);
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .header(COOKIE, self.cookies())
            .body(Body::from(body));
        let answer = self.app.send(request.unwrap()).await;
        self.remember(&answer.headers);
        answer
    }

    /// Follows redirects until a page, or until the way leads to a client.
    pub async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            match answer.location() {
                Some(next) if next.starts_with('/') => answer = self.open(&next).await,
                _ => return answer,
            }
        }
        panic!("a circle of redirects");
    }

    /// Signs in on the page where an answer leads; where the way goes on from there.
    pub async fn sign_in(&self, answer: Answer, (name, password): (&str, &str)) -> Answer {
        let login = answer.location().expect("the way leads to the login page");
        assert!(login.starts_with("/login"), "{login}");
        self.open(&login).await.expect(200);
        let to = login.replace("/login/again", "/login");
        let fields = [("username", name), ("password", password), ("action", "sign-in")];
        self.send(&to, &fields).await.expect(303)
    }

    /// Answers the consent page where an answer leads.
    pub async fn consent(&self, answer: Answer, action: &str) -> Answer {
        let page = answer.location().expect("the way leads to the consent page");
        assert!(page.starts_with("/consent"), "{page}");
        self.open(&page).await.expect(200);
        self.send(&page, &[("action", action)]).await.expect(303)
    }
}

/// A browser before a server that has every key.
pub async fn start() -> Visitor {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    Visitor::of(&app)
}

/// Through sign-in and consent; the code.
pub async fn code(visitor: &Visitor, request: &str) -> String {
    let answer = visitor.open(request).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let answer = visitor.follow_to_client(answer, "allow").await;
    answer.brings("code").expect("a code")
}

impl Visitor {
    /// Goes on until the client is reached; says `action` if the consent page comes.
    pub async fn follow_to_client(&self, mut answer: Answer, action: &str) -> Answer {
        for _ in 0..6 {
            let to = answer.expect(303).location().unwrap();
            if to.starts_with("http") {
                return self.at(&to).await;
            }
            answer = match to.starts_with("/consent") {
                true => self.send_after_looking(&to, action).await,
                false => self.open(&to).await,
            };
        }
        panic!("the client is never reached");
    }

    async fn send_after_looking(&self, page: &str, action: &str) -> Answer {
        self.open(page).await.expect(200);
        self.send(page, &[("action", action)]).await
    }

    /// The redirect to a client, as an answer.
    async fn at(&self, to: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("location", to.parse().unwrap());
        Answer { status: StatusCode::SEE_OTHER, headers, bytes: vec![] }
    }

    /// Redeems a code as the public demo client.
    pub async fn redeem(&self, code: &str) -> Answer {
        self.redeem_with(code, &[]).await
    }

    /// The same with another request.
    pub async fn redeem_with(&self, code: &str, change: &[(&str, Option<&str>)]) -> Answer {
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "spa"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in change {
            parameters.retain(|(other, _)| other != name);
            parameters.extend(value.map(|value| (*name, value)));
        }
        self.app.form("/oauth2/token", &parameters).await
    }
}

impl Answer {
    /// What stands in the form of the consent page for all that it shows.
    pub fn shown_consent(&self) -> String {
        let page = self.page();
        let (_, rest) = page.split_once("name=\"shown\" value=\"").expect("a consent page");
        rest.split('"').next().unwrap().to_owned()
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Option<String> {
        let is_redirect = self.status == StatusCode::SEE_OTHER;
        let location = self.headers.get(LOCATION)?.to_str().ok()?.to_owned();
        is_redirect.then_some(location)
    }

    /// A parameter that an answer brings to the client.
    #[track_caller]
    pub fn brings(&self, name: &str) -> Option<String> {
        let location = self.location().unwrap_or_else(|| panic!("no redirect: {}", self.shown()));
        let url = url::Url::parse(&location).unwrap_or_else(|_| panic!("not yet: {location}"));
        let mut pairs = url.query_pairs();
        pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    }

    pub fn page(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }
}

/// An authorization request of the public demo client.
pub fn request(change: &[(&str, Option<&str>)]) -> String {
    let challenge = challenge(VERIFIER);
    let mut parameters = vec![
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in change {
        parameters.retain(|(other, _)| other != name);
        parameters.extend(value.map(|value| (*name, value)));
    }
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("/oauth2/authorize?{query}")
}
