//! What one address, and of some things one account, may cost this server: how many of its requests
//! may be refused, and how much may be written for it by strangers, before it is put off. Only
//! refusals and such writes are counted, so that a right request costs nothing, and while nobody is
//! put off not even a look.
//!
//! In the memory of each node, and nowhere else: a flood must not become writes. What is told to
//! the audit trail is that an address was put off, once for each time.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use munjigi_core::account::budget::{Budget, neighbourhood, site};
use munjigi_core::account::{Attempts, Taken};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::client::Client;
use munjigi_core::secret::sha256;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{Audit, Committed};

use crate::app::App;
use crate::attempts::{Ledger, record, seconds_until};
use crate::config::Mode;
use crate::context::Context;
use crate::failure::Failure;
use crate::reply::wait::{Quota, Wait};
use crate::settings::requests::ADDRESS_BUDGET;

/// How many parts the memory has, so that requests seldom wait for each other.
const SHARDS: usize = 64;
/// How many networks each part remembers.
const PER_SHARD: usize = 1_024;
/// How many times the rate may be used at once by who was quiet: two minutes' worth.
const BURST: u32 = 2;
/// How much more the networks of a whole site (an IPv6 /48) may cost than one household's.
const OF_A_SITE: u32 = 4;
/// How much more may be written for strangers than refused to them: what they write is short, dies
/// within minutes, and is what honest browsers ask for too.
const OF_WRITES: u32 = 10;

/// How many copies of their data somebody may have made at once.
const EXPORTS: u32 = 10;
/// After how long one more.
const EXPORT_REFILL: Span = Span::from_minutes(6);

/// What is counted, each apart: who guesses secrets of clients keeps nobody from signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Passwords that were wrong, or came while no guess was left.
    Password,
    /// Clients that are unknown or did not prove themselves.
    Client,
    /// Codes, links and tokens that we hand out, which are none, are over, or are somebody else's.
    Token,
    /// Pushed requests and proofs of possession that were refused, and what people and clients may
    /// not do.
    Request,
    /// Accounts that somebody wants to make.
    SignUp,
    /// Mails that somebody asks for who is not signed in.
    Mail,
    /// What clients write that prove nothing.
    Write,
    /// Copies of one's data.
    Export,
}

impl Limit {
    /// The name, in headers and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Client => "client",
            Self::Token => "token",
            Self::Request => "request",
            Self::SignUp => "sign-up",
            Self::Mail => "mail",
            Self::Write => "write",
            Self::Export => "export",
        }
    }

    /// What a network may cost, given how much an address may in a minute.
    fn budget(self, reach: Reach, per_minute: u32) -> Budget {
        if self == Self::Export {
            return Budget::new(EXPORTS, EXPORT_REFILL);
        }
        let more = if self == Self::Write { OF_WRITES } else { 1 };
        let more = if reach == Reach::Site { OF_A_SITE.saturating_mul(more) } else { more };
        let rate = per_minute.max(1).saturating_mul(more);
        let refill = Span::from_minutes(1).as_millis().div_euclid(i64::from(rate));
        Budget::new(rate.saturating_mul(BURST), Span::from_millis(refill.max(1)))
    }
}

/// Whose passwords were guessed at from an address: a bit for each account, so that it is at least
/// so many. One account is somebody's slips, or a guesser's aim; many are a list of other people's
/// passwords that is tried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Victims(u128);

impl Victims {
    fn and(self, whose: Option<&[u8; 32]>) -> Self {
        // A keyed hash: nobody can aim at a bit.
        let bit = whose.and_then(|hash| hash.first()).map_or(0, |byte| 1 << (byte & 0x7f));
        Self(self.0 | bit)
    }

    const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// How much of the net counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reach {
    /// One IPv4 address, or one household's IPv6 network (/64).
    Household,
    /// What one site is given of IPv6 (/48).
    Site,
    /// One account, from wherever it asks.
    Account,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    limit: Limit,
    reach: Reach,
    whose: Whose,
}

impl Key {
    /// Why it is put off, as the audit trail is told.
    const fn why(&self) -> &'static str {
        match self.whose {
            Whose::Network(_) => "too many requests of this address were refused",
            Whose::Account(_) => "this account asked too often for what it may not, or for copies",
        }
    }
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Network(IpAddr),
    /// A person or a client that has proved who it is.
    Account([u8; 16]),
}

