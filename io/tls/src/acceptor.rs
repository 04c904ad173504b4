//! One listener's TLS: its hosts and their trust profiles; and the one place where a [`VerifiedPeer`] is minted.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::server::ClientHello;
use rustls_pki_types::CertificateDer;
use signet_identity::{DeviceIdentity, NoIdentity, Peer, PendingPeer, VerifiedPeer};
use signet_revocation::Assurance;

use crate::client_verifier::{Judged, Standing};
use crate::engine::Engine;
use crate::explain::{self, Explanation};
use crate::host::Host;
use crate::profile::{TrustProfile, TrustProfiles};
use crate::rejection::{self, Rejected, Unfit};
use crate::{Check, CurrentRevocations, Refusal, TlsError, TlsHostConfig};

/// Whether a listener asks for a client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate, no connection.
    #[default]
    Required,
    /// A certificate is asked for and checked when it comes; without one the client is anonymous.
    Optional,
    /// Not asked for: every client is anonymous.
    None,
}

/// The oldest TLS version to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

/// The TLS settings of one listener, as file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsListenerConfig {
    /// For whoever no host of `hosts` is for.
    pub host: TlsHostConfig,
    /// The first that is for a client is its.
    pub hosts: Vec<TlsHostConfig>,
    /// The oldest version to speak.
    pub minimum_version: MinimumVersion,
    /// Cipher suites by their registered names, of those that [`crate::cipher_suites`] lists; the client's order counts among them. Empty: all. A
    /// version of which none is named is not spoken.
    pub cipher_suites: Vec<String>,
    /// Application protocols that are spoken (RFC 7301), besides those that its hosts are for: one of them is agreed on with a client that offers some,
    /// and one that offers none of them is refused. Empty: what clients offer is of no interest.
    pub alpn: Vec<String>,
    /// Where the secrets of every connection are written, for whoever has to decrypt recordings. Whoever reads it reads everything.
    pub key_log: Option<PathBuf>,
}

impl TlsListenerConfig {
    /// The application protocol of MQTT (IANA registers `mqtt` for RFC 7301).
    pub const MQTT: &str = "mqtt";

    /// A listener with one host.
    pub fn new(host: TlsHostConfig) -> Self {
        Self {
            host,
            hosts: Vec::new(),
            minimum_version: MinimumVersion::default(),
            cipher_suites: Vec::new(),
            alpn: vec![Self::MQTT.to_owned()],
            key_log: None,
        }
    }
}

/// Everything a handshake on one listener needs, loaded and checked. Immutable: a reload makes a new one, with new ticket keys.
pub struct ListenerTls {
    config: TlsListenerConfig,
    default: Arc<Host>,
    hosts: Vec<Arc<Host>>,
}

/// Why an open session may not go on.
#[derive(Clone, Debug)]
pub struct Ending {
    /// In words for the operator.
    pub refusal: Box<Refusal>,
    /// For whoever ends it.
    pub unfit: Unfit,
}

impl From<Rejected> for Ending {
    fn from(rejected: Rejected) -> Self {
        Self { refusal: rejected.refusal, unfit: rejected.unfit }
    }
}

impl ListenerTls {
    /// Reads and checks the files of `config`; `now` is in unix seconds.
    ///
    /// # Errors
    /// Names the file and the way out; see [`crate::Credentials::load`]. A trust profile that does not exist.
    pub fn load(
        config: &TlsListenerConfig,
        profiles: &TrustProfiles,
        revocations: &CurrentRevocations,
        now: i64,
    ) -> Result<Arc<Self>, TlsError> {
        let engine = Engine::new(config)?;
        let load = |host: &TlsHostConfig| Host::load(host, &engine, profiles, revocations.clone(), now).map(Arc::new);
        Ok(Arc::new(Self {
            config: config.clone(),
            default: load(&config.host)?,
            hosts: config.hosts.iter().map(load).collect::<Result<_, _>>()?,
        }))
    }

