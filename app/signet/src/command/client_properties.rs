//! `-D PACKET NAME VALUE`: MQTT 5.0 properties from the command line, by the names mosquitto's clients use.

use std::str::FromStr;

use bytestring::ByteString;
use signet_mqtt::{ConnectProperties, PublishProperties, SubscriptionIdentifier, TopicName, UserProperties, WillProperties};

use crate::command::client_flags::usage;
use crate::hint::Failure;

/// What every `-D` together asks for, by the packet it goes into.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) connect: ConnectProperties,
    pub(crate) will: WillProperties,
    pub(crate) publish: PublishProperties,
    pub(crate) subscribe: SubscribeProperties,
}

/// Of SUBSCRIBE.
#[derive(Debug, Default)]
pub(crate) struct SubscribeProperties {
    pub(crate) subscription_identifier: Option<SubscriptionIdentifier>,
    pub(crate) user_properties: UserProperties,
}

/// One `-D` as typed.
struct Given<'a> {
    packet: &'a str,
    name: &'a str,
    value: &'a str,
    second: Option<&'a str>,
}

const NAMES: [(&str, &[&str]); 4] = [
    (
        "connect",
        &[
            "maximum-packet-size",
            "receive-maximum",
            "request-problem-information",
            "request-response-information",
            "session-expiry-interval",
            "topic-alias-maximum",
            "user-property",
        ],
    ),
    (
        "will",
        &[
            "content-type",
            "correlation-data",
            "message-expiry-interval",
            "payload-format-indicator",
            "response-topic",
            "user-property",
            "will-delay-interval",
        ],
    ),
    (
        "publish",
        &[
            "content-type",
            "correlation-data",
            "message-expiry-interval",
            "payload-format-indicator",
            "response-topic",
            "topic-alias",
            "user-property",
        ],
    ),
    ("subscribe", &["subscription-identifier", "user-property"]),
];

impl Properties {
    /// Reads every `-D`, or says which one is wrong and what is possible.
    pub(crate) fn parse(given: &[Vec<String>]) -> Result<Self, Failure> {
        let mut properties = Self::default();
        for words in given {
            let mut words = words.iter().map(String::as_str);
            let (Some(packet), Some(name), Some(value), second) = (words.next(), words.next(), words.next(), words.next()) else {
                return Err(usage("`-D` takes PACKET NAME VALUE"));
            };
            properties.set(&Given { packet, name, value, second })?;
        }
        Ok(properties)
    }

    fn set(&mut self, given: &Given<'_>) -> Result<(), Failure> {
        let known = NAMES.iter().find(|(packet, _)| *packet == given.packet).ok_or_else(|| given.unknown_packet())?;
        if !known.1.contains(&given.name) {
            return Err(given.unknown_name(known.1));
        }
        if (given.name == "user-property") != given.second.is_some() {
            return Err(usage(format!("`-D {} {}`: {}", given.packet, given.name, given.arity())));
        }
        match given.packet {
            "connect" => set_connect(&mut self.connect, given),
            "will" => set_will(&mut self.will, given),
            "publish" => set_publish(&mut self.publish, given),
            _ => set_subscribe(&mut self.subscribe, given),
        }
    }
}

impl Given<'_> {
    fn number<T: FromStr>(&self) -> Result<Option<T>, Failure> {
        self.value
            .parse()
            .map(Some)
            .map_err(|_| usage(format!("`-D {} {} {}`: not a number in the property's range", self.packet, self.name, self.value)))
    }

    fn flag(&self) -> Result<Option<bool>, Failure> {
        match self.value {
            "0" => Ok(Some(false)),
            "1" => Ok(Some(true)),
            other => Err(usage(format!("`-D {} {} {other}`: use 0 or 1", self.packet, self.name))),
        }
    }

    fn topic(&self) -> Result<Option<TopicName>, Failure> {
        TopicName::new(self.value.to_owned()).map(Some).map_err(|error| usage(format!("`-D {} {}`: {error}", self.packet, self.name)))
    }

    fn add_to(&self, user_properties: &mut UserProperties) {
        user_properties.0.push((self.value.to_owned().into(), self.second.unwrap_or_default().to_owned().into()));
    }

    fn text(&self) -> Option<ByteString> {
        Some(self.value.to_owned().into())
    }

    fn bytes(&self) -> Option<bytes::Bytes> {
        Some(self.value.to_owned().into_bytes().into())
    }

    fn unknown_packet(&self) -> Failure {
        usage(format!("`-D {}`: properties go into connect, will, publish or subscribe", self.packet))
    }

    fn unknown_name(&self, known: &[&str]) -> Failure {
        let failure = usage(format!("`-D {} {}`: no such property, use one of {}", self.packet, self.name, known.join(", ")));
        let nearest = known.iter().min_by_key(|name| strsim::damerau_levenshtein(name, self.name));
        match nearest {
            Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
            None => failure,
        }
    }

    fn arity(&self) -> &'static str {
        if self.second.is_some() { "takes one value" } else { "takes a name and a value" }
    }
}

