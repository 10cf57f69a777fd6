//! How one signing key follows another: when it is time, when somebody asks for it, and when one
//! has to go at once. Each is one transaction over the keys as they are in it, so that of two
//! nodes, or of a node and the command line, one makes the next key and the other one finds it
//! there. It must not make keys inside a transaction: they are made before, and thrown away if not
//! needed.

use std::sync::Arc;

use munjigi_core::audit::{Event, Kind};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::keys::{End, Purpose, StoredKey};
use munjigi_store::{Audit, Committed, StoreError, Tx, keys};
use munjigi_token::Algorithm;

use crate::app::App;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::keys::{PUBLISH_AHEAD, RETIRE_AFTER, State, generate};

/// When a new signing key begins to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A day from now, so that every verifier knows it by then.
    Scheduled,
    /// At once: the key that waits, if one does, or else a new one, which verifiers that have not
    /// seen it fetch.
    AtOnce,
}

/// What became of a key that is to be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// There is no signing key of that name.
    Unknown,
    /// Its private half was destroyed before; nothing was done.
    Before,
    /// It is gone.
    Now {
        /// The key that signs, or waits, in its place; none for a key that did neither any more.
        successor: Option<Box<StoredKey>>,
        /// What is announced to whoever takes its signatures.
        revocation: Revocation,
    },
}

/// What the next key of an algorithm takes.
#[derive(Clone)]
pub(crate) struct Successor {
    /// Made beforehand. Its times are set when it is known what it is needed for.
    pub fresh: StoredKey,
    /// How long others are taken after it begins to sign.
    pub overlap: Span,
    pub now: Timestamp,
    /// `KeyCreated`; told as `KeyActivated` of a key that was there.
    pub event: Event,
}

/// The keys of one algorithm, as they are in a transaction.
struct Line {
    keys: Vec<StoredKey>,
    /// When the newest was made, those that are gone included.
    newest: Option<Timestamp>,
}

impl Line {
    fn read(tx: &mut Tx<'_>, algorithm: &str) -> Result<Self, StoreError> {
        let mut keys = keys::all(tx)?;
        keys.retain(|key| key.purpose == Purpose::Sign && key.algorithm == algorithm);
        let newest = keys.iter().map(|key| key.created_at).max();
        keys.retain(|key| key.destroyed_at.is_none());
        Ok(Self { keys, newest })
    }

    /// The key that is published and does not sign yet.
    fn spare(&self, now: Timestamp) -> Option<&StoredKey> {
        self.keys.iter().rfind(|key| key.activates_at > now)
    }

    fn active(&self, now: Timestamp) -> Option<&StoredKey> {
        self.keys.iter().rfind(|key| key.activates_at <= now)
    }
}

impl Successor {
    /// When another key than `key` has been signing for so long that nothing of `key` is alive.
    fn retires_at(&self, activates_at: Timestamp) -> Timestamp {
        activates_at.plus(self.overlap).plus(RETIRE_AFTER)
    }

    /// Rotates in a transaction; the key that signs next, or does so already.
    pub fn rotate(
        &self,
        tx: &mut Tx<'_>,
        rotation: Rotation,
    ) -> Result<Committed<StoredKey>, StoreError> {
        let line = Line::read(tx, &self.fresh.algorithm)?;
        match (rotation, line.spare(self.now)) {
            // Somebody was quicker: one next key is enough.
            (Rotation::Scheduled, Some(spare)) => Ok(Committed::nothing(spare.clone())),
            (Rotation::AtOnce, Some(spare)) => {
                let (key, event) = self.hasten(tx, &line, spare)?;
                Ok(Committed::new(key, event))
            }
            (_, None) => {
                let (key, event) = self.insert(tx, &line, self.begins(&line, rotation))?;
                Ok(Committed::new(key, event))
            }
        }
    }

    /// The next key of a key that is as old as it may be, unless another node made it.
    fn follow(
        &self,
        tx: &mut Tx<'_>,
        (kid, activates_at): (&str, Timestamp),
    ) -> Result<Committed<bool>, StoreError> {
        let line = Line::read(tx, &self.fresh.algorithm)?;
        let is_due = line.active(self.now).is_some_and(|active| active.kid == kid);
        if !is_due || line.spare(self.now).is_some() {
            return Ok(Committed::nothing(false));
        }
        let (_, event) = self.insert(tx, &line, activates_at)?;
        Ok(Committed::new(true, event.with("scheduled", true)))
    }

