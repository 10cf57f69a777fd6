//! The first key of each algorithm: those that every server has, and those that a client or an API
//! asks for. The next ones are `App::rotate_key`'s. Whatever node comes first makes them; of two
//! that come at once, one key stays.

use std::sync::Arc;

use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_store::keys::Purpose;
use munjigi_store::{Audit, Committed, Store, StoreError, keys, roles};
use munjigi_token::Algorithm;

use crate::clock::Clock;
use crate::config::Config;
use crate::failure::Failure;
use crate::keys::{generate, generate_root};
use crate::random;
use crate::snapshot::Rows;

/// Reads the reference data; on a new database, makes the built-in roles and first keys before.
pub(crate) async fn first_rows(
    store: &Store,
    config: &Config,
    clock: &Clock,
) -> Result<Rows, Failure> {
    let rows = store.read(Rows::read).await?;
    let (root_missing, missing) = rows.lacks(&[Algorithm::Es256]);
    if !root_missing && missing.is_empty() {
        return with_asked(store, config, clock, rows).await;
    }
    let now = clock.now();
    let mut made = Vec::new();
    if root_missing {
        made.push(generate_root(&config.encryption_key, now)?);
    }
    for algorithm in missing {
        made.push(generate(algorithm, &config.encryption_key, now, now)?);
    }
    let kids: Vec<_> = made.iter().map(|key| key.kid.clone()).collect();
    let event = created(clock)?.with("kids", kids);
    store
        .write(move |tx| {
            // Several nodes may start on an empty database at once: the first one's keys stay.
            let there = keys::all(tx)?;
            if made.iter().any(|new| there.iter().any(|old| old.algorithm == new.algorithm)) {
                return Ok::<_, StoreError>(Committed::nothing(()));
            }
            for key in &made {
                keys::insert(tx, key)?;
            }
            // The command line may have been here first, and have made them.
            if roles::all(tx)?.is_empty() {
                crate::builtin::insert_roles(tx, now)?;
            }
            Ok(Committed::new((), Audit::Record(Box::new(event.clone()))))
        })
        .await?;
    let rows = store.read(Rows::read).await?;
    with_asked(store, config, clock, rows).await
}

/// The rows with a key of every algorithm that a client or an API asks for: whoever is told of the
/// client is told of its key, and nobody has to make one by hand. One that cannot be made is tried
/// again a minute later; everybody else goes on.
pub(crate) async fn with_asked(
    store: &Store,
    config: &Config,
    clock: &Clock,
    rows: Rows,
) -> Result<Rows, Failure> {
    let missing = rows.unmade();
    if missing.is_empty() {
        return Ok(rows);
    }
    for algorithm in missing {
        if let Err(error) = make(store, config, clock, algorithm).await {
            tracing::warn!(%algorithm, %error, "a signing key could not be made; trying again");
        }
    }
    Ok(store.read(Rows::read).await?)
}

/// Makes the first key of an algorithm, which signs at once: nobody has seen another one. An RSA
/// key takes a good part of a second of one core.
pub(crate) async fn make(
    store: &Store,
    config: &Config,
    clock: &Clock,
    algorithm: Algorithm,
) -> Result<(), Failure> {
    let (kek, now) = (Arc::clone(&config.encryption_key), clock.now());
    let made = tokio::task::spawn_blocking(move || generate(algorithm, &kek, now, now));
    let key = made.await.map_err(|_| Failure::Damaged("key thread"))??;
    let event = created(clock)?.with("kid", &key.kid).with("algorithm", algorithm.as_str());
    let written = store.write(move |tx| {
        // Another node may have been quicker: one is enough.
        let same = |other: &keys::StoredKey| {
            other.purpose == Purpose::Sign
                && other.algorithm == key.algorithm
                && other.destroyed_at.is_none()
        };
        if keys::all(tx)?.iter().any(same) {
            return Ok::<_, StoreError>(Committed::nothing(()));
        }
        keys::insert(tx, &key)?;
        Ok(Committed::new((), Audit::Record(Box::new(event.clone()))))
    });
    Ok(written.await?)
}

fn created(clock: &Clock) -> Result<Event, Failure> {
    let at = clock.now();
    let origin = Origin { at, actor: Actor::System, address: None, request_id: None };
    Ok(Event::new(random::event_id(at)?, Kind::KeyCreated, origin))
}
