//! The revocation feed as this node knows it: the latest entries in memory, in the order of the
//! database, and whoever waits for the next one. It must not answer for the database when that one
//! cannot be asked: what is not known is not known to be nothing.
//!
//! A follower that waits is a request that waits: no task, no thread, and no look at the database.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use munjigi_core::oauth::revocation::{Kind, Place, Revocation};
use munjigi_store::StoreError;
use munjigi_store::revocations::{self, News};
use munjigi_verify::RevocationKind;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::app::App;
use crate::clock::stopwatch;
use crate::failure::Failure;

/// How many followers may wait at a node at once, streams among them.
pub const MAX_FOLLOWERS: usize = 1_000;
/// How many entries are told at once.
pub const PAGE: u32 = 1_000;
/// How old what is known of the database may be when it is told as what is known now.
const CURRENT: Duration = Duration::from_secs(1);
/// How long a look at the database may take.
const BUDGET: Duration = Duration::from_secs(1);
/// How many entries are kept in memory; who is further behind is told from the database.
const KEPT: usize = 4_096;
/// How many are taken over at a time.
const BATCH: u32 = 10_000;

/// What this node knows of the feed.
pub(crate) struct Feed {
    recent: Mutex<Recent>,
    tip: watch::Sender<Tip>,
    seats: Arc<Semaphore>,
    /// One look at a time: what was seen earlier must not come after what was seen later.
    looking: tokio::sync::Mutex<()>,
    /// Wakes whoever follows the database for this node.
    wake: Arc<Notify>,
}

/// The latest entries. Between `before` and the first of them there is none.
struct Recent {
    before: Place,
    entries: VecDeque<Revocation>,
    /// When the last look at the database began that succeeded.
    looked_at: Option<Instant>,
}

/// What the waiting watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tip {
    place: Place,
    /// Nobody is to wait any more: the node stops.
    is_released: bool,
}

/// A part of the feed.
pub(crate) struct Page {
    /// What can still kill a token, in order.
    pub entries: Vec<Revocation>,
    /// The place behind it.
    pub place: Place,
    /// Whether there is more behind it already.
    pub has_more: bool,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum NoPage {
    /// The place is known no longer.
    Forgotten,
    /// The place is of another database.
    OtherHistory,
    /// The database does not answer.
    Unknown(Failure),
}

impl From<StoreError> for NoPage {
    fn from(error: StoreError) -> Self {
        Self::Unknown(error.into())
    }
}

impl Default for Feed {
    fn default() -> Self {
        let (before, entries) = (Place::BEGINNING, VecDeque::new());
        Self {
            recent: Mutex::new(Recent { before, entries, looked_at: None }),
            tip: watch::Sender::new(Tip { place: before, is_released: false }),
            seats: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            looking: tokio::sync::Mutex::new(()),
            wake: Arc::default(),
        }
    }
}

impl Feed {
    /// A place for somebody who waits; none when all are taken.
    pub fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// How many followers wait.
    pub fn followers(&self) -> usize {
        MAX_FOLLOWERS.saturating_sub(self.seats.available_permits())
    }

    /// How many entries are kept here.
    pub fn kept(&self) -> usize {
        self.recent().entries.len()
    }

    /// How old what is known of the database is; nothing before the first look.
    pub fn age(&self) -> Option<Duration> {
        self.recent().looked_at.map(|at| at.elapsed())
    }

    /// Waits until something stands behind `place`, at most this long.
    pub async fn wait(&self, place: Place, at_most: Duration) {
        let mut tips = self.tip.subscribe();
        let news = tips.wait_for(|tip| tip.place != place || tip.is_released);
        // Whichever ends first; the sender lives as long as `self`.
        drop(tokio::time::timeout(at_most, news).await);
    }

    /// Lets everybody go who waits, from now on: the node stops.
    pub fn release(&self) {
        self.tip.send_modify(|tip| tip.is_released = true);
    }

    /// Whether nobody is to wait any more.
    pub fn is_released(&self) -> bool {
        self.tip.borrow().is_released
    }

