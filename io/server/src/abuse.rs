//! Who tries too often, and is not listened to for a while.
//!
//! An attempt that fails counts against what is proven about whoever made it, and against nothing else: against the certificate, where one was
//! verified (or a pre-shared key), and against the address otherwise. Nobody is held off for a name that a client claims, so nobody can be locked out by somebody
//! who claims his name. Three rules follow:
//! - Whoever shows a verified certificate is never refused for what others did at its address, and what it does wrong itself is not held
//!   against its address: one bad device does not lock out its site.
//! - A handshake that fails proves nothing and counts against nobody. A certificate cannot be guessed, and there is nobody to protect.
//! - How often somebody connects is counted when it is known who that is: against the device or the user, after whoever has to has vouched.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest;
use signet_identity::{Leaf, Peer};
use signet_net::{PeerAddress, Source};
use signet_policy::{DenialReason, Denied, Principal, shown};
use signet_tls::{Check, Refusal};

use crate::gate::origin;

mod ledger;

use ledger::{Held, Hold, Ledger, Rules};

/// Bounds of what may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbuseLimits {
    /// Failed attempts of an address (IPv6: of a /64), or of a certificate, within [`Self::attempts_window`]; with the last of them it is held
    /// off. 0 is no bound. Default 20.
    pub attempts_maximum: u32,
    /// Begins with the first of them. Default 1 minute.
    pub attempts_window: Duration,
    /// Addresses that are never held off. By default the machine's own: a proxy there speaks for many.
    pub attempts_exempt: Vec<Source>,
    /// How long the first time; it doubles each time. Default 30 seconds.
    pub hold_off: Duration,
    /// How long at most, and how long after it that is remembered. Default 15 minutes.
    pub hold_off_maximum: Duration,
    /// Connections per minute of one device or user. 0 (the default) is no bound.
    pub identity_connect_rate: u32,
    /// Connections of one device or user that end within [`Self::flapping_window`]; with the last of them it is held off. 0 (the default) is
    /// no bound.
    pub flapping_maximum: u32,
    /// Begins with the first of them. Default 1 minute.
    pub flapping_window: Duration,
    /// How long. Default 5 minutes.
    pub flapping_hold_off: Duration,
}

impl Default for AbuseLimits {
    fn default() -> Self {
        let own = [IpAddr::from([127, 0, 0, 0]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
        Self {
            attempts_maximum: 20,
            attempts_window: Duration::from_secs(60),
            attempts_exempt: own.into_iter().zip([8, 128]).map(|(address, prefix)| Source::Network { address, prefix }).collect(),
            hold_off: Duration::from_secs(30),
            hold_off_maximum: Duration::from_secs(900),
            identity_connect_rate: 0,
            flapping_maximum: 0,
            flapping_window: Duration::from_secs(60),
            flapping_hold_off: Duration::from_secs(300),
        }
    }
}

/// The window of [`AbuseLimits::identity_connect_rate`].
const MINUTE: Duration = Duration::from_secs(60);

/// What is counted against whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    /// Failed attempts of an address.
    Address,
    /// Failed attempts of a certificate, or of a pre-shared key.
    Certificate,
    /// Connections of a device or user, of which it may make so many per minute.
    ConnectRate,
    /// Connections of a device or user that ended soon, again and again.
    Flapping,
}

impl HoldKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Address, Self::Certificate, Self::ConnectRate, Self::Flapping];

    /// For metrics and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Certificate => "certificate",
            Self::ConnectRate => "connect rate",
            Self::Flapping => "flapping",
        }
    }
}

/// Somebody who is held off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOff {
    /// Why.
    pub kind: HoldKind,
    /// Who: an address, the device of a certificate, a device or a user.
    pub who: String,
    /// Until then, Unix milliseconds.
    pub until: u64,
    /// How often by now.
    pub times: u32,
    /// Nobody was told of this time yet.
    pub(crate) is_news: bool,
}

/// Numbers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldCounts {
    /// What was counted: failed attempts, connections, ends of connections.
    pub noted: u64,
    /// How often somebody was held off.
    pub holds: u64,
    /// Who is held off now.
    pub held: u64,
}

