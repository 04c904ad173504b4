//! The witness that a peer's certificate was verified: code that needs an identity asks for this type, so a forgotten check does not
//! compile.

use std::sync::Arc;

use crate::device::{DeviceIdentity, DeviceName};

/// A peer whose path, proof of possession, validity and revocation status were checked, now, for this connection.
///
/// Where a trusted proxy ends TLS, the proof of possession is the proxy's word; everything else was checked here all the same.
#[derive(Debug, Clone)]
pub struct VerifiedPeer {
    identity: Arc<DeviceIdentity>,
    resumed: bool,
}

impl VerifiedPeer {
    /// Asserts that every check was made. Called once in `io/tls/src/acceptor.rs`, once in `io/tls/src/forwarded.rs`, and nowhere else: `xtask
    /// tidy` counts the call sites.
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

/// A peer whose certificate was verified but for its revocation status, which nobody knows yet. It may do nothing before somebody does.
#[derive(Debug, Clone)]
pub struct PendingPeer {
    identity: Arc<DeviceIdentity>,
    resumed: bool,
}

impl PendingPeer {
    /// Says who it would be.
    #[must_use]
    pub fn new(identity: Arc<DeviceIdentity>, resumed: bool) -> Self {
        Self { identity, resumed }
    }

    /// Who it would be.
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

/// A peer that a trusted proxy names, after it has verified a certificate that was never seen here: neither its path nor its revocation could be
/// checked. Only a listener that says so explicitly takes such a name.
#[derive(Debug, Clone)]
pub struct NamedPeer {
    name: DeviceName,
}

impl NamedPeer {
    /// Asserts that the proxy is trusted, that it verified a certificate, and that the listener takes its word for the name. Called in
    /// `io/tls/src/forwarded.rs` and nowhere else: `xtask tidy` counts the call sites.
    #[must_use]
    pub fn assertion(name: DeviceName) -> Self {
        Self { name }
    }

    /// The device's name.
    #[must_use]
    pub fn name(&self) -> &DeviceName {
        &self.name
    }
}

/// Says whether a key is still the same one without holding it: a digest under a secret of this process. Worthless outside of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyMark([u8; 16]);

impl KeyMark {
    /// From the digest.
    #[must_use]
    pub fn new(digest: [u8; 16]) -> Self {
        Self(digest)
    }
}

impl std::fmt::Debug for KeyMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyMark")
    }
}

/// A device that has proved in a TLS handshake that it holds the key which it shares with this server (RFC 4279, RFC 8446 §2.2). It has no
/// certificate, so nothing can be revoked but the key itself.
#[derive(Debug, Clone)]
pub struct KeyedPeer {
    name: DeviceName,
    mark: Option<KeyMark>,
}

impl KeyedPeer {
    /// Asserts that the handshake was completed with the key kept under this name. Called in `io/psk/src/connection.rs` and nowhere else: `xtask
    /// tidy` counts the call sites. `mark`: of a key that the server keeps itself, so that a later look can tell whether it is still that one.
    #[must_use]
    pub fn assertion(name: DeviceName, mark: Option<KeyMark>) -> Self {
        Self { name, mark }
    }

    /// The device's name: the identity under which its key is kept.
    #[must_use]
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// The mark of the key; `None` where somebody else keeps it, and would have to be asked.
    #[must_use]
    pub fn mark(&self) -> Option<KeyMark> {
        self.mark
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A device with a verified certificate.
    Device(VerifiedPeer),
    /// A device whose certificate may be revoked or not: no rule lets it do anything.
    Pending(PendingPeer),
    /// A device by the word of a trusted proxy.
    Named(NamedPeer),
    /// A device by the key that it shares with this server.
    Keyed(KeyedPeer),
    /// Nobody known by a certificate, and why.
    Anonymous(NoIdentity),
}

impl Peer {
    /// The identity that the certificate gives, if there was one: not for a name alone. Of a pending peer too, so by itself it permits nothing.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<DeviceIdentity>> {
        match self {
            Self::Device(peer) => Some(peer.identity()),
            Self::Pending(peer) => Some(peer.identity()),
            Self::Named(_) | Self::Keyed(_) | Self::Anonymous(_) => None,
        }
    }

    /// The device's name, whoever vouches for it.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceName> {
        match self {
            Self::Device(peer) => Some(peer.identity().name()),
            Self::Pending(peer) => Some(peer.identity().name()),
            Self::Named(peer) => Some(peer.name()),
            Self::Keyed(peer) => Some(peer.name()),
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
    /// The proxy in front of the listener forwarded none that it had verified.
    NotForwarded,
}

/// Completes the sentence "no client certificate: …".
impl std::fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PlainTransport => "the transport has no TLS",
            Self::NotRequested => "the listener does not ask for one",
            Self::NotPresented => "the client presented none",
            Self::NotForwarded => "the proxy forwarded none that it had verified",
        })
    }
}