    /// Told when there is something new in the database.
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Takes in what this node has just committed: at once if it is the next one. If others have
    /// come before it that are not known here yet, all of them are read from the database.
    fn offer(&self, revocation: &Revocation) {
        let mut recent = self.recent();
        match revocation.seq.saturating_sub(recent.tip().seq()) {
            1 => {
                recent.push(revocation.clone());
                self.tell(&recent);
            }
            2.. => self.wake.notify_one(),
            _ => {}
        }
    }

    /// Takes in what was read from the database, in order.
    fn extend(&self, news: Vec<Revocation>) {
        let mut recent = self.recent();
        for revocation in news {
            if revocation.seq > recent.tip().seq() {
                recent.push(revocation);
            }
        }
        self.tell(&recent);
    }

    /// Begins anew: the database is another one than it was.
    fn restart(&self) {
        let mut recent = self.recent();
        recent.entries.clear();
        recent.before = Place::BEGINNING;
        self.tell(&recent);
    }

    fn looked(&self, began: Instant) {
        self.recent().looked_at = Some(began);
    }

    fn is_current(&self) -> bool {
        self.recent().looked_at.is_some_and(|at| at.elapsed() <= CURRENT)
    }

    fn tip(&self) -> Place {
        self.recent().tip()
    }

    /// The number of the last entry that is known here.
    pub fn last_seq(&self) -> i64 {
        self.tip().seq()
    }

    /// What stands behind a place, if it is kept here.
    fn after(&self, place: Place) -> Option<Vec<Revocation>> {
        let recent = self.recent();
        let first = recent.position_after(place)?;
        let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
        Some(recent.entries.range(first..).take(most).cloned().collect())
    }

    fn tell(&self, recent: &Recent) {
        let place = recent.tip();
        self.tip.send_if_modified(|tip| {
            let is_new = tip.place != place;
            tip.place = place;
            is_new
        });
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn tip(&self) -> Place {
        self.entries.back().map_or(self.before, Place::after)
    }

    fn push(&mut self, revocation: Revocation) {
        if self.entries.len() >= KEPT
            && let Some(oldest) = self.entries.pop_front()
        {
            self.before = Place::after(&oldest);
        }
        self.entries.push_back(revocation);
    }

    /// The index of the first entry behind a place.
    fn position_after(&self, place: Place) -> Option<usize> {
        if place == self.before {
            return Some(0);
        }
        let index = self.entries.partition_point(|entry| entry.seq < place.seq());
        self.entries.get(index).filter(|entry| place.is_after(entry))?;
        Some(index.saturating_add(1))
    }
}

impl App {
    /// A part of the feed, behind a place: what this node knows, having looked at the database
    /// within the last second.
    pub(crate) async fn page_after(&self, place: Place) -> Result<Page, NoPage> {
        self.be_recent().await.map_err(NoPage::Unknown)?;
        let found = match self.feed.after(place) {
            Some(found) => found,
            None => match self.store.read(move |tx| revocations::after(tx, place, PAGE)).await? {
                News::After(found) => found,
                News::Forgotten => return Err(NoPage::Forgotten),
                News::OtherHistory => return Err(NoPage::OtherHistory),
            },
        };
        let has_more = u32::try_from(found.len()).is_ok_and(|many| many >= PAGE);
        let place = found.last().map_or(place, Place::after);
        let now = self.clock.now();
        let entries = found.into_iter().filter(|entry| entry.until > now).collect();
        Ok(Page { entries, place, has_more })
    }

    /// Makes sure that what this node knows of the feed is at most a second old: for whoever is
    /// told by it that a token is good.
    ///
    /// # Errors
    /// When the database does not answer in time: what is known may be over.
    pub(crate) async fn be_recent(&self) -> Result<(), Failure> {
        if self.feed.is_current() {
            return Ok(());
        }
        let look = tokio::time::timeout(BUDGET, self.look());
        look.await.unwrap_or(Err(Failure::Store(StoreError::Overloaded)))
    }

    /// Looks at the database, unless somebody just did while this one waited for its turn.
    async fn look(&self) -> Result<(), Failure> {
        let _turn = self.feed.looking.lock().await;
        if self.feed.is_current() { Ok(()) } else { self.load().await }
    }

