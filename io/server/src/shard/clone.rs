//! A certificate that two use at once: what its trust profile says happens.

use signet_net::{ClonePolicy, CloneVerdict, LinkId, unix_seconds};
use signet_policy::Client;
use signet_tls::{Check, Refusal};

use super::Shard;
use crate::config::CloneAlarm;

impl Shard {
    /// Notes the names of a CONNECT that was admitted. A refusal: the certificate is in use by somebody else, and who came later has to
    /// go.
    pub(super) fn note_names(&self, id: LinkId, client: &Client) -> Option<Refusal> {
        let client_identifier = client.client_identifier().as_str();
        let link = self.links.get(&id)?;
        let identity = link.peer.as_ref().and_then(|peer| peer.identity());
        let rules = link.listener().rules();
        let rules = identity.and_then(|identity| rules.settings(identity.profile())).map(|settings| settings.clones).unwrap_or_default();
        let verdict = self.shared.registry.identify(id, client_identifier, client.username(), rules, unix_seconds());
        let (CloneVerdict::Cloned { policy, evidence }, Some(identity)) = (verdict, identity) else { return None };
        let found = format!("the certificate is in use twice: {evidence}");
        let (device, serial) = (identity.qualified_name().into_owned(), identity.certificate().serial().to_string());
        match policy {
            ClonePolicy::Allow => None,
            ClonePolicy::Alarm => {
                tracing::warn!(target: "signet::clone", connection = id.number(), address = %link.address, device, serial, client_identifier, "{found}");
                None
            }
            ClonePolicy::RefuseNewer => {
                let hint = "somebody has a copy of the key: issue the device a new certificate and revoke this one; or let `clones` of the trust profile allow it";
                Some(Refusal::of(identity.leaf(), Check::Clone, found, hint))
            }
            ClonePolicy::Suspend => {
                tracing::error!(target: "signet::clone", connection = id.number(), address = %link.address, device, serial, client_identifier, "{found}; the device is suspended");
                (self.shared.on_clone)(CloneAlarm { device: device.clone(), serial, evidence: evidence.to_string() });
                let hint = format!("issue the device a new certificate, revoke this one, then `signet device resume {device}`");
                Some(Refusal::of(identity.leaf(), Check::Clone, found, hint))
            }
        }
    }
}
