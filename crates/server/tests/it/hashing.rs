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

/// About a sixth of a second for each hash: thirty do not fit into the deadline, and one does where
/// a machine does ten other things.
fn slow() -> Hashing {
    Hashing::start(1, Argon2Params { m_kib: 65_536, t: 4, p: 1 }).unwrap()
}

/// Which of them is the newest when the thread looks for the first time is up to the machine.
#[tokio::test]
async fn of_many_the_newest_are_hashed_for_and_who_has_waited_for_two_seconds_is_put_off() {
    let pool = Arc::new(slow());
    let hashed = join_all((0..30).map(|_| pool.hash(password()))).await;
    let hashed: Vec<bool> = hashed.iter().map(Result::is_ok).collect();
    assert!(hashed[29], "the newest waited: {hashed:?}");
    assert!(hashed.iter().any(|it| !it), "nobody waited for too long: {hashed:?}");
    let newer_put_off = hashed.windows(2).filter(|it| it[0] && !it[1]).count();
    assert!(newer_put_off <= 1, "newest first, but for the first one: {hashed:?}");
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

/// What `/proc` says of each thread that hashes: how nice it is.
#[cfg(target_os = "linux")]
fn niceness_of_hashing_threads() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |task: std::fs::DirEntry| {
        // One that ended meanwhile has none.
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let is_hashing = name.starts_with("hashing-");
        is_hashing.then(|| rest.split_whitespace().nth(16).unwrap().parse().unwrap())
    };
    tasks.filter_map(|task| of(task.ok()?)).collect()
}

/// Signatures go first: hashing has so many threads of its own, and these are nicer than others.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn hashing_has_threads_of_its_own_that_are_nicer_than_others() {
    let own = rustix::process::getpriority_process(None).unwrap();
    let pool = Hashing::start(3, Argon2Params::default()).unwrap();
    pool.hash(password()).await.unwrap();
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    // Those of a test beside may be starting at this moment.
    let all_nice = async {
        loop {
            let nice = niceness_of_hashing_threads();
            if nice.len() >= 3 && nice.iter().all(|it| *it == (own + 5).min(19)) {
                return;
            }
            looks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), all_nice).await;
    assert!(waited.is_ok(), "{own}: {:?}", niceness_of_hashing_threads());
}
