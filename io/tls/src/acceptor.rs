//! One listener's TLS: credentials, trust, naming and revocation rules; and the one place where a [`VerifiedPeer`] is minted.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::CertificateDer;
use signet_identity::{DeviceIdentity, NamingRule, NoIdentity, Peer, VerifiedPeer};
use signet_revocation::StalePolicy;

use crate::client_verifier::DeviceVerifier;
use crate::provider::{provider, versions};
use crate::resumption::DeviceTickets;
use crate::{Check, Credentials, CurrentRevocations, Refusal, TlsError, TrustAnchors};

/// The only application protocol (RFC 7301 registers `mqtt`). A client that offers none is accepted: most MQTT clients do not.
pub(crate) const ALPN: &[u8] = b"mqtt";

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
#[derive(Clone, Debug)]
pub struct TlsListenerConfig {
    /// PEM file: server certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM file: private key of the server certificate.
    pub key: PathBuf,
    /// PEM files: certification authorities whose devices are believed. May be empty only with [`ClientCertificate::None`].
    pub trust: Vec<PathBuf>,
    /// Whether clients must show a certificate.
    pub client_certificate: ClientCertificate,
    /// What to do when the revocation list of an issuer is past its `nextUpdate`.
    pub stale: StalePolicy,
    /// The oldest version to speak.
    pub minimum_version: MinimumVersion,
}

/// Everything a handshake on one listener needs, loaded and checked. Immutable: a reload makes a new one, with new ticket keys.
pub struct ListenerTls {
    pub(crate) config: Arc<ServerConfig>,
    verifier: Option<Arc<DeviceVerifier>>,
    client_certificate: ClientCertificate,
    stale: StalePolicy,
    not_after: i64,
}

impl ListenerTls {
    /// Reads and checks the files of `config`; `now` is in unix seconds.
    ///
    /// # Errors
    /// Names the file and the way out; see [`Credentials::load`] and [`TrustAnchors::load`].
    pub fn load(config: &TlsListenerConfig, naming: NamingRule, revocations: CurrentRevocations, now: i64) -> Result<Arc<Self>, TlsError> {
        let credentials = Credentials::load(&config.certificate, &config.key, now)?;
        if !credentials.leaf().allows_server_auth() {
            let found =
                format!("the certificate of `{}` may not be used by a TLS server (no serverAuth)", credentials.leaf().subject().rfc4514());
            return Err(TlsError::file(
                &config.certificate,
                found,
                "issue one with `extendedKeyUsage=serverAuth`; a device's certificate cannot be a server's",
            ));
        }
        let verifier = Self::verifier(config, naming, revocations)?;
        let required = config.client_certificate == ClientCertificate::Required;
        let tickets = DeviceTickets::new(verifier.clone(), required)?;
        let library = |error: rustls::Error| TlsError::Library(error.to_string());
        let client_verifier: Arc<dyn ClientCertVerifier> = match &verifier {
            Some(verifier) => verifier.clone(),
            None => Arc::new(NoClientAuth),
        };
        let not_after = credentials.leaf().validity().not_after;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(config.minimum_version))
            .map_err(library)?
            .with_client_cert_verifier(client_verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::unwrap_or_clone(Arc::clone(&credentials.certified)))));
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.ticketer = Arc::new(tickets);
        // One ticket is enough for a device that reconnects, and each costs an encryption (RFC 8446 §4.6.1 leaves the number open).
        server.send_tls13_tickets = 1;
        // Sessions live in tickets only: a server-side cache would be resumed without asking `DeviceTickets`.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        // Early data can be replayed (RFC 8446 §8), and a replayed PUBLISH is a second PUBLISH.
        server.max_early_data_size = 0;
        Ok(Arc::new(Self {
            config: Arc::new(server),
            verifier,
            client_certificate: config.client_certificate,
            stale: config.stale,
            not_after,
        }))
    }

    /// When the server's own certificate ends, Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// What the listener does when a revocation list is past its `nextUpdate`; the registry applies the same.
    pub fn stale_policy(&self) -> StalePolicy {
        self.stale
    }

    fn verifier(
        config: &TlsListenerConfig,
        naming: NamingRule,
        revocations: CurrentRevocations,
    ) -> Result<Option<Arc<DeviceVerifier>>, TlsError> {
        if config.client_certificate == ClientCertificate::None {
            return Ok(None);
        }
        if config.trust.is_empty() {
            return Err(TlsError::Setting(
                "client certificates are asked for but `trust` names no file; name the CA that issues them, such as `trust = [\"ca/ca.pem\"]`".to_owned(),
            ));
        }
        let trust = TrustAnchors::load(&config.trust)?;
        let mandatory = config.client_certificate == ClientCertificate::Required;
        Ok(Some(Arc::new(DeviceVerifier::new(trust, naming, revocations, config.stale, mandatory))))
    }

    /// Ends a handshake: says who the peer is, or why it may not stay.
    ///
    /// `judged` is what the verifier or the ticket check found for this connection. The checks that depend on the time run again here, because
    /// minutes may lie between the judgement and the end of a slow handshake.
    pub(crate) fn establish(
        &self,
        certificates: Option<&[CertificateDer<'static>]>,
        judged: Option<Arc<DeviceIdentity>>,
        resumed: bool,
        now: i64,
    ) -> Result<Peer, Box<Refusal>> {
        let presented = certificates.and_then(<[_]>::split_first);
        let (Some(verifier), Some((end_entity, intermediates))) = (&self.verifier, presented) else {
            return self.anonymous();
        };
        let identity = match judged {
            // Only the identity that was found for this very certificate.
            Some(identity) if identity.leaf().der() == end_entity.as_ref() => identity,
            _ => Arc::new(verifier.judge(end_entity, intermediates, now).map_err(|rejected| rejected.refusal)?),
        };
        verifier.check_current(&identity, now).map_err(|rejected| rejected.refusal)?;
        Ok(Peer::Device(VerifiedPeer::assertion(identity, resumed)))
    }

    fn anonymous(&self) -> Result<Peer, Box<Refusal>> {
        match self.client_certificate {
            ClientCertificate::None => Ok(Peer::Anonymous(NoIdentity::NotRequested)),
            ClientCertificate::Optional => Ok(Peer::Anonymous(NoIdentity::NotPresented)),
            ClientCertificate::Required => Err(Box::new(no_certificate())),
        }
    }
}

impl std::fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerTls").field("client_certificate", &self.client_certificate).finish_non_exhaustive()
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
