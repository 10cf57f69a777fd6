//! The keys that the audit trail is signed with: the first is derived from the root key, each one
//! after it is random, sealed like every other key, and introduced by a checkpoint that the one
//! before signed as well. It must not sign with a key that nobody was told of.

use munjigi_audit::{Checkpoint, Hash, Signer, VerifierKey};
use munjigi_core::audit::Kind;
use munjigi_store::audit_log::{self, Log, StoredKey};
use munjigi_store::{Audit, Committed, StoreError};
use zeroize::Zeroizing;

use crate::app::App;
use crate::failure::Failure;
use crate::keys::KeyError;
use crate::random;

/// What a key is sealed for.
pub(crate) fn place(vkey: &str) -> String {
    format!("audit_key/{vkey}")
}

/// The first key of the log of this name: the same on every node, and sealed with the root key.
pub(crate) fn first(app: &App, name: &str) -> Result<Signer, Failure> {
    signer(name, &app.snapshot().keys.derive("audit checkpoint"))
}

/// The key of this text; nothing when it is none of ours.
pub(crate) async fn find(app: &App, vkey: &str) -> Result<Option<Signer>, Failure> {
    let Ok(wanted) = vkey.parse::<VerifierKey>() else { return Ok(None) };
    let first = first(app, wanted.name())?;
    if first.verifier() == wanted {
        return Ok(Some(first));
    }
    let all = app.store.read(audit_log::keys).await?;
    let Some(stored) = all.into_iter().find(|key| key.vkey == vkey) else { return Ok(None) };
    let kek = &app.config.encryption_key;
    let seed = kek.open(&place(vkey), &stored.sealed).map_err(KeyError::from)?;
    let seed = seed.first_chunk().ok_or(Failure::Damaged("the key of the audit trail"))?;
    Ok(Some(signer(wanted.name(), seed)?).filter(|found| found.verifier() == wanted))
}

/// Introduces another key, in the checkpoint of all that there is. It is signed by both: by
/// the present one, which names the next, and by that one, which shows that it is there. Nothing
/// when the tree has gone on meanwhile.
pub(crate) async fn rotate(
    app: &App,
    log: &Log,
    root: Hash,
    present: &Signer,
) -> Result<Option<Signer>, Failure> {
    let name = present.verifier().name().to_owned();
    let seed = Zeroizing::new(random::bytes::<32>()?);
    let next = signer(&name, &seed)?;
    let vkey = next.verifier().to_string();
    let size = u64::try_from(log.size).unwrap_or(0);
    let text = Checkpoint::new(&name, size, root).introducing(next.verifier()).to_string();
    let damaged = |_| Failure::Damaged("a checkpoint");
    let note = present.sign(&text).map_err(damaged)?;
    let note = next.countersign(&note).map_err(damaged)?;
    let sealed = app.config.encryption_key.seal(&place(&vkey), seed.as_slice());
    let sealed = sealed.map_err(KeyError::from)?;
    let event = app.system_event(Kind::AuditKeyRotated)?.with("vkey", &vkey);
    let key = StoredKey { vkey, sealed, note, created_at: app.clock.now() };
    let seen = log.clone();

    let introduced = app.store.write(move |tx| {
        Ok::<_, StoreError>(match audit_log::introduce(tx, &seen, &key)? {
            true => Committed::new(true, Audit::Record(Box::new(event.clone()))),
            false => Committed::nothing(false),
        })
    });
    Ok(introduced.await?.then_some(next))
}

fn signer(name: &str, seed: &[u8; 32]) -> Result<Signer, Failure> {
    Signer::from_seed(name, seed).map_err(|_| Failure::Damaged("the name of the audit trail"))
}
