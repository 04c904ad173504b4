//! Options of Mosquitto, each beside what stands for it here: the same scripts, the same octets.

use signet_testkit::{Broker, Mosquitto, free_port};

use super::as_mosquitto;
use super::wire::{Connect, Line, Step, ack, packet, play, publish, publish_as, subscribe, text};

/// One option, or several.
struct Option {
    /// Lines of mosquitto.conf.
    theirs: &'static str,
    /// Lines of its listener.
    of_listener: &'static str,
    /// Lines of [limits].
    ours: &'static [&'static str],
    /// The versions in which the Mosquitto of this machine does it as 2.1 does, and as we do.
    versions: &'static [u8],
    script: fn(u8) -> Vec<Step>,
}

fn connected(version: u8, steps: impl IntoIterator<Item = Vec<u8>>) -> Vec<Step> {
    std::iter::once(Connect::new(version).octets()).chain(steps).map(Step::Send).collect()
}

fn then_ends(mut script: Vec<Step>, octets: Vec<u8>) -> Vec<Step> {
    script.push(Step::Ends(octets));
    script
}

/// A session that is kept, with QoS 0 and 1 that come while its client is away.
fn away(version: u8) -> Vec<Step> {
    let expiry: &[u8] = if version == 5 { b"\x11\0\0\x01\0" } else { &[] };
    let reader = || Connect { identifier: "r", flags: 0, properties: expiry, ..Connect::new(version) }.octets();
    vec![
        Step::Send(reader()),
        Step::Send(subscribe(version, 1, &[], &[("t", 1)])),
        Step::Again,
        Step::Send(Connect::new(version).octets()),
        Step::Send(publish(version, 0, "t", &[], "loose")),
        Step::Send(publish(version, 2, "t", &[], "exact")),
        Step::Again,
        Step::Send(reader()),
        Step::Send(b"\xc0\0".to_vec()),
    ]
}

fn identified(version: u8, identifier: &str) -> Vec<Step> {
    vec![Step::Send(Connect { identifier, ..Connect::new(version) }.octets())]
}

const OPTIONS: &[Option] = &[
    Option {
        theirs: "message_size_limit 3\n",
        of_listener: "",
        ours: &["payload_maximum = 3"],
        // In MQTT 5.0 Mosquitto says 0x95, which an acknowledgement may not [MQTT-3.4.2-1]; we say 0x83.
        versions: &[3, 4],
        script: |version| {
            let large = |flags| publish(version, flags, "t", &[], "1234");
            connected(
                version,
                [subscribe(version, 1, &[], &[("t", 0)]), large(0), large(2), large(4), ack(0x62, 5), publish(version, 0, "t", &[], "123")],
            )
        },
    },
    Option {
        theirs: "max_inflight_bytes 6\n",
        of_listener: "",
        ours: &["inflight_bytes_maximum = 6"],
        versions: &[4, 5],
        script: |version| {
            let message = |payload| publish(version, 2, "t", &[], payload);
            connected(
                version,
                [
                    subscribe(version, 1, &[], &[("t", 1)]),
                    message("1234"),
                    message("5678"),
                    message("9"),
                    ack(0x40, 1),
                    ack(0x40, 2),
                    ack(0x40, 3),
                ],
            )
        },
    },
    Option { theirs: "queue_qos0_messages true\n", of_listener: "", ours: &["queued_qos0 = true"], versions: &[3, 4, 5], script: away },
    Option { theirs: "", of_listener: "", ours: &[], versions: &[3, 4, 5], script: away },
    Option {
        theirs: "retain_available false\n",
        of_listener: "",
        ours: &["retained_available = false"],
        versions: &[3, 4, 5],
        script: |version| then_ends(connected(version, []), publish(version, 1, "t", &[], "x")),
    },
    Option {
        theirs: "upgrade_outgoing_qos true\n",
        of_listener: "",
        ours: &["delivery_qos = \"subscription\""],
        versions: &[3, 4, 5],
        script: |version| {
            connected(
                version,
                [
                    subscribe(version, 1, &[], &[("t", 1)]),
                    publish(version, 0, "t", &[], "x"),
                    ack(0x40, 1),
                    publish(version, 2, "t", &[], "x"),
                ],
            )
        },
    },
    Option {
        theirs: "clientid_prefixes dev-\n",
        of_listener: "",
        ours: &["client_identifier_prefix = \"dev-\""],
        versions: &[3, 4, 5],
        script: |version| identified(version, "other"),
    },
    Option {
        theirs: "clientid_prefixes dev-\n",
        of_listener: "",
        ours: &["client_identifier_prefix = \"dev-\""],
        versions: &[3, 4, 5],
        script: |version| identified(version, "dev-1"),
    },
    Option {
        theirs: "allow_zero_length_clientid false\n",
        of_listener: "",
        ours: &["empty_client_identifier = false"],
        versions: &[3, 4, 5],
        script: |version| identified(version, ""),
    },
    Option {
        theirs: "auto_id_prefix plant-auto-\n",
        of_listener: "",
        ours: &["assigned_client_identifier_prefix = \"plant-auto-\""],
        versions: &[4, 5],
        script: |version| identified(version, ""),
    },
    Option {
        theirs: "",
        of_listener: "max_qos 1\n",
        ours: &["maximum_qos = 1"],
        versions: &[3, 4, 5],
        script: |version| {
            let steps = connected(version, [subscribe(version, 1, &[], &[("t", 2)]), publish(version, 2, "t", &[], "x")]);
            then_ends(steps, publish(version, 4, "t", &[], "x"))
        },
    },
    Option {
        theirs: "",
        of_listener: "max_topic_alias 0\n",
        ours: &["topic_alias_maximum = 0"],
        versions: &[5],
        script: |version| then_ends(connected(version, []), publish(version, 0, "t", b"\x23\0\x01", "x")),
    },
    Option {
        theirs: "max_inflight_messages 1\n",
        of_listener: "",
        ours: &["receive_maximum = 1", "maximum_inflight = 1"],
        versions: &[4, 5],
        script: |version| {
            let steps = [subscribe(version, 1, &[], &[("t", 1)])].into_iter();
            let messages = (1..=3).map(|id| publish_as(version, 2, id, "t", &[], "x"));
            connected(version, steps.chain(messages).chain([ack(0x40, 1), ack(0x40, 2)]))
        },
    },
];

