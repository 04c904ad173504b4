//! Clients behind a proxy that ends TLS: what it says of their certificates becomes an identity here, or nothing.
//!
//! The proxy has seen the handshake, so that the client holds the key is its word, and only a source that the listener trusts is asked for it.
//! Everything else that can be checked is checked here as in a handshake of our own: path, usage, validity, revocation, name.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use signet_identity::{DeviceName, NamedPeer, NamingRule, NoIdentity, Peer, VerifiedPeer};
use signet_revocation::StalePolicy;

use crate::client_verifier::DeviceVerifier;
use crate::{Check, CurrentRevocations, Refusal, TlsError, TrustAnchors};

/// What a listener makes of a certificate that a trusted proxy has verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ForwardedIdentityConfig {
    /// Nothing: every client is anonymous.
    #[default]
    None,
    /// The whole certificate is needed, and judged here once more.
    Certificate {
        /// PEM files: certification authorities whose devices are believed. Not empty.
        trust: Vec<PathBuf>,
        /// What to do when the revocation list of an issuer is past its `nextUpdate`.
        stale: StalePolicy,
    },
    /// The common name is the device's name, on the proxy's word alone: no path and no revocation can be checked here.
    CommonName,
}

/// What a trusted proxy says of a certificate that it has verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardedFacts<'a> {
    /// The certificate in DER.
    pub certificate: Option<&'a [u8]>,
    /// The common name of its subject.
    pub common_name: Option<&'a str>,
}

/// The same, loaded and checked.
#[derive(Debug)]
pub struct ForwardedIdentity {
    rule: Rule,
    stale: StalePolicy,
}

#[derive(Debug)]
enum Rule {
    None,
    Certificate(Box<DeviceVerifier>),
    CommonName,
}

impl ForwardedIdentity {
    /// Reads and checks the files of `config`.
    ///
    /// # Errors
    /// Names the file and the way out; see [`TrustAnchors::load`].
    pub fn load(config: &ForwardedIdentityConfig, naming: NamingRule, revocations: CurrentRevocations) -> Result<Self, TlsError> {
        let (rule, stale) = match config {
            ForwardedIdentityConfig::None => (Rule::None, StalePolicy::default()),
            ForwardedIdentityConfig::CommonName => (Rule::CommonName, StalePolicy::default()),
            ForwardedIdentityConfig::Certificate { trust, stale } => {
                if trust.is_empty() {
                    let words = "certificates are taken from a proxy but `trust` names no file; name the CA that issues them, such as `trust = [\"ca/ca.pem\"]`";
                    return Err(TlsError::Setting(words.to_owned()));
                }
                let trust = TrustAnchors::load(trust)?;
                (Rule::Certificate(Box::new(DeviceVerifier::new(trust, naming, revocations, *stale, true))), *stale)
            }
        };
        Ok(Self { rule, stale })
    }

    /// What the listener does when a revocation list is past its `nextUpdate`; the registry applies the same.
    pub fn stale_policy(&self) -> StalePolicy {
        self.stale
    }

    /// Says who the client is; `facts` are those of a certificate that the proxy has verified, and `None` when there was none. `now` in unix
    /// seconds.
    ///
    /// # Errors
    /// The certificate, or what of it came, gives no identity by the listener's rule: the client may not stay.
    pub fn establish(&self, facts: Option<ForwardedFacts<'_>>, now: i64) -> Result<Peer, Box<Refusal>> {
        let (rule, Some(facts)) = (&self.rule, facts) else { return Ok(Peer::Anonymous(NoIdentity::NotForwarded)) };
        match rule {
            Rule::None => Ok(Peer::Anonymous(NoIdentity::NotForwarded)),
            Rule::Certificate(verifier) => {
                let der = facts.certificate.ok_or_else(|| Box::new(not_the_certificate()))?;
                let identity = verifier.judge(&CertificateDer::from(der), &[], now).map_err(|rejected| rejected.refusal)?;
                Ok(Peer::Device(VerifiedPeer::assertion(Arc::new(identity), false)))
            }
            Rule::CommonName => {
                let refuse = |found: String| {
                    Box::new(Refusal::without_certificate(Check::Name, found, "give devices certificates with a usable common name"))
                };
                let name = facts.common_name.ok_or_else(|| refuse("the proxy forwarded no common name of the certificate".to_owned()))?;
                let name = DeviceName::new(name).map_err(|error| refuse(error.to_string()))?;
                Ok(Peer::Named(NamedPeer::assertion(name)))
            }
        }
    }
}

fn not_the_certificate() -> Refusal {
    Refusal::without_certificate(
        Check::CertificatePresent,
        "the proxy says that it verified a certificate and did not forward it (PROXY protocol type 0x28)",
        "let the proxy forward the whole certificate, let it pass TLS through to a listener with `transport = \"tls\"`, or set \
         `proxy_identity = \"common_name\"` and know that revocations do not count then",
    )
}
