//! APIs.

use munjigi_core::oauth::api::Api;
use munjigi_core::time::Span;
use munjigi_store::page::Page;
use munjigi_store::{StoreError, Tx, apis, clients, each_backend};

use crate::sample::*;

each_backend! {
    async fn an_api_is_read_back_and_changed(database) {
        let store = database.store().await;
        let bare = Api { access_ttl: None, disabled_at: Some(at(3)), ..api("urn:a:bare") };
        let inserted = bare.clone();
        write(&store, move |tx| {
            clients::insert(tx, &client("shop"))?;
            apis::insert(tx, &api("urn:b:planner"))?;
            apis::insert(tx, &inserted)
        }).await.unwrap();
        assert_eq!(read(&store, apis::all).await, [bare, api("urn:b:planner")]);

        let wanted = Api {
            name: "New".into(), access_ttl: Some(Span::from_seconds(5)),
            algorithm: "RS256".parse().map_err(drop).unwrap(), client_id: Some(client_id("shop")),
            created_at: at(9), disabled_at: Some(at(9)), ..api("urn:b:planner")
        };
        let update = wanted.clone();
        assert!(write(&store, move |tx| apis::update(tx, &update)).await.unwrap());
        assert!(!write(&store, |tx| apis::update(tx, &api("urn:x:y"))).await.unwrap());
        let found = read(&store, |tx| apis::find(tx, "urn:b:planner")).await.unwrap();
        assert_eq!(found, Api { created_at: at(0), disabled_at: None, ..wanted });
        assert_eq!(read(&store, |tx| apis::find(tx, "urn:x:y")).await, None);
    }

    async fn an_api_is_there_once_and_asks_as_a_client_that_is_there(database) {
        let store = database.store().await;
        write(&store, |tx| apis::insert(tx, &api("urn:a:b"))).await.unwrap();
        let error = write(&store, |tx| apis::insert(tx, &api("urn:a:b"))).await.unwrap_err();
        assert!(error.is_unique(apis::AUDIENCE_TAKEN), "{error}");
        let stranger = || Api { client_id: Some(client_id("nobody")), ..api("urn:a:b") };
        let update = write(&store, move |tx| apis::update(tx, &stranger())).await;
        assert_eq!(update, Err(StoreError::ForeignKey));
    }

    async fn an_api_is_disabled_enabled_and_deleted_once_each(database) {
        let store = database.store().await;
        write(&store, |tx| apis::insert(tx, &api("urn:a:b"))).await.unwrap();
        let set = async |audience: &'static str, disabled_at| {
            write(&store, move |tx| apis::set_disabled(tx, audience, disabled_at)).await.unwrap()
        };
        assert!(!set("urn:a:b", None).await);
        assert!(set("urn:a:b", Some(at(5))).await);
        assert!(!set("urn:a:b", Some(at(6))).await);
        let found = read(&store, |tx| apis::find(tx, "urn:a:b")).await.unwrap();
        assert_eq!(found.disabled_at, Some(at(5)));
        assert!(set("urn:a:b", None).await);
        assert!(!set("urn:x:y", Some(at(5))).await);
        assert!(write(&store, |tx| apis::delete(tx, "urn:a:b")).await.unwrap());
        assert!(!write(&store, |tx| apis::delete(tx, "urn:a:b")).await.unwrap());
    }

    async fn pages_show_every_api_once(database) {
        let store = database.store().await;
        let names = ["urn:a:c", "urn:a:a", "urn:a:b"];
        write(&store, move |tx| names.iter().try_for_each(|name| apis::insert(tx, &api(name))))
            .await.unwrap();
        let (mut page, mut seen) = (Page::first(2), Vec::new());
        loop {
            let asked = page.clone();
            let listed = read(&store, move |tx| apis::list(tx, &asked)).await;
            seen.extend(listed.items.into_iter().map(|api| api.audience));
            page.after = listed.next;
            if page.after.is_none() { break }
        }
        assert_eq!(seen, ["urn:a:a", "urn:a:b", "urn:a:c"]);
    }

    async fn apis_are_reference_data(database) {
        let store = database.store().await;
        assert!(moves_reference(&store, |tx| apis::insert(tx, &api("urn:a:b"))).await);
        assert!(moves_reference(&store, |tx| apis::update(tx, &api("urn:a:b"))).await);
        let disable = |tx: &mut Tx<'_>| apis::set_disabled(tx, "urn:a:b", Some(at(1)));
        assert!(moves_reference(&store, disable).await);
        assert!(!moves_reference(&store, disable).await);
        assert!(moves_reference(&store, |tx| apis::delete(tx, "urn:a:b")).await);
        assert!(!moves_reference(&store, |tx| apis::delete(tx, "urn:a:b")).await);
    }
}
