//! How many sessions somebody may have at once.

use munjigi_store::{each_backend, sessions};

use crate::cast::subject;
use crate::harness::{JUN, MINJI, TestApp};
use crate::visitor::Visitor;

async fn live(app: &TestApp, id: &str) -> usize {
    let (id, now) = (id.parse().unwrap(), app.app.clock.now());
    let listed =
        app.app.store.read(move |tx| sessions::list_live(tx, &id, now, sessions::MAX_LISTED));
    listed.await.unwrap().len()
}

each_backend! {
    async fn one_more_session_than_the_limit_ends_the_oldest(database) {
        let app = TestApp::start_with(&database).await;
        app.set("session_limit", "3").await;
        let browser = Visitor::of_owner(&app, MINJI).await;
        app.advance(1);
        let first = app.sign_in(MINJI).await;
        app.advance(1);
        let second = app.sign_in(MINJI).await;
        let id = subject(&first.access);
        let jun = Visitor::of_owner(&app, JUN).await;
        assert_eq!(live(&app, &id).await, 3);
        assert!(browser.sees_the_account().await);

        app.advance(1);
        app.sign_in(MINJI).await;
        assert_eq!(live(&app, &id).await, 3);
        assert!(!browser.sees_the_account().await, "the oldest");
        app.read_as("/api/v1/users/me", &first.access).await.expect(200);
        assert_eq!(app.trail(&id).await.iter().filter(|it| *it == "session_ended").count(), 1);

        app.advance(1);
        let again = Visitor::of_owner(&app, MINJI).await;
        app.read_as("/api/v1/users/me", &first.access).await.expect(401);
        app.refresh(&first.refresh).await.expect(400);
        app.read_as("/api/v1/users/me", &second.access).await.expect(200);
        assert!(again.sees_the_account().await);
        assert!(jun.sees_the_account().await, "everybody has their own");
        assert_eq!(live(&app, &id).await, 3);
    }
}

/// ASVS 7.1.2: the limit is documented, and holds unless an operator says otherwise.
#[tokio::test]
async fn a_hundred_sessions_live_at_once_and_no_more() {
    let app = TestApp::start().await;
    let mut id = String::new();
    for _ in 0..103 {
        id = subject(&app.sign_in(MINJI).await.access);
        app.advance(1);
    }
    assert_eq!(live(&app, &id).await, 100);
}
