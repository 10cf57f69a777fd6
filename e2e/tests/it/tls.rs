//! TLS at our own door, with the real `curl`, the real `openssl` and rustls: what is spoken, what
//! is refused, and a certificate that is renewed while requests come in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use munjigi_e2e::built;
use munjigi_e2e::edge::{Authority, Edge, KeyForm};
use serde_json::Value;

/// A server with a certificate of this authority, which is not started yet.
fn server(authority: &Authority) -> (Edge, PathBuf, PathBuf) {
    let folder = authority.certificate().parent().unwrap().to_owned();
    let (certificate, key) = (folder.join("chain.pem"), folder.join("server.key"));
    authority.issue((&certificate, &key), KeyForm::Pkcs8, 30);
    let more = format!("tls.certificate_file = {certificate:?}\ntls.key_file = {key:?}");
    (Edge::new("https", &more), certificate, key)
}

fn curl(authority: &Authority, arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "--max-time", "30", "--noproxy", "*", "--cacert"]);
    command.arg(authority.certificate()).args(arguments).output().expect("curl is installed")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `openssl s_client` tells of a connection.
fn s_client(edge: &Edge, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-servername", "localhost", "-connect"]);
    let output = command.arg(format!("127.0.0.1:{}", edge.port)).args(arguments);
    let output = output.stdin(Stdio::null()).output().expect("openssl is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The certificate as it stands in its file, without what is around it.
fn body_of(certificate: &Path) -> String {
    let text = std::fs::read_to_string(certificate).unwrap();
    text.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n")
}

#[test]
fn curl_and_openssl_speak_tls_with_the_server_and_nothing_older_than_1_2() {
    let authority = Authority::new();
    let (mut edge, certificate, _) = server(&authority);
    edge.start();
    let url = format!("{}/.well-known/openid-configuration", edge.issuer);

    let second = said(&curl(&authority, &["--http2", &url]));
    assert!(second.starts_with("HTTP/2 200"), "{second}");
    assert!(second.contains(&format!("\"issuer\":\"{}\"", edge.issuer)), "{second}");
    let first = said(&curl(&authority, &["--http1.1", "--tls-max", "1.2", &url]));
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    for answer in [&first, &second] {
        assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    }
    let other = Authority::new();
    assert_eq!(curl(&other, &[&url]).status.code(), Some(60), "a stranger's authority");
    let plain = url.replace("https:", "http:");
    assert!(!curl(&authority, &[&plain]).status.success(), "plain HTTP");

    let shown = s_client(&edge, &["-alpn", "h2,http/1.1", "-showcerts"]);
    assert!(shown.contains("TLSv1.3") && shown.contains("ALPN protocol: h2"), "{shown}");
    assert!(shown.contains(&body_of(&certificate)), "{shown}");
    let only_first = s_client(&edge, &["-alpn", "http/1.1", "-tls1_2"]);
    assert!(only_first.contains("ALPN protocol: http/1.1"), "{only_first}");
    let old = s_client(&edge, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    assert!(old.contains("Cipher is (NONE)"), "TLS 1.1 was spoken: {old}");
}

/// `munjigi config check` over a pair of files.
fn check(edge: &Edge) -> Value {
    let mut command = Command::new(built("munjigi"));
    command.args(["config", "check", "--output", "json", "--config"]);
    let output = command.arg(edge.file("munjigi.toml")).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = if told["ok"] == true { 0 } else { 6 };
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

fn mistakes(edge: &Edge) -> String {
    let told = check(edge);
    let mistakes = told["mistakes"].as_array().unwrap();
    let lines = mistakes.iter().map(|it| format!("{} {}", it["key"], it["message"]));
    lines.collect::<Vec<_>>().join("\n").replace('"', "")
}

#[test]
fn every_form_of_key_is_taken_and_every_mistake_is_told() {
    let authority = Authority::new();
    let (edge, certificate, key) = server(&authority);
    for form in [KeyForm::Pkcs8, KeyForm::Sec1, KeyForm::Pkcs1] {
        authority.issue((&certificate, &key), form, 30);
        assert_eq!(mistakes(&edge), "", "{form:?}");
    }
    assert_eq!(check(&edge)["remarks"], serde_json::json!([]));

    authority.issue((&certificate, &key), KeyForm::Pkcs8, -1);
    let told = check(&edge);
    assert!(told["remarks"][0].as_str().unwrap().contains("expired"), "{told}");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(mistakes(&edge).starts_with("tls.key_file others can read"), "{}", mistakes(&edge));
    let elsewhere = certificate.with_file_name("elsewhere.pem");
    authority.issue((&elsewhere, &key), KeyForm::Pkcs8, 30);
    assert!(mistakes(&edge).starts_with("tls.key_file is not the key"), "{}", mistakes(&edge));
    std::fs::remove_file(&certificate).unwrap();
    std::fs::write(&key, "").unwrap();
    let both = mistakes(&edge);
    assert!(both.contains("tls.certificate_file cannot read"), "{both}");
    assert!(both.contains("tls.key_file holds no private key"), "{both}");

    let half = Edge::new("http", "tls.key_file = \"server.key\"");
    assert!(mistakes(&half).contains("tls.certificate_file is missing"), "{}", mistakes(&half));
    authority.issue((&certificate, &key), KeyForm::Pkcs8, 30);
    let more = format!("tls.certificate_file = {certificate:?}\ntls.key_file = {key:?}");
    let plain = mistakes(&Edge::new("http", &more));
    assert_eq!(plain, "issuer is an https URL where there is a certificate");
}

/// DS-01 of the attack kit: whoever begins a handshake and does not go on is neither in anybody's
/// way nor waited for for ever.
#[test]
fn a_slow_handshake_holds_up_nobody_and_ends() {
    let authority = Authority::new();
    let (mut edge, ..) = server(&authority);
    edge.start();
    // The beginning of a ClientHello of 512 bytes that never comes.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    let beginnings: [&[u8]; 3] = [b"", &hello[..5], &hello];
    let slow: Vec<_> = beginnings
        .iter()
        .cycle()
        .take(30)
        .map(|sent| {
            let mut stream = TcpStream::connect(("127.0.0.1", edge.port)).unwrap();
            stream.write_all(sent).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
            stream
        })
        .collect();
    let url = format!("{}/livez", edge.issuer);
    for _ in 0..5 {
        assert!(said(&curl(&authority, &[&url])).contains(" 200"));
    }
    for mut stream in slow {
        // The end, or a reset: not silence.
        let ended = stream.read_to_end(&mut Vec::new());
        let is_silence = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!ended.is_err_and(is_silence), "a handshake is waited for for ever");
    }
}

/// A connection of the real `openssl` that is kept.
struct Kept {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Kept {
    fn open(edge: &Edge) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-servername", "localhost", "-connect"]);
        command.arg(format!("127.0.0.1:{}", edge.port));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl is installed");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    fn ask(&mut self) {
        self.input.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            head.push(line);
        }
        let status = head.first().expect("the connection ended");
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        self.output.read_exact(&mut vec![0; length]).unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Requests without a pause, over connections that are kept or over one each, until it is told to
/// stop; how many were answered. One that fails ends the test.
struct Traffic {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Traffic {
    fn begin(edge: &Edge, authority: &Authority) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let pem = std::fs::read(authority.certificate()).unwrap();
        let url = format!("{}/.well-known/jwks.json", edge.issuer);
        let tasks = [0, 0, 4, 4].map(|kept| {
            let root = reqwest::Certificate::from_pem(&pem).unwrap();
            let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
            let client = client.pool_max_idle_per_host(kept).timeout(Duration::from_secs(30));
            let (client, url) = (client.build().unwrap(), url.clone());
            let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
            runtime.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = client.get(&url).send().await.expect("a request failed");
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.expect("an answer was cut off");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        Self { is_over, answered, runtime, tasks: tasks.into() }
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            self.runtime.block_on(task).expect("a request failed");
        }
        assert!(self.answered.load(Ordering::Relaxed) > 20, "there was no traffic");
    }
}

/// Waits until new connections are shown this certificate; `kept` goes on meanwhile.
fn wait_until_shown(edge: &Edge, certificate: &Path, kept: &mut Kept) {
    let until = Instant::now() + Duration::from_secs(60);
    while !s_client(edge, &["-showcerts"]).contains(&body_of(certificate)) {
        assert!(Instant::now() < until, "the new certificate is not shown: {}", edge.log());
        kept.ask();
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_certificate_is_renewed_under_traffic_without_a_failed_request() {
    let authority = Authority::new();
    let (mut edge, certificate, key) = server(&authority);
    edge.start();
    let first = body_of(&certificate);
    let mut kept = Kept::open(&edge);
    kept.ask();
    let traffic = Traffic::begin(&edge, &authority);

    // Found by looking at the files.
    authority.issue((&certificate, &key), KeyForm::Sec1, 30);
    assert_ne!(body_of(&certificate), first);
    wait_until_shown(&edge, &certificate, &mut kept);

    // What does not work is not taken.
    let good = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, "half of a cert").unwrap();
    edge.signal("HUP");
    edge.wait_for_log("the new certificate is not taken");
    let in_use = certificate.with_file_name("in-use.pem");
    std::fs::write(&in_use, &good).unwrap();
    wait_until_shown(&edge, &in_use, &mut kept);

    // Said by a signal.
    authority.issue((&certificate, &key), KeyForm::Pkcs1, 30);
    edge.signal("HUP");
    wait_until_shown(&edge, &certificate, &mut kept);

    // The connection from before the first renewal was never closed.
    kept.ask();
    traffic.end();
    edge.signal("TERM");
    assert_eq!(edge.ended().code(), Some(0), "{}", edge.log());
}
