//! A closed-loop HTTP/1.1 client: every connection is kept, sends its next request when the last
//! answer is there, and counts nothing that is not 200.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use munjigi_server::demo::PLANNER_AUDIENCE;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::clock;
use crate::load::population;

/// What one connection asks for.
#[derive(Clone)]
pub enum Caller {
    /// The same again and again.
    Fixed(Arc<[u8]>),
    /// The refresh token of the last answer, each time another one.
    Refresh { credentials: String, token: String },
    /// The same three times, which count as one: what a flow is measured beside.
    Thrice(Arc<[u8]>),
    /// The three requests of a code flow, which count as one.
    Flow(Flow),
    /// A sign-in of the next person: one account's attempts are limited.
    SignIn { next: Arc<AtomicU64>, people: u64 },
}

impl Caller {
    /// GET, with a token or without.
    pub fn get(path: &str, token: Option<&str>) -> Self {
        let token = token.map(|it| format!("authorization: Bearer {it}\r\n")).unwrap_or_default();
        Self::Fixed(get(path, &token).into_bytes().into())
    }

    /// POST of a form, with a client or without.
    pub fn form(path: &str, credentials: Option<&str>, body: &str) -> Self {
        Self::Fixed(form(path, credentials, body).into_bytes().into())
    }

    pub fn request(&self) -> Arc<[u8]> {
        match self {
            Self::Fixed(bytes) | Self::Thrice(bytes) => Arc::clone(bytes),
            Self::Flow(flow) => flow.request(),
            Self::Refresh { credentials, token } => {
                let body = format!("grant_type=refresh_token&refresh_token={token}");
                form("/oauth2/token", Some(credentials), &body).into_bytes().into()
            }
            Self::SignIn { next, people } => {
                let number = next.fetch_add(1, Ordering::Relaxed) % people;
                let (email, password) = (population::email(number), population::PASSWORD);
                let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
                post("/api/v1/users/signin", "application/json", "", &body).into_bytes().into()
            }
        }
    }

    /// How many requests count as one, and the status that each of them brings.
    fn expected(&self) -> &'static [u16] {
        match self {
            Self::Thrice(_) => &[200; 3],
            Self::Flow(_) => &[303, 200, 200],
            Self::Fixed(_) | Self::Refresh { .. } | Self::SignIn { .. } => &[200],
        }
    }

    /// Takes what the next request needs out of the answer.
    pub fn answered(&mut self, connection: &Connection) {
        match self {
            Self::Refresh { token, .. } => {
                let answer: Value = serde_json::from_slice(connection.body()).unwrap();
                *token = answer["refresh_token"].as_str().unwrap().to_owned();
            }
            Self::Flow(flow) => flow.answered(connection),
            Self::Fixed(_) | Self::Thrice(_) | Self::SignIn { .. } => {}
        }
    }
}

/// A code flow, by a browser that is signed in and a confidential client.
#[derive(Clone)]
pub struct Flow {
    authorize: Arc<[u8]>,
    credentials: String,
    redeem: String,
    step: Step,
}

#[derive(Clone)]
enum Step {
    Authorize,
    Redeem { code: String },
    UserInfo { token: String },
}

impl Flow {
    /// An authorization request with the browser's cookies; the client, and the form of its token
    /// request but for the code at its end.
    pub fn new(request: &str, cookies: &str, (credentials, redeem): (&str, &str)) -> Self {
        let authorize = get(request, &format!("cookie: {cookies}\r\n")).into_bytes().into();
        let (credentials, redeem) = (credentials.to_owned(), redeem.to_owned());
        Self { authorize, credentials, redeem, step: Step::Authorize }
    }

    fn request(&self) -> Arc<[u8]> {
        match &self.step {
            Step::Authorize => Arc::clone(&self.authorize),
            Step::Redeem { code } => {
                let body = format!("{}{code}", self.redeem);
                form("/oauth2/token", Some(&self.credentials), &body).into_bytes().into()
            }
            Step::UserInfo { token } => Caller::get("/oauth2/userinfo", Some(token)).request(),
        }
    }

    fn answered(&mut self, connection: &Connection) {
        let json = || serde_json::from_slice::<Value>(connection.body()).unwrap();
        self.step = match &self.step {
            Step::Authorize => {
                let to = connection.headers("location").pop().unwrap();
                let (_, code) = to.split_once("code=").unwrap_or_else(|| panic!("{to}"));
                Step::Redeem { code: code.split('&').next().unwrap().to_owned() }
            }
            Step::Redeem { .. } => {
                let answer = json();
                assert!(answer["id_token"].is_string(), "{answer}");
                Step::UserInfo { token: answer["access_token"].as_str().unwrap().to_owned() }
            }
            Step::UserInfo { .. } => {
                let told = json();
                assert!(told["email"].is_string(), "{told}");
                Step::Authorize
            }
        };
    }
}

