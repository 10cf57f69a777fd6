//! WB-04 of the attack kit: a whole day of a server, with secrets that cannot be mistaken for
//! anything else, and then a search for them in everything that it wrote: its log in both formats
//! with all that it can say, its metrics, its database and its audit trail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;
use munjigi_token::base64url;
use serde_json::Value;

use crate::sandbox::{Sandbox, Server};

const PASSWORD: &str = "kanarie-password-8841";
const NEXT_PASSWORD: &str = "kanarie-next-password-8842";
const WRONG_PASSWORD: &str = "kanarie-wrong-password-8843";
const SMTP_PASSWORD: &str = "kanarie-smtp-8844";
const DATABASE_PASSWORD: &str = "kanarie-database-8845";
const IN_A_QUERY: &str = "kanarie-token-in-a-query-8846";
const IN_A_HEADER: &str = "kanarie-proof-in-a-header-8847";
const WRONG_SECRET: &str = "kanarie-wrong-secret-8848";
const ENCRYPTION_KEY: [u8; 32] = *b"kanarie-key-encryption-key-8849!";

/// Base64 with `+` and `/`.
fn base64(bytes: &[u8]) -> String {
    base64url::encode(bytes).replace('-', "+").replace('_', "/")
}

/// Secrets by what they are.
#[derive(Default)]
struct Canaries(BTreeMap<String, Vec<u8>>);

impl Canaries {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 16, "{what} is not there: {secret:?}");
        self.0.insert(what.to_owned(), secret.as_bytes().to_vec());
        // What stands behind the prefix, as bytes, and the signature of a JWT.
        let bare = secret.rsplit(':').next().unwrap();
        let last = match bare.strip_prefix("mj_") {
            Some(rest) => rest.split_once('_').unwrap().1,
            None => bare.rsplit('.').next().unwrap(),
        };
        if let Ok(bytes) = base64url::decode(last)
            && bytes.len() >= 16
        {
            self.0.insert(format!("{what}, its last bytes"), bytes[bytes.len() - 16..].to_vec());
        }
    }

    /// The code that a device shows to its person, with and without its dash.
    fn add_user_code(&mut self, code: &str) {
        let letters = code.replace('-', "");
        assert_eq!((code.len(), letters.len()), (9, 8), "{code}");
        self.0.insert("the user code".to_owned(), code.as_bytes().to_vec());
        self.0.insert("the user code, its letters".to_owned(), letters.into_bytes());
    }

    /// What of them is in a text, and how it is written there.
    fn found_in(&self, text: &[u8]) -> Vec<String> {
        // By the first two bytes: a database is long.
        let mut wanted: BTreeMap<[u8; 2], Vec<(String, Vec<u8>)>> = BTreeMap::new();
        let mut begins = vec![false; 1 << 16];
        for (what, secret) in &self.0 {
            for (form, written) in forms(secret).into_iter().filter(|it| it.1.len() >= 8) {
                let first = [written[0], written[1]];
                begins[usize::from(u16::from_be_bytes(first))] = true;
                wanted.entry(first).or_default().push((format!("{what} ({form})"), written));
            }
        }
        let mut found = Vec::new();
        for (at, pair) in text.windows(2).enumerate() {
            let first = [pair[0], pair[1]];
            if begins[usize::from(u16::from_be_bytes(first))] {
                let here = wanted[&first].iter().filter(|it| text[at..].starts_with(&it.1));
                found.extend(here.map(|(name, _)| name.clone()));
            }
        }
        found
    }
}

