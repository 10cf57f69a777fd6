//! The bounds of connections over real sockets, with less patience than usual.

use std::convert::Infallible;

use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::*;

/// Half a second of HTTP/1.1, and of HTTP/2.
const SHORT: Patience = Patience { every: Duration::from_millis(100), untaken: 5, quiet: 5 };
/// What should have happened long ago.
const LONG: Duration = Duration::from_secs(15);
/// More than two machines keep for a client that does not read it.
const MUCH: usize = 32 * 1024 * 1024;

/// A server within bounds, and what stops it.
struct Bounded {
    address: SocketAddr,
    connections: Present,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn listen(bounds: Bounds) -> Bounded {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Present::default();
    let (listeners, proxies) = (vec![listener], vec![]);
    let doors = Doors { listeners, tls: None, proxies, connections: connections.clone() };
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/much", get(|| async { Body::from(Bytes::from(vec![b'm'; MUCH])) }))
        .route("/late", get(late))
        .route("/news", get(|| async { Body::from_stream(stream::unfold(0, news)) }));
    let (stop, stopped) = oneshot::channel::<()>();
    let served = bounded(doors, bounds, router, (async { drop(stopped.await) }, async {}));
    Bounded { address, connections, stop, ended: tokio::spawn(served) }
}

fn impatient() -> Bounds {
    Bounds { seats: Seats::new(own_machine().collect()), room: 1_000, patience: SHORT }
}

/// Thinks for longer than anybody may be quiet.
#[expect(clippy::disallowed_methods, reason = "how long it takes is the point")]
async fn late() -> &'static str {
    tokio::time::sleep(SHORT.every * 15).await;
    "late"
}

/// Tells a little every now and then, for longer than anybody may be quiet.
#[expect(clippy::disallowed_methods, reason = "how long it takes is the point")]
async fn news(told: u32) -> Option<(Result<&'static str, Infallible>, u32)> {
    tokio::time::sleep(SHORT.every).await;
    (told < 15).then_some((Ok("new"), told + 1))
}

impl Bounded {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits until no connection is left.
    async fn until_empty(&self) -> bool {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        let looking = async {
            while self.connections.count() > 0 {
                looks.tick().await;
            }
        };
        tokio::time::timeout(LONG, looking).await.is_ok()
    }
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Whether a short answer comes.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut seen = [0; 512];
    match stream.write_all(request).await {
        Ok(()) => stream.read(&mut seen).await.is_ok_and(|count| count > 0),
        Err(_) => false,
    }
}

/// Of one address so many connections are open; one that ends makes room for another.
#[tokio::test]
async fn one_connection_too_many_of_an_address_is_closed_at_once() {
    let (seats, patience) = (Seats::new(vec![]), Patience::USUAL);
    let server = listen(Bounds { seats, room: 1_000, patience }).await;
    let mut held = Vec::new();
    for _ in 0..seats::PER_ADDRESS {
        let mut stream = server.connect().await;
        assert!(is_answered(&mut stream).await);
        held.push(stream);
    }
    assert!(!is_answered(&mut server.connect().await).await, "it was let in");
    assert!(is_answered(&mut held[0]).await, "the others go on");

    drop(held.pop());
    let mut is_room = false;
    for _ in 0..1_000 {
        is_room = is_answered(&mut server.connect().await).await;
        if is_room {
            break;
        }
    }
    assert!(is_room);
}

/// One more than there is room for waits, unanswered, until another one goes.
#[tokio::test]
async fn one_connection_too_many_of_all_waits_until_another_one_goes() {
    let server = listen(Bounds { room: 2, patience: Patience::USUAL, ..impatient() }).await;
    let mut held = [server.connect().await, server.connect().await];
    for stream in &mut held {
        assert!(is_answered(stream).await);
    }
    let mut next = server.connect().await;
    let waited = tokio::time::timeout(SHORT.every * 5, is_answered(&mut next)).await;
    assert!(waited.is_err(), "the third of two was answered");
    assert_eq!(server.connections.count(), 2);

    let [first, mut second] = held;
    drop(first);
    let mut seen = [0; 512];
    let answered = tokio::time::timeout(LONG, next.read(&mut seen)).await;
    assert!(answered.unwrap().unwrap() > 0, "what it asked meanwhile is answered");
    assert!(is_answered(&mut second).await);
}

/// Who asks for much and reads nothing is cut off; who reads slowly is not.
#[tokio::test]
async fn an_answer_that_is_not_read_ends_its_connection_and_a_slow_reader_gets_all_of_it() {
    let server = listen(impatient()).await;
    let mut unread = server.connect().await;
    ask(&mut unread, "/much").await;
    assert!(server.until_empty().await, "nobody reads, and the server goes on waiting");

    let mut slow = server.connect().await;
    ask(&mut slow, "/much").await;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let (mut read, mut buffer) = (0, vec![0; 128 * 1024]);
    while read < MUCH {
        pace.tick().await;
        let count = slow.read(&mut buffer).await.unwrap();
        assert!(count > 0, "cut off after {read} bytes");
        read += count;
    }
    // Neither are thinking and telling little at a time anything to be cut off for.
    for path in ["/late", "/news"] {
        let mut stream = server.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = String::new();
        stream.read_to_string(&mut seen).await.unwrap();
        let is_whole = seen.ends_with("late") || seen.ends_with("0\r\n\r\n");
        assert!(seen.starts_with("HTTP/1.1 200") && is_whole, "{seen}");
    }
    drop(unread);
}

