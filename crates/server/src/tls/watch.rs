//! Takes the pair anew when its files change: looked at every few seconds, and at once when the
//! server is told to (SIGHUP). What is read is compared, not when it was written: files that a
//! link points to may change place without a newer time.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use munjigi_core::time::{Span, Timestamp};
use tokio::sync::Notify;

use super::{Pair, Tls, TlsFiles};
use crate::clock::Clock;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How often it is said again what a person should know of the pair.
const REMARK_EVERY: Span = Span::from_hours(12);

/// What the files hold, as one number; `None` for a file that cannot be read.
type Content = [Option<Vec<u8>>; 2];

/// What this server knows of the files.
struct Watched {
    tls: Tls,
    issuer: String,
    /// What was taken, or refused with a word about it.
    settled: Content,
    /// What the last look saw.
    seen: Content,
    remarked_at: Option<Timestamp>,
}

/// Why it is looked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is time.
    Time,
    /// Somebody asks for it.
    Asked,
}

/// Follows the files as long as the task lives; `asked` says when to look at once.
pub async fn watch(tls: Tls, issuer: String, clock: Clock, asked: Arc<Notify>) {
    let content = content(&tls.current.files).await;
    let (settled, seen) = (content.clone(), content);
    let mut watched = Watched { tls, issuer, settled, seen, remarked_at: None };
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let cause = tokio::select! {
            _ = ticks.tick() => Cause::Time,
            () = asked.notified() => Cause::Asked,
        };
        watched.look(cause).await;
        watched.remark(clock.now());
    }
}

impl Watched {
    async fn look(&mut self, cause: Cause) {
        let found = content(&self.tls.current.files).await;
        let is_settled = found == self.settled;
        // Two files cannot be written at once: what does not fit now may fit at the next look.
        let is_stable = found == self.seen || cause == Cause::Asked;
        self.seen.clone_from(&found);
        if is_settled {
            if cause == Cause::Asked {
                tracing::info!("the certificate and its key are what they were");
            }
            return;
        }
        let current = Arc::clone(&self.tls.current);
        let read = tokio::task::spawn_blocking(move || Pair::read(&current.files)).await;
        match read {
            Ok(Ok(pair)) => {
                self.tls.current.pair.store(Arc::new(pair));
                self.settled = found;
                self.remarked_at = None;
                tracing::info!("the new certificate is in use");
            }
            Ok(Err(wrong)) if is_stable => {
                self.settled = found;
                for wrong in wrong {
                    let file = wrong.which;
                    tracing::error!(?file, error = %wrong, "the new certificate is not taken");
                }
            }
            Ok(Err(_)) => {}
            Err(error) => tracing::error!(%error, "the certificate was not read"),
        }
    }

    fn remark(&mut self, now: Timestamp) {
        if self.remarked_at.is_some_and(|at| now < at.plus(REMARK_EVERY)) {
            return;
        }
        self.remarked_at = Some(now);
        for remark in self.tls.remarks(&self.issuer, now) {
            tracing::warn!(why = %remark, "a remark on the certificate");
        }
    }
}

/// What stands in the files now. Only digests are kept: one of them holds a key.
async fn content(files: &TlsFiles) -> Content {
    let files = files.clone();
    let read = tokio::task::spawn_blocking(move || {
        [&files.certificate, &files.key].map(|path| {
            let bytes = std::fs::read(path).ok().map(zeroize::Zeroizing::new)?;
            Some(digest(&SHA256, &bytes).as_ref().to_vec())
        })
    });
    read.await.unwrap_or_default()
}
