//! DS-01 and DS-02 of the attack kit: a slice of what `munjigi-e2e slow` and `munjigi-e2e large` do
//! in full.

use std::time::Duration;

use munjigi_e2e::flood::{large, slow};
use munjigi_e2e::production::Production;

/// DS-01: slow heads, slow bodies, answers that nobody reads and silent connections are closed, and
/// others are answered meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ds_01_slow_connections_are_closed_while_others_are_answered() {
    let mut server = Production::on_sqlite();
    server.start();
    let seen = slow(&server, 300).await;
    println!("{seen:?}");
    assert_eq!(seen.closed, seen.connections, "{seen:?}");
    // 20 s and what a busy machine adds.
    assert!(seen.last_closed < Duration::from_secs(40), "{seen:?}");
    assert!(seen.answered > 20, "{seen:?}");
}

/// DS-02: what is far too large is refused early, and takes no memory.
#[test]
fn ds_02_what_is_far_too_large_is_refused_early_and_takes_no_memory() {
    let mut server = Production::on_sqlite();
    server.start();
    let seen = large(&server, 5);
    println!("{seen:?}");
    for (sent, status) in &seen.statuses {
        // Who is still writing may find the connection reset before it can read why.
        let expected: &[u16] = match *sent {
            "a header of 10 MB" => &[431, 0],
            "an address of 13 kB" => &[414],
            "JSON 10,000 deep" => &[400],
            "8,000 scopes" => &[400, 401],
            // Nobody may register here: refused before it is read.
            "1,000 redirect URIs" => &[400, 403],
            "10,000 redirect URIs" => &[413, 403, 0],
            _ => &[413, 0],
        };
        assert!(expected.contains(status), "{sent}: {status}");
    }
    assert!(seen.most_written < 64 * 1024 * 1024, "read on for {} bytes", seen.most_written);
    let (before, after) = seen.memory;
    assert!(after < before + 16 * 1024, "from {before} KiB to {after} KiB");
}