/// Every way in which bytes may be written down.
fn forms(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret.iter().map(|byte| format!("%{byte:02X}")).collect();
    let debug: String = secret.iter().map(|byte| format!("{byte}, ")).collect();
    let mut forms = vec![
        ("plain".to_owned(), secret.to_vec()),
        ("hex".to_owned(), hex.clone().into_bytes()),
        ("HEX".to_owned(), hex.to_uppercase().into_bytes()),
        ("percent".to_owned(), percent.into_bytes()),
        ("a list of bytes".to_owned(), debug.into_bytes()),
        ("reversed".to_owned(), secret.iter().rev().copied().collect()),
    ];
    // Base64 is another text at each of three offsets; what depends on its neighbours is left out.
    for offset in 0..3 {
        let padded = [&vec![0; offset][..], secret].concat();
        let whole = base64url::encode(&padded);
        let skip = [0, 2, 3][offset];
        let keep = whole.len() - [0, 1, 1][padded.len() % 3];
        let middle = &whole[skip..keep.max(skip)];
        forms.push((format!("base64url at {offset}"), middle.as_bytes().to_vec()));
        let classic = middle.replace('-', "+").replace('_', "/");
        forms.push((format!("base64 at {offset}"), classic.into_bytes()));
    }
    forms
}

#[test]
fn wb_04_the_search_finds_a_secret_however_it_is_written() {
    let mut canaries = Canaries::default();
    let token = format!("mj_rt_{}", base64url::encode([0xa7; 60]));
    canaries.add("token", &token);
    canaries.add("password", PASSWORD);
    canaries.add_user_code("WDJB-MJHT");
    assert_eq!(canaries.found_in(b"nothing of it is here, not even kanarie-password"), [""; 0]);
    for secret in [PASSWORD.as_bytes(), token.as_bytes(), &[0xa7; 16], b"WDJBMJHT"] {
        for (form, written) in forms(secret) {
            for before in ["", "x", "xy"] {
                let text = [before.as_bytes(), &written, b"zz"].concat();
                assert!(!canaries.found_in(&text).is_empty(), "{form} after {before:?}");
            }
        }
    }
    for around in ["", "a", "ab"] {
        let whole = base64(format!("{around}{PASSWORD}and more").as_bytes());
        assert!(!canaries.found_in(whole.as_bytes()).is_empty(), "base64 of {around:?} and it");
    }
}

/// One HTTP answer.
struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn text(&self, name: &str) -> String {
        let text = self.json()[name].as_str().map(str::to_owned);
        text.unwrap_or_else(|| panic!("no {name}: {} {}", self.status, self.body))
    }
}

/// A browser that sends raw requests to one server.
struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
    /// Every cookie that it was ever given.
    given: Vec<(String, String)>,
}

impl Browser {
    fn of(address: String) -> Self {
        Self { address, cookies: BTreeMap::new(), given: vec![] }
    }

    fn send(&mut self, method: &str, path: &str, (headers, body): (&str, &str)) -> Page {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let cookies: Vec<_> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let cookies = match cookies.is_empty() {
            true => String::new(),
            false => format!("Cookie: {}\r\n", cookies.join("; ")),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Length: {}\r\n{cookies}{headers}\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let page = Page { status, headers: headers.collect(), body: body.to_owned() };
        for (_, value) in page.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = value.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            if !value.is_empty() {
                self.given.push((name.to_owned(), value.clone()));
            }
            self.cookies.insert(name.to_owned(), value);
        }
        page
    }

    fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, ("", ""))
    }

    fn form(&mut self, path: &str, headers: &str, fields: &[(&str, &str)]) -> Page {
        let fields = fields.iter().map(|(name, value)| format!("{name}={}", percent(value)));
        let body = fields.collect::<Vec<_>>().join("&");
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}");
        self.send("POST", path, (&headers, &body))
    }

    /// Follows redirects of this server; the last answer.
    fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..8 {
            match page.header("location") {
                Some(next) if next.starts_with('/') => page = self.get(next),
                _ => break,
            }
        }
        page
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A mail server that takes everything; the mails, and its port.
fn mail_server() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sent, taken) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let mut out = stream.try_clone().unwrap();
            let mut lines = BufReader::new(stream).lines();
            drop(out.write_all(b"220 mail.test\r\n"));
            while let Some(Ok(line)) = lines.next() {
                let word = line.split([' ', ':']).next().unwrap().to_uppercase();
                let answer = match word.as_str() {
                    "EHLO" => "250-mail.test\r\n250 AUTH PLAIN LOGIN",
                    "AUTH" => "235 welcome",
                    "DATA" => {
                        drop(out.write_all(b"354 go ahead\r\n"));
                        let mail = lines.by_ref().map_while(Result::ok).take_while(|it| it != ".");
                        // The test may be over.
                        drop(sent.send(mail.collect::<Vec<_>>().join("\n")));
                        "250 taken"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 ok",
                };
                if out.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, taken)
}

