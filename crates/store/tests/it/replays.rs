//! What may be seen once.

use munjigi_store::each_backend;
use munjigi_store::replays::{self, Kind};

use crate::sample::*;

each_backend! {
    async fn a_key_is_seen_once_in_each_kind(database) {
        let store = database.store().await;
        let spend = async |kind, key: u8| {
            write(&store, move |tx| replays::spend_once(tx, kind, &[key; 32], at(50)))
                .await.unwrap()
        };
        assert!(spend(Kind::DpopProof, 1).await);
        assert!(!spend(Kind::DpopProof, 1).await);
        assert!(spend(Kind::DpopProof, 2).await);
        assert!(spend(Kind::PushedRequest, 1).await);
        assert!(spend(Kind::ClientAssertion, 1).await);
        assert!(!spend(Kind::ClientAssertion, 1).await);
    }

    async fn what_was_seen_is_forgotten_once_it_has_expired(database) {
        let store = database.store().await;
        let spend = async |key: u8, expires_at| {
            write(&store, move |tx| {
                replays::spend_once(tx, Kind::DpopProof, &[key; 32], at(expires_at))
            }).await.unwrap()
        };
        let forget = async |before, limit| {
            write(&store, move |tx| replays::forget_expired(tx, at(before), limit)).await.unwrap()
        };
        for (key, expires_at) in [(1, 51), (2, 50), (3, 52)] {
            assert!(spend(key, expires_at).await);
        }
        assert_eq!(forget(50, 10).await, 0);
        assert!(!spend(2, 99).await, "who shows it again does not keep it");
        assert_eq!(forget(52, 1).await, 1);
        assert!(spend(2, 99).await);
        assert_eq!(forget(52, 10).await, 1);
        assert!(!spend(3, 99).await);
    }
}
