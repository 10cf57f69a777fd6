//! The primary kill (P4, DS-07): the process of a PostgreSQL primary is killed under load, or all
//! of its processes hang, its synchronous standby is promoted, and the servers go on by themselves.
//! What they acknowledged is there, nothing that is good once works twice, and nobody has to sign
//! in again: a server that ran all the while saw that the primary confirmed nothing that the
//! standby did not have.

use std::time::{Duration, Instant};

use munjigi_store::testing::{Cluster, Copy, Hung, unaudited};

use crate::caller::Caller;
use crate::crash::{Person, open, person, register};
use crate::production::Production;
use crate::random::Random;
use crate::witness::Witness;

const PEOPLE: u64 = 4;
/// How long people use the servers between two kills, in milliseconds.
const LIVES: (u64, u64) = (200, 1_500);
/// How long a primary may be replaced for.
const PATIENCE: Duration = Duration::from_secs(120);
/// A standby that has just lost its primary does not hear that it is promoted until it would look
/// for the primary again: after 5 s, unless it is told otherwise.
const LOOK_AGAIN: &str = "wal_retrieve_retry_interval=100ms";

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// How often a primary was killed.
    pub kills: u32,
    /// How many operations were acknowledged.
    pub acknowledged: u64,
    /// How many facts were looked at after a kill.
    pub checked: u64,
    /// From each kill to the first write that was acknowledged again, in milliseconds, sorted.
    pub outages: Vec<u128>,
    /// How often the whole audit trail was verified, with the key and the checkpoints kept outside.
    pub looks: u32,
    /// What was not as it had been acknowledged.
    pub violations: Vec<String>,
}

/// Whether the standby has what was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standby {
    /// The primary waits for it.
    Synchronous,
    /// It does not, and the standby is cut off before the people come: planted, to see that what
    /// is lost then is noticed.
    Behind,
}

/// What becomes of the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its first process is killed: connections break, and nobody makes new ones.
    Killed,
    /// It hangs: connections stay, new ones are taken, and nobody says anything.
    Hung,
}

/// Ends the primary so often; `None` where PostgreSQL is missing.
pub async fn run(kills: u32, seed: u64, (kind, end): (Standby, End)) -> Option<Report> {
    let (mut primary, port) = tokio::task::block_in_place(|| {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Cluster::start(&[]).unwrap().map(|primary| (primary, port.port()))
    })?;
    let url = format!(
        "postgres://munjigi@127.0.0.1:{},127.0.0.1:{port}/postgres?sslmode=disable\
         &target_session_attrs=read-write",
        primary.port(),
    );
    let follows = |primary| tokio::task::block_in_place(|| standby_of(primary, port, kind));
    let early = (kind == Standby::Synchronous).then(|| follows(&primary));
    let (server, caller, mut people) = enter(&url, seed).await;
    let mut standby = early.unwrap_or_else(|| follows(&primary));
    // A server vouches for what it has seen: it looks every five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;

    let (mut report, mut random) = (Report::default(), Random::new(seed));
    let mut witness = Witness::new();
    for kill in 1..=kills {
        let life = Duration::from_millis(random.between(LIVES.0, LIVES.1));
        let tasks: Vec<_> = people.into_iter().map(|it| living(it, caller.clone())).collect();
        tokio::time::sleep(life).await;
        // What is signed by now has to be there when another one is the primary.
        let signed = witness.until(&server, |_, _| true).await;
        report.violations.extend(signed.err().map(|it| format!("before kill {kill}: {it}")));
        let (killed, hung) = tokio::task::block_in_place(|| replace(&primary, &standby, end));
        people = Vec::new();
        for task in tasks {
            people.push(task.await.unwrap());
        }
        match writable_again(&mut people[0], &caller, killed).await {
            Ok(outage) => report.outages.push(outage),
            Err(wrong) => report.violations.push(format!("kill {kill}: {wrong}")),
        }
        for person in &mut people {
            let wrong = person.check(&caller).await;
            report.violations.extend(wrong.into_iter().map(|it| format!("kill {kill}: {it}")));
            report.checked += person.take_checked();
        }
        let wrong = witness.until_all_signed(&server).await.err();
        report.violations.extend(wrong.map(|it| format!("kill {kill}: {it}")));
        report.kills = kill;
        drop(hung);
        if !report.violations.is_empty() {
            break;
        }
        if kill < kills {
            (primary, standby) =
                tokio::task::spawn_blocking(move || follow(primary, standby, kind)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }
    report.acknowledged = people.iter().map(|person| person.acknowledged).sum();
    report.outages.sort_unstable();
    report.looks = witness.looks;
    drop(server);
    let store = open(&url).await;
    report.violations.extend(unaudited(&store).await.unwrap());
    store.close().await;
    Some(report)
}

/// A server with people who have come in.
async fn enter(url: &str, seed: u64) -> (Production, Caller, Vec<Person>) {
    let mut server = Production::on_postgres(url);
    let client = register(&server);
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let email = format!("person{number}@example.kr");
        let create = ["users", "create", "--email", &email, "--password-stdin"];
        server.cli(&create, person::PASSWORD);
        people.push(Person::new(&email, Random::new(seed ^ (number + 1))));
    }
    server.start();
    let caller = Caller::new(&server.base, &client).that_goes_at_503();
    caller.wait_for_keys().await;
    for person in &mut people {
        person.come_in(&caller).await;
    }
    (server, caller, people)
}

/// Ends the one and promotes the other; when that began, and what hangs.
fn replace(primary: &Cluster, standby: &Cluster, end: End) -> (Instant, Option<Hung>) {
    let hung = match end {
        End::Killed => primary.kill().map(|()| None),
        End::Hung => primary.hang().map(Some),
    };
    let (killed, hung) = (Instant::now(), hung.unwrap());
    standby.promote().unwrap();
    // It has no standby yet that it could wait for.
    standby.wait_for_standby(false).unwrap();
    (killed, hung)
}

fn standby_of(primary: &Cluster, port: u16, kind: Standby) -> Cluster {
    let settings: &[&str] = match kind {
        Standby::Synchronous => &[LOOK_AGAIN],
        // It follows a port where nobody is.
        Standby::Behind => &["primary_conninfo=host=127.0.0.1 port=1"],
    };
    let standby = primary.copy(Copy::Standby, port, settings).unwrap();
    if kind == Standby::Synchronous {
        primary.wait_for_standby(true).unwrap();
    }
    standby
}

/// The one that was promoted gets a standby of its own, where the dead one was.
fn follow(dead: Cluster, promoted: Cluster, kind: Standby) -> (Cluster, Cluster) {
    let port = dead.port();
    drop(dead);
    let standby = standby_of(&promoted, port, kind);
    (promoted, standby)
}

fn living(mut person: Person, caller: Caller) -> tokio::task::JoinHandle<Person> {
    tokio::spawn(async move {
        person.live(&caller).await;
        person
    })
}

async fn writable_again(
    person: &mut Person,
    caller: &Caller,
    killed: Instant,
) -> Result<u128, String> {
    while !person.can_write(caller).await? {
        if killed.elapsed() > PATIENCE {
            return Err("the servers do not go on".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(killed.elapsed().as_millis())
}
