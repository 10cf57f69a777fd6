//! Roles, and who has them.

use munjigi_core::access::{Role, RoleName};
use munjigi_store::page::Page;
use munjigi_store::{StoreError, Tx, each_backend, roles, users};

use crate::sample::*;

each_backend! {
    async fn a_role_is_read_back_and_changed(database) {
        let store = database.store().await;
        let bare = Role {
            description: String::new(), permissions: Default::default(),
            scope: Default::default(), disabled_at: Some(at(4)), ..role("bare")
        };
        let inserted = bare.clone();
        write(&store, move |tx| {
            roles::insert(tx, &role("manager"))?;
            roles::insert(tx, &inserted)
        }).await.unwrap();
        let all = read(&store, roles::all).await;
        assert_eq!(all, [bare.clone(), role("manager")]);

        let mut changed = Role { description: "new".into(), created_at: at(9), ..bare.clone() };
        changed.permissions = ["*".parse().unwrap()].into_iter().collect();
        changed.scope = "a b".parse().unwrap();
        changed.disabled_at = None;
        let update = changed.clone();
        assert!(write(&store, move |tx| roles::update(tx, &update)).await.unwrap());
        assert!(!write(&store, |tx| roles::update(tx, &role("nobody"))).await.unwrap());
        let found = read(&store, |tx| roles::find(tx, &role_name("bare"))).await.unwrap();
        // Dates are not changed by the way.
        assert_eq!(found, Role { created_at: at(0), disabled_at: Some(at(4)), ..changed });
        assert_eq!(read(&store, |tx| roles::find(tx, &role_name("nobody"))).await, None);
    }

    async fn a_role_is_there_once(database) {
        let store = database.store().await;
        write(&store, |tx| roles::insert(tx, &role("manager"))).await.unwrap();
        let error = write(&store, |tx| roles::insert(tx, &role("manager"))).await.unwrap_err();
        assert!(error.is_unique(roles::NAME_TAKEN), "{error}");
    }

    async fn a_role_is_disabled_and_enabled_once_each(database) {
        let store = database.store().await;
        write(&store, |tx| roles::insert(tx, &role("manager"))).await.unwrap();
        let set = async |name: &str, disabled_at| {
            let name = role_name(name);
            write(&store, move |tx| roles::set_disabled(tx, &name, disabled_at)).await.unwrap()
        };
        assert!(!set("manager", None).await);
        assert!(set("manager", Some(at(5))).await);
        assert!(!set("manager", Some(at(6))).await);
        let found = read(&store, |tx| roles::find(tx, &role_name("manager"))).await.unwrap();
        assert_eq!(found.disabled_at, Some(at(5)));
        assert!(set("manager", None).await);
        assert!(!set("nobody", Some(at(5))).await);
    }

    async fn a_role_that_is_deleted_is_nobodys(database) {
        let store = database.store().await;
        people(&store).await;
        assert!(write(&store, |tx| roles::delete(tx, &role_name("manager"))).await.unwrap());
        assert!(!write(&store, |tx| roles::delete(tx, &role_name("manager"))).await.unwrap());
        let found = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        assert_eq!(found.roles, []);
    }

    async fn roles_are_given_and_taken(database) {
        let store = database.store().await;
        people(&store).await;
        let manager = || role_name("manager");
        let assign = |tx: &mut Tx<'_>| roles::assign(tx, &user_id(2), &role_name("manager"), at(5));
        assert!(write(&store, assign).await.unwrap());
        assert!(!write(&store, assign).await.unwrap());
        let holders = read(&store, move |tx| roles::holders(tx, &manager(), 9)).await;
        assert_eq!(holders, [user_id(1), user_id(2)]);
        let some = read(&store, move |tx| roles::holders(tx, &manager(), 1)).await;
        assert_eq!(some, [user_id(1)]);
        let withdraw = |tx: &mut Tx<'_>| roles::withdraw(tx, &user_id(2), &role_name("manager"));
        assert!(write(&store, withdraw).await.unwrap());
        assert!(!write(&store, withdraw).await.unwrap());

        for (number, name) in [(9, "manager"), (2, "nothing")] {
            let refused = write(&store, move |tx| {
                roles::assign(tx, &user_id(number), &role_name(name), at(5))
            }).await;
            assert_eq!(refused, Err(StoreError::ForeignKey));
        }
    }

    async fn a_set_of_roles_is_replaced_as_a_whole(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            roles::insert(tx, &role("admin"))?;
            roles::insert(tx, &role("user"))
        }).await.unwrap();
        let replace = async |names: &[&str]| {
            let names: Vec<RoleName> = names.iter().map(|name| role_name(name)).collect();
            write(&store, move |tx| roles::replace_for(tx, &user_id(1), &names, at(5)))
                .await
        };
        let held = async || {
            let found = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
            found.roles.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(replace(&["user", "manager", "user"]).await.unwrap());
        assert_eq!(held().await, ["manager", "user"]);
        assert!(!replace(&["manager", "user"]).await.unwrap());
        assert!(replace(&["admin"]).await.unwrap());
        assert_eq!(held().await, ["admin"]);
        assert_eq!(replace(&["nothing"]).await, Err(StoreError::ForeignKey));
        assert_eq!(held().await, ["admin"]);
        assert!(replace(&[]).await.unwrap());
        assert_eq!(held().await, Vec::<String>::new());
    }

    async fn pages_show_every_role_once(database) {
        let store = database.store().await;
        write(&store, |tx| {
            ["c", "a", "e", "b", "d"].iter().try_for_each(|name| roles::insert(tx, &role(name)))
        }).await.unwrap();
        let (mut page, mut seen) = (Page::first(2), Vec::new());
        loop {
            let asked = page.clone();
            let listed = read(&store, move |tx| roles::list(tx, &asked)).await;
            seen.extend(listed.items.iter().map(|role| role.name.to_string()));
            page.after = listed.next;
            if page.after.is_none() { break }
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    }

    async fn roles_are_reference_data_and_who_has_them_is_not(database) {
        let store = database.store().await;
        people(&store).await;
        let name = || role_name("r");
        assert!(moves_reference(&store, |tx| roles::insert(tx, &role("r"))).await);
        assert!(moves_reference(&store, |tx| roles::update(tx, &role("r"))).await);
        assert!(!moves_reference(&store, |tx| roles::update(tx, &role("nobody"))).await);
        let disable = move |tx: &mut Tx<'_>| roles::set_disabled(tx, &name(), Some(at(1)));
        assert!(moves_reference(&store, disable).await);
        assert!(!moves_reference(&store, disable).await);
        let assign = move |tx: &mut Tx<'_>| roles::assign(tx, &user_id(1), &name(), at(1));
        assert!(!moves_reference(&store, assign).await);
        let replace = |tx: &mut Tx<'_>| roles::replace_for(tx, &user_id(1), &[], at(1));
        assert!(!moves_reference(&store, replace).await);
        assert!(moves_reference(&store, move |tx| roles::delete(tx, &name())).await);
        assert!(!moves_reference(&store, move |tx| roles::delete(tx, &name())).await);
    }
}
