//! Why a client was refused before its session began, in words for the operator.
//!
//! One refusal is one log line: who it was, which check failed and what to do about it.

use std::fmt;
use std::sync::Arc;

use signet_identity::Leaf;

/// The check that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The listener wants a certificate and the client sent none.
    CertificatePresent,
    /// The certificate could not be read, or its X.509 version is not 3.
    CertificateForm,
    /// No path from the certificate to a trust anchor of the listener.
    Path,
    /// Not yet valid, or not valid any more.
    Validity,
    /// The certificate may not be used by a TLS client, or is one of a certification authority.
    Usage,
    /// The certificate, or an intermediate of its path, is revoked.
    Revocation,
    /// The revocation list of an issuer is past its `nextUpdate` and the listener is told to refuse then.
    RevocationFreshness,
    /// Nobody can say whether the certificate is revoked, and its trust profile requires that somebody does.
    RevocationStatus,
    /// The device is suspended.
    Suspension,
    /// The trust profile is disabled, or has rules that the certificate breaks.
    Profile,
    /// The names in the certificate are none that an authority of its path may give.
    NameConstraints,
    /// The certificate is in use by somebody else at the same time.
    Clone,
    /// The naming rule of the listener finds no acceptable device name in the certificate.
    Name,
    /// The client could not prove that it holds the private key.
    Possession,
    /// The client named no key that it shares with this server, or has not shown that it holds it.
    PresharedKey,
    /// Those who have to vouch for the client do not.
    Authentication,
    /// What the client sent in its CONNECT packet, or that none came.
    Connect,
    /// Too many attempts failed before, or it connects too often.
    HeldOff,
    /// The TLS handshake failed for a reason that is not the client's certificate.
    Handshake,
    /// A PROXY header is missing, malformed, or comes from who may not send one.
    Proxy,
    /// The upgrade to WebSocket, or its frames.
    WebSocket,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 21] = [
        Self::CertificatePresent,
        Self::CertificateForm,
        Self::Path,
        Self::Validity,
        Self::Usage,
        Self::Revocation,
        Self::RevocationFreshness,
        Self::RevocationStatus,
        Self::Suspension,
        Self::Profile,
        Self::NameConstraints,
        Self::Clone,
        Self::Name,
        Self::Possession,
        Self::PresharedKey,
        Self::Authentication,
        Self::Connect,
        Self::HeldOff,
        Self::Handshake,
        Self::Proxy,
        Self::WebSocket,
    ];

    /// The name of the check in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::CertificatePresent => "certificate present",
            Self::CertificateForm => "certificate form",
            Self::Path => "path to a trust anchor",
            Self::Validity => "validity",
            Self::Usage => "key usage",
            Self::Revocation => "revocation",
            Self::RevocationFreshness => "revocation list freshness",
            Self::RevocationStatus => "revocation status",
            Self::Suspension => "suspension",
            Self::Profile => "trust profile",
            Self::NameConstraints => "name constraints",
            Self::Clone => "cloned certificate",
            Self::Name => "device name",
            Self::Possession => "proof of possession",
            Self::PresharedKey => "pre-shared key",
            Self::Authentication => "authentication",
            Self::Connect => "CONNECT",
            Self::HeldOff => "held off",
            Self::Handshake => "TLS handshake",
            Self::Proxy => "PROXY header",
            Self::WebSocket => "WebSocket",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One refused client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Subject of the certificate as in RFC 4514, cut where it is long, `None` when no certificate could be read.
    pub subject: Option<String>,
    /// Its serial number in hexadecimal.
    pub serial: Option<String>,
    /// Its issuer as in RFC 4514, cut where it is long.
    pub issuer: Option<String>,
    /// Which check failed.
    pub check: Check,
    /// What was found and what was expected.
    pub found: String,
    /// What to do about it.
    pub hint: String,
    /// The certificate in DER, unless it is longer than [`Self::CERTIFICATE_KEPT`]: for whoever asks why.
    pub certificate: Option<Arc<[u8]>>,
}

impl Refusal {
    /// The largest certificate that a refusal keeps, in octets.
    pub const CERTIFICATE_KEPT: usize = 4096;

    /// A refusal of a client whose certificate is not known.
    pub fn without_certificate(check: Check, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            subject: None,
            serial: None,
            issuer: None,
            check,
            found: shortened(found.into(), FOUND),
            hint: hint.into(),
            certificate: None,
        }
    }

    /// A refusal of the client that presented `leaf`.
    pub fn of(leaf: &Leaf, check: Check, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            subject: Some(shortened(leaf.subject().rfc4514(), NAME)),
            serial: Some(leaf.id().serial().to_string()),
            issuer: Some(shortened(leaf.issuer().rfc4514(), NAME)),
            check,
            found: shortened(found.into(), FOUND),
            hint: hint.into(),
            certificate: (leaf.der().len() <= Self::CERTIFICATE_KEPT).then(|| leaf.der().into()),
        }
    }

    /// Writes the one log line of this refusal (target `signet::refused`).
    pub fn log(&self, listener: &str, address: impl fmt::Display) {
        tracing::warn!(
            target: "signet::refused",
            %address,
            listener,
            subject = self.subject.as_deref().unwrap_or("-"),
            serial = self.serial.as_deref().unwrap_or("-"),
            issuer = self.issuer.as_deref().unwrap_or("-"),
            check = self.check.name(),
            hint = %self.hint,
            "refused: {}",
            self.found
        );
    }
}

/// The longest name in a refusal, in characters. Whoever reaches the port may show a certificate of 64 KiB; the log must not take it all.
const NAME: usize = 256;

/// The longest finding, in characters: it may name a certificate too.
const FOUND: usize = 512;

fn shortened(mut text: String, limit: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(limit) {
        text.truncate(at);
        text.push('…');
    }
    text
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} check failed: {}", self.check, self.found)
    }
}
