//! Races over the tables: 64 callers at once, and what can happen once happens once.

use std::collections::BTreeSet;
use std::sync::Arc;

use munjigi_core::account::attempts::{Attempts, FREE_FAILURES, Taken};
use munjigi_core::account::link::{Link, Purpose};
use munjigi_core::account::user::{BrowserHold, Session, User};
use munjigi_core::id::OutboxId;
use munjigi_core::oauth::grant::{Circumstances, Grant, Presented};
use munjigi_core::oauth::pushed::PushedRequest;
use munjigi_core::oauth::registration_token::RegistrationToken;
use munjigi_core::oauth::revocation::{Kind, Place, Revocation};
use munjigi_store::outbox::{self, Parcel};
use munjigi_store::revocations::News;
use munjigi_store::testing::Database;
use munjigi_store::{
    Audit, Committed, ReadTx, Result, Store, StoreError, Tx, clients, codes, counters, devices,
    each_backend, grants, links, passwords, pushed_requests, registration_tokens, replays,
    revocations, roles, sessions, throttles, users,
};

use crate::sample::*;

const CALLERS: u64 = 64;

/// Enough connections that PostgreSQL really runs transactions side by side.
async fn open(database: &Database) -> Store {
    let mut options = database.options();
    options.pool_size = 16;
    let store = Store::open(options).await.unwrap();
    people(&store).await;
    store
}

/// Runs the same write 64 times at once, each with its number; what each was told.
async fn at_once<T: Send + 'static>(
    store: &Store,
    change: impl Fn(&mut Tx<'_>, u64) -> Result<Committed<T>> + Send + Sync + 'static,
) -> Vec<Result<T>> {
    let change = Arc::new(change);
    let calls: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (store, change) = (store.clone(), Arc::clone(&change));
            tokio::spawn(async move { store.write(move |tx| change(tx, number)).await })
        })
        .collect();
    let mut told = Vec::new();
    for call in calls {
        told.push(call.await.unwrap());
    }
    told
}

fn done<T>(outcome: T) -> Result<Committed<T>> {
    Ok(Committed::new(outcome, Audit::Routine("a test")))
}

/// As `done` where something was changed, and silent where not.
fn done_if(changed: bool) -> Result<Committed<bool>> {
    if changed { done(true) } else { Ok(Committed::nothing(false)) }
}

