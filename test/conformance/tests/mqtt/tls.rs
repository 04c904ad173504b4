//! The same protocol inside TLS: a certificate instead of trust in the network, and what CONNECT may claim next to it.

use signet_mqtt::{QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, Pki, connect_packet};

use crate::{ALL, SINCE_311, raw};

fn pki() -> (tempfile::TempDir, Pki) {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    (directory, pki)
}

#[test]
fn section_5_4_every_qos_and_large_messages_inside_tls() {
    let (_directory, pki) = pki();
    let broker = Broker::start(&BrokerConfig::plain().tls(&pki, "client_certificate = \"required\""));
    let (reader, writer) = (pki.device("reader"), pki.device("writer"));
    let large = "0123456789".repeat(30_000);
    for version in ALL {
        let mut device = Device::connect(&broker.tls(&pki, Some(&reader)), version, "reader");
        device.subscribe("t", QoS::ExactlyOnce);
        let mut other = Device::connect(&broker.tls(&pki, Some(&writer)), version, "writer");
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for payload in ["small", &large] {
                other.publish("t", payload, qos, false);
                device.expect_message("t", payload);
            }
        }
    }
}

#[test]
fn section_5_4_2_malformed_packets_are_answered_inside_tls_too() {
    let (_directory, pki) = pki();
    let broker = Broker::start(&BrokerConfig::plain().tls(&pki, "client_certificate = \"required\""));
    let device = pki.device("pump");
    for version in SINCE_311 {
        let target = broker.tls(&pki, Some(&device));
        let mut connected = Device::connect(&target, version, "pump");
        connected.send_raw(&[0x30, 1, 0]);
        connected.expect_ended(ReasonCode::MalformedPacket);
        raw::opened_with(&target, version, &raw::connect(version, 0b11, &[&raw::text("pump")])).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_3_8_an_identifier_that_is_not_the_devices_is_refused() {
    let (_directory, pki) = pki();
    let extra = "client_certificate = \"required\"\nbind_client_identifier = \"${device}\"";
    let broker = Broker::start(&BrokerConfig::plain().tls(&pki, extra));
    let device = pki.device("pump-7");
    for version in ALL {
        let target = broker.tls(&pki, Some(&device));
        let (mut refused, connack) = Device::introduce(&target, connect_packet(version, "pump-8"));
        assert_eq!(connack.reason_code, ReasonCode::ClientIdentifierNotValid);
        refused.expect_closed();
        assert_eq!(Device::introduce(&target, connect_packet(version, "pump-7")).1.reason_code, ReasonCode::Success);
    }
}

#[test]
fn section_5_4_1_a_tls_listener_does_not_answer_plain_mqtt() {
    let (_directory, pki) = pki();
    let broker = Broker::start(&BrokerConfig::plain().tls(&pki, "client_certificate = \"required\""));
    for version in ALL {
        let mut device = Device::open(&signet_testkit::Target::tcp(broker.tls_port()), version);
        device.send_raw(&raw::connect(version, 0x02, &[&raw::text("x")]));
        // A TLS alert is no MQTT packet; what counts is that no CONNACK comes and the connection ends.
        assert!(!matches!(device.await_next(), Ok(signet_testkit::Received::Packet(_) | signet_testkit::Received::TimedOut)));
    }
}
