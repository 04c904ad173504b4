//! From a packet that has arrived to the packets that go out.

use bytes::BytesMut;
use signet_broker::ConnectionId;
use signet_mqtt::{Ack, Packet, ProtocolVersion, QoS};

use crate::case::Case;
use crate::packets::{
    QOS0, QOS1, QOS2, TOPIC, V5, V311, arrived, bytes, connect, decode, decoder, disconnect, number, publish, subscribe, unsubscribe,
};
use crate::shard::Shard;

/// Of which each costs some thousand instructions.
const OPERATIONS: usize = 100;

/// More topics than a publisher's connection remembers.
const MANY_TOPICS: usize = 100;

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    fan_out(&mut cases);
    filters(&mut cases);
    exchanges(&mut cases);
    retained(&mut cases);
    whole(&mut cases);
    cases
}

fn fan_out(cases: &mut Vec<Case>) {
    for (name, receivers, operations) in [
        ("route to 1 receiver, QoS 0", 1, OPERATIONS),
        ("route to 50 receivers, QoS 0", 50, OPERATIONS),
        ("route to 500 receivers, QoS 0", 500, 20),
    ] {
        cases.push(Case::new(name, operations, receivers, move |count| {
            let mut shard = Shard::open();
            receivers_of(&mut shard, V311, receivers, QOS0);
            let publisher = shard.client(V311, "publisher");
            let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS0);
            Box::new(move || {
                shard.packet(publisher, arrivals.pop().unwrap());
                shard.sent()
            })
        }));
    }
    cases.push(Case::new("route to nobody, QoS 0", OPERATIONS, 0, |count| {
        let mut shard = Shard::open();
        let publisher = shard.client(V311, "publisher");
        let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS0);
        Box::new(move || {
            shard.packet(publisher, arrivals.pop().unwrap());
            shard.sent()
        })
    }));
}

fn filters(cases: &mut Vec<Case>) {
    cases.push(among("match a literal filter among 10", 10, "plant/7/device/5/temperature"));
    cases.push(among("match a literal filter among 100,000", 100_000, "plant/7/device/5/temperature"));
    cases.push(among("match a filter with `+` among 10", 10, "plant/+/device/+/state"));
    cases.push(among("match a filter with `+` among 10,000", 10_000, "plant/+/device/+/state"));
    cases.push(among("match a filter with `#` among 10", 10, "alarm/#"));
    cases.push(Case::new("choose a member of ten of a Shared Subscription", OPERATIONS, 1, |count| {
        let mut shard = Shard::open();
        for member in 0..10 {
            shard.subscriber(V5, &format!("member-{member}"), "$share/workers/plant/#", QOS0);
        }
        let publisher = shard.client(V5, "publisher");
        let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS0);
        Box::new(move || {
            shard.packet(publisher, arrivals.pop().unwrap());
            shard.sent()
        })
    }));
    cases.push(Case::new("subscribe and unsubscribe among 1,000", OPERATIONS, 2, |_| {
        let mut shard = Shard::open();
        let crowd = shard.client(V311, "crowd");
        crowd_of(&mut shard, crowd, 1_000);
        let client = shard.client(V311, "client");
        let subscribe = subscribe(&["plant/7/device/one-of-its-own/temperature"], QOS1);
        let unsubscribe = unsubscribe("plant/7/device/one-of-its-own/temperature");
        Box::new(move || {
            shard.packet(client, subscribe.clone());
            shard.packet(client, unsubscribe.clone());
            shard.sent()
        })
    }));
    cases.push(Case::new("the same, and route to 1 receiver elsewhere", OPERATIONS, 3, |count| {
        let mut shard = Shard::open();
        receivers_of(&mut shard, V311, 1, QOS0);
        let client = shard.client(V311, "client");
        crowd_of(&mut shard, client, 1_000);
        let publisher = shard.client(V311, "publisher");
        let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS0);
        let subscribe = subscribe(&["plant/7/device/one-of-its-own/temperature"], QOS1);
        let unsubscribe = unsubscribe("plant/7/device/one-of-its-own/temperature");
        Box::new(move || {
            shard.packet(client, subscribe.clone());
            shard.packet(client, unsubscribe.clone());
            shard.packet(publisher, arrivals.pop().unwrap());
            shard.sent()
        })
    }));
}