impl Whose {
    /// Nobody, of those who are counted by their address alone.
    fn of(actor: &Actor) -> Option<Self> {
        match actor {
            Actor::User(id) => Some(Self::Account(*id.as_bytes())),
            Actor::Client(id) => {
                let hash = sha256(id.as_str().as_bytes());
                hash.first_chunk().copied().map(Self::Account)
            }
            Actor::Anonymous | Actor::Operator | Actor::System => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    out: Attempts,
    /// When everything is back, and the entry says nothing any more.
    back_at: Timestamp,
    victims: Victims,
    /// Whether the audit trail knows of this time.
    is_told: bool,
}

/// What came of counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Took {
    /// It is counted.
    Counted,
    /// It is counted, and was the last one: the first time since everything was there.
    Emptied(Victims),
    /// Nothing is left until then.
    Wait(Timestamp),
}

/// Why a request is put off.
#[derive(Debug)]
pub enum Denied {
    /// Its address has cost too much.
    Throttled(Wait),
    /// Something unforeseen.
    Failure(Failure),
}

impl<E: Into<Failure>> From<E> for Denied {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

/// Whether the audit trail is told what was refused and changed nothing. Of an address that is put
/// off it is not: nobody may make it grow without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trail {
    /// It is.
    Told,
    /// It is not.
    Spared,
}

impl Trail {
    /// Of the tokens that a client presents: one that has proved itself is nobody unknown.
    pub fn of_tokens(app: &App, context: &Context, client: &Client) -> Self {
        match client.is_public() && look(app, context, Limit::Token).is_err() {
            true => Self::Spared,
            false => Self::Told,
        }
    }

    /// A refusal in a transaction.
    pub fn refused<T>(self, outcome: T, event: Event) -> Committed<T> {
        match self {
            Self::Told => Committed::new(outcome, Audit::Record(Box::new(event))),
            Self::Spared => Committed::nothing(outcome),
        }
    }
}

/// What this node remembers of addresses.
///
/// When it is full, what is nearest to being forgotten goes first: of a flood of addresses each
/// pushes out another that was refused once, and one that is put off stays until as many others are
/// put off longer.
pub struct Addresses {
    shards: Vec<Mutex<HashMap<Key, Entry>>>,
    /// Drawn anew for each node: nobody can aim at a part.
    hasher: RandomState,
    /// Nobody is put off after this, in Unix milliseconds.
    latest: AtomicI64,
}

impl Default for Addresses {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, hasher: RandomState::new(), latest: AtomicI64::new(0) }
    }
}

/// Whether an address may go on. While no address is put off this looks nothing up.
pub fn look(app: &App, context: &Context, limit: Limit) -> Result<(), Denied> {
    let now = app.clock.now();
    if app.addresses.latest.load(Ordering::Relaxed) <= now.as_millis() {
        return Ok(());
    }
    for (key, budget) in counted(app, context, limit) {
        if let Some(until) = app.addresses.until(&key, &budget, now) {
            return Err(throttled(limit, &budget, until, now));
        }
    }
    Ok(())
}

/// Counts a refusal, or what is done for a stranger, before anything is written about it.
///
/// # Errors
/// `Throttled` when nothing is left: then nothing may be written.
pub async fn count(app: &App, context: &Context, limit: Limit) -> Result<(), Denied> {
    let counted = counted(app, context, limit);
    charge(app, context, (limit, &Actor::Anonymous, None), counted).await
}

/// The same of a wrong password, for an account that has this place in the ledger of guesses.
///
/// # Errors
/// As there.
pub async fn count_guess(app: &App, context: &Context, at: &Ledger) -> Result<(), Denied> {
    let counted = counted(app, context, Limit::Password);
    charge(app, context, (Limit::Password, &Actor::Anonymous, Some(at.hash())), counted).await
}

/// The same of what somebody asks for who has proved who they are: on their account as well, from
/// wherever it is used, and whether or not addresses are counted.
///
/// # Errors
/// As there.
pub async fn count_caller(
    app: &App,
    context: &Context,
    (limit, actor): (Limit, &Actor),
) -> Result<(), Denied> {
    let is_network_counted = limit != Limit::Export;
    let networks = counted(app, context, limit).filter(|_| is_network_counted);
    let account = of_account(app, context, (limit, actor));
    charge(app, context, (limit, actor, None), networks.chain(account)).await
}

