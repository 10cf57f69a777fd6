//! What a resource server does in each mode of following revocations, in a process of its own: at a
//! cold start, while the issuer is gone, and when it is back. The guide says what is held here
//! (docs/guide/revocation.md); the times are told, and only their order of magnitude is held.

use std::process::Command;
use std::time::{Duration, Instant};

use munjigi_e2e::production::Production;
use munjigi_e2e::{Running, built, form, get};

const PLANNER: &str = "http://localhost:8001";
const PASSWORD: &str = "a-long-enough-secret";
const MINJI: &str = "minji@example.kr";
const JUN: &str = "jun@example.kr";

/// In the order of every list here.
const MODES: [&str; 3] = ["off", "best_effort", "strict"];
/// The shortest that a strict verifier may be told to bear.
const BOUND: Duration = Duration::from_secs(5);
/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);

const PASSES: &str = "200";
const REVOKED: &str = "401 revoked";
const NO_KEYS: &str = "503 keys_unavailable";
const NOT_KNOWN: &str = "503 revocations_unavailable";

/// A server with two people, an application for the planner's tokens, and a client that the planner
/// is.
struct Issuer {
    server: Production,
    application: String,
    files: tempfile::TempDir,
}

/// What somebody is given who signs in.
struct Tokens {
    access: String,
    refresh: String,
}

impl Issuer {
    /// It is not started yet.
    fn new() -> Self {
        let (server, files) = (Production::on_sqlite(), tempfile::tempdir().unwrap());
        for email in [MINJI, JUN] {
            let create = ["users", "create", "--email", email, "--password-stdin"];
            server.cli(&create, &format!("{PASSWORD}\n"));
        }
        server.cli(&["apis", "create", PLANNER], "");
        let client = |more: &[&str]| server.cli(&[&["clients", "create"], more].concat(), "");
        let may = ["--first-party", "--grant-type", "password", "--grant-type", "refresh_token"];
        let own = ["--name", "Application", "--auth-method", "none", "--audience", PLANNER];
        let scope = ["--scope", "openid offline_access"];
        let application = client(&[&own[..], &may, &scope].concat());
        let application = application["client_id"].as_str().unwrap().to_owned();
        let own = ["--name", "Planner", "--id", "planner", "--grant-type", "client_credentials"];
        let follower = client(&[&own[..], &["--scope", "revocations:read"]].concat());
        let secret = follower["client_secret"].as_str().unwrap();
        std::fs::write(files.path().join("secret"), secret).unwrap();
        Self { server, application, files }
    }

    fn sign_in(&self, email: &str) -> Tokens {
        let asked = form(
            &format!("{}/oauth2/token", self.server.base),
            &[
                ("grant_type", "password"),
                ("username", email),
                ("password", PASSWORD),
                ("client_id", &self.application),
                ("scope", "openid offline_access"),
            ],
        );
        let answer = asked.expect(200);
        Tokens { access: answer.text("access_token"), refresh: answer.text("refresh_token") }
    }

    fn revoke(&self, tokens: &Tokens) {
        let fields = [("token", tokens.refresh.as_str()), ("client_id", &self.application)];
        form(&format!("{}/oauth2/revoke", self.server.base), &fields).expect(200);
    }

    /// A planner in each mode.
    fn planners(&self) -> Planners {
        let secret = self.files.path().join("secret");
        Planners(MODES.map(|mode| {
            let mut command = Command::new(built("planner"));
            command.args(["--issuer", &self.server.issuer, "--audience", PLANNER]);
            command.args(["--listen", "127.0.0.1:0", "--database", ":memory:"]);
            command.args(["--client-id", "planner", "--client-secret-file"]).arg(&secret);
            let seconds = BOUND.as_secs().to_string();
            command.args(["--revocations", mode, "--max-staleness-seconds", &seconds]);
            Running::start(&mut command)
        }))
    }
}

struct Planners([Running; 3]);

impl Planners {
    /// What each of them says to a token.
    fn say(&self, token: &Tokens) -> [String; 3] {
        self.0.each_ref().map(|planner| {
            let answer = get(&format!("{}/protected", planner.url()), Some(&token.access));
            if answer.status == 503 {
                assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
                assert!(!answer.headers.contains_key("www-authenticate"), "{answer:?}");
            }
            let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
            format!("{} {code}", answer.status).trim_end().to_owned()
        })
    }

    /// Whether each of them is ready.
    fn ready(&self) -> [u16; 3] {
        self.0.each_ref().map(|it| get(&format!("{}/readyz", it.url()), None).status)
    }

    /// Waits until all of them are ready.
    fn wait_until_ready(&self) {
        let since = Instant::now();
        while self.ready() != [200; 3] {
            assert!(since.elapsed() < PATIENCE, "{:?}", self.ready());
            std::thread::sleep(Duration::from_millis(20));
        }
        tell(&format!("ready without a token after {} ms", since.elapsed().as_millis()));
    }