/// Whom an attempt is counted against.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Suspect {
    /// All that is known is where it came from.
    Address(IpAddr),
    /// Whoever has the key of a certificate, or a pre-shared key: what identifies it, and its device's name.
    Certificate(Digest, String),
}

/// Stands for a certificate or an identity, so that no record is as long as a name can be.
type Digest = [u8; 32];

/// What is written down against whom. Shared by all shards, which touch it when somebody connects and at no other time.
#[derive(Debug)]
pub(crate) struct Abuse {
    exempt: Vec<Source>,
    addresses: Ledger<IpAddr>,
    certificates: Ledger<Digest>,
    connects: Ledger<Digest>,
    flapping: Ledger<Digest>,
}

impl Abuse {
    pub(crate) fn new(limits: &AbuseLimits) -> Self {
        let doubling = Hold::Doubling { first: milliseconds(limits.hold_off), most: milliseconds(limits.hold_off_maximum) };
        let attempts = Rules { maximum: limits.attempts_maximum, window: milliseconds(limits.attempts_window), hold: doubling };
        let rate = Rules { maximum: limits.identity_connect_rate, window: milliseconds(MINUTE), hold: Hold::UntilWindowEnds };
        let hold_off = milliseconds(limits.flapping_hold_off);
        let flapping = Rules {
            maximum: limits.flapping_maximum,
            window: milliseconds(limits.flapping_window),
            hold: Hold::Doubling { first: hold_off, most: hold_off },
        };
        Self {
            exempt: limits.attempts_exempt.clone(),
            addresses: Ledger::new(attempts),
            certificates: Ledger::new(attempts),
            connects: Ledger::new(rate),
            flapping: Ledger::new(flapping),
        }
    }

    /// Whom the attempts of a client count against; `None`: nobody. A peer proves its certificate, or the key that it shares with us, by its
    /// handshake; of one that a trusted proxy names the proxy has seen the certificate.
    fn suspect(&self, address: &PeerAddress, peer: &Peer) -> Option<Suspect> {
        match peer {
            Peer::Device(_) | Peer::Pending(_) => {
                let identity = peer.identity()?;
                Some(Suspect::Certificate(*identity.leaf().fingerprint().as_bytes(), identity.qualified_name()))
            }
            Peer::Named(named) => Some(Suspect::Certificate(digest_of("named", named.name().as_str()), named.name().to_string())),
            Peer::Keyed(keyed) => Some(Suspect::Certificate(digest_of("keyed", keyed.name().as_str()), keyed.name().to_string())),
            Peer::Anonymous(_) => self.address(address).map(Suspect::Address),
        }
    }

    /// The address that is counted against; `None` for one that is exempt, and where there are no addresses.
    fn address(&self, address: &PeerAddress) -> Option<IpAddr> {
        if self.exempt.iter().any(|source| source.contains(address)) {
            return None;
        }
        origin(address)
    }

    /// Whether a client may try to connect, and whether it is worth while to find out if it may. `now` in Unix milliseconds, here and below.
    pub(crate) fn may_try(&self, address: &PeerAddress, peer: &Peer, now: u64) -> Result<(), HeldOff> {
        // Most servers never hold anybody off, and whom an attempt counts against takes time to say.
        let has_held = if matches!(peer, Peer::Anonymous(_)) { self.addresses.has_held() } else { self.certificates.has_held() };
        if !has_held {
            return Ok(());
        }
        self.suspect(address, peer).map_or(Ok(()), |suspect| self.check(&suspect, now))
    }

    fn check(&self, suspect: &Suspect, now: u64) -> Result<(), HeldOff> {
        let held = match suspect {
            Suspect::Address(address) => self.addresses.check(address, now).map(|held| (HoldKind::Address, held)),
            Suspect::Certificate(certificate, _) => self.certificates.check(certificate, now).map(|held| (HoldKind::Certificate, held)),
        };
        refuse(held)
    }

    /// Whether a connection from there, of whoever, may be let into a listener that looks at no certificates.
    pub(crate) fn may_open(&self, address: &PeerAddress, now: u64) -> Result<(), HeldOff> {
        self.address(address).map_or(Ok(()), |address| self.check(&Suspect::Address(address), now))
    }

