//! Real proxies in front of an application, by the very files of `examples/forward-auth`: who may
//! not pass does not reach the application, and who passes arrives as who they are, whatever they
//! sent about themselves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use munjigi_e2e::edge::{Edge, free_port};
use munjigi_e2e::{Answer, curl, form, skipped, top};

const API: &str = "https://orders.example";
const PASSWORD: &str = "a-long-enough-secret";

/// What arrived at the application.
#[derive(Clone, Debug)]
struct Arrived {
    path: String,
    /// Names in lower case, as they came.
    headers: Vec<(String, String)>,
    body: String,
}

impl Arrived {
    fn header(&self, name: &str) -> Option<String> {
        let of_name: Vec<_> = self.headers.iter().filter(|(other, _)| other == name).collect();
        assert!(of_name.len() < 2, "{name} came twice: {self:?}");
        of_name.first().map(|(_, value)| value.clone())
    }
}

/// The application behind the proxy, which tells what arrived.
struct Application {
    port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Application {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let all = Arc::clone(&arrived);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let all = Arc::clone(&all);
                std::thread::spawn(move || while answer(&stream, &all).is_some() {});
            }
        });
        Self { port, arrived }
    }

    /// What arrived since this was last asked.
    fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.arrived.lock().unwrap())
    }
}

fn answer(stream: &TcpStream, all: &Mutex<Vec<Arrived>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    all.lock().unwrap().push(Arrived { path, headers, body });
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\norders").ok()
}

