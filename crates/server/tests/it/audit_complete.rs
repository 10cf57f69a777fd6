//! AU-02 of the attack kit: every security event has exactly one leaf, failures too, and there is
//! none without an action. The flows are walked one by one; around each the rows that count are
//! compared, and the events that were written are those that are named here.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::slice::from_ref;

use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use http::{Method, Request};
use munjigi_core::audit::Kind;
use munjigi_server::operate::Operator;
use munjigi_server::sequencer::{Looked, Sequencer};
use munjigi_server::{jobs, outbox};
use munjigi_store::testing::{Database, Held, held};
use munjigi_store::{DatabaseUrl, StoreError, audit_log};
use serde_json::json;

use crate::cast::{PASSWORD, subject};
use crate::harness::{Answer, JUN, MINJI, TestApp};
use crate::mailed_links::{mailbox, newest_link, set_password, ticket_of, wrong_secret};
use crate::possession::Holder;
use crate::visitor::{CALLBACK, VERIFIER, Visitor, request};

const ADMIN: &str = "/api/v1/admin";
const ME: &str = "/api/v1/users/me";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const DAY: u64 = 24 * 3_600;
/// What is answered to a mailed link that opens nothing.
const GONE: u16 = 400;

/// Events that tell of something that no row shows.
const SHOWN_BY_NO_ROW: &[Kind] = &[
    Kind::DataExported,
    Kind::PersonalDataErased,
    Kind::AuditKeyRotationAsked,
    Kind::AuditKeyRotated,
];

const KEYS: &str = "crates/server/tests/it/signing_keys.rs";
const ACCOUNTS: &str = "crates/server/tests/it/accounts.rs";
const EDGE: &str = "crates/server/tests/it/addresses.rs";
const NODES: &str = "crates/server/tests/it/epochs.rs";
const OUTBOX: &str = "crates/server/tests/it/outbox.rs";
const SECRETS: &str = "crates/server/tests/it/api_secrets.rs";

/// Kinds that other tests bring about, each with its file and its name.
const ELSEWHERE: &[(Kind, &str, &str)] = &[
    (Kind::KeyCreated, KEYS, "of_two_nodes_that_make_the_next_key_at_once_one_makes_it"),
    (Kind::KeyActivated, KEYS, "administrators_rotate_by_http"),
    (Kind::KeyDestroyed, KEYS, "a_retired_key_is_destroyed_and_the_trail_says_so"),
    (Kind::KeyWithdrawn, KEYS, "a_key_that_two_nodes_withdraw_at_once_has_one_successor"),
    (Kind::KeyResealed, KEYS, "keys_are_sealed_anew_under_another_key_while_servers_run"),
    (Kind::ApiSecretCreated, SECRETS, "the_trail_tells_when_a_secret_is_given_and_taken_away"),
    (Kind::ApiSecretsDeleted, SECRETS, "the_trail_tells_when_a_secret_is_given_and_taken_away"),
    (Kind::PasswordRehashed, ACCOUNTS, "a_cheaper_hash_is_computed_again_when_the_parameters_grew"),
    (Kind::AddressThrottled, EDGE, "a_budget_fills_up_again_and_the_next_time_is_told_again"),
    (Kind::EpochBegan, NODES, "a_restore_that_an_operator_tells_of_ends_everything_at_every_node"),
    (Kind::DeliveryFailed, OUTBOX, "failures"),
];

/// The books around a server: what it held, and which kinds it has written.
struct Books {
    app: TestApp,
    before: Held,
    kinds: BTreeSet<String>,
    written: usize,
    /// What was not as it has to be: all of it is told at the end.
    wrong: Vec<String>,
}

impl Books {
    async fn open(app: &TestApp) -> Self {
        let before = held(&app.app.store).await.unwrap();
        Self { app: app.clone(), before, kinds: BTreeSet::new(), written: 0, wrong: vec![] }
    }

    /// Does something that writes exactly these events, and changes rows if one of them tells of
    /// something that was done. A little later than what was before.
    async fn step<T>(&mut self, what: &str, kinds: &[Kind], action: impl Future<Output = T>) -> T {
        self.app.advance(1);
        let outcome = action.await;
        let after = held(&self.app.app.store).await.unwrap();
        let (changed, events) =
            (after.changed_since(&self.before), after.events_since(&self.before));
        self.wrong.extend(judge(&changed, &events, kinds).map(|wrong| format!("{what}: {wrong}")));
        self.written += events.len();
        self.kinds.extend(events.into_iter().map(|(kind, _)| kind));
        self.before = after;
        outcome
    }
}

