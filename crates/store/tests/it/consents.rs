//! Consents.

use munjigi_core::oauth::consent::Consent;
use munjigi_store::{StoreError, clients, consents, each_backend, users};

use crate::sample::*;

fn consent(of: u64, client: &str, scope: &str, granted_at: i64) -> Consent {
    Consent {
        user_id: user_id(of),
        client_id: client_id(client),
        scope: scope.parse().unwrap(),
        audiences: vec!["urn:example:planner".to_owned()],
        granted_at: at(granted_at),
    }
}

each_backend! {
    async fn a_consent_takes_the_place_of_the_one_before(database) {
        let store = database.store().await;
        people(&store).await;
        let find = async |of| {
            read(&store, move |tx| consents::find(tx, &user_id(of), &client_id("shop"))).await
        };
        assert_eq!(find(1).await, None);
        let first = consent(1, "shop", "openid", 5);
        let put = first.clone();
        write(&store, move |tx| consents::put(tx, &put)).await.unwrap();
        assert_eq!(find(1).await, Some(first.clone()));
        assert_eq!(find(2).await, None);

        let wider = first.widened(&"email".parse().unwrap(), &["urn:x:y".to_owned()], at(9));
        let put = wider.clone();
        write(&store, move |tx| consents::put(tx, &put)).await.unwrap();
        assert_eq!(find(1).await, Some(wider));

        for stranger in [consent(9, "shop", "openid", 5), consent(1, "nobody", "openid", 5)] {
            let put = write(&store, move |tx| consents::put(tx, &stranger)).await;
            assert_eq!(put, Err(StoreError::ForeignKey));
        }
    }

    async fn consents_are_listed_the_newest_first_and_taken_back_once(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            clients::insert(tx, &client("web"))?;
            consents::put(tx, &consent(1, "shop", "openid", 5))?;
            consents::put(tx, &consent(1, "web", "openid", 6))?;
            consents::put(tx, &consent(2, "shop", "openid", 7))
        }).await.unwrap();
        let list = async |of| {
            let all = read(&store, move |tx| consents::list(tx, &user_id(of))).await;
            all.iter().map(|consent| consent.client_id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(list(1).await, ["web", "shop"]);
        let delete = async || {
            write(&store, |tx| consents::delete(tx, &user_id(1), &client_id("shop")))
                .await.unwrap()
        };
        assert!(delete().await);
        assert!(!delete().await);
        assert_eq!((list(1).await, list(2).await), (vec!["web".to_owned()], vec!["shop".into()]));
        write(&store, |tx| {
            clients::delete(tx, &client_id("web"))?;
            users::delete(tx, &user_id(2))
        }).await.unwrap();
        assert_eq!((list(1).await, list(2).await), (vec![], vec![]));
    }
}
