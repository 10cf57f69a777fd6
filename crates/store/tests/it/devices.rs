//! Device authorizations.

use munjigi_core::oauth::device::{DeviceAuthorization, StoredUserCode};
use munjigi_core::time::Span;
use munjigi_store::{Store, StoreError, devices, each_backend};

use crate::sample::*;

async fn find(store: &Store, number: u8) -> DeviceAuthorization {
    read(store, move |tx| devices::find(tx, &[number; 32])).await.unwrap()
}

async fn asked(store: &Store) {
    people(store).await;
    write(store, |tx| devices::insert(tx, &device(1))).await.unwrap();
}

#[derive(Clone, Copy)]
enum Press {
    Open,
    Approve,
    Deny,
}

/// Somebody presses a button, or opens the page; whether it counted.
async fn press(store: &Store, button: Press, of: u64, session: u64, now: i64) -> bool {
    let pressed = write(store, move |tx| {
        let (user_id, session_id) = (user_id(of), session_id(session));
        let whose = (&user_id, &session_id);
        match button {
            Press::Open => devices::open(tx, &[1; 32], whose),
            Press::Approve => devices::approve(tx, &[1; 32], whose, at(now)),
            Press::Deny => devices::deny(tx, &[1; 32], whose, at(now)),
        }
    });
    pressed.await.unwrap()
}

