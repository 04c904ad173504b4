//! The server end of one TLS connection with a pre-shared key: the name first, then the key, then the library.

use std::sync::Arc;

use signet_identity::{DeviceName, KeyedPeer, Peer};
use signet_tls::{Check, MinimumVersion, Refusal, TlsFailure};

use crate::engine::{Engine, Failure, Version};
use crate::listener::PskListener;
use crate::lookup::{PskAnswer, PskQuestion};
use crate::peek::{Misfit, OwnedHello, Peek, Seen};
use crate::slot::{Finding, Slot};

/// What one call of [`PskConnection::receive`] brought besides plaintext.
#[derive(Debug, Default)]
pub struct PskReceived {
    /// Who the peer is: exactly once, from the call in which the handshake completed.
    pub peer: Option<Peer>,
    /// The peer said `close_notify`: no more plaintext will come.
    pub closed: bool,
    /// To be asked. Until it is answered the connection takes nothing: see [`PskConnection::is_waiting`].
    pub question: Option<PskQuestion>,
}

/// The server end of one connection.
pub struct PskConnection {
    listener: Arc<PskListener>,
    peek: Peek,
    /// Octets that the library may see, as soon as it may see any.
    onward: Vec<u8>,
    slot: Arc<Slot>,
    /// What the client showed as an identity, where it is no name of a device.
    misnomer: Option<String>,
    /// Known from the ClientHello.
    version: Option<Version>,
    engine: Option<Box<Engine>>,
    /// It was said who the peer is.
    is_established: bool,
    failure: Option<TlsFailure>,
}

impl PskConnection {
    /// Starts a handshake.
    #[must_use]
    pub fn new(listener: Arc<PskListener>) -> Self {
        Self {
            listener,
            peek: Peek::new(),
            onward: Vec::new(),
            slot: Arc::default(),
            misnomer: None,
            version: None,
            engine: None,
            is_established: false,
            failure: None,
        }
    }

