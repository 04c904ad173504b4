//! Clients behind a proxy that ends TLS: what it says of their certificates becomes an identity here, or nothing.
//!
//! The proxy has seen the handshake, so that the client holds the key is its word, and only a source that the listener trusts is asked for it.
//! Everything else that can be checked is checked here as in a handshake of our own: path, usage, validity, revocation, name.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use signet_identity::{DeviceIdentity, DeviceName, NamedPeer, NoIdentity, Peer, PendingPeer, VerifiedPeer};
use signet_revocation::Assurance;

use crate::acceptor::Ending;
use crate::client_verifier::{DeviceVerifier, Standing};
use crate::explain::{self, Explanation};
use crate::profile::{TrustProfile, TrustProfiles};
use crate::rejection::{self, Rejected};
use crate::{Check, CurrentRevocations, Refusal, TlsError};

/// What a listener makes of a certificate that a trusted proxy has verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ForwardedIdentityConfig {
    /// Nothing: every client is anonymous.
    #[default]
    None,
    /// The whole certificate is needed, and judged here once more.
    Certificate {
        /// The trust profiles of the certificates, in the order in which they are tried. Not empty.
        profiles: Vec<Arc<str>>,
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
}

#[derive(Debug)]
enum Rule {
    None,
    Certificate(Box<DeviceVerifier>),
    /// Of what is in force, only suspensions are about names.
    CommonName(CurrentRevocations),
}

impl ForwardedIdentity {
    /// Finds what `config` names.
    ///
    /// # Errors
    /// A trust profile that does not exist, or none at all.
    pub fn load(config: &ForwardedIdentityConfig, profiles: &TrustProfiles, revocations: CurrentRevocations) -> Result<Self, TlsError> {
        let rule = match config {
            ForwardedIdentityConfig::None => Rule::None,
            ForwardedIdentityConfig::CommonName => Rule::CommonName(revocations),
            ForwardedIdentityConfig::Certificate { profiles: names } => {
                if names.is_empty() {
                    let words = "certificates are taken from a proxy but `trust` names no file; name the CA that issues them, such as `trust = [\"ca/ca.pem\"]`";
                    return Err(TlsError::Setting(words.to_owned()));
                }
                Rule::Certificate(Box::new(DeviceVerifier::new(profiles.pick(names)?, revocations, true)))
            }
        };
        Ok(Self { rule })
    }

    /// Whether a name alone counts, on the proxy's word.
    pub fn takes_names(&self) -> bool {
        matches!(self.rule, Rule::CommonName(_))
    }

    /// As [`CurrentRevocations::check_name`], where names count.
    ///
    /// # Errors
    /// It is suspended.
    pub fn check_name(&self, name: &DeviceName) -> Result<(), Box<Refusal>> {
        let Rule::CommonName(revocations) = &self.rule else { return Ok(()) };
        revocations.check_name(name)
    }

    fn verifier(&self) -> Option<&DeviceVerifier> {
        match &self.rule {
            Rule::Certificate(verifier) => Some(verifier),
            Rule::None | Rule::CommonName(_) => None,
        }
    }

    /// The trust profile of a name, if certificates that come this way are judged by it.
    pub fn profile(&self, name: &str) -> Option<&Arc<TrustProfile>> {
        self.verifier()?.profile(name)
    }

    /// As [`crate::ListenerTls::check_open`].
    ///
    /// # Errors
    /// Why not.
    pub fn check_open(&self, identity: &DeviceIdentity, now: i64) -> Result<(), Ending> {
        Standing::check_open(self.standing(identity, now), identity).map_err(Ending::from)
    }

    /// As [`crate::ListenerTls::settle`].
    ///
    /// # Errors
    /// It is revoked, or may not be here for another reason.
    pub fn settle(&self, pending: &PendingPeer, is_final: bool, now: i64) -> Result<Option<Peer>, Box<Refusal>> {
        let is_settled = Standing::settle(self.standing(pending.identity(), now), is_final).map_err(|rejected| rejected.refusal)?;
        Ok(is_settled.then(|| verified(Arc::clone(pending.identity()))))
    }

    /// As [`crate::ListenerTls::assurance`].
    ///
    /// # Errors
    /// Why it may not be here.
    pub fn assurance(&self, identity: &DeviceIdentity, now: i64) -> Result<Option<Assurance>, Ending> {
        match self.standing(identity, now).map_err(Ending::from)? {
            Standing::Good(assurance) => Ok(Some(assurance)),
            Standing::Pending => Ok(None),
        }
    }

    /// As [`crate::ListenerTls::explain`], for a certificate (DER) that a proxy forwards; `None` where none is judged here.
    pub fn explain(&self, certificate: &[u8], now: i64) -> Option<Explanation> {
        Some(explain::explain(self.verifier()?, &[CertificateDer::from(certificate)], now))
    }

    fn standing(&self, identity: &DeviceIdentity, now: i64) -> Result<Standing, Rejected> {
        match self.verifier() {
            Some(verifier) => verifier.check_open(identity, now),
            None => Err(rejection::profile_gone(identity.leaf(), identity.profile())),
        }
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
                let judged = verifier.judge(&CertificateDer::from(der), &[], now).map_err(|rejected| rejected.refusal)?;
                match verifier.check_current(&judged, now).map_err(|rejected| rejected.refusal)? {
                    Standing::Good(_) => Ok(verified(judged.identity)),
                    Standing::Pending => Ok(Peer::Pending(PendingPeer::new(judged.identity, false))),
                }
            }
            Rule::CommonName(_) => {
                let refuse = |found: String| {
                    Box::new(Refusal::without_certificate(Check::Name, found, "give devices certificates with a usable common name"))
                };
                let name = facts.common_name.ok_or_else(|| refuse("the proxy forwarded no common name of the certificate".to_owned()))?;
                let name = DeviceName::new(name).map_err(|error| refuse(error.to_string()))?;
                self.check_name(&name)?;
                Ok(Peer::Named(NamedPeer::assertion(name)))
            }
        }
    }
}

/// The witness, for a peer whose every check was made, here or by the proxy.
fn verified(identity: Arc<DeviceIdentity>) -> Peer {
    Peer::Device(VerifiedPeer::assertion(identity, false))
}

fn not_the_certificate() -> Refusal {
    Refusal::without_certificate(
        Check::CertificatePresent,
        "the proxy says that it verified a certificate and did not forward it (PROXY protocol type 0x28)",
        "let the proxy forward the whole certificate, let it pass TLS through to a listener with `transport = \"tls\"`, or set \
         `proxy_identity = \"common_name\"` and know that revocations do not count then",
    )
}
