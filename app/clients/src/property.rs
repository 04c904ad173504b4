//! `-D PACKET NAME VALUE`: MQTT 5.0 properties from the command line, in the order given.

use bytes::Bytes;
use signet_mqtt::{ConnectProperties, PublishProperties, SubscriptionIdentifier, TopicName, UserProperties, WillProperties};

use crate::c_text::{atol, strtoll};
use crate::flags::Wrong;
use crate::topics;
use crate::trouble::Trouble;

/// A packet that properties can be named for; the will counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Connect,
    Connack,
    Publish,
    Puback,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Disconnect,
    Auth,
    Will,
}

const TARGETS: [(&str, Target); 14] = [
    ("connect", Target::Connect),
    ("connack", Target::Connack),
    ("publish", Target::Publish),
    ("puback", Target::Puback),
    ("pubrec", Target::Puback),
    ("pubrel", Target::Puback),
    ("pubcomp", Target::Puback),
    ("subscribe", Target::Subscribe),
    ("suback", Target::Suback),
    ("unsubscribe", Target::Unsubscribe),
    ("unsuback", Target::Unsuback),
    ("disconnect", Target::Disconnect),
    ("auth", Target::Auth),
    ("will", Target::Will),
];

/// The type of a property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Byte,
    TwoBytes,
    FourBytes,
    VariableByte,
    Binary,
    Text,
    Pair,
}

/// A property: its name, identifier (§2.2.2.2), type, and the packets that may carry it.
struct Known {
    name: &'static str,
    id: u8,
    kind: Type,
    targets: &'static [Target],
}

const MESSAGE: &[Target] = &[Target::Publish, Target::Will];
const ACCEPTED: &[Target] = &[Target::Connack];
const BOTH_CONNECTS: &[Target] = &[Target::Connect, Target::Connack];
const METHOD: &[Target] = &[Target::Connect, Target::Connack, Target::Auth];
const EXPIRY: &[Target] = &[Target::Connect, Target::Connack, Target::Disconnect];
const ANSWERS: &[Target] =
    &[Target::Connack, Target::Puback, Target::Suback, Target::Unsuback, Target::Disconnect, Target::Auth, Target::Will];
const ALL: &[Target] = &[
    Target::Connect,
    Target::Connack,
    Target::Publish,
    Target::Puback,
    Target::Subscribe,
    Target::Suback,
    Target::Unsubscribe,
    Target::Unsuback,
    Target::Disconnect,
    Target::Auth,
    Target::Will,
];

const fn known(name: &'static str, id: u8, kind: Type, targets: &'static [Target]) -> Known {
    Known { name, id, kind, targets }
}

const KNOWN: [Known; 27] = [
    known("payload-format-indicator", 0x01, Type::Byte, MESSAGE),
    known("message-expiry-interval", 0x02, Type::FourBytes, MESSAGE),
    known("content-type", 0x03, Type::Text, MESSAGE),
    known("response-topic", 0x08, Type::Text, MESSAGE),
    known("correlation-data", 0x09, Type::Binary, MESSAGE),
    known("subscription-identifier", 0x0B, Type::VariableByte, &[Target::Publish, Target::Subscribe]),
    known("session-expiry-interval", 0x11, Type::FourBytes, EXPIRY),
    known("assigned-client-identifier", 0x12, Type::Text, ACCEPTED),
    known("server-keep-alive", 0x13, Type::TwoBytes, ACCEPTED),
    known("authentication-method", 0x15, Type::Text, METHOD),
    known("authentication-data", 0x16, Type::Binary, METHOD),
    known("request-problem-information", 0x17, Type::Byte, &[Target::Connect]),
    known("will-delay-interval", 0x18, Type::FourBytes, &[Target::Will]),
    known("request-response-information", 0x19, Type::Byte, &[Target::Connect]),
    known("response-information", 0x1A, Type::Text, ACCEPTED),
    known("server-reference", 0x1C, Type::Text, &[Target::Connack, Target::Disconnect]),
    known("reason-string", 0x1F, Type::Text, ANSWERS),
    known("receive-maximum", 0x21, Type::TwoBytes, BOTH_CONNECTS),
    known("topic-alias-maximum", 0x22, Type::TwoBytes, BOTH_CONNECTS),
    known("topic-alias", 0x23, Type::TwoBytes, &[Target::Publish]),
    known("maximum-qos", 0x24, Type::Byte, ACCEPTED),
    known("retain-available", 0x25, Type::Byte, ACCEPTED),
    known("user-property", 0x26, Type::Pair, ALL),
    known("maximum-packet-size", 0x27, Type::FourBytes, BOTH_CONNECTS),
    known("wildcard-subscription-available", 0x28, Type::Byte, ACCEPTED),
    known("subscription-identifier-available", 0x29, Type::Byte, ACCEPTED),
    known("shared-subscription-available", 0x2A, Type::Byte, ACCEPTED),
];

