//! The guarded client against servers of the tests' own, over loopback.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const CA: &[u8] = include_bytes!("../../tests/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../tests/tls/localhost.pem");
const KEY: &[u8] = include_bytes!("../../tests/tls/localhost.key");

/// A server that says the same to everybody, and counts who came and keeps what they said.
struct Canary {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Canary {
    async fn plain(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(None, answer.into(), Duration::ZERO).await
    }

    async fn secure(answer: impl Into<Vec<u8>>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::start(Some(TlsAcceptor::from(Arc::new(config))), answer.into(), Duration::ZERO).await
    }

    /// `pause` stands between every two bytes of the answer.
    async fn start(tls: Option<TlsAcceptor>, answer: Vec<u8>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let canary = Self { address, connections: connections.clone(), heard: heard.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (tls, answer, heard) = (tls.clone(), answer.clone(), heard.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, &answer, pause, &heard).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, &answer, pause, &heard).await;
                            }
                        }
                    }
                });
            }
        });
        canary
    }

    fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/x", self.address.port())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow server is what is tested")]
async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    pause: Duration,
    heard: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
        }
    }
    heard.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    let step = if pause.is_zero() { answer.len().max(1) } else { 1 };
    for part in answer.chunks(step) {
        if stream.write_all(part).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
    let _closed = stream.shutdown().await;
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A client that is asked by the operator.
fn fetch_with(outbound: &Outbound, names: Names, deadline: Duration) -> Fetch {
    Fetch::with(outbound, &[], (names, deadline))
}

fn outbound(allowed: &[Network]) -> Outbound {
    Outbound { allowed: allowed.to_vec(), roots: parse_roots(CA).unwrap() }
}

fn fetch(allowed: &[Network]) -> Fetch {
    fetch_with(&outbound(allowed), Names::System, Duration::from_secs(5))
}

/// A client for which every name stands for these addresses.
fn told(allowed: &[Network], addresses: &'static [&'static str]) -> Fetch {
    let names = move |_: &str| addresses.iter().map(|it| it.parse().unwrap()).collect();
    fetch_with(&outbound(allowed), Names::Told(Arc::new(names)), Duration::from_secs(5))
}

fn is_refused<T>(outcome: Result<T, FetchError>) -> bool {
    matches!(outcome, Err(FetchError::Refused(_)))
}

/// AD-06 of the attack kit, at the time of the request.
#[tokio::test]
async fn ad_06_nothing_connects_to_this_machine_by_any_spelling() {
    let plain = Canary::plain(ok("{}")).await;
    let secure = Canary::secure(ok("{}")).await;
    let fetch = fetch(&[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST.",
        "x.localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ] {
        for (canary, scheme) in [(&plain, "http"), (&secure, "https")] {
            let url = canary.url(scheme, host);
            assert!(is_refused(fetch.json(&url).await), "{url}");
            assert!(is_refused(fetch.post_form(&url, &[]).await), "{url}");
            assert!(fetch.check(&url).is_err() && check_url(&url, &[]).is_err(), "{url}");
        }
    }
    assert_eq!((plain.connections(), secure.connections()), (0, 0));
}

#[tokio::test]
async fn a_name_that_stands_for_an_inner_address_is_refused_after_resolving() {
    let canary = Canary::secure(ok("{}")).await;
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
        &["fe80::1"],
        &["0.0.0.0"],
        // One of them is enough, wherever it stands.
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "1.1.1.1"],
    ] {
        let fetch = told(&[], addresses);
        let url = canary.url("https", "client.example");
        let outcome = fetch.json(&url).await;
        assert!(matches!(outcome, Err(FetchError::Refused(Refused::Address))), "{addresses:?}");
    }
    assert_eq!(canary.connections(), 0);
}

/// The address that was checked is the one that is connected to: a name server that gives another
/// answer to a second question is never asked one.
#[tokio::test]
async fn a_name_is_resolved_once_for_a_connection() {
    let canary = Canary::secure(ok("{}")).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // The first answer is allowed here; the next one would be somewhere else.
    let names = move |_: &str| -> Vec<IpAddr> {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        vec![if first { "127.0.0.1" } else { "127.0.0.2" }.parse().unwrap()]
    };
    let only = [Network::parse("127.0.0.1").unwrap()];
    let names = Names::Told(Arc::new(names));
    let fetch = fetch_with(&outbound(&only), names, Duration::from_secs(5));
    let url = canary.url("https", "client.example");
    assert_eq!(fetch.json(&url).await.unwrap().bytes, b"{}");
    assert_eq!((asked.load(Ordering::SeqCst), canary.connections()), (1, 1));
    // The next request resolves again, and is judged again.
    assert!(is_refused(fetch.json(&url).await));
    assert_eq!((asked.load(Ordering::SeqCst), canary.connections()), (2, 1));
}

