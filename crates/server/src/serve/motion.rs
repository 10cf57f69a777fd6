//! What moves on a connection, so that one on which nothing moves any more comes to an end: whoever
//! asks and does not read the answer, or opens no window for it (RFC 9113 §5.2), is not waited for.
//! What counts is what clients ask and what is told them, never that they are there: pings do not.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Version;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::MissedTickBehavior;

/// How many bytes are more than the pings of a minute and their answers.
const LITTLE: usize = 1_024;

/// How long nothing may move: so many looks, so far apart.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// How far apart the looks are.
    pub every: Duration,
    /// How many see HTTP/1.1 wait for a client that takes nothing.
    pub untaken: u32,
    /// How many see that on HTTP/2 nothing is asked, thought of or told.
    pub quiet: u32,
}

impl Patience {
    /// An answer is to be taken as fast as a body is to come, 15 s; and 60 s.
    pub(super) const USUAL: Self = Self { every: Duration::from_secs(5), untaken: 3, quiet: 12 };

    /// With a connection that was told to end: 10 s.
    pub(super) const fn at_the_end(self) -> Self {
        Self { untaken: 2, quiet: 2, ..self }
    }
}

/// What a connection has spoken, and how much.
#[derive(Default)]
pub(super) struct Motion {
    version: AtomicU8,
    /// How many requests came, and parts of the bodies of answers were made.
    steps: AtomicUsize,
    /// How many bytes were taken from here.
    written: AtomicUsize,
    /// Whether the other side took nothing when it was last offered something.
    is_stuck: AtomicBool,
    /// Held by each request until its answer begins.
    thinking: Arc<()>,
}

/// How far a connection was.
#[derive(Clone, Copy)]
struct Mark {
    steps: usize,
    written: usize,
}

impl Motion {
    const HTTP_1: u8 = 1;
    const HTTP_2: u8 = 2;

    /// Notes that a request came; it is thought about as long as what is returned is kept.
    pub(super) fn begin(&self, version: Version) -> Arc<()> {
        let version = if version == Version::HTTP_2 { Self::HTTP_2 } else { Self::HTTP_1 };
        self.version.store(version, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.thinking)
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.version.load(Ordering::Relaxed) == 0
    }

    pub(super) fn is_http_2(&self) -> bool {
        self.version.load(Ordering::Relaxed) == Self::HTTP_2
    }

    /// What has said nothing for long is HTTP/2: of HTTP/1 a head is waited for by hyper, and not
    /// for long.
    pub(super) fn is_http_1(&self) -> bool {
        self.version.load(Ordering::Relaxed) == Self::HTTP_1
    }

    fn mark(&self) -> Mark {
        let steps = self.steps.load(Ordering::Relaxed);
        Mark { steps, written: self.written.load(Ordering::Relaxed) }
    }

    /// Whether nothing moved since then.
    fn is_still(&self, since: Mark) -> bool {
        let now = self.mark();
        let waits = if self.is_http_1() {
            self.is_stuck.load(Ordering::Relaxed)
        } else {
            Arc::strong_count(&self.thinking) == 1 && now.steps == since.steps
        };
        waits && now.written.wrapping_sub(since.written) < LITTLE
    }

    /// Waits until nothing has moved for longer than the patience is.
    pub(super) async fn until_still(&self, patience: Patience) {
        let mut looks = tokio::time::interval(patience.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.tick().await;
        let (mut mark, mut still) = (self.mark(), 0_u32);
        loop {
            looks.tick().await;
            if self.is_still(mark) {
                still = still.saturating_add(1);
            } else {
                (mark, still) = (self.mark(), 0);
            }
            let enough = if self.is_http_1() { patience.untaken } else { patience.quiet };
            if still >= enough {
                return;
            }
        }
    }

    fn offered<T>(&self, outcome: &Poll<T>) {
        self.is_stuck.store(outcome.is_pending(), Ordering::Relaxed);
    }

    fn wrote(&self, outcome: &Poll<Result<usize>>) {
        self.offered(outcome);
        if let Poll::Ready(Ok(count)) = outcome {
            self.written.fetch_add(*count, Ordering::Relaxed);
        }
    }
}

/// A stream that tells how much of what it is given is taken.
pub(super) struct Watched<S> {
    pub stream: S,
    pub motion: Arc<Motion>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.motion.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.motion.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        this.motion.offered(&outcome);
        outcome
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.motion.offered(&outcome);
        outcome
    }
}

/// A body whose parts are counted.
pub(super) struct Counted {
    pub body: Body,
    pub motion: Arc<Motion>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        let outcome = Pin::new(&mut self.body).poll_frame(cx);
        if outcome.is_ready() {
            self.motion.steps.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Patience = Patience { every: Duration::from_millis(10), untaken: 4, quiet: 4 };
    const LONG: Duration = Duration::from_secs(10);

    async fn ends(motion: &Motion, within: Duration) -> bool {
        tokio::time::timeout(within, motion.until_still(SHORT)).await.is_ok()
    }

    #[tokio::test]
    async fn http_2_is_still_without_requests_and_while_none_is_thought_about() {
        let motion = Motion::default();
        assert!(ends(&motion, LONG).await, "nothing was ever asked");
        let thinking = motion.begin(Version::HTTP_2);
        assert!(!ends(&motion, SHORT.every * 20).await, "a request is thought about");
        drop(thinking);
        assert!(ends(&motion, LONG).await);
    }

    #[tokio::test]
    async fn http_1_is_still_only_when_nothing_is_taken() {
        let motion = Motion::default();
        drop(motion.begin(Version::HTTP_11));
        assert!(!ends(&motion, SHORT.every * 20).await, "hyper waits for the next request");
        motion.wrote(&Poll::Pending);
        assert!(ends(&motion, LONG).await);
        motion.wrote(&Poll::Ready(Ok(1)));
        assert!(!ends(&motion, SHORT.every * 20).await, "it takes something");
    }

    /// Pings are answered, and are no motion; parts of answers are, and so is much that is taken.
    #[tokio::test]
    async fn little_is_no_motion_and_much_is() {
        let motion = Motion::default();
        drop(motion.begin(Version::HTTP_2));
        let mark = motion.mark();
        for _ in 0..10 {
            motion.wrote(&Poll::Ready(Ok(17)));
        }
        assert!(motion.is_still(mark));
        motion.wrote(&Poll::Ready(Ok(LITTLE)));
        assert!(!motion.is_still(mark));
        let mark = motion.mark();
        drop(motion.begin(Version::HTTP_2));
        assert!(!motion.is_still(mark));
    }
}
