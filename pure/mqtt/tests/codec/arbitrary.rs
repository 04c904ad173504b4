//! Strategies for every packet that can exist on the wire of a version.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use signet_mqtt::*;

/// A packet, the side that sends it and the version it is of.
pub(crate) fn packet() -> impl Strategy<Value = (Role, ProtocolVersion, Packet)> {
    prop_oneof![
        connect().prop_map(|it| (Role::Client, it.version, Packet::Connect(Box::new(it)))),
        each(connack).prop_map(|(version, it)| (Role::Server, version, Packet::Connack(Box::new(it)))),
        both(publish).prop_map(|(role, version, it)| (role, version, Packet::Publish(it))),
        both(ack),
        each(subscribe).prop_map(|(version, it)| (Role::Client, version, Packet::Subscribe(it))),
        each(suback).prop_map(|(version, it)| (Role::Server, version, Packet::Suback(it))),
        each(unsubscribe).prop_map(|(version, it)| (Role::Client, version, Packet::Unsubscribe(it))),
        each(unsuback).prop_map(|(version, it)| (Role::Server, version, Packet::Unsuback(it))),
        version().prop_map(|version| (Role::Client, version, Packet::Pingreq)),
        version().prop_map(|version| (Role::Server, version, Packet::Pingresp)),
        disconnect(),
        auth(),
    ]
}

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(ProtocolVersion::ALL.to_vec())
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

fn each<S: Strategy + 'static>(of: fn(ProtocolVersion) -> S) -> impl Strategy<Value = (ProtocolVersion, S::Value)>
where
    S::Value: Clone,
{
    version().prop_flat_map(move |version| (Just(version), of(version)))
}

fn both<S: Strategy + 'static>(of: fn(Role, ProtocolVersion) -> S) -> impl Strategy<Value = (Role, ProtocolVersion, S::Value)>
where
    S::Value: Clone,
{
    (role(), version()).prop_flat_map(move |(role, version)| (Just(role), Just(version), of(role, version)))
}

/// The value in MQTT 5.0, its default before.
fn in_v5<T: Default + Clone + std::fmt::Debug + 'static>(
    version: ProtocolVersion,
    of: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    match version {
        ProtocolVersion::V31 | ProtocolVersion::V311 => Just(T::default()).boxed(),
        ProtocolVersion::V5 => of.boxed(),
    }
}

fn text() -> impl Strategy<Value = ByteString> {
    "[a-zü\u{feff}\u{1F980} /+#$]{0,12}".prop_map(ByteString::from)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

/// Now and then longer than 127 bytes, so that every length prefix is met.
fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![9 => bytes().boxed(), 1 => vec(any::<u8>(), 100..20_000).prop_map(Bytes::from).boxed()]
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[$/a-c]{1,9}|[a-zé]{1,5}(/[a-zé]{0,5}){0,3}".prop_map(|text| TopicName::new(text).unwrap())
}

fn filter() -> impl Strategy<Value = TopicFilter> {
    "(\\$share/[a-z]{1,4}/)?(([a-z]{0,4}|\\+)/){0,3}([a-z]{1,4}|\\+|#)".prop_map(|text| TopicFilter::new(text).unwrap())
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    any::<NonZeroU16>().prop_map(PacketId::from)
}

fn user_properties() -> impl Strategy<Value = UserProperties> {
    vec((text(), text()), 0..4).prop_map(UserProperties)
}

fn reason_code(packet: PacketType, sender: Role) -> impl Strategy<Value = ReasonCode> {
    let allowed: Vec<_> = ReasonCode::ALL.iter().copied().filter(|code| code.allowed_in(packet, sender)).collect();
    prop::sample::select(allowed)
}

fn connect() -> impl Strategy<Value = Connect> {
    let head = (version(), any::<bool>(), any::<bool>(), any::<u16>(), text());
    head.prop_flat_map(|(version, is_bridge, clean_start, keep_alive, identifier)| {
        // MQTT 3.1 has no empty identifier.
        let identifier = if version == ProtocolVersion::V31 { ByteString::from(format!("c{identifier}")) } else { identifier };
        (option::of(will(version)), option::of(text()), option::of(bytes()), in_v5(version, connect_properties())).prop_map(
            move |(will, username, password, properties)| Connect {
                version,
                is_bridge: is_bridge && version.has_bridge_bit(),
                clean_start: clean_start || (version == ProtocolVersion::V311 && identifier.is_empty()),
                keep_alive,
                client_identifier: ClientIdentifier::new(identifier.clone()),
                will,
                password: password.filter(|_| username.is_some() || version.has_properties()).map(Password::new),
                username,
                properties,
            },
        )
    })
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    (
        (option::of(any::<u32>()), option::of(any::<NonZeroU16>()), option::of(any::<NonZeroU32>()), option::of(any::<u16>())),
        (option::of(any::<bool>()), option::of(any::<bool>())),
        option::of((text(), option::of(bytes()))),
        user_properties(),
    )
        .prop_map(|(numbers, flags, authentication, user_properties)| {
            let (authentication_method, authentication_data) = authentication.unzip();
            ConnectProperties {
                session_expiry_interval: numbers.0,
                receive_maximum: numbers.1,
                maximum_packet_size: numbers.2,
                topic_alias_maximum: numbers.3,
                request_response_information: flags.0,
                request_problem_information: flags.1,
                authentication_method,
                authentication_data: authentication_data.flatten(),
                user_properties,
            }
        })
}

