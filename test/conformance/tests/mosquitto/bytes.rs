//! The same scripts of octets, sent to Mosquitto and to us: what comes back is the same, or the row says why not.

use signet_testkit::{Broker, Mosquitto};

use super::wire::{Connect, Step, ack, packet, play, publish, publish_as, subscribe, text, unsubscribe};

/// What has to come back.
enum Expected {
    /// What comes from the Mosquitto of this machine.
    Same,
    /// For the last step this, as from Mosquitto 2.1, which does it another way than 2.0.
    By21(&'static str),
    /// For the last step this, for the reason given.
    Ours(&'static str, &'static str),
}

/// Why we answer where Mosquitto does not.
const SAYS_WHY: &str = "Mosquitto closes without a word; a Server may say why (§4.13.1)";

struct Row {
    name: String,
    script: Vec<Step>,
    expected: Expected,
}

fn row(name: impl Into<String>, expected: Expected, script: Vec<Step>) -> Row {
    Row { name: name.into(), script, expected }
}

fn send(octets: Vec<u8>) -> Step {
    Step::Send(octets)
}

fn ends(octets: impl Into<Vec<u8>>) -> Step {
    Step::Ends(octets.into())
}

/// A connection of this version, and what it does then.
fn on(version: u8, steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    [send(Connect::new(version).octets())].into_iter().chain(steps).collect()
}

/// What each version has.
fn in_each_version(version: u8) -> Vec<Row> {
    let same = |name: &str, script: Vec<Step>| row(format!("{name} ({version})"), Expected::Same, script);
    let connect = |change: &dyn Fn(&mut Connect<'static>)| {
        let mut connect = Connect::new(version);
        change(&mut connect);
        connect.octets()
    };
    let expiry: &[u8] = if version == 5 { b"\x11\0\0\x01\0" } else { &[] };
    let resume = || connect(&|connect| (connect.identifier, connect.flags, connect.properties) = ("r", 0, expiry));
    let sub = |filters: &[(&str, u8)]| send(subscribe(version, 1, &[], filters));
    let publication = |flags: u8, topic: &str| send(publish(version, flags, topic, &[], "x"));
    // MQTT 3.1 does not say that they are looked at.
    let flagged = [&[0x80], &subscribe(version, 1, &[], &[("a", 0)])[1..]].concat();
    vec![
        same("CONNECT", vec![send(connect(&|_| {}))]),
        same("PINGREQ", on(version, [send(b"\xc0\0".to_vec())])),
        same("DISCONNECT", on(version, [ends(b"\xe0\0")])),
        same("QoS 0 comes back", on(version, [sub(&[("a/b", 0)]), publication(0, "a/b")])),
        same("QoS 1 comes back", on(version, [sub(&[("a/b", 2)]), publication(2, "a/b"), send(ack(0x40, 1))])),
        same(
            "QoS 2 comes back with QoS 1",
            on(version, [sub(&[("a/b", 1)]), send(publish(version, 2, "a/b", &[], "x")), send(ack(0x40, 1))]),
        ),
        same("QoS 1 to nobody", on(version, [publication(2, "nobody")])),
        same("QoS 2 to nobody", on(version, [publication(4, "nobody"), send(ack(0x62, 5))])),
        same("QoS 2 twice", on(version, [publication(4, "nobody"), publication(12, "nobody"), send(ack(0x62, 5))])),
        same("PUBREL of nothing", on(version, [send(ack(0x62, 77))])),
        same("PUBREC of nothing", on(version, [send(ack(0x50, 77))])),
        same("PUBACK of nothing", on(version, [send(ack(0x40, 77))])),
        same("PUBCOMP of nothing", on(version, [send(ack(0x70, 77))])),
        same("UNSUBSCRIBE", on(version, [sub(&[("x/y", 1)]), send(unsubscribe(version, 3, &["x/y", "q"]))])),
        same("SUBSCRIBE to several", on(version, [sub(&[("x/y", 1), ("#", 2), ("+/a", 0)])])),
        same("filter that is none", on(version, [ends(subscribe(version, 1, &[], &[("x#/y", 1)]))])),
        same("filter without characters", on(version, [ends(subscribe(version, 1, &[], &[("", 1)]))])),
        same("topic without characters", on(version, [ends(publish(version, 0, "", &[], "x"))])),
        same("QoS 3", on(version, [ends(publish(version, 6, "a", &[], "x"))])),
        same("Packet Identifier 0", on(version, [ends(publish_as(version, 2, 0, "a", &[], "x"))])),
        same("$SYS is not written", on(version, [publication(2, "$SYS/x")])),
        same("$ is written", on(version, [sub(&[("$foo/x", 0)]), publication(2, "$foo/x")])),
        same("topic that is no UTF-8", on(version, [ends(publish(version, 0, b"\xff", &[], "x"))])),
        same("topic with U+0000", on(version, [ends(publish(version, 0, "a\0b", &[], "x"))])),
        same("150 levels", on(version, [publication(2, &"/".repeat(150))])),
        same("200 levels to subscribe to", on(version, [sub(&[(&"/".repeat(199), 0)])])),
        same(
            "retained",
            on(version, [publication(3, "kept"), sub(&[("kept", 1)]), send(ack(0x40, 1)), send(publish(version, 1, "kept", &[], ""))]),
        ),
        same("one member of a group", on(version, [sub(&[("$share/g/s/t", 1)]), publication(2, "s/t")])),
        same("overlapping", on(version, [sub(&[("o/+", 0), ("o/#", 1), ("o/x", 2)]), publication(0, "o/x")])),
        same("user name and password", vec![send(connect(&|connect| (connect.flags, connect.rest) = (0xc2, b"\0\x01u\0\x02pw")))]),
        same("session that is kept", vec![send(resume()), Step::Again, send(resume())]),
        same("truncated SUBSCRIBE", on(version, [ends(b"\x82\x01\0")])),
        same("SUBSCRIBE with other flags", on(version, [if version == 3 { send(flagged) } else { ends(flagged) }])),
    ]
}

/// What each version has, and Mosquitto has it otherwise.
fn otherwise_in_each_version(version: u8) -> Vec<Row> {
    let is_5 = version == 5;
    let name = |name: &str| format!("{name} ({version})");
    let closes = |reason: &'static str| if is_5 { reason } else { "end" };
    let early = "the message is taken and delivered with PUBLISH, before PUBREC and not with PUBREL: both are methods of §4.3.3";
    let both = if is_5 { "34090003612f620001007850020005" } else { "34080003612f6200017850020005" };
    vec![
        row(
            name("QoS 2 comes back"),
            Expected::Ours(both, early),
            on(version, [send(subscribe(version, 1, &[], &[("a/b", 2)])), send(publish(version, 4, "a/b", &[], "x"))]),
        ),
        row(name("DUP with QoS 0"), Expected::By21(closes("e00181end")), on(version, [ends(publish(version, 8, "a", &[], "x"))])),
        row(name("SUBACK from a client"), Expected::By21(closes("e00182end")), on(version, [ends(b"\x90\x03\0\x01\0")])),
        row(name("PINGRESP from a client"), Expected::By21(closes("e00182end")), on(version, [ends(b"\xd0\0")])),
        row(
            name("PINGREQ with something in it"),
            Expected::Ours(closes("e00181end"), "2.1 closes without a word: what is wrong is found before the version is asked for"),
            on(version, [ends(b"\xc0\x01\0")]),
        ),
        row(
            name("a session is taken over"),
            if is_5 { Expected::By21("e0018eend") } else { Expected::Same },
            vec![send(taken_over(version)), Step::Beside, send(taken_over(version)), Step::Before],
        ),
    ]
}

fn taken_over(version: u8) -> Vec<u8> {
    Connect { identifier: "t", ..Connect::new(version) }.octets()
}

/// Properties of MQTT 5.0, and what else only it has.
fn of_mqtt_5() -> Vec<Row> {
    let same = |name: &str, script: Vec<Step>| row(name, Expected::Same, script);
    let with = |list: &[u8]| send(Connect { properties: list, ..Connect::new(5) }.octets());
    let sub = |list: &[u8], filters: &[(&str, u8)]| send(subscribe(5, 1, list, filters));
    let publication = |flags: u8, topic: &str, list: &[u8]| send(publish(5, flags, topic, list, "x"));
    let ordered = b"\x01\x01\x03\0\x04text\x08\0\x04resp\x09\0\x04corr\x26\0\x01k\0\x01v\x26\0\x02k2\0\x02v2\x02\0\0\0\x64";
    vec![
        same("Client Identifier by the server", vec![send(Connect { identifier: "", ..Connect::new(5) }.octets())]),
        same("Session Expiry Interval", vec![with(b"\x11\0\0\0\x0a")]),
        same("Session Expiry Interval without end", vec![with(b"\x11\xff\xff\xff\xff")]),
        same("no problems wanted", vec![with(b"\x17\0"), publication(2, "nobody", &[])]),
        same("unknown method", vec![with(b"\x15\0\x01X")]),
        same("password without user name", vec![send(Connect { flags: 0x42, rest: b"\0\x02pw", ..Connect::new(5) }.octets())]),
        same("Will", vec![send(Connect { flags: 6, rest: b"\0\0\x01w\0\x01x", ..Connect::new(5) }.octets())]),
        same("properties that travel", on(5, [sub(&[], &[("p", 1)]), publication(2, "p", ordered)])),
        same("expiry", on(5, [sub(&[], &[("p", 0)]), publication(0, "p", b"\x02\0\0\0\x64")])),
        same("alias of the client", on(5, [sub(&[], &[("p", 0)]), publication(0, "p", b"\x23\0\x01"), publication(0, "", b"\x23\0\x01")])),
        same("alias above the maximum", on(5, [ends(publish(5, 0, "p", b"\x23\0\x0b", "x"))])),
        same("alias of nothing", on(5, [ends(publish(5, 0, "", b"\x23\0\x05", "x"))])),
        same("one subscription identifier", on(5, [sub(b"\x0b\x07", &[("p", 1)]), publication(0, "p", &[])])),
        same(
            "two subscription identifiers",
            on(5, [sub(b"\x0b\x07", &[("s/+", 1)]), send(subscribe(5, 2, b"\x0b\x08", &[("s/#", 1)])), publication(0, "s/a", &[])]),
        ),
        same("Retain As Published", on(5, [sub(&[], &[("p", 8)]), publication(1, "p", &[]), send(publish(5, 1, "p", &[], ""))])),
        same(
            "Retain Handling",
            on(
                5,
                [
                    publication(1, "h", &[]),
                    sub(&[], &[("h", 0x10)]),
                    sub(&[], &[("h", 0x10)]),
                    sub(&[], &[("h", 0x20)]),
                    send(publish(5, 1, "h", &[], "")),
                ],
            ),
        ),
        same("reserved options", on(5, [ends(subscribe(5, 1, &[], &[("p", 0x40)]))])),
        same("a property in the wrong SUBSCRIBE", on(5, [ends(subscribe(5, 1, b"\x01\x01", &[("p", 0)]))])),
        same("a property in the wrong PUBLISH", on(5, [ends(publish(5, 0, "p", b"\x11\0\0\0\x01", "x"))])),
        same("DISCONNECT with the Will", on(5, [ends(b"\xe0\x01\x04")])),
        same("DISCONNECT that would keep a session", on(5, [ends(b"\xe0\x07\0\x05\x11\0\0\0\x05")])),
        same("packet that is too large", on(5, [ends(b"\x30\x81\x89\x7a")])),
        same("a PUBACK that says more", on(5, [sub(&[], &[("p", 1)]), publication(2, "p", &[]), send(packet(0x40, &[b"\0\x01\x10"]))])),
    ]
}

/// Where 2.1 does otherwise than 2.0, or we than both.
fn otherwise_in_mqtt_5() -> Vec<Row> {
    let by21 = |name: &str, last: &'static str, script: Vec<Step>| row(name, Expected::By21(last), script);
    let ours = |name: &str, last: &'static str, why: &'static str, script: Vec<Step>| row(name, Expected::Ours(last, why), script);
    let with = |list: &[u8]| vec![ends(Connect { properties: list, ..Connect::new(5) }.octets())];
    let sub = |list: &[u8], filters: &[(&str, u8)]| on(5, [ends(subscribe(5, 1, list, filters))]);
    let aliased = [
        send(Connect { properties: b"\x22\0\x05", ..Connect::new(5) }.octets()),
        send(subscribe(5, 1, &[], &[("al/#", 0)])),
        send(publish(5, 0, "al/1", &[], "x")),
        send(publish(5, 0, "al/1", &[], "y")),
    ];
    let own = [send(subscribe(5, 1, &[], &[("n", 5)])), send(publish(5, 2, "n", &[], "x"))];
    const PROTOCOL: &str = "the specification calls it a Protocol Error, which is 0x82";
    vec![
        by21(
            "Receive Maximum",
            "e00193end",
            on(
                5,
                (1..=20).map(|id| send(publish_as(5, 4, id, "nobody", &[], "x"))).chain([ends(publish_as(5, 4, 21, "nobody", &[], "x"))]),
            ),
        ),
        by21("no Keep Alive", "200e00000b22000a27001e8480210014", vec![send(Connect { keep_alive: 0, ..Connect::new(5) }.octets())]),
        by21("topic with a wildcard", "e00181end", on(5, [ends(publish(5, 0, "a/#", &[], "x"))])),
        by21("alias 0", "e00194end", on(5, [ends(publish(5, 0, "al", b"\x23\0\0", "x"))])),
        by21("aliases of the broker", "300700000323000179", aliased.to_vec()),
        by21("Subscription Identifier from a client", "e00182end", on(5, [ends(publish(5, 0, "n", b"\x0b\x07", "x"))])),
        by21("No Local for a group", "e00182end", sub(&[], &[("$share/a/n", 5)])),
        by21("Receive Maximum 0", "2003008200end", with(b"\x21\0\0")),
        by21("Maximum Packet Size 0", "2003008200end", with(b"\x27\0\0\0\0")),
        by21("a property twice", "2003008200end", with(b"\x21\0\x01\x21\0\x01")),
        by21("data without a method", "2003008200end", with(b"\x16\0\x01X")),
        by21("AUTH", "e00182end", on(5, [ends(b"\xf0\0")])),
        by21("AUTH that goes on", "e00182end", on(5, [ends(b"\xf0\x02\x18\0")])),
        by21("CONNACK from a client", "e00182end", on(5, [ends(b"\x20\x02\0\0")])),
        by21(
            "Will with QoS 3",
            "2003008100end",
            vec![ends(Connect { flags: 0x1e, rest: b"\0\0\x01w\0\x01x", ..Connect::new(5) }.octets())],
        ),
        by21("CONNECT with more behind it", "2003008100end", vec![ends(Connect { rest: b"zz", ..Connect::new(5) }.octets())]),
        by21("version 6", "2003008400end", vec![ends(packet(0x10, &[&text("MQTT"), b"\x06\x02\0\x3c\0", &text("c")]))]),
        by21("flags of PUBACK", "e00181end", on(5, [ends(b"\x41\x02\0\x01")])),
        by21("flags of PINGREQ", "e00181end", on(5, [ends(b"\xc1\0")])),
        ours("SUBSCRIBE to nothing", "e00182end", PROTOCOL, sub(&[], &[])),
        ours("SUBSCRIBE with QoS 3", "e00182end", PROTOCOL, sub(&[], &[("a", 3)])),
        ours("Retain Handling 3", "e00182end", PROTOCOL, sub(&[], &[("a", 0x30)])),
        ours("Subscription Identifier 0", "e00182end", PROTOCOL, sub(b"\x0b\0", &[("a", 0)])),
        ours("SUBSCRIBE with Packet Identifier 0", "e00182end", PROTOCOL, on(5, [ends(subscribe(5, 0, &[], &[("a", 0)]))])),
        ours("Payload Format Indicator 2", "e00182end", PROTOCOL, on(5, [ends(publish(5, 0, "n", b"\x01\x02", "x"))])),
        ours("Response Topic with a wildcard", "e00182end", "[MQTT-3.3.2-14]", on(5, [ends(publish(5, 0, "n", b"\x08\0\x03a/#", "x"))])),
        ours("DISCONNECT with a code that there is not", "e00182end", "[MQTT-3.14.2-1]", on(5, [ends(b"\xe0\x01\x01")])),
        ours("packet type 0", "e00181end", "the fixed header is malformed; Mosquitto says 0x82", on(5, [ends(b"\0\0")])),
        ours("second CONNECT", "e00182end", SAYS_WHY, on(5, [ends(Connect::new(5).octets())])),
        ours("Remaining Length of five octets", "e00181end", SAYS_WHY, on(5, [ends(b"\x30\xff\xff\xff\xff\x7f")])),
        ours("flags of DISCONNECT", "e00181end", "Mosquitto says 0x81 or nothing, by the version", on(5, [ends(b"\xe1\0")])),
        ours("No Local", "4003000510", "nobody gets it, and PUBACK may say so; for Mosquitto the publisher itself counts", on(5, own)),
        ours(
            "topic with a control character",
            "4003000510",
            "a Server may end the connection for it (§1.5.4), and has no reason to",
            on(5, [send(publish(5, 2, "a\u{1}b", &[], "x"))]),
        ),
    ]
}

/// A CONNECT of MQTT 5.0 that is none.
fn bad_connects() -> Vec<Row> {
    let ours = |name: &str, last: &'static str, why: &'static str, script: Vec<Step>| row(name, Expected::Ours(last, why), script);
    vec![
        ours("Will flags without a Will", "2003008100end", SAYS_WHY, vec![ends(Connect { flags: 0x0a, ..Connect::new(5) }.octets())]),
        ours("reserved flag of CONNECT", "2003008100end", SAYS_WHY, vec![ends(Connect { flags: 3, ..Connect::new(5) }.octets())]),
        ours(
            "Will with a wildcard",
            "2003009000end",
            SAYS_WHY,
            vec![ends(Connect { flags: 6, rest: b"\0\0\x03w/#\0\x01x", ..Connect::new(5) }.octets())],
        ),
    ]
}

/// What only older versions have.
fn of_older_versions() -> Vec<Row> {
    let same = |name: &str, script: Vec<Step>| row(name, Expected::Same, script);
    let mut rows = vec![
        same("no Client Identifier, 3.1", vec![ends(Connect { identifier: "", ..Connect::new(3) }.octets())]),
        same("no Client Identifier, 3.1.1", vec![send(Connect { identifier: "", ..Connect::new(4) }.octets())]),
        same(
            "no Client Identifier and a session that is kept",
            vec![ends(Connect { identifier: "", flags: 0, ..Connect::new(4) }.octets())],
        ),
        same("3.1.1 by its older name", vec![ends(packet(0x10, &[&text("MQIsdp"), b"\x04\x02\0\x3c", &text("c")]))]),
        same("3.1 by its newer name", vec![ends(packet(0x10, &[&text("MQTT"), b"\x03\x02\0\x3c", &text("c")]))]),
        row(
            "version 2",
            Expected::Ours("20020001end", "[MQTT-3.1.2-2] (3.1.1): 1; 2.1 answers whoever is older than 3.1 in the words of MQTT 5.0"),
            vec![ends(packet(0x10, &[&text("MQTT"), b"\x02\x02\0\x3c", &text("c")]))],
        ),
        row(
            "another protocol",
            Expected::Ours("20020001end", "Mosquitto closes without a word, which [MQTT-3.1.2-1] (3.1.1) allows like this"),
            vec![ends(packet(0x10, &[&text("MQTX"), b"\x04\x02\0\x3c", &text("c")]))],
        ),
        row(
            "SUBSCRIBE to nothing, 3.1",
            Expected::Ours("end", "a SUBACK that grants nothing says nothing"),
            on(3, [ends(subscribe(3, 1, &[], &[]))]),
        ),
        same("SUBSCRIBE to nothing, 3.1.1", on(4, [ends(subscribe(4, 1, &[], &[]))])),
    ];
    for version in [3, 4] {
        for (name, rest) in [("topic with a wildcard", publish(version, 0, "a/#", &[], "x")), ("packet type 0", b"\0\0".to_vec())] {
            rows.push(same(&format!("{name} ({version})"), on(version, [ends(rest)])));
        }
        rows.push(same(
            &format!("password without user name ({version})"),
            vec![ends(Connect { flags: 0x42, rest: b"\0\x02pw", ..Connect::new(version) }.octets())],
        ));
        rows.push(same(&format!("second CONNECT ({version})"), on(version, [ends(Connect::new(version).octets())])));
        rows.push(same(&format!("SUBSCRIBE with QoS 3 ({version})"), on(version, [ends(subscribe(version, 1, &[], &[("a", 3)]))])));
    }
    rows
}

#[test]
fn what_comes_back_is_what_comes_from_mosquitto() {
    let mosquitto = Mosquitto::with_options("allow_anonymous true\nmax_packet_size 2000000\nallow_duplicate_messages true\n", "", None);
    let broker = Broker::start(&super::as_mosquitto("[\"everyone\"]"));
    let rows = [3, 4, 5].into_iter().flat_map(|version| in_each_version(version).into_iter().chain(otherwise_in_each_version(version)));
    let rows = rows.chain(of_mqtt_5()).chain(otherwise_in_mqtt_5()).chain(bad_connects()).chain(of_older_versions());
    let mut wrong = Vec::new();
    for Row { name, script, expected } in rows {
        let ours = play((broker.plain_port(), &format!("ours, {name}")), &script);
        let last = ours.last().cloned().unwrap_or_default();
        let fault = match expected {
            Expected::Same => {
                let theirs = play((mosquitto.plain_port(), &format!("Mosquitto, {name}")), &script);
                (ours != theirs).then(|| format!("Mosquitto {theirs:?}\n  ours      {ours:?}"))
            }
            Expected::By21(wanted) => (last != wanted).then(|| format!("2.1  {wanted}\n  ours {last}")),
            Expected::Ours(wanted, why) => (last != wanted).then(|| format!("wanted {wanted}, because {why}\n  found  {last}")),
        };
        wrong.extend(fault.map(|fault| format!("{name}\n  {fault}")));
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
