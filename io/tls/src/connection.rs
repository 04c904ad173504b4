//! The server end of one TLS connection. Which host of the listener it is with is known at once where there is one, else from the ClientHello.

use std::sync::Arc;

use signet_identity::Peer;

use crate::client_hello::{FirstFlight, NoHello};
use crate::host::Host;
use crate::host_connection::HostConnection;
use crate::{Check, ListenerTls, Refusal, TlsError};

/// What one call of [`TlsConnection::receive`] brought besides plaintext.
#[derive(Debug, Default)]
pub struct Received {
    /// Who the peer is: exactly once, from the call in which the handshake completed.
    pub peer: Option<Peer>,
    /// The peer said `close_notify`: no more plaintext will come.
    pub closed: bool,
}

/// The connection is over. What has to be sent to the peer (the alert) is already in the output buffer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsFailure(pub Box<Refusal>);

/// The server end of one connection.
pub struct TlsConnection {
    stage: Stage,
    listener: Arc<ListenerTls>,
}

#[expect(clippy::large_enum_variant, reason = "nearly every connection is chosen: a box would only cost each of them an allocation")]
enum Stage {
    Choosing(Box<FirstFlight>),
    Chosen(HostConnection),
    /// No host was reached.
    Failed(TlsFailure),
}

impl TlsConnection {
    /// Starts a handshake.
    ///
    /// # Errors
    /// Only when the TLS library cannot work at all (no randomness).
    pub fn new(listener: Arc<ListenerTls>) -> Result<Self, TlsError> {
        let stage = if listener.has_hosts() {
            Stage::Choosing(Box::new(FirstFlight::new()))
        } else {
            Stage::Chosen(HostConnection::new(Arc::clone(listener.default_host()))?)
        };
        Ok(Self { stage, listener })
    }

    /// Takes ciphertext as read from the socket, in any portions. Plaintext is appended to `plaintext`, what has to be sent to `ciphertext`.
    /// `input` is overwritten: it is decrypted in place.
    ///
    /// # Errors
    /// The connection is refused or broken: send `ciphertext` (it holds the alert), then close. Calling again gives the same error.
    pub fn receive(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<Received, TlsFailure> {
        let first = match &mut self.stage {
            Stage::Chosen(connection) => return connection.receive(input, plaintext, ciphertext),
            Stage::Failed(failure) => return Err(failure.clone()),
            Stage::Choosing(first) => first,
        };
        let listener = &self.listener;
        let (host, mut octets) = match first.receive(input, |accepted| Arc::clone(listener.host_for(&accepted.client_hello()))) {
            Ok(None) => return Ok(Received::default()),
            Ok(Some(chosen)) => chosen,
            Err(NoHello { refusal, alert }) => {
                ciphertext.extend_from_slice(&alert);
                return Err(self.fail(refusal));
            }
        };
        let mut connection = self.with(host)?;
        // The library reads the ClientHello once more, now to answer it.
        let received = connection.receive(&mut octets, plaintext, ciphertext);
        self.stage = Stage::Chosen(connection);
        received
    }

    fn with(&mut self, host: Arc<Host>) -> Result<HostConnection, TlsFailure> {
        HostConnection::new(host).map_err(|error| {
            let refusal = Refusal::without_certificate(Check::Handshake, error.to_string(), "see the server's log");
            self.fail(Box::new(refusal))
        })
    }

    fn fail(&mut self, refusal: Box<Refusal>) -> TlsFailure {
        let failure = TlsFailure(refusal);
        self.stage = Stage::Failed(failure.clone());
        failure
    }

    /// Encrypts `plaintext` to the end of `ciphertext`, in as few records as it fits (16 KiB each).
    ///
    /// # Errors
    /// Before the handshake is complete, or after a failure.
    pub fn send(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), TlsFailure> {
        match &mut self.stage {
            Stage::Chosen(connection) => connection.send(plaintext, ciphertext),
            Stage::Failed(failure) => Err(failure.clone()),
            Stage::Choosing(_) => {
                Err(self.fail(Box::new(Refusal::without_certificate(Check::Handshake, "the TLS connection cannot send", "connect again"))))
            }
        }
    }

    /// Appends `close_notify` to `ciphertext`, once, when the handshake is complete.
    pub fn close(&mut self, ciphertext: &mut Vec<u8>) {
        if let Stage::Chosen(connection) = &mut self.stage {
            connection.close(ciphertext);
        }
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        !matches!(&self.stage, Stage::Chosen(connection) if !connection.is_handshaking())
    }

    /// Version and cipher suite as OpenSSL calls them, such as `TLSv1.3` and `TLS_AES_256_GCM_SHA384`, once the handshake is complete.
    pub fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        match &self.stage {
            Stage::Chosen(connection) => connection.negotiated(),
            Stage::Choosing(_) | Stage::Failed(_) => None,
        }
    }

    /// Whether the handshake took up a session of before, once it is complete.
    pub fn is_resumed(&self) -> bool {
        matches!(&self.stage, Stage::Chosen(connection) if connection.is_resumed())
    }

    /// Octets kept of an incomplete record or handshake message.
    pub fn buffered(&self) -> usize {
        match &self.stage {
            Stage::Choosing(first) => first.buffered(),
            Stage::Chosen(connection) => connection.buffered(),
            Stage::Failed(_) => 0,
        }
    }
}

impl std::fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConnection").field("handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}
