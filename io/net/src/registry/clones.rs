//! One certificate that two hold at once.
//!
//! A private key that was copied shows in two ways:
//! - two connections with the same certificate and different Client Identifiers are alive at the same time;
//! - two take one session over from each other, again and again, because both use the Client Identifier that the certificate allows. One
//!   take-over from another address is a device that roams; back to an address that was left a short while ago is an alternation.
//!
//! What cannot be seen: copies behind one address (network address translation, a proxy that does not forward addresses) which use the same
//! Client Identifier look like a device that reconnects often. And a device that chooses a new Client Identifier for every connection, while
//! its previous connection is not yet found dead, looks like two.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use signet_identity::CertificateId;

use super::entry::{ConnectionInfo, LinkId};
use super::index::{Key, Live};
use crate::PeerAddress;

/// What is to be done about a certificate that is in use twice at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClonePolicy {
    /// Nothing: devices share certificates on purpose. It is counted.
    #[default]
    Allow,
    /// Both stay, and a log line and the counter say so.
    Alarm,
    /// The one that came later is refused.
    RefuseNewer,
    /// The device is suspended, which ends all its connections.
    Suspend,
}

/// When back and forth between addresses is an alternation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloneRules {
    /// What is to be done.
    pub policy: ClonePolicy,
    /// Back at an address after at most so many seconds is an alternation. 0 turns this off; default [`Self::ALTERNATION`].
    pub alternation: u32,
}

impl CloneRules {
    /// Ten minutes.
    pub const ALTERNATION: u32 = 600;
}

impl Default for CloneRules {
    fn default() -> Self {
        Self { policy: ClonePolicy::default(), alternation: Self::ALTERNATION }
    }
}

impl From<ClonePolicy> for CloneRules {
    fn from(policy: ClonePolicy) -> Self {
        Self { policy, ..Self::default() }
    }
}

/// What shows that a certificate is in use twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloneEvidence {
    /// Another connection with the certificate is alive under another Client Identifier.
    TwoIdentifiers {
        /// That connection.
        other: LinkId,
        /// Its Client Identifier.
        client_identifier: Arc<str>,
        /// Where it comes from.
        address: PeerAddress,
    },
    /// The session is taken over from an address to which it went from here a short while ago.
    Alternation {
        /// The connection that holds the session.
        other: LinkId,
        /// Where that one comes from.
        address: PeerAddress,
        /// How many seconds ago the session went away from here.
        seconds: i64,
    },
}

/// Completes the sentence "the certificate is in use twice: …".
impl std::fmt::Display for CloneEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TwoIdentifiers { other, client_identifier, address } => {
                write!(f, "connection {} from {address} is alive with the Client Identifier `{client_identifier}`", other.number())
            }
            Self::Alternation { other, address, seconds } => {
                write!(f, "the session went to {address} (connection {}) only {seconds} seconds ago and comes back", other.number())
            }
        }
    }
}

/// The answer when a Client Identifier is noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloneVerdict {
    /// Nobody else uses the certificate, as far as can be seen.
    Single,
    /// Somebody does. The caller does what the policy says; of [`ClonePolicy::RefuseNewer`] the Client Identifier was not noted.
    Cloned {
        /// What is to be done.
        policy: ClonePolicy,
        /// What shows it.
        evidence: CloneEvidence,
    },
}

/// How often certificates were found in use twice since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneCounts {
    /// With two Client Identifiers at once.
    pub two_identifiers: u64,
    /// By alternation between addresses.
    pub alternations: u64,
}

/// Other connections of the certificate that are compared with a new one. The first with another Client Identifier decides; a fleet that shares
/// one certificate must not make every CONNECT look at all of them.
const COMPARED: usize = 16;

/// Certificates whose latest take-overs are remembered. The oldest gives way. About 200 octets each.
const TAKE_OVERS_MAXIMUM: usize = 16_384;

/// Addresses remembered of one certificate.
const ADDRESSES_MAXIMUM: usize = 4;

/// Where a session was, and when it left.
#[derive(Clone, Copy)]
struct Departure {
    from: Option<IpAddr>,
    at: i64,
}

/// Recent take-overs from another address.
#[derive(Default)]
pub(super) struct Clones {
    departures: HashMap<CertificateId, Vec<Departure>, RandomState>,
    /// The keys of `departures`, the oldest first.
    order: VecDeque<CertificateId>,
    counts: CloneCounts,
}

