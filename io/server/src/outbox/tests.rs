//! What may overtake what while the disk is busy, what is left unsaid at the end, and what counts as too much.

use signet_mqtt::{
    Ack, Connack, DecodeLimits, Decoder, Disconnect, MessageProperties, PacketId, QoS, ReasonCode, Role, Suback, TopicName, UserProperties,
};

use super::*;

const NOW: Ticket = Ticket::NONE;

fn packet(packet: Packet, after: u64) -> Outgoing {
    Outgoing::Packet(packet, Ticket(after))
}

fn ack(make: fn(Ack) -> Packet, id: u16, after: u64) -> Outgoing {
    packet(make(Ack::success(PacketId::new(id).unwrap())), after)
}

fn connack(after: u64) -> Outgoing {
    packet(
        Packet::Connack(Box::new(Connack { session_present: false, reason_code: ReasonCode::Success, properties: Default::default() })),
        after,
    )
}

fn suback(after: u64) -> Outgoing {
    let suback = Suback {
        packet_id: PacketId::new(9).unwrap(),
        reason_string: None,
        user_properties: UserProperties::default(),
        reason_codes: vec![ReasonCode::Success],
    };
    packet(Packet::Suback(suback), after)
}

fn disconnect() -> Outgoing {
    packet(Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::AdministrativeAction))), 0)
}

fn message(topic: &str, payload: &'static str, properties: MessageProperties) -> Arc<Message> {
    let topic = TopicName::new(topic).unwrap();
    Arc::new(Message { topic, payload: payload.as_bytes().into(), qos: QoS::AtLeastOnce, retain: false, properties: properties.into() })
}

fn publish(name: &'static str, qos: QoS, after: u64) -> Outgoing {
    let header = OwnedPublishHeader {
        dup: false,
        qos,
        retain: false,
        packet_id: (qos > QoS::AtMostOnce).then(|| PacketId::new(1).unwrap()),
        message_expiry_interval: None,
        subscription_identifiers: Default::default(),
        topic_alias: None,
        send_topic: true,
    };
    Outgoing::Publish(message(name, name, MessageProperties::default()), header, Ticket(after))
}

/// What goes out when the store has got as far as `durable`, in words.
fn sent(outbox: &mut Outbox, durable: u64) -> String {
    let mut buffer = BytesMut::new();
    outbox.encode(ProtocolVersion::V5, Ticket(durable), usize::MAX, &mut buffer);
    let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
    let mut words = Vec::new();
    let mut rest: &[u8] = &buffer;
    while let Some((packet, used)) = decoder.decode(rest).unwrap() {
        rest = &rest[used..];
        words.push(match packet {
            Packet::Publish(publish) => publish.topic.unwrap().as_str().to_owned(),
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) => format!("{}", ack.packet_id.get()),
            other => other.name().to_owned(),
        });
    }
    assert!(rest.is_empty());
    words.join(" ")
}

fn greeted() -> Outbox {
    let mut outbox = Outbox::default();
    outbox.push(connack(0));
    assert_eq!(sent(&mut outbox, 0), "CONNACK");
    outbox
}

#[test]
fn the_order_is_kept_as_long_as_nothing_waits() {
    let mut outbox = greeted();
    outbox.push(publish("a", QoS::AtMostOnce, 0));
    outbox.push(ack(Packet::Puback, 1, 3));
    outbox.push(publish("b", QoS::AtLeastOnce, 0));
    outbox.push(suback(4));
    outbox.push(publish("c", QoS::ExactlyOnce, 5));
    assert_eq!(sent(&mut outbox, 5), "a 1 b SUBACK c");
    assert!(outbox.is_empty());
}

#[test]
fn acknowledgements_wait_for_the_disk_in_their_order_mqtt_4_6_0_2() {
    let mut outbox = greeted();
    outbox.push(ack(Packet::Puback, 1, 7));
    // Nothing to wait for, but an acknowledgement before it has to.
    outbox.push(ack(Packet::Puback, 2, 0));
    outbox.push(ack(Packet::Pubrec, 3, 8));
    assert_eq!(sent(&mut outbox, 6), "");
    assert_eq!(outbox.next_ticket(Ticket(6)), Some(Ticket(7)));
    assert_eq!(sent(&mut outbox, 7), "1 2");
    assert_eq!(outbox.next_ticket(Ticket(7)), Some(Ticket(8)));
    assert_eq!(sent(&mut outbox, 9), "3");
    assert_eq!(outbox.next_ticket(Ticket(9)), None);
    assert!(outbox.is_empty());
}

