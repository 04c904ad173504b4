//! The index alone: what counts as live, and what is forgotten.

use std::sync::Arc;

use signet_broker::{Change, Moment, Recipient, ShardId, SubscriptionIdentifiers};
use signet_mqtt::{Message, PacketId, QoS, TopicName};

use super::*;
use crate::record::encode;
use crate::recover::apply;

fn add(index: &mut Index, segment: u32, changes: &[Change<'_>]) -> u64 {
    let mut bytes = Vec::new();
    changes.iter().for_each(|change| encode(change, &mut bytes));
    apply(index, segment, 100, &bytes).unwrap();
    u64::try_from(bytes.len()).unwrap()
}

fn message() -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::new("a").unwrap(),
        payload: "x".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Default::default(),
    })
}

fn to(sessions: std::ops::Range<u64>) -> Vec<Recipient> {
    let recipient = |session| Recipient {
        session: SessionId(session),
        shard: ShardId(0),
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: SubscriptionIdentifiers::default(),
        shared: None,
    };
    sessions.map(recipient).collect()
}

fn queued<'a>(id: u64, message: &'a Arc<Message>, recipients: &'a [Recipient]) -> Change<'a> {
    Change::MessageQueued { id: MessageId(id), message, recipients, received_at: Moment::ZERO }
}

#[test]
fn a_message_lives_until_the_last_recipient_is_done() {
    for count in [1, 2, 3, 40, 200] {
        let mut index = Index::default();
        let length = add(&mut index, 3, &[queued(1, &message(), &to(0..count))]);
        assert_eq!((index.live(), index.live_in(3), index.messages().count()), (length, length, 1));
        // Somebody else, and twice the same.
        add(&mut index, 4, &[Change::MessageDone { session: SessionId(999), id: MessageId(1) }]);
        for session in (0..count).rev() {
            assert_eq!(index.live(), length);
            assert_eq!(index.messages().stage(SessionId(session), MessageId(1)), Some(StageImage::Queued));
            let done = Change::MessageDone { session: SessionId(session), id: MessageId(1) };
            add(&mut index, 4, &[done.clone(), done]);
            assert_eq!(index.messages().stage(SessionId(session), MessageId(1)), None);
        }
        assert_eq!((index.live(), index.live_in(3), index.messages().count()), (0, 0, 0));
    }
}

#[test]
fn what_is_put_again_lives_in_its_new_place_only() {
    let mut index = Index::default();
    let session = SessionId(5);
    let first = add(
        &mut index,
        1,
        &[Change::SessionLeft { session, ends_at: None }, Change::ReceivedQos2 { session, packet_id: PacketId::new(1).unwrap() }],
    );
    assert_eq!(index.live_in(1), first);
    let second = add(&mut index, 2, &[Change::SessionLeft { session, ends_at: Some(Moment::ZERO) }]);
    assert_eq!((index.live_in(1), index.live_in(2)), (first - second, second));
    add(&mut index, 2, &[Change::SessionRemoved { session }]);
    assert_eq!((index.live_in(1), index.live_in(2)), (first - second, 0));
    index.forget_segments_before(2);
    assert_eq!((index.live_in(1), index.live_in(2)), (0, 0));
}

#[test]
fn what_is_heard_of_an_unknown_message_is_kept_until_all_was_read() {
    let mut index = Index::default();
    let (session, id, packet_id) = (SessionId(1), MessageId(7), PacketId::new(9).unwrap());
    add(&mut index, 1, &[Change::MessageSent { session, id, packet_id, order: 3 }, Change::MessageReleased { session, id }]);
    add(&mut index, 1, &[Change::MessageSent { session, id: MessageId(8), packet_id, order: 4 }]);
    assert_eq!(index.messages().stage(session, id), None);
    // What the message itself says is what is true.
    add(&mut index, 2, &[queued(7, &message(), &to(1..3))]);
    assert_eq!(index.messages().stage(session, id), Some(StageImage::Queued));
    add(&mut index, 2, &[queued(8, &message(), &to(2..3))]);
    assert_eq!(index.messages().on_the_way(), 1);
    index.forget_unknown();
    assert_eq!(index.messages().on_the_way(), 0);
    add(&mut index, 2, &[queued(8, &message(), &to(1..3))]);
    assert_eq!(index.messages().stage(session, MessageId(8)), Some(StageImage::Queued));
    assert_eq!(index.first_free(), 9);
}

#[test]
fn the_largest_id_is_remembered_even_of_what_is_gone() {
    let mut index = Index::default();
    add(&mut index, 1, &[Change::MessageDone { session: SessionId(7 << 48 | 3), id: MessageId(2 << 48 | 40) }]);
    assert_eq!(index.first_free(), 41);
    add(&mut index, 1, &[Change::RetainedCleared { id: RetainedId(60) }, Change::SessionRemoved { session: SessionId(1 << 48 | 50) }]);
    assert_eq!((index.first_free(), index.live()), (61, 0));
}

#[test]
fn nothing_is_left_of_a_delivery_that_is_over() {
    let mut index = Index::default();
    let (session, packet_id) = (SessionId(1), PacketId::new(9).unwrap());
    for id in 1..=10 {
        add(&mut index, 1, &[queued(id, &message(), &to(1..3)), Change::MessageSent { session, id: MessageId(id), packet_id, order: id }]);
    }
    assert_eq!(index.messages().on_the_way(), 10);
    for id in 1..=10 {
        add(&mut index, 1, &[Change::MessageDone { session, id: MessageId(id) }]);
    }
    assert_eq!((index.messages().on_the_way(), index.messages().count()), (0, 10));
}
