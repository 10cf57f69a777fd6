//! One request of the campaign: what is there before it, what it is answered, and what becomes of
//! it when it is sent again by somebody who did not hear the answer.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::Method;
use munjigi_core::audit::Kind;
use munjigi_store::testing::{Database, Held, held};
use serde_json::Value;

use crate::harness::{Answer, TestApp};
use crate::visitor::Visitor;

/// The same request, as often as it is wanted.
pub type Ask = Box<dyn Fn() -> LocalBoxFuture<'static, Answer>>;

type Prepare = Box<dyn Fn(TestApp) -> LocalBoxFuture<'static, Ask>>;

/// No request asks more of the database than this.
const MOST: u32 = 60;
/// So many times a password may be looked at in vain before one has to wait.
const GUESSES: u32 = 4;
/// So many seconds pass at most between what was made ready and the last time it is sent.
const PATIENCE: u32 = 25;

/// What becomes of a request that was done and is sent again.
#[derive(Clone, Debug)]
pub enum Again {
    /// It changes nothing, the first time either.
    Reads,
    /// It is done once more: who signs in twice has two sessions.
    Anew,
    /// Nothing is done, whatever is answered.
    Never,
    /// Nothing is done, and a mail says so.
    Told,
    /// Nothing comes of it, and what the first time gave, or what there is by now, is ended: the
    /// event that tells of it.
    Ends(Kind),
}

/// One request.
pub struct Flow {
    pub name: &'static str,
    /// Method and path, as the table of routes has them.
    pub route: String,
    /// What is answered when nothing fails.
    done: u16,
    again: Again,
    /// How often it is sent to one server.
    patience: u32,
    prepare: Prepare,
}

impl Flow {
    pub fn new<F>(
        (name, route): (&'static str, &str),
        (done, again): (u16, Again),
        prepare: impl Fn(TestApp) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Ask> + 'static,
    {
        let prepare: Prepare = Box::new(move |app| prepare(app).boxed_local());
        let route = route.to_owned();
        Self { name, route, done, again, patience: PATIENCE, prepare }
    }

    /// A password is looked at, which may fail a few times only.
    pub fn guessing(self) -> Self {
        Self { patience: GUESSES, ..self }
    }
}

/// What became of what a database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Change {
    /// How many rows went and how many came, by table.
    rows: BTreeMap<&'static str, (usize, usize)>,
    /// Kind and outcome.
    events: Vec<(String, String)>,
}

impl Change {
    /// No row, and no event that says that something was done.
    fn is_nothing(&self) -> bool {
        self.rows.is_empty() && self.events.iter().all(|(_, outcome)| outcome == "refused")
    }

    /// The same tables and the same events: what came the first time may be replaced the second.
    fn is_like(&self, other: &Self) -> bool {
        self.rows.keys().eq(other.rows.keys()) && self.events == other.events
    }

    /// No table has more rows than before, but for what was announced.
    fn gives_nothing(&self) -> bool {
        let mut rows = self.rows.iter().filter(|(table, _)| **table != "revocation");
        rows.all(|(_, (went, came))| came <= went)
    }

    fn is_nothing_but_a_mail(&self) -> bool {
        let rows = self.rows.iter().filter(|(table, _)| **table != "outbox");
        Self { rows: rows.map(|(table, moved)| (*table, *moved)).collect(), ..self.clone() }
            .is_nothing()
    }
}

/// A server with a request that is ready to be sent.
struct Ground {
    app: TestApp,
    ask: Ask,
    sent: u32,
}

/// On which database servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Memory,
    Postgres,
}

/// A server, unless there is no such database.
async fn serve(on: On) -> Option<TestApp> {
    match on {
        On::Memory => Some(TestApp::start().await),
        On::Postgres => Some(TestApp::start_with(&Database::postgres().await?).await),
    }
}

impl Ground {
    async fn of(flow: &Flow, app: TestApp) -> Self {
        let ask = (flow.prepare)(app.clone()).await;
        Self { app, ask, sent: 0 }
    }

    /// Sends the request, a little later than what was before, perhaps with a fault; whether it
    /// came to the fault, and what changed.
    async fn send(&mut self, fault: Option<u32>) -> (Answer, bool, Change) {
        self.app.advance(1);
        self.sent += 1;
        let before = self.held().await;
        let faults = self.app.app.store.faults();
        if let Some(place) = fault {
            faults.fail_at(place);
        }
        let answer = (self.ask)().await;
        let struck = faults.stop();
        let after = self.held().await;
        let change =
            Change { rows: after.rows_since(&before), events: after.events_since(&before) };
        (answer, struck, change)
    }

    async fn held(&self) -> Held {
        held(&self.app.app.store).await.unwrap()
    }
}

/// A request that was done and whose answer was lost, and what came of it when it was sent again.
struct Unheard {
    place: String,
    change: Change,
    answer: Answer,
    second: Change,
}