    /// Takes ciphertext as read from the socket, in any portions. Plaintext is appended to `plaintext`, what has to be sent to `ciphertext`. While
    /// it [waits](Self::is_waiting) for a key it keeps what comes, so nothing should; with the answer it goes on, even without new octets.
    ///
    /// # Errors
    /// The connection is refused or broken: send `ciphertext` (it holds the alert), then close. Calling again gives the same error.
    pub fn receive(&mut self, input: &[u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<PskReceived, TlsFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let start = plaintext.len();
        let received = self.take(input, plaintext, ciphertext);
        received.map_err(|refusal| {
            // Nothing that came in the same breath as the failure is worth acting on.
            plaintext.truncate(start);
            (self.onward, self.peek) = (Vec::new(), Peek::new());
            self.slot.forget_key();
            let failure = TlsFailure(refusal);
            self.failure = Some(failure.clone());
            failure
        })
    }

    fn take(&mut self, input: &[u8], plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<PskReceived, Box<Refusal>> {
        let mut received = PskReceived::default();
        self.peek.feed(input);
        if self.slot.is_waiting() {
            return Ok(received);
        }
        loop {
            let seen = self.peek.next(&mut self.onward).map_err(|misfit| misfit_refusal(misfit, ciphertext))?;
            let is_all = seen == Seen::Nothing;
            match seen {
                Seen::Nothing => {}
                Seen::Hello(hello) => received.question = self.greet(&hello, ciphertext)?,
                Seen::KeyExchange(identity) => received.question = self.name(name_of(&identity), &identity),
            }
            if received.question.is_some() {
                return Ok(received);
            }
            received.closed |= self.run(plaintext, ciphertext)?;
            if is_all {
                break;
            }
        }
        if !self.is_established && !self.is_handshaking() {
            received.peer = Some(self.establish()?);
        }
        Ok(received)
    }

    /// Chooses the version: the newer one if the client can name a key in it.
    fn greet(&mut self, hello: &OwnedHello, ciphertext: &mut Vec<u8>) -> Result<Option<PskQuestion>, Box<Refusal>> {
        let usable = hello.identities.iter().find_map(|identity| name_of(identity));
        let takes_tls12 = hello.takes_tls12 && self.listener.minimum_version == MinimumVersion::Tls12;
        if hello.takes_tls13 && (usable.is_some() || !takes_tls12) {
            self.version = Some(Version::Tls13);
            self.peek.stop();
            let shown = hello.identities.first().cloned().unwrap_or_default();
            return Ok(self.name(usable, &shown));
        }
        if takes_tls12 {
            self.version = Some(if hello.names_groups { Version::Tls12 } else { Version::PlainTls12 });
            return Ok(None);
        }
        alert(ciphertext, PROTOCOL_VERSION);
        let found = "the client offers no pre-shared key in a TLS version that is spoken here";
        let hint = "let it speak TLS 1.3 with `psk_dhe_ke`, or TLS 1.2 where `tls_min` allows that";
        Err(Box::new(Refusal::without_certificate(Check::PresharedKey, found, hint)))
    }

    /// The client has named its key. Returns whom to ask for it, if it is not known here.
    fn name(&mut self, identity: Option<DeviceName>, shown: &[u8]) -> Option<PskQuestion> {
        let Some(identity) = identity else {
            self.misnomer = Some(escaped(shown));
            self.slot.name(None);
            return None;
        };
        self.slot.name(Some(identity.clone()));
        if let Some(key) = self.listener.file.as_ref().and_then(|file| file.find(&identity)) {
            self.slot.settle(PskAnswer::Key(key.clone()), key.mark());
            return None;
        }
        let Some(lookup) = &self.listener.lookup else {
            self.slot.settle(PskAnswer::Unknown, None);
            return None;
        };
        Some(PskQuestion::new(identity, Arc::clone(lookup), Arc::clone(&self.slot)))
    }

    /// Gives the library what it may see. Returns whether the peer has said `close_notify`.
    fn run(&mut self, plaintext: &mut Vec<u8>, ciphertext: &mut Vec<u8>) -> Result<bool, Box<Refusal>> {
        let Some(version) = self.version.filter(|_| !self.onward.is_empty()) else { return Ok(false) };
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => Box::new(self.listener.context.accept(version, &self.slot).map_err(|failure| self.explain(&failure))?),
        };
        let received = engine.receive(&mut self.onward, plaintext, ciphertext);
        self.engine = Some(engine);
        received.map_err(|failure| self.explain(&failure))
    }

    /// The handshake is complete: whoever completed it holds the key.
    fn establish(&mut self) -> Result<Peer, Box<Refusal>> {
        self.is_established = true;
        let finding = self.slot.finding().filter(|_| self.slot.is_used());
        self.slot.forget_key();
        match (self.slot.identity(), finding) {
            (Some(name), Some(Finding::Known(mark))) => Ok(Peer::Keyed(KeyedPeer::assertion(name, mark))),
            // The library cannot complete a handshake without a key, and nobody has the key of who is unknown.
            _ => Err(Box::new(Refusal::without_certificate(
                Check::PresharedKey,
                "the handshake was completed without a key that is known here",
                "please report this",
            ))),
        }
    }

    /// Why the handshake or the connection failed, for the operator. The client hears the same alert whether its identity is unknown or its key
    /// is another one.
    fn explain(&self, failure: &Failure) -> Box<Refusal> {
        let refuse = |found: String, hint: &str| Box::new(Refusal::without_certificate(Check::PresharedKey, found, hint));
        if self.is_established {
            let found = format!("the TLS connection broke: {}", failure.reason);
            return Box::new(Refusal::without_certificate(Check::Handshake, found, "see the client's own log"));
        }
        if failure.is_no_common_suite() {
            let found = "client and server have no cipher suite with a pre-shared key in common".to_owned();
            let hint = "give the client a key and an identity (mosquitto_pub: `--psk HEX --psk-identity NAME`); suites that need a certificate \
                        as well (RSA-PSK) are not spoken";
            return refuse(found, hint);
        }
        let wrong = failure.is_wrong_key();
        match (self.slot.finding(), self.slot.identity()) {
            _ if !self.slot.is_used() => {}
            (Some(Finding::Unknown), Some(name)) => {
                return refuse(
                    format!("no pre-shared key is known for the identity `{name}`"),
                    "add it to the file of keys, or to wherever keys are looked up",
                );
            }
            (Some(Finding::Unknown), None) => {
                let misnomer = self.misnomer.as_deref().unwrap_or_default();
                let hint = "an identity is the name of a device: 1 to 128 octets of UTF-8, no control characters, none of `+`, `#` and `/`";
                return refuse(format!("the identity `{misnomer}` is no name of a device"), hint);
            }
            (Some(Finding::Failed(why)), Some(name)) => {
                let hint = "the client was told what one with a wrong key is told, and will try again";
                return refuse(format!("the pre-shared key of `{name}` could not be looked up: {why}"), hint);
            }
            (Some(Finding::Known(_)), Some(name)) if wrong => {
                return refuse(format!("the client does not hold the pre-shared key of `{name}`"), "give both sides the same key");
            }
            _ => {}
        }
        let found = match failure.reason.as_str() {
            "" => "the TLS handshake failed".to_owned(),
            reason if failure.is_alert() => format!("the client gave up: {reason}"),
            reason => reason.to_owned(),
        };
        Box::new(Refusal::without_certificate(Check::Handshake, found, "see the client's own log"))
    }

    /// Encrypts `plaintext` to the end of `ciphertext`, in as few records as it fits (16 KiB each).
    ///
    /// # Errors
    /// Before the handshake is complete, or after a failure.
    pub fn send(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), TlsFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let sent = match &mut self.engine {
            Some(engine) if engine.is_established() => engine.send(plaintext, ciphertext).is_ok(),
            _ => false,
        };
        if sent {
            return Ok(());
        }
        let refusal = Refusal::without_certificate(Check::Handshake, "the TLS connection cannot send", "connect again");
        let failure = TlsFailure(Box::new(refusal));
        self.failure = Some(failure.clone());
        Err(failure)
    }

