//! People, sessions and grants by the thousand, written through the store in large batches.

use munjigi_core::account::Password;
use munjigi_core::account::user::{Session, User};
use munjigi_core::id::{ClientId, GrantId, SessionId, UserId};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::time::{Span, Timestamp};
use munjigi_server::App;
use munjigi_server::demo::PLANNER_AUDIENCE;
use munjigi_store::{
    Audit, Committed, Result, Store, StoreError, Tx, grants, passwords, sessions, users,
};

/// Everybody's password.
pub const PASSWORD: &str = "one-for-all-of-them";

/// How many of a batch are written in one transaction.
const BATCH: u64 = 1_000;

/// How many there are.
#[derive(Clone, Copy)]
pub struct Population {
    /// People who can sign in.
    pub users: usize,
    /// How many of them have a session and a grant.
    pub grants: usize,
}

/// Fills a server's database; the refresh tokens of the grants.
pub async fn fill(app: &App, size: Population) -> Vec<String> {
    if size.users == 0 {
        return Vec::new();
    }
    let password = Password::parse(PASSWORD.to_owned()).unwrap();
    let hash = app.hashing.hash(password).await.unwrap().to_string();
    let now = app.clock.now();
    let size = Population { users: size.users.max(size.grants), ..size };
    let there = app.store.read(users::count).await.unwrap();
    // A server that is started again finds them.
    if usize::try_from(there).unwrap() < size.users {
        write(&app.store, size, &hash, now).await;
    }
    let snapshot = app.snapshot_kept();
    let tokens = (0..size.grants as u64).map(|number| {
        let token = grant(number, size.users as u64, now).token();
        token.seal(&snapshot.keys.refresh).reveal().to_owned()
    });
    tokens.collect()
}

/// Writes people with this password hash, and grants.
pub async fn write(store: &Store, size: Population, hash: &str, now: Timestamp) {
    let (all, with_grant) = (size.users as u64, size.grants as u64);
    for from in (0..all).step_by(BATCH as usize) {
        let hash = hash.to_owned();
        let written = store.write(move |tx| {
            for number in from..all.min(from + BATCH) {
                let person = user(number, all, now);
                users::insert(tx, &person)?;
                passwords::put(tx, &person.id, &hash, now)?;
                if number < with_grant {
                    open(tx, number, all, now)?;
                }
            }
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("a population to measure")))
        });
        written.await.unwrap();
    }
}

fn open(tx: &mut Tx<'_>, number: u64, all: u64, now: Timestamp) -> Result<()> {
    let grant = grant(number, all, now);
    let session = Session {
        user_id: grant.user_id,
        id: grant.session_id,
        authenticated_at: now,
        created_at: now,
        used_at: now,
        expires_at: grant.expires_at,
        ended_at: None,
        address: None,
        user_agent: Some("munjigi-bench".to_owned()),
        amr: "pwd".to_owned(),
        browser: None,
    };
    sessions::insert(tx, &session)?;
    grants::insert(tx, &grant)
}

/// Ids that are spread evenly, as random ones are, and ascend, so that a million are written soon.
pub fn user_id(number: u64, all: u64) -> UserId {
    let step = u64::MAX / all.max(1);
    let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let leading = number.wrapping_mul(step) + (mixed >> 1) % step.max(1);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&leading.to_be_bytes());
    bytes[8..].copy_from_slice(&mixed.rotate_left(29).to_be_bytes());
    UserId::from_random(bytes)
}

/// The canonical address of a person.
pub fn email(number: u64) -> String {
    format!("person{number:08}@example.com")
}

/// The id of a person's grant.
pub fn grant_id(number: u64, now: Timestamp) -> GrantId {
    GrantId::from_parts(now, random(number))
}

fn random(number: u64) -> [u8; 10] {
    let mut bytes = [1; 10];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn user(number: u64, all: u64, now: Timestamp) -> User {
    User {
        id: user_id(number, all),
        email: email(number),
        email_canonical: email(number),
        email_verified_at: Some(now),
        username: Some(format!("person{number:08}")),
        username_canonical: Some(format!("person{number:08}")),
        name: Some("김민지".to_owned()),
        locale: Some("ko".to_owned()),
        roles: vec!["user".parse().unwrap()],
        created_at: now,
        updated_at: now,
        disabled_at: None,
        password_changed_at: None,
        profile: Default::default(),
        deletion_due_at: None,
    }
}

fn grant(number: u64, all: u64, now: Timestamp) -> Grant {
    let client_id: ClientId = "web".parse().unwrap();
    Grant {
        user_id: user_id(number, all),
        id: grant_id(number, now),
        client_id,
        session_id: SessionId::from_parts(now, random(number)),
        // Without `openid`: a refresh brings an access token alone, which is what its bound has.
        scope: "profile events:read".parse().unwrap(),
        audiences: vec![PLANNER_AUDIENCE.to_owned()],
        generation: 1,
        nonce: [5; 16],
        authenticated_at: now,
        created_at: now,
        rotated_at: None,
        idle_expires_at: now.plus(Span::from_days(30)),
        expires_at: now.plus(Span::from_days(90)),
        revoked_at: None,
        claims: None,
        dpop_jkt: None,
    }
}
