//! The control plane's side of a running server: every method may be called from any thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signet_identity::CertificateId;
use signet_net::{ConnectionInfo, LinkId, Registry};
use signet_policy::Ruleset;
use signet_revocation::Reason;
use signet_tls::{CurrentRevocations, TlsError, TlsListenerConfig};

use crate::{ServerConfig, StartError};

/// What a revocation did to live connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KickReport {
    /// Connections that were closed.
    pub sessions_closed: usize,
    /// Connections told to close that did not confirm in time; they are cut by their flush deadline.
    pub unconfirmed: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// Counters of the whole server, summed over its shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Live connections, before and after CONNECT.
    pub connections: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections refused before CONNECT: limits, TLS, deadlines.
    pub refused: u64,
    /// Broker counters.
    pub broker: signet_broker::Stats,
}

/// A running server.
pub struct ServerHandle {}

/// Starts the shards and listens. When this returns `Ok`, clients can connect.
///
/// # Errors
/// A port is taken, a certificate cannot be used, the system has no resources left. Nothing is left running then.
pub fn start(config: ServerConfig, revocations: CurrentRevocations) -> Result<ServerHandle, StartError> {
    todo!()
}

impl ServerHandle {
    /// The live connections.
    pub fn registry(&self) -> Arc<Registry> {
        todo!()
    }

    /// Every address listened on, with the listener's name and the port the system chose.
    pub fn local_addrs(&self) -> Vec<(String, SocketAddr)> {
        todo!()
    }

    /// The revocation index in force; a revocation is entered there first.
    pub fn revocations(&self) -> &CurrentRevocations {
        todo!()
    }

    /// Closes every connection whose path holds one of `certificates` and waits until that is done, 2 seconds at most.
    /// Enter them in the revocation index first: this only ends what is already connected.
    pub fn revoke(&self, certificates: &[CertificateId], reason: Reason) -> KickReport {
        todo!()
    }

    /// Closes the given connections as an operator's decision, like [`Self::revoke`].
    pub fn disconnect(&self, links: &[LinkId], why: &str) -> KickReport {
        todo!()
    }

    /// Loads new TLS files for a listener. New connections use them at once, established ones stay. On an error the old ones stay in use.
    ///
    /// # Errors
    /// No such TLS listener, or the files cannot be used.
    pub fn reload_tls(&self, listener: &str, config: TlsListenerConfig) -> Result<(), TlsError> {
        todo!()
    }

    /// Puts new rules in force, for what connected clients do next too.
    pub fn replace_rules(&self, ruleset: Arc<Ruleset>) {
        todo!()
    }

    /// Counters.
    pub fn stats(&self) -> ServerStats {
        todo!()
    }

    /// Every live connection.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        todo!()
    }

    /// Stops accepting, tells every client (DISCONNECT 0x8B), waits up to `grace` until they are gone, then cuts the rest and ends the threads.
    pub fn shutdown(self, grace: Duration) {
        todo!()
    }
}
