//! The sequencer: gives committed events their place in the audit trail's tree (RFC 6962), writes
//! its tiles (C2SP tlog-tiles) and signs checkpoints (C2SP tlog-checkpoint). One node at a time
//! does it; another one takes over when that one falls silent. It must not sign anything that does
//! not go on from what was signed before.

mod turns;

use std::collections::BTreeMap;

use munjigi_audit::{
    Checkpoint, Completed, Edge, Error, Hash, Signer, Tile, VerifierKey, empty_root, leaf_hash,
    read_hashes, write_hashes,
};
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::audit::StoredEvent;
use munjigi_store::audit_log::{self, Growth, Log, StoredCheckpoint, StoredLeaf, StoredTile};
use munjigi_store::{Audit, Committed, ReadTx, StoreError};
use thiserror::Error as ThisError;

use crate::app::App;
use crate::audit_key;
use crate::audit_leaf::leaf;
use crate::failure::Failure;
use crate::random;
pub use turns::start;
pub(crate) use turns::{Turns, last};

/// How many events get their places at a time.
const AT_A_TIME: u32 = 256;
/// How long a silent node keeps the tree to itself.
const LEASE: Span = Span::from_seconds(10);
/// A checkpoint is signed after so long, …
const SIGN_AFTER: Span = Span::from_seconds(1);
/// … or after so many events, whichever is first.
const SIGN_EVERY: i64 = 256;
/// How long checkpoints are kept that are not the last one: what they said, the tiles say.
const KEEP_CHECKPOINTS: Span = Span::from_days(1);
/// How many of them are forgotten at a time.
const FORGOTTEN: u32 = 100;
/// How many leaves a node that takes over reads at a time.
const READ_AT_ONCE: u32 = 1_000;

/// Why the tree does not go on. People sign in all the same.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("the audit trail is not what was signed: {0}; nothing is signed until this is resolved")]
pub struct Refused(pub &'static str);

/// What one look brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Another node writes the tree.
    Elsewhere,
    /// So many events got their places, and the last checkpoint vouches for so many.
    Done {
        /// New leaves.
        numbered: usize,
        /// How many leaves are signed.
        signed: i64,
    },
    /// Something is wrong with what was written before.
    Refused(Refused),
}

/// Whose the tree is.
enum Hold {
    /// This node's; how far it is, and what it lacks.
    Mine(Log, Vec<StoredEvent>),
    /// This node's from now on.
    Taken,
    /// Another node's, or nobody's while there is nothing to do.
    Elsewhere,
}

/// When a checkpoint is signed of what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// After a second, or after many events.
    Spared,
    /// With every look.
    AtOnce,
}

/// One node's sequencer.
#[derive(Debug)]
pub struct Sequencer {
    holder: [u8; 16],
    signer: Signer,
    /// The tree as this node wrote it, or computed it when it took over.
    tree: Option<(i64, Edge)>,
    /// What this node signed last, whatever the database says: its size and its root.
    signed: Option<(i64, Hash)>,
    /// Said once in the log, not twice a second.
    refused: Option<Refused>,
    /// Another node's tree that has something to do, and since when this node sees it not done.
    idle: Option<(Log, Timestamp)>,
    /// The restore of the database that this node knows of.
    ended_before: Option<Timestamp>,
    pace: Pace,
}

/// What the trail of this server is called: the issuer without its scheme, and a word.
fn name(issuer: &str) -> String {
    let place = issuer.split_once("://").map_or(issuer, |(_, place)| place);
    format!("{}/audit", place.trim_end_matches('/').replace('+', "-"))
}

impl Sequencer {
    /// The sequencer of this node.
    pub fn new(app: &App) -> Result<Self, Failure> {
        let signer = audit_key::first(app, &name(&app.config.issuer))?;
        let (holder, ended_before) = (random::bytes()?, app.snapshot().ended_before);
        let (tree, signed, refused, idle) = (None, None, None, None);
        let pace = Pace::Spared;
        Ok(Self { holder, signer, tree, signed, refused, idle, ended_before, pace })
    }

    /// The key that its checkpoints are verified with.
    pub fn verifier(&self) -> VerifierKey {
        self.signer.verifier()
    }

    /// Goes on with the key that the trail is signed with by now, and under the name that it was
    /// begun with, whatever the issuer is called.
    async fn adopt(&mut self, app: &App, log: &Log) -> Result<Result<(), Refused>, Failure> {
        if log.vkey == self.verifier().to_string() {
            return Ok(Ok(()));
        }
        Ok(match audit_key::find(app, &log.vkey).await? {
            Some(signer) => {
                self.signer = signer;
                Ok(())
            }
            None => Err(Refused("it was begun by another key")),
        })
    }

