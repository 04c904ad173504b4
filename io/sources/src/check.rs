//! Reading a file as the sources would, without putting anything in force: for whoever checks a configuration.

use std::path::Path;

use signet_revocation::Crl;

use crate::config::{ProfileSources, SourceLimits};
use crate::profile::Profile;
use crate::{apply, files};

/// Reads every CRL of a file and verifies it for the profile.
///
/// # Errors
/// What is wrong with the file, or with the profile's certificates.
pub fn read_file(path: &Path, profile: &ProfileSources) -> Result<Vec<Crl>, String> {
    let profile = Profile::read(profile).map_err(|error| error.to_string())?;
    apply::read(&files::read(path, SourceLimits::default().maximum_size)?, &profile)
}