    /// Whether both were loaded from the same settings and the same content of files: then the tickets of one are as good as those of the other.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let same_profile = |(one, other): (&&Arc<TrustProfile>, &&Arc<TrustProfile>)| one.is_same_as(other);
        let (own, others) = (self.profiles(), other.profiles());
        self.config == other.config
            && self.chains() == other.chains()
            && own.len() == others.len()
            && own.iter().zip(&others).all(same_profile)
    }

    /// When the first of the server's own certificates ends, Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.all().map(|host| host.not_after()).min().unwrap_or(i64::MAX)
    }

    /// The certificate chains that it shows, in DER, leaf first.
    pub fn chains(&self) -> Vec<Vec<CertificateDer<'static>>> {
        self.all().flat_map(|host| host.chains().map(|key| key.cert.clone()).collect::<Vec<_>>()).collect()
    }

    /// Shows an OCSP response, which the caller has verified, with the certificate of this DER from now on; `None`: no response.
    pub fn staple(&self, certificate: &[u8], response: Option<&[u8]>) {
        self.all().for_each(|host| host.staple(certificate, response));
    }

    /// The trust profile of a name, if a host of this listener uses it.
    pub fn profile(&self, name: &str) -> Option<&Arc<TrustProfile>> {
        self.all().filter_map(|host| host.verifier.as_ref()).find_map(|verifier| verifier.profile(name))
    }

    /// Every trust profile that a host of this listener uses, each once.
    pub fn profiles(&self) -> Vec<&Arc<TrustProfile>> {
        let mut profiles: Vec<&Arc<TrustProfile>> = Vec::new();
        for profile in self.all().filter_map(|host| host.verifier.as_ref()).flat_map(|verifier| verifier.profiles()) {
            if !profiles.iter().any(|known| known.name() == profile.name()) {
                profiles.push(profile);
            }
        }
        profiles
    }

    /// Whether a host of this listener asks for certificates.
    pub fn asks_for_certificates(&self) -> bool {
        self.all().any(|host| host.verifier.is_some())
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Host>> {
        std::iter::once(&self.default).chain(&self.hosts)
    }

    /// Whether the ClientHello decides which host a client gets.
    pub(crate) fn has_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    pub(crate) fn default_host(&self) -> &Arc<Host> {
        &self.default
    }

    /// The host for a client.
    pub(crate) fn host_for(&self, hello: &ClientHello<'_>) -> &Arc<Host> {
        let is_for = |host: &&Arc<Host>| host.config.is_for(hello.server_name(), hello.alpn().into_iter().flatten());
        self.hosts.iter().find(is_for).unwrap_or(&self.default)
    }

    /// Ends a handshake: says who the peer is, or why it may not stay.
    ///
    /// `judged` is what the verifier or the ticket check found for this connection. The checks that depend on the time run again here, because
    /// minutes may lie between the judgement and the end of a slow handshake.
    pub(crate) fn establish(
        host: &Host,
        certificates: Option<&[CertificateDer<'static>]>,
        judged: Option<Arc<Judged>>,
        resumed: bool,
        now: i64,
    ) -> Result<Peer, Box<Refusal>> {
        let presented = certificates.and_then(<[_]>::split_first);
        let (Some(verifier), Some((end_entity, intermediates))) = (&host.verifier, presented) else {
            return anonymous(host.config.client_certificate);
        };
        let judged = match judged {
            // Only what was found for this very certificate.
            Some(judged) if judged.identity.leaf().der() == end_entity.as_ref() => judged,
            _ => Arc::new(verifier.judge(end_entity, intermediates, now).map_err(|rejected| rejected.refusal)?),
        };
        match verifier.check_current(&judged, now).map_err(|rejected| rejected.refusal)? {
            Standing::Good(_) => Ok(verified(&judged.identity, resumed)),
            Standing::Pending => Ok(Peer::Pending(PendingPeer::new(Arc::clone(&judged.identity), resumed))),
        }
    }

    /// Whether an open session of this device may go on, by what is in force now. Where its profile requires an answer about revocation and
    /// there is none, it may not: after a reload that requires one, or when the source of the answer was taken away.
    ///
    /// # Errors
    /// Why not.
    pub fn check_open(&self, identity: &DeviceIdentity, now: i64) -> Result<(), Ending> {
        Standing::check_open(self.standing(identity, now), identity).map_err(Ending::from)
    }

    /// Looks again at a peer whose revocation status was not known: `None` while it still is not, or, where an answer is preferred and there is
    /// time to get one, before `is_final`.
    ///
    /// # Errors
    /// It is revoked, or may not be here for another reason.
    pub fn settle(&self, pending: &PendingPeer, is_final: bool, now: i64) -> Result<Option<Peer>, Box<Refusal>> {
        let is_settled = Standing::settle(self.standing(pending.identity(), now), is_final).map_err(|rejected| rejected.refusal)?;
        Ok(is_settled.then(|| verified(pending.identity(), pending.resumed())))
    }

    /// The refusal of a peer whose status nobody could tell in time.
    pub fn unsettled(pending: &PendingPeer) -> Box<Refusal> {
        let leaf = pending.identity().leaf();
        rejection::unknown_status(leaf, leaf.id()).refusal
    }

    /// Explains what would become of a client that shows these certificates (DER, its own first), by the host for this server name; `now` in unix
    /// seconds.
    pub fn explain(&self, server_name: Option<&str>, chain: &[Vec<u8>], now: i64) -> Explanation {
        let none: [&[u8]; 0] = [];
        let host = self.hosts.iter().find(|host| host.config.is_for(server_name, none)).unwrap_or(&self.default);
        match &host.verifier {
            // Who shows none where none has to be shown is let in without an identity.
            Some(_) if chain.is_empty() && anonymous(host.config.client_certificate).is_ok() => Explanation::default(),
            Some(verifier) => {
                let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
                explain::explain(verifier, &chain, now)
            }
            None => Explanation::default(),
        }
    }

    /// How well the revocation status of an open session's certificate is known; `None`: nobody has said anything yet.
    ///
    /// # Errors
    /// Why it may not be here.
    pub fn assurance(&self, identity: &DeviceIdentity, now: i64) -> Result<Option<Assurance>, Ending> {
        match self.standing(identity, now).map_err(Ending::from)? {
            Standing::Good(assurance) => Ok(Some(assurance)),
            Standing::Pending => Ok(None),
        }
    }

    fn standing(&self, identity: &DeviceIdentity, now: i64) -> Result<Standing, Rejected> {
        let mut verifiers = self.all().filter_map(|host| host.verifier.as_ref());
        match verifiers.find(|verifier| verifier.profile(identity.profile()).is_some()) {
            Some(verifier) => verifier.check_open(identity, now),
            None => Err(rejection::profile_gone(identity.leaf(), identity.profile())),
        }
    }
}

/// The witness, for a peer whose every check was made.
fn verified(identity: &Arc<DeviceIdentity>, resumed: bool) -> Peer {
    Peer::Device(VerifiedPeer::assertion(Arc::clone(identity), resumed))
}

fn anonymous(client_certificate: ClientCertificate) -> Result<Peer, Box<Refusal>> {
    match client_certificate {
        ClientCertificate::None => Ok(Peer::Anonymous(NoIdentity::NotRequested)),
        ClientCertificate::Optional => Ok(Peer::Anonymous(NoIdentity::NotPresented)),
        ClientCertificate::Required => Err(Box::new(no_certificate())),
    }
}

impl std::fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerTls").field("hosts", &self.hosts.len().saturating_add(1)).finish_non_exhaustive()
    }
}

/// The refusal of a client that sent no certificate where one is required.
pub(crate) fn no_certificate() -> Refusal {
    Refusal::without_certificate(
        Check::CertificatePresent,
        "the client sent no certificate",
        "give the client a certificate and its key (mosquitto_pub: `--cert FILE --key FILE`); make them with `signet device add NAME`",
    )
}
