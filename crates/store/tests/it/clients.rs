//! Clients and their secrets.

use munjigi_core::oauth::client::{AuthMethod, Client, GrantType, Origin, Party, Pkce, SecretHash};
use munjigi_core::oauth::metadata::{Metadata, WebUri};
use munjigi_core::time::Span;
use munjigi_store::page::Page;
use munjigi_store::{ReadTx, Store, StoreError, Tx, apis, clients, each_backend, grants};

use crate::sample::*;

async fn secrets(store: &Store, name: &'static str) -> Vec<SecretHash> {
    read(store, move |tx| clients::find(tx, &client_id(name))).await.unwrap().secrets
}

fn metadata() -> Metadata {
    Metadata {
        jwks_uri: WebUri::parse("https://app.example/jwks"),
        default_max_age: Some(Span::from_minutes(5)),
        post_logout_redirect_uris: vec!["https://app.example/bye".to_owned()],
        ..Metadata::default()
    }
}

each_backend! {
    async fn a_client_is_read_back_with_its_secrets(database) {
        let store = database.store().await;
        let ending = SecretHash { expires_at: Some(at(9)), ..secret(2) };
        let web = Client { secrets: vec![secret(1), ending], ..client("web") };
        let bare = Client {
            auth_method: AuthMethod::None, grant_types: [GrantType::RefreshToken].into(),
            redirect_uris: vec![], scope: Default::default(), audiences: vec![],
            pkce: Pkce::Required, party: Party::Third, disabled_at: Some(at(7)),
            metadata: metadata(), origin: Origin::Registered, used_at: Some(at(8)),
            refreshed_at: Some(at(9)), management_hash: Some([3; 32]), ..client("bare")
        };
        let both = [bare.clone(), web.clone()];
        write(&store, move |tx| {
            clients::insert(tx, &client("other"))?;
            both.iter().try_for_each(|client| clients::insert(tx, client))
        }).await.unwrap();

        let found = read(&store, |tx| clients::find(tx, &client_id("web"))).await;
        assert_eq!(found.as_ref(), Some(&web));
        assert_eq!(read(&store, |tx| clients::find(tx, &client_id("nobody"))).await, None);
        assert_eq!(read(&store, clients::all).await, [bare, client("other"), web]);
    }

    async fn a_client_is_there_once(database) {
        let store = database.store().await;
        write(&store, |tx| clients::insert(tx, &client("web"))).await.unwrap();
        let error = write(&store, |tx| clients::insert(tx, &client("web"))).await.unwrap_err();
        assert!(error.is_unique(clients::ID_TAKEN), "{error}");
    }

    async fn an_update_leaves_secrets_and_dates(database) {
        let store = database.store().await;
        let web = Client { secrets: vec![secret(1)], ..client("web") };
        write(&store, move |tx| clients::insert(tx, &web)).await.unwrap();
        let wanted = Client {
            name: "New".into(), auth_method: AuthMethod::ClientSecretPost,
            grant_types: [GrantType::ClientCredentials].into(), redirect_uris: vec![],
            scope: "a".parse().unwrap(), audiences: vec!["urn:x:y".into()], pkce: Pkce::Required,
            party: Party::Third, secrets: vec![secret(8), secret(9)], created_at: at(8),
            disabled_at: Some(at(8)), metadata: metadata(), origin: Origin::Document,
            used_at: Some(at(8)), refreshed_at: Some(at(9)), management_hash: Some([3; 32]),
            ..client("web")
        };
        let update = wanted.clone();
        assert!(write(&store, move |tx| clients::update(tx, &update)).await.unwrap());
        assert!(!write(&store, |tx| clients::update(tx, &client("nobody"))).await.unwrap());
        let found = read(&store, |tx| clients::find(tx, &client_id("web"))).await.unwrap();
        let (secrets, created_at) = (vec![secret(1)], at(0));
        let (origin, used_at) = (Origin::Made, None);
        let kept = Client { secrets, created_at, disabled_at: None, origin, used_at, ..wanted };
        assert_eq!(found, kept);
    }

    async fn a_client_is_disabled_and_enabled_once_each(database) {
        let store = database.store().await;
        write(&store, |tx| clients::insert(tx, &client("web"))).await.unwrap();
        let set = async |name: &str, disabled_at| {
            let id = client_id(name);
            write(&store, move |tx| clients::set_disabled(tx, &id, disabled_at)).await.unwrap()
        };
        assert!(!set("web", None).await);
        assert!(set("web", Some(at(5))).await);
        assert!(!set("web", Some(at(6))).await);
        let found = read(&store, |tx| clients::find(tx, &client_id("web"))).await.unwrap();
        assert_eq!(found.disabled_at, Some(at(5)));
        assert!(set("web", None).await);
        assert!(!set("nobody", Some(at(5))).await);
    }

    async fn a_client_is_seen_once_an_hour_and_no_snapshot_follows(database) {
        let store = database.store().await;
        write(&store, |tx| clients::insert(tx, &client("web"))).await.unwrap();
        let touch = |now: i64| move |tx: &mut Tx<'_>| {
            clients::touch_used(tx, &client_id("web"), at(now))
        };
        for (now, seen) in [(5, 5), (3_604, 5), (3_605, 3_605)] {
            assert!(!moves_reference(&store, touch(now)).await);
            let web = read(&store, |tx| clients::find(tx, &client_id("web"))).await.unwrap();
            assert_eq!(web.used_at, Some(at(seen)));
        }
    }

    async fn unused_clients_are_those_that_nobody_made_and_nobody_saw(database) {
        let store = database.store().await;
        write(&store, |tx| {
            let registered = |name| Client { origin: Origin::Registered, ..client(name) };
            clients::insert(tx, &client("made"))?;
            clients::insert(tx, &registered("old"))?;
            clients::insert(tx, &Client { used_at: Some(at(50)), ..registered("seen") })?;
            clients::insert(tx, &Client { created_at: at(50), ..registered("young") })?;
            let document = Client { origin: Origin::Document, ..client("https://a.example/c") };
            clients::insert(tx, &document)
        }).await.unwrap();
        let unused = async |before, limit| {
            let ids = read(&store, move |tx| {
                clients::list_unused_registered(tx, at(before), limit)
            }).await;
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(unused(50, 9).await, ["https://a.example/c", "old"]);
        assert_eq!(unused(51, 9).await, ["https://a.example/c", "old", "seen", "young"]);
        assert_eq!(unused(51, 1).await, ["https://a.example/c"]);
        assert_eq!(unused(0, 9).await, [""; 0]);
        assert_eq!(read(&store, clients::count_registered).await, 4);
    }

    async fn a_client_that_is_deleted_takes_its_grants_along_and_leaves_its_apis(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            let mut api = api("urn:example:planner");
            api.client_id = Some(client_id("shop"));
            apis::insert(tx, &api)?;
            clients::add_secret(tx, &client_id("shop"), &secret(1), at(1))
        }).await.unwrap();
        assert!(write(&store, |tx| clients::delete(tx, &client_id("shop"))).await.unwrap());
        assert!(!write(&store, |tx| clients::delete(tx, &client_id("shop"))).await.unwrap());

        let grant = |tx: &mut ReadTx<'_>| grants::find(tx, &user_id(1), &grant_id(11));
        assert_eq!(read(&store, grant).await, None);
        let api = read(&store, |tx| apis::find(tx, "urn:example:planner")).await.unwrap();
        assert_eq!(api.client_id, None);
        // A client of the same name does not inherit them.
        write(&store, |tx| clients::insert(tx, &client("shop"))).await.unwrap();
        assert_eq!(secrets(&store, "shop").await, []);
    }

    async fn a_secret_is_rotated_with_an_overlap(database) {
        let store = database.store().await;
        let (web, other) = (client("web"), client("other"));
        let web = Client { secrets: vec![secret(1)], ..web };
        let other = Client { secrets: vec![secret(7)], ..other };
        write(&store, move |tx| {
            clients::insert(tx, &web)?;
            clients::insert(tx, &other)
        }).await.unwrap();
        let rotate = async |new: u8, now: i64| {
            write(&store, move |tx| {
                let id = client_id("web");
                let ended = clients::expire_secrets(tx, &id, at(now + 100))?;
                clients::add_secret(tx, &id, &secret(new), at(now))?;
                Ok(ended)
            }).await.unwrap()
        };
        assert_eq!(rotate(2, 10).await, 1);
        let old = |byte, until| SecretHash { expires_at: Some(at(until)), ..secret(byte) };
        assert_eq!(secrets(&store, "web").await, [old(1, 110), secret(2)]);
        // Again while the overlap lasts: an end that was set stays, and there are never three.
        assert_eq!(rotate(3, 20).await, 1);
        assert_eq!(secrets(&store, "web").await, [old(2, 120), secret(3)]);
        assert_eq!(secrets(&store, "other").await, [secret(7)]);

        let forget = async |now| {
            write(&store, move |tx| clients::forget_expired_secrets(tx, at(now))).await.unwrap()
        };
        assert_eq!(forget(119).await, 0);
        assert_eq!(forget(120).await, 1);
        assert_eq!(secrets(&store, "web").await, [secret(3)]);
        let nobody = write(&store, |tx| {
            clients::add_secret(tx, &client_id("nobody"), &secret(1), at(1))
        }).await;
        assert_eq!(nobody, Err(StoreError::ForeignKey));
    }

    async fn an_end_of_secrets_is_brought_forward_and_never_put_off(database) {
        let store = database.store().await;
        let ending = |byte, until| SecretHash { expires_at: Some(at(until)), ..secret(byte) };
        let web = Client { secrets: vec![ending(1, 40), ending(2, 60)], ..client("web") };
        write(&store, move |tx| clients::insert(tx, &web)).await.unwrap();
        let expire = |tx: &mut Tx<'_>| clients::expire_secrets(tx, &client_id("web"), at(50));
        assert_eq!(write(&store, expire).await, Ok(1));
        assert_eq!(secrets(&store, "web").await, [ending(1, 40), ending(2, 50)]);
    }

    async fn pages_show_every_client_once_with_its_secrets(database) {
        let store = database.store().await;
        write(&store, |tx| {
            for name in ["c", "a", "e", "b", "d"] {
                clients::insert(tx, &Client { secrets: vec![secret(1)], ..client(name) })?;
            }
            Ok(())
        }).await.unwrap();
        let (mut page, mut seen) = (Page::first(2), Vec::new());
        loop {
            let asked = page.clone();
            let listed = read(&store, move |tx| clients::list(tx, &asked)).await;
            assert!(listed.items.iter().all(|client| client.secrets == [secret(1)]));
            seen.extend(listed.items.iter().map(|client| client.id.to_string()));
            page.after = listed.next;
            if page.after.is_none() { break }
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    }

    async fn clients_and_secrets_are_reference_data(database) {
        let store = database.store().await;
        let id = || client_id("web");
        assert!(moves_reference(&store, |tx| clients::insert(tx, &client("web"))).await);
        assert!(moves_reference(&store, |tx| clients::update(tx, &client("web"))).await);
        let disable = move |tx: &mut Tx<'_>| clients::set_disabled(tx, &id(), Some(at(1)));
        assert!(moves_reference(&store, disable).await);
        assert!(!moves_reference(&store, disable).await);
        let add = move |tx: &mut Tx<'_>| clients::add_secret(tx, &id(), &secret(1), at(1));
        assert!(moves_reference(&store, add).await);
        let expire = move |tx: &mut Tx<'_>| clients::expire_secrets(tx, &id(), at(5));
        assert!(moves_reference(&store, expire).await);
        assert!(!moves_reference(&store, expire).await);
        let forget = |tx: &mut Tx<'_>| clients::forget_expired_secrets(tx, at(5));
        assert!(moves_reference(&store, forget).await);
        assert!(!moves_reference(&store, forget).await);
        assert!(moves_reference(&store, move |tx| clients::delete(tx, &id())).await);
    }
}
