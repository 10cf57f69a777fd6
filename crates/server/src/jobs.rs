//! What is done now and then, by every node: forgetting what is over, destroying retired keys.
//! Each job is small, bounded, and harmless when several nodes do it at once.

use std::time::Duration;

use munjigi_core::audit::Kind;
use munjigi_core::oauth::device::KEPT_TTL as KEEP_DEVICES;
use munjigi_core::time::Span;
use munjigi_store::keys::End;
use munjigi_store::{
    Audit, Committed, StoreError, api_secrets, clients, codes, devices, keys, links,
    outbox as sending, pushed_requests, registration_tokens, replays, revocations, sessions,
    throttles,
};

use crate::account_deletion;
use crate::app::App;
use crate::epoch;
use crate::failure::Failure;
use crate::registration;
use crate::{audit_keeping, outbox, sequencer};

/// How often.
const EVERY: Duration = Duration::from_secs(60);
/// How often at most in one go.
const MOST_ROUNDS: u32 = 200;
/// How many rows at a time, so that nobody waits for it.
const AT_A_TIME: u32 = 500;
/// How long ended sessions are kept, for their owners to see.
const KEEP_SESSIONS: Span = Span::from_days(30);
/// How long it is known that something was sent or given up, without what it was.
const KEEP_SENT: Span = Span::from_days(30);

/// How long mailed links are kept after they expired, so that one that is followed late is told so.
const KEEP_LINKS: Span = Span::from_days(7);
/// How far the clocks of two nodes may be apart: so much longer it is remembered what was seen.
const CLOCKS_APART: Span = Span::from_minutes(2);

/// Runs the jobs until the app is dropped.
pub fn start(app: &App) {
    app.follow();
    outbox::start(app);
    epoch::start(app);
    sequencer::start(app);
    let weak = app.downgrade();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(app) = weak.upgrade() else { return };
            if let Err(error) = run(&app).await {
                tracing::warn!(%error, "a job failed; trying again in a minute");
            }
        }
    });
}

/// One round.
pub async fn run(app: &App) -> Result<(), Failure> {
    forget(app).await?;
    audit_keeping::forget(app).await?;
    registration::forget_unused(app).await?;
    account_deletion::finish(app).await?;
    if app.snapshot().lacks_keys {
        app.reload().await?;
    }
    app.rotate_due_keys().await?;
    app.write_key_uses().await?;
    destroy_retired_keys(app).await
}

async fn forget(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    // A little at a time, so that nobody waits for it, and until nothing is left.
    for _ in 0..MOST_ROUNDS {
        let forgotten = app.store.write(move |tx| {
            revocations::forget_expired(tx, now)?;
            clients::forget_expired_secrets(tx, now)?;
            api_secrets::forget_expired(tx, now)?;
            let throttles = throttles::forget_expired(tx, now, AT_A_TIME)?;
            let sessions = sessions::forget_expired(tx, now.minus(KEEP_SESSIONS), AT_A_TIME)?;
            let sent = sending::forget_over(tx, now.minus(KEEP_SENT), AT_A_TIME)?;
            let codes = codes::forget_expired(tx, now, AT_A_TIME)?;
            let links = links::forget_expired(tx, now.minus(KEEP_LINKS), AT_A_TIME)?;
            let devices = devices::forget_expired(tx, now.minus(KEEP_DEVICES), AT_A_TIME)?;
            let pushed = pushed_requests::forget_expired(tx, now, AT_A_TIME)?;
            // The clock of another node may be behind ours.
            let seen = replays::forget_expired(tx, now.minus(CLOCKS_APART), AT_A_TIME)?;
            let tokens = registration_tokens::forget_expired(tx, now, AT_A_TIME)?;
            let counts = [throttles, sessions, sent, codes, links, devices, pushed, seen, tokens];
            let more = counts.iter().any(|count| *count >= u64::from(AT_A_TIME));
            Ok::<_, StoreError>(Committed::new(more, Audit::Routine("what is over is forgotten")))
        });
        if !forgotten.await? {
            break;
        }
    }
    Ok(())
}

/// Destroys private halves whose last token has expired.
async fn destroy_retired_keys(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let stored = app.store.read(keys::all).await?;
    for key in stored {
        let over = key.retires_at.is_some_and(|at| at <= now) && key.destroyed_at.is_none();
        if !over {
            continue;
        }
        let event = app.system_event(Kind::KeyDestroyed)?.with("kid", &key.kid);
        let destroyed = app.store.write(move |tx| {
            if !keys::destroy(tx, &key.kid, End::Over, now)? {
                return Ok::<_, StoreError>(Committed::nothing(false));
            }
            Ok(Committed::new(true, Audit::Record(Box::new(event.clone()))))
        });
        if destroyed.await? {
            app.reload().await?;
        }
    }
    Ok(())
}