#[test]
fn messages_overtake_acknowledgements_that_wait() {
    let mut outbox = greeted();
    outbox.push(ack(Packet::Puback, 1, 7));
    outbox.push(publish("a", QoS::AtLeastOnce, 0));
    outbox.push(publish("b", QoS::AtMostOnce, 0));
    assert_eq!(sent(&mut outbox, 6), "a b");
    assert!(!outbox.is_empty());
    assert_eq!(sent(&mut outbox, 7), "1");
}

#[test]
fn nothing_overtakes_connack_mqtt_3_2_0_1() {
    let mut outbox = Outbox::default();
    outbox.push(connack(2));
    outbox.push(publish("a", QoS::AtMostOnce, 0));
    outbox.push(ack(Packet::Pubrel, 1, 0));
    outbox.push(packet(Packet::Pingresp, 0));
    assert_eq!(sent(&mut outbox, 1), "");
    assert_eq!(outbox.next_ticket(Ticket(1)), Some(Ticket(2)));
    assert_eq!(sent(&mut outbox, 2), "CONNACK a 1 PINGRESP");
}

#[test]
fn no_later_message_overtakes_a_suback() {
    let mut outbox = greeted();
    outbox.push(publish("before", QoS::AtMostOnce, 0));
    outbox.push(suback(5));
    outbox.push(publish("between", QoS::AtMostOnce, 0));
    outbox.push(suback(6));
    outbox.push(publish("after", QoS::AtMostOnce, 0));
    assert_eq!(sent(&mut outbox, 4), "before");
    assert_eq!(sent(&mut outbox, 5), "SUBACK between");
    assert_eq!(sent(&mut outbox, 6), "SUBACK after");
}

#[test]
fn a_publish_that_waits_holds_up_those_behind_it_and_nothing_else_mqtt_4_6_0_6() {
    let mut outbox = greeted();
    outbox.push(publish("first", QoS::ExactlyOnce, 5));
    outbox.push(publish("second", QoS::AtMostOnce, 0));
    outbox.push(ack(Packet::Puback, 1, 4));
    assert_eq!(sent(&mut outbox, 4), "1");
    assert_eq!(outbox.next_ticket(Ticket(4)), Some(Ticket(5)));
    assert_eq!(sent(&mut outbox, 5), "first second");
}

#[test]
fn the_earlier_of_two_tickets_is_what_is_waited_for() {
    let mut outbox = greeted();
    outbox.push(ack(Packet::Puback, 1, 9));
    outbox.push(publish("a", QoS::ExactlyOnce, 8));
    assert_eq!(outbox.next_ticket(Ticket(1)), Some(Ticket(8)));
    assert_eq!(outbox.next_ticket(Ticket(2)), None, "one note is enough");
    assert_eq!(sent(&mut outbox, 8), "a");
    assert_eq!(outbox.next_ticket(Ticket(8)), Some(Ticket(9)));
}

#[test]
fn an_earlier_ticket_is_told_even_when_a_later_one_is_waited_for() {
    let mut outbox = greeted();
    outbox.push(ack(Packet::Puback, 1, 9));
    assert_eq!(outbox.next_ticket(Ticket(1)), Some(Ticket(9)));
    outbox.push(publish("a", QoS::ExactlyOnce, 8));
    assert_eq!(outbox.next_ticket(Ticket(1)), Some(Ticket(8)));
}

#[test]
fn a_ping_is_answered_while_the_disk_is_busy_and_after_what_is_ready() {
    let mut outbox = greeted();
    outbox.push(packet(Packet::Pingresp, 0));
    outbox.push(ack(Packet::Puback, 1, 5));
    outbox.push(suback(6));
    outbox.push(packet(Packet::Pingresp, 0));
    assert_eq!(sent(&mut outbox, 0), "PINGRESP PINGRESP");
    outbox.push(packet(Packet::Pingresp, 0));
    assert_eq!(sent(&mut outbox, 6), "1 SUBACK PINGRESP");
}