/// What is wrong with what was written, if anything is.
fn judge(changed: &[&str], events: &[(String, String)], kinds: &[Kind]) -> Option<String> {
    let mut wanted: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    wanted.sort_unstable();
    let told: Vec<_> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    if told != wanted {
        return Some(format!("{wanted:?} were to be told, {told:?} were; changed: {changed:?}"));
    }
    if events.is_empty() && !changed.is_empty() {
        return Some(format!("{changed:?} changed and no event tells of it"));
    }
    let is_shown = |kind: &String| !SHOWN_BY_NO_ROW.iter().any(|it| it.as_str() == kind);
    let done = events.iter().any(|(kind, outcome)| outcome == "succeeded" && is_shown(kind));
    (done && changed.is_empty()).then(|| format!("{told:?} tell of what no row shows"))
}

#[test]
fn what_is_missing_doubled_or_made_up_is_noticed() {
    let event = |kind: Kind, outcome: &str| (kind.as_str().to_owned(), outcome.to_owned());
    let done = event(Kind::UserCreated, "succeeded");
    let refused = event(Kind::SignInRefused, "refused");
    assert_eq!(judge(&["user_"], from_ref(&done), &[Kind::UserCreated]), None);
    assert_eq!(judge(&[], &[refused], &[Kind::SignInRefused]), None);
    assert_eq!(judge(&[], &[], &[]), None);
    assert!(judge(&["user_"], &[], &[]).is_some(), "a change that nothing tells of");
    assert!(judge(&["user_"], &[], &[Kind::UserCreated]).is_some());
    assert!(judge(&[], from_ref(&done), &[Kind::UserCreated]).is_some(), "nothing was done");
    let twice = [done.clone(), done];
    assert!(judge(&["user_"], &twice, &[Kind::UserCreated]).is_some(), "told twice");
}

