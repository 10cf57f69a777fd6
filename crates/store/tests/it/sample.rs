//! Rows for tests, each told apart by a number, and the two verbs without their ceremony.

use std::collections::BTreeSet;

use munjigi_core::access::{Role, RoleName};
use munjigi_core::account::user::{Session, User};
use munjigi_core::account::{Profile, ProfileClaim};
use munjigi_core::id::{ClientId, CodeId, GrantId, LinkId, SessionId, UserId};
use munjigi_core::oauth::api::Api;
use munjigi_core::oauth::client::{AuthMethod, Client, GrantType, Origin, Party, Pkce, SecretHash};
use munjigi_core::oauth::code::Code;
use munjigi_core::oauth::device::{DeviceAuthorization, UserCode};
use munjigi_core::oauth::grant::{Grant, Lifetimes};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{
    Audit, Committed, ReadTx, Result, Store, Tx, clients, grants, roles, sessions, users,
};

/// The time of a test; `at(n)` is `n` seconds later.
const START: i64 = 1_800_000_000;

pub const LIVES: Lifetimes =
    Lifetimes { idle_ttl: Span::from_days(30), replay_window: Span::from_seconds(30) };

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(START + seconds)
}

/// Writes and keeps silent about it.
pub async fn write<T: Send + 'static>(
    store: &Store,
    change: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    store.write(move |tx| Ok(Committed::new(change(tx)?, Audit::Routine("a test")))).await
}

pub async fn read<T: Send + 'static>(
    store: &Store,
    look: impl Fn(&mut ReadTx<'_>) -> Result<T> + Send + 'static,
) -> T {
    store.read(look).await.unwrap()
}

