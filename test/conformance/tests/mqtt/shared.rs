//! §4.8.2 Shared Subscriptions.

use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{Ack, Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet};

use crate::broker;
use crate::raw::{body, packet, text};

/// Everything that has come to this device by now.
fn received(device: &mut Device) -> Vec<String> {
    let mut payloads = Vec::new();
    device.send(&Packet::Pingreq);
    loop {
        match device.expect() {
            Packet::Publish(publish) => payloads.push(String::from_utf8(publish.payload.to_vec()).unwrap()),
            Packet::Pingresp => return payloads,
            other => panic!("expected PUBLISH or PINGRESP, got {other:?}"),
        }
    }
}

fn publish(broker: &Broker, count: usize) {
    let mut other = Device::connect(&broker.plain(), V5, "publisher");
    for number in 0..count {
        other.publish("t/1", &format!("{number:02}"), QoS::AtLeastOnce, false);
    }
}

#[test]
fn section_4_8_2_each_message_goes_to_one_member_and_the_work_is_shared() {
    let broker = broker();
    let mut members = ["a", "b"].map(|name| Device::connect(&broker.plain(), V5, name));
    for member in &mut members {
        assert_eq!(member.subscribe("$share/group/t/+", QoS::AtMostOnce), ReasonCode::Success);
    }
    publish(&broker, 20);
    let [first, second] = members.each_mut().map(received);
    assert!(!first.is_empty() && !second.is_empty(), "{first:?} {second:?}");
    let mut all = [first, second].concat();
    all.sort();
    assert_eq!(all, (0..20).map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

#[test]
fn section_4_8_2_a_group_spans_the_shards() {
    let broker = Broker::start(&BrokerConfig::plain().shards(4));
    let mut members: Vec<Device> = (0..8).map(|number| Device::connect(&broker.plain(), V5, &format!("member-{number}"))).collect();
    for member in &mut members {
        member.subscribe("$share/group/t/+", QoS::AtMostOnce);
    }
    publish(&broker, 40);
    // Between shards a ping proves nothing: collect until every message has come, and one more than that would fail the comparison.
    let mut all = Vec::new();
    while all.len() < 40 {
        for member in &mut members {
            all.extend(received(member));
        }
    }
    for member in &mut members {
        all.extend(received(member));
    }
    all.sort();
    assert_eq!(all, (0..40).map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

#[test]
fn section_4_8_2_groups_and_ordinary_subscriptions_do_not_take_from_each_other() {
    let broker = broker();
    let mut devices = ["a", "b", "c"].map(|name| Device::connect(&broker.plain(), V5, name));
    devices[0].subscribe("$share/one/t/+", QoS::AtMostOnce);
    devices[1].subscribe("$share/two/t/+", QoS::AtMostOnce);
    devices[2].subscribe("t/+", QoS::AtMostOnce);
    publish(&broker, 5);
    for device in &mut devices {
        assert_eq!(received(device).len(), 5);
    }
}

#[test]
fn mqtt_4_8_2_1_a_share_name_must_not_be_empty() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1, 0], &text("$share//t"), &[0]])));
    device.expect_ended(ReasonCode::TopicFilterInvalid);
}

#[test]
fn mqtt_4_8_2_2_a_share_name_has_no_wildcards_and_a_filter_follows() {
    let broker = broker();
    for wrong in ["$share/a+/t", "$share/#/t", "$share/group/", "$share/group"] {
        let mut device = Device::connect(&broker.plain(), V5, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1, 0], &text(wrong), &[0]])));
        device.expect_ended(ReasonCode::TopicFilterInvalid);
    }
}

