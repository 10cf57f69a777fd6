//! The hashing pool: who waits for too long is put off, and who went away costs nobody anything.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use munjigi_core::account::Password;
use munjigi_core::account::hash::Argon2Params;
use munjigi_server::Hashing;

fn password() -> Password {
    Password::parse("several-unlike-words".to_owned()).unwrap()
}

/// More work than fits into the deadline, for one thread: about a third of a second each.
fn slow() -> Hashing {
    Hashing::start(1, Argon2Params { m_kib: 131_072, t: 4, p: 1 }).unwrap()
}

#[tokio::test]
async fn who_has_waited_for_two_seconds_is_put_off_and_not_hashed_for() {
    let pool = Arc::new(slow());
    let hashed = join_all((0..30).map(|_| pool.hash(password()))).await;
    assert!(hashed[0].is_ok(), "the first one had not to wait");
    assert!(hashed[29].is_err(), "the last one waited for too long");
    let done = hashed.iter().take_while(|it| it.is_ok()).count();
    assert!(hashed[done..].iter().all(Result::is_err), "in the order in which they came");
}

#[tokio::test]
async fn who_went_away_is_not_hashed_for_and_makes_room() {
    let pool = Hashing::start(1, Argon2Params::default()).unwrap();
    // Twice as many as may wait: were they kept, whoever comes next would find no room.
    for _ in 0..64 {
        drop(tokio::time::timeout(Duration::from_millis(1), pool.hash(password())).await);
    }
    assert!(pool.hash(password()).await.is_ok());
}
