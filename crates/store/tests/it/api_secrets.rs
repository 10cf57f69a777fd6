//! Secrets that APIs share.

use munjigi_store::api_secrets::{self, StoredSecret};
use munjigi_store::{StoreError, apis, each_backend};

use crate::sample::*;

fn secret(kid: &str, audience: &str) -> StoredSecret {
    StoredSecret {
        kid: kid.to_owned(),
        audience: audience.to_owned(),
        sealed: vec![0, 255, 7],
        created_at: at(0),
        activates_at: at(10),
        expires_at: None,
    }
}

each_backend! {
    async fn secrets_are_of_an_api_and_go_with_it(database) {
        let store = database.store().await;
        let missing = write(&store, |tx| api_secrets::insert(tx, &secret("a", "urn:none"))).await;
        assert_eq!(missing, Err(StoreError::ForeignKey));
        write(&store, |tx| apis::insert(tx, &api("urn:one"))).await.unwrap();
        write(&store, |tx| apis::insert(tx, &api("urn:two"))).await.unwrap();
        for (kid, audience) in [("b", "urn:one"), ("a", "urn:one"), ("c", "urn:two")] {
            write(&store, move |tx| api_secrets::insert(tx, &secret(kid, audience))).await.unwrap();
        }
        let one = read(&store, |tx| api_secrets::of_api(tx, "urn:one")).await;
        assert_eq!(one, [secret("a", "urn:one"), secret("b", "urn:one")]);
        assert_eq!(read(&store, api_secrets::all).await.len(), 3);
        write(&store, |tx| apis::delete(tx, "urn:one")).await.unwrap();
        assert_eq!(read(&store, api_secrets::all).await, [secret("c", "urn:two")]);
        assert_eq!(write(&store, |tx| api_secrets::delete(tx, "urn:two")).await, Ok(1));
        assert_eq!(write(&store, |tx| api_secrets::delete(tx, "urn:two")).await, Ok(0));
    }

    async fn a_secret_ends_once_and_is_forgotten_then(database) {
        let store = database.store().await;
        write(&store, |tx| apis::insert(tx, &api("urn:one"))).await.unwrap();
        write(&store, |tx| api_secrets::insert(tx, &secret("a", "urn:one"))).await.unwrap();
        assert_eq!(write(&store, |tx| api_secrets::expire(tx, "urn:one", at(20))).await, Ok(1));
        assert_eq!(write(&store, |tx| api_secrets::expire(tx, "urn:one", at(30))).await, Ok(0));
        let found = read(&store, api_secrets::all).await;
        assert_eq!(found, [StoredSecret { expires_at: Some(at(20)), ..secret("a", "urn:one") }]);
        assert_eq!(write(&store, |tx| api_secrets::forget_expired(tx, at(19))).await, Ok(0));
        assert_eq!(write(&store, |tx| api_secrets::forget_expired(tx, at(20))).await, Ok(1));
        assert_eq!(read(&store, api_secrets::all).await, []);
    }

    async fn a_secret_is_sealed_anew_if_nobody_else_did_so(database) {
        let store = database.store().await;
        write(&store, |tx| apis::insert(tx, &api("urn:one"))).await.unwrap();
        write(&store, |tx| api_secrets::insert(tx, &secret("a", "urn:one"))).await.unwrap();
        let reseal = async |was: &'static [u8]| {
            write(&store, move |tx| api_secrets::reseal(tx, "a", was, &[1])).await.unwrap()
        };
        assert!(!reseal(&[0]).await && reseal(&[0, 255, 7]).await && !reseal(&[0, 255, 7]).await);
    }

    async fn secrets_are_reference_data(database) {
        let store = database.store().await;
        write(&store, |tx| apis::insert(tx, &api("urn:one"))).await.unwrap();
        let insert = |tx: &mut munjigi_store::Tx<'_>| {
            api_secrets::insert(tx, &secret("a", "urn:one"))
        };
        assert!(moves_reference(&store, insert).await);
        assert!(moves_reference(&store, |tx| api_secrets::expire(tx, "urn:one", at(1))).await);
        assert!(!moves_reference(&store, |tx| api_secrets::expire(tx, "urn:one", at(1))).await);
        assert!(moves_reference(&store, |tx| api_secrets::forget_expired(tx, at(1))).await);
    }
}

#[test]
fn a_secret_prints_nothing_of_itself() {
    let printed = format!("{:?}", secret("a", "urn:one"));
    assert!(printed.contains("\"a\"") && !printed.contains("255"), "{printed}");
}