    /// Takes over revocations that are new since the last look, and forgets those that are over.
    pub(crate) async fn load_revocations(&self) -> Result<(), Failure> {
        let _turn = self.feed.looking.lock().await;
        self.load().await
    }

    async fn load(&self) -> Result<(), Failure> {
        let began = stopwatch();
        loop {
            let tip = self.feed.tip();
            let news = self.store.read(move |tx| revocations::after(tx, tip, BATCH)).await?;
            let News::After(news) = news else {
                tracing::warn!("the revocation feed is not the one that was read before");
                self.feed.restart();
                continue;
            };
            if news.is_empty() {
                break;
            }
            news.iter().for_each(|revocation| self.obey(revocation));
            self.feed.extend(news);
        }
        self.feed.looked(began);
        let now = self.clock.now().as_millis();
        for verifier in [&self.verifier, &self.introspector] {
            verifier.revocations().forget_expired(now);
        }
        Ok(())
    }

    /// Makes a revocation that was committed effective at once: on this node, and at whoever
    /// follows it.
    pub fn take_over(&self, revocation: &Revocation) {
        self.obey(revocation);
        self.feed.offer(revocation);
    }

    /// Lets whoever waits at the revocation feed go, and nobody wait any more: called when the
    /// server is told to stop, so that they do not hold it up.
    pub fn release_followers(&self) {
        self.feed.release();
    }

    fn obey(&self, revocation: &Revocation) {
        let Revocation { kind, key, not_before, until, .. } = revocation;
        for verifier in [&self.verifier, &self.introspector] {
            let revocations = verifier.revocations();
            revocations.announce(kind_of(*kind), key, *not_before, until.as_millis());
        }
    }
}

/// The same kind in the verifier's words, which knows nothing of our rules.
fn kind_of(kind: Kind) -> RevocationKind {
    match kind {
        Kind::Grant => RevocationKind::Grant,
        Kind::Session => RevocationKind::Session,
        Kind::User => RevocationKind::User,
        Kind::Client => RevocationKind::Client,
        Kind::Key => RevocationKind::Key,
    }
}

#[cfg(test)]
mod tests {
    use munjigi_core::time::{Span, Timestamp};

    use super::*;

    fn entry(seq: i64) -> Revocation {
        let now = Timestamp::from_millis(1_000);
        Revocation { seq, ..Revocation::now(Kind::Session, seq, now, Span::from_minutes(10)) }
    }

    fn seqs(feed: &Feed, place: Place) -> Option<Vec<i64>> {
        feed.after(place).map(|found| found.iter().map(|entry| entry.seq).collect())
    }

    #[test]
    fn what_is_committed_out_of_order_is_not_told_before_what_came_before_it() {
        let feed = Feed::default();
        feed.offer(&entry(2));
        assert_eq!(seqs(&feed, Place::BEGINNING), Some(vec![]));
        feed.extend(vec![entry(1), entry(2)]);
        feed.offer(&entry(1));
        feed.offer(&entry(3));
        assert_eq!(seqs(&feed, Place::BEGINNING), Some(vec![1, 2, 3]));
        assert_eq!(seqs(&feed, Place::after(&entry(2))), Some(vec![3]));
        assert_eq!(seqs(&feed, Place::after(&entry(3))), Some(vec![]));
    }

    #[test]
    fn a_place_that_is_not_kept_is_left_to_the_database() {
        let feed = Feed::default();
        let many = i64::try_from(KEPT).unwrap() + 10;
        feed.extend((1..=many).map(entry).collect());
        assert_eq!(seqs(&feed, Place::BEGINNING), None);
        assert_eq!(seqs(&feed, Place::after(&entry(9))), None);
        assert_eq!(seqs(&feed, Place::after(&entry(10))).unwrap().first(), Some(&11));
        let other = Revocation { key: "other".into(), ..entry(20) };
        assert_eq!(seqs(&feed, Place::after(&other)), None);
        assert_eq!(seqs(&feed, Place::after(&entry(many + 1))), None);
    }
}
