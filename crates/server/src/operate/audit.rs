//! The audit trail, as an operator sees it: searched, exported, proved, verified against what was
//! signed. It needs no private key; erasing aside, it changes nothing.

use std::collections::BTreeMap;

use munjigi_audit::{
    Checkpoint, Completed, Directory, Edge, Error, Finding, Hash, Keys, Leaf, Proof, Tile,
    VerifierKey, hash_in_tile, inclusion, kept_line, leaf_hash, personal_line, tiles_of,
    write_bundle,
};
use munjigi_core::audit::Kind;
use munjigi_core::id::{EventId, UserId};
use munjigi_store::audit::{self, AuditFilter, StoredEvent};
use munjigi_store::audit_log::{self, Log, NamedPlace, StoredCheckpoint, StoredKey, StoredLeaf};
use munjigi_store::page::{Listed, Page};
use serde_json::{Value, json};

use super::{Done, OperateError, Operator};
use crate::accounts::rfc3339;
use crate::audit_leaf::{is_as_it_was, personal};
use crate::failure::Failure;

/// How many leaves are read at a time: a bundle.
const BUNDLE: u32 = 256;
/// How many events are looked at for their places at a time.
const AT_ONCE: u32 = 1_000;

/// What the trail's tree says about itself.
#[derive(Clone, Debug)]
pub struct Trail {
    /// How far it is.
    pub log: Log,
    /// What was signed last.
    pub checkpoint: StoredCheckpoint,
    /// How many events have no place in the tree yet.
    pub waiting: i64,
}

/// A trail that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Of how many events the personal data was erased.
    pub erased: u64,
}

impl From<Error> for OperateError {
    fn from(error: Error) -> Self {
        Self::Refused(format!("the audit trail: {error}; `munjigi audit verify` says where"))
    }
}

impl Operator {
    /// Events, the newest first.
    pub async fn list_events(
        &self,
        page: Page<EventId>,
        filter: AuditFilter,
    ) -> Result<Listed<StoredEvent, EventId>, OperateError> {
        self.read(move |tx| Ok(audit::list(tx, &page, &filter)?)).await
    }

    /// The tree, once a server has signed something.
    pub async fn audit_trail(&self) -> Result<Trail, OperateError> {
        let found = self.read(|tx| {
            let (log, checkpoint) = (audit_log::find(tx)?, audit_log::last_checkpoint(tx)?);
            let waiting = audit_log::count_unnumbered(tx)?;
            Ok(log.zip(checkpoint).map(|(log, checkpoint)| Trail { log, checkpoint, waiting }))
        });
        let unsigned = || {
            let what = "no checkpoint was signed yet: a server signs one within a moment";
            OperateError::Refused(what.to_owned())
        };
        found.await?.ok_or_else(unsigned)
    }

