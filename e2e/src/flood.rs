//! DS-01 and DS-02 of the attack kit, against the real program: connections that are slow or say
//! nothing, and requests that are far too large. Nobody else is kept waiting, everybody slow is cut
//! off, and the memory of the server stays what it was.

use std::io::{Read, Write};
use std::net::TcpStream as Blocking;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::production::Production;

/// How long a connection is waited for that the server should have closed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How large a body is that nobody reads to its end.
const GIBIBYTE: usize = 1024 * 1024 * 1024;

/// What the slow connections say, and then nothing more, except where they say so.
const SLOW: [Said; 6] = [
    Said::Only(""),
    Said::Only("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: "),
    Said::Only("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    Said::Only(HALF_A_BODY),
    Said::Only("PRI * HTTP/2.0\r\n\r\nSM"),
    Said::AndMoreByTheByte(HALF_A_BODY),
];

const HALF_A_BODY: &str = "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\n\
    content-length: 60000\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\ngrant_type=";

/// The largest answer that there is for everybody, asked for as often as no machine keeps it.
const LARGEST: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
const TIMES: usize = 16;
/// One connection of so many reads no answer: the machine keeps some of it for each of them.
const UNREAD: usize = 20;

/// What a slow connection says.
#[derive(Clone, Copy)]
enum Said {
    /// This, and nothing more.
    Only(&'static str),
    /// This, and then a byte a second.
    AndMoreByTheByte(&'static str),
    /// It asks for much and reads none of it.
    AndReadsNothing,
}

/// What was seen of slow connections.
#[derive(Debug)]
pub struct Slow {
    /// How many there were.
    pub connections: usize,
    /// How many of them the server closed.
    pub closed: usize,
    /// After how long the last of them was closed.
    pub last_closed: Duration,
    /// How many others were answered meanwhile.
    pub answered: usize,
    /// How long the slowest of 100 of them waited.
    pub p99: Duration,
}

/// Opens so many slow connections at once, and asks for something beside them all the time.
pub async fn slow(server: &Production, connections: usize) -> Slow {
    let address = server.base.trim_start_matches("http://").to_owned();
    let is_over = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn(ask_meanwhile(address.clone(), Arc::clone(&is_over)));
    let mut tasks = Vec::new();
    for number in 0..connections {
        let said = match number % UNREAD {
            0 => Said::AndReadsNothing,
            _ => SLOW[number % SLOW.len()],
        };
        tasks.push(tokio::spawn(wait_for_the_end(address.clone(), said)));
        // Not so many in one moment that the machine forgets some before the server sees them.
        if number % 50 == 49 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut ends = Vec::new();
    for task in tasks {
        ends.extend(task.await.unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    let mut waits = others.await.unwrap();
    waits.sort();
    let p99 = waits[waits.len().saturating_sub(1) * 99 / 100];
    let last_closed = ends.iter().max().copied().unwrap_or_default();
    Slow { connections, closed: ends.len(), last_closed, answered: waits.len(), p99 }
}

/// Says something and waits; how long it took until the other side closed, if it did.
async fn wait_for_the_end(address: String, said: Said) -> Option<Duration> {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    // As little as the machine allows waits here to be read.
    socket.set_recv_buffer_size(4_096).expect("a buffer may be small");
    let address = address.parse().expect("an address and a port");
    let mut stream = socket.connect(address).await.expect("the server takes connections");
    let began = Instant::now();
    let ending = async {
        let mut seen = Vec::new();
        match said {
            Said::Only(text) => {
                drop(stream.write_all(text.as_bytes()).await);
                // A reset is an end, too.
                drop(stream.read_to_end(&mut seen).await);
            }
            Said::AndMoreByTheByte(text) => {
                drop(stream.write_all(text.as_bytes()).await);
                let (mut reading, mut writing) = stream.split();
                tokio::select! {
                    _ = reading.read_to_end(&mut seen) => {}
                    () = dribble(&mut writing) => {}
                }
            }
            Said::AndReadsNothing => {
                drop(stream.write_all(LARGEST.repeat(TIMES).as_bytes()).await);
                // Nothing is heard of the end by who reads nothing, except when writing.
                dribble(&mut stream).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ending).await.ok().map(|()| began.elapsed())
}

/// Writes a byte a second for as long as the other side is there.
async fn dribble(stream: &mut (impl AsyncWrite + Unpin)) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while stream.write_all(b"a").await.is_ok() {
        ticks.tick().await;
    }
}

/// How long each of many requests took, one after another, each on a connection of its own.
async fn ask_meanwhile(address: String, is_over: Arc<AtomicBool>) -> Vec<Duration> {
    let request =
        "GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut waits = Vec::new();
    while !is_over.load(Ordering::Relaxed) || waits.is_empty() {
        let began = Instant::now();
        let mut stream = TcpStream::connect(&address).await.expect("others are let in");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        assert!(seen.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&seen));
        waits.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waits
}

/// What was seen of requests that are too large.
#[derive(Debug)]
pub struct Large {
    /// The statuses, by what was sent.
    pub statuses: Vec<(&'static str, u16)>,
    /// How much was written of bodies of a gibibyte before the server was done with them.
    pub most_written: usize,
    /// The resident memory before and after, in KiB.
    pub memory: (u64, u64),
}

/// Sends each of them so many times.
pub fn large(server: &Production, times: usize) -> Large {
    let address = server.base.trim_start_matches("http://");
    // Once beforehand, so that what is made on first use is there.
    let mut seen = round(address);
    let before = server.memory();
    for _ in 0..times {
        seen = round(address);
    }
    let (statuses, most_written) = seen;
    Large { statuses, most_written, memory: (before, server.memory()) }
}

fn round(address: &str) -> (Vec<(&'static str, u16)>, usize) {
    let head = |path: &str, kind: &str, further: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: {kind}\r\n{further}\r\n"
        )
    };
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let whole = |path: &str, kind: &str, body: &str| {
        let length = format!("content-length: {}\r\n", body.len());
        (head(path, kind, &length) + body).into_bytes()
    };
    let scopes = |count: usize| {
        let scope: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
        format!("grant_type=client_credentials&client_id=x&scope={}", scope.join("+"))
    };
    let uris = |count: usize| {
        let uris: Vec<String> =
            (0..count).map(|it| format!("\"https://a.example/{it}\"")).collect();
        format!("{{\"redirect_uris\":[{}]}}", uris.join(","))
    };
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let header = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(10_000_000));
    let uri = "a".repeat(13_000);
    let uri = format!("GET /{uri} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut seen = vec![
        ("100,000 scopes", status(address, &whole("/oauth2/token", form, &scopes(100_000)))),
        ("8,000 scopes", status(address, &whole("/oauth2/token", form, &scopes(8_000)))),
        ("10,000 redirect URIs", status(address, &whole("/oauth2/register", json, &uris(10_000)))),
        ("1,000 redirect URIs", status(address, &whole("/oauth2/register", json, &uris(1_000)))),
        ("JSON 10,000 deep", status(address, &whole("/api/v1/users/signin", json, &deep))),
        ("a header of 10 MB", status(address, header.as_bytes())),
        ("an address of 13 kB", status(address, uri.as_bytes())),
    ];
    let mut most_written = 0;
    for (path, kind) in [("/oauth2/token", form), ("/api/v1/users/signin", json)] {
        let chunked = head(path, kind, "transfer-encoding: chunked\r\n");
        let (status, written) = endless(address, &chunked);
        seen.push(("a chunked body of 1 GiB", status));
        most_written = most_written.max(written);
    }
    (seen, most_written)
}

fn connect(address: &str) -> Blocking {
    let stream = Blocking::connect(address).expect("the server takes connections");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The status of what a server answers, which may be before it has read everything.
fn status(address: &str, sent: &[u8]) -> u16 {
    let mut stream = connect(address);
    drop(stream.write_all(sent));
    read_status(&mut stream)
}

/// Writes chunks until the server has had enough, or a gibibyte is written.
fn endless(address: &str, head: &str) -> (u16, usize) {
    let mut stream = connect(address);
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 65_536, "a".repeat(65_536));
    let mut written = 0;
    while written < GIBIBYTE && stream.write_all(chunk.as_bytes()).is_ok() {
        written += chunk.len();
    }
    (read_status(&mut stream), written)
}

/// Zero, where the connection was reset before the answer could be read.
fn read_status(stream: &mut Blocking) -> u16 {
    let mut seen = Vec::new();
    drop(stream.read_to_end(&mut seen));
    let text = String::from_utf8_lossy(&seen);
    text.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}
