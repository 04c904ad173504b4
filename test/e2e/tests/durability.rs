//! What was acknowledged outlives the process, however that ends and whatever the disk does: plain restarts, `kill -9`, a disk that stalls, a disk
//! that fails, and files that were damaged.

#![expect(clippy::expect_used, reason = "a rig that cannot do its job fails the test that uses it")]

use std::process::Command;

use signet_e2e::{Client, Publication, Running, Site, Version};
use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{Ack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, Will, WillProperties};
use signet_testkit::{Broker, BrokerConfig, Device, Received, connect_packet, packet_id, publish_packet, topic};

/// How the broker ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Killed,
    Asked,
}

impl End {
    fn end(self, broker: &mut Broker) {
        match self {
            Self::Killed => broker.kill(),
            Self::Asked => broker.stop(),
        }
    }
}

/// A CONNECT for a session that lasts.
fn lasting(version: ProtocolVersion, identifier: &str) -> Connect {
    let mut connect = connect_packet(version, identifier);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = (version == V5).then_some(3600);
    connect
}

/// Comes back to a session that must still be there.
#[track_caller]
fn back(broker: &Broker, version: ProtocolVersion, identifier: &str) -> Device {
    let (device, connack) = Device::introduce(&broker.plain(), lasting(version, identifier));
    assert_eq!(connack.reason_code, ReasonCode::Success);
    assert!(connack.session_present, "the session `{identifier}` is gone");
    device
}

#[track_caller]
fn assert_message(publish: &Publish, topic: &str, payload: &str) {
    assert_eq!(publish.topic.as_ref().map(|name| name.as_str()), Some(topic), "{publish:?}");
    assert_eq!(publish.payload, payload.as_bytes(), "{publish:?}");
}

fn publish(broker: &Broker, topic: &str, payload: &str, qos: QoS) {
    Device::connect(&broker.plain(), V5, "publisher").publish(topic, payload, qos, false);
}

/// Each test of this kind ends the broker both ways, and starts it with another number of shards.
fn through_restarts(before: impl Fn(&Broker), after: impl Fn(&Broker)) {
    for end in [End::Killed, End::Asked] {
        for (first, second) in [(1, 1), (1, 3), (3, 2)] {
            let mut broker = Broker::start(&BrokerConfig::plain().shards(first));
            before(&broker);
            end.end(&mut broker);
            broker.start_again(&BrokerConfig::plain().shards(second));
            after(&broker);
        }
    }
}

#[test]
fn sessions_with_subscriptions_and_waiting_messages_outlive_the_broker() {
    through_restarts(
        |broker| {
            for version in [V311, V5] {
                let name = format!("sleeper-{version:?}");
                let mut sleeper = Device::connect_with(&broker.plain(), lasting(version, &name));
                sleeper.subscribe("q/#", QoS::ExactlyOnce);
                sleeper.leave(ReasonCode::Success);
            }
            publish(broker, "q/1", "once at least", QoS::AtLeastOnce);
            publish(broker, "q/2", "once exactly", QoS::ExactlyOnce);
        },
        |broker| {
            let mut sleepers = [V311, V5].map(|version| back(broker, version, &format!("sleeper-{version:?}")));
            for sleeper in &mut sleepers {
                sleeper.expect_message("q/1", "once at least");
                sleeper.expect_message("q/2", "once exactly");
            }
            publish(broker, "q/3", "and the subscription too", QoS::AtLeastOnce);
            for sleeper in &mut sleepers {
                sleeper.expect_message("q/3", "and the subscription too");
                sleeper.expect_silence();
            }
        },
    );
}

