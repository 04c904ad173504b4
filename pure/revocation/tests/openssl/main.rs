//! A CA kept by OpenSSL: its CRLs, delta CRLs and OCSP responses are read and judged by us.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail by panicking, as the test itself does")]
#![expect(clippy::disallowed_methods, reason = "a test of pure code against another program needs files for that program")]

mod crl;
mod ocsp;
mod rig;
