//! LG-02 of the attack kit: a slice of `munjigi-e2e timings`, with bounds that a busy machine does
//! not break. How far kinds of accounts are apart to the percent is for the whole campaign.

use munjigi_e2e::Dev;
use munjigi_e2e::timings::{Compared, Street, over_budget};

/// Of each kind.
const SAMPLES: usize = 20;

fn alike(compared: &Compared) {
    assert!(compared.is_alike_by_far(), "{compared:?}");
    assert_eq!(compared.samples, SAMPLES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lg_02_no_answer_tells_by_far_what_an_account_is() {
    let dev = Dev::start();
    let street = Street::new(&dev, SAMPLES).await;
    // A sign-in that costs a hash and one that does not are what has to be told apart.
    let planted = street.planted().await;
    assert!(!planted.is_alike_by_far(), "a refusal without a hash goes unnoticed: {planted:?}");
    let [hash, _] = planted.fastest;

    for compared in street.sign_ins().await {
        alike(&compared);
        assert!(compared.fastest.iter().all(|took| *took > hash / 2.0), "{compared:?}, {hash} ms");
    }
    alike(&street.sign_ups().await);
    let put_off = street.throttled().await;
    alike(&put_off);
    alike(&over_budget(SAMPLES).await);
    let recoveries = street.recoveries().await;
    alike(&recoveries);
    // They are answered when the time has come, whatever there was to do.
    assert!(recoveries.fastest.iter().all(|took| *took >= 100.0), "{recoveries:?}");
    assert!(put_off.fastest.iter().all(|took| *took >= 50.0), "{put_off:?}");
}
