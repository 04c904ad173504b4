//! The configuration, read and checked as a whole before anything of it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_identity::{AuthorityId, Leaf};
use signet_revocation::IssuerCertificate;
use signet_tls::{Connector, ConnectorConfig};
use tokio::sync::Semaphore;

use crate::config::{Ocsp, ProfileSources, SourceLimits, SourcesConfig};
use crate::copies::Copies;
use crate::error::SourceError;
use crate::http::Bounds;

/// What is in force of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) profiles: BTreeMap<Arc<str>, Arc<Profile>>,
    pub(crate) copies: Copies,
    pub(crate) limits: SourceLimits,
    /// Fetches of lists at once.
    pub(crate) list_places: Arc<Semaphore>,
    /// Questions to responders at once: apart, so that no long list holds up a device.
    pub(crate) ocsp_places: Arc<Semaphore>,
}

/// A trust profile with its certificates read.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) config: ProfileSources,
    pub(crate) issuers: Vec<IssuerCertificate>,
    /// The issuers and the indirect issuers: whoever may sign a list.
    pub(crate) signers: Vec<IssuerCertificate>,
    /// Whose lists speak for the certificates of every issuer.
    pub(crate) indirect: BTreeSet<AuthorityId>,
    pub(crate) https: Option<Connector>,
}

impl Settings {
    pub(crate) fn read(config: &SourcesConfig) -> Result<Self, SourceError> {
        let mut profiles = BTreeMap::new();
        for profile in &config.profiles {
            let name = Arc::clone(&profile.name);
            if profiles.insert(name, Arc::new(Profile::read(profile)?)).is_some() {
                return Err(SourceError::Twice { profile: profile.name.to_string() });
            }
        }
        let copies = Copies::open(config.directory.as_deref())
            .map_err(|source| SourceError::Directory { path: config.directory.clone().unwrap_or_default(), source })?;
        let places = || Arc::new(Semaphore::new(config.limits.concurrent_fetches.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self { profiles, copies, limits: config.limits, list_places: places(), ocsp_places: places() })
    }

    /// Every CA certificate that any profile knows.
    pub(crate) fn authorities(&self) -> Vec<Leaf> {
        let all = self.profiles.values().flat_map(|profile| &profile.signers);
        all.map(|issuer| issuer.leaf().clone()).collect()
    }
}

impl Profile {
    pub(crate) fn read(config: &ProfileSources) -> Result<Self, SourceError> {
        let profile = || config.name.to_string();
        let certificate = |(place, der): (usize, &Vec<u8>)| {
            IssuerCertificate::parse(der).map_err(|error| SourceError::Issuer {
                profile: profile(),
                position: place + 1,
                found: error.to_string(),
            })
        };
        let all = config.issuers.iter().chain(&config.indirect_issuers).enumerate();
        let signers: Vec<IssuerCertificate> = all.map(certificate).collect::<Result<_, _>>()?;
        let (issuers, indirect) = signers.split_at_checked(config.issuers.len()).unwrap_or_default();
        let indirect = indirect.iter().map(|issuer| issuer.leaf().authority_id()).collect();
        let fetches = !config.urls.is_empty() || config.from_certificates || config.ocsp != Ocsp::Off;
        // The system's bundle takes a while to read; who fetches nothing needs none.
        let trust = ConnectorConfig { ca_files: config.https_trust.iter().cloned().collect(), ..ConnectorConfig::default() };
        let https = if fetches || config.https_trust.is_some() { signet_http::connector(&trust) } else { Ok(None) };
        let https = https.map_err(|found| SourceError::HttpsTrust { profile: profile(), found })?;
        Ok(Self { config: config.clone(), issuers: issuers.to_vec(), indirect, signers, https })
    }

    pub(crate) fn bounds(&self, limits: &SourceLimits) -> Bounds {
        Bounds { timeout: self.config.timeout, maximum_size: limits.maximum_size }
    }

    /// Whether certificates may send us to this host.
    pub(crate) fn allows(&self, url: &signet_http::Url) -> bool {
        self.config.allow_hosts.as_ref().is_none_or(|hosts| url.is_allowed(hosts))
    }

    pub(crate) fn knows_signer(&self, authority: &AuthorityId) -> bool {
        self.signers.iter().any(|signer| signer.leaf().authority_id() == *authority)
    }
}
