//! The header with which a proxy says for whom it speaks: PROXY protocol, versions 1 and 2, the receiver's side.
//!
//! The header is as good as the one who sent it: whether a source may send one is the listener's decision, made before anything is read here.
//! What is read here is strict all the same, because a header that two readers understand differently is a way to be somebody else.

mod v1;
mod v2;

use crate::PeerAddress;

/// Octets that a header may have. Its length field would allow four times as much; an ordinary header has less than 200, one with a whole
/// certificate a few thousand.
pub const MAXIMUM_HEADER: usize = 16 * 1024;

/// Which versions a listener takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyVersions {
    /// Both.
    #[default]
    Any,
    /// The line of text.
    V1,
    /// The binary header.
    V2,
}

/// What a header said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// 1 or 2.
    pub version: u8,
    /// The proxy speaks for itself (a health check): the connection's own address counts, and there is no client behind it.
    pub is_local: bool,
    /// The client's address; `None` where the proxy does not know it, or speaks for itself.
    pub source: Option<PeerAddress>,
    /// The client's TLS connection to the proxy, as far as the proxy told.
    pub tls: Option<ForwardedTls>,
}

/// The TLS facts of a version 2 header (type 0x20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedTls {
    /// Bit field: 0x01 TLS was used, 0x02 a certificate came on this connection, 0x04 in this session.
    client: u8,
    /// 0 when the certificate was verified, and also when there was none to verify.
    verify: u32,
    common_name: Option<String>,
    certificate: Option<Vec<u8>>,
    protocol: Option<String>,
    cipher_suite: Option<String>,
}

/// What the proxy says of a client certificate that it has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardedCertificate<'a> {
    /// The common name of its subject (type 0x22).
    pub common_name: Option<&'a str>,
    /// The whole certificate in DER (type 0x28).
    pub der: Option<&'a [u8]>,
}

impl ForwardedTls {
    /// The client's certificate, if the proxy saw one and verified it: TLS, a certificate, and a verification without error. Each of the three
    /// is needed, since a proxy fills the verification with 0 when there was nothing to verify.
    pub fn verified_certificate(&self) -> Option<ForwardedCertificate<'_>> {
        let (is_tls, has_certificate) = (self.client & 0x01 != 0, self.client & 0x06 != 0);
        (is_tls && has_certificate && self.verify == 0)
            .then_some(ForwardedCertificate { common_name: self.common_name.as_deref(), der: self.certificate.as_deref() })
    }

    /// Version and cipher suite (types 0x21 and 0x23), as the proxy's TLS library calls them, if it told both.
    pub fn negotiated(&self) -> Option<(&str, &str)> {
        self.protocol.as_deref().zip(self.cipher_suite.as_deref())
    }

    /// Whether the client spoke TLS to the proxy.
    pub fn is_tls(&self) -> bool {
        self.client & 0x01 != 0
    }
}

/// Why what came is no header that can be acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Something else came first.
    #[error("the connection does not begin with a PROXY header{}", sent(*.0))]
    Missing(Option<u8>),
    /// A version that the listener does not take.
    #[error("the PROXY header is of version {found}, the listener takes version {expected}")]
    Version {
        /// What came.
        found: u8,
        /// What is taken.
        expected: u8,
    },
    /// Not as specified.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(String),
    /// Longer than [`MAXIMUM_HEADER`].
    #[error("the PROXY header has {0} octets, at most {MAXIMUM_HEADER} are taken")]
    TooLong(usize),
    /// Its own checksum says that it is damaged.
    #[error("the PROXY header is damaged: its checksum (CRC32c) does not match")]
    Checksum,
}

fn sent(first: Option<u8>) -> &'static str {
    match first {
        Some(0x10) => ", the client speaks MQTT at once",
        Some(0x16) => ", the client speaks TLS at once",
        _ => "",
    }
}

fn malformed(what: impl Into<String>) -> ProxyError {
    ProxyError::Malformed(what.into())
}

/// Reads the header at the start of `input`. Returns it with its length; `None`: more octets are needed, at most [`MAXIMUM_HEADER`] in all.
///
/// # Errors
/// As soon as the octets that are there cannot become a header any more.
pub fn read_proxy_header(input: &[u8], versions: ProxyVersions) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let Some(first) = input.first() else { return Ok(None) };
    if starts(input, v1::PREFIX) {
        return match versions {
            ProxyVersions::V2 => Err(ProxyError::Version { found: 1, expected: 2 }),
            ProxyVersions::Any | ProxyVersions::V1 => v1::read(input),
        };
    }
    if starts(input, v2::SIGNATURE) {
        return match versions {
            ProxyVersions::V1 => Err(ProxyError::Version { found: 2, expected: 1 }),
            ProxyVersions::Any | ProxyVersions::V2 => v2::read(input),
        };
    }
    Err(ProxyError::Missing(Some(*first)))
}

/// Whether `input` looks like a header of either version, for telling people why it was refused.
pub fn is_proxy_header(input: &[u8]) -> bool {
    input.len() >= v1::PREFIX.len() && (starts(input, v1::PREFIX) || starts(input, v2::SIGNATURE))
}

/// Whether `input` begins with `prefix`, or is the beginning of it.
fn starts(input: &[u8], prefix: &[u8]) -> bool {
    let length = input.len().min(prefix.len());
    input.get(..length) == prefix.get(..length)
}

#[cfg(test)]
mod tests;
