//! The server as a value: everything an endpoint needs, made once.

use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use munjigi_core::account::hash::Argon2Params;
use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::oauth::revocation::END_OF_TIME;
use munjigi_store::{Store, StoreOptions, counters};
use munjigi_token::{Algorithm, SigningKey};
use munjigi_verify::{Dpop, RevocationKind, Verifier};
use tokio::sync::{Notify, Semaphore};

use crate::addresses::Addresses;
use crate::client_keys::PublishedKeys;
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::current::Looks;
use crate::dev_walk::Walks;
use crate::documents::Documents;
use crate::ending::Ending;
use crate::endpoint::docs::OpenApi;
use crate::epoch::{self, Keeper};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::fetch::Fetch;
use crate::first_keys::{first_rows, make, with_asked};
use crate::hashing::Hashing;
use crate::leaving::Leaving;
use crate::mail::Delivery;
use crate::metrics::Metrics;
use crate::random;
use crate::readiness::Readiness;
use crate::registration::Sightings;
use crate::searches::Searches;
use crate::sequencer::Turns;
use crate::snapshot::{LeftOut, Rows, Snapshot};

/// How often a node looks whether another one changed something.
const POLL: Duration = Duration::from_millis(250);

/// How many sign-ins may wait for others of the same account.
const WAITING: usize = 64;

/// How long after one look for somebody unknown the next one may be made, in milliseconds.
const STRANGERS_MILLIS: i64 = 50;

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The server, as long as somebody else keeps it.
pub struct WeakApp(Weak<Inner>);

impl WeakApp {
    /// The server, if it is still there.
    pub fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

/// What the server is made of.
pub struct Inner {
    /// What it runs on.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The hashing pool.
    pub hashing: Hashing,
    /// Verifies access tokens for this server's own APIs.
    pub verifier: Verifier,
    /// Verifies access tokens for whichever API they are: introspection asks that, and for proxies
    /// `/forward-auth`, which looks at the audience itself.
    pub introspector: Verifier,
    /// The client for every outbound request.
    pub fetch: Fetch,
    /// The keys that clients publish, as they were read by it.
    pub(crate) client_keys: PublishedKeys,
    /// The documents that speak for clients, as this node read them.
    pub(crate) documents: Documents,
    /// What this node remembers of addresses whose requests were refused.
    pub(crate) addresses: Addresses,
    /// When clients that are forgotten without use were last seen.
    pub(crate) sightings: Sightings,
    /// Where mails go.
    pub mail: Delivery,
    /// What is counted.
    pub metrics: Metrics,
    /// When the database answered last.
    pub(crate) readiness: Readiness,
    /// In `munjigi dev` alone: how far the walks of its first page are.
    pub(crate) walks: Option<Walks>,
    /// What is told of the interface.
    pub(crate) openapi: OpenApi,
    /// How far the end of this node is.
    pub(crate) leaving: Leaving,
    /// What this node writes the tree of the audit trail with.
    pub(crate) turns: Turns,
    /// Wakes the outbox of this node.
    pub(crate) outbox_wake: Arc<Notify>,
    snapshot: ArcSwap<Snapshot>,
    reloading: tokio::sync::Mutex<()>,
    /// Places for sign-ins that wait for others of the same account.
    pub(crate) waiting: Semaphore,
    /// When somebody unknown was last looked for, in Unix milliseconds.
    stranger_at: AtomicI64,
    /// Where reads go that look at many rows.
    pub(crate) searches: Searches,
    /// What is known here of the revocation feed.
    pub(crate) feed: Feed,
    /// The looks at what changed elsewhere, for those who mint tokens.
    pub(crate) looks: Looks,
    /// What is remembered of the rows, should they turn out to be others.
    pub(crate) keeper: Keeper,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Opens the database, brings it up to date, makes the keys that are missing, and starts the
    /// hashing pool. RSA keys are made in the background: they take a good part of a second.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, Failure> {
        random::prepare();
        let store = open_store(&config, &clock).await?;
        let keeper = Keeper::new(epoch::settle(&store, &clock, None).await?);
        let rows = first_rows(&store, &config, &clock).await?;
        let snapshot = Snapshot::build(rows, &config, &clock, None)?;
        let hashing = Hashing::start(config.hashing_threads, Argon2Params::default())
            .map_err(|_| Failure::Damaged("no thread could be started"))?;
        let (verifier, introspector) = verifiers(&config, &snapshot, &clock)?;
        let (fetch, mail) = (Fetch::new(&config.outbound, config.mode), Delivery::start(&config)?);
        let walks = (config.mode == Mode::Dev).then(Walks::default);

