//! How many connections there may be: as many as the machine has room for, and of one address no
//! more than a browser or two would open. Proxies that are trusted, and this machine itself, speak
//! for many and are not counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use munjigi_core::account::budget::neighbourhood;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Network;

/// How many connections one address may have (an IPv6 /64 is one).
pub const PER_ADDRESS: usize = 64;
/// How many connections are open at once at most, however many files the machine allows.
pub const MOST: usize = 16_384;
/// Where the machine does not say how many files may be open.
const USUAL_FILES: u64 = 1_024;

/// How many connections are open at once; further ones wait to be accepted. Four fifths of the
/// files that may be open: the rest is for the database, mails and what clients publish.
pub fn room() -> usize {
    let files = most_files().unwrap_or(USUAL_FILES);
    let share = (files / 5).saturating_mul(4).max(1);
    usize::try_from(share).unwrap_or(MOST).min(MOST)
}

/// Raises what is asked of the machine to what it allows: the lower figure is for programs of old.
fn most_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the number of open files stays as it is");
            limit.current
        }
    }
}

/// Who sits where.
pub(super) struct Seats {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    /// Whose connections are not counted.
    free: Vec<Network>,
}

/// One connection's place; given back when it is dropped.
pub(super) struct Seat {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    whose: Option<IpAddr>,
}

impl Seats {
    /// Where only the connections of these networks are not counted.
    pub(super) fn new(free: Vec<Network>) -> Self {
        Self { taken: Arc::default(), free }
    }

    /// A place for a connection from there, if there is one.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Seat> {
        let taken = Arc::clone(&self.taken);
        if self.free.iter().any(|network| network.contains(peer)) {
            return Some(Seat { taken, whose: None });
        }
        let address = neighbourhood(peer);
        let mut counts = locked(&self.taken);
        let count = counts.entry(address).or_default();
        if *count >= PER_ADDRESS {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Seat { taken, whose: Some(address) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(address) = self.whose else { return };
        let mut counts = locked(&self.taken);
        let left = counts.get(&address).map_or(0, |count| count.saturating_sub(1));
        // Only addresses that are there are kept.
        match left {
            0 => counts.remove(&address),
            left => counts.insert(address, left),
        };
    }
}

fn locked(taken: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an address is this machine's own.
pub(super) fn own_machine() -> impl Iterator<Item = Network> {
    Network::LOOPBACK.into_iter()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let seats = Seats::new(vec![]);
        let here: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let mut held: Vec<_> = (0..PER_ADDRESS).map(|_| seats.take(here).unwrap()).collect();
        assert!(seats.take(here).is_none());
        assert!(seats.take(Ipv4Addr::new(192, 0, 2, 2).into()).is_some(), "another address");
        held.pop();
        assert!(seats.take(here).is_some());
        drop(held);
        assert!(seats.taken.lock().unwrap().is_empty(), "nobody is remembered who left");
    }

    #[test]
    fn a_household_has_the_places_of_one_address() {
        let seats = Seats::new(vec![]);
        let of = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host));
        let held: Vec<_> = (0..100).filter_map(|host| seats.take(of(host))).collect();
        assert_eq!(held.len(), PER_ADDRESS);
    }

    #[test]
    fn proxies_and_this_machine_are_not_counted() {
        let proxies = Network::parse("10.0.0.0/8").into_iter();
        let seats = Seats::new(own_machine().chain(proxies).collect());
        for free in ["127.0.0.1", "::1", "10.9.9.9", "::ffff:10.0.0.1"] {
            let address: IpAddr = free.parse().unwrap();
            let held: Vec<_> = (0..200).filter_map(|_| seats.take(address)).collect();
            assert_eq!(held.len(), 200, "{free}");
        }
    }

    #[test]
    fn there_is_room_for_some_and_not_for_every_file() {
        let room = room();
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!((1..=MOST).contains(&room));
        assert!(u64::try_from(room).unwrap() * 5 <= files.saturating_mul(4));
    }
}
