//! The attempt ledger.

use munjigi_core::account::attempts::Attempts;
use munjigi_store::{each_backend, throttles};

use crate::sample::*;

each_backend! {
    async fn guesses_are_remembered_under_their_key_until_they_are_cleared(database) {
        let store = database.store().await;
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(read(&store, move |tx| throttles::find(tx, &one)).await, None);
        let first = Attempts { failures: 1, last_failed_at: at(1), blocked_until: None };
        let later =
            Attempts { failures: u32::MAX, last_failed_at: at(2), blocked_until: Some(at(9)) };
        write(&store, move |tx| {
            throttles::put(tx, &one, &first, at(50))?;
            throttles::put(tx, &other, &first, at(50))?;
            throttles::put(tx, &one, &later, at(60))
        }).await.unwrap();
        assert_eq!(read(&store, move |tx| throttles::find(tx, &one)).await, Some(later));
        assert_eq!(read(&store, move |tx| throttles::find(tx, &other)).await, Some(first));
        write(&store, move |tx| throttles::clear(tx, &one)).await.unwrap();
        assert_eq!(read(&store, move |tx| throttles::find(tx, &one)).await, None);
        assert_eq!(read(&store, move |tx| throttles::find(tx, &other)).await, Some(first));
    }

    async fn old_guesses_are_forgotten_some_at_a_time(database) {
        let store = database.store().await;
        write(&store, |tx| {
            let attempts = Attempts { failures: 1, last_failed_at: at(1), blocked_until: None };
            (0..5_u8).try_for_each(|number| {
                throttles::put(tx, &[number; 32], &attempts, at(i64::from(number)))
            })
        }).await.unwrap();
        let forget = async |now, limit| {
            write(&store, move |tx| throttles::forget_expired(tx, at(now), limit)).await.unwrap()
        };
        assert_eq!(forget(3, 3).await, 3);
        assert_eq!(forget(3, 3).await, 1);
        assert_eq!(forget(3, 3).await, 0);
        assert!(read(&store, |tx| throttles::find(tx, &[4; 32])).await.is_some());
    }
}