    /// Whether events, leaves and tiles are what `key` signed, and go on from the checkpoints that
    /// somebody kept.
    pub async fn verify_audit(
        &self,
        key: &VerifierKey,
        since: &[Checkpoint],
    ) -> Result<Result<Holds, Finding>, OperateError> {
        let note = self.audit_trail().await?.checkpoint.note;
        let keys = match self.audit_keys(key).await? {
            Ok(keys) => keys,
            Err(finding) => return Ok(Err(finding)),
        };
        let since = [since, keys.changes.as_slice()].concat();
        let checkpoint = match Checkpoint::open(&note, keys.last()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                return Ok(Err(Finding::tampered(None, format!("the checkpoint: {error}"))));
            }
        };
        if let Some(old) = since.iter().map(|old| old.size).find(|old| *old > checkpoint.size) {
            let what = format!("{old} events were signed before, {} are left", checkpoint.size);
            return Ok(Err(Finding::Forked(what)));
        }
        let then = since.iter().map(|old| (old.size, None)).collect();
        let mut walk = Walk { tree: Edge::default(), then, erased: 0 };
        while walk.tree.size() < checkpoint.size {
            let next = walk.tree.size();
            let leaves = self.leaves(next, checkpoint.size).await?;
            let completed = match walk.bundle(next, &leaves) {
                Ok(completed) => completed,
                Err(finding) => return Ok(Err(finding)),
            };
            if let Some(seq) = self.gap(&leaves).await? {
                return Ok(Err(Finding::incomplete(Some(seq), "the event is missing")));
            }
            if let Err(finding) = self.compare(&completed).await? {
                return Ok(Err(finding));
            }
        }
        if let Err(finding) = self.compare(&walk.tree.unfinished()).await? {
            return Ok(Err(finding));
        }
        if let Some(finding) = self.stray().await? {
            return Ok(Err(finding));
        }
        if walk.tree.root() != checkpoint.root {
            let what = "events and tiles fit together, and are not those that were signed";
            return Ok(Err(Finding::tampered(None, what)));
        }
        let is_other = |old: &&Checkpoint| {
            old.size > 0 && walk.then.get(&old.size).copied().flatten() != Some(old.root)
        };
        if let Some(old) = since.iter().find(is_other) {
            let what = format!("the first {} events are others than were signed before", old.size);
            return Ok(Err(Finding::Forked(what)));
        }
        Ok(Ok(Holds { checkpoint, erased: walk.erased }))
    }

    /// The keys that followed `key`, which is trusted.
    pub async fn audit_keys(
        &self,
        key: &VerifierKey,
    ) -> Result<Result<Keys, Finding>, OperateError> {
        Ok(Keys::follow(key, &self.introductions().await?))
    }

    /// The checkpoints that introduced keys, one in each line.
    async fn introductions(&self) -> Result<String, OperateError> {
        Ok(introductions(&self.read(|tx| Ok(audit_log::keys(tx)?)).await?))
    }

    /// Asks the server for another key to sign the trail with; false when somebody has before, or
    /// there is no trail yet.
    pub async fn rotate_audit_key(&self) -> Result<bool, OperateError> {
        let (now, event) = (self.now(), self.event(Kind::AuditKeyRotationAsked)?);
        let asked = self.write(move |tx| {
            Ok(match audit_log::ask_rotation(tx, now)? {
                true => Done::Changed(true, event.clone()),
                false => Done::Same(false),
            })
        });
        asked.await
    }

    /// The first of these places whose event is gone, and not because it was kept long enough.
    async fn gap(
        &self,
        leaves: &[(StoredLeaf, Option<StoredEvent>)],
    ) -> Result<Option<u64>, OperateError> {
        let mut gone = leaves.iter().filter(|(_, event)| event.is_none()).map(|(leaf, _)| leaf.seq);
        let Some(first) = gone.next() else { return Ok(None) };
        let last = gone.next_back().unwrap_or(first);
        let gap = self.read(move |tx| Ok(audit_log::gap(tx, first, last)?)).await?;
        Ok(gap.and_then(|seq| u64::try_from(seq).ok()))
    }

    /// An event that names a place which no leaf gives it: the walk over the leaves never meets it,
    /// and yet it would be shown as one of those that are signed.
    async fn stray(&self) -> Result<Option<Finding>, OperateError> {
        let mut from = EventId::from_bytes([0; 16]);
        loop {
            let look = self.read(move |tx| {
                let size = audit_log::find(tx)?.map_or(0, |log| log.size);
                Ok((size, audit_log::named_places(tx, &from, AT_ONCE)?))
            });
            let (size, places) = look.await?;
            let is_own = |it: &NamedPlace| it.leaf == Some(it.seq) && (0..size).contains(&it.seq);
            if let Some(stray) = places.iter().find(|place| !is_own(place)) {
                let what = format!("the event {} has no leaf in its place", stray.event_id);
                return Ok(Some(Finding::tampered(u64::try_from(stray.seq).ok(), what)));
            }
            match places.last() {
                // The last one is looked at again, as the first of the next.
                Some(last) if last.event_id != from => from = last.event_id,
                _ => return Ok(None),
            }
        }
    }

    /// Compares computed tiles with those in the database, which may be longer by now.
    async fn compare(&self, computed: &[Completed]) -> Result<Result<(), Finding>, OperateError> {
        for Completed { tile, hashes } in computed {
            let found = self.hashes(*tile).await?;
            let step = 1_u64.checked_shl(tile.level.unwrap_or(0) * 8).unwrap_or(0);
            let at = |place: usize| {
                let place = u64::try_from(place).unwrap_or(u64::MAX);
                Some(tile.first_entry().saturating_add(place.saturating_mul(step)))
            };
            if let Some(place) = found.iter().zip(hashes).position(|(a, b)| a != b) {
                let what = format!("an event, or its hash in {}, was changed", tile.path());
                return Ok(Err(Finding::tampered(at(place), what)));
            }
            if found.len() < hashes.len() {
                let what = format!("{} ends too early", tile.path());
                return Ok(Err(Finding::incomplete(at(found.len()), what)));
            }
        }
        Ok(Ok(()))
    }

    /// Writes what was signed last into a directory, as C2SP tlog-tiles lays it out, with the
    /// personal data that is still there in a file beside it.
    pub async fn export_audit(&self, into: &Directory) -> Result<Trail, OperateError> {
        let trail = self.audit_trail().await?;
        let size = u64::try_from(trail.checkpoint.size).unwrap_or(0);
        let written = |path: &str, bytes: &[u8]| {
            let failed = |error| OperateError::Refused(format!("{path}: {error}"));
            into.write(path, bytes).map_err(failed)
        };
        let mut lines = String::new();
        for tile in tiles_of(size) {
            if tile.level.is_some() {
                let hashes: Vec<Hash> = self.hashes(tile).await?;
                written(&tile.path(), &munjigi_audit::write_hashes(&cut(hashes, tile.width)))?;
                continue;
            }
            let leaves = self.leaves(tile.first_entry(), size).await?;
            let entries = leaves.iter().map(|(leaf, _)| leaf.entry.as_bytes());
            written(&tile.path(), &write_bundle(entries)?)?;
            for (leaf, event) in &leaves {
                let kept = leaf.salt.as_ref().zip(event.as_ref());
                let seq = u64::try_from(leaf.seq).unwrap_or(0);
                let line = kept.map(|(salt, event)| personal_line(seq, salt, &personal(event)));
                lines.push_str(&line.unwrap_or_default());
            }
        }
        written("personal.ndjson", lines.as_bytes())?;
        let introductions = self.introductions().await?;
        if !introductions.is_empty() {
            written("keys.ndjson", introductions.as_bytes())?;
        }
        written("checkpoint", trail.checkpoint.note.as_bytes())?;
        Ok(trail)
    }

    /// A proof that an event is in the trail, for somebody who has its key and nothing else.
    pub async fn prove_event(&self, id: EventId) -> Result<Proof, OperateError> {
        let trail = self.audit_trail().await?;
        let size = u64::try_from(trail.checkpoint.size).unwrap_or(0);
        let found = self.read(move |tx| Ok(audit_log::seq_of(tx, &id)?)).await?;
        let index = found.and_then(|seq| u64::try_from(seq).ok()).filter(|seq| *seq < size);
        let index = index.ok_or_else(|| super::not_found("signed event", id))?;
        let leaves = self.leaves(index, index.saturating_add(1)).await?;
        let entry = leaves.into_iter().next().map(|(leaf, _)| leaf.entry.into_bytes());
        let entry = entry.ok_or_else(|| super::not_found("leaf of event", id))?;
        let path = self.read(move |tx| {
            let mut known: BTreeMap<(u32, u64), Vec<Hash>> = BTreeMap::new();
            inclusion(index, size, |height, subtree| {
                hash_in_tile(height, subtree, |level, place, _| {
                    if let Some(hashes) = known.get(&(level, place)) {
                        return Ok(hashes.clone());
                    }
                    let hashes = read_tile(tx, level, place)?;
                    known.insert((level, place), hashes.clone());
                    Ok::<_, OperateError>(hashes)
                })
            })
        });
        Ok(Proof { entry, index, path: path.await?, note: trail.checkpoint.note })
    }

    /// Erases what the events about a person tell about them: addresses, details, and the salts
    /// without which nobody can guess those. The trail holds as before.
    pub async fn erase_from_audit(&self, subject: UserId) -> Result<u64, OperateError> {
        let event = self.event(Kind::PersonalDataErased)?.subject(subject);
        let erased = self.write(move |tx| {
            let erased = audit_log::erase(tx, &subject.to_string())?;
            Ok(match erased {
                0 => Done::Same(0),
                more => Done::Changed(more, event.clone().with("events", more)),
            })
        });
        erased.await
    }

    async fn leaves(
        &self,
        first: u64,
        end: u64,
    ) -> Result<Vec<(StoredLeaf, Option<StoredEvent>)>, OperateError> {
        let (first, end) = (to_i64(first), to_i64(end));
        let mut leaves = self.read(move |tx| Ok(audit_log::leaves(tx, first, BUNDLE)?)).await?;
        leaves.retain(|(leaf, _)| leaf.seq < end);
        Ok(leaves)
    }

    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, OperateError> {
        let level = tile.level.unwrap_or(0);
        self.read(move |tx| read_tile(tx, level, tile.index)).await
    }
}

