//! Who there is, what they may do, and the names of things.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use signet_broker::{Durability, Limits};
use signet_identity::{CertificateId, DeviceIdentity, DeviceName, Leaf, NoIdentity, Peer, VerifiedPeer};
use signet_mqtt::Publish;
use signet_policy::{AdmissionRules, NamePattern, Rule, Ruleset, TopicPattern, Who};

use crate::history::Label;
use crate::swarm::Swarm;

/// A certificate for every device there is: always the same, so that what is stored is too.
const CERTIFICATE: &str = "MIIBPjCB8aADAgECAhR2TwPDzqm+F9FoJRgpaf6OI12YoTAFBgMrZXAwFDESMBAGA1UEAwwJc2ltdWxhdGVkMCAXDTI2MTEyMjA1NTQzMVoYDzIxMjYxMDI5MDU1NDMxWjAUMRIwEAYDVQQDDAlzaW11bGF0ZWQwKjAFBgMrZXADIQAIGIg84VaPx2MNlczQjb5U7YUrQgJEGDVvwfSFhO7nLKNTMFEwHQYDVR0OBBYEFE7voxZnc1sYYpA753mSzl/cVYh8MB8GA1UdIwQYMBaAFE7voxZnc1sYYpA753mSzl/cVYh8MA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EATeHOVxfvI2JhnCXiXjStHVvZpTSYBOrFsKC6V9NYLpsi8Kk7AiqmG9v+Fme+nHjxlVQLK02H7lkQh/tosg3tCw==";

/// The client that sees every Will and may read everything; its session lasts.
pub(crate) const WATCHER: usize = 0;

/// The other client that may read what is secret: a device.
pub(crate) const CONFIDANT: usize = 1;

/// Where everybody may publish.
pub(crate) const TOPICS: [&str; 8] = ["a/x", "a/y", "b/x", "s/x", "s/y", "i/x", "o/x", "secret/x"];

/// Where nobody may publish.
pub(crate) const LOCKED: &str = "locked/x";

/// What is asked for; some of it is denied to most.
pub(crate) const FILTERS: [&str; 10] = ["a/#", "a/x", "a/+", "b/x", "+/x", "#", "secret/#", "r/#", "i/#", "o/#"];

/// Shared Subscriptions.
pub(crate) const SHARED: [&str; 3] = ["$share/g/s/#", "$share/g/s/x", "$share/h/a/#"];

/// Fixed facts about the people of a run, and what they said on the wire without words.
pub(crate) struct People {
    pub(crate) limits: Arc<Limits>,
    pub(crate) ruleset: Arc<Ruleset>,
    pub(crate) admission: AdmissionRules,
    certificate: Vec<u8>,
    /// Everybody is a device, the last one that of another tenant.
    tenanted: Option<usize>,
    /// Messages that clear, by client, topic and Packet Identifier: their payload is empty.
    clearing: BTreeMap<(usize, String, Option<u16>), Label>,
    /// Session Expiry Intervals in DISCONNECTs that the broker took, by connection.
    goodbyes: BTreeMap<u64, u32>,
}

impl People {
    pub(crate) fn new(swarm: &Swarm) -> Self {
        let certificate = base64::engine::general_purpose::STANDARD.decode(CERTIFICATE).unwrap();
        Self {
            limits: Arc::new(swarm.limits.clone()),
            ruleset: Arc::new(rules(false)),
            admission: AdmissionRules { anonymous: true, ..AdmissionRules::default() },
            certificate,
            tenanted: swarm.is_tenanted.then_some(swarm.clients),
            clearing: BTreeMap::new(),
            goodbyes: BTreeMap::new(),
        }
    }

    /// Whom the broker sees: every second client has a certificate, and where there are tenants everybody has.
    pub(crate) fn peer(&self, client: usize, generation: usize) -> Peer {
        let Some(leaf) = self.leaf(client, generation) else { return Peer::Anonymous(NoIdentity::PlainTransport) };
        let issuer_key = leaf.spki_digest();
        let identity = DeviceIdentity::new(DeviceName::new(&format!("device-{client}")).unwrap(), leaf, issuer_key, []);
        let tenant = self.tenant(client).map(Arc::from);
        Peer::Device(VerifiedPeer::assertion(Arc::new(identity.under("profile".into(), tenant)), false))
    }

