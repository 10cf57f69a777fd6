//! The real listener: bounded in time and size whatever the other side does, and a stop that lets
//! what is under way finish.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use munjigi_server::{router, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::harness::{MINJI, TestApp};

/// DS-01 of the attack kit: slow connections are closed within this time.
const CLOSED_WITHIN: Duration = Duration::from_secs(16);

/// A server on a port of its own, and what stops it.
struct Listening {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn listen() -> Listening {
    let app = TestApp::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = serve::serve(vec![listener], router(&app.app), async move {
        drop(stopped.await);
    });
    Listening { address, stop, ended: tokio::spawn(served) }
}

/// What came until the other side closed; an error when it did not within `patience`.
fn read_to_end(stream: &mut TcpStream, patience: Duration) -> Result<String, String> {
    stream.set_read_timeout(Some(patience)).unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(String::from_utf8_lossy(&seen).into_owned()),
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            // A reset is an end, too.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok(String::from_utf8_lossy(&seen).into_owned());
            }
            Err(error) => return Err(format!("{error}; came {}", String::from_utf8_lossy(&seen))),
        }
    }
}

/// Sends these bytes and waits for the end.
async fn exchange(address: SocketAddr, sent: Vec<u8>) -> Result<String, String> {
    let exchanged = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // The other side may have answered and closed before all of it was sent.
        drop(stream.write_all(&sent));
        read_to_end(&mut stream, CLOSED_WITHIN)
    });
    exchanged.await.unwrap()
}

/// A whole sign-in by form, to be sent in parts.
fn sign_in() -> (String, String) {
    let body = format!("username={}&password={}", MINJI.0.replace('@', "%40"), MINJI.1);
    let head = format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head, body)
}

/// DS-01: whoever says nothing, half of something, or too little of it at a time, is not waited
/// for; meanwhile others are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_connections_are_closed_and_cost_nobody_anything() {
    let server = listen().await;
    let address = server.address;
    let (head, body) = sign_in();
    let mut slow = Vec::new();
    for sent in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET",
        "GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ",
        // Answered, kept alive, and then silent.
        "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
        // A second request that never ends.
        "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nho",
    ] {
        slow.push((sent, tokio::spawn(exchange(address, sent.as_bytes().to_vec()))));
    }
    let half = format!("{head}{}", &body[..5]);
    let half = tokio::spawn(exchange(address, half.into_bytes()));
    let dribbled = spawn_blocking(move || dribble(address));

    let answered = exchange(address, format!("{head}{body}").into_bytes()).await.unwrap();
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");

    for (sent, connection) in slow {
        let ended = connection.await.unwrap();
        assert!(ended.is_ok(), "{sent:?} was waited for: {ended:?}");
    }
    assert!(dribbled.await.unwrap().is_ok(), "a byte a second keeps a connection open");
    let half = half.await.unwrap().unwrap();
    assert!(half.is_empty() || half.starts_with("HTTP/1.1 408"), "{half}");
    let again = exchange(address, format!("{head}{body}").into_bytes()).await.unwrap();
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    drop(server);
}

/// One byte of a head a second.
fn dribble(address: SocketAddr) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let head = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for byte in head.bytes().take(16) {
        if stream.write_all(&[byte]).is_err() {
            return Ok(String::new());
        }
        match stream.read(&mut [0; 512]) {
            Ok(_) => return Ok(String::new()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Ok(String::new()),
        }
    }
    Err("still open".to_owned())
}

/// DS-02 of the attack kit: too much is refused before it is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_bodies_that_are_too_large_are_refused_early() {
    let server = listen().await;
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
    };
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let post = |headers: &str| {
        format!("POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\n{form}{headers}\r\n")
    };
    let many: String = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, "a".repeat(40_000));
    for (sent, expected) in [
        (get("/livez", ""), "200"),
        (get("/livez", &format!("x: {}\r\n", "a".repeat(10_000))), "200"),
        (get("/livez", &format!("x: {}\r\n", "a".repeat(20_000))), "431"),
        (get("/livez", &format!("x: {}\r\n", "a".repeat(1_000_000))), "431"),
        (get("/livez", &many), "431"),
        (get(&format!("/{}", "a".repeat(20_000)), ""), "431 414"),
        (get("/livez", "\u{0}: 1\r\n"), "400"),
        (get("/livez", "host: other\r\ncontent-length: 1\r\ncontent-length: 2\r\n"), "400"),
        (post("content-length: 1073741824\r\n"), "413"),
        (post("content-length: 99999999999999999999999\r\n"), "400"),
        (format!("{}{chunk}{chunk}0\r\n\r\n", post("transfer-encoding: chunked\r\n")), "413"),
        (format!("{}ffffffffffffffffff\r\n", post("transfer-encoding: chunked\r\n")), "400"),
        (format!("{}zz\r\n", post("transfer-encoding: chunked\r\n")), "400"),
    ] {
        let answer = exchange(server.address, sent.clone().into_bytes()).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap_or("none").to_owned();
        let shown: String = sent.chars().take(200).collect();
        assert!(expected.contains(&status), "{shown:?}: {expected} but {answer:?}");
    }
    drop(server);
}

/// A stop finishes what is under way and takes nothing new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_requests_under_way_finish_and_takes_no_others() {
    let Listening { address, stop, ended } = listen().await;
    let (head, body) = sign_in();
    let (begun, continued) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let request = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // Idle connections do not hold a stop up.
        let mut idle = TcpStream::connect(address).unwrap();
        stream.write_all(format!("{head}{}", &body[..5]).as_bytes()).unwrap();
        // An answer elsewhere: by now the first request was accepted.
        let mut other = TcpStream::connect(address).unwrap();
        let ask = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        other.write_all(ask.as_bytes()).unwrap();
        read_to_end(&mut other, CLOSED_WITHIN).unwrap();
        begun.0.send(()).unwrap();
        continued.1.recv().unwrap();
        stream.write_all(&body.as_bytes()[5..]).unwrap();
        let answer = read_to_end(&mut stream, CLOSED_WITHIN).unwrap();
        (answer, read_to_end(&mut idle, CLOSED_WITHIN))
    });
    spawn_blocking(move || begun.1.recv().unwrap()).await.unwrap();

    stop.send(()).unwrap();
    let refused = spawn_blocking(move || {
        // The listener is closed as soon as the stop was noticed.
        (0..1_000).any(|_| TcpStream::connect(address).is_err())
    });
    assert!(refused.await.unwrap(), "a stopped server takes connections");
    assert!(!ended.is_finished(), "a request is under way");
    continued.0.send(()).unwrap();

    let (answer, idle) = request.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(idle.is_ok(), "{idle:?}");
    ended.await.unwrap();
}
