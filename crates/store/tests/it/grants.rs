//! Grants.

use munjigi_core::account::user::User;
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::grant::{Grant, Standing};
use munjigi_core::oauth::metadata::{Metadata, WebUri};
use munjigi_core::oidc::claims_request::ClaimsRequest;
use munjigi_store::grants::{Found, RelyingParty};
use munjigi_store::{
    Result, Store, StoreError, Tx, clients, each_backend, grants, sessions, users,
};

use crate::sample::*;

async fn find(store: &Store, of: u64, number: u64) -> Option<(Grant, Standing)> {
    read(store, move |tx| grants::find(tx, &user_id(of), &grant_id(number))).await
}

async fn revoked_at(store: &Store) -> Vec<Option<munjigi_core::time::Timestamp>> {
    let mut times = Vec::new();
    for (of, number) in [(1, 11), (1, 12), (2, 21)] {
        times.push(find(store, of, number).await.unwrap().0.revoked_at);
    }
    times
}

each_backend! {
    async fn a_grant_is_read_back_with_how_its_surroundings_stand(database) {
        let store = database.store().await;
        people(&store).await;
        let good = Standing {
            user_disabled_at: None, password_changed_at: Some(at(3)), session_ended_at: None,
            session_kept_at: None,
        };
        assert_eq!(find(&store, 1, 11).await, Some((grant(1, 11, 11), good)));
        assert_eq!(find(&store, 2, 11).await, None);

        let full = Grant {
            generation: 7, rotated_at: Some(at(12)), revoked_at: Some(at(13)), nonce: [0xfe; 16],
            scope: Default::default(), audiences: vec![], dpop_jkt: Some("a".repeat(43)),
            claims: ClaimsRequest::parse(r#"{"userinfo":{"name":{"essential":true}}}"#).ok(),
            ..grant(1, 11, 19)
        };
        let inserted = full.clone();
        write(&store, move |tx| {
            grants::insert(tx, &inserted)?;
            users::set_disabled(tx, &user_id(1), Some(at(40)), at(40))?;
            users::set_password_changed(tx, &user_id(1), at(41))?;
            sessions::end(tx, &user_id(1), &session_id(11), at(42))
        }).await.unwrap();
        let bad = Standing {
            user_disabled_at: Some(at(40)), password_changed_at: Some(at(41)),
            session_ended_at: Some(at(42)), session_kept_at: None,
        };
        assert_eq!(find(&store, 1, 19).await, Some((full, bad)));
        // The other session is not over.
        let other = Standing { session_ended_at: None, ..bad };
        assert_eq!(find(&store, 1, 12).await, Some((grant(1, 12, 12), other)));
    }

    async fn a_grant_is_read_with_its_owner_in_one_statement(database) {
        let store = database.store().await;
        people(&store).await;
        let with_user = async |of, number| {
            read(&store, move |tx| grants::find_with_user(tx, &user_id(of), &grant_id(number)))
                .await
        };
        let Found { grant, standing, user: owner, amr } = with_user(1, 12).await.unwrap();
        assert_eq!(find(&store, 1, 12).await, Some((grant, standing)));
        assert_eq!(amr, "pwd");
        assert_eq!(owner, User { roles: vec![role_name("manager")], ..user(1) });
        assert!(with_user(1, 21).await.is_none());
        write(&store, |tx| {
            sessions::end(tx, &user_id(1), &session_id(12), at(42))?;
            users::set_disabled(tx, &user_id(1), Some(at(40)), at(40))
        }).await.unwrap();
        let Found { standing, .. } = with_user(1, 12).await.unwrap();
        let (_, same) = find(&store, 1, 12).await.unwrap();
        assert_eq!(standing, same);
    }

    async fn a_grant_hangs_on_a_session_of_its_owner_and_a_client(database) {
        let store = database.store().await;
        people(&store).await;
        let insert = async |grant: Grant| {
            write(&store, move |tx| grants::insert(tx, &grant)).await
        };
        let refused = Err(StoreError::ForeignKey);
        assert_eq!(insert(grant(1, 21, 31)).await, refused, "somebody else's session");
        assert_eq!(insert(grant(9, 11, 31)).await, refused);
        let stranger = Grant { client_id: client_id("stranger"), ..grant(1, 11, 31) };
        assert_eq!(insert(stranger).await, refused);
    }

    async fn a_grant_moves_on_by_one(database) {
        let store = database.store().await;
        people(&store).await;
        let advanced = write(&store, |tx| {
            let (grant, _) = grants::find(tx, &user_id(1), &grant_id(11))?.unwrap();
            grants::advance(tx, grant, &LIVES, at(100))
        }).await.unwrap();
        assert_eq!(advanced, grant(1, 11, 11).advanced(&LIVES, at(100)));
        assert_eq!(advanced.generation, 2);
        assert_eq!(find(&store, 1, 11).await.unwrap().0, advanced);
        assert_eq!(find(&store, 1, 12).await.unwrap().0, grant(1, 12, 12));
    }

    async fn who_lost_is_run_again_and_in_the_end_told(database) {
        let store = database.store().await;
        people(&store).await;
        // A grant that was not read in the same transaction: its generation is of yesterday.
        let stale = |tx: &mut Tx<'_>| -> Result<Grant> {
            grants::advance(tx, Grant { generation: 5, ..grant(1, 11, 11) }, &LIVES, at(100))
        };
        assert_eq!(write(&store, stale).await, Err(StoreError::Conflict));
        write(&store, |tx| grants::revoke(tx, &user_id(1), &grant_id(12), at(20))).await.unwrap();
        let dead = |tx: &mut Tx<'_>| grants::advance(tx, grant(1, 12, 12), &LIVES, at(100));
        assert_eq!(write(&store, dead).await, Err(StoreError::Conflict));
        assert_eq!(find(&store, 1, 11).await.unwrap().0, grant(1, 11, 11));
    }

    async fn a_grant_is_revoked_once(database) {
        let store = database.store().await;
        people(&store).await;
        let revoke = async |of, number, now| {
            write(&store, move |tx| grants::revoke(tx, &user_id(of), &grant_id(number), at(now)))
                .await.unwrap()
        };
        assert!(!revoke(2, 11, 49).await, "somebody else's");
        assert!(revoke(1, 11, 50).await);
        assert!(!revoke(1, 11, 51).await);
        assert_eq!(revoked_at(&store).await, [Some(at(50)), None, None]);
    }

    async fn the_grants_of_a_session_are_revoked_together(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| grants::insert(tx, &grant(1, 11, 19))).await.unwrap();
        let revoke = |tx: &mut Tx<'_>| {
            grants::revoke_session(tx, &user_id(1), &session_id(11), at(50))
        };
        assert_eq!(write(&store, revoke).await, Ok(2));
        assert_eq!(write(&store, revoke).await, Ok(0));
        assert_eq!(revoked_at(&store).await, [Some(at(50)), None, None]);
    }

    async fn all_grants_are_revoked_but_those_of_the_session_that_is_kept(database) {
        let store = database.store().await;
        people(&store).await;
        let revoke_all = async |except: Option<u64>| {
            write(&store, move |tx| {
                let except = except.map(session_id);
                grants::revoke_all(tx, &user_id(1), except.as_ref(), at(60))
            }).await.unwrap()
        };
        assert_eq!(revoke_all(Some(12)).await, 1);
        assert_eq!(revoked_at(&store).await, [Some(at(60)), None, None]);
        assert_eq!(revoke_all(None).await, 1);
        assert_eq!(revoke_all(None).await, 0);
        assert_eq!(revoked_at(&store).await, [Some(at(60)), Some(at(60)), None]);
    }

    async fn a_kept_session_outlives_the_change_of_password(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            users::set_password_changed(tx, &user_id(1), at(70))?;
            sessions::keep(tx, &user_id(1), &session_id(12), at(70))
        }).await.unwrap();
        let dead = async |number| {
            let (grant, standing) = find(&store, 1, number).await.unwrap();
            grant.dead(&standing, at(71))
        };
        assert!(dead(11).await.is_some());
        assert_eq!(dead(12).await, None);
        // What was said of the sign-in stays true.
        assert_eq!(find(&store, 1, 12).await.unwrap().0.authenticated_at, at(10));
    }

    async fn live_grants_are_those_that_can_be_used(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            grants::insert(tx, &Grant { idle_expires_at: at(100), ..grant(1, 11, 13) })?;
            grants::insert(tx, &Grant { expires_at: at(100), ..grant(1, 11, 14) })?;
            grants::insert(tx, &Grant { revoked_at: Some(at(11)), ..grant(1, 11, 15) })
        }).await.unwrap();
        let live = async |now, limit| {
            let listed =
                read(&store, move |tx| grants::list_live(tx, &user_id(1), at(now), limit)).await;
            listed.iter().map(|grant| grant.id).collect::<Vec<_>>()
        };
        let ids = |numbers: &[u64]| numbers.iter().copied().map(grant_id).collect::<Vec<_>>();
        assert_eq!(live(99, 200).await, ids(&[14, 13, 12, 11]));
        assert_eq!(live(99, 1).await, ids(&[14]));
        assert_eq!(live(100, 200).await, ids(&[12, 11]));
        write(&store, |tx| sessions::end(tx, &user_id(1), &session_id(12), at(20))).await.unwrap();
        assert_eq!(live(100, 200).await, ids(&[11]));
        write(&store, |tx| users::set_password_changed(tx, &user_id(1), at(70))).await.unwrap();
        assert_eq!(live(100, 200).await, []);
    }

    async fn who_was_let_in_by_a_session_is_known_until_it_ends(database) {
        let store = database.store().await;
        people(&store).await;
        let told = Metadata {
            backchannel_logout_uri: WebUri::parse("https://shop.example/back"),
            ..Metadata::default()
        };
        let second = Client { metadata: told.clone(), ..client("second") };
        write(&store, move |tx| {
            clients::insert(tx, &second)?;
            // Twice by the same session, and one of them is over.
            for number in [13, 14] {
                let by = session_id(11);
                let client_id = client_id("second");
                let grant = Grant { client_id, session_id: by, ..grant(1, 11, number) };
                grants::insert(tx, &grant)?;
            }
            grants::revoke(tx, &user_id(1), &grant_id(13), at(20)).map(drop)
        }).await.unwrap();
        let of = |number, name: &str, metadata: &Metadata| RelyingParty {
            session_id: session_id(number), client_id: client_id(name), metadata: metadata.clone(),
        };
        let none = Metadata::default();
        let first = vec![of(11, "second", &told), of(11, "shop", &none)];
        let by_session = async |number| {
            read(&store, move |tx| {
                grants::relying_parties_of_session(tx, &user_id(1), &session_id(number))
            }).await
        };
        let by_user = async |except: Option<u64>| {
            read(&store, move |tx| {
                let except = except.map(session_id);
                grants::relying_parties_of_user(tx, &user_id(1), except.as_ref())
            }).await
        };
        assert_eq!(by_session(11).await, first);
        assert_eq!(by_session(21).await, vec![], "another person's");
        assert_eq!(by_user(Some(11)).await, vec![of(12, "shop", &none)]);
        assert_eq!(by_user(None).await, [first, vec![of(12, "shop", &none)]].concat());
        write(&store, |tx| sessions::end(tx, &user_id(1), &session_id(11), at(30))).await.unwrap();
        assert_eq!(by_session(11).await, vec![]);
        assert_eq!(by_user(None).await, vec![of(12, "shop", &none)]);
    }
}