    /// Appends `close_notify` to `ciphertext`, once, when the handshake is complete.
    pub fn close(&mut self, ciphertext: &mut Vec<u8>) {
        if let Some(engine) = self.engine.as_mut().filter(|_| self.failure.is_none()) {
            engine.close(ciphertext);
        }
    }

    /// Version and cipher suite as OpenSSL calls them, once the handshake is complete.
    #[must_use]
    pub fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        self.engine.as_ref()?.negotiated()
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        !self.engine.as_ref().is_some_and(|engine| engine.is_established())
    }

    /// Whether somebody was asked for the key and has not answered: until then the socket should not be read.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.failure.is_none() && self.slot.is_waiting()
    }

    /// Octets kept of an incomplete record or handshake message, as far as the library has not taken them.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.peek.buffered() + self.onward.len() + self.engine.as_ref().map_or(0, |engine| engine.buffered())
    }
}

impl std::fmt::Debug for PskConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PskConnection")
            .field("handshaking", &self.is_handshaking())
            .field("waiting", &self.is_waiting())
            .finish_non_exhaustive()
    }
}

/// The octets of an identity as the name of a device.
fn name_of(identity: &[u8]) -> Option<DeviceName> {
    DeviceName::new(std::str::from_utf8(identity).ok()?).ok()
}

/// Fit for a log line, and short.
fn escaped(identity: &[u8]) -> String {
    let text = String::from_utf8_lossy(identity);
    let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() { format!("{shown}…") } else { shown }
}

const UNEXPECTED_MESSAGE: u8 = 10;
const RECORD_OVERFLOW: u8 = 22;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;

/// A fatal alert before anything is encrypted, RFC 8446 §6.
fn alert(ciphertext: &mut Vec<u8>, description: u8) {
    ciphertext.extend_from_slice(&[21, 3, 3, 0, 2, 2, description]);
}

fn misfit_refusal(misfit: Misfit, ciphertext: &mut Vec<u8>) -> Box<Refusal> {
    let (description, found, hint) = match misfit {
        Misfit::NotTls => (
            UNEXPECTED_MESSAGE,
            "what the client sent is not TLS",
            "if it speaks plain MQTT, give it a key (mosquitto_pub: `--psk HEX --psk-identity NAME`) or connect it to a listener with `transport = \"tcp\"`",
        ),
        Misfit::Malformed => (DECODE_ERROR, "a handshake message of the client is malformed", "see the client's own log"),
        Misfit::TooLarge => {
            (RECORD_OVERFLOW, "a handshake message of the client is larger than any that is needed", "see the client's own log")
        }
    };
    alert(ciphertext, description);
    Box::new(Refusal::without_certificate(Check::Handshake, found, hint))
}