        let snapshot = ArcSwap::from_pointee(snapshot);
        let stranger_at = AtomicI64::new(0);
        let (reloading, waiting) = (tokio::sync::Mutex::new(()), Semaphore::new(WAITING));
        let inner = Inner {
            config,
            store,
            clock,
            hashing,
            verifier,
            introspector,
            fetch,
            client_keys: PublishedKeys::default(),
            documents: Documents::default(),
            addresses: Addresses::default(),
            sightings: Sightings::default(),
            mail,
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            walks,
            openapi: OpenApi::default(),
            leaving: Leaving::default(),
            turns: Turns::default(),
            outbox_wake: Arc::default(),
            snapshot,
            reloading,
            waiting,
            stranger_at,
            searches: Searches::default(),
            feed: Feed::default(),
            looks: Looks::default(),
            keeper,
        };
        let app = Self(Arc::new(inner));
        app.load_revocations().await?;
        Ok(app)
    }

    /// The reference data of this moment.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The same, to be kept across an await.
    pub fn snapshot_kept(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Reads the reference data again, after a change that this request made itself.
    pub async fn reload(&self) -> Result<(), Failure> {
        self.reload_all().await.map(drop)
    }

    /// The same; the keys and secrets that are there, though this node knows that they were
    /// withdrawn. A backup brings them back, and nothing is done with them.
    async fn reload_all(&self) -> Result<LeftOut, Failure> {
        // One at a time: what was read earlier must not be put in place of what was read later.
        let _turn = self.reloading.lock().await;
        let rows = self.store.read(Rows::read).await?;
        let mut rows = with_asked(&self.store, &self.config, &self.clock, rows).await?;
        let back = rows.leave_out(|kid| self.is_withdrawn(kid));
        let known = self.snapshot_kept();
        let clock = &self.clock;
        let snapshot = Snapshot::build(rows, &self.config, clock, Some(&known.keys))?;
        self.verifier.replace_keys(snapshot.keys.accepted().clone());
        self.introspector.replace_keys(snapshot.keys.accepted().clone());
        self.snapshot.store(Arc::new(snapshot));
        Ok(back)
    }

    fn is_withdrawn(&self, kid: &str) -> bool {
        let not_before = self.verifier.revocations().not_before(RevocationKind::Key, kid);
        not_before.is_some_and(|second| second >= END_OF_TIME)
    }

    /// Withdraws a key that a backup brought back, so that nodes that do not remember, and whoever
    /// follows the feed, are told again.
    async fn withdraw_again(&self, kid: &str) -> Result<(), Failure> {
        tracing::error!(kid, "a key that was withdrawn is there again: it is withdrawn again");
        let events = (self.system_event(Kind::KeyWithdrawn)?, self.system_event(Kind::KeyCreated)?);
        self.withdraw_key(kid, events).await.map(drop)
    }

    /// Follows what other nodes (and the command line) change, until the app is dropped.
    pub fn follow(&self) {
        let (weak, news) = (self.downgrade(), self.feed.wake());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(POLL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let is_news = tokio::select! {
                    _ = ticks.tick() => false,
                    () = news.notified() => true,
                };
                let Some(app) = weak.upgrade() else { return };
                let caught_up = match is_news {
                    true => app.load_revocations().await,
                    false => app.catch_up().await,
                };
                if let Err(error) = caught_up {
                    tracing::warn!(%error, "cannot follow the database; trying again");
                    if let Err(error) = app.settle_epoch().await {
                        tracing::debug!(%error, "nor is it known which database it is");
                    }
                }
            }
        });
    }

    /// A handle that does not keep the server alive.
    pub fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }

    /// One look at what changed elsewhere.
    pub async fn catch_up(&self) -> Result<(), Failure> {
        let version = self.store.read(counters::reference_version).await?;
        let (known, changes_at) = {
            let snapshot = self.snapshot();
            (snapshot.version, snapshot.changes_at)
        };
        let due = changes_at.is_some_and(|at| at <= self.clock.now());
        let reloaded = match version != known || due {
            true => self.reload_all().await,
            false => Ok(LeftOut::default()),
        };
        // Whatever is wrong with the rest: what was revoked is obeyed.
        self.load_revocations().await?;
        let LeftOut { keys, secrets } = reloaded?;
        for kid in keys {
            self.withdraw_again(&kid).await?;
        }
        for secret in secrets {
            self.unshare_again(secret).await?;
        }
        if due {
            self.rotate_due_keys().await?;
        }
        Ok(())
    }

    /// The same for a name that is not known here, though it may have been made a moment ago
    /// elsewhere. Strangers can cause it, so it is done a few times a second at most.
    pub async fn catch_up_for_a_stranger(&self) -> Result<(), Failure> {
        let now = self.clock.now().as_millis();
        let last = self.stranger_at.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= STRANGERS_MILLIS || now < last;
        let order = Ordering::Relaxed;
        if is_due && self.stranger_at.compare_exchange(last, now, order, order).is_ok() {
            return self.catch_up().await;
        }
        Ok(())
    }

    /// How things end from now on.
    pub(crate) fn ending(&self) -> Ending {
        Ending { clock: self.clock.clone(), longest_ttl: self.snapshot().longest_ttl() }
    }

    /// A new audit event that the server itself caused.
    pub fn system_event(&self, kind: Kind) -> Result<Event, Failure> {
        let at = self.clock.now();
        let origin = Origin { at, actor: Actor::System, address: None, request_id: None };
        Ok(Event::new(random::event_id(at)?, kind, origin))
    }

    /// Makes an RS256 key if there is none: ID tokens need one (OpenID Connect Core §15.1). Takes
    /// a good part of a second of one core, so it is done after the server answers already.
    pub async fn ensure_rsa_key(&self) -> Result<(), Failure> {
        let rows = self.store.read(Rows::read).await?;
        if rows.lacks(&[Algorithm::Rs256]).1.is_empty() {
            return Ok(());
        }
        make(&self.store, &self.config, &self.clock, Algorithm::Rs256).await?;
        self.reload().await
    }
}

