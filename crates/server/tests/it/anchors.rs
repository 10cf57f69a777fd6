//! Anchors: who is told how far the audit trail is, in a file, by syslog over real sockets, by
//! HTTP; and that what they keep is what a trail is measured by.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use munjigi_audit::{Checkpoint, Directory, Keys, check_since, kept_notes, verify};
use munjigi_server::anchors::{Anchorage, Anchors};
use munjigi_server::operate::Operator;
use munjigi_server::sequencer::Sequencer;
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::{Database, Tampering, tamper};
use tempfile::TempDir;

use crate::harness::{MINJI, TestApp, config};
use crate::metrics::{metrics, sample};

const HOUR: u64 = 3_600;

/// A server that writes its own tree, and tells these places of it.
struct Anchored {
    app: TestApp,
    sequencer: Sequencer,
    anchors: Anchors,
}

impl Anchored {
    async fn at(places: Vec<Anchorage>, database: DatabaseUrl) -> Self {
        let with = munjigi_server::Config { anchors: places, ..config(database) };
        let app = TestApp::start_from(with).await;
        let sequencer = Sequencer::new(&app.app).unwrap();
        let mut anchored = Self { app, sequencer, anchors: Anchors::default() };
        anchored.sequencer.run(&anchored.app.app).await.unwrap();
        anchored
    }

    /// Something happens, and is signed.
    async fn happen(&mut self) {
        self.app.advance(1);
        self.app.sign_in(MINJI).await;
        self.sequencer.run(&self.app.app).await.unwrap();
    }

    async fn told(&mut self) -> usize {
        self.anchors.run(&self.app.app).await.unwrap()
    }

    /// What the metrics say of a place: how often it was told, how often not, and how long ago.
    async fn counted(&self, place: &str) -> (f64, f64, Option<f64>) {
        let text = metrics(&self.app).await;
        let labels = |outcome: &str| format!("place=\"{place}\",outcome=\"{outcome}\"");
        let count = |outcome: &str| {
            let name = format!("munjigi_audit_anchors_total{{{}}}", labels(outcome));
            sample(&text, &name).unwrap_or_else(|| panic!("no {name} in\n{text}"))
        };
        let age = format!("munjigi_audit_anchored_age_seconds{{place=\"{place}\"}}");
        (count("told"), count("failed"), sample(&text, &age))
    }

    fn sizes(&self, text: &str) -> Vec<u64> {
        let key = self.sequencer.verifier();
        let open = |note: &String| Checkpoint::open(note, &key).unwrap().size;
        kept_notes(text).iter().map(open).collect()
    }
}

fn place(kind: &str, path: &Path) -> Anchorage {
    format!("{kind}:{}", path.display()).parse().unwrap()
}

#[tokio::test]
async fn a_file_gets_a_line_an_hour_and_goes_on_when_it_was_moved_away() {
    let directory = TempDir::new().unwrap();
    let (path, moved) = (directory.path().join("anchors"), directory.path().join("anchors.1"));
    let mut it = Anchored::at(vec![place("file", &path)], DatabaseUrl::SqliteMemory).await;
    assert_eq!(it.told().await, 1, "who begins tells at once");
    it.happen().await;
    assert_eq!(it.told().await, 0, "its time is in an hour");
    it.app.advance(HOUR);
    assert_eq!(it.told().await, 1);
    it.app.advance(HOUR);
    assert_eq!(it.told().await, 0, "it has that one");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    let sizes = it.sizes(&text);
    assert!(sizes[0] < sizes[1], "{sizes:?}");

    std::fs::rename(&path, &moved).unwrap();
    it.happen().await;
    it.app.advance(HOUR);
    assert_eq!(it.told().await, 1);
    assert_eq!(it.sizes(&std::fs::read_to_string(&path).unwrap()).len(), 1);
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), text);
}

/// RFC 5424 §6, over the socket of a machine's own syslog.
#[tokio::test]
async fn syslog_gets_a_message_that_it_can_read_and_the_checkpoint_is_found_in_its_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut it = Anchored::at(vec![place("syslog", &path)], DatabaseUrl::SqliteMemory).await;
    assert_eq!(it.told().await, 1);
    let mut bytes = [0; 4_096];
    let length = socket.recv(&mut bytes).unwrap();
    let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
    let words: Vec<&str> = message.splitn(8, ' ').collect();
    let process = std::process::id().to_string();
    assert_eq!(words[0], "<109>1");
    assert!(words[1].starts_with("2026-01-01T00:00:0") && words[1].ends_with('Z'), "{}", words[1]);
    assert_eq!(words[2..7], ["localhost", "munjigi", &process, "audit-checkpoint", "-"]);
    // Syslog puts what it likes before it.
    let file = format!("Jan  1 00:00:00 host other: hello\nJan  1 00:00:01 host {message}\n");
    assert_eq!(it.sizes(&file).len(), 1);
}

#[tokio::test]
async fn syslog_is_reached_over_udp_and_over_tcp() {
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let places = [
        format!("syslog+udp://{}", udp.local_addr().unwrap()),
        format!("syslog+tcp://{}", tcp.local_addr().unwrap()),
    ];
    let places = places.iter().map(|text| text.parse().unwrap()).collect();
    let mut it = Anchored::at(places, DatabaseUrl::SqliteMemory).await;
    assert_eq!(it.told().await, 2);
    let mut bytes = [0; 4_096];
    let length = udp.recv(&mut bytes).await.unwrap();
    let datagram = String::from_utf8(bytes[..length].to_vec()).unwrap();
    let (mut stream, _) = tcp.accept().await.unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await.unwrap();
    let (length, framed) = text.split_once(' ').unwrap();
    assert_eq!(length.parse(), Ok(framed.len()), "RFC 6587 §3.4.1");
    assert_eq!((it.sizes(&datagram).len(), it.sizes(framed).len()), (1, 1));
}

