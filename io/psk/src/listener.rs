//! One listener's keys and rules.

use std::path::PathBuf;
use std::sync::Arc;

use signet_identity::KeyedPeer;
use signet_tls::{CurrentRevocations, KeyLogFile, MinimumVersion, Refusal, TlsError};

use crate::engine::{self, Context};
use crate::file::{PskFile, PskFileConfig};
use crate::lookup::PskLookup;

/// Who has keys on a listener.
#[derive(Clone)]
pub struct PskConfig {
    /// A file of keys. What it has counts, whatever `lookup` would say.
    pub file: Option<PskFileConfig>,
    /// Who is asked for the keys that are not in the file.
    pub lookup: Option<Arc<dyn PskLookup>>,
    /// The oldest TLS version spoken.
    pub minimum_version: MinimumVersion,
    /// Where the secrets of every connection are written, for whoever has to decrypt recordings.
    pub key_log: Option<PathBuf>,
}

/// Whether this build can serve listeners with pre-shared keys.
#[must_use]
pub fn is_available() -> bool {
    engine::IS_AVAILABLE
}

/// One listener with pre-shared keys, loaded.
pub struct PskListener {
    pub(crate) file: Option<PskFile>,
    pub(crate) lookup: Option<Arc<dyn PskLookup>>,
    pub(crate) minimum_version: MinimumVersion,
    pub(crate) context: Context,
    revocations: CurrentRevocations,
}

/// Why a connection that was let in may not go on.
#[derive(Debug)]
pub enum PskEnding {
    /// Its key is not kept any more, or is another one.
    KeyChanged(String),
    /// Its device is suspended.
    Suspended(Box<Refusal>),
}

impl PskListener {
    /// Loads the keys. Of what is revoked, only suspensions are about names.
    ///
    /// # Errors
    /// A file that cannot be used, neither file nor look-up, or a build without OpenSSL.
    pub fn load(config: &PskConfig, revocations: CurrentRevocations) -> Result<Self, TlsError> {
        if config.file.is_none() && config.lookup.is_none() {
            return Err(TlsError::Setting("a listener with pre-shared keys needs a file of keys, or somebody to ask for them".to_owned()));
        }
        Ok(Self {
            context: Context::new(config.key_log.as_deref().map(KeyLogFile::open).transpose()?)?,
            file: config.file.as_ref().map(PskFile::load).transpose()?,
            lookup: config.lookup.clone(),
            minimum_version: config.minimum_version,
            revocations,
        })
    }

    /// Whether a device that proved that it holds its key may be here, now.
    ///
    /// # Errors
    /// Why not.
    pub fn check_open(&self, peer: &KeyedPeer) -> Result<(), PskEnding> {
        let name = peer.name();
        let changed = |words: &str| Err(PskEnding::KeyChanged(format!("the pre-shared key of `{name}` {words}")));
        let kept = self.file.as_ref().and_then(|file| file.mark(name));
        match (peer.mark(), kept) {
            (Some(had), Some(has)) if had != has => return changed("is another one by now"),
            (Some(_), None) => return changed("is not kept here any more"),
            (None, Some(_)) => return changed("is kept in a file by now, and it was another one's word before"),
            (None, None) if self.lookup.is_none() => return changed("comes from nobody any more"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.revocations.check_name(name).map_err(PskEnding::Suspended)
    }
}

impl std::fmt::Debug for PskListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PskListener").field("file", &self.file).finish_non_exhaustive()
    }
}