async fn open_store(config: &Config, clock: &Clock) -> Result<Store, Failure> {
    let mut options = StoreOptions::new(config.database.clone(), clock.now());
    options.is_guarded = true;
    Ok(Store::open(options).await?)
}

fn verifiers(
    config: &Config,
    snapshot: &Snapshot,
    clock: &Clock,
) -> Result<(Verifier, Verifier), Failure> {
    let build = |any_audience: bool| {
        let keys = snapshot.keys.accepted().clone();
        let builder =
            Verifier::with_keys(&config.issuer, &config.issuer, keys).clock(clock.of_verifier());
        let builder = if any_audience { builder.any_audience() } else { builder };
        // RFC 9449 §7: both kinds of tokens, each as what it is.
        let builder = builder.dpop(Dpop::Allowed).public_url(&config.issuer);
        // The clock is the one that the tokens were made by. What is left is the second by which a
        // token may be lifted over a revocation.
        let builder = builder.leeway(Duration::from_secs(1));
        builder.build().map_err(|_| Failure::Damaged("issuer"))
    };
    let verifier = build(false)?;
    Ok((verifier, build(true)?))
}

/// Before which `iat` no token of this person and client is alive.
///
/// Read *before* what the token is made of is read: if something is revoked in between, the token
/// stays on the dead side of it. A token issued in the very second of a "sign out everywhere", but
/// of what came after it, is lifted onto the living side.
pub fn floor(app: &App, names: &[(RevocationKind, &str)]) -> i64 {
    let revocations = app.verifier.revocations();
    if revocations.is_empty() {
        return 0;
    }
    // After a restore everything is ended that the keys signed before, and the keys go on.
    let (snapshot, now) = (app.snapshot(), app.clock.now());
    let keys = ALGORITHMS.into_iter().filter_map(|it| snapshot.keys.active(it, now));
    let kids = keys.map(SigningKey::kid).chain(snapshot.api_secrets.signing(now));
    let ended = kids.filter_map(|kid| revocations.not_before(RevocationKind::Key, kid));
    // A withdrawn one signs nothing that could live, whatever its `iat`.
    let ended = ended.filter(|second| *second < END_OF_TIME);
    let named = names.iter().filter_map(|(kind, key)| revocations.not_before(*kind, key));
    named.chain(ended).max().unwrap_or(0)
}
