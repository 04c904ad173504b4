//! What a listener shows to and asks of clients that come for one of its names: certificates, and the trust profiles of their devices.
//!
//! A listener has one host of its own and any number of others, chosen by the server name (SNI, RFC 6066 §3) and application protocol (ALPN,
//! RFC 7301) of the ClientHello. Each has ticket keys of its own, so no session of one is taken up at another.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::client_verifier::DeviceVerifier;
use crate::engine::Engine;
use crate::profile::TrustProfiles;
use crate::resumption::DeviceTickets;
use crate::{ClientCertificate, Credentials, CurrentRevocations, TlsError};

/// A certificate chain and its key, as file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFiles {
    /// PEM file: server certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM file: private key of the server certificate.
    pub key: PathBuf,
}

/// One host of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsHostConfig {
    /// Server names it is for: a DNS name, or `*.` and one, which stands for one more label. Empty: any, also none.
    pub server_names: Vec<String>,
    /// Application protocols it is for. Empty: any.
    pub alpn: Vec<String>,
    /// What it shows, the first that the client's algorithms allow. Not empty.
    pub credentials: Vec<CredentialFiles>,
    /// Whether clients must show a certificate.
    pub client_certificate: ClientCertificate,
    /// Whether clients are told whose certificates are believed (RFC 8446 §4.2.4): one with several certificates picks the right one by it.
    pub names_authorities: bool,
    /// The trust profiles of their certificates, in the order in which they are tried. May be empty only with [`ClientCertificate::None`].
    pub profiles: Vec<Arc<str>>,
}

impl TlsHostConfig {
    /// A host for any name.
    pub fn new(credentials: CredentialFiles, client_certificate: ClientCertificate, profiles: Vec<Arc<str>>) -> Self {
        Self {
            server_names: Vec::new(),
            alpn: Vec::new(),
            credentials: vec![credentials],
            client_certificate,
            names_authorities: true,
            profiles,
        }
    }

    /// Whether it is for a client that says this. Server names are compared without case (RFC 6066 §3).
    pub(crate) fn is_for<'a>(&self, server_name: Option<&str>, protocols: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let named =
            self.server_names.is_empty() || server_name.is_some_and(|name| self.server_names.iter().any(|pattern| covers(pattern, name)));
        named && (self.alpn.is_empty() || protocols.into_iter().any(|offered| self.alpn.iter().any(|own| own.as_bytes() == offered)))
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

/// A host, loaded and checked.
pub(crate) struct Host {
    pub(crate) config: TlsHostConfig,
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) verifier: Option<Arc<DeviceVerifier>>,
    credentials: Arc<Shown>,
}

impl Host {
    pub(crate) fn load(
        config: &TlsHostConfig,
        engine: &Engine,
        profiles: &TrustProfiles,
        revocations: CurrentRevocations,
        now: i64,
    ) -> Result<Self, TlsError> {
        let credentials = Arc::new(Shown::load(&config.credentials, now)?);
        let verifier = verifier(config, profiles, revocations)?;
        let required = config.client_certificate == ClientCertificate::Required;
        let tickets = DeviceTickets::new(verifier.clone(), required)?;
        let client_verifier: Arc<dyn ClientCertVerifier> = match &verifier {
            Some(verifier) => verifier.clone(),
            None => Arc::new(NoClientAuth),
        };
        let mut server = ServerConfig::builder_with_provider(engine.provider())
            .with_protocol_versions(engine.versions())
            .map_err(|error| TlsError::Library(error.to_string()))?
            .with_client_cert_verifier(client_verifier)
            .with_cert_resolver(Arc::<Shown>::clone(&credentials));
        server.alpn_protocols = engine.alpn(&config.alpn);
        server.ticketer = Arc::new(tickets);
        server.key_log = engine.key_log();
        // One ticket is enough for a device that reconnects, and each costs an encryption (RFC 8446 §4.6.1 leaves the number open).
        server.send_tls13_tickets = 1;
        // Sessions live in tickets only: a server-side cache would be resumed without asking `DeviceTickets`.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        // Early data can be replayed (RFC 8446 §8), and a replayed PUBLISH is a second PUBLISH.
        server.max_early_data_size = 0;
        Ok(Self { config: config.clone(), server: Arc::new(server), verifier, credentials })
    }

