//! Links that were mailed.

use munjigi_core::account::link::{Link, Purpose};
use munjigi_store::{Store, StoreError, each_backend, links, users};

use crate::sample::*;

fn link(of: u64, number: u64, purpose: Purpose) -> Link {
    Link {
        user_id: user_id(of),
        id: link_id(number),
        purpose,
        hash: [9; 32],
        email: "Minji@Example.com".to_owned(),
        created_at: at(10),
        expires_at: at(100),
        spent_at: None,
    }
}

async fn find(store: &Store, of: u64, number: u64) -> Option<Link> {
    read(store, move |tx| links::find(tx, &user_id(of), &link_id(number))).await
}

each_backend! {
    async fn a_link_is_read_back_by_its_person_and_id(database) {
        let store = database.store().await;
        people(&store).await;
        for (purpose, number) in Purpose::ALL.iter().zip(1..) {
            let link = Link { spent_at: Some(at(20)), ..link(1, number, *purpose) };
            let inserted = link.clone();
            write(&store, move |tx| links::insert(tx, &inserted)).await.unwrap();
            assert_eq!(find(&store, 1, number).await, Some(link));
            assert_eq!(find(&store, 2, number).await, None, "somebody else's");
        }
        let nobody = write(&store, |tx| links::insert(tx, &link(9, 9, Purpose::Verify))).await;
        assert_eq!(nobody, Err(StoreError::ForeignKey));
        write(&store, |tx| users::delete(tx, &user_id(1))).await.unwrap();
        assert_eq!(find(&store, 1, 1).await, None);
    }

    async fn a_link_is_spent_once(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| links::insert(tx, &link(1, 1, Purpose::Recover))).await.unwrap();
        let spend = async |of, now| {
            write(&store, move |tx| links::spend(tx, &user_id(of), &link_id(1), at(now)))
                .await.unwrap()
        };
        assert!(!spend(2, 20).await);
        assert!(spend(1, 21).await);
        assert!(!spend(1, 22).await);
        assert_eq!(find(&store, 1, 1).await.unwrap().spent_at, Some(at(21)));
    }

    /// RC-02 of the attack kit.
    async fn every_link_for_a_purpose_is_taken_back_at_once(database) {
        use Purpose::{Recover, Verify};
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            for (of, number, purpose) in
                [(1, 1, Recover), (1, 2, Recover), (1, 3, Verify), (2, 4, Recover)]
            {
                links::insert(tx, &link(of, number, purpose))?;
            }
            links::spend(tx, &user_id(1), &link_id(1), at(20))
        }).await.unwrap();
        let live = async |purpose, now| {
            let live = read(&store, move |tx| {
                links::find_live(tx, &user_id(1), purpose, at(now))
            }).await;
            live.map(|link| link.id)
        };
        assert_eq!(live(Recover, 99).await, Some(link_id(2)));
        assert_eq!(live(Recover, 100).await, None);
        let revoke = async || {
            write(&store, |tx| links::revoke_all(tx, &user_id(1), Recover, at(30))).await.unwrap()
        };
        assert_eq!(revoke().await, 1);
        assert_eq!(revoke().await, 0);
        assert_eq!((live(Recover, 31).await, live(Verify, 31).await), (None, Some(link_id(3))));
        assert_eq!(find(&store, 1, 1).await.unwrap().spent_at, Some(at(20)));
        assert_eq!(find(&store, 2, 4).await.unwrap().spent_at, None);
    }

    async fn what_expired_is_forgotten_the_oldest_first(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            for (number, expires_at) in [(1, 51), (2, 50), (3, 52)] {
                let expires_at = at(expires_at);
                links::insert(tx, &Link { expires_at, ..link(1, number, Purpose::Undo) })?;
            }
            Ok(())
        }).await.unwrap();
        let forget = async |before, limit| {
            write(&store, move |tx| links::forget_expired(tx, at(before), limit)).await.unwrap()
        };
        assert_eq!(forget(50, 10).await, 0);
        assert_eq!(forget(52, 1).await, 1);
        assert_eq!(find(&store, 1, 2).await, None);
        assert_eq!(forget(52, 10).await, 1);
        assert!(find(&store, 1, 3).await.is_some());
    }
}
