//! What a server does by itself, and what an operator has it do with its keys: each job fails at
//! each of its calls in turn. It says so, and what it had to do is done or not, by every row and by
//! the events that tell of it. Done again, it is complete; once more, it does nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use munjigi_core::audit::{Actor, Kind};
use munjigi_server::sequencer::Sequencer;
use munjigi_server::{App, Config, EncryptionKey, Failure, Rotation, audit_keeping, jobs};
use munjigi_store::testing::{Database, Held, contents, held, unaudited};
use munjigi_store::{keys, outbox};
use munjigi_token::Algorithm;
use serde_json::json;

use super::tokens::quick_keys;
use crate::harness::{MINJI, TestApp, config};
use crate::mailed_links::{mailbox, recover};
use crate::visitor::Visitor;

const DAY: u64 = 24 * 3_600;
/// No job asks more of the database than this.
const MOST: u32 = 200;

/// The job, to be done as often as it is wanted.
pub type Run = Box<dyn Fn() -> LocalBoxFuture<'static, Result<(), Failure>>>;

type Prepare = Box<dyn Fn() -> LocalBoxFuture<'static, (TestApp, Run)>>;

/// One job.
pub struct Job {
    name: &'static str,
    /// How many transactions it takes, each of which tells of what it did.
    parts: usize,
    prepare: Prepare,
}

impl Job {
    pub fn new<F>(name: &'static str, parts: usize, prepare: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = (TestApp, Run)> + 'static,
    {
        Self { name, parts, prepare: Box::new(move || prepare().boxed_local()) }
    }
}

/// A server, and what it is to do.
pub fn to_do<F>(app: &TestApp, act: impl Fn(App) -> F + 'static) -> (TestApp, Run)
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let server = app.app.clone();
    (app.clone(), Box::new(move || act(server.clone()).boxed_local()))
}

/// What is done every minute.
fn round(app: &TestApp) -> (TestApp, Run) {
    to_do(app, async |app| jobs::run(&app).await)
}

/// What a database holds, and how much of it.
struct Books {
    held: Held,
    counts: BTreeMap<&'static str, i64>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Change {
    /// How many rows went and how many came, by table.
    rows: BTreeMap<&'static str, (usize, usize)>,
    counts: BTreeMap<&'static str, i64>,
    /// Kind and outcome.
    events: Vec<(String, String)>,
}

impl Change {
    /// What was told by them cannot be asked for any more.
    fn forgets_events(&self) -> bool {
        self.counts.get("audit").is_some_and(|more| *more < 0)
    }
}

impl Books {
    async fn of(app: &TestApp) -> Self {
        let store = &app.app.store;
        let held = held(store).await.unwrap();
        let mut counts: BTreeMap<_, _> = contents(store).await.unwrap().into_iter().collect();
        let keys = store.read(keys::all).await.unwrap();
        let used = keys.iter().filter(|key| key.last_used_at.is_some()).count();
        counts.insert("keys that signed", i64::try_from(used).unwrap());
        counts.insert("waits to be sent", store.read(outbox::waiting).await.unwrap().0);
        Self { held, counts }
    }

