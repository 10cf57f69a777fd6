//! Pushed authorization requests.

use munjigi_core::oauth::parameters::Parameters;
use munjigi_core::oauth::pushed::PushedRequest;
use munjigi_store::{Store, StoreError, clients, each_backend, pushed_requests};

use crate::sample::*;

fn pushed(number: u8) -> PushedRequest {
    let pairs = [("scope", "openid é"), ("resource", "urn:a:b"), ("resource", "urn:c:d")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    PushedRequest {
        hash: [number; 32],
        client_id: client_id("shop"),
        parameters: Parameters::new(pairs.to_vec()).unwrap(),
        dpop_jkt: None,
        created_at: at(10),
        expires_at: at(100),
        spent_at: None,
    }
}

async fn find(store: &Store, number: u8) -> Option<PushedRequest> {
    read(store, move |tx| pushed_requests::find(tx, &[number; 32])).await
}

each_backend! {
    async fn a_request_is_read_back_by_its_reference(database) {
        let store = database.store().await;
        people(&store).await;
        let bound = PushedRequest {
            dpop_jkt: Some("a".repeat(43)), parameters: Parameters::default(),
            spent_at: Some(at(20)), ..pushed(2)
        };
        let inserted = bound.clone();
        write(&store, move |tx| {
            pushed_requests::insert(tx, &pushed(1))?;
            pushed_requests::insert(tx, &inserted)
        }).await.unwrap();
        assert_eq!(find(&store, 1).await, Some(pushed(1)));
        assert_eq!(find(&store, 2).await, Some(bound));
        assert_eq!(find(&store, 3).await, None);
        let nobody = PushedRequest { client_id: client_id("nobody"), ..pushed(3) };
        let nobody = write(&store, move |tx| pushed_requests::insert(tx, &nobody)).await;
        assert_eq!(nobody, Err(StoreError::ForeignKey));
        write(&store, |tx| clients::delete(tx, &client_id("shop"))).await.unwrap();
        assert_eq!(find(&store, 1).await, None);
    }

    async fn a_request_is_spent_once(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| pushed_requests::insert(tx, &pushed(1))).await.unwrap();
        let spend = async |number: u8, now| {
            write(&store, move |tx| pushed_requests::spend(tx, &[number; 32], at(now)))
                .await.unwrap()
        };
        assert!(!spend(2, 20).await);
        assert!(spend(1, 21).await);
        assert!(!spend(1, 22).await);
        assert_eq!(find(&store, 1).await.unwrap().spent_at, Some(at(21)));
    }

    async fn what_expired_is_forgotten_the_oldest_first(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            for (number, expires_at) in [(1, 51), (2, 50), (3, 52)] {
                let expires_at = at(expires_at);
                pushed_requests::insert(tx, &PushedRequest { expires_at, ..pushed(number) })?;
            }
            Ok(())
        }).await.unwrap();
        let forget = async |before, limit| {
            write(&store, move |tx| pushed_requests::forget_expired(tx, at(before), limit))
                .await.unwrap()
        };
        assert_eq!(forget(50, 10).await, 0);
        assert_eq!(forget(52, 1).await, 1);
        assert_eq!(find(&store, 2).await, None);
        assert_eq!(forget(52, 10).await, 1);
        assert!(find(&store, 3).await.is_some());
    }
}
