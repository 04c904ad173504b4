//! The WebSocket of a connection: asked for once, then frames around what goes and off what comes. What they look like is `signet-net`'s.

use std::io;

use signet_net::websocket::{ClientHandshake, CloseCode, Frames, Role};

use crate::keys::Keys;

/// Octets of MQTT in a frame. More are several: some servers take no larger ones than 65,536.
const FRAME: usize = 32 * 1024;

/// With so many octets that wait to be sent pings are not answered: who reads nothing could make us keep any number of pongs.
const BACKLOG: usize = 1 << 20;

/// The client's end.
#[derive(Debug)]
pub(crate) struct WebSocket {
    state: State,
    /// What goes to TLS or the socket.
    wire: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Asking(ClientHandshake),
    Open(Frames),
}

impl WebSocket {
    /// Asks for it: the request is the first thing to be sent. `authority` is host and port as HTTP writes them.
    ///
    /// # Errors
    /// The system has no random octets.
    pub(crate) fn ask(authority: &str, path: &str, keys: &mut Keys) -> io::Result<Self> {
        let mut wire = Vec::new();
        let handshake = ClientHandshake::start(authority, path, keys.take()?, &mut wire);
        Ok(Self { state: State::Asking(handshake), wire })
    }

    /// Whether something is to be sent that was no part of MQTT, or was not sent yet.
    pub(crate) fn wants_write(&self) -> bool {
        !self.wire.is_empty()
    }

    /// What is to be sent. `out` goes into frames first, as soon as there are any.
    ///
    /// # Errors
    /// The system has no random octets.
    pub(crate) fn framed(&mut self, out: &mut Vec<u8>, keys: &mut Keys) -> io::Result<&mut Vec<u8>> {
        if let State::Open(frames) = &self.state {
            for part in out.chunks(FRAME) {
                frames.send(part, Some(keys.take()?), &mut self.wire);
            }
            out.clear();
        }
        Ok(&mut self.wire)
    }

    /// Takes octets as they came; those of MQTT are appended to `plaintext`. Returns whether the broker has closed the WebSocket.
    ///
    /// # Errors
    /// The broker refuses, or does not speak WebSocket: the reason for people.
    pub(crate) fn receive(&mut self, octets: &[u8], plaintext: &mut Vec<u8>, keys: &mut Keys) -> Result<bool, String> {
        let waiting = self.wire.len();
        let rest;
        let mut framed = octets;
        if let State::Asking(handshake) = &mut self.state {
            rest = match handshake.receive(octets).map_err(|error| error.to_string())? {
                None => return Ok(false),
                Some(rest) => rest,
            };
            framed = &rest;
            self.state = State::Open(Frames::new(Role::Client));
        }
        let State::Open(frames) = &mut self.state else { return Ok(false) };
        let received = frames.receive_as_client(framed, plaintext, &mut self.wire, &mut || keys.take().ok());
        if waiting > BACKLOG {
            self.wire.truncate(waiting);
        }
        received.map_err(|error| error.to_string())
    }

    /// Says that nothing more comes, behind everything that waits.
    pub(crate) fn close(&mut self, keys: &mut Keys) {
        if let State::Open(frames) = &mut self.state {
            frames.close(CloseCode::Normal, keys.take().ok(), &mut self.wire);
        }
    }

    /// Gives memory back.
    pub(crate) fn shrink(&mut self) {
        self.wire.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
