//! A server that is told to stop: `/readyz` says so first, nobody's request is cut off, and what is
//! on its way gets there once.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use munjigi_e2e::edge::Edge;
use munjigi_e2e::{form, get, post};
use serde_json::json;

/// An answer, as far as it matters here.
struct Heard {
    status: String,
    is_last: bool,
}

/// A connection of HTTP/1.1 that is kept until the server says that it is the last answer.
struct Kept(BufReader<TcpStream>);

impl Kept {
    /// `None` when nobody takes connections any more.
    fn open(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        Some(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, request: &str) -> std::io::Result<Heard> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut is_last) = (String::new(), 0, false);
        self.0.read_line(&mut status)?;
        if status.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let line = line.trim_end().to_lowercase();
            if line.is_empty() {
                break;
            }
            is_last |= line == "connection: close";
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        self.0.read_exact(&mut vec![0; length])?;
        Ok(Heard { status, is_last })
    }
}

/// A sign-in, which takes as long as a hash.
fn sign_in(client: &str) -> String {
    let who = "username=minji&password=a-long-enough-secret";
    let body = format!("grant_type=password&client_id={client}&{who}");
    format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A client that signs people in.
fn shop(edge: &Edge) -> String {
    let create = ["clients", "create", "--name", "Shop", "--grant-type", "password"];
    let more = ["--auth-method", "none", "--first-party", "--scope", "openid"];
    let client = edge.cli(&[&create[..], &more].concat(), "");
    client["client_id"].as_str().unwrap().to_owned()
}

const JWKS: &str = "GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Asks without a pause, over a new connection as soon as the server says that one is at its end,
/// until nobody takes connections any more; how many answers were the last ones of a connection.
fn keep_asking(port: u16, request: String, answered: Arc<AtomicU64>) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut last = 0;
        while let Some(mut kept) = Kept::open(port) {
            for round in 0.. {
                let heard = match kept.ask(&request) {
                    Ok(heard) => heard,
                    // In the queue of a socket that was closed: nobody took this connection.
                    Err(_) if round == 0 && Kept::open(port).is_none() => break,
                    Err(error) => panic!("{error} instead of an answer"),
                };
                assert!(heard.status.contains(" 200"), "{}", heard.status);
                answered.fetch_add(1, Ordering::Relaxed);
                if heard.is_last {
                    last += 1;
                    break;
                }
            }
        }
        last
    })
}

/// The same over HTTP/2, where GOAWAY says it (RFC 9113 §6.8), several requests at a time.
fn keep_asking_by_http_2(port: u16, answered: Arc<AtomicU64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
        let client = client.timeout(Duration::from_secs(40)).build().unwrap();
        let url = format!("http://127.0.0.1:{port}/.well-known/jwks.json");
        let ask = async || match client.get(&url).send().await {
            Ok(answer) => {
                assert_eq!(answer.status(), 200);
                answer.bytes().await.expect("an answer was cut off");
                answered.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(error) if error.is_connect() => false,
            Err(error) => panic!("{error:?} instead of an answer"),
        };
        runtime
            .block_on(async { while tokio::join!(ask(), ask(), ask()) == (true, true, true) {} });
    })
}

/// A server with an account and a client for the feed.
fn server(more: &str) -> Edge {
    let edge = Edge::new("http", more);
    let create = ["users", "create", "--email", "minji@example.kr", "--username", "minji"];
    let create = [&create[..], &["--role", "user", "--password-stdin"]].concat();
    edge.cli(&create, "a-long-enough-secret\n");
    edge
}

/// A follower of the revocation feed that waits for news; what it is told at last.
fn follower(edge: &Edge) -> JoinHandle<u16> {
    let create = ["clients", "create", "--name", "API", "--grant-type", "client_credentials"];
    let create = [&create[..], &["--scope", "revocations:read"]].concat();
    let client = edge.cli(&[&create[..], &["--auth-method", "client_secret_post"]].concat(), "");
    let secret = client["client_secret"].as_str().unwrap();
    let fields = [("grant_type", "client_credentials"), ("scope", "revocations:read")];
    let fields = [&fields[..], &[("client_id", client["client_id"].as_str().unwrap())]].concat();
    let fields = [&fields[..], &[("client_secret", secret)]].concat();
    let token = form(&format!("{}/oauth2/token", edge.issuer), &fields).expect(200);
    let token = token.text("access_token");
    let feed = format!("{}/api/v1/revocations", edge.issuer);
    let cursor = get(&feed, Some(&token)).expect(200).text("cursor");
    std::thread::spawn(move || get(&format!("{feed}?wait=25&cursor={cursor}"), Some(&token)).status)
}

