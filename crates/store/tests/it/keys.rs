//! Keys.

use munjigi_store::each_backend;
use munjigi_store::keys::{self, End, Purpose, StoredKey};

use crate::sample::*;

fn key(kid: &str) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        purpose: Purpose::Sign,
        algorithm: "ES256".to_owned(),
        jwk: Some("{\"kty\":\"EC\"}".to_owned()),
        sealed: Some(vec![0, 255, 7]),
        created_at: at(0),
        activates_at: at(10),
        retires_at: None,
        destroyed_at: None,
        withdrawn_at: None,
        last_used_at: None,
    }
}

each_backend! {
    async fn keys_are_read_back_the_oldest_first(database) {
        let store = database.store().await;
        let root = StoredKey {
            purpose: Purpose::Mac, algorithm: "HS256".into(), jwk: None, created_at: at(-5),
            ..key("z-root")
        };
        let inserted = root.clone();
        write(&store, move |tx| {
            keys::insert(tx, &key("b"))?;
            keys::insert(tx, &key("a"))?;
            keys::insert(tx, &inserted)
        }).await.unwrap();
        assert_eq!(read(&store, keys::all).await, [root, key("a"), key("b")]);
        assert_eq!(read(&store, |tx| keys::find(tx, "a")).await, Some(key("a")));
        assert_eq!(read(&store, |tx| keys::find(tx, "A")).await, None);
        let error = write(&store, |tx| keys::insert(tx, &key("a"))).await.unwrap_err();
        assert!(error.is_unique(keys::KID_TAKEN), "{error}");
    }

    async fn a_key_retires_once_and_is_destroyed_once(database) {
        let store = database.store().await;
        write(&store, |tx| keys::insert(tx, &key("a"))).await.unwrap();
        write(&store, |tx| keys::insert(tx, &key("b"))).await.unwrap();
        let retire = async |kid: &'static str, when| {
            write(&store, move |tx| keys::retire(tx, kid, at(when))).await.unwrap()
        };
        let destroy = async |kid: &'static str, when| {
            write(&store, move |tx| keys::destroy(tx, kid, End::Over, at(when))).await.unwrap()
        };
        let reseal = async |kid: &'static str| {
            let was = [0, 255, 7];
            write(&store, move |tx| keys::reseal(tx, kid, &was, &[1, 2])).await.unwrap()
        };
        assert!(retire("a", 20).await);
        assert!(!retire("a", 21).await);
        assert!(reseal("a").await);
        // Somebody else was here before: what was read is not there any more.
        assert!(!reseal("a").await);
        let found = read(&store, |tx| keys::find(tx, "a")).await.unwrap();
        let retired = StoredKey { retires_at: Some(at(20)), sealed: Some(vec![1, 2]), ..key("a") };
        assert_eq!(found, retired);

        assert!(destroy("a", 30).await);
        assert!(!destroy("a", 31).await);
        // What is destroyed stays destroyed.
        assert!(!reseal("a").await);
        let found = read(&store, |tx| keys::find(tx, "a")).await.unwrap();
        assert_eq!(found, StoredKey { sealed: None, destroyed_at: Some(at(30)), ..retired });
        assert_eq!(read(&store, |tx| keys::find(tx, "b")).await, Some(key("b")));
        assert!(destroy("b", 30).await);
        assert!(!retire("b", 31).await);
        assert!(!retire("none", 1).await && !destroy("none", 1).await && !reseal("none").await);
    }

    async fn keys_are_reference_data(database) {
        let store = database.store().await;
        assert!(moves_reference(&store, |tx| keys::insert(tx, &key("a"))).await);
        assert!(moves_reference(&store, |tx| keys::reseal(tx, "a", &[0, 255, 7], &[1])).await);
        assert!(moves_reference(&store, |tx| keys::retire(tx, "a", at(1))).await);
        assert!(!moves_reference(&store, |tx| keys::retire(tx, "a", at(1))).await);
        assert!(moves_reference(&store, |tx| keys::destroy(tx, "a", End::Over, at(1))).await);
        assert!(!moves_reference(&store, |tx| keys::destroy(tx, "a", End::Over, at(1))).await);
        write(&store, |tx| keys::insert(tx, &key("b"))).await.unwrap();
        assert!(moves_reference(&store, |tx| keys::hasten(tx, "b", at(5))).await);
        assert!(!moves_reference(&store, |tx| keys::hasten(tx, "b", at(5))).await);
        // Every use would have every node read everything again.
        assert!(!moves_reference(&store, |tx| keys::note_use(tx, "b", at(5))).await);
        assert!(moves_reference(&store, |tx| keys::destroy(tx, "b", End::Withdrawn, at(6))).await);
    }

    async fn a_key_is_withdrawn_once_and_for_ever(database) {
        let store = database.store().await;
        write(&store, |tx| keys::insert(tx, &key("a"))).await.unwrap();
        assert!(write(&store, |tx| keys::destroy(tx, "a", End::Withdrawn, at(7))).await.unwrap());
        assert!(!write(&store, |tx| keys::destroy(tx, "a", End::Withdrawn, at(8))).await.unwrap());
        assert!(!write(&store, |tx| keys::hasten(tx, "a", at(1))).await.unwrap());
        let found = read(&store, |tx| keys::find(tx, "a")).await.unwrap();
        let (when, sealed) = (Some(at(7)), None);
        let gone = StoredKey { sealed, destroyed_at: when, withdrawn_at: when, ..key("a") };
        assert_eq!(found, gone);
        // Nor does one whose time was over become one that was withdrawn.
        write(&store, |tx| keys::insert(tx, &key("b"))).await.unwrap();
        assert!(write(&store, |tx| keys::destroy(tx, "b", End::Over, at(7))).await.unwrap());
        assert!(!write(&store, |tx| keys::destroy(tx, "b", End::Withdrawn, at(8))).await.unwrap());
        let found = read(&store, |tx| keys::find(tx, "b")).await.unwrap();
        assert_eq!((found.destroyed_at, found.withdrawn_at), (Some(at(7)), None));
    }

    async fn what_is_known_of_a_keys_use_only_moves_on(database) {
        let store = database.store().await;
        write(&store, |tx| keys::insert(tx, &key("a"))).await.unwrap();
        let note = async |when| {
            write(&store, move |tx| keys::note_use(tx, "a", at(when))).await.unwrap()
        };
        assert!(note(5).await && !note(5).await && !note(4).await && note(6).await);
        let found = read(&store, |tx| keys::find(tx, "a")).await.unwrap();
        assert_eq!(found.last_used_at, Some(at(6)));
    }

    async fn a_retirement_is_only_put_off(database) {
        let store = database.store().await;
        write(&store, |tx| keys::insert(tx, &key("a"))).await.unwrap();
        let postpone = async |when| {
            write(&store, move |tx| keys::postpone(tx, "a", at(when))).await.unwrap()
        };
        assert!(!postpone(20).await, "it is not to retire at all");
        write(&store, |tx| keys::retire(tx, "a", at(20))).await.unwrap();
        assert!(!postpone(19).await && postpone(21).await);
        let found = read(&store, |tx| keys::find(tx, "a")).await.unwrap();
        assert_eq!(found.retires_at, Some(at(21)));
    }
}

#[test]
fn a_key_prints_neither_its_private_half_nor_its_seal() {
    let printed = format!("{:?}", key("a"));
    assert!(printed.contains("\"a\"") && !printed.contains("255"), "{printed}");
}
