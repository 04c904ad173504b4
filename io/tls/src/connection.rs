//! The server end of one TLS connection: ciphertext in, plaintext out, and back. No socket, no clock but the wall clock of certificate checks.

use std::sync::Arc;

use signet_identity::Peer;

use crate::{ListenerTls, Refusal, TlsError};

/// What one call of [`TlsConnection::receive`] brought besides plaintext.
#[derive(Debug, Default)]
pub struct Received {
    /// Who the peer is: exactly once, from the call in which the handshake completed.
    pub peer: Option<Peer>,
    /// The peer said `close_notify`: no more plaintext will come.
    pub closed: bool,
}

/// The connection is over. What has to be sent to the peer (the alert) is already in the output buffer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsFailure(pub Box<Refusal>);

/// The server end of one connection.
pub struct TlsConnection {}

impl TlsConnection {
    /// Starts a handshake.
    ///
    /// # Errors
    /// Only when the TLS library cannot work at all (no randomness).
    pub fn new(listener: Arc<ListenerTls>) -> Result<Self, TlsError> {
        todo!()
    }

    /// Takes ciphertext as read from the socket, in any portions. Plaintext is appended to `plaintext`, what has to be sent to `ciphertext`.
    ///
    /// # Errors
    /// The connection is refused or broken: send `ciphertext` (it holds the alert), then close. Calling again gives the same error.
    pub fn receive(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<Received, TlsFailure> {
        todo!()
    }

    /// Encrypts `plaintext` to the end of `ciphertext`, in as few records as it fits (16 KiB each).
    ///
    /// # Errors
    /// Before the handshake is complete, or after a failure.
    pub fn send(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), TlsFailure> {
        todo!()
    }

    /// Appends `close_notify` to `ciphertext`, once.
    pub fn close(&mut self, ciphertext: &mut Vec<u8>) {
        todo!()
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        todo!()
    }
}
