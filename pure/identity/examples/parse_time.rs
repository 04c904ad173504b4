//! Measures `Leaf::parse`, which runs for every resumed handshake: nanoseconds for each certificate.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a measurement reads a file and a clock, and says what it found"
)]

use std::hint::black_box;
use std::time::Instant;

use signet_identity::Leaf;

fn main() {
    for path in std::env::args().skip(1) {
        let der = std::fs::read(&path).unwrap();
        let rounds = 50_000_u32;
        let mut best = u128::MAX;
        for _ in 0..7 {
            let start = Instant::now();
            for _ in 0..rounds {
                black_box(Leaf::parse(black_box(&der)).unwrap());
            }
            best = best.min(start.elapsed().as_nanos() / u128::from(rounds));
        }
        println!("{path}: {} bytes, {best} ns", der.len());
    }
}
