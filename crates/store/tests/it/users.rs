//! People.

use munjigi_core::account::ProfileClaim;
use munjigi_core::account::user::User;
use munjigi_store::page::{Cursor, Page};
use munjigi_store::users::{self, AccountState, UserFilter, UserKey};
use munjigi_store::{ReadTx, StoreError, each_backend, grants, passwords, roles, sessions};

use crate::sample::*;

each_backend! {
    async fn a_person_is_read_back_by_id_address_and_user_name(database) {
        let store = database.store().await;
        let roles = vec![role_name("admin"), role_name("manager")];
        let minji = User { roles, ..user(1) };
        let bare = User {
            email_verified_at: None, username: None, username_canonical: None, name: None,
            locale: None, password_changed_at: None, disabled_at: Some(at(9)),
            profile: Default::default(), deletion_due_at: Some(at(10)), ..user(2)
        };
        let (first, second) = (minji.clone(), bare.clone());
        write(&store, move |tx| {
            // In the other order: who reads gets them by name.
            roles::insert(tx, &role("manager"))?;
            roles::insert(tx, &role("admin"))?;
            users::insert(tx, &first)?;
            users::insert(tx, &second)
        }).await.unwrap();

        let found = read(&store, |tx| Ok([
            users::find(tx, &user_id(1))?,
            users::find_by_email(tx, "user1@example.com")?,
            users::find_by_username(tx, "u1")?,
            users::find(tx, &user_id(2))?,
            users::find(tx, &user_id(3))?,
            users::find_by_email(tx, "User1@Example.com")?,
            users::find_by_username(tx, "U1")?,
        ])).await;
        let minji = Some(minji);
        assert_eq!(found, [minji.clone(), minji.clone(), minji, Some(bare), None, None, None]);
    }

    async fn who_is_second_with_an_address_or_a_name_is_told_which(database) {
        let store = database.store().await;
        write(&store, |tx| users::insert(tx, &user(1))).await.unwrap();
        let insert = async |other: User| {
            write(&store, move |tx| users::insert(tx, &other)).await.unwrap_err()
        };
        let email = insert(User { email_canonical: user(1).email_canonical, ..user(2) }).await;
        assert!(email.is_unique(users::EMAIL_TAKEN), "{email}");
        let name = insert(User { username_canonical: user(1).username_canonical, ..user(2) }).await;
        assert!(name.is_unique(users::USERNAME_TAKEN), "{name}");
        let role = insert(User { roles: vec![role_name("nobody")], ..user(2) }).await;
        assert_eq!(role, StoreError::ForeignKey);

        // Nobody is not a name: two people may have none.
        write(&store, |tx| {
            users::insert(tx, &User { username: None, username_canonical: None, ..user(3) })?;
            users::insert(tx, &User { username: None, username_canonical: None, ..user(4) })
        }).await.unwrap();
        let taken = User { email_canonical: user(1).email_canonical, ..user(3) };
        let taken = write(&store, move |tx| users::update_profile(tx, &taken)).await.unwrap_err();
        assert!(taken.is_unique(users::EMAIL_TAKEN), "{taken}");
        assert_eq!(read(&store, users::count).await, 3);
    }

    async fn a_profile_is_written_and_the_rest_stays(database) {
        let store = database.store().await;
        people(&store).await;
        let before = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        let wanted = User {
            email: "New@Example.com".into(), email_canonical: "new@example.com".into(),
            email_verified_at: None, username: None, username_canonical: None,
            name: None, locale: Some("en".into()), updated_at: at(50),
            profile: profile(&[(ProfileClaim::Zoneinfo, "Asia/Seoul")]),
            // None of these is a profile's.
            roles: vec![], created_at: at(99), disabled_at: Some(at(99)), password_changed_at: None,
            deletion_due_at: Some(at(99)), ..before.clone()
        };
        let update = wanted.clone();
        assert!(write(&store, move |tx| users::update_profile(tx, &update)).await.unwrap());
        assert!(!write(&store, |tx| users::update_profile(tx, &user(9))).await.unwrap());

        let found = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        let kept = User {
            roles: before.roles, created_at: before.created_at, disabled_at: before.disabled_at,
            password_changed_at: before.password_changed_at, deletion_due_at: None, ..wanted
        };
        assert_eq!(found, kept);
    }

    async fn disabling_and_enabling_happen_once_each(database) {
        let store = database.store().await;
        people(&store).await;
        let set = async |number, disabled_at, now| {
            write(&store, move |tx| users::set_disabled(tx, &user_id(number), disabled_at, now))
                .await.unwrap()
        };
        assert!(!set(1, None, at(60)).await);
        assert!(set(1, Some(at(61)), at(61)).await);
        assert!(!set(1, Some(at(62)), at(62)).await);
        let disabled = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        assert_eq!((disabled.disabled_at, disabled.updated_at), (Some(at(61)), at(61)));
        assert!(set(1, None, at(63)).await);
        let enabled = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        assert_eq!((enabled.disabled_at, enabled.updated_at), (None, at(63)));
        assert!(!set(9, Some(at(64)), at(64)).await);
    }

    async fn a_deletion_is_asked_for_and_taken_back_once_each(database) {
        let store = database.store().await;
        people(&store).await;
        let set = async |number, due_at, now| {
            write(&store, move |tx| users::set_deletion_due(tx, &user_id(number), due_at, at(now)))
                .await.unwrap()
        };
        assert!(!set(1, None, 60).await);
        assert!(set(1, Some(at(100)), 61).await);
        assert!(!set(1, Some(at(999)), 62).await, "it is not put off");
        assert!(!set(9, Some(at(100)), 61).await);
        let asked = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        assert_eq!((asked.deletion_due_at, asked.updated_at), (Some(at(100)), at(61)));
        assert!(set(1, None, 63).await);
        assert!(!set(1, None, 64).await);
        let back = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        assert_eq!((back.deletion_due_at, back.updated_at), (None, at(63)));
    }

    async fn only_accounts_whose_deletion_is_due_are_deleted(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            users::insert(tx, &user(3))?;
            users::set_deletion_due(tx, &user_id(1), Some(at(100)), at(61))?;
            users::set_deletion_due(tx, &user_id(2), Some(at(90)), at(61))
        }).await.unwrap();
        let due = async |now, limit| {
            read(&store, move |tx| users::list_deletion_due(tx, at(now), limit)).await
        };
        assert_eq!(due(89, 9).await, []);
        assert_eq!(due(90, 9).await, [user_id(2)]);
        assert_eq!(due(100, 9).await, [user_id(2), user_id(1)]);
        assert_eq!(due(100, 1).await, [user_id(2)]);

        let delete = async |number, now| {
            write(&store, move |tx| users::delete_if_due(tx, &user_id(number), at(now)))
                .await.unwrap()
        };
        assert!(!delete(1, 99).await && !delete(3, 999).await);
        assert!(delete(1, 100).await && !delete(1, 100).await);
        assert_eq!(read(&store, users::count).await, 2);
    }

    async fn a_change_of_password_is_dated(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| users::set_password_changed(tx, &user_id(1), at(70))).await.unwrap();
        let found = read(&store, |tx| users::find(tx, &user_id(1))).await.unwrap();
        assert_eq!((found.password_changed_at, found.updated_at), (Some(at(70)), at(70)));
        let other = read(&store, |tx| users::find(tx, &user_id(2))).await.unwrap();
        assert_eq!(other.password_changed_at, Some(at(3)));
    }

    async fn who_is_deleted_leaves_nothing_behind(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| passwords::put(tx, &user_id(1), "hash", at(0))).await.unwrap();
        assert!(write(&store, |tx| users::delete(tx, &user_id(1))).await.unwrap());
        assert!(!write(&store, |tx| users::delete(tx, &user_id(1))).await.unwrap());

        assert_eq!(read(&store, |tx| users::find(tx, &user_id(1))).await, None);
        assert_eq!(read(&store, |tx| passwords::find(tx, &user_id(1))).await, None);
        assert_eq!(read(&store, |tx| roles::holders(tx, &role_name("manager"), 9)).await, []);
        let session = |tx: &mut ReadTx<'_>| sessions::find(tx, &user_id(1), &session_id(11));
        assert_eq!(read(&store, session).await, None);
        let grant = |tx: &mut ReadTx<'_>| grants::find(tx, &user_id(1), &grant_id(11));
        assert_eq!(read(&store, grant).await, None);
        let other = |tx: &mut ReadTx<'_>| grants::find(tx, &user_id(2), &grant_id(21));
        assert!(read(&store, other).await.is_some());
        assert_eq!(read(&store, users::count).await, 1);
    }

    async fn pages_show_everybody_once_in_the_order_of_age(database) {
        let store = database.store().await;
        write(&store, |tx| {
            for number in (0..25).rev() {
                // Five at a time are of the same age, so that the id has to decide.
                let created_at = at(i64::try_from(number / 5).unwrap());
                users::insert(tx, &User { created_at, ..user(number) })?;
            }
            Ok(())
        }).await.unwrap();

        let mut seen = Vec::new();
        let mut page = Page::<UserKey>::first(7);
        loop {
            let asked = page.clone();
            let listed =
                read(&store, move |tx| users::list(tx, &asked, &UserFilter::default())).await;
            assert!(listed.items.len() <= 7);
            seen.extend(listed.items.into_iter().map(|user| user.id));
            // As a caller does: the cursor travels as text.
            let Some(next) = listed.next else { break };
            page.after = Some(next.to_string().parse::<Cursor<UserKey>>().unwrap());
        }
        assert_eq!(seen, (0..25).map(user_id).collect::<Vec<_>>());
    }

    async fn a_list_is_narrowed_by_text_role_and_state(database) {
        let store = database.store().await;
        people(&store).await;
        write(&store, |tx| {
            let named = User { username: Some("X%_y".into()), ..user(3) };
            users::insert(tx, &User { disabled_at: Some(at(5)), ..named })
        }).await.unwrap();
        let list = async |text: Option<&str>, role: Option<&str>, state| {
            let filter = UserFilter {
                text: text.map(str::to_owned), role: role.map(role_name), state,
            };
            let page = Page::first(50);
            let found = read(&store, move |tx| users::list(tx, &page, &filter)).await;
            found.items.iter().map(|user| user.id).collect::<Vec<_>>()
        };
        let ids = |numbers: &[u64]| numbers.iter().copied().map(user_id).collect::<Vec<_>>();
        assert_eq!(list(None, None, None).await, ids(&[1, 2, 3]));
        assert_eq!(list(Some("user2@"), None, None).await, ids(&[2]));
        assert_eq!(list(Some("u2"), None, None).await, ids(&[2]));
        assert_eq!(list(Some("user"), None, None).await, ids(&[1, 2, 3]));
        assert_eq!(list(Some("x%_"), None, None).await, ids(&[3]));
        // A beginning is what was written, not a pattern, nor something in the middle.
        for none in ["%", "_", "ser1", "U2", "'"] {
            assert_eq!(list(Some(none), None, None).await, [], "{none}");
        }
        assert_eq!(list(None, Some("manager"), None).await, ids(&[1]));
        assert_eq!(list(None, Some("nobody"), None).await, []);
        assert_eq!(list(None, None, Some(AccountState::Disabled)).await, ids(&[3]));
        assert_eq!(list(None, None, Some(AccountState::Enabled)).await, ids(&[1, 2]));
        let all = list(Some("user"), Some("manager"), Some(AccountState::Enabled)).await;
        assert_eq!(all, ids(&[1]));
        assert_eq!(list(Some("user"), Some("manager"), Some(AccountState::Disabled)).await, []);
    }
}