#[test]
fn each_option_has_its_outcome() {
    let mut wrong = Vec::new();
    for Option { theirs, of_listener, ours, versions, script } in OPTIONS {
        let fixed = "allow_anonymous true\nmax_packet_size 2000000\nallow_duplicate_messages true\n";
        let mosquitto = Mosquitto::with_options(&format!("{fixed}{theirs}"), of_listener, None);
        let config = ours.iter().fold(as_mosquitto("[\"everyone\"]"), |config, line| config.limit_instead(line));
        let broker = Broker::start(&config);
        for version in *versions {
            let what = format!("{theirs}{of_listener}{version}");
            let script = script(*version);
            let [ours, theirs] = [broker.plain_port(), mosquitto.plain_port()].map(|port| play((port, &what), &script));
            if ours != theirs {
                wrong.push(format!("{what}\n  Mosquitto {theirs:?}\n  ours      {ours:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where 2.0 differs from 2.1: a Keep Alive that is too long, which only MQTT 5.0 can be told, and the place of the property that does.
#[test]
fn a_keep_alive_that_is_too_long_is_answered_as_by_2_1() {
    let config = as_mosquitto("[\"everyone\"]").limit("keep_alive_maximum = \"30s\"").limit("keep_alive_enforced = true");
    let broker = Broker::start(&config);
    for (version, keep_alive, answer) in [
        (3, 60, "20020002"),
        (4, 60, "20020002"),
        (4, 0, "20020002"),
        (4, 30, "20020000"),
        (5, 60, "201100000e13001e22000a27001e8480210014"),
        (5, 0, "201100000e13001e22000a27001e8480210014"),
        (5, 30, "200e00000b22000a27001e8480210014"),
    ] {
        let connect = Connect { keep_alive, ..Connect::new(version) }.octets();
        assert_eq!(play((broker.plain_port(), "keep alive"), &[Step::Send(connect)]), [answer], "{version} {keep_alive}");
    }
}

/// What who comes by another listener sees of a client behind a mount point is the same. What that client sees itself has its mount point taken off, as
/// in Mosquitto since 2.0.13.
#[test]
fn a_mount_point_has_its_outcome() {
    let (theirs_second, ours_second) = (free_port(), free_port());
    let fixed = "allow_anonymous true\nmax_packet_size 2000000\nallow_duplicate_messages true\n";
    let mosquitto = Mosquitto::with_options(fixed, &format!("mount_point m/\nlistener {theirs_second} 127.0.0.1\n"), None);
    let second = format!("name = \"second\"\nbind = \"127.0.0.1:{ours_second}\"\ntransport = \"tcp\"\nauthentication = [\"everyone\"]\n");
    let config = as_mosquitto("[\"everyone\"]").listener("mount_point = \"m/\"").access(&format!("[[listener]]\n{second}"));
    let broker = Broker::start(&config);
    let nothing = packet(0xc0, &[]);
    for version in [3, 4, 5] {
        let [ours, theirs] = [(broker.plain_port(), ours_second), (mosquitto.plain_port(), theirs_second)].map(|(mounted, plain)| {
            let (mut seen_outside, mut seen_inside) = (Vec::new(), Vec::new());
            let [mut inside, mut outside] = [(mounted, "inside"), (plain, "outside")].map(|(port, identifier)| {
                let mut line = Line::open(port, identifier);
                let will = [if version == 5 { vec![0] } else { vec![] }, text("gone"), text(identifier)].concat();
                seen_outside.push(line.exchange(&Connect { identifier, flags: 6, rest: &will, ..Connect::new(version) }.octets()));
                seen_outside.push(line.exchange(&subscribe(version, 1, &[], &[("#", 0)])));
                line
            });
            for topic in ["a/b", "m/a/b", "m", "$foo"] {
                seen_inside.push(inside.exchange(&publish(version, 0, topic, &[], "x")));
                seen_outside.push(outside.exchange(&nothing));
                seen_outside.push(outside.exchange(&publish(version, 0, topic, &[], "x")));
                seen_inside.push(inside.exchange(&nothing));
            }
            inside.exchange(&publish(version, 1, "kept", &[], "x"));
            seen_outside.push(outside.exchange(&subscribe(version, 2, &[], &[("+/kept", 0)])));
            inside.exchange(&publish(version, 1, "kept", &[], ""));
            seen_outside.push(outside.exchange(&nothing));
            drop(inside);
            seen_outside.push(outside.await_publish());
            (seen_outside, seen_inside)
        });
        assert_eq!(ours.0, theirs.0, "{version}");
        let own = |topic: &str| publish(version, 0, topic, &[], "x").iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let ping = "d000".to_owned();
        let seen = [own("a/b"), ping.clone(), own("m/a/b"), own("a/b") + "d000", own("m"), ping.clone(), own("$foo"), ping];
        assert_eq!(ours.1, seen, "{version}");
    }
}
