//! The lives of the rows. When a server starts, and whenever its connections break, it looks
//! whether the database is the one that it left, with everything in it. If it is not, a new epoch
//! begins, and nothing that was given before is good any more: a backup does not know what was
//! ended since.
//!
//! Nodes agree by the number of the epoch, which is a key: one of them begins it, the others see
//! it. On PostgreSQL no connection of a server passes before that ([`StoreOptions::is_guarded`]).
//!
//! [`StoreOptions::is_guarded`]: munjigi_store::StoreOptions

use std::time::Duration;

use munjigi_core::audit::{Event, Kind};
use munjigi_core::epoch::{Cause, Found, Verdict, Witness, judge};
use munjigi_core::time::Timestamp;
use munjigi_store::epochs::{self, Epoch};
use munjigi_store::{Audit, Beside, Committed, Standing, Store, StoreError, Tx};
use munjigi_token::base64url;

use crate::app::{App, WeakApp};
use crate::clock::Clock;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::operate::ending;
use crate::random;

/// How often a server looks, and moves the beat on if it wrote something.
const EVERY: Duration = Duration::from_secs(5);
/// How often a server that starts asks whether one that runs has settled it, …
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// … and how often at most, before it goes by what it sees itself.
const MOST_ASKED: u32 = 20;
/// How many rows are ended at a time.
const AT_A_TIME: u32 = 5_000;

/// What a server remembers of the rows.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What it has seen; nothing where no database can be told from another.
    witness: Option<Witness>,
    /// How much it had written when it moved the beat on.
    committed: u64,
    /// What stands beside the database.
    beside: Option<Beside>,
}

/// How much a new epoch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything that was given before.
    Everything,
    /// Nothing: it is vouched for.
    Nothing,
}

/// The rows, as somebody found them.
struct Seen {
    epoch: Option<Epoch>,
    beat: i64,
    standing: Standing,
    /// The highest beat that is known, here or in the rows.
    highest: i64,
}

impl Seen {
    fn number(&self) -> i64 {
        self.epoch.as_ref().map_or(0, |epoch| epoch.number)
    }
}

async fn look(store: &Store, witness: Option<Witness>) -> Result<Option<Seen>, Failure> {
    let Some(standing) = store.standing().await? else { return Ok(None) };
    let read = |tx: &mut Tx<'_>| Ok(Committed::nothing((epochs::find(tx)?, epochs::beat(tx)?)));
    let (epoch, beat) = store.settle::<_, StoreError>(read).await?;
    let highest = witness.map_or(beat, |witness| witness.beat.max(beat));
    Ok(Some(Seen { epoch, beat, standing, highest }))
}

/// Settles which epoch the rows are in. `running` is what a server has seen that ran all the while.
pub(crate) async fn settle(
    store: &Store,
    clock: &Clock,
    running: Option<Witness>,
) -> Result<Option<Witness>, Failure> {
    let mut asked = 0_u32;
    let mut asking = tokio::time::interval(ASK_AGAIN);
    loop {
        // First, since a server that runs may be moving it on: the rows come before what is beside.
        let beside = store.remembered();
        let kept = beside.map(|it| Witness { beat: it.beat, is_synchronous: false });
        let witness = running.or(kept);
        let Some(seen) = look(store, witness).await? else { return Ok(None) };
        let found = Found {
            stored: seen.epoch.as_ref().map(|epoch| epoch.identity.as_str()),
            standing: &seen.standing.identity,
            beat: seen.beat,
        };
        match judge(found, witness) {
            Verdict::Same => {
                let is_synchronous = seen.standing.is_synchronous;
                return Ok(Some(Witness { beat: seen.beat, is_synchronous }));
            }
            // One that ran all the while may know better.
            Verdict::Lost(Cause::Unvouched) if running.is_none() && asked < MOST_ASKED => {
                asked += 1;
                asking.tick().await;
                continue;
            }
            Verdict::First => {
                let cause = "the first server was started";
                begin(store, clock, &seen, (Scope::Nothing, cause)).await?;
            }
            Verdict::Intact => {
                let cause = "a standby that had everything was promoted";
                begin(store, clock, &seen, (Scope::Nothing, cause)).await?;
            }
            Verdict::Lost(cause) => {
                tracing::error!(
                    cause = cause.as_str(),
                    "the database was restored or replaced: everything given before is ended"
                );
                begin(store, clock, &seen, (Scope::Everything, cause.as_str())).await?;
            }
        }
        // Whoever began it, the next look finds it settled.
    }
}

/// The same because an operator says so, whatever can be seen.
pub(crate) async fn settle_by_hand(
    store: &Store,
    clock: &Clock,
    scope: Scope,
) -> Result<Option<Epoch>, Failure> {
    let cause = match scope {
        Scope::Everything => "an operator restored the database",
        Scope::Nothing => "an operator vouches for the database",
    };
    loop {
        let Some(seen) = look(store, None).await? else { return Ok(None) };
        // Another one, which a server began at this moment, may say something else.
        if begin(store, clock, &seen, (scope, cause)).await? {
            return Ok(look(store, None).await?.and_then(|seen| seen.epoch));
        }
    }
}

