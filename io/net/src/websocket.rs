//! WebSocket (RFC 6455) as a byte stream for MQTT: the upgrade from HTTP, then frames in and frames out.
//!
//! MQTT ignores where messages begin and end (MQTT 5 §6), so nothing is ever put together: payload is handed on as it comes, and between two
//! frames a connection holds no buffer. That is why the framing is ours: docs/decisions/0009-own-websocket-framing.md.

mod client;
mod frames;
mod upgrade;

pub use client::{ClientHandshake, ClientHandshakeError, authority};
pub use frames::{CloseCode, FrameError, Frames, Role};
pub use upgrade::{MAXIMUM_HEAD, Origins, UpgradeError, UpgradeRules};

use std::sync::Arc;

use upgrade::Head;

/// What one call of [`WebSocket::receive`] brought besides octets of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebSocketReceived {
    /// The upgrade is complete: exactly once.
    pub opened: bool,
    /// The client has said that it closes; the answer is in the output. No more octets will come.
    pub closed: bool,
}

/// Why a connection is over. What has to be sent to the client (an HTTP response or a close frame) is in the output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebSocketError {
    /// The upgrade was refused.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// A frame breaks the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl WebSocketError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Upgrade(error) => error.hint(),
            Self::Frame(_) => "is it an MQTT client? it has to send binary frames, masked, as RFC 6455 says",
        }
    }
}

/// The server's end of one WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    state: State,
}

#[derive(Debug)]
enum State {
    Upgrading(Box<Head>),
    Open(Frames),
    /// After a refused upgrade.
    Refused(UpgradeError),
}

impl WebSocket {
    /// Waits for the upgrade request.
    pub fn new(rules: Arc<UpgradeRules>) -> Self {
        Self { state: State::Upgrading(Box::new(Head::new(rules))) }
    }

    /// Takes octets as they came, in any portions. Octets of MQTT are appended to `plaintext`, what has to be sent to `wire`.
    ///
    /// # Errors
    /// The connection is over: send `wire`, then close. Calling again gives the same error.
    pub fn receive(&mut self, input: &[u8], plaintext: &mut Vec<u8>, wire: &mut Vec<u8>) -> Result<WebSocketReceived, WebSocketError> {
        let mut received = WebSocketReceived::default();
        let mut rest = input;
        if let State::Upgrading(head) = &mut self.state {
            match head.receive(input, wire) {
                Ok(None) => return Ok(received),
                Ok(Some(used)) => {
                    rest = input.get(used..).unwrap_or_default();
                    received.opened = true;
                    self.state = State::Open(Frames::new(Role::Server));
                }
                Err(error) => self.state = State::Refused(error),
            }
        }
        match &mut self.state {
            State::Open(frames) => received.closed = frames.receive(rest, plaintext, wire)?,
            State::Refused(error) => return Err(error.clone().into()),
            State::Upgrading(_) => {}
        }
        Ok(received)
    }

    /// Appends `plaintext` to `wire` as one binary frame. Before the upgrade nothing can be sent, and nothing is.
    pub fn send(&self, plaintext: &[u8], wire: &mut Vec<u8>) {
        if let State::Open(frames) = &self.state {
            frames.send(plaintext, None, wire);
        }
    }

    /// Appends a close frame, once, and only after the upgrade.
    pub fn close(&mut self, code: CloseCode, wire: &mut Vec<u8>) {
        if let State::Open(frames) = &mut self.state {
            frames.close(code, None, wire);
        }
    }

    /// Whether the upgrade has not been completed.
    pub fn is_upgrading(&self) -> bool {
        !matches!(self.state, State::Open(_))
    }

    /// Octets of the heap that this connection holds now.
    pub fn held(&self) -> usize {
        match &self.state {
            State::Upgrading(head) => size_of::<Head>() + head.held(),
            State::Open(frames) => frames.held(),
            State::Refused(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
