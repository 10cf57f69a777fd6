//! What is to be sent.

use munjigi_core::id::OutboxId;
use munjigi_store::outbox::{self, Kind, Parcel};
use munjigi_store::{Store, each_backend, params};

use crate::sample::*;

fn parcel(number: u8, seconds: i64) -> Parcel {
    let id = OutboxId::from_parts(at(seconds), [number; 10]);
    Parcel { id, kind: Kind::Mail, payload: vec![number; 3], created_at: at(seconds) }
}

async fn due(store: &Store, seconds: i64) -> Vec<outbox::Due> {
    read(store, move |tx| outbox::due(tx, at(seconds), 10)).await
}

each_backend! {
    async fn what_is_due_is_taken_by_one_alone_and_comes_again_when_nothing_is_heard(database) {
        let store = database.store().await;
        let logout = Parcel { kind: Kind::Logout, ..parcel(2, 6) };
        let second = logout.clone();
        write(&store, move |tx| {
            outbox::insert(tx, &parcel(1, 5))?;
            outbox::insert(tx, &second)
        }).await.unwrap();
        assert_eq!(due(&store, 4).await, vec![]);
        let found = due(&store, 6).await;
        assert_eq!(found.len(), 2);
        assert_eq!((&found[0].parcel, found[0].attempts), (&parcel(1, 5), 0));
        assert_eq!(found[1].parcel, logout);

        let (first, again) = (found[0].clone(), found[0].clone());
        let taken = write(&store, move |tx| outbox::take(tx, &first, at(60))).await.unwrap();
        let twice = write(&store, move |tx| outbox::take(tx, &again, at(60))).await.unwrap();
        assert!(taken && !twice);
        assert_eq!(due(&store, 59).await, vec![found[1].clone()]);
        // Whoever took it has died.
        let back = due(&store, 60).await;
        assert_eq!((back.len(), back[1].attempts), (2, 1));
    }

    async fn what_is_over_has_no_content_and_is_deleted_later(database) {
        let store = database.store().await;
        write(&store, |tx| {
            (1..=3).try_for_each(|number| outbox::insert(tx, &parcel(number, 5)))
        }).await.unwrap();
        let found = due(&store, 5).await;
        let ids: Vec<_> = found.iter().map(|it| it.parcel.id).collect();
        let (a, b, c) = (ids[0], ids[1], ids[2]);
        write(&store, move |tx| {
            for one in &found {
                assert!(outbox::take(tx, one, at(60))?);
            }
            assert!(outbox::sent(tx, &a, at(7))?);
            assert!(!outbox::sent(tx, &a, at(8))?);
            // Somebody who held it once and lost it changes nothing.
            assert!(!outbox::give_up(tx, &b, at(59), at(7))?);
            assert!(!outbox::again(tx, &b, at(59), at(9))?);
            assert!(outbox::give_up(tx, &b, at(60), at(7))?);
            assert!(outbox::again(tx, &c, at(60), at(90))?);
            Ok(())
        }).await.unwrap();
        let left = due(&store, 100).await;
        assert_eq!((left.len(), left[0].parcel.id), (1, c));
        let kept: Vec<OutboxId> = read(&store, |tx| {
            let kept = tx.rows("SELECT id FROM outbox WHERE payload IS NOT NULL", params![])?;
            kept.into_iter().map(|row| row.at::<OutboxId>(0)).collect()
        }).await;
        assert_eq!(kept, vec![c]);

        let forget = async |seconds, limit| {
            write(&store, move |tx| outbox::forget_over(tx, at(seconds), limit)).await.unwrap()
        };
        assert_eq!(forget(5, 10).await, 0);
        assert_eq!(forget(6, 1).await, 1);
        assert_eq!(forget(6, 10).await, 1);
        assert_eq!(due(&store, 100).await.len(), 1);
    }
}
