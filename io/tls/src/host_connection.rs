//! The server end of a TLS connection with one host of a listener: ciphertext in, plaintext out, and back. No socket; the only clock is the wall
//! clock of certificate checks.
//!
//! rustls' unbuffered API leaves to its caller what is done here: keeping an incomplete record until the rest comes, getting alerts out after a
//! failure, and asking again until nothing is left to do. Between records a connection holds no buffer.

use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{AlertDescription, CipherSuite, Error, HandshakeKind, InvalidMessage, PeerIncompatible, ProtocolVersion};
use signet_identity::Peer;

use crate::acceptor::no_certificate;
use crate::client_verifier::{Judged, Judgement, last};
use crate::connection::{Received, TlsFailure};
use crate::host::Host;
use crate::{Check, ListenerTls, Refusal, TlsError, date};

/// The largest TLS record: 5 octets of header and 2^14 + 2048 of content (RFC 5246 §6.2.3; TLS 1.3 allows less).
const MAXIMUM_RECORD: usize = 5 + 16_384 + 2_048;

/// What may wait during the handshake: one handshake message of the largest size rustls accepts (64 KiB), in small records.
const MAXIMUM_HANDSHAKE_FLIGHT: usize = 80 * 1024;

/// What OpenSSL calls the cipher suites of the library.
const SUITES: [(CipherSuite, &str); 9] = [
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
];

/// The server end of one connection.
pub(crate) struct HostConnection {
    tls: UnbufferedServerConnection,
    host: Arc<Host>,
    /// The start of a record (or, during the handshake, of a message) whose rest has not come.
    partial: Vec<u8>,
    judged: Option<Arc<Judged>>,
    established: bool,
    failure: Option<TlsFailure>,
}

impl HostConnection {
    /// Starts a handshake.
    ///
    /// # Errors
    /// Only when the TLS library cannot work at all (no randomness).
    pub(crate) fn new(host: Arc<Host>) -> Result<Self, TlsError> {
        let tls = UnbufferedServerConnection::new(Arc::clone(&host.server)).map_err(|error| TlsError::Library(error.to_string()))?;
        Ok(Self { tls, host, partial: Vec::new(), judged: None, established: false, failure: None })
    }

    /// Takes ciphertext as read from the socket, in any portions. Plaintext is appended to `plaintext`, what has to be sent to `ciphertext`.
    /// `input` is overwritten: it is decrypted in place.
    ///
    /// # Errors
    /// The connection is refused or broken: send `ciphertext` (it holds the alert), then close. Calling again gives the same error.
    pub(crate) fn receive(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<Received, TlsFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let start = plaintext.len();
        let result = self.receive_records(input, plaintext, ciphertext);
        if let Err(failure) = &result {
            // Nothing that came in the same breath as the failure is worth acting on, least of all before the handshake is complete.
            plaintext.truncate(start);
            self.partial = Vec::new();
            self.failure = Some(failure.clone());
        }
        result
    }

