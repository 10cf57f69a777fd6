//! What signing and verifying cost beside the bare signature: `cargo bench -p munjigi-bench`. The
//! tight ratios are judged by `munjigi-bench ratios`, which alternates; this shows absolute times.

#![allow(missing_docs, reason = "criterion writes public items without any")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use munjigi_bench::bare::{ALGORITHMS, Subject};

fn token(criterion: &mut Criterion) {
    for algorithm in ALGORITHMS {
        let subject = Subject::new(algorithm);
        let mut group = criterion.benchmark_group(algorithm.as_str());
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        group.bench_function("bare sign (S)", |it| it.iter(|| subject.bare_sign()));
        group.bench_function("sign", |it| it.iter(|| subject.sign()));
        group.bench_function("bare verify (V)", |it| it.iter(|| subject.bare_verify()));
        group.bench_function("verify", |it| it.iter(|| subject.verify()));
        group.bench_function("verify one seen before", |it| it.iter(|| subject.verify_again()));
        group.finish();
    }
}

criterion_group!(benches, token);
criterion_main!(benches);