impl Unheard {
    fn judge(&self, flow: &Flow, whole: &Change) -> Result<(), String> {
        let Self { place, change, answer, second } = self;
        if change != whole {
            return Err(format!("{place}: done by half, {change:?} of {whole:?}"));
        }
        if answer.status.as_u16() >= 500 {
            return Err(format!("{place}, again: {}", answer.shown()));
        }
        let holds = match &flow.again {
            Again::Reads => false,
            Again::Anew => second.is_like(whole),
            Again::Never => second.is_nothing(),
            Again::Told => second.is_nothing_but_a_mail(),
            Again::Ends(kind) => {
                let told: Vec<_> = second.events.iter().map(|(kind, _)| kind.as_str()).collect();
                told == [kind.as_str()] && second.gives_nothing()
            }
        };
        let answer = answer.shown();
        let told = || format!("{place}, again: not {:?}, {second:?}; {answer:.200}", flow.again);
        holds.then_some(()).ok_or_else(told)
    }
}

impl Flow {
    /// Lets every call of the request fail in turn; at how many places.
    async fn endure(&self, on: On, shared: Option<&TestApp>) -> Result<u32, String> {
        let fresh = async || match shared {
            Some(app) => Some(Ground::of(self, app.clone()).await),
            None => Some(Ground::of(self, serve(on).await?).await),
        };
        let Some(mut ground) = fresh().await else { return Ok(0) };
        let (mut unheard, name) = (Vec::new(), self.name);
        for at in 1..MOST {
            let (answer, struck, change) = ground.send(Some(at)).await;
            let place = format!("{name}, fault {at}");
            let said = format!("{place}: {:.300}", answer.shown());
            if !struck {
                self.judge_whole((at, answer.status.as_u16()), &change).map_err(|_| said)?;
                unheard.iter().try_for_each(|it: &Unheard| it.judge(self, &change))?;
                return Ok(at - 1);
            }
            if answer.status.as_u16() != 503 {
                return Err(said);
            }
            if !change.is_nothing() {
                let (answer, _, second) = ground.send(None).await;
                unheard.push(Unheard { place, change, answer, second });
            } else if ground.sent < self.patience {
                continue;
            }
            ground = fresh().await.unwrap();
        }
        Err(format!("{name} never comes to an end"))
    }

    /// Whether nothing failed, and it was what it is said to be.
    fn judge_whole(&self, (at, status): (u32, u16), change: &Change) -> Result<(), ()> {
        let reads = matches!(self.again, Again::Reads);
        let holds = at > 1 && status == self.done && (!reads || change.is_nothing());
        holds.then_some(()).ok_or(())
    }
}

/// What is wrong with these requests.
pub async fn find_wrong(on: On, flows: &[Flow]) -> Vec<String> {
    let (mut wrong, mut places, mut reading) = (Vec::new(), 0, None);
    for flow in flows {
        let reads = matches!(flow.again, Again::Reads) && on == On::Memory;
        if reads && reading.is_none() {
            reading = serve(on).await;
        }
        let shared = reading.as_ref().filter(|_| reads);
        let said = AssertUnwindSafe(flow.endure(on, shared)).catch_unwind().await;
        match said.unwrap_or_else(|_| Err(format!("{}: not made ready", flow.name))) {
            Ok(more) => places += more,
            Err(why) => wrong.push(why),
        }
    }
    eprintln!("{} requests, {places} places", flows.len());
    wrong
}

/// Fails unless every request endures a fault at each of its calls.
pub async fn endure(flows: impl IntoIterator<Item = Flow>) {
    let flows: Vec<_> = flows.into_iter().collect();
    let wrong = find_wrong(On::Memory, &flows).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A request that is made anew each time.
pub fn ask<F>(sending: impl Fn() -> F + 'static) -> Ask
where
    F: Future<Output = Answer> + 'static,
{
    Box::new(move || sending().boxed_local())
}

/// A form.
pub fn form(app: &TestApp, path: &'static str, parameters: &[(&'static str, &str)]) -> Ask {
    let owned = parameters.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let (app, parameters) = (app.clone(), Arc::new(owned.collect::<Vec<_>>()));
    ask(move || {
        let (app, parameters) = (app.clone(), Arc::clone(&parameters));
        async move {
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            app.form(path, &parameters).await
        }
    })
}

/// A call of the API: with a token unless it is empty, with a body unless it is null.
pub fn call(app: &TestApp, method: Method, path: &str, (token, body): (&str, Value)) -> Ask {
    let (app, path, token) = (app.clone(), path.to_owned(), token.to_owned());
    ask(move || {
        let (app, method, path) = (app.clone(), method.clone(), path.clone());
        let (token, body) = (token.clone(), body.clone());
        async move {
            match (token.is_empty(), body.is_null()) {
                (true, true) => app.get(&path).await,
                (true, false) => app.post(&path, body).await,
                (false, true) => app.act_as(method, &path, &token).await,
                (false, false) => app.call(method, &path, &token, body).await,
            }
        }
    })
}

/// A page.
pub fn open(visitor: &Arc<Visitor>, url: &str) -> Ask {
    let (visitor, url) = (Arc::clone(visitor), url.to_owned());
    ask(move || {
        let (visitor, url) = (Arc::clone(&visitor), url.clone());
        async move { visitor.open(&url).await }
    })
}

/// A form of a page.
pub fn send(visitor: &Arc<Visitor>, url: &str, fields: &[(&'static str, &str)]) -> Ask {
    let owned = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let (visitor, url, fields) =
        (Arc::clone(visitor), url.to_owned(), Arc::new(owned.collect::<Vec<_>>()));
    ask(move || {
        let (visitor, url, fields) = (Arc::clone(&visitor), url.clone(), Arc::clone(&fields));
        async move {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            visitor.send(&url, &fields).await
        }
    })
}