#[test]
fn what_waits_at_the_end_is_never_said_but_why_it_ends_is() {
    let mut outbox = greeted();
    outbox.push(ack(Packet::Puback, 1, 3));
    outbox.push(publish("a", QoS::ExactlyOnce, 4));
    outbox.push(ack(Packet::Puback, 2, 5));
    outbox.push(suback(0));
    outbox.push(publish("behind the SUBACK", QoS::AtMostOnce, 0));
    outbox.push(publish("b", QoS::ExactlyOnce, 6));
    outbox.push(disconnect());
    outbox.forget_waiting(Ticket(4));
    assert_eq!(sent(&mut outbox, 4), "1 a DISCONNECT");
    assert!(outbox.is_empty());
    assert!(!outbox.is_full(HIGH_WATER), "what is forgotten does not count");
}

#[test]
fn a_client_that_was_not_greeted_is_not_taken_leave_of_mqtt_3_14_0_1() {
    let mut outbox = Outbox::default();
    outbox.push(connack(2));
    outbox.push(publish("a", QoS::AtMostOnce, 0));
    outbox.push(disconnect());
    outbox.forget_waiting(Ticket(1));
    assert!(outbox.is_empty());

    let mut outbox = Outbox::default();
    outbox.push(connack(2));
    outbox.push(publish("a", QoS::AtMostOnce, 0));
    outbox.push(disconnect());
    outbox.forget_waiting(Ticket(2));
    assert_eq!(sent(&mut outbox, 2), "CONNACK a DISCONNECT");
}

#[test]
fn encoding_stops_at_what_is_enough_and_goes_on_there() {
    let mut outbox = greeted();
    for _ in 0..3 {
        outbox.push(publish("a", QoS::AtMostOnce, 0));
    }
    let mut buffer = BytesMut::new();
    outbox.encode(ProtocolVersion::V5, NOW, 1, &mut buffer);
    assert_eq!(outbox.waiting().0, 2);
    assert_eq!(sent(&mut outbox, 0), "a a");
}

/// What the publisher puts into properties instead of the payload is held as well while nobody reads.
#[test]
fn properties_and_words_count() {
    let text = || "x".repeat(60_000).into();
    let properties = MessageProperties { user_properties: UserProperties(vec![(text(), text())]), ..Default::default() };
    let Outgoing::Publish(_, header, _) = publish("t", QoS::AtMostOnce, 0) else { panic!("a PUBLISH") };
    let mut outbox = greeted();
    outbox.push(Outgoing::Publish(message("t", "", properties), header, NOW));
    assert!(outbox.is_full(0));
    assert_eq!(outbox.crossed(0), Some(false));

    let mut ack = Ack::new(PacketId::new(1).unwrap(), ReasonCode::NotAuthorized);
    ack.reason_string = Some("x".repeat(60_000).into());
    let mut outbox = greeted();
    for _ in 0..2 {
        outbox.push(packet(Packet::Puback(ack.clone()), 0));
    }
    assert!(outbox.is_full(0));
}

#[test]
fn a_client_that_pings_and_does_not_read_is_not_read() {
    let mut outbox = greeted();
    for _ in 0..=HIGH_WATER / ENTRY {
        outbox.push(packet(Packet::Pingresp, 0));
    }
    assert!(outbox.is_full(0));
}

#[test]
fn acknowledgements_that_wait_for_the_disk_stop_reading_and_drop_no_messages() {
    let mut outbox = greeted();
    for _ in 0..1000 {
        outbox.push(ack(Packet::Puback, 1, 5));
    }
    assert!(outbox.is_full(0), "the publisher is held back");
    assert_eq!(outbox.crossed(0), None, "it is not slow at reading");
    assert_eq!(outbox.crossed(1), Some(false), "it is, when its socket takes no more");
    assert_eq!(sent(&mut outbox, 5).split(' ').count(), 1000);
    assert_eq!(outbox.crossed(0), Some(true));
    assert!(!outbox.is_full(0));
}