fn sixteen(number: u64) -> [u8; 16] {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub fn user_id(number: u64) -> UserId {
    UserId::from_random(sixteen(number))
}

pub fn session_id(number: u64) -> SessionId {
    SessionId::from_bytes(sixteen(number))
}

pub fn grant_id(number: u64) -> GrantId {
    GrantId::from_bytes(sixteen(number))
}

pub fn code_id(number: u64) -> CodeId {
    CodeId::from_bytes(sixteen(number))
}

pub fn link_id(number: u64) -> LinkId {
    LinkId::from_bytes(sixteen(number))
}

pub fn client_id(name: &str) -> ClientId {
    name.parse().unwrap()
}

pub fn role_name(name: &str) -> RoleName {
    name.parse().unwrap()
}

pub fn user(number: u64) -> User {
    User {
        id: user_id(number),
        email: format!("User{number}@Example.com"),
        email_canonical: format!("user{number}@example.com"),
        email_verified_at: Some(at(1)),
        username: Some(format!("U{number}")),
        username_canonical: Some(format!("u{number}")),
        name: Some("김민지 \"O'Neil\" 🙂".to_owned()),
        locale: Some("ko-KR".to_owned()),
        roles: vec![],
        created_at: at(0),
        updated_at: at(2),
        disabled_at: None,
        password_changed_at: Some(at(3)),
        profile: profile(&[(ProfileClaim::Nickname, "MJ"), (ProfileClaim::Locality, "서울")]),
        deletion_due_at: None,
    }
}

pub fn profile(said: &[(ProfileClaim, &str)]) -> Profile {
    let mut profile = Profile::default();
    for (claim, text) in said {
        profile.set(*claim, text).unwrap();
    }
    profile
}

pub fn role(name: &str) -> Role {
    Role {
        name: role_name(name),
        description: format!("the role {name}"),
        permissions: ["users:read", "users:write"].iter().map(|n| n.parse().unwrap()).collect(),
        scope: "events:read events:write".parse().unwrap(),
        created_at: at(0),
        disabled_at: None,
    }
}

pub fn secret(byte: u8) -> SecretHash {
    SecretHash { hash: [byte; 32], expires_at: None }
}

pub fn client(name: &str) -> Client {
    Client {
        id: client_id(name),
        name: format!("Client {name}"),
        auth_method: AuthMethod::ClientSecretBasic,
        secrets: vec![],
        grant_types: BTreeSet::from([GrantType::RefreshToken, GrantType::Password]),
        redirect_uris: vec![
            RedirectUri::parse("https://app.example/cb").unwrap(),
            RedirectUri::parse("http://127.0.0.1/cb").unwrap(),
        ],
        scope: "openid profile".parse().unwrap(),
        audiences: vec!["urn:example:planner".to_owned()],
        pkce: Pkce::Optional,
        party: Party::First,
        created_at: at(0),
        disabled_at: None,
        metadata: Metadata::default(),
        origin: Origin::Made,
        used_at: None,
        refreshed_at: None,
        management_hash: None,
    }
}

pub fn api(audience: &str) -> Api {
    Api {
        audience: audience.to_owned(),
        name: format!("API {audience}"),
        access_ttl: Some(Span::from_minutes(5)),
        algorithm: "ES256".parse().map_err(drop).unwrap(),
        client_id: None,
        created_at: at(0),
        disabled_at: None,
    }
}

pub fn session(of: u64, number: u64) -> Session {
    Session {
        user_id: user_id(of),
        id: session_id(number),
        authenticated_at: at(10),
        created_at: at(10),
        used_at: at(10),
        expires_at: at(10_000),
        ended_at: None,
        address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("curl/8".to_owned()),
        amr: "pwd".to_owned(),
        browser: None,
    }
}

/// A grant of the user in that session, to the client `shop`.
pub fn grant(of: u64, in_session: u64, number: u64) -> Grant {
    Grant {
        user_id: user_id(of),
        id: grant_id(number),
        client_id: client_id("shop"),
        session_id: session_id(in_session),
        scope: "openid events:read".parse().unwrap(),
        audiences: vec!["urn:example:planner".to_owned()],
        generation: 1,
        nonce: [9; 16],
        authenticated_at: at(10),
        created_at: at(10),
        rotated_at: None,
        idle_expires_at: at(5_000),
        expires_at: at(9_000),
        revoked_at: None,
        claims: None,
        dpop_jkt: None,
    }
}

/// A code of the user in that session, for the client `shop`.
pub fn code(of: u64, in_session: u64, number: u64) -> Code {
    Code {
        user_id: user_id(of),
        id: code_id(number),
        hash: [8; 32],
        client_id: client_id("shop"),
        session_id: session_id(in_session),
        grant_id: grant_id(900 + number),
        redirect_uri: "https://app.example/cb".to_owned(),
        redirect_uri_named: true,
        challenge: None,
        nonce: None,
        scope: "openid".parse().unwrap(),
        audiences: vec!["urn:example:planner".to_owned()],
        claims: None,
        dpop_jkt: None,
        authenticated_at: at(10),
        created_at: at(20),
        expires_at: at(80),
        spent_at: None,
    }
}

/// What a device asked for, by the client `shop`, up to ten minutes after the start.
pub fn device(number: u8) -> DeviceAuthorization {
    DeviceAuthorization {
        hash: [number; 32],
        user_code: UserCode::from_random([number; 16]).stored(&[1; 32]),
        client_id: client_id("shop"),
        scope: "openid".parse().unwrap(),
        audiences: vec!["urn:example:planner".to_owned()],
        dpop_jkt: None,
        address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("tv/1".to_owned()),
        created_at: at(0),
        expires_at: at(600),
        polled_at: None,
        poll_interval: Span::from_seconds(5),
        user_id: None,
        session_id: None,
        approved_at: None,
        denied_at: None,
        spent_at: None,
    }
}

/// User 1 with the role `manager` and user 2, sessions 11 and 12 of the first and 21 of the
/// second, and in each session a grant with its number, given to the client `shop`.
pub async fn people(store: &Store) {
    write(store, |tx| {
        roles::insert(tx, &role("manager"))?;
        clients::insert(tx, &client("shop"))?;
        users::insert(tx, &User { roles: vec![role_name("manager")], ..user(1) })?;
        users::insert(tx, &user(2))?;
        for (of, number) in [(1, 11), (1, 12), (2, 21)] {
            sessions::insert(tx, &session(of, number))?;
            grants::insert(tx, &grant(of, number, number))?;
        }
        Ok(())
    })
    .await
    .unwrap();
}

/// Whether a write moved the version of the reference data on.
pub async fn moves_reference<T: Send + 'static>(
    store: &Store,
    change: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> bool {
    let version = munjigi_store::counters::reference_version;
    let before = read(store, version).await;
    write(store, change).await.unwrap();
    let after = read(store, version).await;
    assert!(after >= before);
    after > before
}
