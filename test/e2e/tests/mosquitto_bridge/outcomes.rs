//! What arrives where, with a bridge of ours and with one of Mosquitto's.

use signet_mqtt::{Packet, QoS};
use signet_testkit::{Device, topic};

use crate::rig::{Near, Whose, await_that, client, far, hostname};

const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn state_of(name: &str) -> String {
    format!("$SYS/broker/connection/{}.{name}/state", hostname())
}

/// The next state that a subscriber hears.
fn state(device: &mut Device) -> String {
    let message = device.expect_publish();
    String::from_utf8(message.payload.to_vec()).unwrap()
}

/// Waits until the far side's retained state says that the bridge is connected, so that its subscriptions are on their way.
fn await_up(device: &mut Device, name: &str) {
    device.subscribe(&state_of(name), QoS::AtLeastOnce);
    while state(device) != "1" {}
}

#[test]
fn messages_arrive_under_their_names_and_with_their_qos() {
    for version in ["mqttv31", "mqttv311", "mqttv50"] {
        for whose in Whose::BOTH {
            let far = far();
            // A topic in quotes is newer than the Mosquitto that is at hand.
            let quoted = if whose == Whose::Ours { "topic \"with space/#\" out 2 \"\" far/\n" } else { "" };
            let lines = format!(
                "connection b\naddress 127.0.0.1:{}\nbridge_protocol_version {version}\ntopic # both 2 near/ far/\ntopic one in 1\n\
                 {quoted}topic \"\" out 1 clock time\ntopic plain/# out\n",
                far.plain_port()
            );
            let near = Near::start(whose, &lines);
            await_up(&mut client(&far, "up"), "b");
            let (mut here, mut there) = (near.client("here"), client(&far, "there"));
            here.subscribe("#", QoS::ExactlyOnce);
            there.subscribe("#", QoS::ExactlyOnce);
            for (at, sent, arrives, most) in [
                ("near", "near/a/b", "far/a/b", QoS::ExactlyOnce),
                ("near", "clock", "time", QoS::AtLeastOnce),
                ("near", "with space/x y", "far/with space/x y", QoS::ExactlyOnce),
                ("near", "plain/x", "plain/x", QoS::AtMostOnce),
                ("far", "far/c/d", "near/c/d", QoS::ExactlyOnce),
                ("far", "one", "one", QoS::AtLeastOnce),
            ] {
                if quoted.is_empty() && sent.contains(' ') {
                    continue;
                }
                for qos in EVERY_QOS {
                    let what = format!("{whose:?} {version} {sent} with {qos:?}");
                    let (from, to) = if at == "near" { (&mut here, &mut there) } else { (&mut there, &mut here) };
                    let mut publisher = if at == "near" { near.client("p") } else { client(&far, "p") };
                    publisher.publish(sent, &what, qos, false);
                    // Whoever is where it was published hears it too, and once.
                    assert_eq!(from.expect_publish().topic, Some(topic(sent)), "{what}");
                    let message = to.expect_publish();
                    assert_eq!((message.topic, &message.payload[..]), (Some(topic(arrives)), what.as_bytes()), "{what}");
                    assert_eq!(message.qos, qos.min(most), "{what}");
                }
            }
        }
    }
}

#[test]
fn what_was_retained_before_arrives_and_again_after_a_change_that_nobody_carried() {
    for whose in Whose::BOTH {
        let mut far = far();
        client(&far, "p").publish("in/kept", "there", QoS::AtLeastOnce, true);
        let lines = format!("connection b\naddress 127.0.0.1:{}\nrestart_timeout 1\ntopic in/# in\ntopic out/# out\n", far.plain_port());
        let near = Near::start(whose, &lines);
        near.client("p").publish("out/kept", "here", QoS::AtLeastOnce, true);
        await_that(&format!("{whose:?}: it came in"), || retained(&mut near.client("r"), "in/kept").as_deref() == Some("there"));
        await_that(&format!("{whose:?}: it went out"), || retained(&mut client(&far, "r"), "out/kept").as_deref() == Some("here"));
        // While the link is down nothing waits for QoS 0; the retained message does.
        far.stop();
        near.client("p").publish("out/kept", "later", QoS::AtMostOnce, true);
        far.start_again();
        await_that(&format!("{whose:?}: it went out later"), || retained(&mut client(&far, "r"), "out/kept").as_deref() == Some("later"));
    }
}

