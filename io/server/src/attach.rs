//! Connections of this process to itself: what a bridge speaks MQTT on with its own broker.
//!
//! An ordinary connection, except that no socket leads to it from outside. So it can be said who is at the other end without asking.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use signet_broker::Limits;
use signet_net::{PeerAddress, unix_seconds};
use signet_policy::{AdmissionRules, BridgeClient};

use crate::gate::Total;
use crate::link::Accepted;
use crate::listener::{Listener, ListenerRules};
use crate::mailbox::Mail;
use crate::shared::Shared;
use crate::socket::Socket;
use crate::{ListenerConfig, ServerHandle, StartError, TransportConfig};

/// Connections that a bridge may have at a time: one that is new, and the one before that is not yet given up.
const CONNECTIONS: usize = 4;

/// Makes the local connections of one bridge. May be used from any thread, and outlive the server.
#[derive(Clone)]
pub struct BridgeEntrance {
    shared: Arc<Shared>,
    listener: Arc<Listener>,
}

impl ServerHandle {
    /// The entrance for a bridge; `limits` are those of its session, the server's own without them. What it may do there says the
    /// [`BridgeRights`](signet_policy::BridgeRights) of that name in the rules.
    ///
    /// # Errors
    /// None today; a listener is made, and that can fail.
    pub fn bridge_entrance(&self, bridge: BridgeClient, limits: Option<Arc<Limits>>) -> Result<BridgeEntrance, StartError> {
        let name = format!("bridge {}", bridge.name);
        let admission = AdmissionRules { bridge: Some(bridge), ..AdmissionRules::default() };
        let mut config = ListenerConfig::new(name, Vec::new(), TransportConfig::Tcp, admission);
        config.maximum_connections = CONNECTIONS;
        config.broker_limits = limits;
        // Its own total: a crowd of clients must not keep the bridge out.
        let total = Arc::new(Total::new(CONNECTIONS));
        let rules = ListenerRules::load(&config, &Arc::default(), &self.revocations, unix_seconds())?;
        let listener = Arc::new(Listener::new(rules, &total, &self.shared.refusals));
        Ok(BridgeEntrance { shared: Arc::clone(&self.shared), listener })
    }
}

impl BridgeEntrance {
    /// A new connection, on which the first packet has to be CONNECT as on any other.
    ///
    /// # Errors
    /// The system gives no more sockets, or too many older connections are still being closed.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        let id = self.shared.registry.next_link();
        let shard = self.shared.lobby_for(id.number());
        let (place, _) = self.listener.admit(None, id, shard).map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))?;
        let socket = Socket::Unix(mio::net::UnixStream::from_std(theirs));
        let accepted = Accepted { id, socket, address: PeerAddress::Unix(None), place, at: self.shared.clock.milliseconds() };
        let Some(mailbox) = self.shared.mailboxes.get(usize::from(shard)) else { return Err(io::ErrorKind::NotFound.into()) };
        mailbox.post_one(Mail::Accepted(Box::new(accepted)));
        Ok(ours)
    }
}

impl std::fmt::Debug for BridgeEntrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BridgeEntrance").field(&self.listener.name).finish()
    }
}
