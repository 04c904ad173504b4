//! OpenSSL over memory: octets in, octets out. The only module that names it.

mod client;

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    ErrorCode, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef, SslSessionCacheMode, SslStream,
    SslVerifyMode, SslVersion,
};
use signet_tls::{KeyLogFile, TlsError};

use crate::peek::move_all;
use crate::slot::Slot;

pub(crate) use client::ClientEngine;

/// Whether this build can serve listeners with pre-shared keys.
pub(crate) const IS_AVAILABLE: bool = true;

/// Whether it can be used.
pub(crate) fn check() -> Result<(), TlsError> {
    Ok(())
}

/// For TLS 1.2, best first: those with a key exchange of their own, so that a key that gets known later opens nothing of before; then those that
/// rest on the key alone, for devices that can do no more. All authenticate with the key, encrypt, and need no certificate.
const CIPHER_SUITES: &str = "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES256-CBC-SHA384:ECDHE-PSK-AES128-CBC-SHA256:PSK-AES256-GCM-SHA384:\
                             PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256:PSK-AES256-CCM:PSK-AES128-CCM";

/// Those of them that rest on the key alone.
const PLAIN_CIPHER_SUITES: &str = "PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256:PSK-AES256-CCM:PSK-AES128-CCM";

/// For TLS 1.3: a key of this kind goes with SHA-256 and no other hash (RFC 8446 §4.2.11).
const CIPHER_SUITES_13: &str = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

/// For key exchanges.
const GROUPS: &str = "X25519:P-256:P-384";

/// Octets decrypted at a time.
const PORTION: usize = 4096;

/// The version that one connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// With the suites that rest on the key alone: the client names no groups for a key exchange, and the library would refuse it for them
    /// instead of taking another suite.
    PlainTls12,
    Tls12,
    Tls13,
}

/// What connections of a listener have in common.
pub(crate) struct Context(SslContext);

impl Context {
    /// With a file, the secrets of every connection go there.
    pub(crate) fn new(secrets: Option<KeyLogFile>) -> Result<Self, TlsError> {
        build(secrets).map(Self).map_err(|error| TlsError::Library(error.to_string()))
    }

    /// Starts the server end of one connection, which gets its key from `slot`.
    pub(crate) fn accept(&self, version: Version, slot: &Arc<Slot>) -> Result<Engine, Failure> {
        let number = match version {
            Version::PlainTls12 | Version::Tls12 => SslVersion::TLS1_2,
            Version::Tls13 => SslVersion::TLS1_3,
        };
        let start = || {
            let mut ssl = Ssl::new(&self.0)?;
            ssl.set_min_proto_version(Some(number))?;
            ssl.set_max_proto_version(Some(number))?;
            if version == Version::PlainTls12 {
                ssl.set_cipher_list(PLAIN_CIPHER_SUITES)?;
            }
            ssl.set_ex_data(slot_index()?, Arc::clone(slot));
            ssl.set_accept_state();
            SslStream::new(ssl, Memory::default())
        };
        let stream = start().map_err(|error: ErrorStack| Failure::of_stack(&error))?;
        Ok(Engine { stream, is_established: false })
    }
}

fn build(secrets: Option<KeyLogFile>) -> Result<SslContext, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    // Whatever the machine's openssl.cnf says: these bounds are ours.
    builder.set_security_level(2);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_cipher_list(CIPHER_SUITES)?;
    builder.set_ciphersuites(CIPHER_SUITES_13)?;
    builder.set_groups_list(GROUPS)?;
    builder.set_verify(SslVerifyMode::NONE);
    // No sessions to take up, in either version: every connection proves the key anew.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    let options = SslOptions::NO_TICKET | SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION | SslOptions::CIPHER_SERVER_PREFERENCE;
    builder.set_options(options);
    builder.clear_options(SslOptions::ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    let index = slot_index()?;
    builder.set_psk_server_callback(move |ssl: &mut SslRef, identity: Option<&[u8]>, space: &mut [u8]| {
        let slot = ssl.ex_data(index);
        Ok(slot.zip(identity).map_or(0, |(slot, identity)| slot.take_for(identity, space)))
    });
    if let Some(secrets) = secrets {
        builder.set_keylog_callback(move |_, line| secrets.write_line(line));
    }
    Ok(builder.build())
}