fn will(version: ProtocolVersion) -> impl Strategy<Value = Will> {
    let properties = (
        (option::of(any::<u32>()), option::of(any::<bool>()), option::of(any::<u32>())),
        (option::of(text()), option::of(topic()), option::of(bytes()), user_properties()),
    )
        .prop_map(|(numbers, texts)| WillProperties {
            delay_interval: numbers.0,
            payload_format_indicator: numbers.1,
            message_expiry_interval: numbers.2,
            content_type: texts.0,
            response_topic: texts.1,
            correlation_data: texts.2,
            user_properties: texts.3,
        });
    (topic(), bytes(), qos(), any::<bool>(), in_v5(version, properties)).prop_map(|(topic, payload, qos, retain, properties)| Will {
        topic,
        payload,
        qos,
        retain,
        properties,
    })
}

fn connack(version: ProtocolVersion) -> impl Strategy<Value = Connack> {
    let code = match version {
        ProtocolVersion::V31 | ProtocolVersion::V311 => {
            (0..=5_u8).prop_map(|code| ReasonCode::from_connect_return_code(code).unwrap()).boxed()
        }
        ProtocolVersion::V5 => reason_code(PacketType::Connack, Role::Server).boxed(),
    };
    (any::<bool>(), code, in_v5(version, connack_properties())).prop_map(move |(session_present, reason_code, properties)| Connack {
        session_present: session_present && reason_code == ReasonCode::Success && version != ProtocolVersion::V31,
        reason_code,
        properties,
    })
}

fn connack_properties() -> impl Strategy<Value = ConnackProperties> {
    (
        (
            option::of(any::<u32>()),
            option::of(any::<NonZeroU16>()),
            option::of(any::<NonZeroU32>()),
            option::of(any::<u16>()),
            option::of(any::<u16>()),
        ),
        (option::of(text()), option::of(text()), option::of(text()), option::of(text()), option::of(text())),
        (option::of(bytes()), user_properties(), server_features()),
    )
        .prop_map(|(numbers, texts, rest)| ConnackProperties {
            session_expiry_interval: numbers.0,
            receive_maximum: numbers.1,
            maximum_packet_size: numbers.2,
            topic_alias_maximum: numbers.3,
            server_keep_alive: numbers.4,
            assigned_client_identifier: texts.0.map(ClientIdentifier::new),
            reason_string: texts.1,
            response_information: texts.2,
            server_reference: texts.3,
            authentication_method: texts.4,
            authentication_data: rest.0,
            user_properties: rest.1,
            features: rest.2,
        })
}

fn server_features() -> impl Strategy<Value = ServerFeatures> {
    let flag = || option::of(any::<bool>());
    let maximum_qos = option::of(prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce)]);
    (maximum_qos, flag(), flag(), flag(), flag()).prop_map(|(maximum_qos, retain, wildcard, identifiers, shared)| ServerFeatures {
        maximum_qos,
        retain_available: retain,
        wildcard_subscription_available: wildcard,
        subscription_identifiers_available: identifiers,
        shared_subscription_available: shared,
    })
}

pub(crate) fn publish(sender: Role, version: ProtocolVersion) -> impl Strategy<Value = Publish> {
    let head = (any::<bool>(), qos(), any::<bool>(), topic(), any::<bool>(), packet_id());
    (head, in_v5(version, publish_properties(sender)), payload()).prop_map(|(head, properties, payload)| {
        let (dup, qos, retain, topic, named, packet_id) = head;
        Publish {
            dup: dup && qos > QoS::AtMostOnce,
            qos,
            retain,
            topic: Some(topic).filter(|_| named || properties.topic_alias.is_none()),
            packet_id: Some(packet_id).filter(|_| qos > QoS::AtMostOnce),
            properties: properties.into(),
            payload,
        }
    })
}

fn publish_properties(sender: Role) -> impl Strategy<Value = PublishProperties> {
    let identifiers = vec((1..=MAXIMUM_VARIABLE_BYTE_INTEGER).prop_map(|it| SubscriptionIdentifier::new(it).unwrap()), 0..4);
    (
        (option::of(any::<bool>()), option::of(any::<u32>()), option::of(any::<NonZeroU16>())),
        (option::of(topic()), option::of(bytes()), user_properties(), identifiers, option::of(text())),
    )
        .prop_map(move |(numbers, rest)| PublishProperties {
            payload_format_indicator: numbers.0,
            message_expiry_interval: numbers.1,
            topic_alias: numbers.2,
            response_topic: rest.0,
            correlation_data: rest.1,
            user_properties: rest.2,
            subscription_identifiers: if sender == Role::Server { rest.3 } else { Vec::new() },
            content_type: rest.4,
        })
}