#[test]
fn a_server_that_stops_under_load_cuts_nobody_off() {
    let mut edge = server("");
    edge.start();
    let follower = follower(&edge);
    let answered = Arc::<AtomicU64>::default();
    let sign_in = sign_in(&shop(&edge));
    let requests = [JWKS.to_owned(), JWKS.to_owned(), sign_in.clone(), sign_in];
    let kept = requests.map(|request| keep_asking(edge.port, request, Arc::clone(&answered)));
    let multiplexed = keep_asking_by_http_2(edge.port, Arc::clone(&answered));
    let port = edge.port;
    let is_told = Arc::<AtomicBool>::default();
    let refuses = Arc::clone(&is_told);
    let ready = std::thread::spawn(move || {
        let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let mut is_refused = false;
        while let Some(mut kept) = Kept::open(port) {
            let Ok(heard) = kept.ask(request) else { break };
            let is_ready = heard.status.contains(" 200");
            assert!(is_ready || heard.status.contains(" 503"), "{}", heard.status);
            assert!(is_ready || refuses.load(Ordering::Relaxed), "refused before it was told");
            assert!(!is_refused || !is_ready, "ready again");
            is_refused = !is_ready;
        }
        is_refused
    });
    while answered.load(Ordering::Relaxed) < 200 {
        std::thread::sleep(Duration::from_millis(10));
    }

    is_told.store(true, Ordering::Relaxed);
    edge.signal("TERM");

    for kept in kept {
        let last = kept.join().expect("a request was cut off");
        assert!(last > 0, "a connection was closed without a word");
    }
    multiplexed.join().expect("a request was cut off");
    assert!(ready.join().unwrap(), "/readyz never refused");
    assert_eq!(follower.join().unwrap(), 200, "the follower is let go");
    assert_eq!(edge.ended().code(), Some(0), "{}", edge.log());
    assert!(!edge.log().contains("requests under way"), "{}", edge.log());
    // Sign-ins were acknowledged until nobody was let in any more: the signed tree has all of them.
    let last = edge.cli(&["audit", "checkpoint"], "");
    assert_eq!(last["waiting"], 0, "{last}");
    assert!(last["size"].as_u64().unwrap() > 2, "{last}");
}

#[test]
fn a_second_signal_waits_for_nobody() {
    let mut edge = server("");
    edge.start();
    // Half of a request, which the server would wait for.
    let mut slow = TcpStream::connect(("127.0.0.1", edge.port)).unwrap();
    let whole = sign_in("nobody");
    slow.write_all(&whole.as_bytes()[..whole.len() - 5]).unwrap();
    edge.signal("TERM");
    edge.wait_for_log("stopping");
    let told = Instant::now();
    edge.signal("TERM");
    assert_eq!(edge.ended().code(), Some(130));
    // It would have waited for the moment of departure at least, and for the rest of the request.
    assert!(told.elapsed() < Duration::from_secs(12), "{:?}", told.elapsed());
}

/// A mail server that takes its time to say that it took a mail.
struct SlowPost {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    /// Told when a mail is there whole.
    arrived: Receiver<()>,
    /// Says that it may be acknowledged.
    acknowledge: Sender<()>,
}

impl SlowPost {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let ((tell, arrived), (acknowledge, may)) = (channel(), channel());
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // One at a time is enough here.
                converse(stream, &kept, &tell, &may);
            }
        });
        Self { port, mails, arrived, acknowledge }
    }
}

fn converse(stream: TcpStream, mails: &Mutex<Vec<String>>, tell: &Sender<()>, may: &Receiver<()>) {
    let mut reader = BufReader::new(stream);
    say(&mut reader, "220 slow");
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
        let verb = line.trim_end().to_uppercase();
        line.clear();
        match verb.split([' ', ':']).next().unwrap_or_default() {
            "DATA" => {
                let Some(mail) = read_mail(&mut reader) else { return };
                mails.lock().unwrap().push(mail);
                // The test is over when it does not listen any more.
                if tell.send(()).is_err() || may.recv_timeout(Duration::from_secs(60)).is_err() {
                    return;
                }
                say(&mut reader, "250 taken");
            }
            "QUIT" => return say(&mut reader, "221 bye"),
            _ => say(&mut reader, "250 ok"),
        }
    }
}

fn say(reader: &mut BufReader<TcpStream>, line: &str) {
    drop(reader.get_mut().write_all(format!("{line}\r\n").as_bytes()));
}

/// A mail up to its end; `None` when the other side went away.
fn read_mail(reader: &mut BufReader<TcpStream>) -> Option<String> {
    say(reader, "354 go on");
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        reader.read_line(&mut mail).ok().filter(|count| *count > 0)?;
    }
    Some(mail)
}

#[test]
fn a_mail_on_its_way_gets_there_once() {
    let slow = SlowPost::start();
    let more = format!(
        "mail.smtp_url = \"smtp://localhost:{}?tls=none\"\nmail.from = \"no-reply@example.kr\"",
        slow.port
    );
    let mut edge = server(&more);
    edge.cli(&["settings", "set", "registration", "open"], "");
    edge.start();
    let body = json!({"email": "new@example.kr", "password": "a-long-enough-secret"});
    let answer = post(&format!("{}/api/v1/users/signup", edge.issuer), &body, None);
    assert!(answer.status < 300, "{answer:?}");
    slow.arrived.recv_timeout(Duration::from_secs(30)).expect("a mail is on its way");

    edge.signal("TERM");
    edge.wait_for_log("stopping");
    // Longer than the server lingers for anybody else.
    std::thread::sleep(Duration::from_secs(4));
    assert!(!edge.log().contains("\"stopped\""), "it did not wait for the mail: {}", edge.log());
    slow.acknowledge.send(()).unwrap();
    assert_eq!(edge.ended().code(), Some(0), "{}", edge.log());

    // Whoever comes after it finds nothing to send: it was written down before the end.
    edge.start();
    let again = slow.arrived.recv_timeout(Duration::from_secs(5));
    assert!(again.is_err() && slow.mails.lock().unwrap().len() == 1, "sent twice");
    assert_eq!(waiting(&edge), 0, "what was sent is not known as sent");
}

/// How many things wait in the outbox of a server.
fn waiting(edge: &Edge) -> i64 {
    use munjigi_core::time::Timestamp;
    use munjigi_store::{Store, StoreOptions, outbox};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = format!("sqlite:{}", edge.file("munjigi.db").display());
    runtime.block_on(async {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let store = Store::open(StoreOptions::new(database.parse().unwrap(), now)).await.unwrap();
        let (waiting, _) = store.read(outbox::waiting).await.unwrap();
        store.close().await;
        waiting
    })
}
