//! In which order the hosts of a URL are asked. A host that hangs costs whoever asks it many
//! seconds, and to find the primary takes several connections one after the other: so the host that
//! let somebody in last comes first, and one that kept somebody waiting is left alone for a while.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{LoadBalanceHosts, TargetSessionAttrs};

use crate::clock::Stopwatch;

/// A host that takes longer than this and does not let us in is slow, …
const SLOW: Duration = Duration::from_secs(1);
/// … and is left alone for so long, unless there is no other.
const LEFT_ALONE: Duration = Duration::from_secs(15);

/// Each host with everything else that the URL says.
pub(super) struct Hosts {
    configs: Vec<Config>,
    first: First,
    known: Mutex<Known>,
    /// How often each said nothing to a question. Looked at before each use of a connection.
    silences: Vec<AtomicU64>,
}

/// Which host comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// The first of the URL: whoever takes any server wants that one.
    Named,
    /// The one that let somebody in last: it has been looked whether it is the right one.
    Last,
    /// Any (`load_balance_hosts=random`).
    Drawn,
}

/// What was seen of the hosts, by their places.
struct Known {
    last: usize,
    /// Since when each is left alone.
    slow: Vec<Option<Stopwatch>>,
}

impl Hosts {
    /// `whole` says what is wanted of them.
    pub(super) fn new(configs: Vec<Config>, whole: &Config) -> Self {
        let is_drawn = whole.get_load_balance_hosts() == LoadBalanceHosts::Random;
        let first = match whole.get_target_session_attrs() {
            _ if is_drawn => First::Drawn,
            TargetSessionAttrs::Any => First::Named,
            _ => First::Last,
        };
        let known = Mutex::new(Known { last: 0, slow: vec![None; configs.len()] });
        let silences = configs.iter().map(|_| AtomicU64::new(0)).collect();
        Self { configs, first, known, silences }
    }

    /// All of them.
    pub(super) fn configs(&self) -> &[Config] {
        &self.configs
    }

    /// Which are to be asked now, by their places. One of them whose time has come is asked by
    /// this caller alone, when no other lets it in.
    pub(super) fn next(&self) -> Vec<usize> {
        let count = self.configs.len();
        let mut known = self.known();
        let first = match self.first {
            First::Named => 0,
            First::Last => known.last,
            First::Drawn => drawn(count),
        };
        let all = (0..count).cycle().skip(first).take(count);
        let (mut asked, mut again) = (Vec::new(), Vec::new());
        for place in all.clone() {
            let Some(slow) = known.slow.get_mut(place) else { continue };
            match slow {
                None => asked.push(place),
                Some(since) if since.elapsed() >= LEFT_ALONE => {
                    *slow = Some(Stopwatch::start());
                    again.push(place);
                }
                Some(_) => {}
            }
        }
        asked.extend(again);
        if asked.is_empty() { all.collect() } else { asked }
    }

    /// This one let us in.
    pub(super) fn let_in(&self, place: usize) {
        let mut known = self.known();
        known.last = place;
        if let Some(slow) = known.slow.get_mut(place) {
            *slow = None;
        }
    }

    /// This one did not, and took so long.
    pub(super) fn refused(&self, place: usize, took: Duration) {
        if let Some(slow) = self.known().slow.get_mut(place) {
            *slow = (took >= SLOW).then(Stopwatch::start);
        }
    }

    /// This one had let us in, and said nothing to a question.
    pub(super) fn silent(&self, place: usize) {
        if let Some(slow) = self.known().slow.get_mut(place) {
            *slow = Some(Stopwatch::start());
        }
        if let Some(silences) = self.silences.get(place) {
            silences.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often that was so: a connection of before is not to be asked in vain, too.
    pub(super) fn silences(&self, place: usize) -> u64 {
        self.silences.get(place).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any of so many. Not for secrets: the hasher's keys are random, and that is enough to share load.
fn drawn(count: usize) -> usize {
    let random = RandomState::new().hash_one(count);
    let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
    usize::try_from(random % count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(query: &str) -> Hosts {
        let whole: Config = format!("postgres://a,b,c/d?{query}").parse().expect("a URL");
        Hosts::new(vec![Config::new(); 3], &whole)
    }

    #[test]
    fn the_host_that_let_somebody_in_last_comes_first_where_it_has_to_be_the_right_one() {
        let primary = hosts("target_session_attrs=read-write");
        assert_eq!(primary.next(), [0, 1, 2]);
        primary.let_in(1);
        assert_eq!(primary.next(), [1, 2, 0]);
        let any = hosts("");
        any.let_in(1);
        assert_eq!(any.next(), [0, 1, 2]);
    }

    #[test]
    fn a_slow_host_is_left_alone_until_its_time_has_come_or_there_is_no_other() {
        let hosts = hosts("target_session_attrs=read-write");
        hosts.refused(0, SLOW);
        hosts.refused(1, Duration::ZERO);
        assert_eq!(hosts.next(), [1, 2]);
        // Whoever refuses at once is asked again at once.
        hosts.refused(0, Duration::ZERO);
        assert_eq!(hosts.next(), [0, 1, 2]);
        for place in 0..3 {
            hosts.refused(place, SLOW);
        }
        assert_eq!(hosts.next(), [0, 1, 2], "nobody else is there");
        hosts.let_in(2);
        assert_eq!(hosts.next(), [2]);
        hosts.let_in(0);
        hosts.silent(0);
        assert_eq!((hosts.next(), hosts.silences(0), hosts.silences(2)), (vec![2], 1, 0));
    }

    #[test]
    fn each_host_is_drawn_first_now_and_then() {
        let hosts = hosts("load_balance_hosts=random");
        let firsts: std::collections::BTreeSet<_> =
            (0..200).filter_map(|_| hosts.next().first().copied()).collect();
        assert_eq!(firsts.len(), 3);
        let mut all = hosts.next();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }
}
