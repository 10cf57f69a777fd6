//! Authorization codes.

use munjigi_core::oauth::code::Code;
use munjigi_core::oauth::pkce::CodeChallenge;
use munjigi_core::oidc::claims_request::ClaimsRequest;
use munjigi_store::{ReadTx, Store, StoreError, clients, codes, each_backend, sessions};

use crate::sample::*;

async fn find(store: &Store, of: u64, number: u64) -> Option<Code> {
    read(store, move |tx| codes::find(tx, &user_id(of), &code_id(number))).await
}

each_backend! {
    async fn a_code_is_read_back_by_its_person_and_id(database) {
        let store = database.store().await;
        people(&store).await;
        let full = Code {
            redirect_uri_named: false, nonce: Some("n-0S6".to_owned()), spent_at: Some(at(9)),
            challenge: CodeChallenge::from_stored("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            claims: ClaimsRequest::parse(r#"{"id_token":{"name":null}}"#).ok(),
            dpop_jkt: Some("a".repeat(43)), ..code(2, 21, 2)
        };
        assert!(full.challenge.is_some() && full.claims.is_some());
        let inserted = full.clone();
        write(&store, move |tx| {
            codes::insert(tx, &code(1, 11, 1))?;
            codes::insert(tx, &inserted)
        }).await.unwrap();
        assert_eq!(find(&store, 1, 1).await, Some(code(1, 11, 1)));
        assert_eq!(find(&store, 2, 2).await, Some(full));
        assert_eq!(find(&store, 2, 1).await, None, "somebody else's");
        let nowhere = write(&store, |tx| codes::insert(tx, &code(1, 21, 3))).await;
        assert_eq!(nowhere, Err(StoreError::ForeignKey), "not their session");
    }

    async fn a_code_is_spent_once(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| codes::insert(tx, &code(1, 11, 1))).await.unwrap();
        let spend = async |of, now| {
            write(&store, move |tx| codes::spend(tx, &user_id(of), &code_id(1), at(now)))
                .await.unwrap()
        };
        assert!(!spend(2, 20).await);
        assert!(spend(1, 21).await);
        assert!(!spend(1, 22).await);
        assert_eq!(find(&store, 1, 1).await.unwrap().spent_at, Some(at(21)));
    }

    async fn a_code_goes_with_its_session_and_its_client(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            codes::insert(tx, &code(1, 11, 1))?;
            codes::insert(tx, &code(1, 12, 2))?;
            sessions::end(tx, &user_id(1), &session_id(11), at(20))?;
            sessions::forget_expired(tx, at(20_000), 10)
        }).await.unwrap();
        assert_eq!((find(&store, 1, 1).await, find(&store, 1, 2).await), (None, None));
        write(&store, |tx| {
            sessions::insert(tx, &session(1, 13))?;
            codes::insert(tx, &code(1, 13, 3))?;
            clients::delete(tx, &client_id("shop"))
        }).await.unwrap();
        assert_eq!(find(&store, 1, 3).await, None);
    }

    async fn codes_are_forgotten_a_day_after_they_expired(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            for (number, expires_at) in [(1, 100), (2, 101), (3, 99)] {
                let expires_at = at(expires_at);
                codes::insert(tx, &Code { expires_at, ..code(1, 11, number) })?;
            }
            Ok(())
        }).await.unwrap();
        let forget = async |seconds: i64, limit| {
            write(&store, move |tx| codes::forget_expired(tx, at(86_400 + seconds), limit))
                .await.unwrap()
        };
        assert_eq!(forget(99, 10).await, 0);
        assert_eq!(forget(101, 1).await, 1);
        assert_eq!(find(&store, 1, 3).await, None, "the oldest first");
        assert_eq!(forget(101, 10).await, 1);
        let left = |tx: &mut ReadTx<'_>| codes::find(tx, &user_id(1), &code_id(2));
        assert!(read(&store, left).await.is_some());
    }
}