/// A stop does not wait for who reads nothing.
#[tokio::test]
async fn an_answer_that_is_not_read_does_not_hold_a_stop_up() {
    let server = listen(Bounds { patience: Patience { untaken: 9_999, ..SHORT }, ..impatient() });
    let server = server.await;
    let mut unread = server.connect().await;
    ask(&mut unread, "/much").await;
    unread.readable().await.unwrap();
    server.stop.send(()).unwrap();
    tokio::time::timeout(LONG, server.ended).await.expect("a stop waits for nothing").unwrap();
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A client of HTTP/2 that answers pings, sends some, and never opens a window further.
struct Pinging {
    reading: OwnedReadHalf,
    writing: Arc<Mutex<OwnedWriteHalf>>,
    /// What came: the kind, the flags and how long it was.
    seen: Vec<(u8, u8, usize)>,
}

async fn send(to: &Mutex<OwnedWriteHalf>, kind: (u8, u8), stream: u32, payload: &[u8]) -> bool {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind.0, kind.1], &stream.to_be_bytes()].concat();
    to.lock().await.write_all(&[&head, payload].concat()).await.is_ok()
}

impl Pinging {
    async fn open(server: &Bounded, window: u32) -> Self {
        let mut stream = server.connect().await;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let (reading, writing) = stream.into_split();
        let writing = Arc::new(Mutex::new(writing));
        // RFC 9113 §6.5.2: SETTINGS_INITIAL_WINDOW_SIZE.
        let settings = [&[0, 4], &window.to_be_bytes()[..]].concat();
        assert!(send(&writing, (SETTINGS, 0), 0, &settings).await);
        let pinging = Arc::clone(&writing);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SHORT.every);
            while send(&pinging, (PING, 0), 0, b"am here.").await {
                ticks.tick().await;
            }
        });
        Self { reading, writing, seen: Vec::new() }
    }

    /// `GET`, in the static table of HPACK (RFC 7541 appendix A).
    async fn ask(&mut self, stream: u32, path: &str) {
        let length = u8::try_from(path.len()).unwrap();
        let path = [&[0x82, 0x86, 0x04, length], path.as_bytes()].concat();
        let block = [&path[..], &[0x01, 1, b'x']].concat();
        assert!(send(&self.writing, (HEADERS, END_STREAM | END_HEADERS), stream, &block).await);
    }

    async fn next(&mut self) -> Option<()> {
        let mut head = [0; 9];
        self.reading.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.reading.read_exact(&mut payload).await.ok()?;
        let (kind, flags) = (head[3], head[4]);
        self.seen.push((kind, flags, payload.len()));
        let is_asked = [SETTINGS, PING].contains(&kind) && flags & ACK == 0;
        let answer = if kind == PING { &payload[..] } else { &[] };
        (!is_asked || send(&self.writing, (kind, ACK), 0, answer).await).then_some(())
    }

    /// Reads until the other side ends it, or until so many streams have ended.
    async fn read(&mut self, streams: usize) -> bool {
        let reading = async { while self.ended() < streams && self.next().await.is_some() {} };
        tokio::time::timeout(LONG, reading).await.is_ok()
    }

    fn ended(&self) -> usize {
        let is_end =
            |(kind, flags, _): &&(u8, u8, usize)| *kind <= HEADERS && flags & END_STREAM > 0;
        self.seen.iter().filter(is_end).count()
    }

    fn bytes(&self) -> usize {
        self.seen.iter().filter(|(kind, ..)| *kind == DATA).map(|(.., length)| length).sum()
    }
}

/// RFC 9113 §6.9: somebody who opens no window is there, and takes nothing.
#[tokio::test]
async fn a_window_of_http_2_that_stays_closed_ends_its_connection() {
    let server = listen(impatient()).await;
    for (window, path) in [(0, "/"), (0, "/much"), (3, "/"), (65_535, "/much")] {
        let mut client = Pinging::open(&server, window).await;
        client.ask(1, path).await;
        assert!(client.read(1).await, "{window} {path}: it is waited for");
        let is_head = |(kind, flags, _): &(_, _, _)| (*kind, *flags) == (HEADERS, END_HEADERS);
        assert!(client.seen.iter().any(is_head), "{path}");
        assert!(client.bytes() <= usize::try_from(window).unwrap(), "{path}");
        assert_eq!(client.ended(), 0, "{window} {path}: it had all of it");
        assert!(server.until_empty().await);
    }
}

/// Who has asked nothing, or nothing for long, is told to go, however often it pings.
#[tokio::test]
async fn a_connection_of_http_2_without_requests_is_told_to_go_after_a_while() {
    let server = listen(impatient()).await;
    let mut client = Pinging::open(&server, 65_535).await;
    assert!(client.read(usize::MAX).await, "nothing was asked");
    assert!(client.seen.iter().any(|(kind, ..)| *kind == GOAWAY));

    let mut client = Pinging::open(&server, 65_535).await;
    client.ask(1, "/").await;
    assert!(client.read(usize::MAX).await, "something was asked, and no more");
    assert_eq!((client.ended(), client.bytes()), (1, 4));
    assert!(client.seen.iter().any(|(kind, ..)| *kind == GOAWAY));
    assert!(server.until_empty().await);
}

/// Long polls and streams of events are quiet for long, and go on.
#[tokio::test]
async fn on_http_2_too_thinking_and_telling_little_at_a_time_go_on() {
    let server = listen(impatient()).await;
    let mut client = Pinging::open(&server, 65_535).await;
    client.ask(1, "/late").await;
    assert!(client.read(1).await);
    assert_eq!((client.ended(), client.bytes()), (1, 4));
    client.ask(3, "/news").await;
    assert!(client.read(2).await);
    assert_eq!((client.ended(), client.bytes()), (2, 4 + 15 * 3));
}
