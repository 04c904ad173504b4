//! OCSP responses about the server's own certificates, for listeners with `ocsp_stapling`.

use std::sync::{Arc, Mutex, PoisonError};

use signet_identity::Leaf;
use signet_server::ServerHandle;
use signet_sources::{ProfileSources, Sources, Staple, StapleConfig, Stapled};
use signet_tls::ListenerTls;

use crate::config::Config;

/// What is kept current.
pub(crate) struct Staples(Mutex<Vec<Staple>>);

impl Staples {
    /// Begins to fetch.
    pub(crate) fn start(sources: &Sources, config: &Config, server: &ServerHandle) -> Self {
        let staples = Self(Mutex::default());
        staples.replace(sources, config, server);
        staples
    }

    /// The same for what the server shows now, in place of what it showed before.
    pub(crate) fn replace(&self, sources: &Sources, config: &Config, server: &ServerHandle) {
        let mut staples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two of one name must not be there at once.
        staples.clear();
        for (name, tls) in server.tls() {
            let wants =
                |listener: &crate::config::Listener| *listener.name == *name && listener.tls.as_ref().is_some_and(|tls| tls.staples);
            if config.listeners.iter().any(wants) {
                staples.extend(of_listener(sources, config, &name, &tls));
            }
        }
    }
}

/// One for each certificate that the listener shows. What cannot be asked about is a warning: clients do without.
fn of_listener(sources: &Sources, config: &Config, listener: &str, tls: &Arc<ListenerTls>) -> Vec<Staple> {
    let mut staples = Vec::new();
    for (index, chain) in tls.chains().into_iter().enumerate() {
        let Some(certificate) = chain.first().map(|der| der.to_vec()) else { continue };
        let Some(issuer) = chain.get(1).map(|der| der.to_vec()).or_else(|| issuer_of(config, &certificate)) else {
            tracing::warn!(listener, "no OCSP response is stapled: put the issuer's certificate behind the server's own in its file");
            continue;
        };
        let staple = StapleConfig {
            name: if index == 0 { listener.into() } else { format!("{listener} {}", index + 1).into() },
            certificate: certificate.clone(),
            issuer,
            responder: None,
            timeout: ProfileSources::TIMEOUT,
        };
        let tls = Arc::clone(tls);
        let stapled: Stapled = Arc::new(move |response| tls.staple(&certificate, response.as_deref()));
        match sources.staple(&staple, stapled) {
            Ok(staple) => staples.push(staple),
            Err(error) => tracing::warn!(listener, "{error}"),
        }
    }
    staples
}

/// Who issued a certificate, if it is one of the authorities that the configuration knows.
fn issuer_of(config: &Config, certificate: &[u8]) -> Option<Vec<u8>> {
    let leaf = Leaf::parse(certificate).ok()?;
    let sources = config.profiles.iter().filter_map(|profile| profile.sources_config().ok());
    let authorities = sources.flat_map(|sources| sources.issuers);
    authorities.into_iter().find(|der| Leaf::parse(der).is_ok_and(|authority| authority.subject_name_digest() == leaf.issuer_name_digest()))
}
