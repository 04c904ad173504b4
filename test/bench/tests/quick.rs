//! The measurement still works, and nothing costs out of proportion. Few of each, so the numbers are rough and the bounds are generous.

#![expect(clippy::expect_used, reason = "a rig that cannot do its job fails the test that uses it")]

use std::path::PathBuf;

/// `$SIGNET_BIN`, or the binary next to the running test in the target directory.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SIGNET_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running test");
    let path = test.ancestors().nth(2).expect("a target directory").join("signet");
    assert!(path.exists(), "{} does not exist: run `cargo build -p signet` first, or set SIGNET_BIN", path.display());
    path
}

#[test]
fn nothing_costs_out_of_proportion() {
    let costs = signet_bench::measure(&binary(), 2_000, 200);
    let bounds = [4_096, 6_144, 2_048, 2_048, 2_048, 16_384, 16_384, 65_536];
    assert_eq!(costs.len(), bounds.len());
    for (cost, bound) in costs.iter().zip(bounds) {
        assert!(cost.memory_each() <= bound, "{cost:?}: {} bytes each, at most {bound} were expected", cost.memory_each());
        let is_stored = !cost.what.starts_with("idle");
        assert_eq!(cost.disk_each() > 0, is_stored, "{cost:?}");
        assert!(cost.disk_each() <= 2_048, "{cost:?}");
    }
}
