//! Why sources cannot be started or replaced: something of the configuration is wrong, and nothing was changed.

use std::path::PathBuf;

/// What of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A CRL file.
    #[error("the CRL file `{path}` of profile `{profile}` {found}")]
    File {
        /// The profile's name.
        profile: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// An issuer's certificate.
    #[error("certificate {position} of the issuers of profile `{profile}` cannot be used: {found}")]
    Issuer {
        /// The profile's name.
        profile: String,
        /// Which one, from 1, the indirect issuers after the others.
        position: usize,
        /// What is wrong with it.
        found: String,
    },
    /// The CAs of https servers.
    #[error("`https_trust` of profile `{profile}` cannot be used: {found}")]
    HttpsTrust {
        /// The profile's name.
        profile: String,
        /// What is wrong with it.
        found: String,
    },
    /// Our own certificate, about which nobody can be asked.
    #[error("no OCSP response can be stapled for `{name}`: {found}")]
    Staple {
        /// The staple's name.
        name: String,
        /// What is wrong.
        found: String,
    },
    /// Two profiles of one name.
    #[error("two profiles are named `{profile}`")]
    Twice {
        /// The name.
        profile: String,
    },
    /// The directory of the copies.
    #[error("the directory `{path}` for copies of fetched lists cannot be used: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