    /// A CONNECT was refused: counts it, if it was an attempt.
    pub(crate) fn note_refusal(&self, address: &PeerAddress, peer: Option<&Peer>, denied: &Denied, now: u64) {
        if let Some(suspect) = peer.filter(|_| is_attempt(denied)).and_then(|peer| self.suspect(address, peer)) {
            self.failed(&suspect, now);
        }
    }

    /// Somebody without a certificate was refused elsewhere than by a CONNECT: counts it like one.
    pub(crate) fn note_stranger(&self, address: &PeerAddress, denied: &Denied, now: u64) {
        if let Some(address) = self.address(address).filter(|_| is_attempt(denied)) {
            self.failed(&Suspect::Address(address), now);
        }
    }

    fn failed(&self, suspect: &Suspect, now: u64) {
        match suspect {
            Suspect::Address(address) => drop(self.addresses.note(address, || address_text(*address), now)),
            Suspect::Certificate(certificate, device) => drop(self.certificates.note(certificate, || shown(device), now)),
        }
    }

    /// Somebody whose identity is proven connects, if it may.
    pub(crate) fn connected(&self, principal: &Principal, now: u64) -> Result<(), HeldOff> {
        if !self.flapping.is_on() && !self.connects.is_on() {
            return Ok(());
        }
        let Some((identity, name)) = identity(principal) else { return Ok(()) };
        refuse(self.flapping.check(&identity, now).map(|held| (HoldKind::Flapping, held)))?;
        refuse(self.connects.check(&identity, now).map(|held| (HoldKind::ConnectRate, held)))?;
        self.connects.note(&identity, || shown(&name), now);
        Ok(())
    }

    /// The connection of somebody whose identity is proven has ended, and not because the server wanted it to.
    pub(crate) fn disconnected(&self, principal: &Principal, now: u64) {
        if !self.flapping.is_on() {
            return;
        }
        if let Some((identity, name)) = identity(principal) {
            self.flapping.note(&identity, || shown(&name), now);
        }
    }

    /// Who is held off, those of each kind by name.
    pub(crate) fn held(&self, now: u64) -> Vec<HeldOff> {
        let mut all: Vec<HeldOff> = HoldKind::ALL.into_iter().flat_map(|kind| self.held_by(kind, now)).collect();
        all.sort_by(|one, other| (one.kind.name(), &one.who).cmp(&(other.kind.name(), &other.who)));
        all
    }

    fn held_by(&self, kind: HoldKind, now: u64) -> Vec<HeldOff> {
        let held = match kind {
            HoldKind::Address => self.addresses.held(now),
            HoldKind::Certificate => self.certificates.held(now),
            HoldKind::ConnectRate => self.connects.held(now),
            HoldKind::Flapping => self.flapping.held(now),
        };
        held.into_iter().map(|held| held_off(kind, held)).collect()
    }

    /// Forgets what there is against somebody, or everybody; says how many holds that ended.
    pub(crate) fn forgive(&self, who: Option<&str>, now: u64) -> usize {
        let wanted = |name: &str| who.is_none_or(|who| who == name);
        self.addresses.forgive(wanted, now)
            + self.certificates.forgive(wanted, now)
            + self.connects.forgive(wanted, now)
            + self.flapping.forgive(wanted, now)
    }

    /// Numbers of each kind; every kind is there.
    pub(crate) fn counts(&self, now: u64) -> Vec<(HoldKind, HoldCounts)> {
        let counts = |kind| {
            let (noted, holds) = match kind {
                HoldKind::Address => self.addresses.counts(),
                HoldKind::Certificate => self.certificates.counts(),
                HoldKind::ConnectRate => self.connects.counts(),
                HoldKind::Flapping => self.flapping.counts(),
            };
            HoldCounts { noted, holds, held: crate::counters::wide(self.held_by(kind, now).len()) }
        };
        HoldKind::ALL.map(|kind| (kind, counts(kind))).into()
    }

