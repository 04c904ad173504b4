//! In the place of `engine.rs` in a build without OpenSSL: the same names, and a context that cannot be made.

#![expect(clippy::needless_pass_by_ref_mut, reason = "the signatures are those of the engine")]

use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use signet_tls::TlsError;

use crate::connector::PskConnector;
use crate::slot::Slot;

/// Whether this build can serve listeners with pre-shared keys.
pub(crate) const IS_AVAILABLE: bool = false;

/// The version that one connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    PlainTls12,
    Tls12,
    Tls13,
}

/// Cannot be made.
pub(crate) struct Context(Infallible);

/// Whether it can be used: no.
pub(crate) fn check() -> Result<(), TlsError> {
    Err(TlsError::Setting("this build of signet has no TLS with pre-shared keys: build it with the feature `psk`".to_owned()))
}

impl Context {
    pub(crate) fn new(_secrets: Option<signet_tls::KeyLogFile>) -> Result<Self, TlsError> {
        check()?;
        Err(TlsError::Library("no TLS with pre-shared keys".to_owned()))
    }

    pub(crate) fn accept(&self, _: Version, _: &Arc<Slot>) -> Result<Engine, Failure> {
        match self.0 {}
    }
}

/// Why the library does not go on.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
}

impl Failure {
    pub(crate) fn is_wrong_key(&self) -> bool {
        false
    }

    pub(crate) fn is_no_common_suite(&self) -> bool {
        false
    }

    pub(crate) fn is_alert(&self) -> bool {
        false
    }
}

/// Cannot be made.
pub(crate) struct Engine(Infallible);

impl Engine {
    pub(crate) fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        match self.0 {}
    }

    pub(crate) fn receive(&mut self, _: &mut Vec<u8>, _: &mut Vec<u8>, _: &mut Vec<u8>) -> Result<bool, Failure> {
        match self.0 {}
    }

    pub(crate) fn send(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Failure> {
        match self.0 {}
    }

    pub(crate) fn close(&mut self, _: &mut Vec<u8>) {
        match self.0 {}
    }

    pub(crate) fn is_established(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn buffered(&self) -> usize {
        match self.0 {}
    }
}

/// Cannot be made.
pub(crate) struct ClientEngine(Infallible);

impl ClientEngine {
    pub(crate) fn connect(_: &PskConnector, _: &str, _: TcpStream) -> Result<Self, TlsError> {
        check()?;
        Err(TlsError::Library("no TLS with pre-shared keys".to_owned()))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self.0 {}
    }

    pub(crate) fn version(&self) -> &'static str {
        match self.0 {}
    }

    pub(crate) fn close(&mut self) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}
