//! The witness that a peer's certificate was verified: code that needs an identity asks for this type, so a forgotten check does not
//! compile.

use std::sync::Arc;

use crate::device::DeviceIdentity;

/// A peer whose path, proof of possession, validity and revocation status were checked, now, for this connection.
#[derive(Debug, Clone)]
pub struct VerifiedPeer {
    identity: Arc<DeviceIdentity>,
    resumed: bool,
}

impl VerifiedPeer {
    /// Asserts that every check was made. Called in `io/tls/src/acceptor.rs` and nowhere else: `xtask tidy` counts the call sites.
    ///
    /// `resumed`: the TLS session was resumed, so the checks were repeated on the certificates that the ticket holds.
    #[must_use]
    pub fn assertion(identity: Arc<DeviceIdentity>, resumed: bool) -> Self {
        Self { identity, resumed }
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Arc<DeviceIdentity> {
        &self.identity
    }

    /// Whether the TLS session was resumed rather than newly negotiated.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.resumed
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A device with a verified certificate.
    Device(VerifiedPeer),
    /// Nobody known by a certificate, and why.
    Anonymous(NoIdentity),
}

impl Peer {
    /// The identity, if there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<DeviceIdentity>> {
        match self {
            Self::Device(peer) => Some(peer.identity()),
            Self::Anonymous(_) => None,
        }
    }
}

/// Why a connection has no certificate identity: an absent identity always carries its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoIdentity {
    /// The transport has no TLS.
    PlainTransport,
    /// The listener does not ask for client certificates.
    NotRequested,
    /// The listener asks for a certificate but does not require one, and the client sent none.
    NotPresented,
}

/// Completes the sentence "no client certificate: …".
impl std::fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PlainTransport => "the transport has no TLS",
            Self::NotRequested => "the listener does not ask for one",
            Self::NotPresented => "the client presented none",
        })
    }
}