/// The name of a property, for JSON.
pub(crate) fn name(id: u8) -> Option<&'static str> {
    KNOWN.iter().find(|known| known.id == id).map(|known| known.name)
}

/// One property with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u32),
    Text(String),
    Binary(Vec<u8>),
    Pair(String, String),
}

/// The properties of one packet, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct List(Vec<(u8, Value)>);

/// Those of every packet.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) connect: List,
    pub(crate) publish: List,
    pub(crate) subscribe: List,
    pub(crate) unsubscribe: List,
    pub(crate) disconnect: List,
    pub(crate) will: List,
}

impl Properties {
    /// Takes one `-D` with its words from the front of `arguments`, and says how many they were.
    pub(crate) fn take(&mut self, arguments: &[&[u8]]) -> Result<usize, Wrong> {
        let few = || Wrong::line("Error: --property argument given but not enough arguments specified.\n\n");
        let [packet, name, value, rest @ ..] = arguments else { return Err(few()) };
        let (packet_shown, shown) = (String::from_utf8_lossy(packet), String::from_utf8_lossy(name));
        let same = |known: &str, given: &[u8]| known.as_bytes().eq_ignore_ascii_case(given);
        let target = TARGETS.iter().find(|(known, _)| same(known, packet)).map(|(_, target)| *target);
        let target =
            target.ok_or_else(|| Wrong::line(format!("Error: Invalid command {packet_shown} given in --property argument.\n\n")))?;
        let known = KNOWN.iter().find(|known| same(known.name, name));
        let known = known.ok_or_else(|| Wrong::line(format!("Error: Invalid property name {shown} given in --property argument.\n\n")))?;
        if !known.targets.contains(&target) {
            return Err(Wrong::line(format!("Error: {shown} property not allowed for {packet_shown} in --property argument.\n\n")));
        }
        let second = rest.first().copied();
        let (second, used) = match (known.kind, second) {
            (Type::Pair, None) => return Err(few()),
            (Type::Pair, Some(second)) => (second, 4),
            _ => (&[][..], 3),
        };
        let unsupported = || Wrong::line(format!("Error: {shown} property not supported for {packet_shown} in --property argument.\n\n"));
        let list = match target {
            Target::Publish if known.id == SUBSCRIPTION_IDENTIFIER => return Err(unsupported()),
            Target::Connect => &mut self.connect,
            Target::Publish => &mut self.publish,
            Target::Subscribe => &mut self.subscribe,
            Target::Unsubscribe => &mut self.unsubscribe,
            Target::Disconnect => &mut self.disconnect,
            Target::Will => &mut self.will,
            Target::Connack => return Err(Wrong::line("")),
            Target::Auth | Target::Puback | Target::Suback | Target::Unsuback => return Err(unsupported()),
        };
        list.0.push((known.id, known.value(&shown, value, second)?));
        Ok(used)
    }

