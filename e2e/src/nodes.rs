//! Several nodes over one PostgreSQL that come and go under load: a node of an older version is
//! replaced by new ones without a failed request; the node that writes the audit trail is killed,
//! and another one goes on with it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use munjigi_store::testing::{Cluster, Copy, Tampering, tamper};

use crate::caller::Caller;
use crate::crash::{open, register};
use crate::production::Production;
use crate::witness::Witness;

const EMAIL: &str = "person@example.kr";
const PASSWORD: &str = "a-long-enough-secret";
/// How many use the nodes at once.
const USERS: usize = 4;

/// The nodes that get requests, as a balancer knows them.
#[derive(Clone)]
struct Balancer {
    callers: Arc<RwLock<Vec<Caller>>>,
    next: Arc<AtomicUsize>,
    done: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    stops: Arc<AtomicBool>,
    /// Whether a node may go away in the middle of a request.
    forgives: bool,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many requests were answered as they should be.
    pub answered: u64,
    /// How many were not.
    pub failed: u64,
    /// How long the trail stood still after its node was killed.
    pub silence: Duration,
    /// What is wrong with the trail.
    pub wrong: Option<String>,
}

/// What the next node finds of the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// What was signed.
    AsItWas,
    /// Nothing: planted. It makes and signs a tree of its own, with the same key, that forks.
    Nothing,
}

impl Balancer {
    fn new(forgives: bool) -> Self {
        Self {
            callers: Arc::default(),
            next: Arc::default(),
            done: Arc::default(),
            failed: Arc::default(),
            stops: Arc::default(),
            forgives,
        }
    }

    fn set(&self, nodes: &[&Production], client: &str) {
        let callers = nodes.iter().map(|node| Caller::new(&node.base, client)).collect();
        *self.callers.write().unwrap() = callers;
    }

    fn caller(&self) -> Caller {
        let callers = self.callers.read().unwrap();
        callers[self.next.fetch_add(1, Ordering::Relaxed) % callers.len()].clone()
    }

    /// Refreshes, looks at the profile and changes it, at whichever node is next.
    async fn use_them(self, mut refresh: String) {
        while !self.stops.load(Ordering::Relaxed) {
            let Ok(heard) = self.caller().refresh(&refresh).await else {
                self.missed();
                continue;
            };
            self.note(heard.status == 200, "refresh", &format!("{heard:?}"));
            if heard.status != 200 {
                return;
            }
            refresh = heard.text("refresh_token");
            let access = heard.text("access_token");
            match self.caller().me(&access).await {
                Ok(heard) => self.note(heard.status == 200, "me", &format!("{heard:?}")),
                Err(_) => self.missed(),
            }
            match self.caller().rename(&access, "Minji").await {
                Ok(heard) => self.note(heard.status == 200, "rename", &format!("{heard:?}")),
                Err(_) => self.missed(),
            }
        }
    }

