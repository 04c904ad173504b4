//! Mosquitto's bridge, with our broker as the other one.

use signet_mqtt::QoS;
use signet_testkit::{Broker, BrokerConfig, Device, topic};

use crate::rig::{Near, Whose, await_that, hostname};

const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn client(broker: &Broker, identifier: &str) -> Device {
    Device::connect(&broker.plain(), signet_mqtt::ProtocolVersion::V5, identifier)
}

#[test]
fn it_exchanges_messages_of_every_qos_and_hears_nothing_of_its_own() {
    for version in ["mqttv31", "mqttv311", "mqttv50"] {
        let far = Broker::start(&BrokerConfig::plain());
        let lines = format!(
            "connection b\naddress 127.0.0.1:{}\nbridge_protocol_version {version}\nnotification_topic bridges/b\ntopic # both 2\n",
            far.plain_port()
        );
        let near = Near::start(Whose::Mosquittos, &lines);
        let mut state = client(&far, "state");
        state.subscribe("bridges/b", QoS::AtLeastOnce);
        while state.expect_publish().payload != "1" {}
        // Its subscription comes after that.
        let (mut here, mut there) = (near.client("here"), client(&far, "there"));
        there.subscribe("up/#", QoS::AtMostOnce);
        here.subscribe("up/#", QoS::AtMostOnce);
        let mut number = 0;
        await_that("its subscription", || {
            client(&far, "p").publish(&format!("up/{number}"), "x", QoS::AtLeastOnce, false);
            number += 1;
            near.log().contains("up/")
        });
        drop((here, there));
        let (mut here, mut there) = (near.client("here"), client(&far, "there"));
        for device in [&mut here, &mut there] {
            device.subscribe("t/#", QoS::ExactlyOnce);
        }
        for qos in EVERY_QOS {
            for publisher in [&mut near.client("p"), &mut client(&far, "p")] {
                // What came back would come before the next one.
                for (name, qos) in [("t/a", qos), ("t/b", QoS::ExactlyOnce)] {
                    publisher.publish(name, version, qos, false);
                    for device in [&mut here, &mut there] {
                        let message = device.expect_publish();
                        assert_eq!((message.topic, message.qos), (Some(topic(name)), qos), "{version}");
                    }
                }
            }
        }
    }
}

#[test]
fn its_state_stands_below_sys_as_it_would_at_a_mosquitto() {
    // What nobody may do unless he is told that he may, here as with an access file of Mosquitto's.
    let rules = "[[access]]\nwho = \"everyone\"\npublish = [\"#\", \"$$SYS/broker/connection/+/state\"]\n\
                 subscribe = [\"#\", \"$$SYS/broker/connection/+/state\"]\n";
    let far = Broker::start(&BrokerConfig::plain().access(rules));
    let near = Near::start(Whose::Mosquittos, &format!("connection b\naddress 127.0.0.1:{}\ntopic t out 1\n", far.plain_port()));
    let name = format!("$SYS/broker/connection/{}.b/state", hostname());
    let mut state = client(&far, "state");
    state.subscribe(&name, QoS::AtLeastOnce);
    state.expect_message(&name, "1");
    drop(near);
    state.expect_message(&name, "0");
}