    /// The tenant of a client.
    pub(crate) fn tenant(&self, client: usize) -> Option<&'static str> {
        self.tenanted.map(|clients| if client + 1 == clients { "t1" } else { "t0" })
    }

    /// What names the client's certificate of this number, if it has any.
    pub(crate) fn certificate(&self, client: usize, generation: usize) -> Option<CertificateId> {
        self.leaf(client, generation).map(|leaf| leaf.id())
    }

    /// The certificate, told from all others by the last bytes of its serial number. Nobody looks at its signature.
    fn leaf(&self, client: usize, generation: usize) -> Option<Leaf> {
        if client.is_multiple_of(2) && self.tenanted.is_none() {
            return None;
        }
        let mut certificate = self.certificate.clone();
        let serial = certificate.windows(2).position(|window| window == [0x02, 0x14]).unwrap() + 2;
        let number = u32::try_from(client).unwrap() << 16 | u32::try_from(generation).unwrap();
        certificate[serial + 16..serial + 20].copy_from_slice(&number.to_be_bytes());
        Some(Leaf::parse(&certificate).unwrap())
    }

    pub(crate) fn note_clearing(&mut self, client: usize, publish: &Publish, label: Label) {
        let topic = publish.topic.as_ref().map(|topic| topic.as_str().to_owned()).unwrap_or_default();
        self.clearing.insert((client, topic, publish.packet_id.map(signet_mqtt::PacketId::get)), label);
    }

    pub(crate) fn clearing_label(&self, client: usize, publish: &Publish) -> Option<Label> {
        let topic = publish.topic.as_ref()?.as_str().to_owned();
        self.clearing.get(&(client, topic, publish.packet_id.map(signet_mqtt::PacketId::get))).copied()
    }

    pub(crate) fn note_goodbye(&mut self, connection: u64, expiry: u32) {
        self.goodbyes.insert(connection, expiry);
    }

    pub(crate) fn expiry_at_goodbye(&self, connection: u64) -> Option<u32> {
        self.goodbyes.get(&connection).copied()
    }
}

/// The Client Identifier.
pub(crate) fn name(client: usize) -> String {
    format!("client-{client}")
}

/// Whether a client may read a topic.
pub(crate) fn may_read(client: usize, topic: &str) -> bool {
    client == WATCHER || client == CONFIDANT || !topic.starts_with("secret")
}

/// How durable a topic is by the limits of every run.
pub(crate) fn durability(topic: &str) -> Durability {
    match topic.split('/').next() {
        Some("i") => Durability::Interval,
        Some("o") => Durability::Off,
        _ => Durability::Always,
    }
}

/// Strict ones take from the confidant what is secret: a subscription to that ends, and one to everything brings the rest.
pub(crate) fn rules(is_strict: bool) -> Ruleset {
    let patterns = |texts: &[&str]| texts.iter().map(|text| TopicPattern::parse(text).unwrap()).collect::<Vec<_>>();
    let rule = |who, publish: &[&str], subscribe: &[&str]| Rule {
        name: "rule".to_owned(),
        who,
        publish: patterns(publish),
        subscribe: patterns(subscribe),
        ..Rule::default()
    };
    let open = ["a/#", "b/#", "s/#", "r/#", "w/#", "i/#", "o/#"];
    let writable: Vec<&str> = open.iter().copied().chain(["secret/#"]).collect();
    let confidant = Who::Device(NamePattern::new(format!("device-{CONFIDANT}")));
    let shut = Rule::deny("shut", confidant.clone(), Vec::new(), patterns(if is_strict { &["secret/#"] } else { &[] }));
    Ruleset::compile(vec![
        shut,
        rule(Who::Everyone, &writable, &open),
        rule(Who::Username(NamePattern::exact(name(WATCHER))), &[], &["#"]),
        rule(confidant, &[], &["#"]),
    ])
}
