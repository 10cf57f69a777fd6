//! DS-03 of the attack kit: a slice of what `munjigi-bench -- load storm` measures. Nothing here is
//! about time.

use munjigi_e2e::production::Production;
use munjigi_e2e::storm::Storm;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ds_03_a_storm_of_sign_ins_is_shed_politely_and_harms_nobody_else() {
    let weather = Storm { rate: 250, seconds: 6 }.blow(Production::on_sqlite()).await;
    assert_eq!(weather.violations, Vec::<String>::new(), "{weather:?}");
    // A storm that sheds nobody, or serves nobody, shows nothing.
    assert!(weather.shed > 100 && weather.served > 10, "{weather:?}");
    assert!(weather.steady > 20, "{weather:?}");
    // One arena of 19 MiB, what waits, and what 1,500 connections need.
    assert!(weather.grown_mib < 96, "{weather:?}");
}
