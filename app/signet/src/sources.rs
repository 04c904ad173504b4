//! Where the program learns what is revoked: the sources of all trust profiles, and the way from a shard's question to them.

use std::sync::Arc;

use signet_identity::DeviceIdentity;
use signet_net::StatusInquiry;
use signet_server::StartError;
use signet_sources::{Sources, SourcesConfig};
use signet_tls::CurrentRevocations;

use crate::config::{Config, Profile};
use crate::follow_up::FollowUp;

/// The folder of the last good copies, in `data_dir`.
const COPIES: &str = "revocation";

/// The sources of a configuration.
///
/// # Errors
/// A certificate file that cannot be used, by its words.
pub(crate) fn sources_config(config: &Config) -> Result<SourcesConfig, String> {
    Ok(SourcesConfig {
        profiles: config.profiles.iter().map(Profile::sources_config).collect::<Result<_, _>>()?,
        directory: Some(config.data_dir.join(COPIES)),
        limits: config.revocation.limits,
    })
}

/// Reads files and last good copies and begins to fetch. To be called inside of the runtime.
pub(crate) fn start_sources(
    config: &Config,
    revocations: &CurrentRevocations,
    follow_up: &Arc<FollowUp>,
) -> Result<Arc<Sources>, StartError> {
    let sources = sources_config(config).map_err(StartError::Setting)?;
    let runtime = tokio::runtime::Handle::current();
    let changes: Arc<FollowUp> = Arc::clone(follow_up);
    let started = Sources::start(&sources, revocations.clone(), changes, runtime);
    started.map(Arc::new).map_err(|error| StartError::Setting(error.to_string()))
}

/// Lets shards ask.
pub(crate) struct Inquiry(pub(crate) Arc<Sources>);

impl StatusInquiry for Inquiry {
    fn ask(&self, identity: &Arc<DeviceIdentity>, done: Box<dyn FnOnce() + Send>) {
        self.0.ask(identity, done);
    }

    fn seen(&self, identity: &Arc<DeviceIdentity>) {
        self.0.seen(identity);
    }
}