/// Where the library keeps a connection's slot.
fn slot_index() -> Result<Index<Ssl, Arc<Slot>>, ErrorStack> {
    static INDEX: OnceLock<Result<Index<Ssl, Arc<Slot>>, ErrorStack>> = OnceLock::new();
    INDEX.get_or_init(Ssl::new_ex_index).clone()
}

/// Why the library does not go on.
#[derive(Debug)]
pub(crate) struct Failure {
    /// In the library's words; empty where it has none.
    pub(crate) reason: String,
}

impl Failure {
    fn of_stack(stack: &ErrorStack) -> Self {
        let reason = stack.errors().first().and_then(openssl::error::Error::reason).unwrap_or_default();
        Self { reason: reason.to_owned() }
    }

    fn of(error: &openssl::ssl::Error) -> Self {
        error.ssl_error().map_or_else(|| Self { reason: String::new() }, Self::of_stack)
    }

    /// Whether this is what the library says to a client that has another key.
    pub(crate) fn is_wrong_key(&self) -> bool {
        ["binder does not verify", "decryption failed or bad record mac", "bad record mac", "digest check failed"]
            .iter()
            .any(|words| self.reason.contains(words))
    }

    /// Whether the client and we have no cipher suite in common.
    pub(crate) fn is_no_common_suite(&self) -> bool {
        self.reason.contains("no shared cipher")
    }

    /// Whether the client has sent an alert.
    pub(crate) fn is_alert(&self) -> bool {
        self.reason.contains("alert")
    }
}

/// The server end of one connection.
pub(crate) struct Engine {
    stream: SslStream<Memory>,
    is_established: bool,
}

impl Engine {
    /// Takes octets from the peer. Returns whether the peer has said `close_notify`.
    pub(crate) fn receive(&mut self, input: &mut Vec<u8>, plaintext: &mut Vec<u8>, output: &mut Vec<u8>) -> Result<bool, Failure> {
        let memory = self.stream.get_mut();
        if memory.input.is_empty() {
            memory.taken = 0;
        }
        move_all(input, &mut memory.input);
        let result = self.go_on(plaintext);
        self.drain(output);
        result
    }

    fn go_on(&mut self, plaintext: &mut Vec<u8>) -> Result<bool, Failure> {
        if !self.is_established {
            match self.stream.accept() {
                Ok(()) => self.is_established = true,
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(false),
                Err(error) => return Err(Failure::of(&error)),
            }
        }
        let mut portion = [0; PORTION];
        loop {
            match self.stream.ssl_read(&mut portion) {
                Ok(count) => plaintext.extend_from_slice(portion.get(..count).unwrap_or_default()),
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(false),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => return Ok(true),
                Err(error) => return Err(Failure::of(&error)),
            }
        }
    }

    /// Encrypts `plaintext` to the end of `output`.
    pub(crate) fn send(&mut self, mut plaintext: &[u8], output: &mut Vec<u8>) -> Result<(), Failure> {
        let mut result = Ok(());
        while !plaintext.is_empty() && result.is_ok() {
            match self.stream.ssl_write(plaintext) {
                Ok(count) => plaintext = plaintext.get(count..).unwrap_or_default(),
                Err(error) => result = Err(Failure::of(&error)),
            }
        }
        self.drain(output);
        result
    }

    /// Says `close_notify`, once.
    pub(crate) fn close(&mut self, output: &mut Vec<u8>) {
        if self.is_established && !self.stream.get_shutdown().contains(ShutdownState::SENT) {
            // An error is one of a connection that has failed: then there is nothing to say.
            let _ = self.stream.shutdown();
            self.drain(output);
        }
    }

    pub(crate) fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        let ssl = self.stream.ssl();
        ssl.current_cipher().map(|cipher| (ssl.version_str(), cipher.name()))
    }

    pub(crate) fn is_established(&self) -> bool {
        self.is_established
    }

    /// Octets of the peer that the library has not taken.
    pub(crate) fn buffered(&self) -> usize {
        let memory = self.stream.get_ref();
        memory.input.len().saturating_sub(memory.taken)
    }

    fn drain(&mut self, output: &mut Vec<u8>) {
        output.append(&mut std::mem::take(&mut self.stream.get_mut().output));
    }
}

/// What the library takes for a socket.
#[derive(Default)]
struct Memory {
    input: Vec<u8>,
    /// Of the input.
    taken: usize,
    output: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.input.get(self.taken..).unwrap_or_default();
        if rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.taken += count;
        if self.taken >= self.input.len() {
            (self.input, self.taken) = (Vec::new(), 0);
        }
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
