//! Where the binary is that is measured.

use std::path::PathBuf;

/// `$SIGNET_BIN`, or the binary next to the running test in the target directory.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SIGNET_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running test");
    let path = test.ancestors().nth(2).expect("a target directory").join("signet");
    assert!(path.exists(), "{} does not exist: run `cargo build -p signet` first, or set SIGNET_BIN", path.display());
    path
}
