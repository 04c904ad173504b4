//! The first message of a client, read before its connection exists: a listener with several hosts has to know which one is meant, and the
//! library's connection wants its configuration at once.

use rustls::server::{Accepted, Acceptor};

use crate::{Check, Refusal};

/// What may come before the ClientHello is complete, octets: it holds a few kilobytes, with post-quantum key shares and a ticket with a chain of
/// certificates some more.
const MAXIMUM: usize = 80 * 1024;

/// What came is no ClientHello.
pub(crate) struct NoHello {
    pub(crate) refusal: Box<Refusal>,
    /// To be sent.
    pub(crate) alert: Vec<u8>,
}

/// A connection whose ClientHello has not come completely.
pub(crate) struct FirstFlight {
    acceptor: Acceptor,
    octets: Vec<u8>,
}

impl FirstFlight {
    pub(crate) fn new() -> Self {
        Self { acceptor: Acceptor::default(), octets: Vec::new() }
    }

    /// Octets kept.
    pub(crate) fn buffered(&self) -> usize {
        self.octets.len()
    }

    /// Takes more; with the whole ClientHello comes what `choose` makes of it. An error comes with the alert to send.
    pub(crate) fn receive<T>(&mut self, input: &[u8], choose: impl FnOnce(&Accepted) -> T) -> Result<Option<(T, Vec<u8>)>, NoHello> {
        if self.octets.len().saturating_add(input.len()) > MAXIMUM {
            let found = format!("more than {MAXIMUM} octets came before the ClientHello was complete");
            let refusal = Box::new(Refusal::without_certificate(Check::Handshake, found, "is it a TLS client?"));
            return Err(NoHello { refusal, alert: Vec::new() });
        }
        self.octets.extend_from_slice(input);
        let mut rest = input;
        while !rest.is_empty() {
            // Reading from memory fails only when the library takes no more at the moment.
            match self.acceptor.read_tls(&mut rest) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok(Some((choose(&accepted), std::mem::take(&mut self.octets)))),
                Err((error, mut alert)) => {
                    let mut octets = Vec::new();
                    // Writing to memory cannot fail.
                    let _ = alert.write_all(&mut octets);
                    return Err(NoHello { refusal: Box::new(crate::host_connection::explain(&error, false)), alert: octets });
                }
            }
        }
        Ok(None)
    }
}
