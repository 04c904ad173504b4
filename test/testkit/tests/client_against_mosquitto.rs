//! `signet-client` against another implementation of the broker: what we send is understood, what it sends is too.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests report by panicking, as the tests do")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_client::{Client, ClientError, ConnectOptions, Endpoint, Event, OutgoingMessage, TlsOptions, Trace};
use signet_mqtt::{ProtocolVersion, Publish, QoS, ReasonCode, SubscribeFilter, SubscriptionOptions, UserProperties};
use signet_testkit::{Identity, Mosquitto, Pki, connect_packet, topic, topic_filter};

const ALL: [ProtocolVersion; 3] = ProtocolVersion::ALL;
const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const PATIENCE: Duration = Duration::from_secs(10);

fn options(port: u16, tls: Option<TlsOptions>, version: ProtocolVersion, identifier: &str) -> ConnectOptions {
    let endpoint = Endpoint::tcp("127.0.0.1", port);
    ConnectOptions { tls, ..ConnectOptions::new(endpoint, connect_packet(version, identifier), PATIENCE) }
}

fn tls(ca_file: PathBuf, identity: Option<&Identity>) -> Option<TlsOptions> {
    Some(TlsOptions {
        ca_file: Some(ca_file),
        certificate: identity.map(|identity| identity.certificate.clone()),
        key: identity.map(|identity| identity.key.clone()),
        ..TlsOptions::default()
    })
}

fn connect(options: &ConnectOptions) -> Client {
    Client::connect(options, Trace::off()).unwrap()
}

fn subscribe(client: &mut Client, filter: &str, qos: QoS) {
    let options = SubscriptionOptions { maximum_qos: qos, ..SubscriptionOptions::default() };
    let filters = vec![SubscribeFilter { filter: topic_filter(filter), options }];
    let suback = client.subscribe(filters, None, UserProperties::default()).unwrap();
    assert!(!suback.reason_codes[0].is_error(), "{suback:?}");
}

fn message(name: &str, payload: &str, qos: QoS, retain: bool) -> OutgoingMessage {
    OutgoingMessage { topic: topic(name), payload: Bytes::copy_from_slice(payload.as_bytes()), qos, retain, properties: Default::default() }
}

fn next_message(client: &mut Client) -> Publish {
    loop {
        match client.poll(Some(Instant::now() + PATIENCE)).unwrap() {
            Some(Event::Message(publish)) => return publish,
            Some(_) => {}
            None => panic!("no message in time"),
        }
    }
}

#[test]
fn every_quality_of_service_goes_through_in_both_versions() {
    let broker = Mosquitto::start(None);
    for version in ALL {
        let mut subscriber = connect(&options(broker.plain_port(), None, version, "sub"));
        subscribe(&mut subscriber, "t/#", QoS::ExactlyOnce);
        let mut publisher = connect(&options(broker.plain_port(), None, version, "pub"));
        for qos in EVERY_QOS {
            publisher.publish(message("t/x", "hello", qos, false)).unwrap();
            publisher.flush().unwrap();
            let publish = next_message(&mut subscriber);
            assert_eq!((publish.qos, &publish.payload[..]), (qos, &b"hello"[..]), "{version}");
        }
        publisher.disconnect(ReasonCode::Success).unwrap();
        subscriber.disconnect(ReasonCode::Success).unwrap();
    }
}

#[test]
fn more_messages_than_the_window_all_arrive_in_order() {
    let broker = Mosquitto::start(None);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut subscriber = connect(&options(broker.plain_port(), None, ProtocolVersion::V5, "sub"));
        subscribe(&mut subscriber, "t", QoS::ExactlyOnce);
        let mut publisher = connect(&options(broker.plain_port(), None, ProtocolVersion::V5, "pub"));
        for number in 0..70 {
            publisher.publish(message("t", &number.to_string(), qos, false)).unwrap();
        }
        publisher.flush().unwrap();
        for number in 0..70 {
            assert_eq!(next_message(&mut subscriber).payload, number.to_string().as_bytes());
        }
        subscriber.disconnect(ReasonCode::Success).unwrap();
    }
}

#[test]
fn a_retained_message_waits_for_a_later_subscriber() {
    let broker = Mosquitto::start(None);
    for version in ALL {
        let mut publisher = connect(&options(broker.plain_port(), None, version, "pub"));
        publisher.publish(message("kept", "21.5", QoS::AtLeastOnce, true)).unwrap();
        publisher.flush().unwrap();
        publisher.disconnect(ReasonCode::Success).unwrap();
        let mut subscriber = connect(&options(broker.plain_port(), None, version, "sub"));
        subscribe(&mut subscriber, "kept", QoS::AtLeastOnce);
        let publish = next_message(&mut subscriber);
        assert!(publish.retain && publish.payload == "21.5", "{publish:?}");
    }
}