    /// Waits until all of them say this: how many milliseconds after `since` each was asked that
    /// said it for the first time.
    fn until(&self, what: &str, token: &Tokens, wanted: [&str; 3], since: Instant) -> [u128; 3] {
        let mut took: [Option<u128>; 3] = [None; 3];
        loop {
            let asked_at = since.elapsed().as_millis();
            let said = self.say(token);
            for ((took, said), wanted) in took.iter_mut().zip(&said).zip(wanted) {
                if said == wanted {
                    took.get_or_insert(asked_at);
                }
            }
            if said == wanted {
                let took = took.map(Option::unwrap_or_default);
                tell(&format!("{what}: {wanted:?} of {MODES:?} after {took:?} ms"));
                return took;
            }
            assert!(since.elapsed() < PATIENCE, "{what}: {said:?} and not {wanted:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[expect(clippy::print_stdout, reason = "times are told, to whoever asks with --nocapture")]
fn tell(line: &str) {
    println!("{line}");
}

/// Without keys nothing passes in any mode. With them and without the feed, `strict` alone refuses.
#[test]
fn at_a_cold_start_nothing_passes_without_keys_and_nothing_a_strict_planner_without_the_feed() {
    let mut issuer = Issuer::new();
    issuer.server.start();
    let (living, dead) = (issuer.sign_in(MINJI), issuer.sign_in(MINJI));
    issuer.revoke(&dead);
    issuer.server.kill();
    // It publishes its keys to everybody, and shows what is revoked to its clients alone.
    issuer.server.cli(&["clients", "disable", "planner"], "");

    let planners = issuer.planners();
    assert_eq!(planners.say(&living), [NO_KEYS; 3]);
    assert_eq!(planners.ready(), [503; 3]);

    issuer.server.start();
    let since = Instant::now();
    planners.until("the issuer is there", &living, [PASSES, PASSES, NOT_KNOWN], since);
    assert_eq!(planners.say(&dead), [PASSES, PASSES, NOT_KNOWN], "nobody has told them");
    assert_eq!(planners.ready(), [200, 200, 503]);

    issuer.server.cli(&["clients", "enable", "planner"], "");
    let since = Instant::now();
    planners.until("the feed is there", &living, [PASSES; 3], since);
    planners.until("what it holds is refused", &dead, [PASSES, REVOKED, REVOKED], since);
    assert_eq!(planners.say(&living), [PASSES; 3]);
    assert_eq!(planners.ready(), [200; 3]);
}

#[test]
fn while_the_issuer_is_gone_a_strict_planner_serves_until_its_bound_and_the_others_go_on() {
    let mut issuer = Issuer::new();
    issuer.server.start();
    let planners = issuer.planners();
    // Nobody has shown them a token yet: to be asked whether they are ready makes them so.
    planners.wait_until_ready();
    let [living, dead, missed] = [MINJI, MINJI, JUN].map(|email| issuer.sign_in(email));
    for tokens in [&living, &dead, &missed] {
        assert_eq!(planners.say(tokens), [PASSES; 3]);
    }
    issuer.revoke(&dead);
    planners.until("a revocation", &dead, [PASSES, REVOKED, REVOKED], Instant::now());
    assert_eq!(planners.say(&living), [PASSES; 3]);

    issuer.server.kill();
    let since = Instant::now();
    assert_eq!(planners.say(&living), [PASSES; 3]);
    assert_eq!(planners.ready(), [200; 3]);
    issuer.server.cli(&["users", "disable", JUN], "");
    let refusing = [PASSES, PASSES, NOT_KNOWN];
    let [_, _, strict] = planners.until("the issuer is gone", &living, refusing, since);
    // What was known then was up to two seconds old: two long polls.
    assert!((1_000..2 * BOUND.as_millis()).contains(&strict), "{strict} ms");
    // What is known stays known, and what happened meanwhile nobody has told them.
    assert_eq!(planners.say(&dead), [PASSES, REVOKED, REVOKED]);
    assert_eq!(planners.say(&missed), [PASSES, PASSES, NOT_KNOWN]);
    assert_eq!(planners.ready(), [200, 200, 503]);

    issuer.server.start();
    let since = Instant::now();
    planners.until("the issuer is back", &living, [PASSES; 3], since);
    planners.until("what it did not hear", &missed, [PASSES, REVOKED, REVOKED], since);
    assert_eq!(planners.say(&dead), [PASSES, REVOKED, REVOKED]);
    assert_eq!(planners.say(&living), [PASSES; 3]);
    assert_eq!(planners.ready(), [200; 3]);
}