    fn begins(&self, line: &Line, rotation: Rotation) -> Timestamp {
        match rotation {
            Rotation::Scheduled if line.active(self.now).is_some() => self.now.plus(PUBLISH_AHEAD),
            // Until the first one signs, none does.
            Rotation::Scheduled | Rotation::AtOnce => self.now,
        }
    }

    fn insert(
        &self,
        tx: &mut Tx<'_>,
        line: &Line,
        activates_at: Timestamp,
    ) -> Result<(StoredKey, Event), StoreError> {
        // Which key follows which is told by these times: by a node whose clock is behind, too.
        let after = line.newest.map(|at| at.plus(Span::from_millis(1)));
        let created_at = after.map_or(self.fresh.created_at, |at| at.max(self.fresh.created_at));
        let key = StoredKey { activates_at, created_at, ..self.fresh.clone() };
        let retires_at = self.retires_at(activates_at);
        for other in &line.keys {
            // One that was to retire for a key that is gone stays until this one signs.
            let is_last = line.active(self.now).is_some_and(|active| active.kid == other.kid);
            if !keys::retire(tx, &other.kid, retires_at)? && is_last {
                keys::postpone(tx, &other.kid, retires_at)?;
            }
        }
        keys::insert(tx, &key)?;
        let event = self.event.clone().with("kid", &key.kid).with("algorithm", &key.algorithm);
        Ok((key, event.with("activates_at", activates_at.as_seconds())))
    }

    fn hasten(
        &self,
        tx: &mut Tx<'_>,
        line: &Line,
        spare: &StoredKey,
    ) -> Result<(StoredKey, Event), StoreError> {
        keys::hasten(tx, &spare.kid, self.now)?;
        for other in line.keys.iter().filter(|other| other.kid != spare.kid) {
            keys::retire(tx, &other.kid, self.retires_at(self.now))?;
        }
        let event = Event { kind: Kind::KeyActivated, ..self.event.clone() };
        let event = event.with("kid", &spare.kid).with("algorithm", &spare.algorithm);
        Ok((StoredKey { activates_at: self.now, ..spare.clone() }, event))
    }

    /// Withdraws a key in a transaction, and puts another one in its place if it had one.
    pub fn withdraw(
        &self,
        tx: &mut Tx<'_>,
        ending: &Ending,
        (kid, event): (&str, &Event),
    ) -> Result<Committed<Withdrawn>, StoreError> {
        let all = keys::all(tx)?;
        let found = all.iter().find(|key| key.kid == kid && key.purpose == Purpose::Sign);
        let Some(found) = found.filter(|key| key.algorithm == self.fresh.algorithm) else {
            return Ok(Committed::nothing(Withdrawn::Unknown));
        };
        let state = State::of(found, &all, self.now);
        if !keys::destroy(tx, kid, End::Withdrawn, self.now)? {
            return Ok(Committed::nothing(Withdrawn::Before));
        }
        let line = Line::read(tx, &self.fresh.algorithm)?;
        let (successor, made) = match (state, line.spare(self.now)) {
            (State::Active, Some(spare)) => self.hasten(tx, &line, spare).map(split)?,
            (State::Active, None) => self.insert(tx, &line, self.now).map(split)?,
            // What signs is to be followed all the same.
            (State::Pending, None) => {
                let begins = self.begins(&line, Rotation::Scheduled);
                self.insert(tx, &line, begins).map(split)?
            }
            (State::Pending, Some(_)) | (State::Retiring | State::Destroyed, _) => (None, None),
        };
        let revocation = ending.key(tx, kid)?;
        let of = successor.as_ref().map(|key| &key.kid);
        let event = event.clone().with("kid", kid).with("algorithm", &found.algorithm);
        let event = event.with("state", state.as_str()).with("successor", of);
        let events: Vec<Event> = [Some(event), made].into_iter().flatten().collect();
        Ok(Committed::new(Withdrawn::Now { successor, revocation }, Audit::Records(events)))
    }
}

fn split((key, event): (StoredKey, Event)) -> (Option<Box<StoredKey>>, Option<Event>) {
    (Some(Box::new(key)), Some(event))
}

