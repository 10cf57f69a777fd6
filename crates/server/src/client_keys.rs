//! The keys that clients publish at an address (`jwks_uri`, RFC 7591 §2), as this node remembers
//! them. Strangers decide which assertions come, and so they must not decide how often we ask: an
//! address is asked at most every half minute, whatever key an assertion names.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use munjigi_core::oauth::metadata::ClientKeys;
use munjigi_core::time::{Span, Timestamp};
use munjigi_token::{Algorithm, KeySet};
use url::Url;

use crate::fetch::{Document, Fetch, FetchError};
use crate::hosts::{HostBudgets, Standing, Wish};

/// How many addresses are remembered; then the one that was not used for longest is forgotten.
const MAX_PLACES: usize = 1_000;
/// How long after one attempt the next may be made.
const INTERVAL: Span = Span::from_seconds(30);
/// How long keys are used without asking again, where the answer does not say.
const FRESH: Span = Span::from_minutes(10);
/// The longest that an answer may say; so long, at most, a withdrawn key is still taken.
const LONGEST_FRESH: Span = Span::from_hours(1);
/// How much longer they are used while the address cannot be reached.
const STALE: Span = Span::from_hours(1);

/// The key that an assertion names.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// Its name.
    pub kid: Option<&'w str>,
    /// What it has to verify.
    pub algorithm: Algorithm,
    /// Whose the keys are.
    pub owner: Owner,
}

/// Who said where the keys of a client are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An administrator.
    Made,
    /// The client itself, and the request that wants them came from there.
    Stranger(Option<IpAddr>),
}

/// The keys of every client that publishes its own.
#[derive(Default)]
pub struct PublishedKeys {
    places: Mutex<HashMap<String, Arc<Place>>>,
    /// How often hosts are asked for the keys of clients that no administrator made.
    asked: HostBudgets,
}

/// One address.
#[derive(Default)]
struct Place {
    known: Mutex<Known>,
    /// One request at a time: who waited looks at what came of it.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// The keys, and until when they are fresh.
    keys: Option<(KeySet, Timestamp)>,
    tried_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
}

impl PublishedKeys {
    /// The keys at an address: those at hand if the wanted one is among them and they are fresh,
    /// and else what the address says now, unless it was asked a moment ago.
    pub async fn find(
        &self,
        fetch: &Fetch,
        uri: &str,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Option<KeySet> {
        // Another's keys may be at hand from where this one may not lead.
        fetch.check(uri).ok()?;
        let place = self.place(uri, now);
        if let Some(keys) = place.fresh(wanted, now) {
            return Some(keys);
        }
        let _turn = place.asking.lock().await;
        if let Some(keys) = place.fresh(wanted, now) {
            return Some(keys);
        }
        if place.is_due(now) && self.may_ask(uri, wanted.owner, now) && place.begin(now) {
            match fetch.json(uri).await.and_then(|document| read(&document)) {
                Ok((keys, fresh_for)) => place.replace(keys, now.plus(fresh_for)),
                Err(error) => tracing::warn!(%error, "the keys of a client cannot be fetched"),
            }
        }
        place.at_hand(now)
    }

    fn may_ask(&self, uri: &str, owner: Owner, now: Timestamp) -> bool {
        let Owner::Stranger(asker) = owner else { return true };
        let url = Url::parse(uri).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        self.asked.may_ask(&Wish { host, asker, standing: Standing::New }, now)
    }

    fn place(&self, uri: &str, now: Timestamp) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains_key(uri) && places.len() >= MAX_PLACES {
            let oldest = places.iter().min_by_key(|(_, place)| place.with(|known| known.used_at));
            if let Some(oldest) = oldest.map(|(uri, _)| uri.clone()) {
                places.remove(&oldest);
            }
        }
        let place = Arc::clone(places.entry(uri.to_owned()).or_default());
        place.with(|known| known.used_at = known.used_at.max(Some(now)));
        place
    }
}

impl Place {
    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys, if nobody has to be asked.
    fn fresh(&self, wanted: Wanted<'_>, now: Timestamp) -> Option<KeySet> {
        self.with(|known| {
            let (keys, fresh_until) = known.keys.as_ref()?;
            let has_it = keys.find(wanted.kid, wanted.algorithm).is_some();
            (has_it && now < *fresh_until).then(|| keys.clone())
        })
    }

