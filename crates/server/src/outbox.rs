//! Sends what was written into the outbox: mails, and logout tokens to clients. Whatever is to be
//! sent is written in the transaction that it tells of, sealed where it holds a secret, and sent
//! after the commit, by whichever node takes it.
//!
//! Delivery is at least once: a node that dies after it sent something and before it wrote that
//! down is not heard of, and another one sends it again. A mail keeps its `Message-ID` then.

mod logout;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use munjigi_core::audit::{Event, Kind as EventKind};
use munjigi_core::id::OutboxId;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::outbox::{self, Due, Kind, Parcel};
use munjigi_store::{Audit, Committed, StoreError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::app::App;
use crate::failure::Failure;
use crate::mail::{Again, Envelope, Mail, Undelivered};
use crate::metrics::Delivered;
use crate::random;
use crate::seal::EncryptionKey;
pub use logout::Logout;

/// How often this node looks for what is due; it looks at once after a commit of its own.
const EVERY: Duration = Duration::from_secs(1);
/// How long the node that took something has to send it, until another one may.
const HELD: Span = Span::from_minutes(10);
/// How many things are taken at a time.
const AT_A_TIME: u32 = 32;
/// How many of them are on their way at once.
const AT_ONCE: usize = 8;
/// How long to wait after each attempt that failed; after the last one, it is given up.
const PAUSES: [Span; 5] = [
    Span::from_minutes(1),
    Span::from_minutes(5),
    Span::from_minutes(30),
    Span::from_hours(2),
    Span::from_hours(8),
];

/// A mail, sealed, to be written by [`munjigi_store::outbox::insert`] in the transaction that it
/// tells of. `None` when no mail server is configured: nothing is written then.
pub fn mail(app: &App, mail: &Mail) -> Result<Option<Parcel>, Failure> {
    if !app.mail.is_on() {
        return Ok(None);
    }
    parcel(app, Kind::Mail, mail).map(Some)
}

/// Has this node look at once: to be called after a commit that wrote something to send.
pub fn wake(app: &App) {
    app.outbox_wake.notify_one();
}

fn parcel(app: &App, kind: Kind, content: &impl Serialize) -> Result<Parcel, Failure> {
    let now = app.clock.now();
    let id = random::outbox_id(now)?;
    let plain = serde_json::to_vec(content).map_err(|_| Failure::Damaged("a thing to send"))?;
    let sealed = key(app)?.seal(&place(kind, &id), &Zeroizing::new(plain));
    let payload = sealed.map_err(crate::keys::KeyError::from)?;
    Ok(Parcel { id, kind, payload, created_at: now })
}

fn key(app: &App) -> Result<EncryptionKey, Failure> {
    let key = app.snapshot().keys.derive("outbox");
    Ok(EncryptionKey::from_bytes(&key).map_err(crate::keys::KeyError::from)?)
}

/// What the sealed content is bound to: it opens in its own row alone, and as what it is.
fn place(kind: Kind, id: &OutboxId) -> String {
    format!("outbox/{}/{id}", kind.as_str())
}

/// Sends what is due, until the app is dropped.
pub(crate) fn start(app: &App) {
    let (weak, wake) = (app.downgrade(), Arc::clone(&app.outbox_wake));
    tokio::spawn(async move {
        loop {
            let Some(app) = weak.upgrade() else { return };
            if let Err(error) = run(&app).await {
                tracing::warn!(%error, "the outbox cannot be worked off; trying again");
            }
            drop(app);
            // Whichever is first: a commit of this node, or the time to look at the others'.
            let woken = tokio::time::timeout(EVERY, wake.notified()).await;
            tracing::trace!(is_own = woken.is_ok(), "looking at the outbox");
        }
    });
}

/// Sends everything that is due now; how many things were sent.
pub async fn run(app: &App) -> Result<usize, Failure> {
    let mut sent = 0_usize;
    loop {
        let _sending = app.leaving.sending().await;
        if app.leaving.is_leaving() {
            return Ok(sent);
        }
        let taken = take(app).await?;
        let is_all = taken.len() < usize::try_from(AT_A_TIME).unwrap_or(usize::MAX);
        let attempts = taken.into_iter().map(|held| {
            let app = app.clone();
            async move { send(&app, &held).await }
        });
        let mut outcomes = futures_util::stream::iter(attempts).buffer_unordered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            sent = sent.saturating_add(usize::from(outcome?));
        }
        if is_all {
            return Ok(sent);
        }
    }
}

/// Something that this node holds.
#[derive(Clone)]
struct Held {
    due: Due,
    until: Timestamp,
}

