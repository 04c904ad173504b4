//! TLS of either kind: with certificates, or with pre-shared keys.

use signet_identity::Peer;
use signet_net::is_proxy_header;
use signet_psk::{PskConnection, PskQuestion};
use signet_tls::{Refusal, TlsConnection, TlsFailure};

use crate::pipe::unexpected_proxy;

/// TLS of one connection.
pub(crate) enum Secure {
    /// Devices show certificates, or nothing.
    Certificate(Box<TlsConnection>),
    /// Devices have keys that this server knows.
    Key(Box<PskConnection>),
}

/// What one call of [`Secure::receive`] brought besides plaintext.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) peer: Option<Peer>,
    pub(crate) closed: bool,
    pub(crate) question: Option<PskQuestion>,
}

impl Secure {
    /// Takes ciphertext, which may be decrypted in place.
    pub(crate) fn receive(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>, wire: &mut Vec<u8>) -> Result<Received, Box<Refusal>> {
        // Looked at before it is decrypted in place.
        let is_proxied = self.is_handshaking() && self.buffered() == 0 && is_proxy_header(input);
        let received = match self {
            Self::Certificate(tls) => tls.receive(input, plaintext, wire).map(|received| Received {
                peer: received.peer,
                closed: received.closed,
                question: None,
            }),
            Self::Key(tls) => tls.receive(input, plaintext, wire).map(|received| Received {
                peer: received.peer,
                closed: received.closed,
                question: received.question,
            }),
        };
        received.map_err(|failure| if is_proxied { Box::new(unexpected_proxy()) } else { failure.0 })
    }

    pub(crate) fn send(&mut self, plaintext: &[u8], wire: &mut Vec<u8>) -> Result<(), TlsFailure> {
        match self {
            Self::Certificate(tls) => tls.send(plaintext, wire),
            Self::Key(tls) => tls.send(plaintext, wire),
        }
    }

    pub(crate) fn close(&mut self, wire: &mut Vec<u8>) {
        match self {
            Self::Certificate(tls) => tls.close(wire),
            Self::Key(tls) => tls.close(wire),
        }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Self::Certificate(tls) => tls.is_handshaking(),
            Self::Key(tls) => tls.is_handshaking(),
        }
    }

    /// Whether somebody was asked for a key and has not answered: until then nothing is read.
    pub(crate) fn is_waiting(&self) -> bool {
        match self {
            Self::Certificate(_) => false,
            Self::Key(tls) => tls.is_waiting(),
        }
    }

    pub(crate) fn is_resumed(&self) -> bool {
        match self {
            Self::Certificate(tls) => tls.is_resumed(),
            Self::Key(_) => false,
        }
    }

    /// Version and cipher suite, as OpenSSL calls them.
    pub(crate) fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Certificate(tls) => tls.negotiated(),
            Self::Key(tls) => tls.negotiated(),
        }
    }

    fn buffered(&self) -> usize {
        match self {
            Self::Certificate(tls) => tls.buffered(),
            Self::Key(tls) => tls.buffered(),
        }
    }
}
