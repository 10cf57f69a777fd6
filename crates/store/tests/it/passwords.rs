//! Password hashes.

use munjigi_core::account::user::User;
use munjigi_store::passwords::{self, SignIn};
use munjigi_store::{ReadTx, StoreError, each_backend, users};

use crate::sample::*;

each_backend! {
    async fn a_hash_is_set_and_set_again(database) {
        let store = database.store().await;
        people(&store).await;
        let find = |tx: &mut ReadTx<'_>| passwords::find(tx, &user_id(1));
        assert_eq!(read(&store, find).await, None);
        write(&store, |tx| passwords::put(tx, &user_id(1), "$argon2id$one", at(1))).await.unwrap();
        assert_eq!(read(&store, find).await.as_deref(), Some("$argon2id$one"));
        write(&store, |tx| passwords::put(tx, &user_id(1), "$argon2id$two", at(2))).await.unwrap();
        assert_eq!(read(&store, find).await.as_deref(), Some("$argon2id$two"));
        assert_eq!(read(&store, |tx| passwords::find(tx, &user_id(2))).await, None);
    }

    async fn nobody_has_no_password(database) {
        let store = database.store().await;
        let put = write(&store, |tx| passwords::put(tx, &user_id(1), "hash", at(1))).await;
        assert_eq!(put, Err(StoreError::ForeignKey));
    }

    /// A rehash that was begun before a change of password must not bring the old one back.
    async fn a_rehash_replaces_only_the_hash_that_it_was_made_for(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| passwords::put(tx, &user_id(1), "old", at(1))).await.unwrap();
        let replace = async |old: &'static str, new: &'static str| {
            write(&store, move |tx| passwords::replace(tx, &user_id(1), old, new, at(2)))
                .await.unwrap()
        };
        assert!(!replace("another", "never").await);
        assert!(replace("old", "rehashed").await);
        assert!(!replace("old", "never").await);
        let found = read(&store, |tx| passwords::find(tx, &user_id(1))).await;
        assert_eq!(found.as_deref(), Some("rehashed"));
    }

    async fn a_sign_in_finds_the_person_with_roles_and_hash(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| passwords::put(tx, &user_id(1), "hash", at(1))).await.unwrap();
        let minji = User { roles: vec![role_name("manager")], ..user(1) };

        let found = read(&store, |tx| Ok([
            passwords::find_sign_in(tx, SignIn::Email("user1@example.com"))?,
            passwords::find_sign_in(tx, SignIn::Username("u1"))?,
            passwords::find_sign_in(tx, SignIn::Email("user2@example.com"))?,
            // An address is no user name, and the other way round.
            passwords::find_sign_in(tx, SignIn::Username("user1@example.com"))?,
            passwords::find_sign_in(tx, SignIn::Email("u1"))?,
        ])).await;
        let first = Some((minji, Some("hash".to_owned())));
        assert_eq!(found, [first.clone(), first, Some((user(2), None)), None, None]);
        assert!(read(&store, |tx| users::find(tx, &user_id(2))).await.is_some());
    }
}
