//! What has to hold over several connections of one session: redelivery under load, quotas that start anew, No Local by Client Identifier.

use signet_mqtt::{Ack, Packet, ReasonCode, SubscriptionOptions};
use signet_policy::Ruleset;

use super::rig::*;
use crate::{CloseCause, Limits};

/// A window so wide that sending everything again takes more than one turn of the pump.
#[test]
fn mqtt_4_4_0_1_what_comes_while_old_messages_are_sent_again_goes_behind_them() {
    let count = 3000;
    let mut rig = Rig::with(1, Limits { maximum_inflight: 5000, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber").expiry(1000));
    rig.subscribe(subscriber, "t", QOS1);
    for number in 0..count {
        rig.publish1(publisher, "t", &number.to_string());
    }
    rig.lose(subscriber);
    let subscriber = rig.connect(v5("subscriber").resume().expiry(1000));
    rig.publish1(publisher, "t", "new");
    rig.pass(1000);
    let expected: Vec<String> = (0..count).map(|number| number.to_string()).chain(["new".to_owned()]).collect();
    assert!(rig.payloads(subscriber) == expected, "every message is sent again once, in order, and the new one after them");
}

/// §4.9: the send quota is not kept over connections. What waits for its PUBREL from an earlier one does not count on the new one.
#[test]
fn the_receive_maximum_counts_anew_on_every_connection() {
    let mut rig = Rig::with(1, Limits { receive_maximum: 2, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher").expiry(1000));
    for packet_id in [1, 2] {
        rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(packet_id))));
    }
    rig.lose(publisher);
    let publisher = rig.connect(v5("publisher").resume().expiry(1000));
    for packet_id in [3, 4] {
        rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(packet_id))));
    }
    assert_eq!(rig.closed(publisher), None, "two of this connection are within the maximum");
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(1))));
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(3))));
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(5))));
    // Sent again on this connection it takes a place of this connection, once.
    rig.drain(publisher);
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(4))));
    for _ in 0..3 {
        rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(2))));
    }
    assert_eq!(rig.closed(publisher), None);
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(6))));
    assert_eq!(rig.closed(publisher), Some(&CloseCause::ReceiveMaximumExceeded), "2 and 5 are open, one more is too many");
}

/// No Local is about the Client Identifier, not about the session under which it published.
#[test]
fn mqtt_3_8_3_3_own_retained_messages_stay_away_after_a_clean_start() {
    let mut rig = Rig::new();
    let client = rig.connect(v5("a"));
    rig.send(client, retained("t", "mine"));
    rig.leave(client);
    let client = rig.connect(v5("a"));
    rig.subscribe_with(client, "t", SubscriptionOptions { no_local: true, ..SubscriptionOptions::default() }, None);
    assert_eq!(rig.payloads(client), Vec::<String>::new());
}

/// A broker that keeps no session asks nobody to keep the rule of a wish it did not grant.
#[test]
fn a_disconnect_may_repeat_the_expiry_that_the_server_cut_to_zero() {
    let mut rig = Rig::with(1, Limits { session_expiry_maximum: 0, ..Limits::default() }, Ruleset::allow_all());
    let client = rig.connect(v5("a").expiry(100).will("w", "lost", 0));
    let watcher = rig.connect(v5("watcher"));
    rig.subscribe(watcher, "w", QOS0);
    let mut disconnect = signet_mqtt::Disconnect::new(ReasonCode::Success);
    disconnect.session_expiry_interval = Some(100);
    rig.send(client, Packet::Disconnect(Box::new(disconnect)));
    assert_eq!(rig.closed(client), Some(&CloseCause::ClientDisconnected(ReasonCode::Success)));
    assert_eq!(rig.payloads(watcher), Vec::<String>::new(), "the will of a normal disconnection is discarded");
}