#[test]
fn properties_of_mqtt_5_travel_along() {
    let broker = Mosquitto::start(None);
    let mut subscriber = connect(&options(broker.plain_port(), None, ProtocolVersion::V5, "sub"));
    subscribe(&mut subscriber, "t", QoS::AtMostOnce);
    let mut publisher = connect(&options(broker.plain_port(), None, ProtocolVersion::V5, "pub"));
    let mut outgoing = message("t", "x", QoS::AtMostOnce, false);
    outgoing.properties.content_type = Some("text/plain".into());
    outgoing.properties.user_properties = UserProperties(vec![("a".into(), "1".into()), ("a".into(), "2".into())]);
    publisher.publish(outgoing.clone()).unwrap();
    let publish = next_message(&mut subscriber);
    assert_eq!(publish.properties.content_type, outgoing.properties.content_type);
    assert_eq!(publish.properties.user_properties, outgoing.properties.user_properties);
}

#[test]
fn keep_alive_keeps_a_quiet_connection() {
    let broker = Mosquitto::start(None);
    let mut quiet = options(broker.plain_port(), None, ProtocolVersion::V311, "quiet");
    quiet.connect.keep_alive = 1;
    let mut client = connect(&quiet);
    // Mosquitto ends a connection that was silent for one and a half intervals.
    assert!(client.poll(Some(Instant::now() + Duration::from_secs(4))).unwrap().is_none());
    assert!(broker.log().contains("PINGREQ"), "{}", broker.log());
}

#[test]
fn an_interrupt_from_another_thread_ends_the_wait_and_leaves_room_for_goodbye() {
    let broker = Mosquitto::start(None);
    let mut client = connect(&options(broker.plain_port(), None, ProtocolVersion::V5, "sub"));
    let interrupter = client.interrupter().unwrap();
    let other = std::thread::spawn(move || interrupter.interrupt());
    assert!(matches!(client.poll(None).unwrap(), Some(Event::Interrupted)));
    other.join().unwrap();
    client.disconnect(ReasonCode::Success).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !broker.log().contains("Received DISCONNECT from sub") {
        assert!(Instant::now() < deadline, "{}", broker.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_client_certificate_opens_a_mutual_tls_listener() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let broker = Mosquitto::start(Some(&pki));
    let device = pki.device("pump-7");
    for version in ALL {
        let mut client = connect(&options(broker.tls_port(), tls(pki.ca_file(), Some(&device)), version, "pump-7"));
        subscribe(&mut client, "t", QoS::AtLeastOnce);
        // Larger than one TLS record and than one read.
        let large = "x".repeat(100_000);
        client.publish(message("t", &large, QoS::AtLeastOnce, false)).unwrap();
        assert_eq!(next_message(&mut client).payload, large.as_bytes());
        client.flush().unwrap();
        client.disconnect(ReasonCode::Success).unwrap();
    }
}

#[test]
fn a_broker_of_another_ca_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let broker = Mosquitto::start(Some(&pki));
    let device = pki.device("pump-7");
    let wrong = options(broker.tls_port(), tls(pki.foreign_ca_file(), Some(&device)), ProtocolVersion::V5, "pump-7");
    let error = Client::connect(&wrong, Trace::off()).unwrap_err();
    assert!(matches!(error, ClientError::Tls(_)), "{error:?}");
    assert!(error.to_string().contains("--cafile") || error.hint().is_some_and(|hint| hint.contains("--cafile")), "{error}");
    assert_eq!(error.exit_code(), 8);

    let mut believing = wrong;
    believing.tls.as_mut().unwrap().insecure = true;
    connect(&believing).disconnect(ReasonCode::Success).unwrap();
}

#[test]
fn a_missing_or_foreign_certificate_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let broker = Mosquitto::start(Some(&pki));
    let refusal = |identity: Option<&Identity>| {
        let options = options(broker.tls_port(), tls(pki.ca_file(), identity), ProtocolVersion::V311, "pump-7");
        Client::connect(&options, Trace::off()).unwrap_err()
    };
    let none = refusal(None);
    assert_eq!(none.to_string(), "the broker wants a client certificate");
    assert!(none.hint().unwrap().contains("--cert"));
    assert_eq!(none.exit_code(), 8);
    let foreign = refusal(Some(&pki.foreign_device("stranger")));
    assert!(foreign.to_string().contains("does not know the CA that issued it"), "{foreign}");
}

#[test]
fn files_that_do_not_fit_together_are_found_before_the_network_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let (one, other) = (pki.device("one"), pki.device("other"));
    let refusal = |tls: Option<TlsOptions>| {
        // Port 1 of the loopback interface: nobody listens there, and nobody is asked.
        Client::connect(&options(1, tls, ProtocolVersion::V5, "x"), Trace::off()).unwrap_err()
    };
    let missing = refusal(tls(directory.path().join("nothing.pem"), None));
    assert!(missing.to_string().contains("nothing.pem"), "{missing}");
    let mixed = Identity { key: other.key, ..one };
    let mismatch = refusal(tls(pki.ca_file(), Some(&mixed)));
    assert!(matches!(mismatch, ClientError::Tls(_)), "{mismatch:?}");
    assert!(mismatch.to_string().contains("one.pem") || mismatch.to_string().contains("other.key"), "{mismatch}");
}

#[test]
fn a_tls_listener_that_is_addressed_without_tls_gets_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let broker = Mosquitto::start(Some(&pki));
    let error = Client::connect(&options(broker.tls_port(), None, ProtocolVersion::V311, "x"), Trace::off()).unwrap_err();
    let told = format!("{error}\n{}", error.hint().unwrap_or_default());
    assert!(told.contains("--cafile"), "{told}");
}
