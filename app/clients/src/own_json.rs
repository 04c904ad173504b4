//! `--json` of Signet's own programs: one object a line, with names for what `%j` of Mosquitto cannot say.

use serde_json::{Map, Value, json};

use crate::output::Incoming;

/// One message as one JSON object in a line. A payload that is not UTF-8 is given in hexadecimal, under another name.
pub(crate) fn line(message: &Incoming) -> String {
    format!("{}\n", as_json(message))
}

fn as_json(message: &Incoming) -> Value {
    let mut object = Map::new();
    object.insert("topic".into(), json!(message.topic.as_str()));
    match std::str::from_utf8(&message.payload) {
        Ok(text) => object.insert("payload".into(), json!(text)),
        Err(_) => object.insert("payload_hex".into(), json!(hex::encode(&message.payload))),
    };
    object.insert("qos".into(), json!(u8::from(message.qos)));
    object.insert("retain".into(), json!(message.retain));
    let properties = properties(message);
    if !properties.is_empty() {
        object.insert("properties".into(), Value::Object(properties));
    }
    Value::Object(object)
}

/// Only those that were sent.
fn properties(message: &Incoming) -> Map<String, Value> {
    let given = &message.properties;
    let user: Vec<_> = given.user_properties.iter().map(|(name, value)| json!([name, value])).collect();
    let identifiers: Vec<_> = given.subscription_identifiers.iter().map(|identifier| identifier.get()).collect();
    let all = [
        ("payload_format_indicator", given.payload_format_indicator.map(|flag| json!(u8::from(flag)))),
        ("message_expiry_interval", given.message_expiry_interval.map(|seconds| json!(seconds))),
        ("content_type", given.content_type.as_ref().map(|text| json!(&**text))),
        ("response_topic", given.response_topic.as_ref().map(|topic| json!(topic.as_str()))),
        ("correlation_data_hex", given.correlation_data.as_ref().map(|data| json!(hex::encode(data)))),
        ("subscription_identifiers", (!identifiers.is_empty()).then(|| json!(identifiers))),
        ("user_properties", (!user.is_empty()).then(|| json!(user))),
    ];
    all.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
}

#[cfg(test)]
mod tests {
    use signet_mqtt::{QoS, TopicName, UserProperties};

    use super::*;

    #[test]
    fn json_shows_bytes_that_are_no_text_as_hexadecimal_and_only_properties_that_were_sent() {
        let mut message = Incoming {
            topic: TopicName::new("a/b").unwrap(),
            payload: b"\xff\x00".as_slice().into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            packet_id: 1,
            properties: Default::default(),
            order: Vec::new(),
        };
        assert_eq!(line(&message), "{\"payload_hex\":\"ff00\",\"qos\":1,\"retain\":true,\"topic\":\"a/b\"}\n");
        message.payload = b"21.5".as_slice().into();
        message.properties.user_properties = UserProperties(vec![("unit".into(), "C".into())]);
        assert_eq!(
            line(&message),
            "{\"payload\":\"21.5\",\"properties\":{\"user_properties\":[[\"unit\",\"C\"]]},\"qos\":1,\"retain\":true,\"topic\":\"a/b\"}\n"
        );
    }
}
