//! Sources against the real thing: nginx, `openssl ca`, `openssl ocsp`, files on disk.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod certificates;
mod files;
mod ocsp;
mod replace;
mod rig;
mod staple;
mod urls;