    /// The chains that it shows, in DER.
    pub(crate) fn chains(&self) -> impl Iterator<Item = Arc<CertifiedKey>> + '_ {
        self.credentials.keys.iter().map(ArcSwap::load_full)
    }

    /// When the first of its certificates ends, unix seconds.
    pub(crate) fn not_after(&self) -> i64 {
        self.credentials.not_after
    }

    /// Shows this OCSP response with the certificate of this DER from now on (RFC 6066 §8), or none. The caller has verified it.
    pub(crate) fn staple(&self, certificate: &[u8], response: Option<&[u8]>) {
        for key in &self.credentials.keys {
            let now = key.load_full();
            if now.cert.first().is_some_and(|first| first.as_ref() == certificate) {
                let mut next = CertifiedKey::clone(&now);
                next.ocsp = response.map(<[u8]>::to_vec);
                key.store(Arc::new(next));
            }
        }
    }
}

fn verifier(
    config: &TlsHostConfig,
    profiles: &TrustProfiles,
    revocations: CurrentRevocations,
) -> Result<Option<Arc<DeviceVerifier>>, TlsError> {
    if config.client_certificate == ClientCertificate::None {
        return Ok(None);
    }
    if config.profiles.is_empty() {
        return Err(TlsError::Setting(
            "client certificates are asked for but `trust` names no file; name the CA that issues them, such as `trust = [\"ca/ca.pem\"]`, or a trust profile"
                .to_owned(),
        ));
    }
    let mandatory = config.client_certificate == ClientCertificate::Required;
    let verifier = DeviceVerifier::new(profiles.pick(&config.profiles)?, revocations, mandatory);
    Ok(Some(Arc::new(if config.names_authorities { verifier } else { verifier.without_hints() })))
}

/// The certificates of a host, the one for a client being the first whose key it can verify: RSA and ECDSA side by side.
struct Shown {
    keys: Vec<ArcSwap<CertifiedKey>>,
    not_after: i64,
}

impl Shown {
    fn load(files: &[CredentialFiles], now: i64) -> Result<Self, TlsError> {
        if files.is_empty() {
            return Err(TlsError::Setting("a TLS listener needs a `certificate` and its `key`".to_owned()));
        }
        let mut keys = Vec::with_capacity(files.len());
        let mut not_after = i64::MAX;
        for CredentialFiles { certificate, key } in files {
            let credentials = Credentials::load(certificate, key, now)?;
            if !credentials.leaf().allows_server_auth() {
                let found = format!(
                    "the certificate of `{}` may not be used by a TLS server (no serverAuth)",
                    credentials.leaf().subject().rfc4514()
                );
                let hint = "issue one with `extendedKeyUsage=serverAuth`; a device's certificate cannot be a server's";
                return Err(TlsError::file(certificate, found, hint));
            }
            not_after = not_after.min(credentials.leaf().validity().not_after);
            keys.push(ArcSwap::from(Arc::clone(&credentials.certified)));
        }
        Ok(Self { keys, not_after })
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.keys.iter().map(ArcSwap::load_full).find(fits)
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("certificates", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(server_names: &[&str], alpn: &[&str]) -> TlsHostConfig {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        TlsHostConfig {
            server_names: own(server_names),
            alpn: own(alpn),
            credentials: Vec::new(),
            client_certificate: ClientCertificate::None,
            names_authorities: true,
            profiles: Vec::new(),
        }
    }

    #[test]
    fn a_host_is_for_its_names_and_protocols() {
        let none: [&[u8]; 0] = [];
        assert!(host(&[], &[]).is_for(None, none));
        let named = host(&["mqtt.example.com", "*.eu.example.com"], &[]);
        for (name, expected) in [
            (Some("mqtt.example.com"), true),
            (Some("MQTT.Example.COM"), true),
            (Some("a.eu.example.com"), true),
            (Some("a.b.eu.example.com"), false),
            (Some(".eu.example.com"), false),
            (Some("eu.example.com"), false),
            (Some("example.com"), false),
            (None, false),
        ] {
            assert_eq!(named.is_for(name, none), expected, "{name:?}");
        }
        let both = host(&["a.example"], &["x-amzn-mqtt-ca"]);
        let offered: [&[u8]; 2] = [b"h2", b"x-amzn-mqtt-ca"];
        assert!(both.is_for(Some("a.example"), offered) && !both.is_for(Some("b.example"), offered));
        assert!(!both.is_for(Some("a.example"), none));
    }
}
