//! Requests to the server under test. No answer is a value of its own: the server was killed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use munjigi_token::base64url;
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};

/// Where codes go; nobody listens there.
pub const CALLBACK: &str = "http://localhost:3000/callback";

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The server went away before it answered.
#[derive(Clone, Copy, Debug)]
pub struct Gone;

/// An answer, as far as it matters.
#[derive(Debug)]
pub struct Heard {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// `Location`.
    location: String,
    /// The cookies that it brought.
    cookies: Vec<String>,
}

impl Heard {
    /// A text member of the body.
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    /// Whether it refuses a code or a refresh token (RFC 6749 §5.2), and does not fail instead.
    pub fn is_refused(&self) -> bool {
        self.status == 400 && self.text("error") == "invalid_grant"
    }

    /// The code that it brings to the client, if it does.
    pub fn code(&self) -> Option<String> {
        self.brings("code")
    }

    /// What it brings to the client under this name, by way of the browser (RFC 6749 §4.1.2).
    pub fn brings(&self, wanted: &str) -> Option<String> {
        let url = self.location.starts_with(CALLBACK).then(|| url::Url::parse(&self.location))?;
        let url = url.unwrap();
        let found = url.query_pairs().find(|(name, _)| name == wanted)?;
        Some(found.1.into_owned())
    }

    /// The cookies that it brought, as a browser sends them.
    pub fn cookies(&self) -> String {
        self.cookies.join("; ")
    }
}

/// Calls one server.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    issuer: String,
    client_id: String,
    /// Whether a server that has no database is as good as gone.
    goes_at_503: bool,
}

impl Caller {
    /// For the server at this issuer, as this client.
    pub fn new(issuer: &str, client_id: &str) -> Self {
        let (issuer, client_id) = (issuer.to_owned(), client_id.to_owned());
        Self { client: connect(Ipv4Addr::LOCALHOST), issuer, client_id, goes_at_503: false }
    }

    /// The same, from another address of this machine.
    pub fn at_address(&self, address: Ipv4Addr) -> Self {
        Self { client: connect(address), ..self.clone() }
    }

    /// The same, for whom a server that has no database is as good as gone.
    pub fn that_goes_at_503(self) -> Self {
        Self { goes_at_503: true, ..self }
    }

