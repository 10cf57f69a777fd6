//! How long after a revocation was acknowledged the last of many resource servers still takes the
//! token: server, followers and client in processes of their own.

use std::time::Duration;

use serde_json::Value;

use crate::child::Child;
use crate::clock;
use crate::load::Place;
use crate::load::client::{Caller, Connection, basic, planner};
use crate::load::figure::{Figure, Goal};
use crate::statistics::{Spread, at};

/// How many resource servers follow.
const FOLLOWERS: [usize; 2] = [1, 200];
/// How often it is looked whether a token passes; no figure is finer.
const LOOK: Duration = Duration::from_millis(1);
/// When a trial is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// One server, on SQLite.
pub async fn one_node(trials: usize) -> Vec<Figure> {
    let place = Place::sqlite();
    let server = Child::start(&["child-server", "--database", &place.url, "--issuer-here", "yes"]);
    let mut figures = Vec::new();
    for followers in FOLLOWERS {
        let name = format!("revoked to refused by {followers}");
        figures.extend(measure(&name, (&server, &server), followers, trials).await);
    }
    figures
}

/// Two servers on one PostgreSQL: revoked at one, followed at the other.
pub async fn two_nodes(place: Place, trials: usize) -> Vec<Figure> {
    let start = |issuer: &[&str]| {
        Child::start(&[&["child-server", "--database", &place.url], issuer].concat())
    };
    let followed = start(&["--issuer-here", "yes"]);
    let issuer = format!("http://{}", followed.address);
    let other = start(&["--issuer", &issuer]);
    let mut figures = Vec::new();
    for followers in FOLLOWERS {
        let name = format!("revoked at another node to refused by {followers}");
        figures.extend(measure(&name, (&followed, &other), followers, trials).await);
    }
    figures
}

async fn measure(
    name: &str,
    (followed, other): (&Child, &Child),
    many: usize,
    trials: usize,
) -> Vec<Figure> {
    let (issuer, count) = (format!("http://{}", followed.address), many.to_string());
    let secret = followed.ready["planner_secret"].as_str().unwrap();
    let words = ["--issuer", &issuer, "--secret", secret, "--followers", &count];
    let followers = Child::start(&[&["child-followers"], &words[..]].concat());
    let credentials = basic("web", other.ready["secret"].as_str().unwrap());
    let asked = format!("grant_type=client_credentials&resource={}", planner());
    let new_token = Caller::form("/oauth2/token", Some(&credentials), &asked);
    let mut server = Connection::open(other.address).await;
    let mut watch = Connection::open(followers.address).await;

    let mut took = Vec::with_capacity(trials);
    for _ in 0..trials {
        let answer = server.json(&new_token).await;
        let token = answer["access_token"].as_str().unwrap();
        let look = Caller::get("/", Some(token));
        assert_eq!(passed(&watch.json(&look).await), many, "a fresh token passes everywhere");
        let revoke = Caller::form("/oauth2/revoke", Some(&credentials), &format!("token={token}"));
        let (status, _) = server.exchange(&revoke.request()).await;
        let acknowledged = clock::now();
        assert_eq!(status, 200);
        let mut looks = tokio::time::interval(LOOK);
        while passed(&watch.json(&look).await) > 0 {
            assert!(acknowledged.elapsed() < PATIENCE, "a revoked token still passes");
            looks.tick().await;
        }
        took.push(acknowledged.elapsed().as_secs_f64() * 1e6);
    }
    let in_ms = |share: f64| {
        let figure = at(&took, share) / 1e3;
        Spread { median: figure, low: figure, high: figure }
    };
    let worst = format!("{trials} trials, the worst {:.1} ms", at(&took, 1.0) / 1e3);
    vec![
        Figure::plain(format!("{name}, p50"), in_ms(0.5), "ms").goal(Goal::AtMost(300.0)),
        Figure::plain(format!("{name}, p99"), in_ms(0.99), "ms")
            .goal(Goal::AtMost(1_000.0))
            .note(worst),
    ]
}

/// At how many resource servers a token passes.
fn passed(answer: &Value) -> usize {
    usize::try_from(answer["passed"].as_u64().unwrap()).unwrap()
}