    /// What the log says of it, once each time somebody is held off.
    pub(crate) fn news(&self, held: &HeldOff, leaf: Option<&Leaf>, now: u64) -> Option<Refusal> {
        if !held.is_news {
            return None;
        }
        let (found, hint) = self.words(held, now);
        Some(match leaf {
            Some(leaf) => Refusal::of(leaf, Check::HeldOff, found, hint),
            None => Refusal::without_certificate(Check::HeldOff, found, hint),
        })
    }

    /// Why somebody is held off, for the operator.
    fn words(&self, held: &HeldOff, now: u64) -> (String, &'static str) {
        let who = &held.who;
        let seconds = |milliseconds: u64| milliseconds.div_ceil(1_000);
        let (most, time) = (|rules: &Rules| rules.maximum, |rules: &Rules| seconds(rules.window));
        let left = format!("for another {} s", seconds(held.until.saturating_sub(now)));
        let attempts = "`signet refusals` shows what failed; `signet refusals held` shows who is held off, and `signet refusals forgive` lets it try at once";
        let shared = "does it lose its connection, or do several clients share the identity? [limits] has the bounds, and `signet refusals forgive` \
                      lets it in at once";
        match held.kind {
            HoldKind::Address => {
                let rules = self.addresses.rules();
                let failed = format!("{} failed attempts within {} s", most(rules), time(rules));
                (format!("clients at {who} that show no certificate are held off {left} after {failed}"), attempts)
            }
            HoldKind::Certificate => {
                let rules = self.certificates.rules();
                let failed = format!("{} failed attempts within {} s", most(rules), time(rules));
                (format!("whoever has the certificate or key of `{who}` is held off {left} after {failed}"), attempts)
            }
            HoldKind::ConnectRate => {
                let rules = self.connects.rules();
                (format!("`{who}` has connected {} times within {} s and waits {left}", most(rules), time(rules)), shared)
            }
            HoldKind::Flapping => {
                let rules = self.flapping.rules();
                let ended = format!("{} connections that ended within {} s", most(rules), time(rules));
                (format!("`{who}` is held off {left} after {ended}"), shared)
            }
        }
    }
}

/// Whether a refused CONNECT was an attempt to be somebody without proof of it: somebody spoke against the client, nobody knew it, it had no
/// certificate where one is needed, or it claimed an identifier that its certificate does not give it. Everything else is a mistake or somebody
/// else's failure: a backend that cannot be asked, a full server, a malformed packet, a name that nobody can have.
fn is_attempt(denied: &Denied) -> bool {
    use signet_mqtt::ReasonCode;
    match &denied.reason {
        // Somebody who said no is believed though somebody else could not be asked: or else an outage would be the time to guess.
        DenialReason::Authentication { verdicts } => {
            denied.reason_code == ReasonCode::NotAuthorized || verdicts.iter().any(|verdict| verdict.said == "deny")
        }
        DenialReason::Anonymous { .. } | DenialReason::Binding { .. } => true,
        _ => false,
    }
}

fn refuse(held: Option<(HoldKind, Held)>) -> Result<(), HeldOff> {
    held.map_or(Ok(()), |(kind, held)| Err(held_off(kind, held)))
}

fn held_off(kind: HoldKind, held: Held) -> HeldOff {
    let Held { who, until, times, is_news } = held;
    HeldOff { kind, who: who.into(), until, times, is_news }
}

/// Who is held to a rate; nobody in particular is not, and neither is a bridge of our own.
fn identity(principal: &Principal) -> Option<(Digest, String)> {
    match principal {
        Principal::Device(name) => {
            // With its tenant: two may each have a device of this name.
            let name = name.to_string();
            Some((digest_of("device", &name), name))
        }
        Principal::User(name) => Some((digest_of("user", name), name.to_string())),
        // Of a user without a proven name there is nothing that others could not be held for.
        Principal::Bridge(_) | Principal::Unnamed | Principal::Anonymous => None,
    }
}

fn digest_of(kind: &str, name: &str) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(kind.as_bytes());
    context.update(&[0]);
    context.update(name.as_bytes());
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// As an operator writes it: half of an IPv6 address with its length.
fn address_text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{address}/64"),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