/// A proxy that ends with this value, and with no other of its name.
struct Proxy {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM, so that nginx ends its workers.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

/// A file of the examples with the addresses of this test.
fn configured(name: &str, town: &Town, port: u16) -> String {
    let text = std::fs::read_to_string(top().join("examples/forward-auth").join(name)).unwrap();
    text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
        .replace("127.0.0.1:8000", &format!("127.0.0.1:{}", town.edge.port))
        .replace("127.0.0.1:9000", &format!("127.0.0.1:{}", town.application.port))
}

fn run(mut command: Command, folder: tempfile::TempDir, port: u16) -> Proxy {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let proxy = Proxy { child, port, _folder: folder };
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "the proxy does not get ready: {command:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy
}

fn nginx(town: &Town) -> Option<Proxy> {
    let debians = Path::new("/usr/sbin/nginx");
    let program = if debians.exists() { debians } else { Path::new("nginx") };
    if Command::new(program).arg("-v").stderr(Stdio::null()).status().is_err() {
        skipped("there is no nginx");
        return None;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let place = |name: &str| folder.path().join(name);
    for part in ["munjigi-ask.conf", "munjigi-told.conf", "munjigi-nobody.conf"] {
        std::fs::write(place(part), configured(part, town, port)).unwrap();
    }
    // Where it may write as whoever runs the test.
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("{kind}_temp_path {};", place(kind).display()));
    let temporary = format!("http {{\naccess_log off;\n{}", temporary.join("\n"));
    let text = configured("nginx.conf", town, port).replace("http {", &temporary);
    std::fs::write(place("nginx.conf"), text).unwrap();
    let own = format!(
        "daemon off; pid {}; error_log {} warn;",
        place("pid").display(),
        place("error.log").display()
    );
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-c").arg(place("nginx.conf")).args(["-g", &own]);
    command.stderr(Stdio::null());
    Some(run(command, folder, port))
}

fn caddy(town: &Town) -> Option<Proxy> {
    if Command::new("caddy").arg("version").stdout(Stdio::null()).status().is_err() {
        skipped("there is no Caddy");
        return None;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let file = folder.path().join("Caddyfile");
    std::fs::write(&file, configured("Caddyfile", town, port)).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
    command.env("XDG_CONFIG_HOME", folder.path()).stderr(Stdio::null());
    Some(run(command, folder, port))
}

/// A server, an application, and who lives there.
struct Town {
    edge: Edge,
    application: Application,
    client: String,
}

impl Town {
    fn new() -> Self {
        let mut edge = Edge::new("http", "");
        edge.cli(&["apis", "create", API], "");
        let scopes = "orders:read orders:write";
        edge.cli(&["roles", "create", "reader", "--scope", "orders:read"], "");
        edge.cli(&["roles", "create", "writer", "--scope", scopes], "");
        let people = [
            ("reader", &["--role", "reader"][..]),
            ("boss", &["--role", "writer", "--role", "manager"]),
            ("nobody", &["--role", "user"]),
        ];
        for (name, roles) in people {
            let email = format!("{name}@example.kr");
            let create = ["users", "create", "--email", &email, "--username", name];
            let create = [&create[..], roles, &["--password-stdin"]].concat();
            edge.cli(&create, &format!("{PASSWORD}\n"));
        }
        let scopes = format!("openid {scopes}");
        let create = ["clients", "create", "--name", "Shop", "--grant-type", "password"];
        let more = ["--auth-method", "none", "--first-party", "--scope", &scopes];
        let to = ["--audience", API, "--audience", "urn:munjigi:self"];
        let client = edge.cli(&[&create[..], &more, &to].concat(), "");
        edge.start();
        let client = client["client_id"].as_str().unwrap().to_owned();
        Self { edge, application: Application::start(), client }
    }

    /// A token of somebody for the API.
    fn token(&self, username: &str) -> String {
        self.token_for(username, API)
    }

    fn token_for(&self, username: &str, resource: &str) -> String {
        let fields = [("grant_type", "password"), ("client_id", &self.client)];
        let who = [("username", username), ("password", PASSWORD), ("resource", resource)];
        let url = format!("{}/oauth2/token", self.edge.issuer);
        form(&url, &[&fields[..], &who].concat()).expect(200).text("access_token")
    }
}

/// Sends a request through a proxy; the path as it is written.
fn ask(proxy: &Proxy, path: &str, more: &[&str]) -> Answer {
    let url = format!("http://127.0.0.1:{}{path}", proxy.port);
    curl(&[&["--path-as-is", &url], more].concat())
}

fn ask_as(proxy: &Proxy, path: &str, token: &str) -> Answer {
    ask(proxy, path, &["-H", &format!("Authorization: Bearer {token}")])
}

/// What every proxy has to do.
fn guards(town: &Town, proxy: &Proxy) {
    let (reader, boss) = (town.token("reader"), town.token("boss"));
    let application = &town.application;

    let refused = ask(proxy, "/orders", &[]).expect(401);
    assert!(refused.headers["www-authenticate"].starts_with("Bearer"), "{refused:?}");
    ask_as(proxy, "/orders", "not.a.token").expect(401);
    // For another audience, and of somebody without the scope.
    ask_as(proxy, "/orders", &town.token_for("boss", &town.edge.issuer)).expect(401);
    ask_as(proxy, "/orders", &town.token("nobody")).expect(403);
    ask_as(proxy, "/orders/new", &reader).expect(403);
    ask_as(proxy, "/admin/stats", &reader).expect(403);
    assert_eq!(application.arrived().len(), 0, "a refused request arrived");

    for (path, token) in [("/orders?page=2", &reader), ("/orders/new", &boss), ("/admin", &boss)] {
        ask_as(proxy, path, token).expect(200);
        let arrived = application.arrived();
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].path, path);
        assert_eq!(arrived[0].header("authorization"), None, "the token went on");
    }
    identity(town, proxy, &reader);
    forged(town, proxy, &reader);
    spellings(town, proxy, &reader);
    revoked(town, proxy);
}

/// Who it is arrives, and the body with it.
fn identity(town: &Town, proxy: &Proxy, reader: &str) {
    let bearer = format!("Authorization: Bearer {reader}");
    ask(proxy, "/orders", &["-H", &bearer, "-d", "three apples"]).expect(200);
    let arrived = town.application.arrived().remove(0);
    assert_eq!(arrived.body, "three apples");
    assert_eq!(arrived.header("x-auth-subject").map(|it| it.len()), Some(36), "{arrived:?}");
    assert_eq!(arrived.header("x-auth-client").as_ref(), Some(&town.client));
    assert_eq!(arrived.header("x-auth-roles").as_deref(), Some("reader"));
    let scope = arrived.header("x-auth-scope").unwrap();
    assert!(scope.split(' ').any(|it| it == "orders:read"), "{scope}");
    assert!(!scope.contains("orders:write"), "{scope}");
}