async fn charge(
    app: &App,
    context: &Context,
    (limit, caller, whose): (Limit, &Actor, Option<&[u8; 32]>),
    counted: impl Iterator<Item = (Key, Budget)>,
) -> Result<(), Denied> {
    let now = app.clock.now();
    for (key, budget) in counted {
        match app.addresses.take((key, whose), &budget, now) {
            Took::Counted => {}
            Took::Wait(until) => return Err(throttled(limit, &budget, until, now)),
            Took::Emptied(victims) => {
                let event = context.event(Kind::AddressThrottled, caller.clone())?;
                let event = event.refused(key.why());
                let mut event = event.with("limit", limit.as_str());
                if limit == Limit::Password {
                    app.metrics.guessed(victims.count());
                    event = event.with("accounts", victims.count());
                }
                record(app, event).await?;
            }
        }
    }
    Ok(())
}

/// What a request is counted under: nothing, where it cannot be told where it came from (the server
/// is embedded without connection information), or it came from the developer's own machine.
fn counted(app: &App, context: &Context, limit: Limit) -> impl Iterator<Item = (Key, Budget)> {
    let per_minute = app.snapshot().settings.requests.address_budget;
    let place = context.address.filter(|address| !is_developer(app, *address)).zip(per_minute);
    place.into_iter().flat_map(move |(address, per_minute)| {
        let household = Some((Reach::Household, neighbourhood(address)));
        let networks = [household, site(address).map(|network| (Reach::Site, network))];
        networks.into_iter().flatten().map(move |(reach, network)| {
            let whose = Whose::Network(network);
            (Key { limit, reach, whose }, limit.budget(reach, per_minute))
        })
    })
}

/// The budget of an account. The developer's own machine is spared here, too.
fn of_account(
    app: &App,
    context: &Context,
    (limit, actor): (Limit, &Actor),
) -> Option<(Key, Budget)> {
    let is_spared = match context.address {
        Some(address) => is_developer(app, address),
        None => app.config.mode == Mode::Dev,
    };
    let whose = Whose::of(actor).filter(|_| !is_spared)?;
    let per_minute = app.snapshot().settings.requests.address_budget.unwrap_or(ADDRESS_BUDGET);
    let reach = Reach::Account;
    Some((Key { limit, reach, whose }, limit.budget(reach, per_minute)))
}

fn is_developer(app: &App, address: IpAddr) -> bool {
    let is_proxy = || app.config.trusted_proxies.iter().any(|it| it.contains(address));
    app.config.mode == Mode::Dev && address.is_loopback() && !is_proxy()
}

fn throttled(limit: Limit, budget: &Budget, until: Timestamp, now: Timestamp) -> Denied {
    let wait = Wait::seconds(seconds_until(until, now));
    Denied::Throttled(wait.used_up(Quota::of(limit.as_str(), budget)))
}

impl Addresses {
    fn shard(&self, key: &Key) -> Option<MutexGuard<'_, HashMap<Key, Entry>>> {
        let shards = u64::try_from(self.shards.len()).unwrap_or(1).max(1);
        let index = usize::try_from(self.hasher.hash_one(key) % shards).unwrap_or_default();
        let shard = self.shards.get(index)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Until when nothing is left, if that is so.
    fn until(&self, key: &Key, budget: &Budget, now: Timestamp) -> Option<Timestamp> {
        let entry = self.shard(key)?.get(key).copied()?;
        match budget.take(&entry.out, now) {
            Taken::Counted(_) => None,
            Taken::Wait { until } => Some(until),
        }
    }

    fn take(
        &self,
        (key, whose): (Key, Option<&[u8; 32]>),
        budget: &Budget,
        now: Timestamp,
    ) -> Took {
        let Some(mut shard) = self.shard(&key) else { return Took::Counted };
        let known = shard.get(&key).copied().filter(|entry| now < entry.back_at);
        let before = known.map_or(Attempts::CLEAR, |entry| entry.out);
        let out = match budget.take(&before, now) {
            Taken::Counted(out) => out,
            Taken::Wait { until } => return Took::Wait(until),
        };
        let victims = known.map_or_else(Victims::default, |entry| entry.victims).and(whose);
        let was_told = known.is_some_and(|entry| entry.is_told);
        let is_empty = match budget.take(&out, now) {
            Taken::Counted(_) => false,
            Taken::Wait { until } => {
                self.latest.fetch_max(until.as_millis(), Ordering::Relaxed);
                true
            }
        };
        if !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        let (back_at, is_told) = (budget.expires_at(&out), was_told || is_empty);
        shard.insert(key, Entry { out, back_at, victims, is_told });
        if is_empty && !was_told { Took::Emptied(victims) } else { Took::Counted }
    }
}

