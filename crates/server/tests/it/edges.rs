//! The edges of HTTP (security.md §4): HTTP/2 that is misused (DS-04 of the attack kit), and what
//! every endpoint refuses because there is too much of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use munjigi_server::{router, serve};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::harness::{MINJI, TestApp};
use crate::visitor::Visitor;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long somebody may go on who should have been cut off.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many frames are enough for every server.
const FLOOD: u32 = 200_000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /livez` of this machine, in the static table of HPACK (RFC 7541 appendix A).
fn request() -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, 6];
    block.extend(b"/livez");
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block
}

async fn listen() -> SocketAddr {
    let app = TestApp::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve::serve(vec![listener], router(&app.app), std::future::pending()));
    address
}

/// Sends what `next` makes until the other side has had enough; after how many it had.
fn flood(address: SocketAddr, next: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reading = stream.try_clone().unwrap();
    // What comes back is read, as by a client that is otherwise well.
    let reader = std::thread::spawn(move || {
        let mut seen = [0; 16_384];
        while reading.read(&mut seen).is_ok_and(|count| count > 0) {}
    });
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
    let refused = (0..FLOOD).find(|number| stream.write_all(&next(*number)).is_err());
    drop(stream.shutdown(std::net::Shutdown::Both));
    reader.join().unwrap();
    refused
}

fn is_answered(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut seen = Vec::new();
    stream.read_to_end(&mut seen).is_ok_and(|_| seen.starts_with(b"HTTP/1.1 200"))
}

/// DS-04, CVE-2023-44487: requests that are taken back as soon as they are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ds_04_a_rapid_reset_ends_its_connection_and_nobody_elses() {
    let address = listen().await;
    let reset = |number: u32| {
        let stream = number * 2 + 1;
        let mut sent = frame(HEADERS, END_STREAM | END_HEADERS, stream, &request());
        sent.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        sent
    };
    // Many to a packet, as whoever does this sends them.
    let many =
        move |number: u32| (0..50).flat_map(|next| reset(number * 50 + next)).collect::<Vec<u8>>();
    let ended = spawn_blocking(move || flood(address, many));
    let beside = spawn_blocking(move || (0..20).all(|_| is_answered(address)));
    assert!(beside.await.unwrap());
    let ended = ended.await.unwrap();
    assert!(ended.is_some(), "{FLOOD} packets of resets were taken");
    assert!(is_answered(address));
}

/// DS-04, VU#421644: headers that never end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ds_04_headers_without_an_end_end_their_connection_and_nobody_elses() {
    let address = listen().await;
    for block in [vec![], vec![0x40, 1, b'a', 1, b'b'], vec![b'a'; 16_000]] {
        let endless = move |number: u32| match number {
            0 => frame(HEADERS, END_STREAM, 1, &request()),
            _ => frame(CONTINUATION, 0, 1, &block),
        };
        let ended = spawn_blocking(move || flood(address, endless)).await.unwrap();
        assert!(ended.is_some(), "{FLOOD} frames of one head were taken");
        assert!(is_answered(address));
    }
}

/// A client of HTTP/2 that is well, in frames.
struct Framed(TcpStream);

/// RFC 9113 §4.1.
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Framed {
    fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(PREFACE).unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        Self(stream)
    }

    fn send(&mut self, frame: &[u8]) {
        self.0.write_all(frame).unwrap();
    }

    fn next(&mut self) -> Frame {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Frame { kind: head[3], stream, payload }
    }

    fn until(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.next();
            if is_wanted(&frame) {
                return frame;
            }
        }
    }
}

/// RFC 9113 §5.1.2: 100 requests at a time, and no more of one connection; the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_too_many_of_a_connection_is_refused_and_the_others_go_on() {
    let address = listen().await;
    let asked = spawn_blocking(move || {
        let mut client = Framed::open(address);
        let settings = client.until(|it| it.kind == SETTINGS && !it.payload.is_empty());
        // RFC 9113 §6.5.2: SETTINGS_MAX_CONCURRENT_STREAMS.
        assert!(settings.payload.chunks(6).any(|it| it == [0, 3, 0, 0, 0, 100]));
        client.send(&frame(SETTINGS, 1, 0, &[]));
        // `POST /oauth2/token` with a form that is on its way.
        let mut block = vec![0x83, 0x86, 0x04, 13];
        block.extend(b"/oauth2/token");
        block.extend([0x01, 9]);
        block.extend(b"localhost");
        block.extend([0x0f, 0x10, 33]);
        block.extend(b"application/x-www-form-urlencoded");
        for number in 0..101 {
            client.send(&frame(HEADERS, END_HEADERS, number * 2 + 1, &block));
        }
        let refused = client.until(|it| it.kind == RST_STREAM || it.kind == HEADERS);
        // RFC 9113 §7: REFUSED_STREAM, which may be asked again.
        assert_eq!((refused.kind, refused.stream), (RST_STREAM, 201));
        assert_eq!(refused.payload, 7_u32.to_be_bytes());
        for stream in [1, 199] {
            client.send(&frame(DATA, END_STREAM, stream, b"grant_type=none"));
            let answer = client.until(|it| it.kind == HEADERS);
            assert_eq!(answer.stream, stream);
        }
        client.send(&frame(HEADERS, END_STREAM | END_HEADERS, 203, &request()));
        assert_eq!(client.until(|it| it.kind == HEADERS).stream, 203, "there is room again");
    });
    asked.await.unwrap();
}

/// RFC 9113 §10.5.1: a head of 16 KiB at most, over HTTP/2 as over HTTP/1.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_is_refused_over_http_2_as_well() {
    let address = listen().await;
    let asked = spawn_blocking(move || {
        let mut client = Framed::open(address);
        let settings = client.until(|it| it.kind == SETTINGS && !it.payload.is_empty());
        // RFC 9113 §6.5.2: SETTINGS_MAX_HEADER_LIST_SIZE.
        assert!(settings.payload.chunks(6).any(|it| it == [0, 6, 0, 0, 0x40, 0]));
        // RFC 7541 §5.1 and appendix B: `:status`, and the number as Huffman has it.
        let (good, large) = (vec![0x88], vec![0x48, 0x83, 0x69, 0x90, 0xff]);
        for (stream, length, status) in [(1, 12_000, good), (3, 17_000, large)] {
            let mut block = request();
            // A name of one letter, and how long what follows is (RFC 7541 §5.1 and §6.2.2).
            let rest = length - 127_u32;
            let last = u8::try_from(rest >> 14).unwrap();
            let low = |shift: u32| u8::try_from(rest >> shift & 0x7f).unwrap() | 0x80;
            block.extend([0, 1, b'x', 0x7f, low(0), low(7), last]);
            block.resize(block.len() + usize::try_from(length).unwrap(), b'a');
            let (first, more) = block.split_at(10_000);
            client.send(&frame(HEADERS, END_STREAM, stream, first));
            client.send(&frame(CONTINUATION, END_HEADERS, stream, more));
            let answer = client.until(|it| it.kind == HEADERS);
            assert_eq!(answer.stream, stream);
            let shown = &answer.payload[..8.min(answer.payload.len())];
            assert!(answer.payload.windows(status.len()).any(|it| it == status), "{shown:x?}");
        }
        assert!(is_answered(address));
    });
    asked.await.unwrap();
}

/// Of everything there is a most, on every kind of endpoint.
#[tokio::test]
async fn too_much_of_anything_is_refused_with_its_own_status() {
    let app = TestApp::start().await;
    let form = |count: usize| -> Vec<(String, String)> {
        (0..count).map(|number| (format!("p{number}"), "1".to_owned())).collect()
    };
    let many = form(65);
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    app.form("/oauth2/token", &many).await.expect(400);
    assert_eq!(Visitor::of(&app).send("/login", &many).await.status, 400, "a page");

    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let sign_in = |email: &str| format!("{{\"email\":{email},\"password\":\"x\"}}");
    let twice = format!("{{\"email\":\"{}\",\"email\":\"x\",\"password\":\"x\"}}", MINJI.0);
    for (body, status) in [(sign_in(&nested(33)), 400), (sign_in(&nested(3)), 422), (twice, 400)] {
        let request = Request::post("/api/v1/users/signin");
        let request = request.header("content-type", "application/json");
        app.send(request.body(Body::from(body)).unwrap()).await.expect(status);
    }
    let scope = (0..65).map(|number| format!("s{number}")).collect::<Vec<_>>().join(" ");
    let refused = app.own_token(app.web(), Some(&scope)).await.expect(400);
    assert_eq!(refused.text("/error"), "invalid_scope");

    let token = "x".repeat(8_193);
    app.read_as("/api/v1/users/me", &token).await.expect(401);
    let asked =
        app.form_as(app.web(), "/oauth2/introspect", &[("token", &token)]).await.expect(200);
    assert_eq!(asked.json(), json!({"active": false}));

    for (length, status) in [(12_288, 404), (12_289, 414), (15_000, 414)] {
        for path in ["/nothing/", "/oauth2/authorize?state=", "/login?flow="] {
            let uri = format!("{path}{}", "a".repeat(length - path.len()));
            let answer = app.get(&uri).await;
            let is_refused = answer.status == 414;
            assert_eq!(is_refused, status == 414, "{path} {length}: {}", answer.status);
        }
    }
    let long = app.get(&format!("/{}", "a".repeat(13_000))).await.expect(414);
    assert_eq!(long.text("/code"), "uri_too_long");
    let large = "x".repeat(70_000);
    for path in ["/login", "/signup", "/recover", "/device"] {
        let page = Visitor::of(&app).send(path, &[("username", &large)]).await;
        assert!([400, 413].contains(&page.status.as_u16()), "{path}: {}", page.status);
    }
    let body = json!({"email": MINJI.0, "password": large});
    app.call(Method::POST, "/api/v1/users/signin", "", body).await.expect(413);
}
