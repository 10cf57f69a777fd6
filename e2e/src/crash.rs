//! The crash campaign (P1 of the security design): a server is killed with `kill -9` at a random
//! moment while people use it, started again, and held to what it had acknowledged. Nothing
//! acknowledged is gone, nothing that is good once works twice, every change has its event, and the
//! signed trail of them goes on from what it was before.
//!
//! The ledger is kept here, outside the server: a fact enters it when its answer has come. What
//! was asked for and never answered is in doubt, and may have happened or not, but not by halves.

pub(crate) mod person;

use std::path::{Path, PathBuf};
use std::time::Duration;

use munjigi_core::time::Timestamp;
use munjigi_store::testing::{Tampering, lose_events, tamper, unaudited};
use munjigi_store::{Store, StoreOptions};

pub(crate) use self::person::Person;
use crate::caller::{self, Caller};
use crate::production::{Production, beside};
use crate::random::Random;
use crate::witness::{Look, Witness};

/// How many people use the server at once.
const PEOPLE: u64 = 6;

/// The shortest and the longest time between a start and its kill, in milliseconds.
const LIVES: (u64, u64) = (5, 400);

/// After which kill somebody tampers with the trail, where that is planted.
const TAMPERED_AFTER: u32 = 3;

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
    /// Between two lives somebody changes an event that was signed.
    ChangeEvent,
    /// Between two lives somebody takes the tree away, and the server makes and signs another one
    /// of the same events.
    BeginTrailAnew,
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
    /// How often the whole audit trail was verified, with the key and the checkpoints kept outside.
    pub looks: u32,
    /// How many events it had in the end.
    pub events: u64,
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

        let (mut witness, mut next_look) = (Witness::new(), 1);
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
            if cycle >= next_look {
                // It goes over all of the trail, which grows: every time half as late again.
                next_look = cycle + (cycle / 2).max(5);
                let wrong = looked(&mut witness, &server);
                report.violations.extend(wrong.map(|it| format!("cycle {cycle}: {it}")));
            }
            let life = Duration::from_millis(random.between(LIVES.0, LIVES.1));
            people = live(&mut server, &caller, people, life).await;
            report.cycles = cycle;
            self.spoil(&server, before.as_deref());
            self.tamper(&server, cycle).await;
            if report.violations.len() > 20 {
                break;
            }
        }
        for person in &people {
            report.acknowledged += person.acknowledged;
            report.in_doubt += person.in_doubt;
        }
        if self.sabotage.is_none() {
            server.start();
            report.violations.extend(witness.until_all_signed(&server).await.err());
            server.kill();
        }
        (report.looks, report.events) = (witness.looks, witness.events);
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

    async fn tamper(self, server: &Production, cycle: u32) {
        let what = match self.sabotage {
            Some(Sabotage::ChangeEvent) => Tampering::EventChanged,
            Some(Sabotage::BeginTrailAnew) => Tampering::Restored,
            _ => return,
        };
        if cycle == TAMPERED_AFTER {
            let store = open(&server.database).await;
            assert!(tamper(&store, what, 0).await.unwrap() > 0, "nothing to tamper with");
            store.close().await;
        }
    }

    /// Every change that the database holds has its event.
    async fn audit(self, server: &Production) -> Vec<String> {
        let store = open(&server.database).await;
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

/// The database, while no server is needed.
pub(crate) async fn open(database: &str) -> Store {
    let options = StoreOptions::new(database.parse().unwrap(), Timestamp::from_millis(0));
    Store::open(options).await.unwrap()
}

/// What is wrong with the audit trail of a server that runs, and that nothing hinders.
fn looked(witness: &mut Witness, server: &Production) -> Option<String> {
    match witness.look(server) {
        Look::Holds { .. } | Look::Unsigned => None,
        Look::NoVerdict(wrong) | Look::Wrong(wrong) => Some(format!("the audit trail: {wrong}")),
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