    /// Gives every event that has none its place, and signs what is due.
    pub async fn run(&mut self, app: &App) -> Result<Looked, Failure> {
        let mut numbered = 0_usize;
        self.forget_if_restored(app);
        loop {
            let (log, events) = match self.hold(app).await? {
                Hold::Mine(log, events) => (log, events),
                Hold::Taken => continue,
                Hold::Elsewhere => return Ok(Looked::Elsewhere),
            };
            // A database that was restored, or lags behind, would have other events signed in the
            // places of those that are signed.
            if self.signed.is_some_and(|(size, _)| log.signed_size < size) {
                return Ok(self.refuse(Refused("it has gone back behind what this node signed")));
            }
            let is_all_signed = events.is_empty() && log.size == log.signed_size;
            let wants_key = log.rotation_asked_at.is_some() && log.size > 0;
            if is_all_signed && !wants_key {
                return Ok(Looked::Done { numbered, signed: log.signed_size });
            }
            if let Err(refused) = self.adopt(app, &log).await? {
                return Ok(self.refuse(refused));
            }
            let tree = match self.tree(app, &log).await? {
                Ok(Some(tree)) => tree,
                Ok(None) => continue,
                Err(refused) => return Ok(self.refuse(refused)),
            };
            self.refused = None;
            if is_all_signed {
                if let Some(next) = audit_key::rotate(app, &log, tree.root(), &self.signer).await? {
                    self.signer = next;
                }
                continue;
            }
            let added = events.len();
            let Some((log, tree)) = self.grow(app, log, tree, events).await? else { continue };
            numbered = numbered.saturating_add(added);
            let root = tree.root();
            self.tree = Some((log.term, tree));
            let signed = self.sign(app, &log, root).await?;
            if added < usize::try_from(AT_A_TIME).unwrap_or(usize::MAX) {
                return Ok(Looked::Done { numbered, signed });
            }
        }
    }

    /// The same for the last time, before this node ends: all of it is signed, whatever is due.
    pub async fn run_last(&mut self, app: &App) -> Result<Looked, Failure> {
        self.pace = Pace::AtOnce;
        self.run(app).await
    }

    /// After a restore that the trail itself tells of, what was signed on the lost rows binds
    /// nobody any more: the trail goes on from the backup, and every anchor shows where it parted.
    fn forget_if_restored(&mut self, app: &App) {
        let ended_before = app.snapshot().ended_before;
        if ended_before != self.ended_before {
            tracing::warn!("the audit trail goes on from a backup; anchors of later sizes differ");
            (self.ended_before, self.signed, self.tree) = (ended_before, None, None);
        }
    }

    /// Whether another node leaves undone for longer than a lease what is to be done. By this
    /// node's clock alone: the other one's may be ahead, and its lease would not end for hours.
    fn is_overdue(&mut self, log: &Log, is_pending: bool, now: Timestamp) -> bool {
        match &self.idle {
            Some((seen, since)) if is_pending && seen == log && *since <= now => {
                since.plus(LEASE) <= now
            }
            _ => {
                self.idle = is_pending.then(|| (log.clone(), now));
                false
            }
        }
    }

    fn refuse(&mut self, refused: Refused) -> Looked {
        self.tree = None;
        if self.refused.as_ref() != Some(&refused) {
            tracing::error!(error = %refused, "the audit trail is refused");
            self.refused = Some(refused.clone());
        }
        Looked::Refused(refused)
    }

