//! Whom to tell that more is known.

use std::sync::Arc;

use signet_identity::PathCertificate;

/// A list came into force, or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListChange {
    /// The profile's name.
    pub profile: Arc<str>,
    /// The file or address.
    pub address: String,
    /// How many lists are in force from it now, deltas counted too.
    pub lists: usize,
}

/// Whoever holds connections. Called when the index has it already, from a thread that may wait a little; not called when a fetch brought the
/// list that is in force.
pub trait Changes: Send + Sync {
    /// Lists changed: every connection of a certificate that they might speak for is to be judged again.
    fn lists_changed(&self, change: &ListChange);

    /// An OCSP answer about this certificate came, other than the one before and not "good": its connections are to be judged again.
    fn answer_changed(&self, certificate: &PathCertificate);

    /// Whether a device with this certificate in its path is connected: then its OCSP answer is renewed before it ends. Others are renewed as
    /// long as they were used in the last hour.
    fn is_live(&self, certificate: &PathCertificate) -> bool {
        let _ = certificate;
        false
    }
}