    /// Encrypts `plaintext` to the end of `ciphertext`, in as few records as it fits (16 KiB each).
    ///
    /// # Errors
    /// Before the handshake is complete, or after a failure.
    pub(crate) fn send(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), TlsFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let written = self.with_write_traffic(ciphertext, |traffic, ciphertext| {
            append(ciphertext, plaintext.len() + 256, |space| match traffic.encrypt(plaintext, space) {
                Ok(length) => Ok(Ok(length)),
                Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => Err(required_size),
                Err(EncryptError::EncryptExhausted) => Ok(Err(())),
            })
        });
        if written {
            return Ok(());
        }
        let refusal = Refusal::without_certificate(Check::Handshake, "the TLS connection cannot send", "connect again");
        let failure = TlsFailure(Box::new(refusal));
        self.failure = Some(failure.clone());
        Err(failure)
    }

    /// Appends `close_notify` to `ciphertext`, once, when the handshake is complete.
    pub(crate) fn close(&mut self, ciphertext: &mut Vec<u8>) {
        if self.failure.is_some() || !self.established {
            return;
        }
        self.with_write_traffic(ciphertext, |traffic, ciphertext| {
            append(ciphertext, 64, |space| match traffic.queue_close_notify(space) {
                Ok(length) => Ok(Ok(length)),
                Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => Err(required_size),
                Err(EncryptError::EncryptExhausted) => Ok(Err(())),
            })
        });
    }

    /// Whether the handshake is still going on.
    pub(crate) fn is_handshaking(&self) -> bool {
        !self.established
    }

    pub(crate) fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        let version = match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = self.tls.negotiated_cipher_suite()?.suite();
        let name = SUITES.iter().find(|(known, _)| *known == suite).map_or("unknown", |(_, name)| *name);
        Some((version, name))
    }

    /// Whether the handshake took up a session of before, once it is complete.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Octets kept of an incomplete record or handshake message.
    pub(crate) fn buffered(&self) -> usize {
        self.partial.len()
    }

    fn receive_records(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<Received, TlsFailure> {
        if self.partial.is_empty() {
            let (used, received) = self.process(input, plaintext, ciphertext)?;
            self.partial.extend_from_slice(input.get(used..).unwrap_or_default());
            self.check_partial(ciphertext)?;
            return Ok(received);
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(input);
        let (used, received) = self.process(&mut joined, plaintext, ciphertext)?;
        // Without the room of what is used up: the rest may be long in coming.
        self.partial = if used == 0 { joined } else { joined.get(used..).unwrap_or_default().to_vec() };
        self.check_partial(ciphertext)?;
        Ok(received)
    }

    /// Runs rustls over `input` until it wants more. Returns how much of it is used up.
    fn process(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<(usize, Received), TlsFailure> {
        let mut used = 0;
        let mut received = Received::default();
        loop {
            last::begin(self.judged.as_ref());
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(input.get_mut(used..).unwrap_or_default());
            let judgement = last::take();
            if let Some(Judgement::Accepted(judged)) = &judgement {
                self.judged = Some(Arc::clone(judged));
            }
            let wants_more = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        plaintext.extend_from_slice(record.payload);
                    }
                    false
                }
                Ok(ConnectionState::ReadEarlyData(mut early)) => {
                    // Never offered (`max_early_data_size` is 0); if it comes all the same it is not looked at.
                    while early.next_record().is_some() {}
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, ciphertext);
                    false
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    received.closed = true;
                    false
                }
                Ok(_) => true,
                Err(error) => return Err(self.fail(&error, judgement, ciphertext)),
            };
            used += discard;
            if wants_more {
                break;
            }
        }
        if !self.established && !self.tls.is_handshaking() {
            received.peer = Some(self.establish(ciphertext)?);
        }
        Ok((used, received))
    }

    fn establish(&mut self, ciphertext: &mut Vec<u8>) -> Result<Peer, TlsFailure> {
        let resumed = self.is_resumed();
        let peer = ListenerTls::establish(&self.host, self.tls.peer_certificates(), self.judged.take(), resumed, date::now());
        self.established = true;
        peer.map_err(|refusal| {
            // The handshake is over for the client, so the only word left is close_notify. This needs a revocation or an expiry within the handshake.
            self.close(ciphertext);
            TlsFailure(refusal)
        })
    }

    /// Gets the alert out that rustls queued, and words the refusal.
    fn fail(&mut self, error: &Error, judgement: Option<Judgement>, ciphertext: &mut Vec<u8>) -> TlsFailure {
        // Only while something is queued: rustls must not look at input again after a failure.
        while self.tls.wants_write() {
            match self.tls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, ciphertext),
                Ok(ConnectionState::ReadTraffic(mut traffic)) => while traffic.next_record().is_some() {},
                _ => break,
            }
        }
        match judgement {
            Some(Judgement::Refused(refusal)) => TlsFailure(refusal),
            _ => TlsFailure(Box::new(explain(error, self.established))),
        }
    }

    /// What waits for its rest is bounded: rustls refuses larger records and messages itself, this holds if it should not.
    fn check_partial(&mut self, ciphertext: &mut Vec<u8>) -> Result<(), TlsFailure> {
        let limit = if self.established { MAXIMUM_RECORD } else { MAXIMUM_HANDSHAKE_FLIGHT };
        if self.partial.len() <= limit {
            return Ok(());
        }
        self.close(ciphertext);
        let found = format!("{} octets of an incomplete TLS record, at most {limit} are possible", self.partial.len());
        Err(TlsFailure(Box::new(Refusal::without_certificate(Check::Handshake, found, "the peer does not speak TLS as specified"))))
    }

    /// Runs `write` when rustls is ready to send application data; says whether it was and whether it went well.
    fn with_write_traffic(
        &mut self,
        ciphertext: &mut Vec<u8>,
        mut write: impl FnMut(&mut WriteTraffic<'_, ServerConnectionData>, &mut Vec<u8>) -> bool,
    ) -> bool {
        loop {
            // The incomplete record must be shown again, because rustls keeps positions into it.
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut self.partial);
            let done = match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => Some(write(&mut traffic, ciphertext)),
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, ciphertext);
                    None
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(_) | Err(_) => Some(false),
            };
            self.partial.drain(..discard);
            if let Some(done) = done {
                return done;
            }
        }
    }
}

fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, ciphertext: &mut Vec<u8>) {
    append(ciphertext, 2048, |space| match data.encode(space) {
        Ok(length) => Ok(Ok(length)),
        Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => Err(required_size),
        Err(EncodeError::AlreadyEncoded) => Ok(Err(())),
    });
}

/// Lets `write` fill the space behind the end of `buffer`: first `guess` octets, then what it says it needs. Returns whether it wrote.
fn append(buffer: &mut Vec<u8>, guess: usize, mut write: impl FnMut(&mut [u8]) -> Result<Result<usize, ()>, usize>) -> bool {
    let start = buffer.len();
    let mut size = guess;
    loop {
        buffer.resize(start + size, 0);
        match write(buffer.get_mut(start..).unwrap_or_default()) {
            Ok(Ok(written)) => {
                buffer.truncate(start + written);
                return true;
            }
            Ok(Err(())) => {
                buffer.truncate(start);
                return false;
            }
            Err(required) if required > size => size = required,
            Err(_) => {
                buffer.truncate(start);
                return false;
            }
        }
    }
}

/// A failure that is not about the client's certificate, in words.
pub(crate) fn explain(error: &Error, established: bool) -> Refusal {
    let handshake = |found: String, hint: &str| Refusal::without_certificate(Check::Handshake, found, hint);
    match error {
        Error::NoCertificatesPresented => no_certificate(),
        Error::AlertReceived(alert) if established => {
            handshake(format!("the client ended the connection with the alert {alert:?}"), "see the client's own log")
        }
        // DecryptError is what some say to a certificate of another CA that has the name of one they know.
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError,
        ) => handshake(
            "the client does not trust this server's certificate".to_owned(),
            "give the client the CA of the server certificate (mosquitto_pub: `--cafile ca/ca.pem`), and connect by a name that the certificate holds",
        ),
        Error::AlertReceived(alert) => handshake(format!("the client gave up with the alert {alert:?}"), "see the client's own log"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => handshake(
            "what the client sent is not TLS".to_owned(),
            "if it speaks plain MQTT, give it TLS (mosquitto_pub: `--cafile FILE`) or connect it to a listener with `transport = \"tcp\"`",
        ),
        Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon | PeerIncompatible::NoCipherSuitesInCommon) => handshake(
            format!("client and server have no algorithms in common: {error}"),
            "bring the client's TLS library up to date, or give the server an ECDSA P-256 key",
        ),
        Error::NoApplicationProtocol => handshake(
            "the client asks for an application protocol (ALPN) that is not spoken here".to_owned(),
            "is it an MQTT client? set its ALPN to `mqtt` or leave it out; `alpn = []` of the listener takes any",
        ),
        Error::PeerIncompatible(_) => handshake(
            format!("client and server have no TLS version or feature in common: {error}"),
            "bring the client's TLS library up to date; TLS 1.2 is the oldest spoken",
        ),
        other => handshake(other.to_string(), "see the client's own log"),
    }
}