    /// Checks each packet's properties together, as they will be sent.
    pub(crate) fn check(&self) -> Result<(), (&'static str, Trouble)> {
        let lists = [
            ("CONNECT", &self.connect),
            ("PUBLISH", &self.publish),
            ("SUBSCRIBE", &self.subscribe),
            ("UNSUBSCRIBE", &self.unsubscribe),
            ("DISCONNECT", &self.disconnect),
            ("Will", &self.will),
        ];
        lists.into_iter().try_for_each(|(packet, list)| list.check().map_err(|trouble| (packet, trouble)))
    }
}

impl Known {
    fn value(&self, shown: &str, value: &[u8], second: &[u8]) -> Result<Value, Wrong> {
        let out_of_range = |number: i64| Wrong::line(format!("Error: Property value ({number}) out of range for property {shown}.\n\n"));
        let in_range = |number: i64, maximum: u32| {
            u32::try_from(number).ok().filter(|number| *number <= maximum).map(Value::Number).ok_or_else(|| out_of_range(number))
        };
        let whole = || {
            let text = String::from_utf8_lossy(value);
            strtoll(value).ok_or_else(|| Wrong::line(format!("Error: Property value '{text}' not a number.\n\n")))
        };
        let refused = || Wrong::line(format!("Error adding property {shown} {}\n", self.kind.number()));
        let text = |text: &[u8]| topics::text(text).map(str::to_owned).ok_or_else(refused);
        match self.kind {
            Type::Byte => in_range(atol(value), u32::from(u8::MAX)),
            Type::TwoBytes => in_range(atol(value), u32::from(u16::MAX)),
            Type::FourBytes => in_range(whole()?, u32::MAX),
            Type::VariableByte => match in_range(whole()?, u32::MAX)? {
                Value::Number(number) if number > signet_mqtt::MAXIMUM_VARIABLE_BYTE_INTEGER => Err(refused()),
                value => Ok(value),
            },
            Type::Binary if value.len() > signet_mqtt::MAXIMUM_STRING_LENGTH => {
                Err(Wrong::line(format!("Error: Property value too long for property {shown}.\n\n")))
            }
            Type::Binary => Ok(Value::Binary(value.to_vec())),
            Type::Text => text(value).map(Value::Text),
            Type::Pair => Ok(Value::Pair(text(value)?, text(second)?)),
        }
    }
}

impl Type {
    /// By which an error message of Mosquitto's names it.
    fn number(self) -> u8 {
        match self {
            Self::Byte => 1,
            Self::TwoBytes => 2,
            Self::FourBytes => 3,
            Self::VariableByte => 4,
            Self::Binary => 5,
            Self::Text => 6,
            Self::Pair => 7,
        }
    }
}

