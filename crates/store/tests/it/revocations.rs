//! The revocation feed.

use munjigi_core::oauth::revocation::{Kind, Place, Revocation};
use munjigi_store::revocations::News;
use munjigi_store::{Tx, each_backend, revocations};

use crate::sample::*;

fn revocation(seq: i64, kind: Kind) -> Revocation {
    let (key, until) = (format!("key {seq}"), at(100 + seq));
    Revocation { seq, kind, key, not_before: 1_800_000_000 + seq, until }
}

each_backend! {
    async fn what_is_announced_is_read_in_order(database) {
        let store = database.store().await;
        assert_eq!(read(&store, revocations::last_seq).await, 0);
        for (number, kind) in (1..).zip(Kind::ALL.iter().copied()) {
            let seq = write(&store, move |tx| {
                // Who announces does not know the place yet.
                revocations::announce(tx, &Revocation { seq: 0, ..revocation(number, kind) })
            }).await.unwrap();
            assert_eq!(seq, number);
        }
        assert_eq!(read(&store, revocations::last_seq).await, 5);
        let all: Vec<_> =
            (1..).zip(Kind::ALL).map(|(seq, kind)| revocation(seq, *kind)).collect();
        let since = async |seq, limit| {
            read(&store, move |tx| revocations::since(tx, seq, limit)).await
        };
        assert_eq!(since(0, 99).await, all);
        assert_eq!(since(2, 2).await, all[2..4]);
        assert_eq!(since(5, 99).await, []);
    }

    async fn several_are_announced_at_once_each_after_those_of_the_same_second(database) {
        let store = database.store().await;
        let one = |key: &str| Revocation { key: key.into(), ..revocation(0, Kind::User) };
        write(&store, move |tx| revocations::announce(tx, &one("twice"))).await.unwrap();
        let announced = write(&store, move |tx| {
            revocations::announce_all(tx, Kind::User, vec![one("once"), one("twice")])
        }).await.unwrap();
        let places: Vec<_> =
            announced.iter().map(|it| (it.seq, it.key.as_str(), it.not_before)).collect();
        assert_eq!(places, [(2, "once", 1_800_000_000), (3, "twice", 1_800_000_001)]);
        assert_eq!(read(&store, |tx| revocations::since(tx, 1, 9)).await, announced);
        let none = write(&store, |tx| revocations::announce_all(tx, Kind::User, vec![])).await;
        assert_eq!(none, Ok(vec![]));
        assert_eq!(read(&store, revocations::last_seq).await, 3);
    }

    async fn a_place_is_given_with_its_transaction_or_not_at_all(database) {
        let store = database.store().await;
        let undone = write(&store, |tx| {
            revocations::announce(tx, &revocation(0, Kind::User))?;
            Err::<(), _>(munjigi_store::StoreError::Unaudited)
        }).await;
        assert!(undone.is_err());
        let both = write(&store, |tx| {
            let first = revocations::announce(tx, &revocation(0, Kind::User))?;
            Ok((first, revocations::announce(tx, &revocation(0, Kind::Grant))?))
        }).await;
        assert_eq!(both, Ok((1, 2)));
    }

    async fn what_can_kill_no_token_is_forgotten_and_its_place_is_not_given_again(database) {
        let store = database.store().await;
        write(&store, |tx| {
            (1..4).try_for_each(|number| {
                revocations::announce(tx, &revocation(number, Kind::Session)).map(drop)
            })
        }).await.unwrap();
        let live = async |now| {
            let live = read(&store, move |tx| revocations::live(tx, at(now))).await;
            live.iter().map(|revocation| revocation.seq).collect::<Vec<_>>()
        };
        assert_eq!(live(101).await, [2, 3]);
        let forget = |tx: &mut Tx<'_>| revocations::forget_expired(tx, at(102));
        assert_eq!(write(&store, forget).await, Ok(2));
        assert_eq!(write(&store, forget).await, Ok(0));
        assert_eq!(live(0).await, [3]);
        write(&store, |tx| revocations::forget_expired(tx, at(1_000))).await.unwrap();
        assert_eq!(live(0).await, [3], "the last one shows that nothing was missed");
        let next = |tx: &mut Tx<'_>| revocations::announce(tx, &revocation(4, Kind::Key));
        assert_eq!(write(&store, next).await, Ok(4));
    }

    async fn a_place_says_what_stands_behind_it_or_that_it_is_known_no_longer(database) {
        let store = database.store().await;
        let after = async |place| read(&store, move |tx| revocations::after(tx, place, 2)).await;
        let News::After(none) = after(Place::BEGINNING).await else { panic!("a feed") };
        assert_eq!(none, []);
        write(&store, |tx| {
            (1..5).try_for_each(|number| {
                revocations::announce(tx, &revocation(number, Kind::Session)).map(drop)
            })
        }).await.unwrap();
        let all: Vec<_> = (1..5).map(|number| revocation(number, Kind::Session)).collect();
        assert_eq!(after(Place::BEGINNING).await, News::After(all[..2].to_vec()));
        assert_eq!(after(Place::after(&all[1])).await, News::After(all[2..].to_vec()));
        assert_eq!(after(Place::after(&all[3])).await, News::After(vec![]));

        // Of a database that has been replaced: another entry stands there, or none yet.
        let other = Revocation { key: "other".into(), ..all[1].clone() };
        assert_eq!(after(Place::after(&other)).await, News::OtherHistory);
        assert_eq!(after(Place::after(&revocation(5, Kind::User))).await, News::OtherHistory);

        write(&store, |tx| revocations::forget_expired(tx, at(1_000))).await.unwrap();
        assert_eq!(after(Place::after(&all[2])).await, News::Forgotten);
        // Nothing came after the last one, however long ago that was.
        assert_eq!(after(Place::after(&all[3])).await, News::After(vec![]));
        assert_eq!(after(Place::BEGINNING).await, News::After(all[3..].to_vec()));
    }
}