/// Takes what is due. Looking costs a read, so an empty outbox is never written to.
async fn take(app: &App) -> Result<Vec<Held>, Failure> {
    let now = app.clock.now();
    let found = app.store.read(move |tx| outbox::due(tx, now, AT_A_TIME)).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let until = now.plus(HELD);
    let taken = app.store.write(move |tx| {
        let mut taken = Vec::new();
        for due in &found {
            if outbox::take(tx, due, until)? {
                taken.push(Held { due: due.clone(), until });
            }
        }
        Ok::<_, StoreError>(Committed::new(taken, Audit::Routine("things to send are taken")))
    });
    Ok(taken.await?)
}

/// One attempt. True when it was sent.
async fn send(app: &App, held: &Held) -> Result<bool, Failure> {
    let Held { due, until } = held.clone();
    let (id, kind) = (due.parcel.id, due.parcel.kind);
    if app.leaving.is_leaving() {
        // Taken and not begun: another node may have it at once.
        postpone(app, id, until, Span::from_seconds(0)).await?;
        return Ok(false);
    }
    let Err(undelivered) = deliver(app, &due.parcel).await else {
        let now = app.clock.now();
        let written = app.store.write(move |tx| {
            outbox::sent(tx, &id, now)?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("a thing is sent")))
        });
        written.await?;
        app.metrics.delivered(Delivered::Sent);
        return Ok(true);
    };
    let Undelivered { reason, again } = undelivered;
    tracing::warn!(%id, kind = kind.as_str(), attempt = due.attempts + 1, reason, "not sent");
    let pause = usize::try_from(due.attempts).ok().and_then(|index| PAUSES.get(index));
    match pause.filter(|_| again == Again::Later) {
        Some(pause) => {
            app.metrics.delivered(Delivered::Postponed);
            postpone(app, id, until, *pause).await?;
        }
        None => {
            app.metrics.delivered(Delivered::GivenUp);
            give_up(app, &due, until, &reason).await?;
        }
    }
    Ok(false)
}

async fn postpone(app: &App, id: OutboxId, held: Timestamp, pause: Span) -> Result<(), Failure> {
    let due_at = app.clock.now().plus(pause);
    let written = app.store.write(move |tx| {
        outbox::again(tx, &id, held, due_at)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a thing is sent later")))
    });
    Ok(written.await?)
}

async fn give_up(app: &App, due: &Due, held: Timestamp, reason: &str) -> Result<(), Failure> {
    let (id, now) = (due.parcel.id, app.clock.now());
    let event = failed_event(app, due, reason)?;
    let written = app.store.write(move |tx| {
        if !outbox::give_up(tx, &id, held, now)? {
            return Ok::<_, StoreError>(Committed::nothing(()));
        }
        Ok(Committed::new((), Audit::Record(Box::new(event.clone()))))
    });
    Ok(written.await?)
}

fn failed_event(app: &App, due: &Due, reason: &str) -> Result<Event, Failure> {
    let parcel = &due.parcel;
    let event = app.system_event(EventKind::DeliveryFailed)?;
    let event = event
        .refused("not delivered")
        .with("what", parcel.kind.as_str())
        .with("why", reason)
        .with("attempts", due.attempts.saturating_add(1));
    let about = (parcel.kind == Kind::Mail).then(|| open::<Mail>(app, parcel).ok()).flatten();
    Ok(match about.and_then(|mail| mail.user_id()) {
        Some(user_id) => event.subject(user_id),
        None => event,
    })
}

/// Delivers one thing, by what it is.
async fn deliver(app: &App, parcel: &Parcel) -> Result<(), Undelivered> {
    match parcel.kind {
        Kind::Mail => {
            let mail: Mail = open(app, parcel)?;
            let (id, written_at) = (parcel.id.to_string(), parcel.created_at);
            let envelope = Envelope { id, written_at, mail: &mail };
            app.mail.deliver(&app.config, &envelope, app.clock.now()).await
        }
        Kind::Logout => logout::deliver(app, parcel).await,
    }
}

fn open<T: for<'de> Deserialize<'de>>(app: &App, parcel: &Parcel) -> Result<T, Undelivered> {
    let damaged = |reason: &str| Undelivered { reason: reason.to_owned(), again: Again::Later };
    let key = key(app).map_err(|_| damaged("there is no key"))?;
    let plain = key.open(&place(parcel.kind, &parcel.id), &parcel.payload);
    let plain = plain.map_err(|_| damaged("it does not open"))?;
    serde_json::from_slice(&plain).map_err(|_| damaged("this version does not know it"))
}