each_backend! {
    /// RFC 9700 §4.14.2: one refresh token, presented 64 times at once, has one successor, and
    /// everybody is told the same one.
    async fn of_64_refreshes_one_rotates_and_the_others_see_the_winner(database) {
        let store = open(&database).await;
        for generation in 1..=5 {
            let now = at(100 + 60 * generation);
            let token = Grant { generation, ..grant(1, 11, 11) }.token();
            let told = at_once(&store, move |tx, _| {
                let found = grants::find(tx, &user_id(1), &grant_id(11))?;
                let (grant, standing) = found.unwrap();
                let shop = client("shop");
                let around = Circumstances { client: &shop, standing, lifetimes: LIVES, now };
                match grant.present(&token, &around) {
                    Presented::Rotate => done((true, grants::advance(tx, grant, &LIVES, now)?)),
                    Presented::ReplayOfLast => Ok(Committed::nothing((false, grant))),
                    other => panic!("{other:?}"),
                }
            }).await;
            let told: Vec<_> = told.into_iter().map(Result::unwrap).collect();
            assert_eq!(told.iter().filter(|(rotated, _)| *rotated).count(), 1);
            assert!(told.iter().all(|(_, grant)| grant.generation == generation + 1));
            assert!(told.iter().all(|(_, grant)| grant.rotated_at == Some(now)));
        }
        let found = read(&store, |tx| grants::find(tx, &user_id(1), &grant_id(11))).await.unwrap();
        assert_eq!(found.0.generation, 6);
    }

    /// A token refreshed and its grant revoked at once: after the revocation nothing rotates.
    async fn a_revocation_and_refreshes_have_one_order(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, number| {
            if number == 20 {
                return done_if(grants::revoke(tx, &user_id(1), &grant_id(11), at(50))?);
            }
            let (grant, _) = grants::find(tx, &user_id(1), &grant_id(11))?.unwrap();
            if grant.revoked_at.is_some() {
                return Ok(Committed::nothing(false));
            }
            grants::advance(tx, grant, &LIVES, at(100))?;
            done(true)
        }).await;
        let told: Vec<bool> = told.into_iter().map(Result::unwrap).collect();
        assert!(told[20], "the revocation was told that it was too late");
        let rotations = told.iter().filter(|done| **done).count() - 1;
        let found = read(&store, |tx| grants::find(tx, &user_id(1), &grant_id(11))).await.unwrap();
        assert_eq!(usize::try_from(found.0.generation).unwrap(), rotations + 1);
        assert_eq!(found.0.revoked_at, Some(at(50)));
    }

    async fn of_64_sign_ups_with_one_address_one_succeeds(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, number| {
            let email_canonical = "same@example.com".to_owned();
            let role = vec![role_name("manager")];
            let new = User { email_canonical, roles: role, ..user(100 + number) };
            users::insert(tx, &new)?;
            passwords::put(tx, &new.id, "hash", at(1))?;
            done(new.id)
        }).await;
        let mut winners = Vec::new();
        for one in told {
            match one {
                Ok(id) => winners.push(id),
                Err(error) => assert!(error.is_unique(users::EMAIL_TAKEN), "{error}"),
            }
        }
        let found = read(&store, |tx| users::find_by_email(tx, "same@example.com")).await;
        assert_eq!(winners, [found.unwrap().id]);
        assert_eq!(read(&store, users::count).await, 3);
    }

    async fn of_64_who_end_a_session_one_is_told_so(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, number| {
            let now = at(50 + i64::try_from(number).unwrap());
            done_if(sessions::end(tx, &user_id(1), &session_id(11), now)?)
        }).await;
        let told: Vec<bool> = told.into_iter().map(Result::unwrap).collect();
        let winners: Vec<usize> =
            told.iter().enumerate().filter(|(_, won)| **won).map(|(number, _)| number).collect();
        assert_eq!(winners.len(), 1);
        let find = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(11));
        let ended_at = read(&store, find).await.unwrap().ended_at;
        assert_eq!(ended_at, Some(at(50 + i64::try_from(winners[0]).unwrap())));
    }

    /// Signed out everywhere while signing in: no session is left that neither has ended.
    async fn sessions_end_once_each_whoever_ends_them(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, _| {
            let ended = sessions::end_all(tx, &user_id(1), None, at(50))?;
            if ended.is_empty() { Ok(Committed::nothing(ended)) } else { done(ended) }
        }).await;
        let ended: Vec<_> = told.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(ended.len(), 2);
        assert_eq!(ended.into_iter().collect::<BTreeSet<_>>().len(), 2);
    }

    /// Guesses are counted before they are looked at: of 64 at once only the free ones are.
    async fn of_64_guesses_at_once_only_the_free_ones_are_looked_at(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, _| {
            let attempts = throttles::find(tx, &[5; 32])?.unwrap_or(Attempts::CLEAR);
            match attempts.take(FREE_FAILURES, at(100)) {
                Taken::Counted(counted) => {
                    throttles::put(tx, &[5; 32], &counted, counted.expires_at())?;
                    done(true)
                }
                Taken::Wait { .. } => Ok(Committed::nothing(false)),
            }
        }).await;
        let counted = told.into_iter().map(Result::unwrap).filter(|counted| *counted).count();
        assert_eq!(counted, usize::try_from(FREE_FAILURES).unwrap());
        let found = read(&store, |tx| throttles::find(tx, &[5; 32])).await.unwrap();
        assert_eq!(found.failures, FREE_FAILURES);
    }

    /// A verifier asks for what came after the last place it saw: were a lower one committed
    /// later, it would never hear of it.
    async fn the_feed_has_no_gap_and_no_place_twice_under_64_writers(database) {
        let store = open(&database).await;
        let reader = {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut heard, mut place) = (Vec::new(), Place::BEGINNING);
                while heard.len() < usize::try_from(CALLERS).unwrap() {
                    let news = read(&store, move |tx| revocations::after(tx, place, 7)).await;
                    let News::After(news) = news else { panic!("{news:?}") };
                    place = news.last().map_or(place, Place::after);
                    heard.extend(news.into_iter().map(|revocation| revocation.seq));
                    tokio::task::yield_now().await;
                }
                heard
            })
        };
        let told = at_once(&store, |tx, number| {
            let (seq, not_before, until) = (0, 1, at(100));
            let key = number.to_string();
            let revocation = Revocation { seq, kind: Kind::Grant, key, not_before, until };
            done(revocations::announce(tx, &revocation)?)
        }).await;
        let places: BTreeSet<i64> = told.into_iter().map(Result::unwrap).collect();
        let all: Vec<i64> = (1..=64).collect();
        assert_eq!(places.into_iter().collect::<Vec<_>>(), all);
        assert_eq!(reader.await.unwrap(), all);
    }

    async fn of_64_rehashes_one_replaces_the_hash(database) {
        let store = open(&database).await;
        write(&store, |tx| passwords::put(tx, &user_id(1), "old", at(1))).await.unwrap();
        let told = at_once(&store, |tx, number| {
            let new = format!("new {number}");
            done_if(passwords::replace(tx, &user_id(1), "old", &new, at(2))?)
        }).await;
        let won = told.into_iter().map(Result::unwrap).filter(|won| *won).count();
        assert_eq!(won, 1);
    }

    async fn of_64_who_give_a_role_one_does_and_of_64_who_take_it_one(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, _| {
            done_if(roles::assign(tx, &user_id(2), &role_name("manager"), at(2))?)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
        let told = at_once(&store, |tx, _| {
            done_if(roles::withdraw(tx, &user_id(2), &role_name("manager"))?)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
    }

    async fn no_change_of_reference_data_goes_unnoticed(database) {
        let store = open(&database).await;
        let before = read(&store, counters::reference_version).await;
        let told = at_once(&store, |tx, number| {
            clients::insert(tx, &client(&format!("client-{number}")))?;
            done(())
        }).await;
        assert!(told.iter().all(Result::is_ok), "{told:?}");
        let after = read(&store, counters::reference_version).await;
        assert_eq!(after - before, i64::try_from(CALLERS).unwrap());
    }

    /// RFC 6749 §4.1.2, PK-02 of the attack kit: one code, redeemed 64 times at once, makes one
    /// grant.
    async fn of_64_redemptions_of_a_code_one_makes_the_grant(database) {
        let store = open(&database).await;
        write(&store, |tx| codes::insert(tx, &code(1, 11, 1))).await.unwrap();
        let told = at_once(&store, |tx, _| {
            let found = codes::find(tx, &user_id(1), &code_id(1))?.unwrap();
            if found.spent_at.is_some() {
                return Ok(Committed::nothing(false));
            }
            if !codes::spend(tx, &user_id(1), &code_id(1), at(30))? {
                return Err(StoreError::Conflict);
            }
            grants::insert(tx, &Grant { id: found.grant_id, ..grant(1, 11, 0) })?;
            done(true)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
    }

    /// RFC 9449 §11.1, RFC 7523 §3: shown to 64 nodes at once, a proof is good at one.
    async fn of_64_who_show_the_same_proof_one_is_first(database) {
        let store = open(&database).await;
        let told = at_once(&store, |tx, _| {
            done_if(replays::spend_once(tx, replays::Kind::DpopProof, &[5; 32], at(50))?)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
    }

    async fn of_64_who_refer_to_a_pushed_request_one_spends_it(database) {
        let store = open(&database).await;
        write(&store, |tx| {
            let pushed = PushedRequest {
                hash: [5; 32], client_id: client_id("shop"), parameters: Default::default(),
                dpop_jkt: None, created_at: at(10), expires_at: at(100), spent_at: None,
            };
            pushed_requests::insert(tx, &pushed)
        }).await.unwrap();
        let told = at_once(&store, |tx, _| {
            done_if(pushed_requests::spend(tx, &[5; 32], at(50))?)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
    }

    async fn of_64_who_follow_a_link_one_is_first(database) {
        let store = open(&database).await;
        write(&store, |tx| {
            let link = Link {
                user_id: user_id(1), id: link_id(1), purpose: Purpose::Recover, hash: [1; 32],
                email: "minji@example.com".to_owned(), created_at: at(10), expires_at: at(100),
                spent_at: None,
            };
            links::insert(tx, &link)
        }).await.unwrap();
        let told = at_once(&store, |tx, _| {
            done_if(links::spend(tx, &user_id(1), &link_id(1), at(50))?)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
    }

    async fn a_token_for_ten_registrations_lets_ten_of_64_register(database) {
        let store = open(&database).await;
        write(&store, |tx| {
            let token = RegistrationToken {
                hash: [5; 32], created_at: at(10), expires_at: at(100), remaining: 10,
            };
            registration_tokens::insert(tx, &token)
        }).await.unwrap();
        let told = at_once(&store, |tx, _| {
            done_if(registration_tokens::spend_one(tx, &[5; 32], at(50))?)
        }).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 10);
    }

    /// Said yes and no at once, and polled meanwhile: one answer, and tokens once at most.
    async fn a_device_is_answered_once_and_its_code_spent_once(database) {
        let store = open(&database).await;
        write(&store, |tx| {
            devices::insert(tx, &device(5))?;
            devices::open(tx, &[5; 32], (&user_id(1), &session_id(11)))
        }).await.unwrap();
        let told = at_once(&store, |tx, number| {
            let whose = (&user_id(1), &session_id(11));
            done_if(match number % 2 {
                0 => devices::approve(tx, &[5; 32], whose, at(50))?,
                _ => devices::deny(tx, &[5; 32], whose, at(50))?,
            })
        }).await;
        let winners: Vec<usize> = told.into_iter().map(Result::unwrap).enumerate()
            .filter(|(_, won)| *won).map(|(number, _)| number).collect();
        assert_eq!(winners.len(), 1);
        let approved = winners[0].is_multiple_of(2);
        let told = at_once(&store, |tx, _| {
            done_if(devices::spend(tx, &[5; 32], at(60))?)
        }).await;
        let spent = told.into_iter().map(Result::unwrap).filter(|won| *won).count();
        assert_eq!(spent, usize::from(approved));
    }

    /// Two tabs that sign in again at once: one cookie is good, and the other is dead.
    async fn of_64_who_change_the_cookie_of_a_session_one_does(database) {
        let store = open(&database).await;
        let held = |byte| BrowserHold { hash: [byte; 32], idle_expires_at: at(1_000) };
        write(&store, move |tx| {
            sessions::insert(tx, &Session { browser: Some(held(200)), ..session(1, 13) })
        }).await.unwrap();
        let told = at_once(&store, move |tx, number| {
            let next = held(u8::try_from(number).unwrap());
            let whose = (&user_id(1), &session_id(13));
            done_if(sessions::hold(tx, whose, &[200; 32], Some(&next))?)
        }).await;
        let winners: Vec<usize> = told.into_iter().map(Result::unwrap).enumerate()
            .filter(|(_, won)| *won).map(|(number, _)| number).collect();
        let find = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(13));
        let browser = read(&store, find).await.unwrap().browser.unwrap();
        assert_eq!(winners, [usize::from(browser.hash[0])]);
    }

    /// A mail is sent by one node, whoever looks.
    async fn of_64_nodes_one_takes_what_is_due(database) {
        let store = open(&database).await;
        write(&store, |tx| {
            let id = OutboxId::from_parts(at(1), [1; 10]);
            let kind = outbox::Kind::Mail;
            outbox::insert(tx, &Parcel { id, kind, payload: vec![1], created_at: at(1) })
        }).await.unwrap();
        let due = read(&store, |tx| outbox::due(tx, at(1), 10)).await.remove(0);
        let told = at_once(&store, move |tx, _| done_if(outbox::take(tx, &due, at(60))?)).await;
        assert_eq!(told.into_iter().map(Result::unwrap).filter(|won| *won).count(), 1);
    }
}