/// One message in each state that an exchange with a receiver can be in.
#[test]
fn exchanges_under_way_go_on_where_they_stopped_mqtt_4_4_0_1() {
    through_restarts(
        |broker| {
            let mut reader = Device::connect_with(&broker.plain(), lasting(V5, "reader"));
            reader.subscribe("i/#", QoS::ExactlyOnce);
            for number in 1..=4 {
                let qos = if number == 1 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
                publish(broker, &format!("i/{number}"), "x", qos);
            }
            let ids: Vec<PacketId> = (1..=4).filter_map(|_| reader.expect_publish_unacknowledged().packet_id).collect();
            // The second is released, the third is over, the first and the fourth stay unanswered.
            for id in [ids[1], ids[2]] {
                reader.send(&Packet::Pubrec(Ack::success(id)));
                reader.expect_pubrel(id);
            }
            reader.send(&Packet::Pubcomp(Ack::success(ids[2])));
            // The answer to this says that the broker has read what came before; that it is on disk need not be.
            reader.expect_silence();
            reader.vanish();
        },
        |broker| {
            let mut reader = back(broker, V5, "reader");
            let first = reader.expect_publish_unacknowledged();
            assert_message(&first, "i/1", "x");
            assert!(first.dup, "[MQTT-3.3.1-1] {first:?}");
            let mut released = Vec::new();
            let fourth = loop {
                match reader.expect() {
                    Packet::Pubrel(ack) => released.push(ack.packet_id),
                    Packet::Publish(publish) => break publish,
                    other => panic!("expected PUBREL or PUBLISH, got {other:?}"),
                }
            };
            assert_message(&fourth, "i/4", "x");
            assert!(fourth.dup, "{fourth:?}");
            // Whether the PUBCOMP of the third got to the disk is nobody's promise; the second must be among those that are released.
            assert!((1..=2).contains(&released.len()), "{released:?}");
            for id in released {
                reader.send(&Packet::Pubcomp(Ack::success(id)));
            }
            let ids = [first.packet_id, fourth.packet_id].map(|id| id.expect("QoS above 0 has one"));
            reader.send(&Packet::Puback(Ack::success(ids[0])));
            reader.send(&Packet::Pubrec(Ack::success(ids[1])));
            reader.expect_pubrel(ids[1]);
            reader.send(&Packet::Pubcomp(Ack::success(ids[1])));
            reader.expect_silence();
        },
    );
}

#[test]
fn a_qos_2_message_is_taken_once_even_if_the_broker_dies_between_pubrec_and_pubrel_mqtt_4_3_3_10() {
    through_restarts(
        |broker| {
            let mut sleeper = Device::connect_with(&broker.plain(), lasting(V5, "sleeper"));
            sleeper.subscribe("w", QoS::ExactlyOnce);
            sleeper.leave(ReasonCode::Success);
            let mut writer = Device::connect_with(&broker.plain(), lasting(V5, "writer"));
            writer.send(&Packet::Publish(publish_packet("w", "x", QoS::ExactlyOnce, false)));
            writer.expect_pubrec(packet_id(10));
            writer.vanish();
        },
        |broker| {
            let mut writer = back(broker, V5, "writer");
            let again = Publish { dup: true, ..publish_packet("w", "x", QoS::ExactlyOnce, false) };
            writer.publish_with(again);
            let mut sleeper = back(broker, V5, "sleeper");
            sleeper.expect_message("w", "x");
            sleeper.expect_silence();
            // The Packet Identifier was released: it stands for another message now.
            writer.publish("w", "y", QoS::ExactlyOnce, false);
            sleeper.expect_message("w", "y");
        },
    );
}

#[test]
fn retained_messages_outlive_the_broker_and_cleared_ones_do_not_come_back() {
    through_restarts(
        |broker| {
            let mut publisher = Device::connect(&broker.plain(), V5, "publisher");
            publisher.publish("r/kept", "first", QoS::AtLeastOnce, true);
            publisher.publish("r/kept", "second", QoS::AtLeastOnce, true);
            publisher.publish("r/cleared", "x", QoS::AtLeastOnce, true);
            publisher.publish("r/cleared", "", QoS::AtLeastOnce, true);
        },
        |broker| {
            let mut subscriber = Device::connect(&broker.plain(), V5, "subscriber");
            subscriber.subscribe("r/#", QoS::AtLeastOnce);
            let kept = subscriber.expect_message("r/kept", "second");
            assert!(kept.retain, "{kept:?}");
            subscriber.expect_silence();
        },
    );
}

fn with_will(mut connect: Connect, topic_name: &str, delay: Option<u32>) -> Connect {
    connect.will = Some(Will {
        topic: topic(topic_name),
        payload: "gone".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties { delay_interval: delay, ..WillProperties::default() },
    });
    connect
}

