//! How a listener speaks TLS, apart from whom it believes: versions, cipher suites, and whether secrets are written down.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{KeyLog, NoKeyLog, SupportedCipherSuite, SupportedProtocolVersion};

use crate::cipher_suite::registered_name;
use crate::key_log::KeyLogFile;
use crate::provider::{provider, versions};
use crate::{MinimumVersion, TlsError, TlsListenerConfig};

/// A cipher suite that this program can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite {
    /// As it is registered (IANA, "TLS Cipher Suites").
    pub name: &'static str,
    /// The one version that it belongs to.
    pub version: MinimumVersion,
}

/// Every cipher suite there is, best first.
pub fn cipher_suites() -> Vec<CipherSuite> {
    provider()
        .cipher_suites
        .iter()
        .filter_map(|suite| Some(CipherSuite { name: registered_name(suite.suite())?, version: version(suite) }))
        .collect()
}

fn version(suite: &SupportedCipherSuite) -> MinimumVersion {
    if suite.tls13().is_some() { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 }
}

/// What the hosts of a listener have in common.
pub(crate) struct Engine {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    key_log: Arc<dyn KeyLog>,
    alpn: Vec<String>,
}

impl Engine {
    /// # Errors
    /// A cipher suite that is not known, none at all for the versions that are to be spoken, or a file for secrets that cannot be opened.
    pub(crate) fn new(config: &TlsListenerConfig) -> Result<Self, TlsError> {
        let mut engine = Self {
            provider: provider(),
            versions: versions(config.minimum_version).to_vec(),
            alpn: config.alpn.clone(),
            key_log: match &config.key_log {
                None => Arc::new(NoKeyLog),
                Some(path) => Arc::new(KeyLogFile::open(path)?),
            },
        };
        if !config.cipher_suites.is_empty() {
            engine.restrict(&config.cipher_suites)?;
        }
        Ok(engine)
    }

    fn restrict(&mut self, names: &[String]) -> Result<(), TlsError> {
        let known = cipher_suites();
        if let Some(unknown) = names.iter().find(|wanted| !known.iter().any(|suite| suite.name == **wanted)) {
            return Err(TlsError::Setting(format!("there is no cipher suite `{unknown}`")));
        }
        let mut provider = CryptoProvider::clone(&self.provider);
        provider.cipher_suites.retain(|suite| registered_name(suite.suite()).is_some_and(|name| names.iter().any(|wanted| wanted == name)));
        // The library would agree on a version and then find that it has no suite for it.
        self.versions.retain(|spoken| provider.cipher_suites.iter().any(|suite| suite.version().version == spoken.version));
        if self.versions.is_empty() {
            return Err(TlsError::Setting("none of the `cipher_suites` is of a TLS version that is spoken here".to_owned()));
        }
        self.provider = Arc::new(provider);
        Ok(())
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    pub(crate) fn versions(&self) -> &[&'static SupportedProtocolVersion] {
        &self.versions
    }

    /// What a host speaks that is for `own` protocols.
    pub(crate) fn alpn(&self, own: &[String]) -> Vec<Vec<u8>> {
        let more = self.alpn.iter().filter(|protocol| !own.contains(protocol));
        own.iter().chain(more).map(|protocol| protocol.as_bytes().to_vec()).collect()
    }

    pub(crate) fn key_log(&self) -> Arc<dyn KeyLog> {
        Arc::clone(&self.key_log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restricted(minimum: MinimumVersion, names: &[&str]) -> Result<(usize, usize), String> {
        let host = crate::TlsHostConfig {
            server_names: Vec::new(),
            alpn: Vec::new(),
            credentials: Vec::new(),
            client_certificate: crate::ClientCertificate::None,
            names_authorities: true,
            profiles: Vec::new(),
        };
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let config = TlsListenerConfig { minimum_version: minimum, cipher_suites: names, ..TlsListenerConfig::new(host) };
        Engine::new(&config).map(|engine| (engine.provider.cipher_suites.len(), engine.versions.len())).map_err(|error| error.to_string())
    }

    #[test]
    fn suites_are_taken_by_their_registered_names_and_bring_their_version_along() {
        let both = MinimumVersion::Tls12;
        assert_eq!(restricted(both, &[]), Ok((cipher_suites().len(), 2)));
        assert_eq!(restricted(both, &["TLS_AES_128_GCM_SHA256"]), Ok((1, 1)));
        assert_eq!(restricted(both, &["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]), Ok((1, 1)));
        assert_eq!(restricted(both, &["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]), Ok((2, 2)));
        let none = restricted(MinimumVersion::Tls13, &["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]);
        assert!(none.is_err_and(|error| error.contains("spoken here")));
        assert!(restricted(both, &["TLS13_AES_128_GCM_SHA256"]).is_err_and(|error| error.contains("no cipher suite `TLS13")));
    }

    #[test]
    fn every_suite_has_a_registered_name() {
        let suites = cipher_suites();
        assert_eq!(suites.len(), provider().cipher_suites.len());
        assert!(suites.iter().all(|suite| suite.name.starts_with("TLS_")), "{suites:?}");
        assert_eq!(suites.iter().filter(|suite| suite.version == MinimumVersion::Tls13).count(), 3);
    }
}