fn read_tile(
    tx: &mut munjigi_store::ReadTx<'_>,
    level: u32,
    place: u64,
) -> Result<Vec<Hash>, OperateError> {
    let found = audit_log::tile(tx, i64::from(level), to_i64(place))?;
    let bytes = found.map(|tile| tile.hashes).unwrap_or_default();
    Ok(bytes.as_chunks::<32>().0.to_vec())
}

fn cut(mut hashes: Vec<Hash>, width: u64) -> Vec<Hash> {
    hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX));
    hashes
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn names_its_event(leaf: &StoredLeaf) -> bool {
    Leaf::parse(leaf.entry.as_bytes()).is_ok_and(|signed| signed.id == leaf.event_id.to_string())
}

/// A walk over every leaf.
struct Walk {
    tree: Edge,
    /// The roots when the tree had so many leaves.
    then: BTreeMap<u64, Option<Hash>>,
    erased: u64,
}

impl Walk {
    fn bundle(
        &mut self,
        next: u64,
        leaves: &[(StoredLeaf, Option<StoredEvent>)],
    ) -> Result<Vec<Completed>, Finding> {
        if leaves.is_empty() {
            return Err(Finding::incomplete(Some(next), "the leaf is missing"));
        }
        let mut completed = Vec::new();
        for ((leaf, event), seq) in leaves.iter().zip(next..) {
            if leaf.seq != to_i64(seq) {
                return Err(Finding::incomplete(Some(seq), "the leaf is missing"));
            }
            self.erased = self.erased.saturating_add(u64::from(leaf.salt.is_none()));
            match event {
                Some(event) if is_as_it_was(event, leaf.salt.as_ref(), &leaf.entry) => {}
                Some(_) => {
                    let what = "the event is not what its leaf was made of";
                    return Err(Finding::tampered(Some(seq), what));
                }
                // What is erased may be gone with its row, if it was its turn: see `gap`, which
                // goes by the id that was signed.
                None if leaf.salt.is_none() && names_its_event(leaf) => {}
                None => return Err(Finding::incomplete(Some(seq), "the event is missing")),
            }
            completed.extend(self.tree.push(leaf_hash(leaf.entry.as_bytes())));
            if let Some(then) = self.then.get_mut(&self.tree.size()) {
                *then = Some(self.tree.root());
            }
        }
        Ok(completed)
    }
}

/// The checkpoints that introduced these keys, one in each line.
pub(crate) fn introductions(keys: &[StoredKey]) -> String {
    keys.iter().map(|key| kept_line(&rfc3339(key.created_at), &key.note)).collect()
}

/// An event as people and programs read it.
pub fn show_event(event: &StoredEvent) -> Value {
    json!({
        "id": event.id.to_string(),
        "at": rfc3339(event.at),
        "kind": event.kind,
        "outcome": event.outcome.as_str(),
        "actor_kind": event.actor_kind,
        "actor": event.actor_id,
        "subject": event.subject.map(|subject| subject.to_string()),
        "client_id": event.client_id.as_ref().map(ToString::to_string),
        "address": event.address.map(|address| address.to_string()),
        "request_id": event.request_id.map(|request| request.to_string()),
        "detail": event.detail,
    })
}

/// The key that a trail says it is signed with. Whoever can write the database can write it, too.
pub fn own_key(trail: &Trail) -> Result<VerifierKey, Failure> {
    trail.log.vkey.parse().map_err(|_| Failure::Damaged("the key of the audit trail"))
}