    fn since(&self, before: &Self) -> Change {
        let counts = self.counts.iter().map(|(name, count)| (*name, count - before.counts[name]));
        Change {
            rows: self.held.rows_since(&before.held),
            counts: counts.filter(|(_, more)| *more != 0).collect(),
            events: self.held.events_since(&before.held),
        }
    }
}

/// What came of a job whose n-th call failed, by n, and what became of that when it was done again.
struct Course {
    /// Each state that it was left in, in their order; the last one is that of a job without fault.
    stations: Vec<Change>,
    /// Done again after a fault.
    ends: Vec<(String, Change)>,
}

impl Job {
    /// Lets every call of the job fail in turn; at how many places.
    pub async fn endure(&self) -> Result<u32, String> {
        let mut course = Course { stations: vec![Change::default()], ends: Vec::new() };
        for at in 1..MOST {
            let (app, run) = (self.prepare)().await;
            let before = Books::of(&app).await;
            let faults = app.app.store.faults();
            faults.fail_at(at);
            let said = run().await;
            let struck = faults.stop();
            let change = Books::of(&app).await.since(&before);
            let place = format!("{}, fault {at}", self.name);
            if said.is_ok() == struck {
                return Err(format!("{place}: {said:?}"));
            }
            if !change.forgets_events() {
                let mut untold = unaudited(&app.app.store).await.unwrap();
                // Who is deleted is told of for ever.
                untold.retain(|it| it.starts_with("no event"));
                untold.is_empty().then_some(()).ok_or_else(|| format!("{place}: {untold:?}"))?;
            }
            if course.stations.last() != Some(&change) {
                course.stations.push(change);
            }
            for time in ["again", "once more"] {
                run().await.map_err(|error| format!("{place}, {time}: {error}"))?;
                let change = Books::of(&app).await.since(&before);
                course.ends.push((format!("{place}, {time}"), change));
            }
            if !struck {
                return course.judge(self).map(|()| at - 1);
            }
        }
        Err(format!("{} never comes to an end", self.name))
    }
}

impl Course {
    /// Whether there is no way between one transaction and the next, and only one end.
    fn judge(&self, job: &Job) -> Result<(), String> {
        let (stations, name, parts) = (&self.stations, job.name, job.parts);
        let is_new = |at: usize| !stations[..at].contains(&stations[at]);
        if stations.len() != parts + 1 || !(0..stations.len()).all(is_new) {
            return Err(format!("{name}: done by half, or not in {parts} parts: {stations:#?}"));
        }
        // Where nothing failed, another time finds nothing to tell of.
        let (whole, (_, later)) = (&stations[parts], self.ends.last().unwrap());
        if later.events != whole.events {
            return Err(format!("{name}, another time: {later:?} instead of {whole:?}"));
        }
        match self.ends.iter().find(|(_, end)| end != whole && end != later) {
            Some((place, end)) => Err(format!("{place}: {end:?} instead of {whole:?}")),
            None => Ok(()),
        }
    }
}

/// Fails unless every job endures a fault at each of its calls.
pub async fn endure(jobs: impl IntoIterator<Item = Job>) {
    let (mut wrong, mut places, mut count) = (Vec::new(), 0, 0);
    for job in jobs {
        count += 1;
        match job.endure().await {
            Ok(more) => places += more,
            Err(why) => wrong.push(why),
        }
    }
    eprintln!("{count} jobs, {places} places");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything that is due is done: what comes next has nothing else to do.
async fn settle(app: &TestApp) {
    jobs::run(&app.app).await.unwrap();
}

/// What is forgotten, and who is.
pub fn of_forgetting() -> Vec<Job> {
    vec![
        Job::new("what is over", 1, async || {
            let app = TestApp::start().await;
            quick_keys(&app).await;
            let minji = Visitor::of_owner(&app, MINJI).await;
            minji.connect().await;
            recover(&minji, MINJI.0).await.expect(200);
            assert_eq!(mailbox(&app).await.len(), 1);
            let wrong = json!({"email": MINJI.0, "password": "not this one"});
            app.post("/api/v1/users/signin", wrong).await.expect(401);
            settle(&app).await;
            app.advance(60 * DAY);
            round(&app)
        }),
        Job::new("events that were kept long enough", 1, async || {
            let app = TestApp::start().await;
            app.sign_in(MINJI).await;
            Sequencer::new(&app.app).unwrap().run(&app.app).await.unwrap();
            app.set("audit_retention", "30d").await;
            app.advance(31 * DAY);
            to_do(&app, async |app| audit_keeping::forget(&app).await.map(drop))
        }),
        Job::new("a client that nobody uses", 1, async || {
            let app = TestApp::start().await;
            app.open_registration().await;
            app.set("client_unused_ttl", "30d").await;
            let idle = json!({"redirect_uris": ["https://idle.example/cb"]});
            app.post("/oauth2/register", idle).await.expect(201);
            app.advance(30 * DAY);
            settle(&app).await;
            app.advance(1);
            round(&app)
        }),
        Job::new("an account that was given up", 1, async || {
            let app = TestApp::start().await;
            let minji = Visitor::of_owner(&app, MINJI).await;
            let fields = [("current_password", MINJI.1), ("action", "delete")];
            minji.send("/account/delete", &fields).await.expect(200);
            mailbox(&app).await;
            app.advance(14 * DAY - 1);
            settle(&app).await;
            app.advance(1);
            round(&app)
        }),
    ]
}

/// How keys come and go.
pub fn of_keys() -> Vec<Job> {
    vec![
        Job::new("the next keys", 2, async || {
            let app = TestApp::start().await;
            another_line(&app).await;
            app.set("signing_key_lifetime", "10d").await;
            app.advance(9 * DAY);
            to_do(&app, async |app| app.rotate_due_keys().await)
        }),
        Job::new("a key whose last token is over", 1, async || {
            let app = TestApp::start().await;
            let event = app.app.system_event(Kind::KeyCreated).unwrap();
            app.app.rotate_key(Algorithm::Es256, Rotation::AtOnce, event).await.unwrap();
            app.advance(2 * 3_600);
            round(&app)
        }),
        Job::new("the key that is made after the start", 1, async || {
            to_do(&TestApp::start().await, async |app| app.ensure_rsa_key().await)
        }),
        Job::new("a key that is withdrawn", 1, async || {
            let app = TestApp::start().await;
            let keys = app.app.store.read(keys::all).await.unwrap();
            let kid = keys.into_iter().find(|key| key.algorithm == "ES256").unwrap().kid;
            to_do(&app, move |app| {
                let kid = kid.clone();
                async move {
                    let event = |kind| app.system_event(kind);
                    let events = (event(Kind::KeyWithdrawn)?, event(Kind::KeyCreated)?);
                    app.withdraw_key(&kid, events).await.map(drop)
                }
            })
        }),
        Job::new("when keys last signed", 1, async || {
            let app = TestApp::start().await;
            settle(&app).await;
            app.sign_in(MINJI).await;
            round(&app)
        }),
        // The root of the secrets, and a key of each algorithm.
        Job::new("keys that are sealed anew", 3, async || {
            let database = Arc::new(Database::sqlite());
            another_line(&TestApp::start_with(&database).await).await;
            let of = |byte| EncryptionKey::from_bytes(&[byte; 32]).unwrap();
            let encryption_key = Arc::new(of(9).with_previous(of(7)));
            let config = Config { encryption_key, ..config(database.url().clone()) };
            let app = TestApp::start_from(config).await;
            to_do(&app, move |app| {
                let database = Arc::clone(&database);
                async move {
                    let done = app.reseal(Actor::Operator).await.map(drop);
                    drop(database);
                    done
                }
            })
        }),
    ]
}

/// Makes a key of an algorithm that has none.
async fn another_line(app: &TestApp) {
    let event = app.app.system_event(Kind::KeyCreated).unwrap();
    app.app.rotate_key(Algorithm::EdDsa, Rotation::AtOnce, event).await.unwrap();
}
