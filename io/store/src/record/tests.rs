//! What is written is read again, and nothing that is read can stop the store.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use signet_broker::{Recipient, ShardId, StageImage};
use signet_identity::{CertificateId, DeviceIdentity, DeviceName, KeyDigest, Leaf, NameDigest, PathCertificate, SerialNumber};
use signet_mqtt::{ClientIdentifier, Message, MessageProperties, TopicName, UserProperties, Will, WillProperties};
use signet_policy::{Client, Principal};

use super::*;

fn text() -> impl Strategy<Value = ByteString> {
    "[a-zé]{0,12}".prop_map(ByteString::from)
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[a-z/]{1,20}".prop_map(|text| TopicName::new(text).unwrap())
}

fn any_qos() -> impl Strategy<Value = QoS> {
    (0_u8..3).prop_map(|value| QoS::try_from(value).unwrap())
}

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    let properties = (
        option::of(any::<bool>()),
        option::of(any::<u32>()),
        option::of(topic()),
        option::of(vec(any::<u8>(), 0..20)),
        vec((text(), text()), 0..4),
        option::of(text()),
    );
    (topic(), vec(any::<u8>(), 0..300), any_qos(), any::<bool>(), properties).prop_map(|(topic, payload, qos, retain, properties)| {
        let (payload_format_indicator, message_expiry_interval, response_topic, correlation, user, content_type) = properties;
        Message {
            topic,
            payload: payload.into(),
            qos,
            retain,
            properties: MessageProperties {
                payload_format_indicator,
                message_expiry_interval,
                response_topic,
                correlation_data: correlation.map(Bytes::from),
                user_properties: UserProperties(user),
                content_type,
            }
            .into(),
        }
    })
}

fn any_will() -> impl Strategy<Value = Will> {
    (any_message(), option::of(any::<u32>())).prop_map(|(message, delay_interval)| Will {
        topic: message.topic,
        payload: message.payload,
        qos: message.qos,
        retain: message.retain,
        properties: WillProperties {
            delay_interval,
            payload_format_indicator: message.properties.payload_format_indicator,
            message_expiry_interval: message.properties.message_expiry_interval,
            content_type: message.properties.content_type.clone(),
            response_topic: message.properties.response_topic.clone(),
            correlation_data: message.properties.correlation_data.clone(),
            user_properties: message.properties.user_properties.clone(),
        },
    })
}

fn any_recipient() -> impl Strategy<Value = Recipient> {
    let identifiers = vec(1_u32..268_435_456, 0..4);
    (any::<u64>(), any_qos(), any::<bool>(), identifiers, option::of("[a-z]{1,5}")).prop_map(
        |(session, qos, retain, identifiers, group)| Recipient {
            session: SessionId(session),
            shard: ShardId(0),
            qos,
            retain,
            identifiers: identifiers.into_iter().map(|number| SubscriptionIdentifier::new(number).unwrap()).collect(),
            shared: group.map(|group| Arc::new(TopicFilter::new(format!("$share/{group}/a/+/#")).unwrap())),
        },
    )
}

fn any_options() -> impl Strategy<Value = SubscriptionOptions> {
    let handling = prop_oneof![Just(RetainHandling::SendAtSubscribe), Just(RetainHandling::SendIfNew), Just(RetainHandling::DoNotSend)];
    (any_qos(), any::<bool>(), any::<bool>(), handling).prop_map(|(maximum_qos, no_local, retain_as_published, retain_handling)| {
        SubscriptionOptions { maximum_qos, no_local, retain_as_published, retain_handling }
    })
}