#[test]
fn wills_are_published_when_the_broker_dies_and_after_their_delay() {
    through_restarts(
        |broker| {
            let mut mourner = Device::connect_with(&broker.plain(), lasting(V5, "mourner"));
            mourner.subscribe("will/#", QoS::AtLeastOnce);
            mourner.leave(ReasonCode::Success);
            // Its DISCONNECT takes the Will back; what is acknowledged after that says that the disk knows.
            Device::connect_with(&broker.plain(), with_will(lasting(V5, "polite"), "will/never", None)).leave(ReasonCode::Success);
            // Connected at the end, with a session that does not last: nothing but the Will outlives it.
            let connected = Device::connect_with(&broker.plain(), with_will(connect_packet(V311, "mortal"), "will/now", None));
            // Gone before, its Will waits.
            Device::connect_with(&broker.plain(), with_will(lasting(V5, "late"), "will/later", Some(1))).vanish();
            let _ = broker.await_log(&["late", "disconnected: the connection was lost"]);
            // The broker goes first.
            std::mem::forget(connected);
        },
        |broker| {
            let mut mourner = back(broker, V5, "mourner");
            let mut topics: Vec<String> =
                (0..2).map(|_| mourner.expect_publish().topic.expect("without alias").as_str().to_owned()).collect();
            topics.sort_unstable();
            assert_eq!(topics, ["will/later", "will/now"]);
            mourner.expect_silence();
        },
    );
}

/// strace in the way of the broker's calls of `fdatasync`, until it is dropped.
struct Meddler {
    _strace: Running,
}

impl Meddler {
    /// `how` as in `strace -e inject=fdatasync:how`.
    #[track_caller]
    fn between(broker: &Broker, how: &str) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=fdatasync", "-e", &format!("inject=fdatasync:{how}"), "-p", &broker.process_id().to_string()]);
        let strace = Running::start(&mut command);
        strace.wait_for("attached");
        Self { _strace: strace }
    }
}

#[test]
fn nothing_is_acknowledged_when_the_disk_fails_and_the_broker_ends_with_its_own_exit_code() {
    let config = BrokerConfig::plain();
    let mut broker = Broker::start(&config);
    let mut sleeper = Device::connect_with(&broker.plain(), lasting(V5, "sleeper"));
    sleeper.subscribe("t", QoS::AtLeastOnce);
    sleeper.leave(ReasonCode::Success);
    publish(&broker, "t", "before", QoS::AtLeastOnce);
    let mut publisher = Device::connect(&broker.plain(), V5, "p");
    let meddler = Meddler::between(&broker, "error=EIO");
    publisher.send(&Packet::Publish(publish_packet("t", "after", QoS::AtLeastOnce, false)));
    match publisher.await_next() {
        Ok(Received::Packet(Packet::Disconnect(_)) | Received::Closed) | Err(_) => {}
        other => panic!("expected no acknowledgement, got {other:?}"),
    }
    assert_eq!(broker.await_end(), Some(7), "{}", broker.log().join("\n"));
    drop(meddler);
    assert!(broker.log().iter().any(|line| line.contains("the store failed")), "{}", broker.log().join("\n"));
    broker.start_again(&config);
    let mut sleeper = back(&broker, V5, "sleeper");
    sleeper.expect_message("t", "before");
    publish(&broker, "t", "again", QoS::AtLeastOnce);
    // "after" may have reached the disk or not: nobody was told either way.
    let next = sleeper.expect_publish();
    assert!(next.payload == "again" || next.payload == "after", "{next:?}");
}

#[test]
fn a_disk_that_stalls_delays_acknowledgements_and_nothing_else() {
    let broker = Broker::start(&BrokerConfig::plain());
    let mut lasting_one = Device::connect_with(&broker.plain(), lasting(V5, "lasting"));
    lasting_one.subscribe("t", QoS::AtLeastOnce);
    let mut passing_one = Device::connect(&broker.plain(), V5, "passing");
    passing_one.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Device::connect(&broker.plain(), V5, "p");
    // Longer than the whole test may take.
    let meddler = Meddler::between(&broker, "delay_enter=100000000");
    publisher.send(&Packet::Publish(publish_packet("t", "x", QoS::AtLeastOnce, false)));
    lasting_one.expect_message("t", "x");
    passing_one.expect_message("t", "x");
    // The acknowledgement waits, and a PINGRESP does not wait with it.
    publisher.expect_silence();
    // Neither does a message that nobody keeps.
    let mut other = Device::connect(&broker.plain(), V5, "other");
    other.subscribe("u", QoS::AtLeastOnce);
    other.publish_with(publish_packet("nobody", "x", QoS::AtLeastOnce, false));
    publisher.send(&Packet::Publish(publish_packet("u", "y", QoS::AtMostOnce, false)));
    other.expect_message("u", "y");
    publisher.expect_silence();
    drop(meddler);
    publisher.expect_puback(packet_id(10));
}

