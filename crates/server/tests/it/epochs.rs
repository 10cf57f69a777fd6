//! I2, I4 and P13 of the security design: what was ended after a backup does not live again when
//! the backup is restored; and a node acts on what another one ended as soon as that one said so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use munjigi_core::audit::Kind;
use munjigi_server::operate::Operator;
use munjigi_server::operate::epochs::Said;
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::page::Page;
use munjigi_store::testing::Database;
use munjigi_store::{DatabaseUrl, each_backend};
use serde_json::json;

use crate::harness::*;

const TOKEN: &str = "/oauth2/token";
const INTROSPECT: &str = "/oauth2/introspect";
const ME: &str = "/api/v1/users/me";

/// The files of a database, copied with nothing running on it.
fn copy(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        drop(std::fs::remove_file(name(to)));
        drop(std::fs::copy(name(from), name(to)));
    }
}

pub async fn stop(app: TestApp) {
    app.app.store.clone().close().await;
}

/// The number of the epoch, and whether everything of before it was ended.
pub async fn epoch(app: &TestApp) -> (i64, bool) {
    let read = |tx: &mut munjigi_store::ReadTx<'_>| munjigi_store::epochs::find(tx);
    let epoch = app.app.store.read(read).await.unwrap().unwrap();
    (epoch.number, epoch.ended_before.is_some())
}

fn file_of(database: &Database) -> PathBuf {
    let DatabaseUrl::SqliteFile(path) = database.url() else { panic!("a file") };
    path.clone()
}

/// A backup that is copied back is noticed by what stands beside the file; the grant that was
/// revoked after it stays dead, and so does everything else that was given before.
#[tokio::test]
async fn a_backup_that_is_copied_back_revives_nothing() {
    let database = Database::sqlite();
    let (file, backup) = (file_of(&database), file_of(&database).with_extension("backup"));
    let app = TestApp::start_with(&database).await;
    let (revoked, kept) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
    app.app.keep_epoch().await.unwrap();
    stop(app).await;
    copy(&file, &backup);

    let app = TestApp::start_with(&database).await;
    assert_eq!(epoch(&app).await, (1, false), "it was only started again");
    app.form("/oauth2/revoke", &[("token", &revoked.refresh)]).await.expect(200);
    app.app.keep_epoch().await.unwrap();
    stop(app).await;
    copy(&backup, &file);

    let app = TestApp::start_with(&database).await;
    assert_eq!(epoch(&app).await, (2, true));
    for tokens in [&revoked, &kept] {
        app.refresh(&tokens.refresh).await.expect(400);
        assert_eq!(app.read_as(ME, &tokens.access).await.expect(401).text("/code"), "revoked");
    }
    let again = app.sign_in(MINJI).await;
    app.read_as(ME, &again.access).await.expect(200);
    app.refresh(&again.refresh).await.tokens();
    stop(app).await;

    let app = TestApp::start_with(&database).await;
    assert_eq!(epoch(&app).await, (2, true), "it is settled once");
}

/// A copy of everything, with what stands beside the file, is another file all the same.
#[tokio::test]
async fn a_directory_that_is_copied_back_is_noticed_by_the_number_of_the_file() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    stop(app).await;
    let beside = PathBuf::from(format!("{}-epoch", file_of(&database).display()));
    let copy = beside.with_extension("copy");
    std::fs::copy(&beside, &copy).unwrap();
    std::fs::rename(&copy, &beside).unwrap();

    let app = TestApp::start_with(&database).await;

    assert_eq!(epoch(&app).await, (2, true));
}

/// An operator who moved a server says so, and nobody has to sign in again.
#[tokio::test]
async fn a_database_that_an_operator_vouches_for_goes_on() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    let tokens = app.sign_in(MINJI).await;
    let clock = app.clock.clone();
    stop(app).await;
    std::fs::remove_file(format!("{}-epoch", file_of(&database).display())).unwrap();
    let operator = Operator::open(database.url().clone(), clock).await.unwrap();
    operator.begin_epoch(Said::Intact).await.unwrap().unwrap();
    operator.close().await;

    let app = TestApp::start_with(&database).await;

    assert_eq!(epoch(&app).await, (2, false));
    app.refresh(&tokens.refresh).await.tokens();
}

