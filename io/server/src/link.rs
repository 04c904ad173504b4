//! One connection from accept to close.

use std::sync::Arc;

use bytes::BytesMut;
use signet_broker::Ticket;
use signet_identity::Peer;
use signet_mqtt::ProtocolVersion;
use signet_net::{Confirmation, LinkId, PeerAddress, Transport};

use crate::inbound::Inbound;
use crate::lines;
use crate::listener::{Listener, Place};
use crate::log::DenialLog;
use crate::outbox::{Outbox, Outgoing};
use crate::pipe::Pipe;
use crate::ready::Ready;
use crate::socket::Socket;
use crate::vouching::{Entrance, Vouching};

/// A connection on its way from the accept thread to a shard.
pub(crate) struct Accepted {
    pub(crate) id: LinkId,
    pub(crate) socket: Socket,
    pub(crate) address: PeerAddress,
    pub(crate) place: Place,
    /// Milliseconds of the server's clock.
    pub(crate) at: u64,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// What lies below MQTT is being opened: a PROXY header, TLS, WebSocket.
    Handshake,
    /// Nothing but CONNECT may come.
    ExpectConnect,
    /// The broker knows the connection.
    Connected,
    /// Nothing is read any more; what was said before is still being written.
    Draining,
    /// Everything is written and the peer was told so; its own end is awaited, because closing a socket with unread input
    /// resets the connection and can destroy what the peer has not read yet.
    Lingering,
}

impl Phase {
    /// Whether the connection is on its way out.
    pub(crate) fn is_closing(self) -> bool {
        matches!(self, Self::Draining | Self::Lingering)
    }
}

/// What the shard has noted about a connection.
#[derive(Default)]
pub(crate) struct Marks {
    /// In a queue of the shard, so not to be queued again.
    pub(crate) queued: bool,
    /// In the list of connections to write to.
    pub(crate) dirty: bool,
    /// Not read because too much waits to be written.
    pub(crate) paused: bool,
    /// Not decoded because an access source is asked about what it has sent.
    pub(crate) asking: bool,
}

/// One connection. Exactly one shard owns it.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) address: PeerAddress,
    pub(crate) place: Place,
    pub(crate) pipe: Pipe,
    pub(crate) phase: Phase,
    /// Known when TLS is complete, or when a trusted proxy has said it.
    pub(crate) peer: Option<Peer>,
    /// Known from CONNECT.
    pub(crate) version: ProtocolVersion,
    pub(crate) inbound: Inbound,
    pub(crate) outbox: Outbox,
    /// What is encoded already and goes out before what is in the outbox, with the end of this turn.
    pub(crate) ready: BytesMut,
    /// When this phase is over at the latest, in milliseconds of the server's clock.
    pub(crate) deadline: Option<u64>,
    pub(crate) marks: Marks,
    /// How many of its refusals are in the log.
    pub(crate) denials: DenialLog,
    pub(crate) entrance: Entrance,
    /// Who waits until this connection is closed.
    pub(crate) confirmations: Vec<Confirmation>,
}

impl Link {
    pub(crate) fn listener(&self) -> &Arc<Listener> {
        self.place.listener()
    }

    pub(crate) fn transport(&self) -> Transport {
        self.pipe.transport()
    }

    /// Puts something into the outbox.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        lines::sending(self, &outgoing);
        self.outbox.push(outgoing);
    }

    /// Encodes what can go out at once, and puts the rest into the outbox.
    pub(crate) fn send_soon(&mut self, outgoing: Outgoing, durable: Ticket, ready: &mut Ready) {
        let before = self.ready.len();
        // Other packets are small.
        let size = if let Outgoing::Publish(message, ..) = &outgoing { message.size() } else { 0 };
        if self.pipe.is_behind() || !ready.has_room(size, before) {
            return self.send(outgoing);
        }
        lines::sending(self, &outgoing);
        if self.ready.capacity() == 0 {
            self.ready = ready.lend();
        }
        match self.outbox.bypass(outgoing, self.version, durable, &mut self.ready) {
            Ok(()) => ready.add(self.ready.len() - before),
            Err(outgoing) => self.outbox.push(outgoing),
        }
    }

    /// Whether everything that it was told is written.
    pub(crate) fn is_written(&self) -> bool {
        self.ready.is_empty() && self.outbox.is_empty() && self.pipe.unsent() == 0
    }

    /// Whether so much waits to be written that nothing should be read.
    pub(crate) fn is_full(&self) -> bool {
        self.outbox.is_full(self.pipe.unsent() + self.ready.len())
    }

    /// Whether nothing it sends may be decoded, because others are asked whether it may connect, or do what it wants.
    pub(crate) fn is_waiting(&self) -> bool {
        self.marks.asking
            || self.inbound.holds()
            || matches!(self.entrance.vouching.as_deref(), Some(Vouching::Asking(_) | Vouching::AskingWill(..)))
    }

    /// When the session ends by the word of those who vouched for it, unix seconds.
    pub(crate) fn expires_at(&self) -> Option<i64> {
        self.entrance.client.as_ref()?.grant()?.expires_at
    }

    /// When the connection ends for its certificate's sake, unix seconds: the certificate's end and what its trust profile adds.
    pub(crate) fn not_after(&self) -> Option<i64> {
        let identity = self.peer.as_ref()?.identity()?;
        match self.listener().rules().profile(identity) {
            Some(profile) => profile.session_end(identity.leaf()),
            None => Some(identity.leaf().validity().not_after),
        }
    }
}