impl List {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, id: u8, value: Value) {
        self.0.push((id, value));
    }

    pub(crate) fn has(&self, id: u8) -> bool {
        self.0.iter().any(|(known, _)| *known == id)
    }

    /// None twice but user properties, and no value that the specification forbids.
    fn check(&self) -> Result<(), Trouble> {
        for (index, (id, value)) in self.0.iter().enumerate() {
            let is_forbidden = match (*id, value) {
                (PAYLOAD_FORMAT | REQUEST_PROBLEM | REQUEST_RESPONSE, Value::Number(number)) => *number > 1,
                (RECEIVE_MAXIMUM | TOPIC_ALIAS | MAXIMUM_PACKET_SIZE | SUBSCRIPTION_IDENTIFIER, Value::Number(number)) => *number == 0,
                (RESPONSE_TOPIC, Value::Text(topic)) => !topics::is_name(topic),
                _ => false,
            };
            if is_forbidden {
                return Err(Trouble::Protocol);
            }
            if *id != USER_PROPERTY && self.0.iter().skip(index + 1).any(|(other, _)| other == id) {
                return Err(Trouble::DuplicateProperty);
            }
        }
        Ok(())
    }

    fn number(&self, id: u8) -> Option<u32> {
        self.0.iter().find_map(|(known, value)| match value {
            Value::Number(number) if *known == id => Some(*number),
            _ => None,
        })
    }

    fn two_bytes(&self, id: u8) -> Option<u16> {
        self.number(id).and_then(|number| u16::try_from(number).ok())
    }

    fn flag(&self, id: u8) -> Option<bool> {
        self.number(id).map(|number| number != 0)
    }

    fn text(&self, id: u8) -> Option<bytestring::ByteString> {
        self.0.iter().find_map(|(known, value)| match value {
            Value::Text(text) if *known == id => Some(text.as_str().into()),
            _ => None,
        })
    }

    fn topic(&self, id: u8) -> Option<TopicName> {
        self.text(id).and_then(|text| TopicName::new(text).ok())
    }

    fn binary(&self, id: u8) -> Option<Bytes> {
        self.0.iter().find_map(|(known, value)| match value {
            Value::Binary(bytes) if *known == id => Some(Bytes::copy_from_slice(bytes)),
            _ => None,
        })
    }

    pub(crate) fn user_properties(&self) -> UserProperties {
        let pairs = self.0.iter().filter_map(|(_, value)| match value {
            Value::Pair(name, value) => Some((name.as_str().into(), value.as_str().into())),
            _ => None,
        });
        UserProperties(pairs.collect())
    }

    pub(crate) fn session_expiry(&self) -> Option<u32> {
        self.number(SESSION_EXPIRY)
    }

    pub(crate) fn subscription_identifier(&self) -> Option<SubscriptionIdentifier> {
        self.number(SUBSCRIPTION_IDENTIFIER).and_then(SubscriptionIdentifier::new)
    }

    pub(crate) fn reason_string(&self) -> Option<bytestring::ByteString> {
        self.text(REASON_STRING)
    }

    pub(crate) fn server_reference(&self) -> Option<bytestring::ByteString> {
        self.text(SERVER_REFERENCE)
    }

    pub(crate) fn for_connect(&self) -> ConnectProperties {
        ConnectProperties {
            session_expiry_interval: self.session_expiry(),
            receive_maximum: self.two_bytes(RECEIVE_MAXIMUM).and_then(|number| number.try_into().ok()),
            maximum_packet_size: self.number(MAXIMUM_PACKET_SIZE).and_then(|number| number.try_into().ok()),
            topic_alias_maximum: self.two_bytes(TOPIC_ALIAS_MAXIMUM),
            request_response_information: self.flag(REQUEST_RESPONSE),
            request_problem_information: self.flag(REQUEST_PROBLEM),
            authentication_method: self.text(AUTHENTICATION_METHOD),
            authentication_data: self.binary(AUTHENTICATION_DATA),
            user_properties: self.user_properties(),
        }
    }

    pub(crate) fn for_publish(&self) -> PublishProperties {
        PublishProperties {
            payload_format_indicator: self.flag(PAYLOAD_FORMAT),
            message_expiry_interval: self.number(MESSAGE_EXPIRY),
            topic_alias: self.two_bytes(TOPIC_ALIAS).and_then(|number| number.try_into().ok()),
            response_topic: self.topic(RESPONSE_TOPIC),
            correlation_data: self.binary(CORRELATION_DATA),
            user_properties: self.user_properties(),
            subscription_identifiers: Vec::new(),
            content_type: self.text(CONTENT_TYPE),
        }
    }

    pub(crate) fn for_will(&self) -> WillProperties {
        WillProperties {
            delay_interval: self.number(WILL_DELAY),
            payload_format_indicator: self.flag(PAYLOAD_FORMAT),
            message_expiry_interval: self.number(MESSAGE_EXPIRY),
            content_type: self.text(CONTENT_TYPE),
            response_topic: self.topic(RESPONSE_TOPIC),
            correlation_data: self.binary(CORRELATION_DATA),
            user_properties: self.user_properties(),
        }
    }
}

pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
pub(crate) const CORRELATION_DATA: u8 = 0x09;
pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
pub(crate) const SESSION_EXPIRY: u8 = 0x11;
const AUTHENTICATION_METHOD: u8 = 0x15;
const AUTHENTICATION_DATA: u8 = 0x16;
const REQUEST_PROBLEM: u8 = 0x17;
const WILL_DELAY: u8 = 0x18;
const REQUEST_RESPONSE: u8 = 0x19;
const SERVER_REFERENCE: u8 = 0x1C;
const REASON_STRING: u8 = 0x1F;
const RECEIVE_MAXIMUM: u8 = 0x21;
const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(crate) const TOPIC_ALIAS: u8 = 0x23;
pub(crate) const USER_PROPERTY: u8 = 0x26;
const MAXIMUM_PACKET_SIZE: u8 = 0x27;

#[cfg(test)]
mod tests {
    use super::*;

    fn take(words: &[&str]) -> Result<(usize, Properties), String> {
        let mut properties = Properties::default();
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        match properties.take(&words) {
            Ok(used) => Ok((used, properties)),
            Err(wrong) => Err(wrong.text().to_owned()),
        }
    }

    #[test]
    fn properties_land_in_their_packet() {
        let (used, properties) = take(&["publish", "user-property", "colour", "red", "rest"]).unwrap();
        assert_eq!(used, 4);
        assert_eq!(properties.publish.user_properties().iter().collect::<Vec<_>>(), [("colour", "red")]);
        let (used, properties) = take(&["CONNECT", "Receive-Maximum", "7", "rest"]).unwrap();
        assert_eq!((used, properties.connect.for_connect().receive_maximum.map(u16::from)), (3, Some(7)));
        assert_eq!(take(&["will", "will-delay-interval", "0x10"]).unwrap().1.will.for_will().delay_interval, Some(16));
        assert!(take(&["subscribe", "subscription-identifier", "9"]).unwrap().1.subscribe.subscription_identifier().is_some());
        assert_eq!(take(&["disconnect", "session-expiry-interval", "3"]).unwrap().1.disconnect.session_expiry(), Some(3));
    }

    #[test]
    fn a_wrong_property_is_told_in_mosquittos_words() {
        for (words, error) in [
            (&["publish"][..], "Error: --property argument given but not enough arguments specified.\n\n"),
            (&["publish", "user-property", "x"], "Error: --property argument given but not enough arguments specified.\n\n"),
            (&["pub", "content-type", "x"], "Error: Invalid command pub given in --property argument.\n\n"),
            (&["publish", "content", "x"], "Error: Invalid property name content given in --property argument.\n\n"),
            (&["publish", "maximum-qos", "1"], "Error: maximum-qos property not allowed for publish in --property argument.\n\n"),
            (&["puback", "reason-string", "x"], "Error: reason-string property not supported for puback in --property argument.\n\n"),
            (&["connack", "reason-string", "x"], ""),
            (&["connect", "receive-maximum", "70000"], "Error: Property value (70000) out of range for property receive-maximum.\n\n"),
            (&["connect", "session-expiry-interval", "x"], "Error: Property value 'x' not a number.\n\n"),
            (&["subscribe", "subscription-identifier", "300000000"], "Error adding property subscription-identifier 4\n"),
            (&["publish", "content-type", "a\u{1}"], "Error adding property content-type 6\n"),
        ] {
            assert_eq!(take(words).unwrap_err(), error, "{words:?}");
        }
    }

    #[test]
    fn what_a_packet_cannot_carry_is_found_before_it_is_sent() {
        let check = |words: &[&[&str]]| {
            let mut properties = Properties::default();
            for words in words {
                properties.take(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>()).map_err(|_| ()).unwrap();
            }
            properties.check().map_err(|(packet, trouble)| (packet, trouble.code()))
        };
        assert_eq!(check(&[&["connect", "receive-maximum", "0"]]), Err(("CONNECT", 2)));
        assert_eq!(check(&[&["will", "content-type", "a"], &["will", "content-type", "b"]]), Err(("Will", 22)));
        assert_eq!(check(&[&["publish", "user-property", "a", "b"], &["publish", "user-property", "a", "b"]]), Ok(()));
    }
}