each_backend! {
    /// What cannot be seen, an operator says, while servers run: everything of before is dead on
    /// each of them, links, codes and devices among it, and the trail tells.
    async fn a_restore_that_an_operator_tells_of_ends_everything_at_every_node(database) {
        let (app, other) =
            (TestApp::start_with(&database).await, TestApp::start_with(&database).await);
        let tokens = app.sign_in(MINJI).await;
        let asked = app.form("/oauth2/device_authorization", &[("client_id", "tv")]).await;
        let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
        operator.begin_epoch(Said::Restored).await.unwrap().unwrap();
        operator.close().await;

        for node in [&app, &other] {
            node.refresh(&tokens.refresh).await.expect(400);
            node.app.catch_up().await.unwrap();
            node.read_as(ME, &tokens.access).await.expect(401);
        }
        if asked.status == 200 {
            let code = asked.text("/device_code");
            let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
            let poll = [grant, ("device_code", &code), ("client_id", "tv")];
            app.form(TOKEN, &poll).await.expect(400);
        }
        let again = other.sign_in(MINJI).await;
        other.read_as(ME, &again.access).await.expect(200);
        app.app.catch_up().await.unwrap();
        app.read_as(ME, &again.access).await.expect(200);
        let filter = AuditFilter { kind: Some(Kind::EpochBegan), ..Default::default() };
        let page = Page::first(100);
        let told = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
        assert_eq!(told.items.len(), 1);
    }

    /// I4: what one node ended, and said so, no other one goes on with, not for a moment: its
    /// memory is compared with the database before it mints a token.
    async fn no_node_mints_a_token_of_what_another_one_ended(database) {
        let (app, other) =
            (TestApp::start_with(&database).await, TestApp::start_with(&database).await);
        let admin = app.sign_in(JUN).await;
        let ask = [("grant_type", "client_credentials")];
        other.form_as(other.web(), TOKEN, &ask).await.expect(200);
        let (client, _) = app.web();
        let path = format!("/api/v1/admin/clients/{client}/disable");
        app.act_as(Method::POST, &path, &admin.access).await.expect(204);

        // It has not looked since.
        other.form_as(other.web(), TOKEN, &ask).await.expect(401);
    }

    /// The same of saying that a token is good (RFC 7662 §2.2).
    async fn no_node_calls_a_token_active_that_another_one_ended(database) {
        let (app, other) =
            (TestApp::start_with(&database).await, TestApp::start_with(&database).await);
        let tokens = app.sign_in(MINJI).await;
        let ask = [("token", tokens.access.as_str())];
        let active = other.form_as(other.web(), INTROSPECT, &ask).await.expect(200);
        assert_eq!(active.json()["active"], true, "{}", active.shown());
        let out = app.call(Method::POST, "/api/v1/users/signout", &tokens.access, json!({}));
        out.await.expect(204);

        let ended = other.form_as(other.web(), INTROSPECT, &ask).await.expect(200);
        assert_eq!(ended.json(), json!({"active": false}));
    }

    /// A node that is cut off from the database cannot know what has ended: it mints nothing, calls
    /// nothing active, and lets nobody pass at a proxy once what it knows is a second old.
    async fn a_node_that_cannot_ask_the_database_says_yes_to_nothing(database) {
        let app = TestApp::start_with(&database).await;
        let ask = [("grant_type", "client_credentials")];
        app.form_as(app.web(), TOKEN, &ask).await.expect(200);
        let token = app.sign_in(MINJI).await.access;
        let pass = format!("/forward-auth?audience={}", claims(&token)["aud"][0].as_str().unwrap());
        app.read_as(&pass, &token).await.expect(200);
        app.app.store.clone().close().await;
        app.form_as(app.web(), TOKEN, &ask).await.expect(503);
        app.form_as(app.web(), INTROSPECT, &[("token", &token)]).await.expect(503);
        #[expect(clippy::disallowed_methods, reason = "how old it is tells the machine's clock")]
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        app.read_as(&pass, &token).await.expect(503);
        let body = json!({"username": MINJI.0, "password": MINJI.1});
        app.post("/api/v1/users/signin", body).await.expect(503);
    }
}