    /// Sends a request of any kind.
    pub async fn send(&self, request: RequestBuilder) -> Result<Heard, Gone> {
        let answer = request.send().await.map_err(|_| Gone)?;
        let status = answer.status().as_u16();
        if status == 503 && self.goes_at_503 {
            return Err(Gone);
        }
        let headers = answer.headers().clone();
        let text = |name| headers.get_all(name).into_iter().filter_map(|it| it.to_str().ok());
        let location = text("location").next().unwrap_or_default().to_owned();
        let cookies = text("set-cookie").filter_map(|it| it.split(';').next());
        let cookies = cookies.map(str::to_owned).collect();
        let body = answer.bytes().await.map_err(|_| Gone)?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Heard { status, body, location, cookies })
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Heard, Gone> {
        let fields = [fields, &[("client_id", self.client_id.as_str())]].concat();
        let body = encode(&fields);
        let request = self.client.post(format!("{}{path}", self.issuer));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body)).await
    }

    /// The keys of the issuer.
    pub async fn keys(&self) -> Result<Heard, Gone> {
        let request = self.client.get(format!("{}/.well-known/jwks.json", self.issuer));
        self.send(request).await
    }

    /// Waits until the server has its RSA key, which a new one makes in the background.
    pub async fn wait_for_keys(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let request = self.client.get(format!("{}/.well-known/jwks.json", self.issuer));
            let heard = self.send(request).await.expect("the server is there");
            if heard.body.to_string().contains("\"RSA\"") {
                return;
            }
            assert!(Instant::now() < until, "no RSA key");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A sign-in with the `password` grant.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Heard, Gone> {
        let fields = [("grant_type", "password"), ("username", email), ("password", password)];
        self.form("/oauth2/token", &fields).await
    }

    /// A refresh.
    pub async fn refresh(&self, token: &str) -> Result<Heard, Gone> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form("/oauth2/token", &fields).await
    }

    /// A revocation.
    pub async fn revoke(&self, token: &str) -> Result<Heard, Gone> {
        self.form("/oauth2/revoke", &[("token", token)]).await
    }

    /// A redemption of a code.
    pub async fn redeem(&self, code: &str) -> Result<Heard, Gone> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.form("/oauth2/token", &fields).await
    }

    /// The caller's own profile.
    pub async fn me(&self, token: &str) -> Result<Heard, Gone> {
        let request = self.client.get(format!("{}/api/v1/users/me", self.issuer));
        self.send(request.bearer_auth(token)).await
    }

    /// Changes the caller's name.
    pub async fn rename(&self, token: &str, name: &str) -> Result<Heard, Gone> {
        let request = self.client.patch(format!("{}/api/v1/users/me", self.issuer));
        self.send(request.bearer_auth(token).json(&json!({"name": name}))).await
    }

    /// Signs in on the page; the cookies, if it was let in.
    pub async fn enter(&self, email: &str, password: &str) -> Result<Option<String>, Gone> {
        let body = encode(&[("username", email), ("password", password)]);
        let request = self.client.post(format!("{}/login", self.issuer));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let heard = self.send(request.header("sec-fetch-site", "same-origin").body(body)).await?;
        Ok((heard.status == 303).then(|| heard.cookies()))
    }

    /// Asks for a code with these cookies: the code, if one came.
    pub async fn authorize(&self, cookies: &str) -> Result<Option<String>, Gone> {
        let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        let query = encode(&[
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile offline_access"),
            ("code_challenge", &base64url::encode(challenge)),
            ("code_challenge_method", "S256"),
        ]);
        Ok(self.follow(cookies, &query).await?.code())
    }

    /// Pushes the same request; its reference.
    pub async fn push(&self) -> Result<String, Gone> {
        let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        let fields = [
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile offline_access"),
            ("code_challenge", &base64url::encode(challenge)),
            ("code_challenge_method", "S256"),
        ];
        let heard = self.form("/oauth2/par", &fields).await?;
        assert_eq!(heard.status, 201, "{heard:?}");
        Ok(heard.text("request_uri"))
    }

    /// Asks for a code by a reference with these cookies: where that ends.
    pub async fn refer(&self, cookies: &str, reference: &str) -> Result<Heard, Gone> {
        let query = encode(&[("client_id", self.client_id.as_str()), ("request_uri", reference)]);
        self.follow(cookies, &query).await
    }

    /// Posts a form of any kind.
    pub async fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<Heard, Gone> {
        let request = self.client.post(format!("{}{path}", self.issuer)).body(encode(fields));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let with =
            |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
        self.send(headers.iter().fold(request, with)).await
    }

    /// Sends JSON with a token.
    pub async fn json(
        &self,
        (path, method): (&str, &str),
        token: &str,
        body: &Value,
    ) -> Result<Heard, Gone> {
        let method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.issuer));
        self.send(request.bearer_auth(token).json(body)).await
    }

    async fn follow(&self, cookies: &str, query: &str) -> Result<Heard, Gone> {
        let mut next = format!("/oauth2/authorize?{query}");
        let mut cookies = cookies.to_owned();
        // The first step marks the browser and leads back to itself.
        let mut steps = 0;
        loop {
            let request = self.client.get(format!("{}{next}", self.issuer));
            let heard = self.send(request.header("cookie", &cookies)).await?;
            for cookie in &heard.cookies {
                cookies = format!("{cookies}; {cookie}");
            }
            steps += 1;
            if steps == 3 || !heard.location.starts_with("/oauth2/authorize") {
                return Ok(heard);
            }
            next = heard.location;
        }
    }
}

fn connect(address: Ipv4Addr) -> Client {
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    let client = client.local_address(IpAddr::from(address)).timeout(Duration::from_secs(20));
    client.build().unwrap()
}

fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
