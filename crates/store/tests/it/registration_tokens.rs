//! Tokens that let somebody register clients.

use munjigi_core::oauth::registration_token::RegistrationToken;
use munjigi_store::{Store, each_backend, registration_tokens};

use crate::sample::*;

fn token(number: u8, remaining: u32) -> RegistrationToken {
    RegistrationToken {
        hash: [number; 32],
        created_at: at(number.into()),
        expires_at: at(100),
        remaining,
    }
}

async fn spend(store: &Store, number: u8, now: i64) -> bool {
    let spent = write(store, move |tx| registration_tokens::spend_one(tx, &[number; 32], at(now)));
    spent.await.unwrap()
}

each_backend! {
    async fn a_token_is_good_for_so_many_registrations_and_so_long(database) {
        let store = database.store().await;
        write(&store, |tx| {
            registration_tokens::insert(tx, &token(1, 2))?;
            registration_tokens::insert(tx, &token(2, 5))
        }).await.unwrap();
        assert!(!spend(&store, 9, 20).await);
        assert!(spend(&store, 1, 20).await);
        let list = async |now| read(&store, move |tx| registration_tokens::list(tx, at(now))).await;
        assert_eq!(list(20).await, [token(2, 5), token(1, 1)]);
        assert!(spend(&store, 1, 21).await);
        assert!(!spend(&store, 1, 22).await, "none is left");
        assert!(spend(&store, 2, 99).await && !spend(&store, 2, 100).await);
        assert_eq!(list(99).await, [token(2, 4)]);
        assert_eq!(list(100).await, []);
    }

    async fn a_token_is_taken_back_once_or_forgotten_when_it_expired(database) {
        let store = database.store().await;
        write(&store, |tx| {
            registration_tokens::insert(tx, &token(1, 2))?;
            registration_tokens::insert(tx, &token(2, 2))
        }).await.unwrap();
        let delete = async || {
            write(&store, |tx| registration_tokens::delete(tx, &[1; 32])).await.unwrap()
        };
        assert!(delete().await);
        assert!(!delete().await);
        assert!(!spend(&store, 1, 20).await);
        let forget = async |before| {
            write(&store, move |tx| registration_tokens::forget_expired(tx, at(before), 10))
                .await.unwrap()
        };
        assert_eq!(forget(100).await, 0);
        assert_eq!(forget(101).await, 1);
    }
}