/// What a client says of itself does not arrive, at places that are open neither.
fn forged(town: &Town, proxy: &Proxy, reader: &str) {
    let bearer = format!("Authorization: Bearer {reader}");
    let lies = [
        "X-Auth-Subject: root",
        "x-auth-roles: admin",
        "X-Auth-Scope: orders:write",
        "X-Auth-Client: root",
        // Nothing to say here: an empty header must not let the lie through.
        "X-Auth-Groups: wheel",
        "X_Auth_Groups: wheel",
    ];
    let lies: Vec<&str> = lies.iter().flat_map(|lie| ["-H", lie]).collect();
    for (path, more) in [("/orders", &["-H", bearer.as_str()][..]), ("/health", &[])] {
        ask(proxy, path, &[more, &lies].concat()).expect(200);
        let arrived = town.application.arrived().remove(0);
        for lie in ["root", "admin", "orders:write", "wheel"] {
            let is_told = arrived.headers.iter().any(|(_, value)| value.contains(lie));
            assert!(!is_told, "{path}: {lie} arrived: {arrived:?}");
        }
    }
    // What would have to be there is not for the client to say, either.
    for (name, value) in [("X-Original-URI", "/health"), ("X-Forwarded-Uri", "/health")] {
        let said = format!("{name}: {value}");
        ask(proxy, "/admin", &["-H", &bearer, "-H", &said]).expect(403);
    }
    ask(proxy, "/admin?audience=x&role=reader&uri=/", &["-H", &bearer]).expect(403);
    let twice = ["-H", "Authorization: Bearer x", "-H", &bearer];
    assert_ne!(ask(proxy, "/orders", &twice).status, 200);
    assert_eq!(town.application.arrived().len(), 0);
}

/// A place cannot be reached by another spelling of its path through one that is open or asks less.
fn spellings(town: &Town, proxy: &Proxy, reader: &str) {
    for path in [
        "/orders/../admin",
        "/health/../admin/stats",
        "/orders/%2e%2e/admin",
        "/orders/..%2fadmin",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/admin%2fstats",
        "/admin/",
        "/admin;x",
        "/orders/../orders/new",
        "/orders/%6eew",
    ] {
        let answer = ask_as(proxy, path, reader);
        assert!([400, 403].contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(town.application.arrived().len(), 0, "{path} arrived");
    }
    for path in ["/health/../orders", "/health%2f..%2forders", "/health/", "/healthy", "//health/x"]
    {
        let answer = ask(proxy, path, &[]);
        assert!([400, 401].contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(town.application.arrived().len(), 0, "{path} arrived");
    }
}

/// A token is refused as soon as it was revoked, and meanwhile nothing was remembered.
fn revoked(town: &Town, proxy: &Proxy) {
    let token = town.token("reader");
    ask_as(proxy, "/orders", &token).expect(200);
    let revoke = format!("{}/oauth2/revoke", town.edge.issuer);
    form(&revoke, &[("token", &token), ("client_id", &town.client)]).expect(200);
    let until = Instant::now() + Duration::from_secs(20);
    let mut rounds = 0;
    while ask_as(proxy, "/orders", &token).status == 200 {
        rounds += 1;
        assert!(Instant::now() < until, "a revoked token still passes");
    }
    assert!(rounds < 5, "it passed {rounds} times after it was revoked");
    town.application.arrived();
}

#[test]
fn nginx_lets_nobody_through_who_may_not_and_tells_who_it_is() {
    let town = Town::new();
    let Some(proxy) = nginx(&town) else { return };
    guards(&town, &proxy);

    // A header as long as nginx takes one; a longer one is not our affair.
    let long = format!("X-Long: {}", "a".repeat(7_000));
    let bearer = format!("Authorization: Bearer {}", town.token("reader"));
    ask(&proxy, "/orders", &["-H", &bearer, "-H", &long]).expect(200);
    let longest = format!("Authorization: Bearer {}", "a".repeat(7_500));
    ask(&proxy, "/orders", &["-H", &longest]).expect(401);

    // Clients cannot ask by themselves, and without Munjigi nobody passes.
    ask(&proxy, "/munjigi/read", &["-H", &bearer]).expect(404);
    town.application.arrived();
    drop(town.edge);
    assert_eq!(ask(&proxy, "/orders", &["-H", &bearer]).status, 500);
    assert_eq!(town.application.arrived().len(), 0);
}

#[test]
fn caddy_lets_nobody_through_who_may_not_and_tells_who_it_is() {
    let town = Town::new();
    let Some(proxy) = caddy(&town) else { return };
    guards(&town, &proxy);

    drop(town.edge);
    assert_eq!(ask(&proxy, "/orders", &["-H", "Authorization: Bearer x"]).status, 502);
    assert_eq!(town.application.arrived().len(), 0);
}
