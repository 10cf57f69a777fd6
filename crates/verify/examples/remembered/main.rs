//! Measures what a verified token costs: bare, through the verifier, and remembered.
//! `cargo run --release -p munjigi-verify --example remembered`

#![allow(clippy::print_stdout, reason = "a measurement prints")]

mod clock;

use std::error::Error;
use std::hint::black_box;

use munjigi_verify::RevocationKind;
use munjigi_verify::testing::Issuer;
use munjigi_verify::token::{Algorithm, KeySet, SigningKey, Unverified};

use clock::median_nanos;

fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::new("orders-api")?;
    println!(
        "{:10} {:>12} {:>12} {:>8} {:>12} {:>14}",
        "", "signature", "verifier", "rate", "remembered", "with 10,000"
    );
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let key = SigningKey::generate(algorithm)?;
        let token = issuer
            .bearer("0b7e7b3c-6f0d-4a52-9c6e-5b8e6f0d4a52")
            .scope("orders:read orders:write")
            .role("user")
            .claim("sid", "0192f0c1-7a3b-7c11-8000-3c6e5b8e6f0d")
            .claim("gid", "0192f0c1-7a3b-7c11-8000-3c6e5b8e6f0e")
            .signed_by(&key)
            .token()?;
        let keys = || KeySet::from_keys([key.verifying_key()]);
        let verifier = |entries: usize| {
            let builder =
                munjigi_verify::Verifier::with_keys(issuer.issuer(), "orders-api", keys());
            builder.token_cache(entries).build()
        };
        let (fresh, remembering) = (verifier(0)?, verifier(10_000)?);
        let verifying_key = key.verifying_key();
        // Signature over a parsed header, nothing about the claims: the least a token costs.
        let bare = median_nanos(|| {
            let unverified = Unverified::parse(black_box(&token)).ok()?;
            unverified.verify_with(&verifying_key).ok()
        });
        let whole = median_nanos(|| fresh.verify_now(black_box(&token)).ok());
        remembering.verify_now(&token)?;
        let hit = median_nanos(|| remembering.verify_now(black_box(&token)).ok());
        for number in 0..10_000 {
            let sid = format!("session {number}");
            remembering.revocations().announce(RevocationKind::Session, &sid, i64::MAX, i64::MAX);
        }
        let beside = median_nanos(|| remembering.verify_now(black_box(&token)).ok());
        println!(
            "{:10} {bare:>9.0} ns {whole:>9.0} ns {:>7.1}% {hit:>9.0} ns {beside:>11.0} ns",
            algorithm.as_str(),
            100.0 * bare / whole,
        );
    }
    Ok(())
}