/// Whoever is away is told a minute later, and keeps neither the others nor any request waiting.
#[tokio::test]
async fn a_place_that_is_away_is_tried_again_and_holds_nothing_up() {
    let directory = TempDir::new().unwrap();
    let (socket, file) = (directory.path().join("log"), directory.path().join("anchors"));
    let places = vec![place("syslog", &socket), place("file", &file)];
    let mut it = Anchored::at(places, DatabaseUrl::SqliteMemory).await;
    assert_eq!(it.told().await, 1, "nobody listens at the socket");
    let (away, there) =
        (format!("syslog:{}", socket.display()), format!("file:{}", file.display()));
    assert_eq!(it.counted(&away).await, (0.0, 1.0, None));
    assert_eq!(it.counted(&there).await, (1.0, 0.0, Some(0.0)));
    it.app.sign_in(MINJI).await;
    let listening = UnixDatagram::bind(&socket).unwrap();
    assert_eq!(it.told().await, 0);
    it.app.advance(60);
    assert_eq!(it.told().await, 1);
    assert_eq!(it.counted(&away).await, (1.0, 1.0, Some(0.0)));
    it.app.advance(5);
    assert_eq!(it.counted(&away).await.2, Some(5.0));
    assert_eq!(it.counted(&there).await, (1.0, 0.0, Some(65.0)));
    let mut bytes = [0; 4_096];
    assert!(listening.recv(&mut bytes).unwrap() > 100);
    assert_eq!(it.sizes(&std::fs::read_to_string(&file).unwrap()).len(), 1);
}

/// A file of anchors, and a trail that its server wrote anew from before them.
#[tokio::test]
async fn a_trail_that_was_rewritten_is_found_out_by_the_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("anchors");
    let database = Database::sqlite();
    let mut it = Anchored::at(vec![place("file", &path)], database.url().clone()).await;
    it.happen().await;
    assert_eq!(it.told().await, 1);
    let verdict = async |it: &Anchored| {
        let operator = Operator::open(database.url().clone(), it.app.clock.clone()).await.unwrap();
        let export = Directory::new(directory.path().join("export"));
        operator.export_audit(&export).await.unwrap();
        let key = it.sequencer.verifier();
        let holds = verify(&export, &key)?;
        let keys = Keys::follow(&key, "")?;
        let text = std::fs::read_to_string(&path).unwrap();
        let found =
            keys.kept(&text)?.0.iter().try_for_each(|old| check_since(&export, &holds, old));
        operator.close().await;
        found
    };
    assert_eq!(verdict(&it).await, Ok(()));
    // Whoever has the database and the key begins the tree again, without one event.
    tamper(&it.app.app.store, Tampering::EventDeleted, 2).await.unwrap();
    tamper(&it.app.app.store, Tampering::Restored, 0).await.unwrap();
    it.sequencer = Sequencer::new(&it.app.app).unwrap();
    it.happen().await;
    it.happen().await;
    assert_eq!(verdict(&it).await.map_err(|found| found.exit_code()), Err(3));
}

/// A URL that somebody else keeps: what came, and how it is answered.
#[derive(Clone, Default)]
struct Web {
    refuses: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Web {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/anchor", listener.local_addr().unwrap());
        let hear = async |State(it): State<Self>, body: String| {
            if it.refuses.load(Ordering::Relaxed) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let form = url::form_urlencoded::parse(body.as_bytes()).into_owned();
            it.heard.lock().unwrap().extend(form.map(|(_, note)| note));
            StatusCode::NO_CONTENT
        };
        let router = Router::new().route("/anchor", post(hear)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

#[tokio::test]
async fn a_checkpoint_is_sent_to_whoever_anchors_it_every_hour_if_there_is_a_new_one() {
    let mut it = Anchored::at(vec![], DatabaseUrl::SqliteMemory).await;
    let web = Web::default();
    assert_eq!(it.told().await, 0, "nobody is named");
    let url = web.start().await;
    it.app.set("audit_anchor", &url).await;
    web.refuses.store(true, Ordering::Relaxed);
    assert_eq!(it.told().await, 0);
    web.refuses.store(false, Ordering::Relaxed);
    assert_eq!(it.told().await, 0, "it is tried again in a minute");
    it.app.advance(60);
    assert_eq!(it.told().await, 1);
    it.app.advance(HOUR);
    assert_eq!(it.told().await, 0, "it has that one");
    it.happen().await;
    assert_eq!(it.told().await, 1);
    // The path of such a URL is often a secret.
    let origin = url.strip_suffix("/anchor").unwrap();
    assert_eq!(it.counted(origin).await, (2.0, 1.0, Some(0.0)));
    assert!(!metrics(&it.app).await.contains("/anchor\""));
    let heard = web.heard.lock().unwrap().clone();
    let sizes: Vec<u64> = heard.iter().flat_map(|note| it.sizes(note)).collect();
    assert!(sizes.len() == 2 && sizes[0] < sizes[1], "{sizes:?}");
}