/// Begins the next epoch: false when another node did.
async fn begin(
    store: &Store,
    clock: &Clock,
    seen: &Seen,
    (scope, cause): (Scope, &'static str),
) -> Result<bool, Failure> {
    if scope == Scope::Everything {
        end_grants(store, clock, seen.number()).await?;
    }
    let began_at = clock.now();
    // A file is named anew each time, since the copy beside it may still name the old one.
    let is_file = seen.standing.identity.starts_with("file:");
    let identity = match is_file {
        true => format!("file:{}", base64url::encode(random::bytes::<16>()?)),
        false => seen.standing.identity.clone(),
    };
    let number = seen.number().saturating_add(1);
    let ended_before = (scope == Scope::Everything).then_some(began_at);
    let cause = cause.to_owned();
    let epoch = Epoch { number, identity: identity.clone(), cause, began_at, ended_before };
    let event = event(clock, &epoch)?;
    let highest = seen.highest;
    let begun = store.settle(move |tx| begin_in(tx, &epoch, highest, &event)).await?;
    if begun && is_file {
        store.remember(Beside { identity, beat: seen.beat }).await?;
    }
    Ok(begun)
}

fn event(clock: &Clock, epoch: &Epoch) -> Result<Event, Failure> {
    use munjigi_core::audit::{Actor, Origin};

    let origin = Origin { at: clock.now(), actor: Actor::System, address: None, request_id: None };
    let event = Event::new(random::event_id(clock.now())?, Kind::EpochBegan, origin);
    let event = event.with("number", epoch.number).with("cause", epoch.cause.as_str());
    Ok(event.with("everything_ended", epoch.ended_before.is_some()))
}

/// The transaction that makes it so: false when another node's came first.
fn begin_in(
    tx: &mut Tx<'_>,
    epoch: &Epoch,
    highest: i64,
    event: &Event,
) -> Result<Committed<bool>, StoreError> {
    if !epochs::begin(tx, epoch, highest)? {
        return Ok(Committed::nothing(false));
    }
    if epoch.ended_before.is_some() {
        // Servers that run may have given something since the last batch.
        while end_some(tx, epoch.began_at)? > 0 {}
        epochs::forget_single_use(tx)?;
        epochs::give_up_parcels(tx, epoch.began_at)?;
        let ending: Ending = ending(tx, epoch.began_at)?;
        ending.all_tokens(tx)?;
    }
    if epoch.number == 1 {
        return Ok(Committed::new(true, Audit::Routine("the first epoch begins")));
    }
    Ok(Committed::new(true, Audit::Record(Box::new(event.clone()))))
}

/// Ends every session and grant, and forgets what people allowed: a little at a time, before the
/// transaction that tells of it, so that a server that is stopped in between begins again. Only in
/// the epoch of this number: what is given in the next one, which another node began, is good.
async fn end_grants(store: &Store, clock: &Clock, number: i64) -> Result<(), Failure> {
    loop {
        let now = clock.now();
        let ended = store.settle(move |tx| {
            let ended = match epochs::find(tx)?.map_or(0, |epoch| epoch.number) == number {
                true => end_some(tx, now)?,
                false => 0,
            };
            let why = "everything of before a restore is ended; its epoch tells";
            Ok::<_, StoreError>(Committed::new(ended, Audit::Routine(why)))
        });
        if ended.await? == 0 {
            return Ok(());
        }
    }
}

fn end_some(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    Ok(epochs::end_sessions(tx, now, AT_A_TIME)?
        .saturating_add(epochs::revoke_grants(tx, now, AT_A_TIME)?)
        .saturating_add(epochs::forget_consents(tx, AT_A_TIME)?))
}

/// Moves the beat on, unless the rows are older than what is known of them: that would hide it.
fn go_on(tx: &mut Tx<'_>, known: i64) -> Result<Committed<i64>, StoreError> {
    let beat = epochs::beat(tx)?;
    if beat < known {
        return Ok(Committed::nothing(beat));
    }
    let beat = epochs::move_beat(tx)?;
    Ok(Committed::new(beat, Audit::Routine("the rows go on")))
}

/// Looks now and then, until the app is dropped.
pub(crate) fn start(app: &App) {
    let weak = app.downgrade();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(app) = WeakApp::upgrade(&weak) else { return };
            if let Err(error) = app.keep_epoch().await {
                tracing::debug!(%error, "the beat of the database was not moved on");
            }
        }
    });
}

impl Keeper {
    /// With what was seen at the start.
    pub fn new(witness: Option<Witness>) -> Self {
        Self { state: tokio::sync::Mutex::new(State { witness, ..State::default() }) }
    }
}

impl App {
    /// Moves the beat on if something was written, and remembers how far the rows are.
    pub async fn keep_epoch(&self) -> Result<(), Failure> {
        let mut state = self.keeper.state.lock().await;
        let Some(Standing { identity, is_synchronous }) = self.store.standing().await? else {
            return Ok(());
        };
        let committed = self.store.statistics().committed;
        let before = state.witness;
        let known = before.map_or(0, |witness| witness.beat);
        let is_written = committed > state.committed;
        let beat = match is_written {
            true => self.store.write(move |tx| go_on(tx, known)).await?,
            false => self.store.read(epochs::beat).await?,
        };
        // The beat itself was one, if it was moved.
        let moved = is_written && beat >= known;
        state.committed = committed.saturating_add(u64::from(moved));
        if before.is_some_and(|witness| witness.beat > beat) {
            // The same database by its name, and older: a backup that was started as it was.
            state.witness = settle(&self.store, &self.clock, before).await?;
            return Ok(());
        }
        state.witness = Some(Witness { beat, is_synchronous });
        let beside = Some(Beside { identity, beat });
        if state.beside != beside
            && let Some(beside) = &beside
        {
            self.store.remember(beside.clone()).await?;
        }
        state.beside = beside;
        Ok(())
    }

    /// To be called when the database does not let this server do anything: it may be another one.
    pub(crate) async fn settle_epoch(&self) -> Result<(), Failure> {
        let mut state = self.keeper.state.lock().await;
        let Some(witness) = state.witness else { return Ok(()) };
        state.witness = settle(&self.store, &self.clock, Some(witness)).await?;
        Ok(())
    }
}