/// One receiver among others to other filters. The publisher has more topics than its connection remembers, so that each message is matched.
fn among(name: &'static str, filters: usize, filter: &'static str) -> Case {
    Case::new(name, OPERATIONS, 1, move |count| {
        let mut shard = Shard::open();
        let crowd = shard.client(V311, "crowd");
        crowd_of(&mut shard, crowd, filters);
        let is_literal = !filter.contains(['+', '#']);
        let topic = move |at: usize| match filter {
            _ if is_literal => format!("plant/7/device/5/temperature/{at:02}"),
            "alarm/#" => format!("alarm/7/device/5/battery/{at:02}"),
            _ => format!("plant/7/device/{at:02}/state"),
        };
        let receiver = shard.client(V311, "receiver");
        if is_literal {
            let topics: Vec<String> = (0..MANY_TOPICS).map(topic).collect();
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            shard.subscribe(receiver, &topics, QOS0);
        } else {
            shard.subscribe(receiver, &[filter], QOS0);
        }
        let publisher = shard.client(V311, "publisher");
        let mut arrivals = arrivals(count, |at| topic(at % MANY_TOPICS), QOS0);
        Box::new(move || {
            shard.packet(publisher, arrivals.pop().unwrap());
            shard.sent()
        })
    })
}

fn exchanges(cases: &mut Vec<Case>) {
    cases.push(at_least_once("QoS 1, PUBLISH to PUBACK of its one receiver, 3.1.1", V311, 0));
    cases.push(at_least_once("QoS 1, PUBLISH to PUBACK of its one receiver, 5.0", V5, 0));
    cases.push(at_least_once("QoS 1, the same with 50 others on their way", V311, 50));
    cases.push(Case::new("QoS 1, PUBLISH to PUBACK of a session that lasts", OPERATIONS, 2, |count| {
        let mut shard = Shard::open();
        let mut lasting = connect(V5, "receiver");
        lasting.properties.session_expiry_interval = Some(3600);
        let receiver = shard.client_as(lasting);
        shard.subscribe(receiver, &[TOPIC], QOS1);
        let publisher = shard.client(V5, "publisher");
        let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS1);
        Box::new(move || acknowledged(&mut shard, publisher, arrivals.pop().unwrap(), receiver))
    }));
    cases.push(Case::new("QoS 1 to an absent session: PUBLISH to its queue", OPERATIONS, 1, |count| {
        let mut shard = Shard::open();
        let mut lasting = connect(V311, "receiver");
        lasting.clean_start = false;
        let receiver = shard.client_as(lasting);
        shard.subscribe(receiver, &[TOPIC], QOS1);
        shard.packet(receiver, disconnect());
        shard.sent();
        let publisher = shard.client(V311, "publisher");
        let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS1);
        Box::new(move || {
            shard.packet(publisher, arrivals.pop().unwrap());
            shard.sent()
        })
    }));
    cases.push(exactly_once("QoS 2, PUBLISH to PUBCOMP of its one receiver, 3.1.1", V311));
    cases.push(exactly_once("QoS 2, PUBLISH to PUBCOMP of its one receiver, 5.0", V5));
}

fn at_least_once(name: &'static str, version: ProtocolVersion, on_their_way: usize) -> Case {
    Case::new(name, OPERATIONS, 2, move |count| {
        let mut shard = Shard::open();
        let receiver = shard.subscriber(version, "receiver", TOPIC, QOS1);
        let publisher = shard.client(version, "publisher");
        let mut arrivals = arrivals(count + on_their_way, |_| TOPIC.to_owned(), QOS1);
        for _ in 0..on_their_way {
            shard.packet(publisher, arrivals.pop().unwrap());
        }
        shard.sent();
        Box::new(move || acknowledged(&mut shard, publisher, arrivals.pop().unwrap(), receiver))
    })
}

fn acknowledged(shard: &mut Shard, publisher: ConnectionId, packet: Packet, receiver: ConnectionId) -> usize {
    shard.packet(publisher, packet);
    let packet_id = shard.delivered();
    shard.packet(receiver, Packet::Puback(Ack::success(packet_id)));
    shard.sent()
}

