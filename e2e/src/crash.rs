//! The crash campaign (P1 of the security design): a server is killed with `kill -9` at a random
//! moment while people use it, started again, and held to what it had acknowledged. Nothing
//! acknowledged is gone, nothing that is good once works twice, and every change has its event.
//!
//! The ledger is kept here, outside the server: a fact enters it when its answer has come. What
//! was asked for and never answered is in doubt, and may have happened or not, but not by halves.

pub(crate) mod person;

use std::path::{Path, PathBuf};
use std::time::Duration;

use munjigi_core::time::Timestamp;
use munjigi_store::testing::{lose_events, unaudited};
use munjigi_store::{Store, StoreOptions};

pub(crate) use self::person::Person;
use crate::caller::{self, Caller};
use crate::production::{Production, beside};
use crate::random::Random;

/// How many people use the server at once.
const PEOPLE: u64 = 6;

/// The shortest and the longest time between a start and its kill, in milliseconds.
const LIVES: (u64, u64) = (5, 400);

/// A campaign that can be run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// How often the server is killed.
    pub cycles: u32,
    /// Where its random choices begin.
    pub seed: u64,
    /// What is broken on purpose, to see that it is noticed.
    pub sabotage: Option<Sabotage>,
}

/// A server that breaks its promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// After each kill the database is the one from before the last start: acknowledged writes are
    /// lost.
    LoseWrites,
    /// At the end the audit trail lacks five rows.
    LoseEvents,
}

/// What a campaign has seen.
#[derive(Debug, Default)]
pub struct Report {
    /// How often the server was killed.
    pub cycles: u32,
    /// How many operations were acknowledged.
    pub acknowledged: u64,
    /// How many were under way when the server was killed.
    pub in_doubt: u64,
    /// How many facts were looked at after a start.
    pub checked: u64,
    /// What was not as it had been acknowledged.
    pub violations: Vec<String>,
}

impl Campaign {
    /// Runs it on a server that was not started yet. It ends early when nothing more can be learnt.
    pub async fn run(self, mut server: Production) -> Report {
        let mut report = Report::default();
        let mut random = Random::new(self.seed);
        let client = register(&server);
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let email = format!("person{number}@example.kr");
            let create = ["users", "create", "--email", &email, "--password-stdin"];
            server.cli(&create, person::PASSWORD);
            people.push(Person::new(&email, Random::new(self.seed ^ (number + 1))));
        }

        // Before the first kill, since a sign-in takes longer than most lives: one that is killed
        // counts as a failed attempt, and a few of them would shut the person out.
        server.start();
        let caller = Caller::new(&server.base, &client);
        caller.wait_for_keys().await;
        for person in &mut people {
            person.come_in(&caller).await;
        }
        server.kill();

        for cycle in 1..=self.cycles {
            let before = self.copy_before(&server);
            server.start();
            let caller = Caller::new(&server.base, &client);
            for person in &mut people {
                let wrong = person.check(&caller).await;
                let wrong = wrong.into_iter().map(|it| format!("cycle {cycle}: {it}"));
                report.violations.extend(wrong);
                report.checked += person.take_checked();
            }
            let life = Duration::from_millis(random.between(LIVES.0, LIVES.1));
            people = live(&mut server, &caller, people, life).await;
            report.cycles = cycle;
            self.spoil(&server, before.as_deref());
            if report.violations.len() > 20 {
                break;
            }
        }
        for person in &people {
            report.acknowledged += person.acknowledged;
            report.in_doubt += person.in_doubt;
        }
        report.violations.extend(self.audit(&server).await);
        report
    }

    /// A copy of the database, for [`Sabotage::LoseWrites`].
    fn copy_before(self, server: &Production) -> Option<PathBuf> {
        let file = server.file().filter(|_| self.sabotage == Some(Sabotage::LoseWrites))?;
        let copy = file.with_extension("before");
        for end in ["", "-wal"] {
            drop(std::fs::remove_file(beside(&copy, end)));
            drop(std::fs::copy(beside(&file, end), beside(&copy, end)));
        }
        Some(copy)
    }

    /// Every change that the database holds has its event.
    async fn audit(self, server: &Production) -> Vec<String> {
        let url = server.database.parse().unwrap();
        let options = StoreOptions::new(url, Timestamp::from_millis(0));
        let store = Store::open(options).await.unwrap();
        if self.sabotage == Some(Sabotage::LoseEvents) {
            lose_events(&store, 5).await.unwrap();
        }
        let found = unaudited(&store).await.unwrap();
        store.close().await;
        found
    }

    fn spoil(self, server: &Production, before: Option<&Path>) {
        let (Some(file), Some(before)) = (server.file(), before) else { return };
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(beside(&file, end)));
            drop(std::fs::copy(beside(before, end), beside(&file, end)));
        }
    }
}

/// The client that everybody uses; its id.
pub(crate) fn register(server: &Production) -> String {
    // Everybody here has one address, and much of what they ask is to be refused. A server of an
    // older version knows no such budget.
    server.cli_or_not(&["settings", "set", "address_budget", "off"]);
    let create = ["clients", "create", "--name", "Crash", "--auth-method", "none"];
    let may = ["--first-party", "--grant-type", "password", "--grant-type", "refresh_token"];
    let code = ["--grant-type", "authorization_code", "--redirect-uri", caller::CALLBACK];
    let scope = ["--scope", "openid profile email offline_access"];
    let made = server.cli(&[&create[..], &may, &code, &scope].concat(), "");
    made["client_id"].as_str().unwrap().to_owned()
}

/// Everybody does something all the time, until the server is gone.
async fn live(
    server: &mut Production,
    caller: &Caller,
    people: Vec<Person>,
    life: Duration,
) -> Vec<Person> {
    let tasks: Vec<_> = people
        .into_iter()
        .map(|mut person| {
            let caller = caller.clone();
            tokio::spawn(async move {
                person.live(&caller).await;
                person
            })
        })
        .collect();
    tokio::time::sleep(life).await;
    server.kill();
    let mut people = Vec::new();
    for task in tasks {
        people.push(task.await.unwrap());
    }
    people
}