/// Too many acknowledgements wait for the disk: the publisher is not read any more, and must not be taken for dead because of that.
#[test]
fn who_waits_for_a_stalled_disk_is_held_back_and_not_taken_for_dead() {
    const MESSAGES: u16 = 2000;
    let broker = Broker::start(&BrokerConfig::plain());
    let mut sleeper = Device::connect_with(&broker.plain(), lasting(V5, "sleeper"));
    sleeper.subscribe("t", QoS::AtLeastOnce);
    sleeper.leave(ReasonCode::Success);
    let with_keep_alive = |identifier: &str, seconds| {
        let connect = Connect { keep_alive: seconds, ..connect_packet(V311, identifier) };
        Device::connect_with(&broker.plain(), connect)
    };
    let meddler = Meddler::between(&broker, "delay_enter=100000000");
    let mut publisher = with_keep_alive("publisher", 1);
    for id in 1..=MESSAGES {
        let publish = Publish { packet_id: Some(packet_id(id)), ..publish_packet("t", "x", QoS::AtLeastOnce, false) };
        publisher.send(&Packet::Publish(publish));
    }
    // This one is silent for three seconds by its own choice: twice as long as the publisher could be.
    let mut silent = with_keep_alive("silent", 2);
    silent.expect_closed();
    let _ = broker.await_log(&["silent", "keep alive timeout"]);
    drop(meddler);
    for id in 1..=MESSAGES {
        publisher.expect_puback(packet_id(id));
    }
    assert!(!broker.log().iter().any(|line| line.contains("publisher") && line.contains("keep alive")), "{:?}", broker.log());
}

/// `"interval"` waits for no disk, and a stop in order loses nothing all the same. Here the listener says so, and one topic otherwise.
#[test]
fn a_listener_may_acknowledge_before_the_disk_has_it() {
    let config = BrokerConfig::plain().listener("durability = \"interval\"").store("topics_always = [\"safe\"]");
    let mut broker = Broker::start(&config);
    let mut sleeper = Device::connect_with(&broker.plain(), lasting(V5, "sleeper"));
    sleeper.subscribe("#", QoS::AtLeastOnce);
    sleeper.leave(ReasonCode::Success);
    let mut publisher = Device::connect(&broker.plain(), V5, "p");
    let meddler = Meddler::between(&broker, "delay_enter=100000000");
    publisher.publish("fast", "x", QoS::AtLeastOnce, false);
    publisher.send(&Packet::Publish(publish_packet("safe/1", "y", QoS::AtLeastOnce, false)));
    publisher.expect_silence();
    drop(meddler);
    publisher.expect_puback(packet_id(10));
    publisher.publish("fast", "z", QoS::AtLeastOnce, false);
    broker.stop();
    broker.start_again(&config);
    let mut sleeper = back(&broker, V5, "sleeper");
    sleeper.expect_message("fast", "x");
    sleeper.expect_message("safe/1", "y");
    sleeper.expect_message("fast", "z");
}

/// What would have to be kept is refused as each version can hear it, everything else goes on, and room that comes back is used without a restart.
#[test]
fn a_full_store_refuses_what_it_cannot_keep_and_recovers_by_itself() {
    let config = BrokerConfig::plain().store("segment_size = \"1MiB\"\nmaximum_size = \"8MiB\"").limit("queued_bytes_maximum = \"64MiB\"");
    let broker = Broker::start(&config);
    let mut sleeper = Device::connect_with(&broker.plain(), lasting(V5, "sleeper"));
    sleeper.subscribe("t", QoS::AtLeastOnce);
    sleeper.leave(ReasonCode::Success);
    let mut passing = Device::connect(&broker.plain(), V5, "passing");
    passing.subscribe("u", QoS::AtLeastOnce);
    let mut old = Device::connect(&broker.plain(), V311, "old");
    let mut publisher = Device::connect(&broker.plain(), V5, "publisher");
    let large = "x".repeat(100_000);
    let message = |topic: &str| Packet::Publish(publish_packet(topic, &large, QoS::AtLeastOnce, false));
    let mut accepted = 0;
    loop {
        publisher.send(&message("t"));
        let reason_code = publisher.expect_puback(packet_id(10)).reason_code;
        if reason_code == ReasonCode::QuotaExceeded {
            break;
        }
        assert!(!reason_code.is_error(), "{reason_code:?}");
        accepted += 1;
        assert!(accepted < 200, "more than fits was accepted");
    }
    let _ = broker.await_log(&["the store is full"]);
    // MQTT 3.1.1 has no word for it: no acknowledgement.
    old.send(&message("t"));
    old.expect_silence();
    publisher.publish("u", "for somebody who is here", QoS::AtLeastOnce, false);
    passing.expect_message("u", "for somebody who is here");

    let mut sleeper = back(&broker, V5, "sleeper");
    for _ in 0..accepted {
        assert_eq!(sleeper.expect_publish().payload.len(), large.len());
    }
    let _ = broker.await_log(&["the store has room again"]);
    // The one that got no answer is to send again.
    old.expect_closed();
    Device::connect(&broker.plain(), V311, "old").publish("t", "again", QoS::AtLeastOnce, false);
    sleeper.expect_message("t", "again");
}