#[test]
fn the_state_is_told_where_it_should_be() {
    let own = state_of("b");
    for (options, is_near, is_far, name) in [
        ("", true, true, &*own),
        ("notifications false", false, false, &own),
        ("notifications_local_only true", true, false, &own),
        ("notification_topic bridges/b", true, true, "bridges/b"),
    ] {
        for whose in Whose::BOTH {
            let far = far();
            let lines = format!("connection b\naddress 127.0.0.1:{}\ntopic end out 1\n{options}\n", far.plain_port());
            let near = Near::start(whose, &lines);
            near.client("p").publish("end", "x", QoS::AtLeastOnce, true);
            let what = format!("{whose:?} {options}");
            await_that(&what, || retained(&mut client(&far, "r"), "end").is_some());
            // What was told comes before what is carried.
            let expected = |is_told: bool| is_told.then(|| "1".to_owned());
            let found = (retained(&mut near.client("r"), name), retained(&mut client(&far, "r"), name));
            assert_eq!(found, (expected(is_near), expected(is_far)), "{what}");
            near.stop();
            if is_far {
                await_that(&format!("{what}: the end is told"), || retained(&mut client(&far, "r"), name).as_deref() == Some("0"));
            }
        }
    }
}

#[test]
fn a_bridge_that_reaches_nobody_is_down_from_the_start() {
    for whose in Whose::BOTH {
        let near = Near::start(whose, &format!("connection b\naddress 127.0.0.1:{}\ntopic end out 1\n", signet_testkit::free_port()));
        await_that(&format!("{whose:?}"), || retained(&mut near.client("r"), &state_of("b")).as_deref() == Some("0"));
    }
}

#[test]
fn what_goes_both_ways_comes_back_to_nobody() {
    for options in ["", "try_private false\nbridge_protocol_version mqttv50", "bridge_protocol_version mqttv31"] {
        for whose in Whose::BOTH {
            let far = far();
            let lines = format!("connection b\naddress 127.0.0.1:{}\ntopic # both 2\n{options}\n", far.plain_port());
            let near = Near::start(whose, &lines);
            await_up(&mut client(&far, "up"), "b");
            let (mut here, mut there) = (near.client("here"), client(&far, "there"));
            for device in [&mut here, &mut there] {
                device.subscribe("#", QoS::ExactlyOnce);
            }
            for qos in EVERY_QOS {
                for publisher in [&mut near.client("p"), &mut client(&far, "p")] {
                    // What came back would come before the next one.
                    for (name, qos) in [("a", qos), ("b", QoS::ExactlyOnce)] {
                        publisher.publish(name, "x", qos, false);
                        for device in [&mut here, &mut there] {
                            device.expect_message(name, "x");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_second_address_is_left_for_the_first_unless_they_take_turns() {
    let (mut first, second) = (far(), far());
    first.stop();
    let lines = format!(
        "connection b\naddresses 127.0.0.1:{} 127.0.0.1:{}\nrestart_timeout 1\ntopic end out 1\n",
        first.plain_port(),
        second.plain_port()
    );
    let near = Near::start(Whose::Ours, &lines);
    await_that("the second one", || retained(&mut client(&second, "r"), &state_of("b")).as_deref() == Some("1"));
    first.start_again();
    await_that("the first one", || retained(&mut client(&first, "r"), &state_of("b")).as_deref() == Some("1"));
    await_that("no longer the second one", || retained(&mut client(&second, "r"), &state_of("b")).as_deref() == Some("0"));
    drop(near);
}

#[test]
fn a_lazy_bridge_carries_what_waits_when_it_is_enough() {
    let far = far();
    let mut there = client(&far, "there");
    there.subscribe("t/#", QoS::AtLeastOnce);
    let lines = format!(
        "connection b\naddress 127.0.0.1:{}\nstart_type lazy\nidle_timeout 1\nthreshold 3\nkeepalive_interval 5\ntopic t/# out 1\n",
        far.plain_port()
    );
    let near = Near::start(Whose::Ours, &lines);
    let is = |state: &str| retained(&mut client(&far, "r"), &state_of("b")).as_deref() == Some(state);
    await_that("it waits", || retained(&mut near.client("r"), &state_of("b")).as_deref() == Some("0"));
    let mut publisher = near.client("p");
    for number in 0..3 {
        publisher.publish(&format!("t/{number}"), "x", QoS::AtLeastOnce, false);
    }
    let mut seen: Vec<_> = (0..3).map(|_| there.expect_publish().topic.unwrap().as_str().to_owned()).collect();
    seen.sort();
    assert_eq!(seen, ["t/0", "t/1", "t/2"]);
    await_that("it has nothing to do", || is("0"));
}

/// What is retained under this name.
fn retained(device: &mut Device, name: &str) -> Option<String> {
    device.subscribe(name, QoS::AtMostOnce);
    device.send(&Packet::Pingreq);
    let mut found = None;
    loop {
        match device.expect() {
            Packet::Publish(publish) if publish.retain => found = Some(String::from_utf8(publish.payload.to_vec()).unwrap()),
            Packet::Pingresp => return found,
            _ => {}
        }
    }
}