fn set_connect(properties: &mut ConnectProperties, given: &Given<'_>) -> Result<(), Failure> {
    match given.name {
        "maximum-packet-size" => properties.maximum_packet_size = given.number()?,
        "receive-maximum" => properties.receive_maximum = given.number()?,
        "request-problem-information" => properties.request_problem_information = given.flag()?,
        "request-response-information" => properties.request_response_information = given.flag()?,
        "session-expiry-interval" => properties.session_expiry_interval = given.number()?,
        "topic-alias-maximum" => properties.topic_alias_maximum = given.number()?,
        _ => given.add_to(&mut properties.user_properties),
    }
    Ok(())
}

fn set_will(properties: &mut WillProperties, given: &Given<'_>) -> Result<(), Failure> {
    match given.name {
        "content-type" => properties.content_type = given.text(),
        "correlation-data" => properties.correlation_data = given.bytes(),
        "message-expiry-interval" => properties.message_expiry_interval = given.number()?,
        "payload-format-indicator" => properties.payload_format_indicator = given.flag()?,
        "response-topic" => properties.response_topic = given.topic()?,
        "will-delay-interval" => properties.delay_interval = given.number()?,
        _ => given.add_to(&mut properties.user_properties),
    }
    Ok(())
}

fn set_publish(properties: &mut PublishProperties, given: &Given<'_>) -> Result<(), Failure> {
    match given.name {
        "content-type" => properties.content_type = given.text(),
        "correlation-data" => properties.correlation_data = given.bytes(),
        "message-expiry-interval" => properties.message_expiry_interval = given.number()?,
        "payload-format-indicator" => properties.payload_format_indicator = given.flag()?,
        "response-topic" => properties.response_topic = given.topic()?,
        "topic-alias" => properties.topic_alias = given.number()?,
        _ => given.add_to(&mut properties.user_properties),
    }
    Ok(())
}

fn set_subscribe(properties: &mut SubscribeProperties, given: &Given<'_>) -> Result<(), Failure> {
    match given.name {
        "subscription-identifier" => {
            properties.subscription_identifier = given.number::<u32>()?.and_then(SubscriptionIdentifier::new);
            if properties.subscription_identifier.is_none() {
                return Err(usage(format!("`-D subscribe subscription-identifier {}`: use 1 to 268435455", given.value)));
            }
        }
        _ => given.add_to(&mut properties.user_properties),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Properties, Failure> {
        Properties::parse(&[words.iter().map(ToString::to_string).collect()])
    }

    #[test]
    fn properties_land_in_their_packet() {
        let properties = parse(&["publish", "user-property", "colour", "red"]).unwrap();
        assert_eq!(properties.publish.user_properties.iter().collect::<Vec<_>>(), [("colour", "red")]);
        assert_eq!(parse(&["connect", "receive-maximum", "7"]).unwrap().connect.receive_maximum.map(u16::from), Some(7));
        assert_eq!(parse(&["will", "will-delay-interval", "3"]).unwrap().will.delay_interval, Some(3));
        assert!(parse(&["subscribe", "subscription-identifier", "9"]).unwrap().subscribe.subscription_identifier.is_some());
    }

    #[test]
    fn a_wrong_property_says_what_is_possible() {
        let failure = parse(&["publish", "content-typ", "x"]).unwrap_err();
        assert!(failure.to_string().contains("did you mean `content-type`?"), "{failure}");
        for wrong in [
            &["connect", "receive-maximum", "0"][..],
            &["connect", "receive-maximum", "65536"],
            &["publish", "user-property", "only-a-name"],
            &["publish", "content-type", "one", "two"],
            &["subscribe", "subscription-identifier", "268435456"],
            &["puback", "reason-string", "x"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