    /// How far the tree is and what it lacks, if this node may write it.
    async fn hold(&mut self, app: &App) -> Result<Hold, Failure> {
        let now = app.clock.now();
        let (holder, until) = (self.holder, now.plus(LEASE));
        let read = move |tx: &mut ReadTx<'_>| {
            let found = audit_log::find(tx)?;
            let elsewhere = |log: &Log| log.holder != holder && log.held_until > now;
            let most = if found.as_ref().is_some_and(elsewhere) { 1 } else { AT_A_TIME };
            Ok::<_, StoreError>((found, audit_log::unnumbered(tx, most)?))
        };
        let (found, events) = app.store.read(read).await?;
        match &found {
            Some(log) if log.holder == holder => return Ok(Hold::Mine(log.clone(), events)),
            // An idle tree is left to whoever has it.
            Some(log) => {
                let is_wanted = log.rotation_asked_at.is_some() && log.size > 0;
                let is_pending = !events.is_empty() || log.size != log.signed_size || is_wanted;
                let is_overdue = self.is_overdue(log, is_pending, now);
                if !is_pending || (log.held_until > now && !is_overdue) {
                    return Ok(Hold::Elsewhere);
                }
            }
            None => {}
        }
        let first = self.first(until);
        let written = app.store.write(move |tx| {
            let done = match &found {
                Some(seen) => audit_log::take(tx, seen, &holder, until)?,
                None => audit_log::begin(tx, &first)?,
            };
            let audit = Audit::Routine("a node takes the tree of the audit trail over");
            Ok::<_, StoreError>(match done {
                true => Committed::new(true, audit),
                false => Committed::nothing(false),
            })
        });
        // The other node may have gone on until this very moment: what was read is read again.
        Ok(if written.await? { Hold::Taken } else { Hold::Elsewhere })
    }

    fn first(&self, until: Timestamp) -> Log {
        Log {
            vkey: self.verifier().to_string(),
            size: 0,
            root: empty_root(),
            signed_size: 0,
            signed_at: Timestamp::from_millis(0),
            term: 1,
            holder: self.holder,
            held_until: until,
            rotation_asked_at: None,
        }
    }

    /// The tree where it stands: as this node left it, or computed from what was signed. Nothing
    /// when another node has it meanwhile.
    async fn tree(&self, app: &App, log: &Log) -> Result<Result<Option<Edge>, Refused>, Failure> {
        if let Some((term, tree)) = &self.tree
            && *term == log.term
            && to_i64(tree.size()) == log.size
            && tree.root() == log.root
        {
            return Ok(Ok(Some(tree.clone())));
        }
        // In one look, or else another node's checkpoint would be held against older tiles.
        let Some(wanted) = edge_of(log.signed_size) else { return Ok(Err(Refused("its size"))) };
        let read = move |tx: &mut ReadTx<'_>| {
            let (log, checkpoint) = (audit_log::find(tx)?, audit_log::last_checkpoint(tx)?);
            Ok::<_, StoreError>((log, checkpoint, read_tiles(tx, &wanted)?))
        };
        let (seen, checkpoint, tiles) = app.store.read(read).await?;
        if seen.as_ref() != Some(log) {
            return Ok(Ok(None));
        }
        let mut tree = match self.signed(log, checkpoint, &tiles) {
            Ok(tree) => tree,
            Err(refused) => return Ok(Err(refused)),
        };
        // What was numbered and not signed yet.
        while to_i64(tree.size()) < log.size {
            let next = to_i64(tree.size());
            let read = move |tx: &mut ReadTx<'_>| audit_log::leaves(tx, next, READ_AT_ONCE);
            let leaves = app.store.read(read).await?;
            for ((leaf, _), seq) in leaves.iter().zip(next..log.size) {
                if leaf.seq != seq {
                    return Ok(Err(Refused("a leaf is missing")));
                }
                tree.push(leaf_hash(leaf.entry.as_bytes()));
            }
            if leaves.is_empty() {
                return Ok(Err(Refused("a leaf is missing")));
            }
        }
        let is_same = tree.root() == log.root;
        Ok(if is_same {
            Ok(Some(tree))
        } else {
            Err(Refused("its leaves are not those of its root"))
        })
    }

    /// The tree that the last checkpoint vouches for.
    fn signed(
        &self,
        log: &Log,
        checkpoint: Option<StoredCheckpoint>,
        tiles: &BTreeMap<(i64, i64), Vec<u8>>,
    ) -> Result<Edge, Refused> {
        let restored = Edge::restore(u64::try_from(log.signed_size).unwrap_or(0), |tile| {
            let place = (i64::from(tile.level.unwrap_or(0)), to_i64(tile.index));
            let bytes = tiles.get(&place).map(Vec::as_slice).unwrap_or_default();
            let width = u64::try_from(bytes.len() / 32).unwrap_or(0);
            read_hashes(bytes, width)
        });
        let tree = restored.map_err(|_: Error| Refused("a tile is missing, or too short"))?;
        let Some(checkpoint) = checkpoint else {
            let is_new = log.signed_size == 0;
            return if is_new { Ok(tree) } else { Err(Refused("its checkpoint is missing")) };
        };
        let opened = Checkpoint::open(&checkpoint.note, &self.verifier());
        let opened = opened.map_err(|_| Refused("its checkpoint is not ours"))?;
        if to_i64(opened.size) != log.signed_size {
            return Err(Refused("it has gone back behind its checkpoint"));
        }
        if self.signed.is_some_and(|(size, root)| size == log.signed_size && root != opened.root) {
            return Err(Refused("its checkpoint is not the one that this node signed"));
        }
        let is_same = opened.root == tree.root();
        if is_same { Ok(tree) } else { Err(Refused("its tiles are not those that were signed")) }
    }

    /// Adds the events; nothing when another node was quicker.
    async fn grow(
        &mut self,
        app: &App,
        log: Log,
        mut tree: Edge,
        events: Vec<StoredEvent>,
    ) -> Result<Option<(Log, Edge)>, Failure> {
        if events.is_empty() {
            return Ok(Some((log, tree)));
        }
        let (mut leaves, mut completed) = (Vec::new(), Vec::new());
        for (event, seq) in events.iter().zip(log.size..) {
            let salt = random::bytes()?;
            let entry = leaf(event, &salt).to_entry();
            completed.extend(tree.push(leaf_hash(entry.as_bytes())));
            leaves.push(StoredLeaf { seq, event_id: event.id, entry, salt: Some(salt) });
        }
        completed.extend(tree.unfinished());
        let root = tree.root();
        let held_until = app.clock.now().plus(LEASE);
        let tiles = completed.iter().map(stored).collect();
        let growth = Growth { from: log.clone(), leaves, tiles, root, held_until };
        let size = log.size.saturating_add(i64::try_from(events.len()).unwrap_or(i64::MAX));
        let written = app.store.write(move |tx| {
            let audit = Audit::Routine("events get their places in the audit trail");
            Ok::<_, StoreError>(match audit_log::grow(tx, &growth)? {
                true => Committed::new(true, audit),
                false => Committed::nothing(false),
            })
        });
        if !written.await? {
            self.tree = None;
            return Ok(None);
        }
        Ok(Some((Log { size, root, held_until, ..log }, tree)))
    }

    /// Signs what is there, if it is time; how many leaves are signed then.
    async fn sign(&mut self, app: &App, log: &Log, root: Hash) -> Result<i64, Failure> {
        let now = app.clock.now();
        let waiting = log.size.saturating_sub(log.signed_size);
        let is_due = self.pace == Pace::AtOnce
            || waiting >= SIGN_EVERY
            || log.signed_at.plus(SIGN_AFTER) <= now;
        if waiting == 0 || !is_due {
            return Ok(log.signed_size);
        }
        let size = u64::try_from(log.size).unwrap_or(0);
        let text = Checkpoint::new(self.verifier().name(), size, root).to_string();
        let note = self.signer.sign(&text).map_err(|_| Failure::Damaged("a checkpoint"))?;
        let checkpoint = StoredCheckpoint { size: log.size, note, signed_at: now };
        let seen = log.clone();
        let signed = app.store.write(move |tx| {
            let audit = Audit::Routine("a checkpoint of the audit trail is signed");
            if !audit_log::sign(tx, &seen, &checkpoint)? {
                return Ok::<_, StoreError>(Committed::nothing(false));
            }
            audit_log::forget_checkpoints(tx, now.minus(KEEP_CHECKPOINTS), FORGOTTEN)?;
            Ok(Committed::new(true, audit))
        });
        if signed.await? {
            self.signed = Some((log.size, root));
            return Ok(log.size);
        }
        self.tree = None;
        Ok(log.signed_size)
    }
}

/// The unfinished tiles of a tree of this size.
fn edge_of(size: i64) -> Option<Vec<Tile>> {
    let size = u64::try_from(size).ok()?;
    let last = |level: u32| {
        let hashes = size.checked_shr(level.saturating_mul(8)).unwrap_or(0);
        Tile::of(size, Some(level), hashes / munjigi_audit::WIDTH)
    };
    Some((0..8).filter_map(last).collect())
}

fn read_tiles(
    tx: &mut ReadTx<'_>,
    wanted: &[Tile],
) -> Result<BTreeMap<(i64, i64), Vec<u8>>, StoreError> {
    let mut tiles = BTreeMap::new();
    for tile in wanted {
        let (level, place) = (i64::from(tile.level.unwrap_or(0)), to_i64(tile.index));
        if let Some(found) = audit_log::tile(tx, level, place)? {
            tiles.insert((level, place), found.hashes);
        }
    }
    Ok(tiles)
}

fn stored(completed: &Completed) -> StoredTile {
    let Completed { tile, hashes } = completed;
    let level = i64::from(tile.level.unwrap_or(0));
    StoredTile { level, place: to_i64(tile.index), hashes: write_hashes(hashes) }
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
