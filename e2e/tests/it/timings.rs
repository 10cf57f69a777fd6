//! LG-02 of the attack kit: a slice of `munjigi-e2e timings`. How long answers take on a machine
//! that does other things, too, is no matter of a test; what is held here is that each kind of
//! refusal costs a hash, and that the statistic sees one that does not. The cause itself is held by
//! `crates/server/tests/it/accounts.rs`.

use munjigi_e2e::Dev;
use munjigi_e2e::timings::Street;

const SAMPLES: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lg_02_every_refused_sign_in_costs_a_hash_and_one_that_does_not_is_noticed() {
    let dev = Dev::start();
    let street = Street::new(&dev, SAMPLES).await;
    let mut compared = street.sign_ins().await;
    compared.push(street.sign_ups().await);
    for one in &compared {
        assert!(one.difference < 0.5, "{one:?}");
        assert!(one.medians.iter().all(|median| *median > 4.0), "no hash is as fast: {one:?}");
    }
    let planted = street.planted().await;
    assert!(planted.p < 0.001 && planted.difference > 0.5, "{planted:?}");
    assert!(!planted.is_alike());
}