each_backend! {
    async fn what_a_device_asks_for_is_found_by_both_codes(database) {
        let store = database.store().await;
        asked(&store).await;
        let bare = DeviceAuthorization {
            address: None, user_agent: None, dpop_jkt: Some("a".repeat(43)), audiences: vec![],
            scope: Default::default(), ..device(2)
        };
        let inserted = bare.clone();
        write(&store, move |tx| devices::insert(tx, &inserted)).await.unwrap();
        assert_eq!(find(&store, 1).await, device(1));
        let found = read(&store, |tx| devices::find_by_user_code(tx, &device(2).user_code)).await;
        assert_eq!(found, Some(bare));
        let unknown = StoredUserCode::parse("BBBBBBBB").unwrap();
        assert_eq!(read(&store, move |tx| devices::find_by_user_code(tx, &unknown)).await, None);
        assert_eq!(read(&store, |tx| devices::find(tx, &[9; 32])).await, None);
    }

    async fn two_devices_never_show_the_same_code(database) {
        let store = database.store().await;
        asked(&store).await;
        let same = DeviceAuthorization { user_code: device(1).user_code, ..device(2) };
        let error = write(&store, move |tx| devices::insert(tx, &same)).await.unwrap_err();
        assert!(error.is_unique(devices::USER_CODE_TAKEN), "{error}");
        let nobody = DeviceAuthorization { client_id: client_id("nobody"), ..device(2) };
        let nobody = write(&store, move |tx| devices::insert(tx, &nobody)).await;
        assert_eq!(nobody, Err(StoreError::ForeignKey));
    }

    async fn a_poll_is_written_down_unless_another_was_quicker(database) {
        let store = database.store().await;
        asked(&store).await;
        let poll = async |seen: DeviceAuthorization, interval, now| {
            write(&store, move |tx| {
                devices::poll(tx, &seen, Span::from_seconds(interval), at(now))
            }).await.unwrap()
        };
        let first = find(&store, 1).await;
        assert!(poll(first.clone(), 5, 20).await);
        assert!(!poll(first, 5, 21).await, "it saw a device that had not polled");
        let second = find(&store, 1).await;
        assert_eq!(second.polled_at, Some(at(20)));
        assert!(poll(second.clone(), 10, 22).await);
        assert!(!poll(second, 15, 22).await);
        let last = find(&store, 1).await;
        assert_eq!((last.polled_at, last.poll_interval), (Some(at(22)), Span::from_seconds(10)));
    }

    /// DV-03 of the attack kit.
    async fn only_who_opened_it_answers_it_in_the_same_session_and_once(database) {
        use Press::{Approve, Deny, Open};
        let store = database.store().await;
        asked(&store).await;
        assert!(!press(&store, Approve, 1, 11, 20).await, "nobody opened it");
        assert!(press(&store, Open, 1, 11, 20).await);
        assert!(!press(&store, Open, 2, 21, 20).await, "it is somebody else's");
        assert!(!press(&store, Approve, 2, 21, 20).await);
        assert!(!press(&store, Approve, 1, 12, 20).await, "in another session");
        assert!(!press(&store, Approve, 1, 11, 600).await, "too late");
        // Again, in another session of theirs: that one answers now.
        assert!(press(&store, Open, 1, 12, 20).await);
        assert!(!press(&store, Deny, 1, 11, 21).await);
        assert!(press(&store, Approve, 1, 12, 21).await);
        for button in [Open, Approve, Deny] {
            assert!(!press(&store, button, 1, 12, 22).await, "it was answered");
        }
        let found = find(&store, 1).await;
        assert_eq!((found.approved_at, found.denied_at), (Some(at(21)), None));
        assert_eq!((found.user_id, found.session_id), (Some(user_id(1)), Some(session_id(12))));
    }

    async fn who_says_no_cannot_say_yes_later_and_nothing_is_issued(database) {
        let store = database.store().await;
        asked(&store).await;
        assert!(press(&store, Press::Open, 1, 11, 20).await);
        assert!(press(&store, Press::Deny, 1, 11, 21).await);
        assert!(!press(&store, Press::Approve, 1, 11, 22).await);
        let spent = write(&store, |tx| devices::spend(tx, &[1; 32], at(23))).await;
        assert_eq!(spent, Ok(false));
        assert_eq!(find(&store, 1).await.denied_at, Some(at(21)));
    }

    async fn a_device_code_is_spent_once_and_only_after_a_yes(database) {
        let store = database.store().await;
        asked(&store).await;
        let spend = async |now| {
            write(&store, move |tx| devices::spend(tx, &[1; 32], at(now))).await.unwrap()
        };
        assert!(!spend(20).await);
        assert!(press(&store, Press::Open, 1, 11, 20).await);
        assert!(!spend(21).await);
        assert!(press(&store, Press::Approve, 1, 11, 22).await);
        assert!(spend(23).await);
        assert!(!spend(24).await);
        let found = find(&store, 1).await;
        assert_eq!(found.spent_at, Some(at(23)));
        let poll = move |tx: &mut munjigi_store::Tx<'_>| {
            devices::poll(tx, &found, Span::from_seconds(5), at(25))
        };
        assert_eq!(write(&store, poll).await, Ok(false), "it is over");
    }

    async fn what_waits_for_a_client_is_forgotten_when_it_is_taken_from_it(database) {
        let store = database.store().await;
        asked(&store).await;
        let forget = async |of: u64, client: &'static str| {
            let forgotten = write(&store, move |tx| {
                devices::forget_unspent(tx, &user_id(of), &client_id(client))
            });
            forgotten.await.unwrap()
        };
        assert_eq!(forget(1, "shop").await, 0, "nobody opened it");
        assert!(press(&store, Press::Open, 1, 11, 20).await);
        assert!(press(&store, Press::Approve, 1, 11, 21).await);
        assert_eq!(forget(2, "shop").await, 0);
        assert_eq!(forget(1, "other").await, 0);
        assert_eq!(forget(1, "shop").await, 1);
        assert_eq!(read(&store, |tx| devices::find(tx, &[1; 32])).await, None);
    }

    async fn what_expired_is_forgotten_and_its_code_free_again(database) {
        let store = database.store().await;
        asked(&store).await;
        let forget = async |before, limit| {
            write(&store, move |tx| devices::forget_expired(tx, at(before), limit)).await.unwrap()
        };
        assert_eq!(forget(600, 10).await, 0);
        assert_eq!(forget(601, 0).await, 0);
        assert_eq!(forget(601, 10).await, 1);
        write(&store, |tx| devices::insert(tx, &device(1))).await.unwrap();
    }
}
