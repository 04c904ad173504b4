//! What a server finds in its store when it starts.

use signet_broker::WillRule;
use signet_mqtt::{Connect, Packet, ProtocolVersion, QoS, ReasonCode, Will, WillProperties};
use signet_revocation::Suspended;
use signet_testkit::{Device, Target, connect_packet, subscribe_packet, topic};

use super::rig::{Rig, identifier_on};

fn lasting(identifier: &str) -> Connect {
    let mut connect = connect_packet(ProtocolVersion::V5, identifier);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

#[track_caller]
fn back(target: &Target, identifier: &str) -> Device {
    let (device, connack) = Device::introduce(target, lasting(identifier));
    assert_eq!(connack.reason_code, ReasonCode::Success);
    assert!(connack.session_present, "the session `{identifier}` is gone");
    device
}

/// Sessions of every shard, filled from every shard, found again by another number of shards.
#[test]
fn sessions_are_found_again_by_another_number_of_shards() {
    let mut rig = Rig::durable(3, |_| {});
    let names: Vec<String> = (0..3).map(|shard| identifier_on(shard, 3, "sleeper")).collect();
    for name in &names {
        let mut device = Device::connect_with(&rig.tcp(), lasting(name));
        device.subscribe("t", QoS::ExactlyOnce);
        device.leave(ReasonCode::Success);
    }
    let mut expected = Vec::new();
    for shards in [2, 1, 3] {
        for shard in 0..shards {
            let payload = format!("{shards}-{shard}");
            Device::connect(&rig.tcp(), ProtocolVersion::V5, &identifier_on(shard, shards, "p")).publish(
                "t",
                &payload,
                QoS::AtLeastOnce,
                false,
            );
            expected.push(payload);
        }
        rig = rig.restarted(shards, &[], |_| {});
    }
    expected.sort_unstable();
    for name in &names {
        let mut device = back(&rig.tcp(), name);
        // Only messages of one client have an order [MQTT-4.6.0-5], and these are of several.
        let mut received: Vec<String> =
            expected.iter().map(|_| String::from_utf8(device.expect_publish().payload.to_vec()).unwrap()).collect();
        received.sort_unstable();
        assert_eq!(received, expected);
        device.expect_silence();
    }
}

/// A Will must not outlast the trust in the device that left it, even if that ended while no broker ran.
#[test]
fn wills_of_devices_revoked_meanwhile_are_published_or_dropped_as_configured() {
    for (rule, expected) in
        [(WillRule::Publish, &["status/pump-7", "status/pump-8", "status/pump-9"][..]), (WillRule::Drop, &["status/pump-8"])]
    {
        let rig = Rig::durable(2, |config| config.will_on_revoke = rule);
        let mut watcher = Device::connect_with(&rig.tcp(), lasting("watcher"));
        watcher.subscribe("status/#", QoS::AtLeastOnce);
        watcher.leave(ReasonCode::Success);
        let pumps = ["pump-7", "pump-8", "pump-9"].map(|name| (name, rig.pki.device(name)));
        let connected: Vec<Device> = pumps
            .iter()
            .map(|(name, identity)| {
                let mut connect = lasting(name);
                connect.will = Some(Will {
                    topic: topic(&format!("status/{name}")),
                    payload: bytes::Bytes::from_static(b"gone"),
                    qos: QoS::AtLeastOnce,
                    retain: false,
                    properties: WillProperties { delay_interval: Some(1), ..WillProperties::default() },
                });
                Device::connect_with(&rig.tls(identity), connect)
            })
            .collect();
        let suspended = Suspended { since: 0, why: "lost".into() };
        rig.revocations.update(|index| index.with_suspensions([("pump-9".into(), suspended.clone())].into()));
        // The end of the server begins the delays; what is due when it starts again is published then.
        let rig = rig.restarted(2, &[&pumps[0].1], |config| config.will_on_revoke = rule);
        drop(connected);
        let mut watcher = back(&rig.tcp(), "watcher");
        let mut topics: Vec<String> = expected.iter().map(|_| watcher.expect_publish().topic.unwrap().as_str().to_owned()).collect();
        topics.sort_unstable();
        assert_eq!(topics, expected);
        watcher.expect_silence();
    }
}

#[test]
fn a_retained_message_is_there_for_every_shard() {
    let rig = Rig::durable(1, |_| {});
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V311, "p");
    publisher.publish("kept", "x", QoS::ExactlyOnce, true);
    let rig = rig.restarted(3, &[], |_| {});
    for shard in 0..3 {
        let mut device = Device::connect(&rig.tcp(), ProtocolVersion::V5, &identifier_on(shard, 3, "s"));
        device.send(&Packet::Subscribe(subscribe_packet(1, &[("#", QoS::AtLeastOnce)])));
        assert!(matches!(device.expect(), Packet::Suback(_)));
        device.expect_message("kept", "x");
    }
}
