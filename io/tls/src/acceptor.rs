//! One listener's TLS: credentials, trust, naming and revocation rules; and the one place where a [`VerifiedPeer`] is minted.

use std::path::PathBuf;
use std::sync::Arc;

use signet_identity::NamingRule;
use signet_revocation::StalePolicy;

use crate::{CurrentRevocations, TlsError};

/// Whether a listener asks for a client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate, no connection.
    #[default]
    Required,
    /// A certificate is asked for and checked when it comes; without one the client is anonymous.
    Optional,
    /// Not asked for: every client is anonymous.
    None,
}

/// The oldest TLS version to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

/// The TLS settings of one listener, as file names.
#[derive(Clone, Debug)]
pub struct TlsListenerConfig {
    /// PEM file: server certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM file: private key of the server certificate.
    pub key: PathBuf,
    /// PEM files: certification authorities whose devices are believed. May be empty only with [`ClientCertificate::None`].
    pub trust: Vec<PathBuf>,
    /// Whether clients must show a certificate.
    pub client_certificate: ClientCertificate,
    /// What to do when the revocation list of an issuer is past its `nextUpdate`.
    pub stale: StalePolicy,
    /// The oldest version to speak.
    pub minimum_version: MinimumVersion,
}

/// Everything a handshake on one listener needs, loaded and checked. Immutable: a reload makes a new one, with new ticket keys.
pub struct ListenerTls {}

impl ListenerTls {
    /// Reads and checks the files of `config`; `now` is in unix seconds.
    ///
    /// # Errors
    /// Names the file and the way out; see [`crate::Credentials::load`] and [`crate::TrustAnchors::load`].
    pub fn load(config: &TlsListenerConfig, naming: NamingRule, revocations: CurrentRevocations, now: i64) -> Result<Arc<Self>, TlsError> {
        todo!()
    }
}