/// A certificate, always the same while the tests run.
fn certificate() -> &'static [u8] {
    static DER: OnceLock<Vec<u8>> = OnceLock::new();
    DER.get_or_init(|| {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(vec!["pump-7.example".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
    })
}

fn clients() -> Vec<Client> {
    let name = DeviceName::new("pump-7").unwrap();
    let intermediate = CertificateId::new(NameDigest::of(b"issuer"), SerialNumber::from_der_integer(&[0x11, 0x22]).unwrap());
    let identity = DeviceIdentity::new(
        name.clone(),
        Leaf::parse(certificate()).unwrap(),
        KeyDigest::of(b"issuing"),
        [PathCertificate { id: intermediate, issuer_key: KeyDigest::of(b"root") }; 2],
    )
    .under("factory".into(), Some("acme".into()));
    let identifier = || ClientIdentifier::new("c-1");
    vec![
        Client::restored(Principal::Anonymous, None, identifier(), None),
        Client::restored(Principal::Bridge("north".into()), Some("user".into()), identifier(), None),
        Client::restored(Principal::User("ann".into()), Some("ann".into()), identifier(), None),
        Client::restored(Principal::Device(name.clone().into()), Some(ByteString::new()), identifier(), None),
        Client::restored(Principal::Device(name.into()), None, identifier(), Some(Arc::new(identity))),
    ]
}

/// The one record of a change.
fn told(change: &Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(change, &mut out);
    out
}

fn only(bytes: &[u8]) -> Record<'_> {
    let found: Vec<_> = records(bytes).collect::<Result<_, _>>().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].offset, found[0].bytes), (0, bytes));
    found[0].record
}