#[tokio::test]
async fn plain_http_goes_only_to_what_is_allowed_also_by_name() {
    let canary = Canary::plain(ok("{\"keys\":[]}")).await;
    let url = canary.url("http", "client.example");
    let allowed = told(&Network::LOOPBACK, &["127.0.0.1"]).json(&url).await.unwrap();
    assert_eq!(allowed.bytes, b"{\"keys\":[]}");
    assert_eq!(allowed.fresh_for, Some(Duration::from_secs(60)));
    let elsewhere = told(&[Network::parse("10.0.0.0/8").unwrap()], &["127.0.0.1"]);
    assert!(is_refused(elsewhere.json(&url).await));
    let public = told(&Network::LOOPBACK, &["1.1.1.1"]);
    assert!(is_refused(public.json(&url).await));
    assert_eq!(canary.connections(), 1);
}

#[tokio::test]
async fn a_certificate_of_an_authority_in_the_file_is_trusted_and_no_other() {
    let canary = Canary::secure(ok("{}")).await;
    let (localhost, address) = (canary.url("https", "localhost"), canary.url("https", "127.0.0.1"));
    let trusting = fetch(&Network::LOOPBACK);
    assert!(trusting.json(&localhost).await.is_ok());
    assert!(trusting.json(&address).await.is_ok());

    let mut stranger = outbound(&Network::LOOPBACK);
    stranger.roots.clear();
    let stranger = fetch_with(&stranger, Names::System, Duration::from_secs(5));
    let outcome = stranger.json(&localhost).await;
    // Without any root on the machine there is no TLS at all: refused as well.
    let is_untrusted = matches!(outcome, Err(FetchError::Unreachable(_) | FetchError::Tls(_)));
    assert!(is_untrusted, "{outcome:?}");

    // Another name than the certificate's.
    let other = told(&Network::LOOPBACK, &["127.0.0.1"]);
    let outcome = other.json(&canary.url("https", "other.example")).await;
    assert!(matches!(outcome, Err(FetchError::Unreachable(_))), "{outcome:?}");
    assert_eq!(canary.heard.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn plain_http_behind_an_https_url_hears_nothing() {
    let canary = Canary::plain(ok("{}")).await;
    let deadline = Duration::from_millis(300);
    let fetch = fetch_with(&outbound(&Network::LOOPBACK), Names::System, deadline);
    assert!(fetch.json(&canary.url("https", "localhost")).await.is_err());
    assert_eq!((canary.connections(), canary.heard.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inner = Canary::plain(ok("{}")).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let to = inner.url("http", "127.0.0.1");
        let head = format!("HTTP/1.1 {status}\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let canary = Canary::plain(head).await;
        let url = canary.url("http", "127.0.0.1");
        let fetch = fetch(&Network::LOOPBACK);
        assert!(matches!(fetch.json(&url).await, Err(FetchError::Redirect)), "{status}");
        assert!(matches!(fetch.post_form(&url, &[]).await, Err(FetchError::Redirect)), "{status}");
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn an_answer_has_an_end_in_bytes_whatever_it_announces() {
    let too_long = "x".repeat(MAX_BODY + 1);
    let announced = ok(&too_long);
    let unannounced = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{too_long}");
    let lying = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX / 2);
    for answer in [announced, unannounced, lying] {
        let canary = Canary::plain(answer).await;
        let outcome = fetch(&Network::LOOPBACK).json(&canary.url("http", "127.0.0.1")).await;
        assert!(matches!(outcome, Err(FetchError::TooLarge)), "{outcome:?}");
    }
    let canary = Canary::plain(ok(&"x".repeat(MAX_BODY))).await;
    let outcome = fetch(&Network::LOOPBACK).json(&canary.url("http", "127.0.0.1")).await;
    assert_eq!(outcome.unwrap().bytes.len(), MAX_BODY);
}

#[tokio::test]
async fn an_answer_has_an_end_in_time_however_slowly_it_drips() {
    let answer = ok(&" ".repeat(500));
    let canary = Canary::start(None, answer.into(), Duration::from_millis(20)).await;
    let deadline = Duration::from_millis(300);
    let fetch = fetch_with(&outbound(&Network::LOOPBACK), Names::System, deadline);
    let outcome = fetch.json(&canary.url("http", "127.0.0.1")).await;
    assert!(matches!(outcome, Err(FetchError::TooSlow)), "{outcome:?}");
}

#[tokio::test]
async fn a_slow_host_takes_only_its_own_turns() {
    let slow = Canary::start(None, ok("{}").into(), Duration::from_secs(60)).await;
    let quick = Canary::plain(ok("{}")).await;
    let deadline = Duration::from_millis(500);
    let fetch = told(&Network::LOOPBACK, &["127.0.0.1"]);
    let fetch = fetch_with(&outbound(&Network::LOOPBACK), fetch.inner.names.clone(), deadline);
    let url = slow.url("http", "slow.example");
    let waiting: Vec<_> = (0..AT_ONCE * 2)
        .map(|_| {
            let (fetch, url) = (fetch.clone(), url.clone());
            tokio::spawn(async move { fetch.json(&url).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(fetch.json(&quick.url("http", "quick.example")).await.is_ok());
    assert!(slow.connections() <= PER_HOST, "{}", slow.connections());
    for one in waiting {
        assert!(matches!(one.await.unwrap(), Err(FetchError::TooSlow)));
    }
}

#[tokio::test]
async fn only_success_is_a_document_and_only_json_is_read_from_it() {
    for status in ["404 Not Found", "500 Oh", "204 No Content", "201 Created"] {
        let canary = Canary::plain(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")).await;
        let outcome = fetch(&Network::LOOPBACK).json(&canary.url("http", "127.0.0.1")).await;
        assert!(matches!(outcome, Err(FetchError::Status(_))), "{status}");
    }
    let canary = Canary::plain(ok("<html>")).await;
    let page = fetch(&Network::LOOPBACK).json(&canary.url("http", "127.0.0.1")).await.unwrap();
    assert!(matches!(page.json::<serde_json::Value>(), Err(FetchError::NotJson)));
}

#[tokio::test]
async fn a_form_is_sent_as_a_form_and_nothing_of_ours_beside_it() {
    let canary = Canary::plain("HTTP/1.1 204 No Content\r\n\r\n").await;
    let fetch = fetch(&Network::LOOPBACK);
    let parameters = [("logout_token", "a.b.c"), ("x", "& =")];
    let url = canary.url("http", "127.0.0.1");
    fetch.post_form(&url, &parameters).await.unwrap();
    let heard = canary.heard.lock().unwrap().join("").to_lowercase();
    assert!(heard.starts_with("post /x http/1.1\r\n"), "{heard}");
    assert!(heard.contains("content-type: application/x-www-form-urlencoded\r\n"), "{heard}");
    assert!(heard.ends_with("\r\n\r\nlogout_token=a.b.c&x=%26+%3d"), "{heard}");
    assert!(!heard.contains("referer") && !heard.contains("cookie"), "{heard}");
}

#[test]
fn a_file_without_an_authority_is_none() {
    assert!(parse_roots(b"").is_none());
    assert!(parse_roots(KEY).is_none());
    assert!(
        parse_roots(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_none()
    );
    assert_eq!(parse_roots(CA).unwrap().len(), 1);
}

/// AD-06: what the operator allowed is not for URLs that strangers name, however they lead there.
#[tokio::test]
async fn ad_06_a_strangers_url_leads_nowhere_that_only_the_operator_allowed() {
    let (plain, secure) = (Canary::plain(ok("{}")).await, Canary::secure(ok("{}")).await);
    let operators = told(&Network::LOOPBACK, &["127.0.0.1"]);
    let strangers = operators.named_by(Namer::Stranger);
    for url in [
        plain.url("http", "127.0.0.1"),
        plain.url("http", "inner.example"),
        secure.url("https", "localhost"),
        secure.url("https", "127.0.0.1"),
        secure.url("https", "inner.example"),
    ] {
        let refused = strangers.json(&url).await.unwrap_err();
        assert!(matches!(refused, FetchError::Refused(_)), "{url}: {refused}");
        let refused = strangers.post_form(&url, &[("a", "b")]).await.unwrap_err();
        assert!(matches!(refused, FetchError::Refused(_)), "{url}: {refused}");
    }
    assert_eq!((plain.connections(), secure.connections()), (0, 0));
    operators.json(&plain.url("http", "127.0.0.1")).await.unwrap();
    operators.json(&secure.url("https", "localhost")).await.unwrap();
    assert!(strangers.json(&plain.url("http", "127.0.0.1")).await.is_err(), "though it was asked");
}