/// The ticket of a mailed link, whatever the mail is wrapped in.
fn ticket(mail: &str) -> String {
    let plain = mail.replace("=\n", "").replace("=3D", "=");
    let (_, rest) = plain.split_once("ticket=").expect("a link");
    rest.chars().take_while(|it| it.is_ascii_alphanumeric() || "_-".contains(*it)).collect()
}

/// A server with its secrets, and what it is told.
struct Day {
    sandbox: Sandbox,
    canaries: Canaries,
    browser: Browser,
    mails: Receiver<String>,
    metrics: String,
    issuer: String,
}

impl Day {
    fn prepare(database: &str, format: &str) -> Self {
        let sandbox = Sandbox::new();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, metrics, (mail_port, mails)) = (free(), free(), mail_server());
        let key = base64(&ENCRYPTION_KEY);
        sandbox.write("munjigi.key", &format!("{key}=\n"));
        let issuer = format!("http://localhost:{port}");
        sandbox.write(
            "munjigi.toml",
            &format!(
                "issuer = \"{issuer}\"\nlisten = \"127.0.0.1:{port}\"\ndatabase = \"{database}\"\n\
                 keys.encryption_key_file = \"munjigi.key\"\nlog.format = \"{format}\"\n\
                 metrics.listen = \"127.0.0.1:{metrics}\"\nmail.from = \"no-reply@example.kr\"\n\
                 mail.smtp_url = \"smtp://m:{SMTP_PASSWORD}@localhost:{mail_port}?tls=none\"\n"
            ),
        );
        let mut canaries = Canaries::default();
        for (what, secret) in [
            ("the password", PASSWORD),
            ("the next password", NEXT_PASSWORD),
            ("a wrong password", WRONG_PASSWORD),
            ("the mail server's password", SMTP_PASSWORD),
            ("the database's password", DATABASE_PASSWORD),
            ("a token in a query", IN_A_QUERY),
            ("a proof in a header", IN_A_HEADER),
            ("a wrong client secret", WRONG_SECRET),
        ] {
            canaries.add(what, secret);
        }
        canaries.0.insert("the key-encryption key".to_owned(), ENCRYPTION_KEY.to_vec());
        let browser = Browser::of(format!("127.0.0.1:{port}"));
        let metrics = format!("127.0.0.1:{metrics}");
        Self { sandbox, canaries, browser, mails, metrics, issuer }
    }

    fn verb(&self, input: &str, args: &[&str]) -> Value {
        let args = [args, &["--config", "munjigi.toml", "--output", "json"]].concat();
        self.sandbox.run_with(input, &args).json()
    }

    /// A person, a client that proves itself, one of ours for passwords, and one for devices.
    fn people_and_clients(&mut self) -> String {
        let create = ["users", "create", "--email", "hana@example.kr", "--username", "hana"];
        self.verb(PASSWORD, &[&create[..], &["--password-stdin"]].concat());
        self.verb("", &["settings", "set", "registration", "open"]);
        self.verb("", &["settings", "set", "client_registration", "token"]);
        let web = [
            "clients",
            "create",
            "--id",
            "web",
            "--name",
            "Web",
            "--first-party",
            "--grant-type",
            "authorization_code",
            "--grant-type",
            "refresh_token",
            "--redirect-uri",
            "https://app.example/cb",
            "--scope",
            "openid",
        ];
        let secret = self.verb("", &web)["client_secret"].as_str().unwrap().to_owned();
        self.canaries.add("the client secret", &secret);
        let ours = [
            "clients",
            "create",
            "--id",
            "ours",
            "--name",
            "Ours",
            "--first-party",
            "--auth-method",
            "none",
            "--grant-type",
            "password",
            "--grant-type",
            "refresh_token",
            "--scope",
            "openid",
        ];
        self.verb("", &ours);
        let device = [
            "clients",
            "create",
            "--id",
            "tv",
            "--name",
            "TV",
            "--auth-method",
            "none",
            "--grant-type",
            "urn:ietf:params:oauth:grant-type:device_code",
            "--scope",
            "openid",
        ];
        self.verb("", &device);
        secret
    }

    fn tokens_and_guesses(&mut self, secret: &str) {
        let sign_in = |password| {
            [
                ("grant_type", "password"),
                ("client_id", "ours"),
                ("username", "hana"),
                ("password", password),
            ]
        };
        let browser = &mut self.browser;
        assert_eq!(browser.form("/oauth2/token", "", &sign_in(WRONG_PASSWORD)).status, 400);
        let first = browser.form("/oauth2/token", "", &sign_in(PASSWORD));
        let (access, refresh) = (first.text("access_token"), first.text("refresh_token"));
        let again =
            [("grant_type", "refresh_token"), ("client_id", "ours"), ("refresh_token", &refresh)];
        let second = browser.form("/oauth2/token", "", &again);
        for (what, secret) in [
            ("the access token", access.clone()),
            ("the refresh token", refresh.clone()),
            ("the next access token", second.text("access_token")),
            ("the next refresh token", second.text("refresh_token")),
        ] {
            self.canaries.add(what, &secret);
        }
        let bearer = format!("Authorization: Bearer {access}\r\n");
        assert_eq!(browser.send("GET", "/api/v1/users/me", (&bearer, "")).status, 200);
        let query = format!("/api/v1/users/me?access_token={IN_A_QUERY}&code={IN_A_QUERY}");
        assert_eq!(browser.get(&query).status, 401);
        browser.get(&format!("/{IN_A_QUERY}/{IN_A_QUERY}?password={IN_A_QUERY}"));
        browser.send(
            "GET",
            "/api/v1/users/me",
            (&format!("Authorization: Bearer {IN_A_QUERY}\r\n"), ""),
        );
        browser.form("/oauth2/token", &format!("DPoP: {IN_A_HEADER}\r\n"), &again);
        let wrong = format!(
            "Authorization: Basic {}\r\n",
            base64(format!("web:{WRONG_SECRET}!").as_bytes())
        );
        browser.form("/oauth2/introspect", &wrong, &[("token", &access)]);
        let basic = format!("web:{secret}");
        let basic = format!("Authorization: Basic {}\r\n", base64_padded(basic.as_bytes()));
        assert_eq!(browser.form("/oauth2/introspect", &basic, &[("token", &access)]).status, 200);
        // Names that would be lines of their own, and programs of a terminal.
        let evil = "hana\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{1b}[2J";
        let evil = [
            ("grant_type", "password"),
            ("client_id", "ours"),
            ("username", evil),
            ("password", WRONG_PASSWORD),
        ];
        assert!(browser.form("/oauth2/token", "", &evil).status >= 400);
        let agent = "User-Agent: a\tforged level=ERROR \u{80}\r\n";
        browser.form("/oauth2/token", agent, &sign_in(PASSWORD));
        // An old refresh token: it is stolen.
        let revoked = [("client_id", "ours"), ("token", refresh.as_str())];
        browser.form("/oauth2/revoke", "", &revoked);
        assert_eq!(browser.form("/oauth2/token", "", &again).status, 400);
    }

    /// The way of a browser: the page, the cookie, the code, the tokens.
    fn code_flow(&mut self, secret: &str) {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let ask = format!(
            "/oauth2/authorize?client_id=web&response_type=code&scope=openid&state=s&nonce=n\
             &redirect_uri={}&code_challenge={challenge}&code_challenge_method=S256",
            percent("https://app.example/cb")
        );
        let browser = &mut self.browser;
        let first = browser.get(&ask);
        let login = first.header("location").expect("the way to the login page").to_owned();
        assert_eq!(browser.get(&login).status, 200);
        let fields =
            |password| [("username", "hana"), ("password", password), ("action", "sign-in")];
        browser.form(&login, "", &fields(WRONG_PASSWORD));
        let page = browser.form(&login, "", &fields(PASSWORD));
        let end = browser.follow(page);
        let location = end.header("location").expect("the way to the client");
        let (_, rest) = location.split_once("code=").expect("a code");
        let code = rest.split('&').next().unwrap().to_owned();
        self.canaries.add("the code", &code);
        let (_, flow) = login.split_once("flow=").expect("the flow");
        self.canaries.add("the flow", flow.split('&').next().unwrap());
        let basic = base64_padded(format!("web:{secret}").as_bytes());
        let redeem = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", "https://app.example/cb"),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ];
        let basic = format!("Authorization: Basic {basic}\r\n");
        let answer = browser.form("/oauth2/token", &basic, &redeem);
        self.canaries.add("the web access token", &answer.text("access_token"));
        self.canaries.add("the ID token", &answer.text("id_token"));
        self.canaries.add("the web refresh token", &answer.text("refresh_token"));
        // A second time: what it brought is dead.
        assert_eq!(browser.form("/oauth2/token", &basic, &redeem).status, 400);
    }

    fn device(&mut self) {
        let asked = self.browser.form("/oauth2/device_authorization", "", &[("client_id", "tv")]);
        let (code, user_code) = (asked.text("device_code"), asked.text("user_code"));
        self.canaries.add("the device code", &code);
        self.canaries.add_user_code(&user_code);
        let poll = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", "tv"),
            ("device_code", code.as_str()),
        ];
        assert_eq!(self.browser.form("/oauth2/token", "", &poll).status, 400);
        // Somebody is signed in with this browser.
        assert_eq!(self.browser.get(&format!("/device?user_code={user_code}")).status, 200);
        for action in ["continue", "allow"] {
            let fields = [("user_code", user_code.as_str()), ("action", action)];
            assert_eq!(self.browser.form("/device", "", &fields).status, 200, "{action}");
        }
        // Too early by its interval, or not; the day goes on.
        self.browser.form("/oauth2/token", "", &poll);
        let wrong = [("user_code", user_code.as_str()), ("action", "allow")];
        assert_eq!(self.browser.form("/device", "", &wrong).status, 422, "once more");
    }

    /// A request that is pushed, and what refers to it.
    fn pushed(&mut self, secret: &str) {
        let asked = [
            ("response_type", "code"),
            ("scope", "openid"),
            ("redirect_uri", "https://app.example/cb"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ];
        let basic = base64_padded(format!("web:{secret}").as_bytes());
        let basic = format!("Authorization: Basic {basic}\r\n");
        let reference = self.browser.form("/oauth2/par", &basic, &asked).text("request_uri");
        self.canaries.add("the pushed request", &reference);
        let referring =
            format!("/oauth2/authorize?client_id=web&request_uri={}", percent(&reference));
        let end = self.browser.get(&referring);
        let location = end.header("location").expect("the way to the client");
        let (_, rest) = location.split_once("code=").expect("a code");
        self.canaries.add("the code of the pushed request", rest.split('&').next().unwrap());
        let again = self.browser.get(&referring);
        let is_code = |to: &str| to.split(['?', '&']).any(|it| it.starts_with("code="));
        assert!(!again.header("location").is_some_and(is_code), "once more");
    }

    /// A client that registers itself and looks at itself, and the secret that an API shares.
    fn registrations_and_secrets(&mut self) {
        let token = self.verb("", &["registration-tokens", "create"]);
        let token = token["registration_token"].as_str().unwrap().to_owned();
        self.canaries.add("the registration token", &token);
        let client = r#"{"client_name": "Notes", "redirect_uris": ["https://notes.example/cb"]}"#;
        let head =
            |token| format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let browser = &mut self.browser;
        let made = browser.send("POST", "/oauth2/register", (&head(&token), client));
        let own = made.text("registration_access_token");
        self.canaries.add("the management token", &own);
        self.canaries.add("the registered client's secret", &made.text("client_secret"));
        let path = format!("/oauth2/register/{}", made.text("client_id"));
        let again = browser.send("POST", "/oauth2/register", (&head(&token), client));
        assert_eq!(again.status, 401, "used up");
        assert_eq!(browser.send("GET", &path, (&head(&own), "")).status, 200);
        assert_eq!(browser.send("DELETE", &path, (&head(&own), "")).status, 204);
        assert_eq!(browser.send("GET", &path, (&head(&own), "")).status, 401);

        self.verb("", &["apis", "create", "urn:shares"]);
        for at in ["the shared secret", "the next shared secret"] {
            let shared = self.verb("", &["apis", "share-secret", "urn:shares", "--now"]);
            self.canaries.add(at, shared["secret"].as_str().unwrap());
        }
    }

    /// The ticket of the next mail that leads to this page.
    fn mailed(&mut self, page: &str) -> String {
        loop {
            let mail = self.mails.recv_timeout(Duration::from_secs(30)).expect("a mail");
            let plain = mail.replace("=\n", "").replace("=3D", "=");
            if plain.contains("ticket=") {
                let ticket = ticket(&mail);
                let number = self.canaries.0.len();
                self.canaries.add(&format!("the mailed link {number}"), &ticket);
                if plain.contains(&format!("{page}?ticket=")) {
                    return ticket;
                }
            }
        }
    }

    /// Somebody signs up, proves their address, changes it and takes that back: all by links, each
    /// of which comes a second time.
    fn mailed_links(&mut self) {
        self.browser.cookies.clear();
        let who = [("email", "bora@example.kr"), ("password", PASSWORD)];
        assert_eq!(self.browser.form("/signup", "", &who).status, 200);
        self.follow_twice("/verify");
        let login = self.browser.get("/account");
        assert_eq!(self.browser.follow(login).status, 200);
        let fields =
            [("username", "bora@example.kr"), ("password", PASSWORD), ("action", "sign-in")];
        assert_eq!(self.browser.form("/login", "", &fields).status, 303);
        let change = [("email", "sea@example.kr"), ("current_password", PASSWORD)];
        assert_eq!(self.browser.form("/account/email", "", &change).status, 200);
        for _ in 0..2 {
            self.follow_twice("/account/email/confirm");
        }
        self.follow_twice("/account/email/undo");
        // Somebody else may know the password: it is gone, and another one is chosen by a link.
        self.mailed("/recover/password");
    }

    fn follow_twice(&mut self, page: &str) {
        let ticket = self.mailed(page);
        let fields = [("ticket", ticket.as_str())];
        assert_eq!(self.browser.get(&format!("{page}?ticket={ticket}")).status, 200, "{page}");
        for status in [200, 400] {
            let answer = self.browser.form(page, "", &fields);
            assert_eq!(answer.status, status, "{page}: {}", answer.body);
        }
    }

    /// A forgotten password: the link in the mail, and what is set with it.
    fn recovery(&mut self) {
        self.browser.cookies.clear();
        let sent = self.browser.form("/recover", "", &[("email", "hana@example.kr")]);
        assert_eq!(sent.status, 200, "{}", sent.body);
        let ticket = self.mailed("/recover/password");
        let link = format!("/recover/password?ticket={ticket}");
        assert_eq!(self.browser.get(&link).status, 200);
        let fields = [("ticket", ticket.as_str()), ("password", NEXT_PASSWORD)];
        let done = self.browser.form("/recover/password", "", &fields);
        assert!([200, 303].contains(&done.status), "{}", done.body);
    }

    fn metrics(&self) -> String {
        let mut there = Browser::of(self.metrics.clone());
        let page = there.get("/metrics");
        assert_eq!(page.status, 200);
        page.body
    }
}