#[tokio::test]
async fn au_02_everything_that_happens_has_one_leaf_and_nothing_else_has() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    app.app.ensure_rsa_key().await.unwrap();
    let mut books = Books::open(&app).await;
    let ended = walk("accounts", accounts(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("own_account", own_account(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("sessions", sessions(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("codes", codes(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("devices", devices(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("proofs", proofs(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("mails", mails(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("other_address", other_address(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("registry", registry(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("registrations", registrations(&mut books)).await;
    books.wrong.extend(ended);
    let ended = walk("operations", operations(&mut books, database.url())).await;
    books.wrong.extend(ended);
    let ended = walk("endings", endings(&mut books)).await;
    books.wrong.extend(ended);

    let mut sequencer = Sequencer::new(&app.app).unwrap();
    app.advance(1);
    let Looked::Done { signed, .. } = sequencer.run(&app.app).await.unwrap() else { panic!() };
    let read = |tx: &mut munjigi_store::ReadTx<'_>| {
        Ok::<_, StoreError>((audit_log::count_unnumbered(tx)?, audit_log::leaves(tx, 0, 5_000)?))
    };
    let (waiting, leaves) = app.app.store.read(read).await.unwrap();
    let events: BTreeSet<_> = leaves.iter().map(|(leaf, _)| leaf.event_id).collect();
    assert_eq!((waiting, leaves.len() as i64), (0, signed));
    assert_eq!(events.len(), leaves.len(), "one leaf for each event");
    for kind in Kind::ALL {
        let here = books.kinds.contains(kind.as_str());
        let elsewhere = ELSEWHERE.iter().any(|(other, _, _)| other == kind);
        if here == elsewhere {
            books.wrong.push(format!("{} is brought about here: {here}", kind.as_str()));
        }
    }
    assert!(books.wrong.is_empty(), "{}", books.wrong.join("\n"));
    assert!(books.written > 100, "{}", books.written);
}

/// Walks one way; says so if it could not be walked to its end, which it tells itself.
async fn walk(name: &str, way: impl Future<Output = ()>) -> Option<String> {
    let ended = AssertUnwindSafe(way).catch_unwind().await;
    ended.err().map(|_| format!("{name}: not walked to its end"))
}

/// A kind that this file does not bring about is asserted on by the test that is said to do so.
#[test]
fn kinds_that_others_bring_about_stand_in_their_tests() {
    for (kind, file, name) in ELSEWHERE {
        let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, test) = text.split_once(&format!("fn {name}(")).unwrap_or_else(|| panic!("{name}"));
        let ends = ["\n}\n", "\n    async fn ", "\nasync fn "];
        let end = ends.iter().filter_map(|end| test.find(end)).min().unwrap_or(test.len());
        let test = &test[..end];
        let is_named = test.contains(&format!("Kind::{kind:?}")) || test.contains(kind.as_str());
        assert!(is_named, "{name} says nothing of {}", kind.as_str());
    }
}

async fn sign_in(app: &TestApp, (name, password): (&str, &str)) -> Answer {
    app.post("/api/v1/users/signin", json!({"email": name, "password": password})).await
}

async fn accounts(books: &mut Books) {
    let app = books.app.clone();
    let who = ("new@cast.example", PASSWORD);
    let new = json!({"email": "new@cast.example", "password": PASSWORD, "username": "new"});
    books
        .step("sign-up", &[Kind::UserCreated], app.post("/api/v1/users/signup", new.clone()))
        .await
        .expect(201);
    books
        .step("a taken address", &[Kind::SignUpRefused], app.post("/api/v1/users/signup", new))
        .await
        .expect(409);
    let tokens = books
        .step("sign-in", &[Kind::SignedIn], sign_in(&app, ("new@cast.example", PASSWORD)))
        .await
        .tokens();
    books
        .step("a wrong password", &[Kind::SignInRefused], sign_in(&app, (who.0, "wrong-password")))
        .await
        .expect(401);
    books
        .step("nobody", &[Kind::SignInRefused], sign_in(&app, ("nobody@cast.example", PASSWORD)))
        .await
        .expect(401);

    let newer = books.step("a refresh", &[], app.refresh(&tokens.refresh)).await.tokens();
    books.step("a lost reply", &[], app.refresh(&tokens.refresh)).await.expect(200);
    app.advance(60);
    books
        .step("a stolen token", &[Kind::RefreshReused], app.refresh(&tokens.refresh))
        .await
        .expect(400);
    books
        .step("an ended grant", &[Kind::RefreshRefused], app.refresh(&newer.refresh))
        .await
        .expect(400);
    books.step("garbage", &[], app.refresh("mj_rt_garbage")).await.expect(400);
}

async fn own_account(books: &mut Books) {
    let app = books.app.clone();
    let who = ("new@cast.example", PASSWORD);
    let tokens = books.step("sign-in", &[Kind::SignedIn], sign_in(&app, who)).await.tokens();
    books
        .step(
            "a profile",
            &[Kind::UserUpdated],
            app.call(Method::PATCH, ME, &tokens.access, json!({"name": "New"})),
        )
        .await
        .expect(200);
    books
        .step(
            "the same profile",
            &[],
            app.call(Method::PATCH, ME, &tokens.access, json!({"name": "New"})),
        )
        .await
        .expect(200);
    let password = |now: &str| json!({"current_password": now, "new_password": "another-long-one"});
    let path = "/api/v1/users/me/password";
    books
        .step(
            "not the password",
            &[Kind::SignInRefused],
            app.call(Method::POST, path, &tokens.access, password("not-this-one")),
        )
        .await;
    books
        .step(
            "a new password",
            &[Kind::PasswordChanged],
            app.call(Method::POST, path, &tokens.access, password(PASSWORD)),
        )
        .await
        .expect(204);
    let gone =
        app.call(Method::DELETE, ME, &tokens.access, json!({"password": "another-long-one"}));
    books.step("a deletion", &[Kind::UserDeleted], gone).await.expect(204);
    books.step("a token of nobody", &[], app.read_as(ME, &tokens.access)).await.expect(401);
}

async fn sessions(books: &mut Books) {
    let app = books.app.clone();
    let first = books.step("sign-in", &[Kind::SignedIn], sign_in(&app, MINJI)).await.tokens();
    let second = books.step("sign-in", &[Kind::SignedIn], sign_in(&app, MINJI)).await.tokens();
    let sid = crate::harness::claims(&first.access)["sid"].as_str().unwrap().to_owned();
    let path = format!("{ME}/sessions/{sid}");
    books
        .step(
            "an ended session",
            &[Kind::SessionEnded],
            app.act_as(Method::DELETE, &path, &second.access),
        )
        .await
        .expect(204);
    books.step("ended before", &[], app.act_as(Method::DELETE, &path, &second.access)).await;
    books
        .step(
            "sign-out",
            &[Kind::SignedOut],
            app.act_as(Method::POST, "/api/v1/users/signout", &second.access),
        )
        .await
        .expect(204);
    let third = books.step("sign-in", &[Kind::SignedIn], sign_in(&app, MINJI)).await.tokens();
    let form = [("token", third.refresh.as_str())];
    books
        .step("a revocation", &[Kind::GrantRevoked], app.form("/oauth2/revoke", &form))
        .await
        .expect(200);
    books.step("once more", &[], app.form("/oauth2/revoke", &form)).await.expect(200);

    let guess = |number: usize| (MINJI.0, ["wrong-password", "other-password"][number % 2]);
    for number in 0..10 {
        books.step("a guess", &[Kind::SignInRefused], sign_in(&app, guess(number))).await;
    }
    let shut = books.step("throttled", &[Kind::SignInRefused], sign_in(&app, MINJI)).await;
    shut.expect(429);
    app.advance(DAY);
}

/// A browser before the public demo client; the code.
async fn connected(app: &TestApp) -> (Visitor, String) {
    let visitor = Visitor::of(app);
    let answer = visitor.open(&request(&[])).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let answer = visitor.follow_to_client(answer, "allow").await;
    let code = answer.brings("code").unwrap();
    (visitor, code)
}

async fn codes(books: &mut Books) {
    let app = books.app.clone();
    let all = [Kind::SignedIn, Kind::ConsentGranted, Kind::CodeIssued];
    let (visitor, code) = books.step("a code", &all, connected(&app)).await;
    books.step("a redemption", &[Kind::TokensIssued], visitor.redeem(&code)).await.expect(200);
    books.step("a second one", &[Kind::CodeReused], visitor.redeem(&code)).await.expect(400);
    books.step("a third one", &[Kind::CodeReused], visitor.redeem(&code)).await.expect(400);

    let (visitor, code) = books.step("a code", &all, connected(&app)).await;
    books
        .step(
            "a wrong verifier",
            &[Kind::CodeRefused],
            visitor.redeem_with(&code, &[("code_verifier", Some(CALLBACK))]),
        )
        .await
        .expect(400);

    let (visitor, code) = books.step("a code", &all, connected(&app)).await;
    app.advance(61);
    books.step("a late code", &[Kind::CodeRefused], visitor.redeem(&code)).await.expect(400);

    let (visitor, code) = books.step("a code", &all, connected(&app)).await;
    books
        .step(
            "the session ends",
            &[Kind::SignedOut],
            visitor.send("/oauth2/logout", &[("action", "sign-out")]),
        )
        .await;
    books
        .step("a code of an ended session", &[Kind::CodeRefused], visitor.redeem(&code))
        .await
        .expect(400);

    books.step("no consent", &[Kind::SignedIn, Kind::ConsentRefused], no_consent(&app)).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "mj_ac_garbage"),
        ("code_verifier", VERIFIER),
        ("client_id", "spa"),
    ];
    books.step("garbage", &[], app.form("/oauth2/token", &form)).await.expect(400);
    books
        .step("a wrong secret", &[Kind::ClientRefused], app.own_token(("web", "wrong"), None))
        .await
        .expect(401);
}

/// Asks for more than was allowed before, and is refused.
async fn no_consent(app: &TestApp) {
    let visitor = Visitor::of(app);
    let more = [("prompt", Some("consent"))];
    let answer = visitor.open(&request(&more)).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let answer = visitor.follow_to_client(answer, "deny").await;
    assert_eq!(answer.brings("error").as_deref(), Some("access_denied"));
}

/// A television that asks; its two codes.
async fn television(app: &TestApp) -> (String, String) {
    let asked = app.form("/oauth2/device_authorization", &[("client_id", "tv")]).await.expect(200);
    (asked.text("/device_code"), asked.text("/user_code"))
}

async fn poll(app: &TestApp, code: &str) -> Answer {
    let form = [("grant_type", DEVICE_GRANT), ("client_id", "tv"), ("device_code", code)];
    app.form("/oauth2/token", &form).await
}

async fn press(visitor: &Visitor, code: &str, action: &str) -> Answer {
    visitor.send("/device", &[("user_code", code), ("action", action)]).await
}

async fn devices(books: &mut Books) {
    let app = books.app.clone();
    let admin = books.step("an administrator", &[Kind::SignedIn], app.admin()).await;
    books
        .step(
            "a client",
            &[Kind::ClientCreated],
            app.call(
                Method::POST,
                "/api/v1/admin/clients",
                &admin,
                json!({
                    "client_id": "tv", "name": "tv", "grant_types": [DEVICE_GRANT, "refresh_token"],
                    "token_endpoint_auth_method": "none", "scope": "openid",
                }),
            ),
        )
        .await
        .expect(201);
    let owner = books.step("a browser", &[Kind::SignedIn], Visitor::of_owner(&app, MINJI)).await;

    let (device, user) = books.step("asked", &[Kind::DeviceAsked], television(&app)).await;
    books.step("too early", &[], poll(&app, &device)).await.expect(400);
    books.step("opened", &[], press(&owner, &user, "continue")).await.expect(200);
    books.step("let in", &[Kind::DeviceAllowed], press(&owner, &user, "allow")).await.expect(200);
    books.step("tokens", &[Kind::TokensIssued], poll(&app, &device)).await.expect(200);
    books.step("once more", &[Kind::DeviceCodeRefused], poll(&app, &device)).await.expect(400);

    let (device, user) = books.step("asked", &[Kind::DeviceAsked], television(&app)).await;
    books.step("opened", &[], press(&owner, &user, "continue")).await.expect(200);
    books.step("not let in", &[Kind::DeviceDenied], press(&owner, &user, "deny")).await;
    books.step("is told", &[], poll(&app, &device)).await.expect(400);
    books
        .step("a guess", &[Kind::UserCodeRefused], press(&owner, "BBBB-BBBB", "continue"))
        .await
        .expect(422);

    let (device, user) = books.step("asked", &[Kind::DeviceAsked], television(&app)).await;
    books.step("opened", &[], press(&owner, &user, "continue")).await.expect(200);
    books.step("let in", &[Kind::DeviceAllowed], press(&owner, &user, "allow")).await;
    books
        .step(
            "the session ends",
            &[Kind::SignedOut],
            owner.send("/oauth2/logout", &[("action", "sign-out")]),
        )
        .await;
    books
        .step("a device of an ended session", &[Kind::DeviceCodeRefused], poll(&app, &device))
        .await
        .expect(400);
    too_many_devices(books, &app).await;
}

/// Until an address is put off.
async fn too_many_devices(books: &mut Books, app: &TestApp) {
    let asking = async || {
        let request = Request::post("/oauth2/device_authorization")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(ConnectInfo(std::net::SocketAddr::from(([203, 0, 113, 7], 1))))
            .body(Body::from("client_id=tv"));
        app.send(request.unwrap()).await.status.as_u16()
    };
    let mut asked = 0;
    while asked < 200 && books.step("asked", &[Kind::DeviceAsked], asking()).await != 429 {
        asked += 1;
    }
    assert!(asked < 200, "no end of devices from one address");
}

async fn proofs(books: &mut Books) {
    let app = books.app.clone();
    let holder = Holder::of(&app);
    let nonce = holder.nonce().await;
    let fresh = || holder.proof("POST", "/oauth2/token", |claims| claims["nonce"] = json!(nonce));
    let form = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    app.advance(1);
    let proof = fresh();
    let token = books
        .step("a bound token", &[Kind::SignedIn], holder.post("/oauth2/token", &form, &[&proof]))
        .await
        .expect(200);
    let token = token.text("/access_token");
    books
        .step(
            "a proof again",
            &[Kind::DpopProofReused],
            holder.post("/oauth2/token", &form, &[&proof]),
        )
        .await
        .expect(400);
    let proof = holder.proof_beside("GET", ME, &token);
    let authorization = format!("DPoP {token}");
    books.step("a proof", &[], holder.call("GET", ME, &authorization, &proof)).await.expect(200);
    books
        .step(
            "a proof again",
            &[Kind::DpopProofReused],
            holder.call("GET", ME, &authorization, &proof),
        )
        .await
        .expect(401);
}

async fn mails(books: &mut Books) {
    let app = books.app.clone();
    let visitor = Visitor::of(&app);
    let fields = [("email", "bora@example.kr"), ("password", PASSWORD)];
    books.step("sign-up", &[Kind::UserCreated], visitor.send("/signup", &fields)).await.expect(200);
    let link = newest_link(&app).await;
    let ticket = ticket_of(&link);
    books
        .step("verified", &[Kind::EmailVerified], visitor.send("/verify", &[("ticket", &ticket)]))
        .await
        .expect(200);
    a_link_again(books, &visitor, &link).await;
    books
        .step(
            "forgotten",
            &[Kind::RecoveryRequested],
            visitor.send("/recover", &[("email", "bora@example.kr")]),
        )
        .await
        .expect(200);
    let link = newest_link(&app).await;
    books
        .step(
            "a new password",
            &[Kind::PasswordChanged],
            set_password(&visitor, &link, "another-long-one"),
        )
        .await;
    let again = set_password(&visitor, &link, "a-third-long-one");
    books.step("the link again", &[Kind::LinkRefused], again).await.expect(GONE);

    books
        .step(
            "sign-up",
            &[Kind::UserCreated],
            app.post(
                "/api/v1/users/signup",
                json!({"email": "later@example.kr", "password": PASSWORD}),
            ),
        )
        .await
        .expect(201);
    let later = books
        .step(
            "a browser",
            &[Kind::SignedIn],
            Visitor::of_owner(&app, ("later@example.kr", PASSWORD)),
        )
        .await;
    books
        .step(
            "a link again",
            &[Kind::VerificationRequested],
            later.send("/account/email/verify", &[("action", "verify")]),
        )
        .await
        .expect(303);
}

/// The link of a mail that was followed before, and guesses at it.
async fn a_link_again(books: &mut Books, visitor: &Visitor, link: &str) {
    let ticket = ticket_of(link);
    let fields = [("ticket", ticket.as_str())];
    let again = visitor.send("/verify", &fields);
    books.step("once more", &[Kind::LinkRefused], again).await.expect(GONE);
    let looking = visitor.open(link);
    books.step("looked at", &[Kind::LinkRefused], looking).await.expect(GONE);
    // Of a guess nothing is told: it names no link, or one whose secret is another one.
    for guess in [wrong_secret(&ticket).as_str(), "mj_ml_garbage", ""] {
        let fields = [("ticket", guess)];
        let guessing = visitor.send("/verify", &fields);
        books.step("a guess", &[], guessing).await.expect(GONE);
    }
}

async fn other_address(books: &mut Books) {
    let app = books.app.clone();
    let minji = books.step("a browser", &[Kind::SignedIn], Visitor::of_owner(&app, MINJI)).await;
    let fields = [("email", "minji@other.example"), ("current_password", MINJI.1)];
    books
        .step(
            "another address",
            &[Kind::EmailChangeRequested],
            minji.send("/account/email", &fields),
        )
        .await
        .expect(200);
    let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, fields[0].1).await);
    books
        .step("one mailbox", &[Kind::EmailChangeConfirmed], follow_link(&minji, &new))
        .await
        .expect(200);
    let both = follow_link(&minji, &old);
    let kinds = [Kind::EmailChangeConfirmed, Kind::EmailChanged];
    books.step("both", &kinds, both).await.expect(200);
    let back = link_to(&app, MINJI.0).await;
    let undone = [Kind::EmailChangeUndone, Kind::PasswordRemoved];
    let agreeing = follow_link(&minji, &new);
    books.step("a link again", &[Kind::LinkRefused], agreeing).await.expect(GONE);
    books.step("taken back", &undone, follow_link(&minji, &back)).await.expect(200);
    let again = follow_link(&minji, &back);
    books.step("taken back again", &[Kind::LinkRefused], again).await.expect(GONE);
    let answer = books.step("sign-in", &[Kind::SignInRefused], sign_in(&app, MINJI)).await;
    answer.expect(401);
}

/// The newest link that was mailed to an address.
async fn link_to(app: &TestApp, to: &str) -> String {
    mailbox(app).await.into_iter().find(|mail| mail.to == to).unwrap().links[0].clone()
}

async fn follow_link(visitor: &Visitor, link: &str) -> Answer {
    let page = link.split('?').next().unwrap();
    visitor.send(page, &[("ticket", &ticket_of(link))]).await
}

async fn registry(books: &mut Books) {
    use Kind::*;
    let app = books.app.clone();
    let admin = books.step("an administrator", &[SignedIn], app.admin()).await;
    let person = json!({"email": "p@cast.example", "password": PASSWORD, "roles": ["user"]});
    let client = json!({"client_id": "c", "name": "c", "grant_types": ["client_credentials"]});
    let api = json!({"audience": "https://a.example", "name": "A"});
    let role = json!({"name": "r", "permissions": []});
    let made = [
        ("users", person, [UserCreated, UserUpdated, UserDisabled, UserEnabled, UserDeleted]),
        (
            "clients",
            client,
            [ClientCreated, ClientUpdated, ClientDisabled, ClientEnabled, ClientDeleted],
        ),
        ("apis", api, [ApiCreated, ApiUpdated, ApiDisabled, ApiEnabled, ApiDeleted]),
        ("roles", role, [RoleCreated, RoleUpdated, RoleDisabled, RoleEnabled, RoleDeleted]),
    ];
    for (what, body, kinds) in made {
        live_and_die(books, &admin, (what, body, kinds)).await;
    }
    let plain = books
        .step("somebody", &[SignedIn], sign_in(&app, ("bora@example.kr", "another-long-one")))
        .await
        .tokens()
        .access;
    let path = format!("{ADMIN}/stats");
    books.step("no way", &[AccessRefused], app.read_as(&path, &plain)).await.expect(403);
}

/// Something of a kind is made, changed, disabled, enabled and deleted, each of it twice.
async fn live_and_die(
    books: &mut Books,
    admin: &str,
    (what, body, kinds): (&str, serde_json::Value, [Kind; 5]),
) {
    let app = books.app.clone();
    let [created, updated, disabled, enabled, deleted] = kinds;
    let path = format!("{ADMIN}/{what}");
    let answer = books
        .step(what, &[created], app.call(Method::POST, &path, admin, body.clone()))
        .await
        .expect(201);
    books.step("once more", &[], app.call(Method::POST, &path, admin, body)).await.expect(409);
    let id = match what {
        "users" => answer.text("/id"),
        "clients" => "c".to_owned(),
        "apis" => "https%3A%2F%2Fa.example".to_owned(),
        _ => "r".to_owned(),
    };
    let one = format!("{path}/{id}");
    let change = match what {
        "roles" => json!({"description": "other"}),
        _ => json!({"name": "other"}),
    };
    books
        .step(what, &[updated], app.call(Method::PATCH, &one, admin, change.clone()))
        .await
        .expect(200);
    books.step("the same", &[], app.call(Method::PATCH, &one, admin, change)).await.expect(200);
    if what == "users" {
        let path = format!("{one}/roles");
        let roles = app.call(Method::PUT, &path, admin, json!({"roles": []}));
        books.step("roles", &[Kind::UserRolesChanged], roles).await.expect(200);
    }
    if what == "clients" {
        books
            .step(
                "a secret",
                &[Kind::ClientSecretRotated],
                app.act_as(Method::POST, &format!("{one}/rotate-secret"), admin),
            )
            .await
            .expect(200);
    }
    for (verb, kind) in [("disable", disabled), ("enable", enabled)] {
        let path = format!("{one}/{verb}");
        books.step(verb, &[kind], app.act_as(Method::POST, &path, admin)).await;
        books.step("once more", &[], app.act_as(Method::POST, &path, admin)).await;
    }
    books.step(what, &[deleted], app.act_as(Method::DELETE, &one, admin)).await.expect(204);
    books.step("once more", &[], app.act_as(Method::DELETE, &one, admin)).await.expect(404);
}

async fn registrations(books: &mut Books) {
    let app = books.app.clone();
    let admin = books.step("an administrator", &[Kind::SignedIn], app.admin()).await;
    let operator = json!({"registrations": 1});
    let path = format!("{ADMIN}/registration-tokens");
    app.set("client_registration", "token").await;
    books.before = held(&app.app.store).await.unwrap();
    let making = app.call(Method::POST, &path, &admin, operator.clone());
    let kinds = [Kind::RegistrationTokenCreated];
    let token = books.step("a token", &kinds, making).await.expect(201);
    let deleting = format!("{path}/{}", token.text("/id"));
    books
        .step(
            "taken back",
            &[Kind::RegistrationTokenDeleted],
            app.act_as(Method::DELETE, &deleting, &admin),
        )
        .await
        .expect(204);
    let token = books
        .step("a token", &kinds, app.call(Method::POST, &path, &admin, operator))
        .await
        .expect(201)
        .text("/registration_token");
    let client = json!({
        "client_name": "Notes", "redirect_uris": ["https://notes.example/cb"],
        "token_endpoint_auth_method": "none",
    });
    let register =
        async |token: &str| app.call(Method::POST, "/oauth2/register", token, client.clone()).await;
    let made = books.step("a client", &[Kind::ClientCreated], register(&token)).await.expect(201);
    books.step("used up", &[Kind::ClientRefused], register(&token)).await.expect(401);
    let (own, id) = (made.text("/registration_access_token"), made.text("/client_id"));
    let deleting = format!("/oauth2/register/{id}");
    books
        .step("given back", &[Kind::ClientDeleted], app.act_as(Method::DELETE, &deleting, &own))
        .await
        .expect(204);
}

async fn operations(books: &mut Books, database: &DatabaseUrl) {
    let app = books.app.clone();
    let operator = Operator::open(database.clone(), app.clock.clone()).await.unwrap();
    books
        .step(
            "a setting",
            &[Kind::SettingChanged],
            operator.set_setting("signing_key_lifetime", "60d"),
        )
        .await
        .unwrap();
    books
        .step("a setting", &[Kind::SettingChanged], operator.reset_setting("signing_key_lifetime"))
        .await
        .unwrap();
    let mut sequencer = Sequencer::new(&app.app).unwrap();
    books.step("a trail begins", &[], sequencer.run(&app.app)).await.unwrap();
    let asking = operator.rotate_audit_key();
    let kinds = [Kind::AuditKeyRotationAsked];
    assert!(books.step("a key is asked for", &kinds, asking).await.unwrap());
    books.step("what happened is signed", &[], sequencer.run(&app.app)).await.unwrap();
    let signing = sequencer.run(&app.app);
    books.step("another key", &[Kind::AuditKeyRotated], signing).await.unwrap();
    let somebody = subject(&books.step("in", &[Kind::SignedIn], app.sign_in(JUN)).await.access);
    books
        .step(
            "erased",
            &[Kind::PersonalDataErased],
            operator.erase_from_audit(somebody.parse().unwrap()),
        )
        .await
        .unwrap();
    operator.close().await;
}

async fn endings(books: &mut Books) {
    let app = books.app.clone();
    let who = ("bora@example.kr", "another-long-one");
    let bora = books
        .step(
            "a browser",
            &[Kind::SignedIn],
            Visitor::of_owner(&app, ("bora@example.kr", "another-long-one")),
        )
        .await;
    books
        .step(
            "a copy",
            &[Kind::DataExported],
            bora.send("/account/data/export", &[("action", "export")]),
        )
        .await
        .expect(200);
    let fields = [("current_password", who.1), ("action", "delete")];
    books
        .step("given up", &[Kind::DeletionPlanned], bora.send("/account/delete", &fields))
        .await
        .expect(200);
    let back = Visitor::of(&app);
    let fields = [("username", who.0), ("password", who.1)];
    books.step("returning", &[Kind::SignedIn], back.send("/login", &fields)).await.expect(303);
    books
        .step(
            "kept",
            &[Kind::DeletionTakenBack],
            back.send("/account/delete", &[("action", "keep")]),
        )
        .await;
    let fields = [("current_password", who.1), ("action", "delete")];
    books
        .step("given up", &[Kind::DeletionPlanned], back.send("/account/delete", &fields))
        .await
        .expect(200);
    let link = mailbox(&app).await;
    assert!(!link.is_empty());
    app.advance(15 * DAY);
    books.step("its time has come", &[Kind::UserDeleted], jobs::run(&app.app)).await.unwrap();
    books.step("mails go", &[], outbox::run(&app.app)).await.unwrap();
}
