//! Growth: a sign-in's lookup and a refresh, in a database of ten thousand people and grants and
//! in one of a million. One caller, so that nothing but the database is measured.

use std::sync::Arc;

use munjigi_core::oauth::grant::Lifetimes;
use munjigi_core::time::{Span, Timestamp};
use munjigi_server::config::LogFormat;
use munjigi_server::{App, Clock, Config, EncryptionKey, Mode, demo};
use munjigi_store::passwords::SignIn;
use munjigi_store::{Audit, Committed, DatabaseUrl, Store, StoreError, grants, passwords};

use crate::clock;
use crate::load::Place;
use crate::load::figure::{Figure, Goal};
use crate::load::population::{self, Population};
use crate::statistics::{at, quartiles};

const FEW: usize = 10_000;
const ROUNDS: usize = 9;
const CALLS: usize = 2_000;
const LIVES: Lifetimes =
    Lifetimes { idle_ttl: Span::from_days(30), replay_window: Span::from_seconds(30) };
/// A hash of the usual length; nobody signs in with it here.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A filled database.
struct Filled {
    app: App,
    people: u64,
    now: Timestamp,
    drawn: u64,
}

impl Filled {
    async fn new(place: &Place, people: usize) -> Self {
        let began = clock::now();
        let app = App::start(config(place), Clock::system()).await.unwrap();
        demo::ensure(&app).await.unwrap();
        let now = app.clock.now();
        population::write(&app.store, Population { users: people, grants: people }, HASH, now)
            .await;
        eprintln!("{people} people and grants on {} in {:?}", place.kind, began.elapsed());
        Self { app, people: people as u64, now, drawn: 0 }
    }

    /// Anybody: the order has nothing to do with that of the rows.
    fn anybody(&mut self) -> u64 {
        self.drawn += 1;
        let mixed = self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) % self.people
    }

    /// The latencies of lookups, in µs.
    async fn lookups(&mut self) -> Vec<f64> {
        let mut latencies = Vec::new();
        for _ in 0..CALLS {
            let email = population::email(self.anybody());
            let began = clock::now();
            let found =
                self.app.store.read(move |tx| passwords::find_sign_in(tx, SignIn::Email(&email)));
            assert!(found.await.unwrap().is_some());
            latencies.push(began.elapsed().as_secs_f64() * 1e6);
        }
        latencies
    }

    /// The latencies of rotations, in µs.
    async fn rotations(&mut self) -> Vec<f64> {
        let mut latencies = Vec::new();
        for _ in 0..CALLS {
            let number = self.anybody();
            let began = clock::now();
            rotate(&self.app.store, number, self.people, self.now).await;
            latencies.push(began.elapsed().as_secs_f64() * 1e6);
        }
        latencies
    }
}

async fn rotate(store: &Store, number: u64, all: u64, now: Timestamp) {
    let (user_id, id) = (population::user_id(number, all), population::grant_id(number, now));
    let rotated = store.write(move |tx| {
        let found = grants::find_with_user(tx, &user_id, &id)?;
        let found = found.ok_or(StoreError::Conflict)?;
        grants::advance(tx, found.grant, &LIVES, now)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a rotation that is measured")))
    });
    rotated.await.unwrap();
}

/// Fills both, and measures them in turns.
pub async fn run(places: &[Place; 2], people: usize) -> Vec<Figure> {
    let mut few = Filled::new(&places[0], FEW).await;
    let mut many = Filled::new(&places[1], people).await;
    let kind = places[0].kind;
    let mut figures = Vec::new();
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        of_few.push(few.lookups().await);
        of_many.push(many.lookups().await);
    }
    figures.push(compared(&format!("sign-in lookup on {kind}"), (&of_few, &of_many), people));
    (of_few, of_many) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        of_few.push(few.rotations().await);
        of_many.push(many.rotations().await);
    }
    figures.push(compared(&format!("rotation on {kind}"), (&of_few, &of_many), people));
    figures
}

/// The p99 of many by the p99 of few; the first round of each made everything warm.
fn compared(name: &str, (few, many): (&[Vec<f64>], &[Vec<f64>]), people: usize) -> Figure {
    let ratio = |share: f64| -> Vec<f64> {
        let both = few.iter().zip(many).skip(1);
        both.map(|(few, many)| at(many, share) / at(few, share)).collect()
    };
    let p99 = |rounds: &[Vec<f64>]| at(&rounds[1..].concat(), 0.99);
    let note = format!(
        "p50 ratio {:.2}; p99 of {FEW} {:.0} µs, of {people} {:.0} µs",
        quartiles(&ratio(0.5)).median,
        p99(few),
        p99(many)
    );
    let name = format!("{name}: p99 of {people} by {FEW}");
    let figure = Figure::plain(name, quartiles(&ratio(0.99)), "×").goal(Goal::AtMost(2.0));
    figure.latencies(&many[1..].concat()).note(note)
}

fn config(place: &Place) -> Config {
    let database = match place.kind {
        "postgres" => DatabaseUrl::Postgres(place.url.clone()),
        _ => DatabaseUrl::SqliteFile((&place.url).into()),
    };
    Config {
        mode: Mode::Serve,
        issuer: crate::child::ISSUER.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        database,
        encryption_key: Arc::new(EncryptionKey::from_bytes(&[7; 32]).unwrap()),
        trusted_proxies: vec![],
        access_ttl: None,
        hashing_threads: 1,
        log_format: LogFormat::Text,
        anchors: vec![],
        metrics_listen: Default::default(),
        mail: None,
        outbound: Default::default(),
        tls: None,
        mcp: false,
    }
}
