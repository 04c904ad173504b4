//! From CONNECT to the end of the connection, without a handshake: who the client is has been found out, what it may do has not.

use std::sync::Arc;

use base64::Engine as _;
use bytes::BytesMut;
use signet_identity::{ClientIdentifierBinding, DeviceIdentity, DeviceName, Leaf, NoIdentity, Peer, Template, VerifiedPeer};
use signet_mqtt::{Connect, DecodeLimits, Decoder, Packet, ProtocolVersion, Role};
use signet_policy::{AdmissionRules, NamePattern, Rule, Ruleset, TopicPattern, Who};

use crate::case::{Case, Operation};
use crate::packets::{QOS0, QOS1, V5, V311, arrived, bytes, connect, decode, disconnect, publish, subscribe};
use crate::shard::Shard;

/// Of which each costs some ten thousand instructions.
const OPERATIONS: usize = 50;

/// A certificate: nobody looks at its signature.
const CERTIFICATE: &str = "MIIBPjCB8aADAgECAhR2TwPDzqm+F9FoJRgpaf6OI12YoTAFBgMrZXAwFDESMBAGA1UEAwwJc2ltdWxhdGVkMCAXDTI2MTEyMjA1NTQzMVoYDzIxMjYxMDI5MDU1NDMxWjAUMRIwEAYDVQQDDAlzaW11bGF0ZWQwKjAFBgMrZXADIQAIGIg84VaPx2MNlczQjb5U7YUrQgJEGDVvwfSFhO7nLKNTMFEwHQYDVR0OBBYEFE7voxZnc1sYYpA753mSzl/cVYh8MB8GA1UdIwQYMBaAFE7voxZnc1sYYpA753mSzl/cVYh8MA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EATeHOVxfvI2JhnCXiXjStHVvZpTSYBOrFsKC6V9NYLpsi8Kk7AiqmG9v+Fme+nHjxlVQLK02H7lkQh/tosg3tCw==";

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("CONNECT to DISCONNECT, anonymous, 3.1.1", OPERATIONS, 1, |_| {
            coming_and_going(anonymous(), V311, Peer::Anonymous(NoIdentity::PlainTransport), Vec::new())
        }),
        Case::new("CONNECT to DISCONNECT, anonymous, 5.0", OPERATIONS, 1, |_| {
            coming_and_going(anonymous(), V5, Peer::Anonymous(NoIdentity::PlainTransport), Vec::new())
        }),
        Case::new("CONNECT, SUBSCRIBE, DISCONNECT of a device under ten rules, 5.0", OPERATIONS, 2, |_| {
            coming_and_going(ruled(), V5, device(), vec![subscribe(&["device/simulated/orders/#"], QOS1)])
        }),
        Case::new("CONNECT, PUBLISH, DISCONNECT of a device under ten rules, 5.0", OPERATIONS, 2, |_| {
            let publish = Packet::Publish(publish("device/simulated/state", 256, QOS1, 1));
            coming_and_going(ruled(), V5, device(), vec![publish])
        }),
        Case::new("CONNECT to DISCONNECT, session resumed, 5.0", OPERATIONS, 1, |_| {
            let mut connect = connect(V5, "simulated");
            connect.clean_start = false;
            connect.properties.session_expiry_interval = Some(3600);
            let mut shard = anonymous();
            let id = shard.client_as(connect.clone());
            shard.subscribe(id, &["device/simulated/orders/#"], QOS1);
            shard.packet(id, disconnect());
            shard.sent();
            coming_and_going_as(shard, connect, Peer::Anonymous(NoIdentity::PlainTransport), Vec::new())
        }),
        Case::new("CONNECT to CONNACK with 1,000 others", OPERATIONS, 1, |_| {
            let mut shard = anonymous();
            for other in 0..1_000 {
                shard.client(V311, &format!("other-{other}"));
            }
            coming_and_going(shard, V311, Peer::Anonymous(NoIdentity::PlainTransport), Vec::new())
        }),
        Case::new("PUBLISH of a device under ten rules to many topics, QoS 0", OPERATIONS, 0, |count| {
            let mut shard = ruled();
            let connect = arrived(&Packet::Connect(Box::new(connect(V5, "simulated"))), V5);
            let id = shard.admit(connect, &device());
            shard.sent();
            let topic = |at: usize| format!("device/simulated/state/{:02}", at % 100);
            let mut arrivals: Vec<Packet> = (0..count).map(|at| arrived(&Packet::Publish(publish(&topic(at), 256, QOS0, 1)), V5)).collect();
            Box::new(move || {
                shard.packet(id, arrivals.pop().unwrap());
                shard.sent()
            })
        }),
        Case::new("read a certificate and name the device", OPERATIONS, 1, |_| {
            let certificate = certificate();
            Box::new(move || usize::from(matches!(device_of(&certificate), Peer::Device(_))))
        }),
    ]
}

fn coming_and_going(shard: Shard, version: ProtocolVersion, peer: Peer, packets: Vec<Packet>) -> Operation {
    coming_and_going_as(shard, connect(version, "simulated"), peer, packets)
}

/// Bytes in, bytes out, for a whole connection. CONNACK and what answers the packets come out.
fn coming_and_going_as(mut shard: Shard, connect: Connect, peer: Peer, packets: Vec<Packet>) -> Operation {
    let version = connect.version;
    let first = bytes(&Packet::Connect(Box::new(connect)), version);
    let rest: Vec<BytesMut> = packets.iter().chain([&disconnect()]).map(|packet| bytes(packet, version)).collect();
    let mut out = BytesMut::new();
    Box::new(move || {
        out.clear();
        let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
        let connection = shard.admit(decode(&mut decoder, &first), &peer);
        for bytes in &rest {
            shard.packet(connection, decode(&mut decoder, bytes));
        }
        shard.written(version, &mut out)
    })
}

fn anonymous() -> Shard {
    Shard::open()
}

/// The device's name is its user name, and has to be its Client Identifier; nine rules are for others.
fn ruled() -> Shard {
    let patterns = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let rule = |at: usize| {
        let who = Who::Device(NamePattern::new(format!("other-{at}-*")));
        Rule::allow(format!("other {at}"), who, patterns("other/#"), patterns("other/#"))
    };
    let mut rules: Vec<Rule> = (0..9).map(rule).collect();
    let own = "device/${device}/#";
    rules.push(Rule::allow("its own topics", Who::Devices, patterns(own), patterns(own)));
    let admission = AdmissionRules {
        username: Some(Template::parse("${device}").unwrap()),
        binding: ClientIdentifierBinding::Equals(Template::parse("${device}").unwrap()),
        ..AdmissionRules::default()
    };
    Shard::with(Ruleset::compile(rules), admission)
}

fn certificate() -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(CERTIFICATE).unwrap()
}

fn device() -> Peer {
    device_of(&certificate())
}

fn device_of(certificate: &[u8]) -> Peer {
    let leaf = Leaf::parse(certificate).unwrap();
    let issuer_key = leaf.spki_digest();
    let identity = DeviceIdentity::new(DeviceName::new("simulated").unwrap(), leaf, issuer_key, []);
    Peer::Device(VerifiedPeer::assertion(Arc::new(identity.under("default".into(), None)), false))
}