/// Forgets what says nothing any more and, when that is not enough, what will be the next to.
fn make_room(shard: &mut HashMap<Key, Entry>, now: Timestamp) {
    if shard.len() < PER_SHARD {
        return;
    }
    shard.retain(|_, entry| now < entry.back_at);
    if shard.len() >= PER_SHARD {
        let next = shard.iter().min_by_key(|(_, entry)| entry.back_at).map(|(key, _)| *key);
        next.and_then(|key| shard.remove(&key));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn later(seconds: i64) -> Timestamp {
        NOW.plus(Span::from_seconds(seconds))
    }

    fn key(number: u32) -> Key {
        let network = IpAddr::V4(Ipv4Addr::from(number));
        Key { limit: Limit::Client, reach: Reach::Household, whose: Whose::Network(network) }
    }

    fn budget() -> Budget {
        Limit::Client.budget(Reach::Household, 30)
    }

    fn exhaust(addresses: &Addresses, key: Key, now: Timestamp) -> Vec<Took> {
        (0..60).map(|_| addresses.take((key, None), &budget(), now)).collect()
    }

    #[test]
    fn two_minutes_worth_at_once_and_then_one_every_other_second() {
        let addresses = Addresses::default();
        let took = exhaust(&addresses, key(1), NOW);
        assert!(took[..59].iter().all(|it| *it == Took::Counted));
        assert_eq!(took[59], Took::Emptied(Victims::default()));
        assert_eq!(addresses.take((key(1), None), &budget(), NOW), Took::Wait(later(2)));
        assert_eq!(addresses.until(&key(1), &budget(), NOW), Some(later(2)));
        assert_eq!(addresses.until(&key(2), &budget(), NOW), None, "nobody else's");
        assert_eq!(addresses.take((key(1), None), &budget(), later(2)), Took::Counted);
        assert_eq!(addresses.take((key(1), None), &budget(), later(2)), Took::Wait(later(4)));
    }

    #[test]
    fn an_address_is_told_of_again_only_after_everything_was_back() {
        let addresses = Addresses::default();
        exhaust(&addresses, key(1), NOW);
        let tries =
            (1..=100).map(|time| addresses.take((key(1), None), &budget(), later(time * 2)));
        assert!(tries.collect::<Vec<_>>().iter().all(|it| *it == Took::Counted));
        let again = exhaust(&addresses, key(1), later(200 + 120));
        assert_eq!(again[59], Took::Emptied(Victims::default()));
    }

    #[test]
    fn the_accounts_that_were_guessed_at_are_counted_once_each_until_everything_is_back() {
        let addresses = Addresses::default();
        let guess =
            |account: u8, now| addresses.take((key(1), Some(&[account; 32])), &budget(), now);
        let took: Vec<_> = (0..60).map(|number| guess(number % 7, NOW)).collect();
        let Took::Emptied(victims) = took[59] else { panic!("{took:?}") };
        assert_eq!(victims.count(), 7);
        let took: Vec<_> = (0..60).map(|_| guess(1, later(120))).collect();
        let Took::Emptied(victims) = took[59] else { panic!("{took:?}") };
        assert_eq!(victims.count(), 1, "those of the time before are forgotten");
    }

    #[test]
    fn each_limit_is_counted_apart() {
        let addresses = Addresses::default();
        exhaust(&addresses, key(1), NOW);
        let other = Key { limit: Limit::Password, ..key(1) };
        assert_eq!(addresses.take((other, None), &budget(), NOW), Took::Counted);
    }

    #[test]
    fn a_flood_of_addresses_does_not_push_out_one_that_is_put_off() {
        let addresses = Addresses::default();
        exhaust(&addresses, key(0), NOW);
        let flood = 3 * u32::try_from(SHARDS * PER_SHARD).unwrap();
        for number in 1..flood {
            addresses.take((key(number), None), &budget(), NOW);
        }
        let known = |shard: &Mutex<HashMap<Key, Entry>>| shard.lock().unwrap().len();
        let known: Vec<_> = addresses.shards.iter().map(known).collect();
        assert!(known.iter().all(|count| *count <= PER_SHARD), "{known:?}");
        assert!(addresses.until(&key(0), &budget(), NOW).is_some());
    }

    #[test]
    fn a_whole_site_may_cost_more_than_a_household_of_it() {
        let (household, site) = (Reach::Household, Reach::Site);
        assert_eq!(Limit::Token.budget(household, 30), Budget::new(60, Span::from_seconds(2)));
        assert_eq!(Limit::Token.budget(site, 30), Budget::new(240, Span::from_millis(500)));
        assert_eq!(Limit::Write.budget(household, 30), Budget::new(600, Span::from_millis(200)));
        assert_eq!(Limit::Write.budget(site, 1_000).most(), 80_000);
    }
}
