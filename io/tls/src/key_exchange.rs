//! Groups of the key exchange by name, as they are registered (IANA, "TLS Supported Groups").

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::{NamedGroup, SupportedProtocolVersion};

use crate::TlsError;

/// Every group of the engine.
const NAMES: [(NamedGroup, &str); 7] = [
    (NamedGroup::X25519MLKEM768, "X25519MLKEM768"),
    (NamedGroup::secp256r1MLKEM768, "SecP256r1MLKEM768"),
    (NamedGroup::X25519, "x25519"),
    (NamedGroup::secp256r1, "secp256r1"),
    (NamedGroup::secp384r1, "secp384r1"),
    (NamedGroup::MLKEM768, "MLKEM768"),
    (NamedGroup::MLKEM1024, "MLKEM1024"),
];

type Versions = Vec<&'static SupportedProtocolVersion>;

/// The names of all groups that a client can be told to offer.
#[must_use]
pub fn key_exchange_groups() -> Vec<&'static str> {
    NAMES.iter().map(|(_, name)| *name).collect()
}

/// The registered name of a group of the engine.
pub(crate) fn registered_group(group: NamedGroup) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == group).map(|(_, name)| *name)
}

/// The provider and the versions for a client that offers these groups only, best first; everything as it was with none. Upper and lower case do not
/// matter. A version that none of them is for is not spoken: those with ML-KEM are for TLS 1.3.
///
/// # Errors
/// A name that is not known, or no version that is left.
pub(crate) fn with_groups(
    names: &[String],
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<(Arc<CryptoProvider>, Versions), TlsError> {
    if names.is_empty() {
        return Ok((provider, versions.to_vec()));
    }
    let mut groups: Vec<&'static dyn SupportedKxGroup> = Vec::new();
    for name in names {
        let group = find(name)?;
        // The first place counts; no peer has to expect one twice.
        if !groups.iter().any(|known| known.name() == group.name()) {
            groups.push(group);
        }
    }
    let is_spoken = |version: &&SupportedProtocolVersion| groups.iter().any(|group| group.usable_for_version(version.version));
    let versions: Versions = versions.iter().copied().filter(is_spoken).collect();
    if versions.is_empty() {
        let written = names.join(",");
        return Err(TlsError::Setting(format!(
            "no group of `{written}` is for a TLS version that is to be spoken: those with ML-KEM are for TLS 1.3"
        )));
    }
    Ok((Arc::new(CryptoProvider { kx_groups: groups, ..CryptoProvider::clone(&provider) }), versions))
}

fn find(name: &str) -> Result<&'static dyn SupportedKxGroup, TlsError> {
    let is_meant = |group: &&dyn SupportedKxGroup| registered_group(group.name()).is_some_and(|known| known.eq_ignore_ascii_case(name));
    aws_lc_rs::ALL_KX_GROUPS.iter().copied().find(is_meant).ok_or_else(|| {
        let known = key_exchange_groups().join(", ");
        TlsError::Setting(format!("there is no group `{}` of the key exchange, expected of: {known}", name.escape_debug()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MinimumVersion;
    use crate::provider::{provider, versions};

    /// Names of the groups that are offered, and how many versions.
    fn offered(names: &[&str], versions: &[&'static SupportedProtocolVersion]) -> Result<(Vec<&'static str>, usize), String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (provider, versions) = with_groups(&names, provider(), versions).map_err(|error| error.to_string())?;
        Ok((provider.kx_groups.iter().filter_map(|group| registered_group(group.name())).collect(), versions.len()))
    }

    #[test]
    fn groups_are_offered_in_the_order_they_are_named_in() {
        let both = versions(MinimumVersion::Tls12);
        assert_eq!(offered(&["secp384r1", "X25519", "secp384R1"], both), Ok((vec!["secp384r1", "x25519"], 2)));
        let all = provider().kx_groups.len();
        assert_eq!(offered(&[], both).map(|(groups, versions)| (groups.len(), versions)), Ok((all, 2)));
    }

    #[test]
    fn a_group_brings_its_versions_along() {
        let both = versions(MinimumVersion::Tls12);
        assert_eq!(offered(&["x25519mlkem768"], both), Ok((vec!["X25519MLKEM768"], 1)));
        assert_eq!(offered(&["mlkem1024", "secp256r1"], both), Ok((vec!["MLKEM1024", "secp256r1"], 2)));
        let none = offered(&["X25519MLKEM768"], &[&rustls::version::TLS12]);
        assert!(none.is_err_and(|error| error.contains("`X25519MLKEM768`") && error.contains("TLS 1.3")));
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = offered(&["x25519", "p-256"], versions(MinimumVersion::Tls12)).unwrap_err();
        assert!(error.contains("`p-256`") && key_exchange_groups().iter().all(|name| error.contains(name)), "{error}");
    }

    #[test]
    fn every_group_of_the_engine_has_a_name() {
        assert_eq!(aws_lc_rs::ALL_KX_GROUPS.len(), NAMES.len());
        assert!(aws_lc_rs::ALL_KX_GROUPS.iter().all(|group| registered_group(group.name()).is_some()));
    }
}