impl Clones {
    pub(super) fn counts(&self) -> CloneCounts {
        self.counts
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        (self.departures.len(), self.order.len())
    }

    /// Judges a connection that is about to use a Client Identifier. `now` in unix seconds.
    pub(super) fn judge(&mut self, live: &Live, link: LinkId, client_identifier: &str, rules: CloneRules, now: i64) -> CloneVerdict {
        let Some(info) = live.get(link) else { return CloneVerdict::Single };
        let Some(certificate) = info.entry.peer.identity().map(|identity| identity.certificate()) else { return CloneVerdict::Single };
        let evidence = match others(live, info, certificate, client_identifier) {
            Others::Different(evidence) => {
                self.counts.two_identifiers = self.counts.two_identifiers.saturating_add(1);
                Some(evidence)
            }
            Others::TakenOver(older) => {
                let found = self.taken_over(&older, &info.entry.address, certificate, rules, now);
                if found.is_some() {
                    self.counts.alternations = self.counts.alternations.saturating_add(1);
                }
                found
            }
            Others::Nobody => None,
        };
        match evidence {
            Some(evidence) => CloneVerdict::Cloned { policy: rules.policy, evidence },
            None => CloneVerdict::Single,
        }
    }

    fn taken_over(
        &mut self,
        older: &ConnectionInfo,
        address: &PeerAddress,
        certificate: CertificateId,
        rules: CloneRules,
        now: i64,
    ) -> Option<CloneEvidence> {
        let (from, to) = (ip(&older.entry.address), ip(address));
        if from == to {
            return None;
        }
        let window = i64::from(rules.alternation);
        let departures = self.departures.entry(certificate).or_insert_with(|| {
            self.order.push_back(certificate);
            Vec::new()
        });
        departures.retain(|departure| now.saturating_sub(departure.at) <= window);
        let back = departures.iter_mut().find(|departure| departure.from == to && window > 0);
        let evidence = back.map(|departure| {
            let seconds = now.saturating_sub(departure.at);
            // It goes on for as long as somebody tries.
            departure.at = now;
            CloneEvidence::Alternation { other: older.entry.link, address: older.entry.address, seconds }
        });
        // One that is refused takes nothing over.
        if evidence.is_none() || rules.policy != ClonePolicy::RefuseNewer {
            departures.retain(|departure| departure.from != from);
            if departures.len() == ADDRESSES_MAXIMUM {
                departures.remove(0);
            }
            departures.push(Departure { from, at: now });
        }
        while self.order.len() > TAKE_OVERS_MAXIMUM {
            if let Some(oldest) = self.order.pop_front() {
                self.departures.remove(&oldest);
            }
        }
        evidence
    }
}

enum Others {
    Nobody,
    /// Alive under another Client Identifier.
    Different(CloneEvidence),
    /// Alive under the same one: its session is about to be taken over.
    TakenOver(Arc<ConnectionInfo>),
}

fn others(live: &Live, info: &ConnectionInfo, certificate: CertificateId, client_identifier: &str) -> Others {
    let key = Key::Certificate(certificate);
    let mut same = None;
    // The leaf's id: an issuer's certificate is in many paths, but it is nobody's own.
    let others = live.candidates(&key).take(COMPARED).filter(|other| *other != info.entry.link).filter_map(|other| live.get(other));
    for other in others.filter(|other| other.entry.peer.identity().is_some_and(|identity| identity.certificate() == certificate)) {
        match &other.client_identifier {
            Some(identifier) if **identifier == *client_identifier => same = Some(Arc::clone(other)),
            Some(identifier) => {
                return Others::Different(CloneEvidence::TwoIdentifiers {
                    other: other.entry.link,
                    client_identifier: Arc::clone(identifier),
                    address: other.entry.address,
                });
            }
            // It has not said who it is; when it does, it is compared with this one.
            None => {}
        }
    }
    same.map_or(Others::Nobody, Others::TakenOver)
}

/// The port is another one for every connection. Unix sockets are one place.
fn ip(address: &PeerAddress) -> Option<IpAddr> {
    match address {
        PeerAddress::Ip(address) => Some(address.ip().to_canonical()),
        PeerAddress::Unix(_) => None,
    }
}