#[test]
fn a_client_is_read_as_rules_see_it() {
    for client in clients() {
        let bytes = told(&Change::SessionOpened { session: SessionId(7), client: &client, expiry: 9 });
        let Record::SessionOpened { session: SessionId(7), expiry: 9, client: body } = only(&bytes) else { panic!("{bytes:?}") };
        let read = read_client(body).unwrap();
        assert!(read.is_same(&client), "{read:?}");
        assert_eq!(read.identity().map(|identity| identity.name().clone()), client.identity().map(|identity| identity.name().clone()));
        for end in 0..body.len() {
            assert!(read_client(&body[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn plain_records_are_read_again() {
    let (session, id, retained) = (SessionId(3 << 48 | 5), MessageId(9), RetainedId(11));
    let packet_id = PacketId::new(513).unwrap();
    let at = |millis| Some(Moment::from_millis(millis));
    let cases = [
        (Change::SessionLeft { session, ends_at: at(77) }, Record::SessionLeft { session, ends_at: at(77) }),
        (Change::SessionLeft { session, ends_at: None }, Record::SessionLeft { session, ends_at: None }),
        (Change::SessionReturned { session }, Record::SessionReturned { session }),
        (Change::SessionRemoved { session }, Record::SessionRemoved { session }),
        (Change::SubscriptionRemoved { session, key: 4 }, Record::SubscriptionRemoved { session, key: 4 }),
        (Change::MessageSent { session, id, packet_id, order: 8 }, Record::MessageSent { session, id, packet_id, order: 8 }),
        (Change::MessageReleased { session, id }, Record::MessageReleased { session, id }),
        (Change::MessageDone { session, id }, Record::MessageDone { session, id }),
        (Change::ReceivedQos2 { session, packet_id }, Record::ReceivedQos2 { session, packet_id }),
        (Change::ReleasedQos2 { session, packet_id }, Record::ReleasedQos2 { session, packet_id }),
        (Change::RetainedCleared { id: retained }, Record::RetainedCleared { id: retained }),
        (Change::WillCleared { session }, Record::WillCleared { session }),
    ];
    for (change, record) in &cases {
        let bytes = told(change);
        assert_eq!(only(&bytes), *record);
        for end in 1..bytes.len() {
            assert!(records(&bytes[..end]).next().unwrap().is_err(), "{change:?} to {end}");
        }
    }
}

#[test]
fn another_version_or_kind_is_an_error_of_its_own() {
    let mut bytes = told(&Change::SessionReturned { session: SessionId(1) });
    bytes[1] = 99;
    assert_eq!(records(&bytes).next(), Some(Err(RecordError::Kind(99))));
    bytes[0] = 2;
    assert_eq!(records(&bytes).collect::<Vec<_>>(), [Err(RecordError::Version(2))]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_and_wills_are_read_again(message in any_message(), will in any_will(), due in option::of(0..u64::MAX), id in any::<u64>()) {
        let message = Arc::new(message);
        let publisher = ClientIdentifier::new("me");
        let (id, replaces) = (RetainedId(id), (id % 2 == 0).then_some(RetainedId(1)));
        let received_at = Moment::from_millis(5);
        let bytes = told(&Change::RetainedSet { id, replaces, message: &message, publisher: &publisher, received_at });
        let Record::RetainedSet { message: body, publisher: name, .. } = only(&bytes) else { panic!() };
        prop_assert_eq!(only(&bytes), Record::RetainedSet { id, replaces, received_at, publisher: "me", message: body });
        prop_assert_eq!((name, read_message(body).unwrap()), ("me", (*message).clone()));

        let due = due.map(Moment::from_millis);
        let bytes = told(&Change::WillSet { session: SessionId(1), will: &will, due });
        let Record::WillSet { due: read, will: body, .. } = only(&bytes) else { panic!() };
        prop_assert_eq!((read, read_will(body).unwrap()), (due, will));
    }

    #[test]
    fn subscriptions_are_read_again(options in any_options(), number in 0_u32..268_435_456, starting in option::of((any::<u64>(), any::<u64>()))) {
        let filter = TopicFilter::new("$share/g/a/+/#").unwrap();
        let identifier = SubscriptionIdentifier::new(number);
        let starting = starting.map(|(after, up_to)| Starting { after: RetainedId(after), up_to: RetainedId(up_to) });
        let bytes = told(&Change::SubscriptionAdded { session: SessionId(1), key: 6, filter: &filter, options: &options, identifier, starting });
        let Record::SubscriptionAdded { key: 6, subscription, .. } = only(&bytes) else { panic!() };
        prop_assert_eq!(read_subscription(subscription).unwrap(), StoredSubscription { filter, options, identifier, starting });
    }

    #[test]
    fn a_queued_message_is_told_again_with_what_is_true_now(
        message in any_message(),
        list in vec(any_recipient(), 0..6),
        stages in vec(option::of((any::<bool>(), any::<bool>(), 1_u16.., any::<u64>())), 6),
    ) {
        let message = Arc::new(message);
        let (id, received_at) = (MessageId(4), Moment::from_millis(6));
        let mut list = list;
        for (number, recipient) in list.iter_mut().enumerate() {
            recipient.session = SessionId(u64::try_from(number).unwrap());
        }
        let bytes = told(&Change::MessageQueued { id, message: &message, recipients: &list, received_at });
        let Record::MessageQueued { recipients: told, message: body, .. } = only(&bytes) else { panic!() };
        let read: Vec<Recipient> = recipients(told).map(|recipient| recipient.unwrap().read().unwrap()).collect();
        prop_assert_eq!(&read, &list);
        prop_assert!(recipients(told).all(|recipient| recipient.unwrap().stage == StageImage::Queued));
        prop_assert_eq!(read_message(body).unwrap(), (*message).clone());

        // Twice, so that stages are also read from a record that has some.
        let stage = |session: SessionId| {
            let (is_sent, is_released, packet_id, order) = stages[usize::try_from(session.0).unwrap()]?;
            let packet_id = PacketId::new(packet_id).unwrap();
            Some(match (is_sent, is_released) {
                (false, _) => StageImage::Queued,
                (true, false) => StageImage::Sent { packet_id, order },
                (true, true) => StageImage::Released { packet_id, order },
            })
        };
        let mut first = Vec::new();
        retell(&mut first, (id, received_at), (told, body), stage);
        let Record::MessageQueued { recipients: told, message: body, .. } = only(&first) else { panic!() };
        let mut second = Vec::new();
        retell(&mut second, (id, received_at), (told, body), stage);
        prop_assert_eq!(&first, &second);
        let read: Vec<_> = recipients(told).map(Result::unwrap).collect();
        let expected: Vec<_> = list.iter().filter(|recipient| stage(recipient.session).is_some()).cloned().collect();
        prop_assert_eq!(read.iter().map(|recipient| recipient.read().unwrap()).collect::<Vec<_>>(), expected);
        prop_assert!(read.iter().all(|recipient| stage(recipient.session) == Some(recipient.stage)));
        prop_assert_eq!(read_message(body).unwrap(), (*message).clone());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(kind in 0_u8..20, body in vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![VERSION, kind];
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&body);
        let _ = crate::image_of(&bytes);
        let _ = crate::image_of(&body);
        let _ = read_client(&body).is_ok();
        let _ = read_will(&body).is_ok();
        let _ = read_subscription(&body).is_ok();
        prop_assert!(recipients(&body).count() <= body.len());
    }
}