/// A subscriber of `site` with a session that lasts; it leaves at once.
#[track_caller]
fn leave_a_session(site: &Site) {
    let pump = site.device("pump-7");
    let (certificate, key) = pump.certificate.expect("quickstart issues it");
    let mut command = Command::new("mosquitto_sub");
    command.args(["-h", "127.0.0.1", "-p", &site.port().to_string(), "-V", "mqttv5", "-x", "3600", "-c", "-E"]);
    command.args(["-i", "sleeper", "-t", "pump-7/#", "-q", "2"]);
    command.arg("--cafile").arg(pump.cafile).arg("--cert").arg(certificate).arg("--key").arg(key);
    Running::run(&mut command).succeeded();
}

#[test]
fn damage_is_found_named_and_cut_out_by_the_operator() {
    let site = Site::quickstart();
    let broker = site.serve();
    leave_a_session(&site);
    for number in 0..20 {
        let payload = format!("message {number}");
        let publication = Publication::of("pump-7/temp", &payload, 1);
        Client::Mosquitto.publish(Version::V5, site.port(), &site.device("pump-7"), &publication).succeeded();
    }
    let busy = site.signet(&["store", "check"]);
    assert_eq!(busy.code, Some(6), "{}", busy.output);
    broker.stop().succeeded();
    assert!(site.signet(&["store", "check"]).succeeded().says("no damage"));
    assert!(site.signet(&["store", "repair"]).succeeded().says("nothing to repair"));

    let file = site.path("data/store/0000000000000001.seg");
    let mut bytes = std::fs::read(&file).expect("the first file of the journal");
    let position = bytes.windows(9).position(|window| window == b"message 3").expect("what was stored");
    bytes[position] = b'M';
    std::fs::write(&file, bytes).expect("the file can be written");

    let refused = site.signet(&["serve"]);
    assert_eq!(refused.code, Some(8), "{}", refused.output);
    for part in ["0000000000000001.seg", "offset", "signet store repair"] {
        assert!(refused.says(part), "{}", refused.output);
    }
    let checked = site.signet(&["store", "check", "--json"]);
    assert_eq!(checked.code, Some(8), "{}", checked.output);
    assert!(checked.says("\"damages\": ["), "{}", checked.output);
    let repaired = site.signet(&["store", "repair"]).succeeded();
    assert!(repaired.says("cut out") && repaired.says("kept as it was"), "{}", repaired.output);
    assert!(site.signet(&["store", "check"]).succeeded().says("no damage"));
    let broker = site.serve();
    broker.logs("read the store");
    assert!(broker.stop().succeeded().says("stopped"));
}

#[test]
fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut broker = Broker::start(&BrokerConfig::plain());
    let store = broker.directory().join("data/store");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&store), 0o700);
    let files: Vec<_> = std::fs::read_dir(&store).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    broker.stop();
}

#[test]
fn without_a_store_nothing_is_written_and_a_restart_forgets() {
    let config = BrokerConfig::plain().store("enabled = false");
    let mut broker = Broker::start(&config);
    Device::connect_with(&broker.plain(), lasting(V5, "sleeper")).leave(ReasonCode::Success);
    assert!(!broker.directory().join("data/store").exists());
    broker.stop();
    broker.start_again(&config);
    assert!(!Device::introduce(&broker.plain(), lasting(V5, "sleeper")).1.session_present);
}

/// What was accepted with `"off"` is forgotten; the subscription, and what was accepted with `"always"`, is not.
#[test]
fn topics_say_how_durable_they_are() {
    let config = BrokerConfig::plain().store("topics_off = [\"off\"]");
    let mut broker = Broker::start(&config);
    let mut sleeper = Device::connect_with(&broker.plain(), lasting(V5, "sleeper"));
    sleeper.subscribe("#", QoS::AtLeastOnce);
    sleeper.leave(ReasonCode::Success);
    publish(&broker, "off/1", "x", QoS::AtLeastOnce);
    publish(&broker, "on/1", "x", QoS::AtLeastOnce);
    broker.kill();
    broker.start_again(&config);
    let mut sleeper = back(&broker, V5, "sleeper");
    sleeper.expect_message("on/1", "x");
    sleeper.expect_silence();
}