impl App {
    /// A key for whatever comes next of an algorithm. `event` says who causes it.
    pub(crate) async fn successor(
        &self,
        algorithm: Algorithm,
        event: Event,
    ) -> Result<Successor, Failure> {
        let (kek, now) = (Arc::clone(&self.config.encryption_key), self.clock.now());
        let made = tokio::task::spawn_blocking(move || generate(algorithm, &kek, now, now));
        let fresh = made.await.map_err(|_| Failure::Damaged("key thread"))??;
        Ok(Successor { fresh, overlap: self.snapshot().longest_ttl(), now, event })
    }

    /// Makes the next signing key of an algorithm. It is published at once and signs from
    /// `activates_at` on; the present one retires when its last token has expired. A key that
    /// waits already is the next one.
    pub async fn rotate_key(
        &self,
        algorithm: Algorithm,
        rotation: Rotation,
        event: Event,
    ) -> Result<StoredKey, Failure> {
        let next = self.successor(algorithm, event).await?;
        let rotated = self.store.write(move |tx| next.rotate(tx, rotation));
        let key = rotated.await?;
        self.reload().await?;
        Ok(key)
    }

    /// Withdraws a signing key: nothing that it signed is taken any more, here or wherever
    /// revocations are followed; its private half is gone; another one signs at once. The events
    /// are a `KeyWithdrawn` and a `KeyCreated`.
    pub async fn withdraw_key(
        &self,
        kid: &str,
        (withdrawn, created): (Event, Event),
    ) -> Result<Withdrawn, Failure> {
        let Some(algorithm) = self.algorithm_of(kid).await? else {
            return Ok(Withdrawn::Unknown);
        };
        let (next, ending) = (self.successor(algorithm, created).await?, self.ending());
        let kid = kid.to_owned();
        let written =
            self.store.write(move |tx| next.withdraw(tx, &ending, (&kid, &withdrawn))).await?;
        self.obey_withdrawal(&written).await?;
        Ok(written)
    }

    /// What a signing key signs with, if there is such a key.
    pub(crate) async fn algorithm_of(&self, kid: &str) -> Result<Option<Algorithm>, Failure> {
        let kid = kid.to_owned();
        let found = self.store.read(move |tx| keys::find(tx, &kid)).await?;
        let signing = found.filter(|key| key.purpose == Purpose::Sign);
        Ok(signing.and_then(|key| key.algorithm.parse().ok()))
    }

    /// Makes a withdrawal effective on this node.
    pub(crate) async fn obey_withdrawal(&self, withdrawn: &Withdrawn) -> Result<(), Failure> {
        if let Withdrawn::Now { revocation, .. } = withdrawn {
            // First the keys: nothing is signed with it that would be dead when it is announced.
            self.reload().await?;
            self.take_over(revocation);
        }
        Ok(())
    }

    /// Makes the next key of every algorithm whose present one is nearly as old as it may be.
    pub async fn rotate_due_keys(&self) -> Result<(), Failure> {
        let due = {
            let snapshot = self.snapshot();
            let lifetime = snapshot.settings.keys.lifetime;
            lifetime.map(|lifetime| snapshot.keys.due(lifetime, self.clock.now()))
        };
        for due in due.into_iter().flatten() {
            let event = self.system_event(Kind::KeyCreated)?;
            let (next, made_for) = (self.successor(due.algorithm, event).await?, due.algorithm);
            let written = self.store.write(move |tx| next.follow(tx, (&due.kid, due.activates_at)));
            if written.await? {
                tracing::info!(algorithm = %made_for, "the next signing key is published");
            }
            self.reload().await?;
        }
        Ok(())
    }

    /// Writes down when keys last signed.
    pub(crate) async fn write_key_uses(&self) -> Result<(), Failure> {
        let used = self.snapshot().keys.uses();
        if used.is_empty() {
            return Ok(());
        }
        let writing = used.clone();
        let written = self.store.write(move |tx| {
            for (kid, at) in &writing {
                keys::note_use(tx, kid, *at)?;
            }
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("when keys last signed")))
        });
        written.await?;
        let snapshot = self.snapshot();
        used.iter().for_each(|(kid, at)| snapshot.keys.wrote_use(kid, *at));
        Ok(())
    }
}