    /// The keys, though they may be a little old.
    fn at_hand(&self, now: Timestamp) -> Option<KeySet> {
        self.with(|known| {
            let (keys, fresh_until) = known.keys.as_ref()?;
            (now < fresh_until.plus(STALE)).then(|| keys.clone())
        })
    }

    /// Whether the address was asked long enough ago.
    fn is_due(&self, now: Timestamp) -> bool {
        self.with(|known| known.tried_at.is_none_or(|at| now >= at.plus(INTERVAL)))
    }

    /// Whether the address may be asked now; then it counts as asked.
    fn begin(&self, now: Timestamp) -> bool {
        let is_due = self.is_due(now);
        if is_due {
            self.with(|known| known.tried_at = Some(now));
        }
        is_due
    }

    fn replace(&self, keys: KeySet, fresh_until: Timestamp) {
        self.with(|known| known.keys = Some((keys, fresh_until)));
    }
}

/// The keys of a document, and how long they may be kept.
fn read(document: &Document) -> Result<(KeySet, Span), FetchError> {
    let said: serde_json::Value = document.json()?;
    let keys = ClientKeys::published(&said).ok_or(FetchError::NotJson)?;
    let told = document.fresh_for.map(|it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX));
    let fresh_for = told.map_or(FRESH, Span::from_seconds);
    Ok((keys, fresh_for.clamp(INTERVAL, LONGEST_FRESH)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use munjigi_token::{Jwks, SigningKey};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn keys() -> (KeySet, String) {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        (KeySet::from_keys([key.verifying_key()]), key.kid().to_owned())
    }

    #[test]
    fn an_address_is_asked_again_after_half_a_minute_at_the_earliest() {
        let place = Place::default();
        assert!(place.begin(at(0)));
        assert!(!place.begin(at(29)));
        assert!(place.begin(at(30)));
    }

    #[test]
    fn keys_serve_while_they_are_fresh_and_a_little_longer_where_nobody_answers() {
        let place = Place::default();
        let (keys, kid) = keys();
        let wanted =
            |kid| Wanted { kid: Some(kid), algorithm: Algorithm::Es256, owner: Owner::Made };
        assert!(place.at_hand(at(0)).is_none());
        place.replace(keys, at(100));
        assert!(place.fresh(wanted(&kid), at(99)).is_some());
        assert!(place.fresh(wanted("other"), at(99)).is_none(), "somebody has to be asked");
        assert!(place.fresh(wanted(&kid), at(100)).is_none());
        assert!(place.at_hand(at(100 + 3_599)).is_some());
        assert!(place.at_hand(at(100 + 3_600)).is_none());
    }

    #[test]
    fn an_answer_says_how_long_it_may_be_kept_within_bounds() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let jwks = Jwks { keys: vec![key.public_jwk().unwrap()] };
        let kept = |fresh_for: Option<u64>| {
            let bytes = serde_json::to_vec(&jwks).unwrap();
            let fresh_for = fresh_for.map(Duration::from_secs);
            read(&Document { bytes, fresh_for }).unwrap().1.as_seconds()
        };
        assert_eq!([kept(None), kept(Some(0)), kept(Some(60))], [600, 30, 60]);
        assert_eq!(kept(Some(u64::MAX)), 3_600);
        let bad = Document { bytes: br#"{"keys":[]}"#.to_vec(), fresh_for: None };
        assert!(read(&bad).is_err());
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_what_was_not_used_for_longest() {
        let published = PublishedKeys::default();
        for number in 0..MAX_PLACES {
            let seconds = i64::try_from(number).unwrap();
            published.place(&format!("https://c.example/{number}"), at(seconds));
        }
        published.place("https://c.example/0", at(5_000));
        published.place("https://c.example/new", at(5_001));
        let places = published.places.lock().unwrap();
        assert_eq!(places.len(), MAX_PLACES);
        assert!(places.contains_key("https://c.example/0"));
        assert!(!places.contains_key("https://c.example/1"));
    }
}