    fn note(&self, is_right: bool, what: &str, answer: &str) {
        if is_right {
            self.done.fetch_add(1, Ordering::Relaxed);
        } else {
            println!("{what}: {answer}");
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn missed(&self) {
        if !self.forgives {
            println!("a node went away in the middle of a request");
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn crowd(&self) -> Vec<tokio::task::JoinHandle<()>> {
        let mut tasks = Vec::new();
        for _ in 0..USERS {
            let heard = self.caller().sign_in(EMAIL, PASSWORD).await.expect("a node is there");
            assert_eq!(heard.status, 200, "{heard:?}");
            tasks.push(tokio::spawn(self.clone().use_them(heard.text("refresh_token"))));
        }
        tasks
    }

    async fn end(&self, tasks: Vec<tokio::task::JoinHandle<()>>) -> Seen {
        self.stops.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (answered, failed) = (read(&self.done), read(&self.failed));
        Seen { answered, failed, ..Seen::default() }
    }
}

fn prepare(server: &Production) -> String {
    let create = ["users", "create", "--email", EMAIL, "--password-stdin"];
    server.cli(&create, &format!("{PASSWORD}\n"));
    register(server)
}

/// A node of `old` works on an empty database under load; a node of this version is started beside
/// it, which brings the tables up to date; after a while the old one gets no more requests, and is
/// stopped. Each phase lasts so long.
pub async fn upgrade(url: &str, old: &Path, phase: Duration) -> Seen {
    let mut first = Production::on_postgres(url).of(old);
    let mut second = first.another_node();
    let client = prepare(&first);
    let balancer = Balancer::new(false);
    first.start();
    balancer.set(&[&first], &client);
    balancer.caller().wait_for_keys().await;
    let tasks = balancer.crowd().await;
    tokio::time::sleep(phase).await;

    second.start();
    Caller::new(&second.base, &client).wait_for_keys().await;
    balancer.set(&[&first, &second], &client);
    tokio::time::sleep(phase).await;
    balancer.set(&[&second], &client);
    // What is under way at the old one ends.
    tokio::time::sleep(Duration::from_secs(2)).await;
    first.kill();
    tokio::time::sleep(phase).await;
    balancer.end(tasks).await
}

/// Nodes one after another take over a database as an older version left it.
pub async fn roll(url: &str, phase: Duration) -> Seen {
    let mut present = Production::on_postgres(url);
    let client = prepare(&present);
    let balancer = Balancer::new(false);
    present.start();
    balancer.set(&[&present], &client);
    balancer.caller().wait_for_keys().await;
    let tasks = balancer.crowd().await;
    for _ in 0..2 {
        tokio::time::sleep(phase).await;
        let mut next = present.another_node();
        next.start();
        Caller::new(&next.base, &client).wait_for_keys().await;
        balancer.set(&[&present, &next], &client);
        tokio::time::sleep(phase).await;
        balancer.set(&[&next], &client);
        tokio::time::sleep(Duration::from_secs(1)).await;
        present = next;
    }
    balancer.end(tasks).await
}

/// The first of three nodes has the audit trail, and is killed under load; another one goes on with
/// it: one tree, which holds, and goes on from what was signed before the kill.
pub async fn hand_over(url: &str, left: Left) -> Seen {
    let mut first = Production::on_postgres(url);
    let (mut second, mut third) = (first.another_node(), first.another_node());
    let client = prepare(&first);
    first.start();
    let balancer = Balancer::new(true);
    balancer.set(&[&first], &client);
    balancer.caller().wait_for_keys().await;
    let tasks = balancer.crowd().await;
    let mut witness = Witness::new();
    let before = witness.until(&second, |_, _| true).await;
    second.start();
    third.start();
    balancer.set(&[&first, &second, &third], &client);
    tokio::time::sleep(Duration::from_secs(1)).await;

    first.kill();
    let killed = Instant::now();
    balancer.set(&[&second, &third], &client);
    if left == Left::Nothing {
        let store = open(url).await;
        tamper(&store, Tampering::Restored, 0).await.unwrap();
        store.close().await;
    }
    let caller = Caller::new(&second.base, &client);
    let goes_on = match before {
        Ok(before) => goes_on(&mut witness, &second, &caller, before).await,
        Err(wrong) => Err(wrong),
    };
    let silence = killed.elapsed();
    let seen = balancer.end(tasks).await;
    Seen { silence, wrong: goes_on.err(), ..seen }
}

/// Waits until the trail vouches for what happens now.
async fn goes_on(
    witness: &mut Witness,
    node: &Production,
    caller: &Caller,
    before: u64,
) -> Result<(), String> {
    // Beyond what the dead one may have signed at the last moment.
    let at_kill = witness.until(node, |size, _| size >= before).await?;
    caller.sign_in(EMAIL, PASSWORD).await.expect("it is there");
    witness.until(node, |size, _| size > at_kill).await?;
    Ok(())
}

/// A base backup is started in the place of the cluster that it was taken of, under a server that
/// runs all the while. By its name it is the same database; only who saw the other one knows that
/// it is older. What is wrong.
pub async fn restore() -> Option<Vec<String>> {
    let pair = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start(&[]).unwrap()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some((cluster, port))
    });
    let (cluster, port) = pair.await.unwrap()?;
    let url = format!(
        "postgres://munjigi@127.0.0.1:{},127.0.0.1:{port}/postgres?sslmode=disable",
        cluster.port()
    );
    let mut server = Production::on_postgres(&url);
    let client = prepare(&server);
    server.start();
    let caller = Caller::new(&server.base, &client);
    caller.wait_for_keys().await;
    let mut refreshes = Vec::new();
    for _ in 0..2 {
        let heard = caller.sign_in(EMAIL, PASSWORD).await.expect("the server is there");
        refreshes.push((heard.text("refresh_token"), heard.text("access_token")));
    }
    let (cluster, backup) = tokio::task::spawn_blocking(move || {
        let backup = cluster.copy(Copy::Backup, port, &[]).unwrap();
        (cluster, backup)
    })
    .await
    .unwrap();
    caller.revoke(&refreshes[0].0).await.expect("the server is there");
    // It moves the beat on every five seconds in which something was written.
    tokio::time::sleep(Duration::from_secs(11)).await;
    cluster.kill().unwrap();

    let until = Instant::now() + Duration::from_secs(30);
    let ended = |told: &serde_json::Value| told["everything_ended"] == true;
    while !server.cli_or_not(&["database", "epoch"]).as_ref().is_some_and(ended) {
        assert!(Instant::now() < until, "nobody notices that the database is older");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    while caller.refresh(&refreshes[0].0).await.expect("the server is there").status == 503 {
        assert!(Instant::now() < until, "the server does not go on with it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut wrong = Vec::new();
    for (refresh, access) in &refreshes {
        // A server that does not get at its database would refuse everything.
        let heard = caller.refresh(refresh).await.expect("the server is there");
        if !heard.is_refused() {
            wrong.push(format!("a grant of before the restore lives: {heard:?}"));
        }
        let heard = caller.me(access).await.expect("the server is there");
        if heard.status != 401 {
            wrong.push(format!("an access token of before the restore is taken: {heard:?}"));
        }
    }
    let again = caller.sign_in(EMAIL, PASSWORD).await.expect("the server is there");
    let newest = caller.refresh(&again.text("refresh_token")).await.expect("it is there");
    if newest.status != 200 {
        wrong.push(format!("nobody can sign in again: {}, {}", again.body, newest.body));
    }
    drop(backup);
    Some(wrong)
}
