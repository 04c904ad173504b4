//! What can be wrong with the files and settings of TLS, each with the file's name and the way out.

use std::path::PathBuf;

/// A certificate, key or trust file that cannot be used, or a client-side connection that failed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its setting needs.
    #[error("`{path}`: {found}; {hint}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        found: String,
        /// What to do.
        hint: String,
    },
    /// A combination of settings that cannot work.
    #[error("{0}")]
    Setting(String),
    /// The server could not be verified, refused us, or does not speak TLS (client side).
    #[error("TLS with `{server}`: {found}; {hint}")]
    Peer {
        /// The name or address we connected to.
        server: String,
        /// What happened.
        found: String,
        /// What to do.
        hint: String,
        /// The same for programs.
        fault: PeerFault,
    },
    /// The server sent a fatal alert: it does not want us (client side). TLS 1.3 says so only after the handshake.
    #[error("{found}; {hint}")]
    Refused {
        /// What the alert means.
        found: String,
        /// What to do.
        hint: String,
        /// Its number (RFC 8446 §6.2), where the library tells it.
        alert: Option<u8>,
    },
    /// The socket failed during the handshake (client side).
    #[error("connection to `{server}` during the TLS handshake: {source}")]
    Socket {
        /// The name or address we connected to.
        server: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The TLS library refused something it should not; a bug worth reporting.
    #[error("the TLS library refused: {0}")]
    Library(String),
}

/// What is wrong with a server that we connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerFault {
    /// No authority that we trust has issued its certificate.
    UnknownIssuer,
    /// Its certificate is for another name.
    WrongName,
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// Something else of its certificate.
    Certificate,
    /// It speaks no TLS.
    NotTls,
    /// It and we have nothing in common, or it breaks the protocol.
    Protocol,
}

impl PeerFault {
    /// Whether the certificate was looked at and not believed.
    #[must_use]
    pub fn is_of_certificate(self) -> bool {
        !matches!(self, Self::NotTls | Self::Protocol)
    }
}

impl TlsError {
    pub(crate) fn file(path: impl Into<PathBuf>, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::File { path: path.into(), found: found.into(), hint: hint.into() }
    }
}