/// PUBLISH and PUBREC, PUBREL and PUBCOMP on either side.
fn exactly_once(name: &'static str, version: ProtocolVersion) -> Case {
    Case::new(name, OPERATIONS, 4, move |count| {
        let mut shard = Shard::open();
        let receiver = shard.subscriber(version, "receiver", TOPIC, QOS2);
        let publisher = shard.client(version, "publisher");
        let mut arrivals = arrivals(count, |_| TOPIC.to_owned(), QOS2);
        Box::new(move || {
            shard.packet(publisher, arrivals.pop().unwrap());
            let packet_id = shard.delivered();
            shard.packet(publisher, Packet::Pubrel(Ack::success(number(1))));
            shard.packet(receiver, Packet::Pubrec(Ack::success(packet_id)));
            shard.packet(receiver, Packet::Pubcomp(Ack::success(packet_id)));
            shard.sent()
        })
    })
}

fn retained(cases: &mut Vec<Case>) {
    cases.push(Case::new("set a retained message, QoS 0", OPERATIONS, 0, |count| {
        let mut shard = Shard::open();
        let publisher = shard.client(V311, "publisher");
        let mut arrivals = retained_arrivals(count, |_| TOPIC.to_owned());
        Box::new(move || {
            shard.packet(publisher, arrivals.pop().unwrap());
            shard.sent()
        })
    }));
    cases.push(subscribing_to_retained("subscribe to a topic with a retained message, and unsubscribe", TOPIC, 3));
    cases.push(subscribing_to_retained("subscribe to 100 retained messages by `#`, and unsubscribe", "plant/#", 102));
}

/// SUBACK, the retained messages, UNSUBACK.
fn subscribing_to_retained(name: &'static str, filter: &'static str, packets: usize) -> Case {
    Case::new(name, 20, packets, move |_| {
        let mut shard = Shard::open();
        let publisher = shard.client(V311, "publisher");
        for packet in retained_arrivals(99, |at| format!("plant/8/{at}")) {
            shard.packet(publisher, packet);
        }
        for packet in retained_arrivals(1, |_| TOPIC.to_owned()) {
            shard.packet(publisher, packet);
        }
        shard.sent();
        let client = shard.client(V311, "client");
        let subscribe = subscribe(&[filter], QOS0);
        let unsubscribe = unsubscribe(filter);
        Box::new(move || {
            shard.packet(client, subscribe.clone());
            shard.packet(client, unsubscribe.clone());
            shard.sent()
        })
    })
}

/// All of it but the sockets: bytes in, bytes out.
fn whole(cases: &mut Vec<Case>) {
    for (name, receivers, qos, version, operations) in [
        ("bytes in to bytes out, QoS 0 to 1 receiver, 256 B, 3.1.1", 1, QOS0, V311, OPERATIONS),
        ("bytes in to bytes out, QoS 0 to 1 receiver, 256 B, 5.0", 1, QOS0, V5, OPERATIONS),
        ("bytes in to bytes out, QoS 0 to 500 receivers, 256 B, 3.1.1", 500, QOS0, V311, 20),
    ] {
        cases.push(Case::new(name, operations, receivers, move |_| {
            let mut shard = Shard::open();
            receivers_of(&mut shard, version, receivers, qos);
            let publisher = shard.client(version, "publisher");
            let (mut decoder, mut out) = (decoder(version), BytesMut::new());
            let bytes = bytes(&Packet::Publish(publish(TOPIC, 256, qos, 1)), version);
            Box::new(move || {
                out.clear();
                shard.packet(publisher, decode(&mut decoder, &bytes));
                shard.written(version, &mut out)
            })
        }));
    }
}

fn receivers_of(shard: &mut Shard, version: ProtocolVersion, receivers: usize, qos: QoS) {
    for receiver in 0..receivers {
        shard.subscriber(version, &format!("receiver-{receiver}"), TOPIC, qos);
    }
}

/// So many subscriptions that have nothing to do with it.
fn crowd_of(shard: &mut Shard, crowd: ConnectionId, filters: usize) {
    let names: Vec<String> = (0..filters).map(|at| format!("plant/7/device/c{at}/temperature")).collect();
    for names in names.chunks(1_000) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        shard.subscribe(crowd, &names, QOS0);
    }
}

/// PUBLISH packets as the decoder gives them.
fn arrivals(count: usize, topic: impl Fn(usize) -> String, qos: QoS) -> Vec<Packet> {
    (0..count).map(|at| arrived(&Packet::Publish(publish(&topic(at), 256, qos, 1)), V311)).collect()
}

fn retained_arrivals(count: usize, topic: impl Fn(usize) -> String) -> Vec<Packet> {
    let mut packets = arrivals(count, topic, QOS0);
    for packet in &mut packets {
        if let Packet::Publish(publish) = packet {
            publish.retain = true;
        }
    }
    packets
}