fn ack(sender: Role, version: ProtocolVersion) -> impl Strategy<Value = Packet> {
    let kinds = [PacketType::Puback, PacketType::Pubrec, PacketType::Pubrel, PacketType::Pubcomp];
    prop::sample::select(kinds.to_vec()).prop_flat_map(move |kind| {
        let rest = (reason_code(kind, sender), option::of(text()), user_properties());
        (packet_id(), option::of(rest)).prop_map(move |(packet_id, rest)| {
            let mut ack = Ack::success(packet_id);
            if let (ProtocolVersion::V5, Some((reason_code, reason_string, user_properties))) = (version, rest) {
                ack = Ack { packet_id, reason_code, reason_string, user_properties };
            }
            match kind {
                PacketType::Puback => Packet::Puback(ack),
                PacketType::Pubrec => Packet::Pubrec(ack),
                PacketType::Pubrel => Packet::Pubrel(ack),
                _ => Packet::Pubcomp(ack),
            }
        })
    })
}

fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Subscribe> {
    let handling = prop_oneof![Just(RetainHandling::SendAtSubscribe), Just(RetainHandling::SendIfNew), Just(RetainHandling::DoNotSend)];
    let options = (any::<bool>(), any::<bool>(), handling).prop_map(|(no_local, retain_as_published, retain_handling)| {
        SubscriptionOptions { maximum_qos: QoS::AtMostOnce, no_local, retain_as_published, retain_handling }
    });
    let subscription = (filter(), qos(), in_v5(version, options)).prop_map(|(filter, maximum_qos, options)| {
        let no_local = options.no_local && filter.shared().is_none();
        SubscribeFilter { filter, options: SubscriptionOptions { maximum_qos, no_local, ..options } }
    });
    let identifier = option::of((1..=MAXIMUM_VARIABLE_BYTE_INTEGER).prop_map(|it| SubscriptionIdentifier::new(it).unwrap()));
    (packet_id(), in_v5(version, identifier), in_v5(version, user_properties()), vec(subscription, 1..5)).prop_map(
        |(packet_id, subscription_identifier, user_properties, subscriptions)| Subscribe {
            packet_id,
            subscription_identifier,
            user_properties,
            subscriptions,
        },
    )
}

fn suback(version: ProtocolVersion) -> impl Strategy<Value = Suback> {
    let code = match version {
        ProtocolVersion::V31 | ProtocolVersion::V311 => {
            prop::sample::select(vec![0x00, 0x01, 0x02, 0x80_u8]).prop_map(|code| code.try_into().unwrap()).boxed()
        }
        ProtocolVersion::V5 => reason_code(PacketType::Suback, Role::Server).boxed(),
    };
    (packet_id(), in_v5(version, option::of(text())), in_v5(version, user_properties()), vec(code, 1..5)).prop_map(
        |(packet_id, reason_string, user_properties, reason_codes)| Suback { packet_id, reason_string, user_properties, reason_codes },
    )
}

fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), in_v5(version, user_properties()), vec(filter(), 1..5)).prop_map(|(packet_id, user_properties, filters)| Unsubscribe {
        packet_id,
        user_properties,
        filters,
    })
}

fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = Unsuback> {
    let codes = vec(reason_code(PacketType::Unsuback, Role::Server), 1..5);
    (packet_id(), in_v5(version, option::of(text())), in_v5(version, user_properties()), in_v5(version, codes)).prop_map(
        |(packet_id, reason_string, user_properties, reason_codes)| Unsuback { packet_id, reason_string, user_properties, reason_codes },
    )
}

fn disconnect() -> impl Strategy<Value = (Role, ProtocolVersion, Packet)> {
    let v5 = role().prop_flat_map(|sender| {
        let rest = (option::of(any::<u32>()), option::of(text()), user_properties(), option::of(text()));
        (reason_code(PacketType::Disconnect, sender), rest).prop_map(move |(reason_code, rest)| {
            let session_expiry_interval = rest.0.filter(|_| sender == Role::Client);
            let (reason_string, user_properties, server_reference) = (rest.1, rest.2, rest.3);
            let disconnect = Disconnect { reason_code, session_expiry_interval, reason_string, user_properties, server_reference };
            (sender, ProtocolVersion::V5, Packet::Disconnect(Box::new(disconnect)))
        })
    });
    let older = prop::sample::select(vec![ProtocolVersion::V31, ProtocolVersion::V311])
        .prop_map(|version| (Role::Client, version, Packet::Disconnect(Box::default())));
    prop_oneof![3 => v5, 1 => older]
}

fn auth() -> impl Strategy<Value = (Role, ProtocolVersion, Packet)> {
    role().prop_flat_map(|sender| {
        (reason_code(PacketType::Auth, sender), text(), option::of(bytes()), option::of(text()), user_properties()).prop_map(
            move |(reason_code, method, authentication_data, reason_string, user_properties)| {
                let authentication_method = Some(method);
                let auth = Auth { reason_code, authentication_method, authentication_data, reason_string, user_properties };
                (sender, ProtocolVersion::V5, Packet::Auth(Box::new(auth)))
            },
        )
    })
}
