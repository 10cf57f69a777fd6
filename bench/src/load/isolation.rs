//! Whether a storm of sign-ins slows everybody else down: the server with one worker and one
//! hashing thread on one core, the client on another.

use std::time::Duration;

use crate::child::Child;
use crate::load::client::{Caller, Connected, Window};
use crate::load::figure::{Figure, Goal};
use crate::load::{Place, http, sign_in};
use crate::statistics::{Spread, at, median, quartiles};

const CALM: Duration = Duration::from_secs(2);
const STORM: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 4;
const STORMING: usize = 8;

/// JWKS and `client_credentials`, calm and in a storm.
pub async fn run() -> Vec<Figure> {
    let place = Place::sqlite();
    let child = sign_in::server(&place, 1, &["--core", "0", "--workers", "1"]);
    let jwks = Caller::get("/.well-known/jwks.json", None);
    let token = http::token_request(&child);
    let mut figures = under_storm(&child, "JWKS", jwks).await;
    figures.extend(under_storm(&child, "client_credentials", token).await);
    figures
}

async fn under_storm(child: &Child, name: &str, caller: Caller) -> Vec<Figure> {
    let (mut kept, mut p99s, mut sign_ins) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rates, mut latencies, mut calm_p99s) = (Vec::new(), Vec::new(), Vec::new());
    let mut storming = sign_in::callers(STORMING);
    for _ in 0..ROUNDS {
        let callers = vec![caller.clone(); CONNECTIONS];
        let (calm, callers) = Connected::open(child.address, callers).await.run(CALM).await;
        let storm = Connected::open(child.address, storming).await;
        let asking = Connected::open(child.address, callers).await;
        // The storm lasts longer than those whose patience is measured.
        let (storm, (stormy, _)) = tokio::join!(storm.run(STORM), asking.run(CALM));
        assert_eq!((calm.refused, stormy.refused), (0, 0));
        storming = storm.1;
        let Window { latencies: of_storm, .. } = &stormy;
        kept.push(stormy.rate() / calm.rate());
        p99s.push(at(of_storm, 0.99) / 1e3);
        calm_p99s.push(at(&calm.latencies, 0.99) / 1e3);
        sign_ins.push(storm.0.rate());
        rates.push(stormy.rate());
        latencies.extend(stormy.latencies);
    }
    let Spread { median: calm_p99, .. } = quartiles(&calm_p99s);
    let note = format!("calm {calm_p99:.3} ms; meanwhile {:.1} sign-ins/s", median(&sign_ins));
    let mut p99 = Figure::plain(format!("{name} p99 in a storm"), quartiles(&p99s), "ms")
        .goal(Goal::AtMost(2.0))
        .latencies(&latencies)
        .note(note);
    p99.rate = median(&rates);
    let rate = Figure::plain(format!("{name} rate kept in a storm"), quartiles(&kept), "×");
    vec![p99, rate.goal(Goal::AtLeast(0.5))]
}
