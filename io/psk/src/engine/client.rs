//! The client end, over a blocking socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, Ssl, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode, SslStream, SslVersion};
use signet_identity::DeviceName;
use signet_tls::{KeyLogFile, MinimumVersion, PeerFault, TlsError};

use super::{CIPHER_SUITES, CIPHER_SUITES_13, Failure, GROUPS};
use crate::connector::{PskConnector, PskSettings};
use crate::key::Psk;

/// For a server that does not take part in what needs the key.
const KEYS_HINT: &str = "does the listener have pre-shared keys (`psk_file`)? see the server's log";

/// An encrypted blocking stream.
pub(crate) struct ClientEngine(SslStream<TcpStream>);

impl ClientEngine {
    /// Performs the handshake on `socket`, within its read and write time-outs.
    pub(crate) fn connect(connector: &PskConnector, server: &str, socket: TcpStream) -> Result<Self, TlsError> {
        let library = |error: ErrorStack| TlsError::Library(error.to_string());
        let mut builder = start(connector.identity.clone(), connector.key.clone()).map_err(library)?;
        choose(&mut builder, &connector.settings)?;
        let ssl = Ssl::new(&builder.build()).map_err(library)?;
        ssl.connect(socket).map(Self).map_err(|error| match error {
            HandshakeError::SetupFailure(stack) => TlsError::Library(stack.to_string()),
            HandshakeError::Failure(broken) | HandshakeError::WouldBlock(broken) => failed(server, broken.into_error()),
        })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub(crate) fn version(&self) -> &'static str {
        self.0.ssl().version_str()
    }

    /// Says `close_notify`.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().map(drop).map_err(worded)
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(reworded)
    }

    pub(crate) fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer).map_err(reworded)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What the settings say.
fn choose(builder: &mut SslContextBuilder, settings: &PskSettings) -> Result<(), TlsError> {
    let library = |error: ErrorStack| TlsError::Library(error.to_string());
    let is_newer_only = settings.minimum_version == MinimumVersion::Tls13;
    builder.set_min_proto_version(Some(if is_newer_only { SslVersion::TLS1_3 } else { SslVersion::TLS1_2 })).map_err(library)?;
    if let Some(list) = &settings.cipher_suites {
        // Suites that need a certificate may be among them: every certificate fails.
        let chosen = if is_newer_only { builder.set_ciphersuites(list) } else { builder.set_cipher_list(list) };
        chosen.map_err(|_| TlsError::Setting(format!("no cipher suite of `{list}` can be used")))?;
    }
    if !settings.alpn.is_empty() {
        let mut wire = Vec::new();
        for protocol in &settings.alpn {
            let length = u8::try_from(protocol.len()).unwrap_or(0);
            wire.push(length);
            wire.extend_from_slice(protocol.as_bytes());
        }
        builder.set_alpn_protos(&wire).map_err(|_| TlsError::Setting("a protocol for ALPN has 1 to 255 octets".to_owned()))?;
    }
    if let Some(path) = &settings.key_log {
        let file = KeyLogFile::open(path)?;
        builder.set_keylog_callback(move |_, line| file.write_line(line));
    }
    Ok(())
}

fn start(identity: DeviceName, key: Psk) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_client())?;
    builder.set_security_level(2);
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    // No suite lets a server in that has no key: those of TLS 1.2 need it, and in TLS 1.3 it has to be the server's choice (below).
    builder.set_cipher_list(CIPHER_SUITES)?;
    builder.set_ciphersuites(CIPHER_SUITES_13)?;
    builder.set_groups_list(GROUPS)?;
    // A server that shows a certificate instead of the key is nobody: no authority is trusted, so every certificate fails.
    builder.set_verify(openssl::ssl::SslVerifyMode::PEER);
    // For a socket that never blocks: what could not be written is offered again, perhaps from another place in memory.
    builder.set_mode(SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_options(SslOptions::NO_TICKET | SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION);
    builder.set_psk_client_callback(move |_, _, identity_space, key_space| {
        let name = identity.as_str().as_bytes();
        // One octet more: it ends with a zero.
        let (Some(identity_space), Some(key_space)) = (identity_space.get_mut(..=name.len()), key_space.get_mut(..key.octets().len()))
        else {
            return Ok(0);
        };
        identity_space.iter_mut().zip(name.iter().chain([&0])).for_each(|(space, octet)| *space = *octet);
        key_space.copy_from_slice(key.octets());
        Ok(key.octets().len())
    });
    Ok(builder)
}

fn failed(server: &str, error: openssl::ssl::Error) -> TlsError {
    match error.into_io_error() {
        Ok(source) => TlsError::Socket { server: server.to_owned(), source },
        Err(error) => {
            let failure = Failure::of(&error);
            refused(&failure).unwrap_or_else(|| {
                let (found, hint, fault) = match failure.reason.as_str() {
                    "" => ("it closed the connection", "see the server's log", PeerFault::Protocol),
                    "wrong version number" => {
                        ("what it sends is not TLS", "is this a plain TCP port? 8883 is the usual one for TLS", PeerFault::NotTls)
                    }
                    "certificate verify failed" => ("it shows a certificate instead of the key", KEYS_HINT, PeerFault::UnknownIssuer),
                    reason => (reason, KEYS_HINT, PeerFault::Protocol),
                };
                TlsError::Peer { server: server.to_owned(), found: found.to_owned(), hint: hint.to_owned(), fault }
            })
        }
    }
}

/// The words for an alert of the server.
fn refused(failure: &Failure) -> Option<TlsError> {
    failure.is_alert().then(|| TlsError::Refused {
        found: format!("the broker refused this pre-shared key ({})", failure.reason),
        hint: "check `--psk-identity` and `--psk`; the broker's log says what is wrong".to_owned(),
        alert: None,
    })
}

fn worded(error: openssl::ssl::Error) -> io::Error {
    match error.into_io_error() {
        Ok(error) => error,
        Err(error) => match refused(&Failure::of(&error)) {
            Some(refused) => io::Error::new(io::ErrorKind::PermissionDenied, refused),
            None => io::Error::other(error.to_string()),
        },
    }
}

/// The library's own error inside of what its `Read` and `Write` give.
fn reworded(error: io::Error) -> io::Error {
    match error.downcast::<openssl::ssl::Error>() {
        Ok(error) => worded(error),
        Err(error) => error,
    }
}
