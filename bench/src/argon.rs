//! Bare Argon2id: the product's parameters in a bare loop, each thread with one block of memory
//! that it keeps.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use munjigi_core::account::Argon2Params;

use crate::clock;

/// As nice as the product's hashing threads: on a machine that others use, too, the comparison
/// would else be one of priorities.
const NICENESS: i32 = 5;

/// Hashes on some threads for a while.
pub struct Hashed {
    /// Hashes a second, all threads together.
    pub rate: f64,
    /// Processor time of a hash, in ms.
    pub cpu_ms: f64,
}

/// Hashes on this many threads for this long; each ends with the hash that it has begun.
pub fn run(threads: usize, time: Duration) -> Hashed {
    let began = clock::now();
    let working: Vec<_> = (0..threads).map(|_| std::thread::spawn(move || work(time))).collect();
    let done: Vec<(u32, Duration)> = working.into_iter().map(|it| it.join().unwrap()).collect();
    let took = began.elapsed().as_secs_f64();
    let hashes = f64::from(done.iter().map(|(count, _)| count).sum::<u32>());
    let cpu: Duration = done.iter().map(|(_, cpu)| *cpu).sum();
    Hashed { rate: hashes / took, cpu_ms: cpu.as_secs_f64() * 1e3 / hashes }
}

fn work(time: Duration) -> (u32, Duration) {
    rustix::process::nice(NICENESS).unwrap();
    let Argon2Params { m_kib, t, p } = Argon2Params::default();
    let params = Params::new(m_kib, t, p, Some(32)).unwrap();
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut digest = [0; 32];
    let (began, before) = (clock::now(), clock::of_thread());
    let mut count = 0;
    while began.elapsed() < time {
        let salt = [7; 16];
        argon2
            .hash_password_into_with_memory(b"a measured password", &salt, &mut digest, &mut memory)
            .unwrap();
        count += 1;
    }
    (count, clock::of_thread() - before)
}
