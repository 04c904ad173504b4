//! Bridges in a configuration that changes while the broker runs.

use std::process::Command;

use signet_mqtt::QoS;
use signet_testkit::Broker;

use crate::rig::{await_that, client, far, ours, translated};

/// Writes the bridge anew in the broker's configuration and tells it.
fn change(broker: &Broker, before: &str, after: &str) {
    let path = broker.directory().join("signet.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replace(&translated(before), &if after.is_empty() { String::new() } else { translated(after) });
    assert_ne!(text, changed);
    std::fs::write(&path, changed).unwrap();
    assert!(Command::new("kill").args(["-HUP", &broker.process_id().to_string()]).status().unwrap().success());
}

#[test]
fn a_bridge_is_changed_removed_and_added_by_a_signal() {
    let far = far();
    let lines = |topic: &str, more: &str| {
        format!("connection b\naddress 127.0.0.1:{}\nnotification_topic bridges/b\nrestart_timeout 1\n{topic}\n{more}", far.plain_port())
    };
    let mut there = client(&far, "there");
    there.subscribe("bridges/b", QoS::AtLeastOnce);
    for filter in ["a", "b", "c"] {
        there.subscribe(filter, QoS::AtLeastOnce);
    }
    let first = lines("topic a out 1", "");
    let near = Broker::start(&ours(&first));
    let publish = |name: &str| {
        signet_testkit::Device::connect(&near.plain(), signet_mqtt::ProtocolVersion::V5, "p").publish(name, "x", QoS::AtLeastOnce, false);
    };
    there.expect_message("bridges/b", "1");
    publish("a");
    there.expect_message("a", "x");

    // At once: it comes again, with its new list and without the old one.
    let second = lines("topic b out 1", "bridge_reload_type immediate\n");
    change(&near, &first, &second);
    there.expect_message("bridges/b", "0");
    there.expect_message("bridges/b", "1");
    publish("a");
    publish("b");
    there.expect_message("b", "x");

    // With its next connection: until then it is as it was.
    let third = lines("topic c out 1", "bridge_reload_type lazy\n");
    change(&near, &second, &third);
    let _ = near.await_log(&["bridge `b`, with its next connection"]);
    publish("b");
    there.expect_message("b", "x");
    publish("c");

    // Gone.
    change(&near, &third, "");
    there.expect_message("bridges/b", "0");
    let _ = near.await_log(&["removed bridge `b`"]);
}

#[test]
fn a_bridge_that_cannot_be_read_leaves_everything_as_it_was() {
    let far = far();
    let mut there = client(&far, "there");
    there.subscribe("#", QoS::AtLeastOnce);
    let lines = format!("connection b\naddress 127.0.0.1:{}\nnotifications false\ntopic a out 1\n", far.plain_port());
    let near = Broker::start(&ours(&lines));
    let path = near.directory().join("signet.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("filter = \"a\"", "filter = \"a#\"")).unwrap();
    assert!(Command::new("kill").args(["-HUP", &near.process_id().to_string()]).status().unwrap().success());
    let _ = near.await_log(&["`a#` is no topic filter"]);
    await_that("it goes on", || {
        signet_testkit::Device::connect(&near.plain(), signet_mqtt::ProtocolVersion::V5, "p").publish("a", "x", QoS::AtLeastOnce, false);
        far.log().contains("Received PUBLISH from")
    });
    there.expect_message("a", "x");
}
