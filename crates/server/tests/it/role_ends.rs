//! What becomes of access tokens that are out when a role carries less than it did: they are dead,
//! for every verifier, by the revocation feed.

use http::Method;
use munjigi_core::account::user::{Session, User};
use munjigi_core::id::UserId;
use munjigi_core::oauth::grant::Grant;
use munjigi_core::oauth::revocation::{Kind, Revocation};
use munjigi_store::{
    Audit, Committed, StoreError, Tx, each_backend, grants, revocations, roles, sessions, users,
};
use serde_json::{Value, json};

use crate::cast::subject;
use crate::harness::{TestApp, claims};

const ROLE: &str = "/api/v1/admin/roles/watch";

/// A role `watch`, and two people: one who has it and one who has not.
async fn watched(app: &TestApp, admin: &str) -> (String, String) {
    app.make_role(admin, "watch", &["stats:read", "users:read"]).await;
    let watcher = app.make_and_sign_in(admin, "watcher", &["user", "watch"]).await;
    let other = app.make_and_sign_in(admin, "other", &["user"]).await;
    (watcher.access, other.access)
}

async fn is_active(app: &TestApp, token: &str) -> bool {
    app.introspect(app.web(), token).await["active"] == json!(true)
}

/// Everything that was announced.
async fn feed(app: &TestApp) -> Vec<Revocation> {
    let now = app.clock.now();
    app.app.store.read(move |tx| revocations::live(tx, now)).await.unwrap()
}

fn body_of(method: &Method) -> Value {
    match *method {
        Method::PATCH => json!({"permissions": ["users:read"]}),
        _ => json!({}),
    }
}

each_backend! {
    /// RT-06: what a role loses is in no token that is taken anywhere, and the next token is
    /// without it. Whoever does not have the role notices nothing.
    async fn tokens_that_say_more_than_a_role_carries_are_dead(database) {
        let app = TestApp::start_with(&database).await;
        for (method, path) in [
            (Method::PATCH, ROLE.to_owned()),
            (Method::POST, format!("{ROLE}/disable")),
            (Method::DELETE, ROLE.to_owned()),
        ] {
            let admin = app.admin().await;
            let (watcher, other) = watched(&app, &admin).await;
            assert!(is_active(&app, &watcher).await);
            let before = feed(&app).await.len();

            let answer = app.call(method.clone(), &path, &admin, body_of(&method)).await;

            assert!(answer.status.is_success(), "{method} {path}: {}", answer.shown());
            assert!(!is_active(&app, &watcher).await, "{method} {path}");
            app.read_as("/api/v1/users/me", &watcher).await.expect(401);
            assert!(is_active(&app, &other).await, "{method} {path}");
            assert!(is_active(&app, &admin).await, "{method} {path}");
            let announced = feed(&app).await.split_off(before);
            assert_eq!(announced.len(), 1, "{announced:?}");
            assert_eq!((announced[0].kind, &announced[0].key), (Kind::User, &subject(&watcher)));
            let admin = app.admin().await;
            for token in [&watcher, &other] {
                let user = format!("/api/v1/admin/users/{}", subject(token));
                app.act_as(Method::DELETE, &user, &admin).await.expect(204);
            }
            if method != Method::DELETE {
                app.act_as(Method::DELETE, ROLE, &admin).await.expect(204);
            }
        }
    }
}

/// The grant behind a dead token lives: nobody is signed out by a change of a role.
#[tokio::test]
async fn a_refresh_after_a_role_was_narrowed_brings_what_is_left() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.make_role(&admin, "watch", &["stats:read"]).await;
    let watcher = app.make_and_sign_in(&admin, "watcher", &["user", "watch"]).await;
    assert_eq!(claims(&watcher.access)["permissions"], json!(["stats:read"]));

    app.call(Method::PATCH, ROLE, &admin, json!({"permissions": []})).await.expect(200);

    let next = app.refresh(&watcher.refresh).await.tokens();
    assert_eq!(claims(&next.access)["permissions"], Value::Null);
    assert_eq!(claims(&next.access)["roles"], json!(["user", "watch"]));
    assert!(is_active(&app, &next.access).await, "of the same second, and alive");
}

/// Who gets more waits for the next token, and loses none.
#[tokio::test]
async fn a_role_that_grows_ends_no_token() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (watcher, _) = watched(&app, &admin).await;
    let more = json!({
        "description": "Sees more",
        "permissions": ["stats:read", "users:read", "users:write"],
        "scope": "admin events:read",
    });

    app.call(Method::PATCH, ROLE, &admin, more).await.expect(200);

    assert!(is_active(&app, &watcher).await);
    assert_eq!(feed(&app).await, []);
}

/// A role that is off already is in no token: its end announces nothing.
#[tokio::test]
async fn the_end_of_a_disabled_role_announces_nothing_more() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    watched(&app, &admin).await;
    app.act_as(Method::POST, &format!("{ROLE}/disable"), &admin).await.expect(204);
    let before = feed(&app).await;

    app.act_as(Method::DELETE, ROLE, &admin).await.expect(204);

    assert_eq!(feed(&app).await, before);
}

/// One more than are announced one by one.
const VERY_MANY: u64 = 10_001;

/// A role that everybody has costs as many announcements as there are clients, not people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_role_of_very_many_is_announced_by_client() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (watcher, _) = watched(&app, &admin).await;
    let model = app.rows_of(&watcher).await;
    let written = app.app.store.write(move |tx| {
        (1..VERY_MANY).try_for_each(|number| sign_in_another(tx, &model, number))?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test makes a crowd")))
    });
    written.await.unwrap();

    app.act_as(Method::POST, &format!("{ROLE}/disable"), &admin).await.expect(204);

    let announced = feed(&app).await;
    assert!(announced.len() < 20, "{}", announced.len());
    assert!(announced.iter().all(|it| it.kind == Kind::Client), "{announced:?}");
    assert!(!is_active(&app, &watcher).await);
    let admin = app.admin().await;
    assert!(is_active(&app, &admin).await, "a token of afterwards is alive");
}

/// Somebody else who signed in and has the role, by the rows of somebody.
fn sign_in_another(
    tx: &mut Tx<'_>,
    (user, session, grant): &(User, Session, Grant),
    number: u64,
) -> Result<(), StoreError> {
    let user_id = UserId::from_bytes(u128::from(number).to_be_bytes());
    let email = format!("crowd{number}@cast.example");
    let user = User {
        id: user_id,
        email: email.clone(),
        email_canonical: email,
        username: None,
        username_canonical: None,
        roles: vec![],
        ..user.clone()
    };
    users::insert(tx, &user)?;
    roles::assign(tx, &user_id, &"watch".parse().unwrap(), session.created_at)?;
    sessions::insert(tx, &Session { user_id, ..session.clone() })?;
    grants::insert(tx, &Grant { user_id, ..grant.clone() })
}
