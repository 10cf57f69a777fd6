//! The code flow, of people who are signed in and have consented: authorize → code → token →
//! UserInfo. One flow is three requests, and is counted as one.

use std::collections::BTreeMap;

use munjigi_token::Algorithm;

use crate::bare::Subject;
use crate::child::{Child, ISSUER};
use crate::load::Place;
use crate::load::client::{Caller, Connection, Flow, get, percent};
use crate::load::figure::Figure;
use crate::load::http::credentials;
use crate::load::measure::{Beside, Bound, Measure};
use crate::load::population::{self, PASSWORD};
use crate::ratios::micros_per_call;

/// A code verifier, and its challenge by S256 (RFC 7636, appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT_URI: &str = "http://localhost:3000/callback";

/// The code, its event, its end, the grant and the event of that.
const ROWS: f64 = 5.0;

/// Flows a second, and their processor time beside three hellos, the three bare signatures and the
/// rows that a flow cannot do without.
pub async fn run(measure: &mut Measure, place: Place) -> Vec<Figure> {
    let most = measure.connections.iter().copied().max().unwrap();
    let mut hello = measure.hello();
    let people = most.to_string();
    let mut server = measure.server(&["--database", &place.url, "--users", &people, "--id-tokens"]);
    let mut callers = Vec::new();
    for number in 0..most as u64 {
        callers.push(signed_in(&server, number).await);
    }
    let (es256, rs256) = (Subject::new(Algorithm::Es256), Subject::new(Algorithm::Rs256));
    // An ID token by RS256, and a look at the access token at UserInfo; the access token by ES256
    // is a signature of the bound's own.
    let further = || {
        micros_per_call(40, &mut || rs256.bare_sign())
            + micros_per_call(200, &mut || es256.bare_verify())
    };
    let mut figures = Vec::new();
    for connections in measure.connections.clone() {
        let beside = Beside {
            name: format!("code flow on {}, {connections}", place.kind),
            hello: &mut hello,
            greeting: Caller::Thrice(Caller::get("/", None).request()),
            server: &mut server,
            callers: callers[..connections].to_vec(),
            bound: Bound { signatures: 1.0, rows: ROWS, factor: 1.6 },
        };
        let (figure, sum) = measure.beside_and(beside, &further).await;
        let in_commit = sum.report.writes as f64 / sum.report.commits as f64;
        let note = format!("{}; {in_commit:.1} writes a commit", figure.note);
        figures.push(figure.note(note));
    }
    figures
}

/// A browser in which somebody has signed in and consented, and its client.
async fn signed_in(server: &Child, number: u64) -> Caller {
    let redirect_uri = percent(REDIRECT_URI);
    let request = format!(
        "/oauth2/authorize?client_id=web&redirect_uri={redirect_uri}&response_type=code\
         &scope=openid+profile+email&state=s&nonce=n&code_challenge={CHALLENGE}\
         &code_challenge_method=S256"
    );
    let connection = Connection::open(server.address).await;
    let mut browser = Browser { cookies: BTreeMap::new(), connection };
    let mut at = request.clone();
    for _ in 0..10 {
        let path = at.strip_prefix(ISSUER).unwrap_or(&at).to_owned();
        at = match path.split('?').next().unwrap() {
            "/login" => {
                let email = percent(&population::email(number));
                let form = format!("username={email}&password={PASSWORD}&action=sign-in");
                browser.ask(&path, Some(&form)).await
            }
            "/consent" => {
                let shown = browser.shown(&path).await;
                browser.ask(&path, Some(&format!("action=allow&shown={shown}"))).await
            }
            _ => browser.ask(&path, None).await,
        };
        if at.starts_with(REDIRECT_URI) {
            let redeem = format!(
                "grant_type=authorization_code&redirect_uri={redirect_uri}\
                 &code_verifier={VERIFIER}&code="
            );
            let (cookies, credentials) = (browser.header(), credentials(server));
            return Caller::Flow(Flow::new(&request, &cookies, (&credentials, &redeem)));
        }
    }
    panic!("the client is never reached");
}

struct Browser {
    cookies: BTreeMap<String, String>,
    connection: Connection,
}

impl Browser {
    fn header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// What stands in the consent page's form for all that it shows.
    async fn shown(&mut self, path: &str) -> String {
        let request = get(path, &format!("cookie: {}\r\n", self.header()));
        let (status, body) = self.connection.exchange(request.as_bytes()).await;
        let page = String::from_utf8_lossy(body);
        assert_eq!(status, 200, "{path}: {page}");
        let (_, rest) = page.split_once("name=\"shown\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Opens a page or sends its form; where it leads.
    async fn ask(&mut self, path: &str, form: Option<&str>) -> String {
        let cookies = self.header();
        let request = match form {
            None => get(path, &format!("cookie: {cookies}\r\n")),
            Some(form) => format!(
                "POST {path} HTTP/1.1\r\nhost: localhost:8000\r\ncookie: {cookies}\r\n\
                 sec-fetch-site: same-origin\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\
                 content-length: {}\r\n\r\n{form}",
                form.len()
            ),
        };
        let connection = &mut self.connection;
        let (status, body) = connection.exchange(request.as_bytes()).await;
        assert_eq!(status, 303, "{path}: {}", String::from_utf8_lossy(body));
        for line in connection.headers("set-cookie") {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        connection.headers("location").pop().unwrap()
    }
}
