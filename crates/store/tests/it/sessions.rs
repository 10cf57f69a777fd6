//! Sessions.

use munjigi_core::account::user::{BrowserHold, Session};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::time::Span;
use munjigi_store::{ReadTx, StoreError, each_backend, grants, sessions};

use crate::sample::*;

each_backend! {
    async fn a_session_is_read_back_by_its_owner_and_id(database) {
        let store = database.store().await;
        people(&store).await;
        let bare = Session {
            address: None, user_agent: None, ended_at: Some(at(20)), ..session(2, 22)
        };
        let inserted = bare.clone();
        write(&store, move |tx| sessions::insert(tx, &inserted)).await.unwrap();
        let found = read(&store, |tx| Ok([
            sessions::find(tx, &user_id(1), &session_id(11))?,
            sessions::find(tx, &user_id(2), &session_id(22))?,
            // Somebody else's.
            sessions::find(tx, &user_id(2), &session_id(11))?,
        ])).await;
        assert_eq!(found, [Some(session(1, 11)), Some(bare), None]);
        let nobody = write(&store, |tx| sessions::insert(tx, &session(9, 91))).await;
        assert_eq!(nobody, Err(StoreError::ForeignKey));
    }

    async fn live_sessions_are_listed_the_last_used_first(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            sessions::insert(tx, &Session { used_at: at(30), ..session(1, 13) })?;
            sessions::insert(tx, &Session { expires_at: at(100), ..session(1, 14) })?;
            sessions::insert(tx, &Session { ended_at: Some(at(20)), ..session(1, 15) })
        }).await.unwrap();
        let live = async |now, limit| {
            let listed = read(&store, move |tx| {
                sessions::list_live(tx, &user_id(1), at(now), limit)
            }).await;
            listed.iter().map(|session| session.id).collect::<Vec<_>>()
        };
        let ids = |numbers: &[u64]| numbers.iter().copied().map(session_id).collect::<Vec<_>>();
        assert_eq!(live(99, 200).await, ids(&[13, 14, 12, 11]));
        assert_eq!(live(100, 200).await, ids(&[13, 12, 11]));
        assert_eq!(live(100, 1).await, ids(&[13]));
        assert_eq!(live(10_000, 200).await, []);
    }

    async fn the_oldest_live_sessions_are_those_beyond_the_youngest(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            for (number, created_at) in [(21, 40), (22, 30), (23, 20), (24, 50)] {
                let dead = (number == 24).then_some(at(60));
                let made = Session { created_at: at(created_at), ..session(1, number) };
                sessions::insert(tx, &Session { ended_at: dead, ..made })?;
            }
            sessions::end_all(tx, &user_id(1), Some(&session_id(99)), at(5)).map(|_| ())?;
            for (number, created_at) in [(31, 40), (32, 30), (33, 20), (34, 50)] {
                let made = Session { created_at: at(created_at), ..session(1, number) };
                sessions::insert(tx, &made)?;
            }
            Ok(())
        }).await.unwrap();
        let beyond = async |new, kept, now| {
            read(&store, move |tx| {
                sessions::list_beyond(tx, (&user_id(1), &session_id(new)), kept, at(now))
            }).await
        };
        let ids = |numbers: &[u64]| numbers.iter().copied().map(session_id).collect::<Vec<_>>();
        assert_eq!(beyond(34, 3, 60).await, []);
        assert_eq!(beyond(34, 1, 60).await, ids(&[33, 32]));
        assert_eq!(beyond(34, 0, 60).await, ids(&[33, 32, 31]));
        assert_eq!(beyond(33, 1, 60).await, ids(&[32, 31]), "the new one stays, however old");
        assert_eq!(beyond(34, 0, 1_000_000).await, [], "they are over by themselves");
    }

    async fn use_is_written_down_every_five_minutes(database) {
        let store = database.store().await;
        people(&store).await;
        let touch = async |now| {
            write(&store, move |tx| sessions::touch(tx, &user_id(1), &session_id(11), at(now)))
                .await.unwrap();
            let find = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(11));
            read(&store, find).await.unwrap().used_at
        };
        assert_eq!(sessions::USED_AT_GRAIN, Span::from_seconds(300));
        assert_eq!(touch(10 + 299).await, at(10));
        assert_eq!(touch(10 + 300).await, at(310));
        assert_eq!(touch(20).await, at(310));
        let other = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(12));
        assert_eq!(read(&store, other).await.unwrap().used_at, at(10));
    }

    async fn a_browser_holds_a_session_by_one_cookie_at_a_time(database) {
        let store = database.store().await;
        people(&store).await;
        let held = |byte, idle| BrowserHold { hash: [byte; 32], idle_expires_at: at(idle) };
        write(&store, move |tx| {
            sessions::insert(tx, &Session { browser: Some(held(1, 60)), ..session(1, 13) })
        }).await.unwrap();
        let hold = async |number, byte: u8, next: Option<BrowserHold>| {
            write(&store, move |tx| {
                let whose = (&user_id(1), &session_id(number));
                sessions::hold(tx, whose, &[byte; 32], next.as_ref())
            }).await.unwrap()
        };
        let browser = async |number| {
            let find = move |tx: &mut ReadTx<'_>| {
                sessions::find(tx, &user_id(1), &session_id(number))
            };
            read(&store, find).await.unwrap().browser
        };
        assert!(!hold(13, 9, Some(held(2, 70))).await, "with another cookie");
        assert!(!hold(11, 1, Some(held(2, 70))).await, "no browser holds it");
        assert_eq!(browser(13).await, Some(held(1, 60)));
        assert!(hold(13, 1, Some(held(2, 70))).await);
        assert!(!hold(13, 1, Some(held(3, 80))).await, "the cookie before is dead");
        assert_eq!((browser(13).await, browser(11).await), (Some(held(2, 70)), None));
        assert!(hold(13, 2, None).await);
        assert_eq!(browser(13).await, None);
        assert!(!hold(13, 2, Some(held(2, 70))).await);
    }

    async fn a_session_that_a_browser_holds_dies_of_disuse(database) {
        let store = database.store().await;
        people(&store).await;
        let browser = Some(BrowserHold { hash: [1; 32], idle_expires_at: at(1_000) });
        write(&store, move |tx| {
            sessions::insert(tx, &Session { browser, ..session(1, 13) })
        }).await.unwrap();
        let touch = async |number, now, idle| {
            write(&store, move |tx| {
                sessions::touch_held(tx, (&user_id(1), &session_id(number)), at(idle), at(now))
            }).await.unwrap()
        };
        let live = async |now| {
            let live = read(&store, move |tx| {
                sessions::list_live(tx, &user_id(1), at(now), 200)
            }).await;
            live.iter().any(|session| session.id == session_id(13) && !session.is_over(at(now)))
        };
        assert_eq!(touch(13, 309, 2_000).await, 0, "it was a moment ago");
        assert_eq!(touch(11, 900, 2_000).await, 0, "no browser holds it");
        assert!(live(999).await && !live(1_000).await);
        assert_eq!(touch(13, 1_000, 2_000).await, 0, "it is dead");
        assert_eq!(touch(13, 900, 2_000).await, 1);
        assert!(live(1_999).await && !live(2_000).await);
        // It never outlives its own end.
        assert_eq!(touch(13, 1_900, 99_000).await, 1);
        assert!(live(9_999).await && !live(10_000).await);
    }

    async fn a_session_ends_once(database) {
        let store = database.store().await;
        people(&store).await;
        let end = async |of, number, now| {
            write(&store, move |tx| sessions::end(tx, &user_id(of), &session_id(number), at(now)))
                .await.unwrap()
        };
        assert!(!end(2, 11, 49).await, "somebody else's");
        assert!(end(1, 11, 50).await);
        assert!(!end(1, 11, 51).await);
        let find = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(11));
        assert_eq!(read(&store, find).await.unwrap().ended_at, Some(at(50)));
    }

    async fn all_sessions_end_but_the_one_that_is_kept(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            // Expired, but its grant may live on: it has to end, too.
            sessions::insert(tx, &Session { expires_at: at(20), ..session(1, 13) })?;
            sessions::insert(tx, &Session { ended_at: Some(at(20)), ..session(1, 14) })
        }).await.unwrap();
        let end_all = async |of, except: Option<u64>| {
            let mut ended = write(&store, move |tx| {
                let except = except.map(session_id);
                sessions::end_all(tx, &user_id(of), except.as_ref(), at(60))
            }).await.unwrap();
            ended.sort();
            ended
        };
        assert_eq!(end_all(1, Some(12)).await, [session_id(11), session_id(13)]);
        assert_eq!(end_all(1, None).await, [session_id(12)]);
        assert_eq!(end_all(1, None).await, []);
        let before = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(14));
        assert_eq!(read(&store, before).await.unwrap().ended_at, Some(at(20)));
        let other = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(2), &session_id(21));
        assert_eq!(read(&store, other).await.unwrap().ended_at, None);
    }

    async fn a_new_proof_is_dated_on_a_live_session(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            sessions::end(tx, &user_id(1), &session_id(12), at(20))?;
            for number in [11, 12] {
                sessions::reauthenticate(tx, &user_id(1), &session_id(number), at(30))?;
            }
            Ok(())
        }).await.unwrap();
        let find = async |number| {
            let find = move |tx: &mut ReadTx<'_>| {
                sessions::find(tx, &user_id(1), &session_id(number))
            };
            read(&store, find).await.unwrap().authenticated_at
        };
        assert_eq!([find(11).await, find(12).await], [at(30), at(10)]);
    }

    async fn old_sessions_are_forgotten_some_at_a_time_and_never_with_a_live_grant(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            // 13 to 15 have expired: 13 has a live grant, 14 a revoked one, 15 none.
            for number in [13, 14, 15] {
                let expires_at = at(i64::try_from(number).unwrap());
                sessions::insert(tx, &Session { expires_at, ..session(1, number) })?;
            }
            grants::insert(tx, &grant(1, 13, 13))?;
            grants::insert(tx, &Grant { revoked_at: Some(at(11)), ..grant(1, 14, 14) })
        }).await.unwrap();
        let forget = async |before, limit| {
            write(&store, move |tx| sessions::forget_expired(tx, at(before), limit)).await.unwrap()
        };
        let is_there = async |number| {
            let find = move |tx: &mut ReadTx<'_>| {
                sessions::find(tx, &user_id(1), &session_id(number))
            };
            read(&store, find).await.is_some()
        };
        assert_eq!(forget(14, 10).await, 0);
        assert_eq!(forget(100, 1).await, 1);
        assert!(!is_there(14).await && is_there(15).await);
        let grant = |tx: &mut ReadTx<'_>| grants::find(tx, &user_id(1), &grant_id(14));
        assert_eq!(read(&store, grant).await, None);
        assert_eq!(forget(100, 10).await, 1);
        assert!(is_there(13).await && !is_there(15).await);
        // Its end is the end of the grant, too; and so is the grant's own.
        write(&store, |tx| sessions::end(tx, &user_id(1), &session_id(13), at(90))).await.unwrap();
        assert_eq!(forget(100, 10).await, 1);
        assert_eq!(forget(20_000, 10).await, 3);
        assert!(!is_there(11).await);
    }
}