fn base64_padded(bytes: &[u8]) -> String {
    let text = base64(bytes);
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    format!("{text}{padding}")
}

/// Everything in a directory, file by file.
fn files(directory: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// A whole day; everything that was written, by its name.
fn written(
    database: &str,
    format: &str,
    dump: impl Fn(&Sandbox) -> Vec<u8>,
) -> (Canaries, Vec<(String, Vec<u8>)>) {
    let mut day = Day::prepare(database, format);
    let secret = day.people_and_clients();
    let mut command = day.sandbox.command(&["serve"]);
    command.env("MUNJIGI_LOG", "trace");
    let port = day.issuer.rsplit(':').next().unwrap().parse().unwrap();
    let mut server = Server::listening_quietly(command, port);
    // ID tokens wait for their key.
    server.until(|| server.get("/.well-known/jwks.json", None).1.to_string().contains("RS256"));
    day.tokens_and_guesses(&secret);
    day.code_flow(&secret);
    day.device();
    day.pushed(&secret);
    day.registrations_and_secrets();
    day.mailed_links();
    day.recovery();
    for (name, value) in std::mem::take(&mut day.browser.given) {
        let number = day.canaries.0.len();
        day.canaries.add(&format!("the cookie {name} {number}"), &value);
    }
    let metrics = day.metrics();
    let log = server.end();
    let export = day.sandbox.path("export");
    day.verb("", &["audit", "export", "export"]);
    let events = day.verb("", &["audit", "tail", "--lines", "200"]).to_string();
    let mut all = vec![
        ("metrics".to_owned(), metrics.into_bytes()),
        ("log".to_owned(), log.into_bytes()),
        ("events".to_owned(), events.into_bytes()),
        ("database".to_owned(), dump(&day.sandbox)),
    ];
    files(&export, &mut all);
    (day.canaries, all)
}

#[track_caller]
fn holds_nothing(format: &str, (canaries, all): &(Canaries, Vec<(String, Vec<u8>)>)) {
    // Each of them was really written, and is what it is taken for.
    let of = |name: &str| {
        let found = all.iter().find(|(other, _)| other == name).unwrap();
        String::from_utf8_lossy(&found.1).into_owned()
    };
    assert!(of("log").contains("/oauth2/token") && of("log").contains("answered"), "{}", of("log"));
    assert!(of("metrics").contains("munjigi_tokens_issued_total{grant_type=\"password\"} 2"));
    assert!(of("events").contains("signed_in") && of("database").contains("hana@example.kr"));
    assert!(all.len() > 5, "the trail was not exported");
    assert!(canaries.0.len() > 50, "{} canaries", canaries.0.len());
    for what in ["session", "browser", "device", "signed-up"] {
        let cookie = format!("the cookie __Host-munjigi-{what} ");
        assert!(canaries.0.keys().any(|it| it.starts_with(&cookie)), "no cookie {what}");
    }
    for (name, bytes) in all {
        assert_eq!(canaries.found_in(bytes), [""; 0], "in {name}");
    }
    // A leak of each secret would be seen there.
    for (name, bytes) in all.iter().take(2) {
        let leaked: Vec<_> = canaries.0.values().flat_map(|it| [&it[..], b" "].concat()).collect();
        let found = canaries.found_in(&[bytes, &leaked[..], bytes].concat());
        for what in canaries.0.keys() {
            assert!(found.iter().any(|it| it.starts_with(what.as_str())), "{what} in {name}");
        }
    }
    let log = of("log");
    assert!(!log.contains('\u{1b}') && !log.contains('\r'), "{log}");
    for line in log.lines() {
        match format {
            "json" => {
                let event: Value = serde_json::from_str(line).expect(line);
                assert_ne!(event["message"], "forged");
            }
            _ => assert!(line.starts_with("20") && !line.contains("forged"), "{line}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wb_04_no_secret_stands_in_logs_metrics_database_or_audit_trail() {
    // A file of SQLite holds what was deleted, too, until it is written over.
    let dump = |sandbox: &Sandbox| {
        let names = ["test.db", "test.db-wal"].map(|name| sandbox.path(name));
        names.iter().flat_map(|path| std::fs::read(path).unwrap_or_default()).collect()
    };
    for format in ["json", "text"] {
        holds_nothing(format, &written("sqlite:test.db", format, dump));
    }
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url().clone() else { panic!("not PostgreSQL") };
    let with_password = url.replace("munjigi@", &format!("munjigi:{DATABASE_PASSWORD}@"));
    let dump = |_: &Sandbox| {
        let dumped = Command::new("pg_dump").arg(&url).output().or_else(|_| {
            let found = std::fs::read_dir("/usr/lib/postgresql").unwrap();
            let newest = found.map(|it| it.unwrap().path().join("bin/pg_dump")).max().unwrap();
            Command::new(newest).arg(&url).output()
        });
        let dumped = dumped.unwrap();
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        dumped.stdout
    };
    holds_nothing("json", &written(&with_password, "json", dump));
}
