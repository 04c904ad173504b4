//! The cryptographic provider: aws-lc-rs, named here once.

use std::sync::{Arc, OnceLock};

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};

use crate::MinimumVersion;

/// The provider of every configuration; shared, because it holds tables only.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// Makes it the provider of the process, for libraries that bring rustls along and ask the process for one. Without it such a library guesses by the
/// features that rustls was built with, and ends the thread where it cannot. One that was set before stays.
pub fn use_as_default_provider() {
    // An error says that there is one already.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// The signature algorithms that certificates, CRLs and handshakes may use.
pub(crate) fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}

/// Newest first.
static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

/// The versions to speak.
pub(crate) fn versions(minimum: MinimumVersion) -> &'static [&'static SupportedProtocolVersion] {
    match minimum {
        MinimumVersion::Tls12 => &FROM_TLS12,
        MinimumVersion::Tls13 => &FROM_TLS13,
    }
}
