//! How often this server asks others because a stranger wants it: a host is asked so often in a
//! minute and no more, whoever wants it, and of that each address has its own share, so that nobody
//! uses a host up for everybody else, or has this server ask another one again and again. Nor does
//! anybody use up all hosts together: each address has a share of that, too, and a part of it is
//! kept for what is in use.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use munjigi_core::account::budget::neighbourhood;
use munjigi_core::time::Timestamp;

/// How often in a minute one address may have one host asked.
const OF_AN_ASKER: u32 = 10;
/// How often in a minute a host is asked for what nobody here uses yet.
const OF_A_HOST: u32 = 30;
/// How often for what somebody uses already: as often again.
const OF_A_KNOWN_ONE: u32 = 60;
/// How often in a minute one address may have hosts asked, all of them together.
const OF_AN_ASKER_IN_ALL: u32 = 30;
/// How often in a minute all hosts together are asked.
const IN_ALL: u32 = 300;
/// How often of these for what nobody here uses yet.
const OF_NEW_ONES_IN_ALL: u32 = 200;

/// Whether somebody here uses already what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody does.
    New,
    /// Somebody does, and has to be served on.
    Known,
}

/// What is asked, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'w> {
    /// The host.
    pub host: &'w str,
    /// The address of whoever wants it, where it is known.
    pub asker: Option<IpAddr>,
    /// Whether it is of use already.
    pub standing: Standing,
}

/// Who was asked in this minute. Bounded, since what is not asked is not counted.
#[derive(Default)]
struct Asked {
    minute: i64,
    all: u32,
    hosts: HashMap<String, u32>,
    askers: HashMap<(IpAddr, String), u32>,
    askers_in_all: HashMap<IpAddr, u32>,
}

/// The budgets of every host.
#[derive(Default)]
pub struct HostBudgets(Mutex<Asked>);

impl HostBudgets {
    /// Whether a host may be asked now, and counts it.
    pub fn may_ask(&self, wish: &Wish<'_>, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.as_seconds().div_euclid(60);
        if asked.minute != minute {
            *asked = Asked { minute, ..Asked::default() };
        }
        let host = wish.host.to_ascii_lowercase();
        let network = wish.asker.map(neighbourhood);
        let asker = network.map(|network| (network, host.clone()));
        let of_asker = asker.as_ref().and_then(|it| asked.askers.get(it)).copied().unwrap_or(0);
        let in_all = network.and_then(|it| asked.askers_in_all.get(&it)).copied().unwrap_or(0);
        let of_host = asked.hosts.get(&host).copied().unwrap_or(0);
        let (most, most_in_all) = match wish.standing {
            Standing::New => (OF_A_HOST, OF_NEW_ONES_IN_ALL),
            Standing::Known => (OF_A_KNOWN_ONE, IN_ALL),
        };
        let is_asker_done = of_asker >= OF_AN_ASKER || in_all >= OF_AN_ASKER_IN_ALL;
        if is_asker_done || of_host >= most || asked.all >= most_in_all {
            return false;
        }
        asked.all = asked.all.saturating_add(1);
        asked.hosts.insert(host, of_host.saturating_add(1));
        if let Some((network, host)) = asker {
            asked.askers.insert((network, host), of_asker.saturating_add(1));
            asked.askers_in_all.insert(network, in_all.saturating_add(1));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use munjigi_core::time::Span;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(60);

    fn wish(host: &str, asker: u8) -> Wish<'_> {
        Wish { host, asker: Some(IpAddr::from([192, 0, 2, asker])), standing: Standing::New }
    }

    fn granted(budgets: &HostBudgets, wish: &Wish<'_>) -> usize {
        (0..200).filter(|_| budgets.may_ask(wish, NOW)).count()
    }

    #[test]
    fn one_address_does_not_use_a_host_up_for_the_others() {
        let budgets = HostBudgets::default();
        assert_eq!(granted(&budgets, &wish("a.example", 1)), 10);
        assert_eq!(granted(&budgets, &wish("A.Example", 1)), 0, "the same host");
        assert_eq!(granted(&budgets, &wish("a.example", 2)), 10);
        assert_eq!(granted(&budgets, &wish("b.example", 1)), 10);
        assert!(budgets.may_ask(&wish("a.example", 1), NOW.plus(Span::from_minutes(1))));
    }

    #[test]
    fn one_host_is_not_asked_without_end_and_what_is_in_use_goes_on() {
        let budgets = HostBudgets::default();
        let all: usize = (0..50).map(|asker| granted(&budgets, &wish("a.example", asker))).sum();
        assert_eq!(all, 30);
        let known = Wish { standing: Standing::Known, ..wish("a.example", 99) };
        assert_eq!(granted(&budgets, &known), 10);
        let nobody = Wish { asker: None, ..known };
        assert_eq!(granted(&budgets, &nobody), 20, "sixty in all");
    }

    /// Whose every wish is for another host.
    fn wander(budgets: &HostBudgets, asker: u8, standing: Standing) -> usize {
        let host = |number: usize| format!("{number}.example");
        let wished = |number: &usize| {
            budgets.may_ask(&Wish { standing, ..wish(&host(*number), asker) }, NOW)
        };
        (0..1_000).filter(wished).count()
    }

    #[test]
    fn one_address_does_not_use_all_hosts_up_for_the_others() {
        let budgets = HostBudgets::default();
        assert_eq!(wander(&budgets, 1, Standing::New), 30);
        assert_eq!(wander(&budgets, 1, Standing::Known), 0, "nor for what is in use");
        assert_eq!(wander(&budgets, 2, Standing::New), 30);
    }

    #[test]
    fn all_hosts_together_are_not_asked_without_end_and_what_is_in_use_goes_on() {
        let budgets = HostBudgets::default();
        let new: usize = (0..100).map(|asker| wander(&budgets, asker, Standing::New)).sum();
        assert_eq!(new, 200);
        let known: usize = (100..200).map(|asker| wander(&budgets, asker, Standing::Known)).sum();
        assert_eq!(known, 100, "three hundred in all");
    }
}
