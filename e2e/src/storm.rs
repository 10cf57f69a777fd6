//! DS-03 of the attack kit, against the real program: far more sign-ins than can be done, each sent
//! when it is due and from an address of its own, whatever becomes of those before; half of them of
//! people whom nobody knows. Meanwhile somebody refreshes, and somebody reads the keys. How fast
//! they are answered is measured by `munjigi-bench -- load storm`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::caller::Caller;
use crate::production::Production;

const PASSWORD: &str = "correct-horse-battery-staple";

/// How many people sign in. One more refreshes: whoever signs in often loses their oldest sessions.
const PEOPLE: u32 = 8;

/// How much of a storm.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Sign-ins a second.
    pub rate: u32,
    /// For so many seconds.
    pub seconds: u32,
}

/// What a storm came to.
#[derive(Debug, Default)]
pub struct Weather {
    /// Sign-ins that were looked at.
    pub served: usize,
    /// Sign-ins that were put off, with the time to come again.
    pub shed: usize,
    /// Refreshes and looks at the keys that went well.
    pub steady: usize,
    /// How much more memory there was at the peak than before, in MiB.
    pub grown_mib: u64,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Storm {
    /// Blows at a server that is not started yet.
    pub async fn blow(self, mut server: Production) -> Weather {
        for number in 0..=PEOPLE {
            let email = email(number);
            server.cli(&["users", "create", "--email", &email, "--password-stdin"], PASSWORD);
        }
        let arguments = ["clients", "create", "--name", "storm", "--grant-type", "password"];
        let further = ["--grant-type", "refresh_token", "--auth-method", "none", "--first-party"];
        let client = server.cli(&[&arguments[..], &further[..]].concat(), "");
        server.start();
        let caller = Caller::new(&server.issuer, client["client_id"].as_str().unwrap());
        caller.wait_for_keys().await;
        let tokens = caller.sign_in(&email(PEOPLE), PASSWORD).await.unwrap();
        assert_eq!(tokens.status, 200, "{tokens:?}");

        let id = server.id();
        let before = resident(id, "VmRSS:");
        std::fs::write(format!("/proc/{id}/clear_refs"), "5").unwrap();
        let address = server.base.trim_start_matches("http://").parse().unwrap();
        let until = tokio::time::Instant::now() + Duration::from_secs(self.seconds.into());
        let (mut weather, steady) = tokio::join!(
            self.sign_ins(address),
            go_on(&caller, tokens.text("refresh_token"), until),
        );
        weather.grown_mib = resident(id, "VmHWM:").saturating_sub(before) / 1_024;
        weather.steady = steady.0;
        weather.violations.extend(steady.1);
        weather
    }

    async fn sign_ins(self, address: SocketAddr) -> Weather {
        let mut due = tokio::time::interval(Duration::from_secs(1) / self.rate);
        let mut asking = JoinSet::new();
        for number in 0..self.rate * self.seconds {
            due.tick().await;
            asking.spawn(sign_in(address, number));
        }
        let mut weather = Weather::default();
        for (status, has_retry_after) in asking.join_all().await {
            match (status, has_retry_after) {
                (200 | 401, _) => weather.served += 1,
                (429 | 503, true) => weather.shed += 1,
                other => weather.violations.push(format!("a sign-in got {other:?}")),
            }
        }
        weather
    }
}

/// Refreshes, and reads the keys, until the end: how often it went well, and what did not.
async fn go_on(
    caller: &Caller,
    mut token: String,
    until: tokio::time::Instant,
) -> (usize, Vec<String>) {
    let (mut well, mut violations) = (0, Vec::new());
    let mut due = tokio::time::interval(Duration::from_millis(50));
    while tokio::time::Instant::now() < until {
        due.tick().await;
        let refreshed = caller.refresh(&token).await.expect("the server is there");
        match refreshed.status {
            200 => {
                token = refreshed.text("refresh_token");
                well += 1;
            }
            other => violations.push(format!("a refresh got {other}")),
        }
        match caller.keys().await.expect("the server is there").status {
            200 => well += 1,
            other => violations.push(format!("the keys got {other}")),
        }
    }
    (well, violations)
}

async fn sign_in(address: SocketAddr, number: u32) -> (u16, bool) {
    let known = number.is_multiple_of(2);
    let email = if known { email(number / 2 % PEOPLE) } else { email(number + 1_000) };
    let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
    let request = format!(
        "POST /api/v1/users/signin HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let [_, b, c, d] = (number + 0x0001_0002).to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, b, c, d), 0))).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, head.contains("\r\nretry-after: "))
}

fn email(number: u32) -> String {
    format!("person{number}@storm.example")
}

/// A figure of a process, in KiB.
fn resident(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