/// The header of a confidential client.
pub fn basic(id: &str, secret: &str) -> String {
    STANDARD.encode(format!("{id}:{secret}"))
}

/// An API's audience, in a form.
pub fn planner() -> String {
    PLANNER_AUDIENCE.replace(':', "%3A").replace('/', "%2F")
}

/// Text as it stands in a form or a query.
pub fn percent(text: &str) -> String {
    text.replace('%', "%25").replace(':', "%3A").replace('/', "%2F").replace('+', "%2B")
}

/// A GET with these further headers.
pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost:8000\r\n{headers}\r\n")
}

fn form(path: &str, credentials: Option<&str>, body: &str) -> String {
    let credentials = credentials.map(|it| format!("authorization: Basic {it}\r\n"));
    post(path, "application/x-www-form-urlencoded", &credentials.unwrap_or_default(), body)
}

/// A POST with these further headers.
pub fn post(path: &str, content_type: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost:8000\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// What a window of requests came to.
#[derive(Default)]
pub struct Window {
    pub requests: u64,
    /// Answers that were not 200, with the first of them.
    pub refused: u64,
    pub first_refusal: Option<String>,
    pub took: Duration,
    /// In µs.
    pub latencies: Vec<f64>,
}

impl Window {
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
        self.latencies.extend(other.latencies);
    }
}

/// Callers, each with a connection that is open.
pub struct Connected(Vec<(Connection, Caller)>);

impl Connected {
    /// Connects all of them.
    pub async fn open(address: SocketAddr, callers: Vec<Caller>) -> Self {
        let mut connected = Vec::new();
        for caller in callers {
            connected.push((Connection::open(address).await, caller));
        }
        Self(connected)
    }

    /// Lets all of them ask for a while; the connections are closed by it.
    pub async fn run(self, time: Duration) -> (Window, Vec<Caller>) {
        let began = clock::now();
        let mut asking = JoinSet::new();
        for (mut connection, mut caller) in self.0 {
            asking.spawn(async move {
                let mut own = Window::default();
                while began.elapsed() < time {
                    ask(&mut connection, &mut caller, &mut own).await;
                }
                (own, caller)
            });
        }
        let (mut window, mut callers) = (Window::default(), Vec::new());
        while let Some(asked) = asking.join_next().await {
            let (own, caller) = asked.unwrap();
            window.add(own);
            callers.push(caller);
        }
        window.took = began.elapsed();
        (window, callers)
    }
}

async fn ask(connection: &mut Connection, caller: &mut Caller, window: &mut Window) {
    let sent = clock::now();
    for expected in caller.expected() {
        let (status, body) = connection.exchange(&caller.request()).await;
        if status != *expected {
            window.refused += 1;
            let shown = || format!("{status} {}", String::from_utf8_lossy(body));
            window.first_refusal.get_or_insert_with(shown);
            return;
        }
        caller.answered(connection);
    }
    window.requests += 1;
    window.latencies.push(sent.elapsed().as_secs_f64() * 1e6);
}

/// One kept connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body_at: usize,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(16 * 1_024), body_at: 0 }
    }

    /// The same from an address of one's own.
    pub async fn open_from(address: SocketAddr, from: Ipv4Addr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(1_024), body_at: 0 }
    }

    /// Sends a request; the status and the body of the answer.
    pub async fn exchange(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        let (mut body_at, mut length) = (0, 0);
        while body_at == 0 || self.buffer.len() < body_at + length {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed a connection");
            if body_at == 0
                && let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n")
            {
                body_at = end + 4;
                length = content_length(&self.buffer[..end]);
            }
        }
        let status = std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap();
        self.body_at = body_at;
        (status, self.body())
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body_at..]
    }

    /// The values of a header of the last answer.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let head = std::str::from_utf8(&self.buffer[..self.body_at]).unwrap();
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The same, with the answer as JSON, which has to be a success.
    pub async fn json(&mut self, caller: &Caller) -> Value {
        let (status, body) = self.exchange(&caller.request()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        serde_json::from_slice(body).unwrap()
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    found.map_or(0, |(_, value)| value.trim().parse().unwrap())
}