#[test]
fn mqtt_4_8_2_3_the_granted_qos_of_the_member_is_respected() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    assert_eq!(device.subscribe("$share/group/t", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
    Device::connect(&broker.plain(), V5, "y").publish("t", "x", QoS::ExactlyOnce, false);
    assert_eq!(device.expect_message("t", "x").qos, QoS::AtLeastOnce);
}

#[test]
fn mqtt_4_8_2_4_an_unfinished_qos_2_message_is_finished_with_the_same_member() {
    let broker = broker();
    let mut connect = connect_packet(V5, "a");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    let mut first = Device::connect_with(&broker.plain(), connect.clone());
    first.subscribe("$share/group/t", QoS::ExactlyOnce);
    Device::connect(&broker.plain(), V5, "publisher").publish("t", "x", QoS::ExactlyOnce, false);
    let id = first.expect_publish_unacknowledged().packet_id.unwrap();
    let mut second = Device::connect(&broker.plain(), V5, "b");
    second.subscribe("$share/group/t", QoS::ExactlyOnce);
    first.vanish();
    second.expect_silence();
    let mut first = Device::connect_with(&broker.plain(), connect);
    let again = first.expect_message("t", "x");
    assert_eq!((again.packet_id.unwrap(), again.dup), (id, true));
    second.expect_silence();
}

#[test]
fn section_4_8_2_a_connected_member_is_preferred_to_one_that_is_away() {
    let broker = broker();
    let mut connect = connect_packet(V5, "away");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    let mut away = Device::connect_with(&broker.plain(), connect);
    away.subscribe("$share/group/t/+", QoS::AtLeastOnce);
    let mut here = Device::connect(&broker.plain(), V5, "here");
    here.subscribe("$share/group/t/+", QoS::AtMostOnce);
    away.leave(ReasonCode::Success);
    publish(&broker, 6);
    assert_eq!(received(&mut here).len(), 6);
}

#[test]
fn section_4_8_2_a_shared_subscription_gets_no_retained_messages() {
    let broker = broker();
    Device::connect(&broker.plain(), V5, "writer").publish("t", "kept", QoS::AtLeastOnce, true);
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe("$share/group/t", QoS::AtLeastOnce);
    device.expect_silence();
}

#[test]
fn section_4_8_2_leaving_the_group_leaves_the_work_to_the_others() {
    let broker = broker();
    let mut members = ["a", "b"].map(|name| Device::connect(&broker.plain(), V5, name));
    for member in &mut members {
        member.subscribe("$share/group/t/+", QoS::AtMostOnce);
    }
    let unsuback = members[0].unsubscribe(&["$share/group/t/+"]);
    assert_eq!(unsuback.reason_codes, [ReasonCode::Success]);
    publish(&broker, 6);
    assert_eq!(received(&mut members[1]).len(), 6);
    members[0].expect_silence();
}

#[test]
fn section_4_8_2_a_311_client_may_share_too() {
    let broker = broker();
    let mut members = [Device::connect(&broker.plain(), V311, "old"), Device::connect(&broker.plain(), V5, "new")];
    for member in &mut members {
        member.subscribe("$share/group/t/+", QoS::AtMostOnce);
    }
    publish(&broker, 10);
    assert_eq!(members.each_mut().map(received).concat().len(), 10);
}

#[test]
fn mqtt_4_8_2_5_what_was_under_way_to_a_session_that_ended_goes_to_nobody_else() {
    let broker = broker();
    let mut first = Device::connect(&broker.plain(), V5, "a");
    first.subscribe("$share/group/t", QoS::ExactlyOnce);
    Device::connect(&broker.plain(), V5, "publisher").publish("t", "x", QoS::ExactlyOnce, false);
    first.expect_publish_unacknowledged();
    let mut second = Device::connect(&broker.plain(), V5, "b");
    second.subscribe("$share/group/t", QoS::ExactlyOnce);
    first.leave(ReasonCode::Success);
    second.expect_silence();
}

#[test]
fn mqtt_4_8_2_6_a_message_that_a_member_refuses_goes_to_nobody_else() {
    let broker = broker();
    let mut members = ["a", "b"].map(|name| Device::connect(&broker.plain(), V5, name));
    members[0].subscribe("$share/group/t", QoS::AtLeastOnce);
    let mut publisher = Device::connect(&broker.plain(), V5, "publisher");
    publisher.publish("t", "x", QoS::AtLeastOnce, false);
    members[1].subscribe("$share/group/t", QoS::AtLeastOnce);
    let id = members[0].expect_publish_unacknowledged().packet_id.unwrap();
    members[0].send(&Packet::Puback(Ack::new(id, ReasonCode::UnspecifiedError)));
    members[0].expect_silence();
    members[1].expect_silence();
}
