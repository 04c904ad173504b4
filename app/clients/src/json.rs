//! `%j` and `%J`: a message as JSON, byte for byte as Mosquitto's clients print it with cJSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use signet_mqtt::QoS;

use crate::local_time::LocalTime;
use crate::output::Incoming;
use crate::property;

/// A JSON value that keeps the order of names, and names that come twice. Text is octets: payloads need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(Vec<u8>),
    Array(Vec<Self>),
    Object(Vec<(Vec<u8>, Self)>),
}

/// The message. With `raw` the payload has to be JSON and becomes a part of it; None: it is not.
pub(crate) fn message(message: &Incoming, now: &LocalTime, raw: bool, pretty: bool) -> Option<Vec<u8>> {
    let stamp = format!("{}.{:06}{}", now.text("%FT%T"), now.nanoseconds() / 1000, now.text("%z"));
    let mut members = vec![
        (b"tst".to_vec(), Json::Text(stamp.into_bytes())),
        (b"topic".to_vec(), Json::text(message.topic.as_str())),
        (b"qos".to_vec(), Json::Number(f64::from(u8::from(message.qos)))),
        (b"retain".to_vec(), Json::Bool(message.retain)),
        (b"payloadlen".to_vec(), Json::Number(f64::from(u32::try_from(message.payload.len()).unwrap_or(u32::MAX)))),
    ];
    if message.qos != QoS::AtMostOnce {
        members.push((b"mid".to_vec(), Json::Number(f64::from(message.packet_id))));
    }
    if !message.order.is_empty() {
        members.push((b"properties".to_vec(), properties(message)));
    }
    let payload = match (message.payload.is_empty(), raw) {
        (true, _) => Json::Null,
        (false, true) => serde_json::from_slice(&message.payload).ok()?,
        // C text ends at a NUL.
        (false, false) => Json::Text(message.payload.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
    };
    members.push((b"payload".to_vec(), payload));
    let mut out = Vec::new();
    Json::Object(members).write(&mut out, pretty.then_some(0));
    Some(out)
}

/// In the order in which they came; all user properties where the first one was.
fn properties(message: &Incoming) -> Json {
    let given = &message.properties;
    let mut members: Vec<(Vec<u8>, Json)> = Vec::new();
    let mut identifiers = given.subscription_identifiers.iter();
    for id in &message.order {
        let value = match *id {
            property::PAYLOAD_FORMAT => given.payload_format_indicator.map(|flag| Json::Number(f64::from(u8::from(flag)))),
            property::MESSAGE_EXPIRY => given.message_expiry_interval.map(|seconds| Json::Number(f64::from(seconds))),
            property::CONTENT_TYPE => given.content_type.as_ref().map(|text| Json::text(text)),
            property::RESPONSE_TOPIC => given.response_topic.as_ref().map(|topic| Json::text(topic.as_str())),
            property::CORRELATION_DATA => {
                given.correlation_data.as_ref().map(|data| Json::Text(data.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()))
            }
            property::SUBSCRIPTION_IDENTIFIER => identifiers.next().map(|identifier| Json::Number(f64::from(identifier.get()))),
            property::TOPIC_ALIAS => given.topic_alias.map(|alias| Json::Number(f64::from(alias.get()))),
            property::USER_PROPERTY if members.iter().any(|(name, _)| name == b"user-properties") => None,
            property::USER_PROPERTY => {
                let pairs = given.user_properties.iter().map(|(name, value)| Json::Object(vec![(name.into(), Json::text(value))]));
                members.push((b"user-properties".to_vec(), Json::Array(pairs.collect())));
                None
            }
            _ => None,
        };
        if let (Some(name), Some(value)) = (property::name(*id), value) {
            members.push((name.into(), value));
        }
    }
    Json::Object(members)
}

impl Json {
    fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// `depth`: how many objects are around it, where it goes over several lines.
    fn write(&self, out: &mut Vec<u8>, depth: Option<usize>) {
        match self {
            Self::Null => out.extend(b"null"),
            Self::Bool(true) => out.extend(b"true"),
            Self::Bool(false) => out.extend(b"false"),
            Self::Number(number) => out.extend(shown(*number).bytes()),
            Self::Text(text) => quote(text, out),
            Self::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.extend(if depth.is_some() { &b", "[..] } else { b"," });
                    }
                    item.write(out, depth.map(|depth| depth + 1));
                }
                out.push(b']');
            }
            Self::Object(members) => write_object(members, out, depth),
        }
    }
}

fn write_object(members: &[(Vec<u8>, Json)], out: &mut Vec<u8>, depth: Option<usize>) {
    let inner = depth.map(|depth| depth + 1);
    let line_end = |out: &mut Vec<u8>| out.extend(inner.map(|_| b'\n'));
    let indent = |out: &mut Vec<u8>, depth: Option<usize>| out.extend(std::iter::repeat_n(b'\t', depth.unwrap_or(0)));
    out.push(b'{');
    line_end(out);
    for (index, (name, value)) in members.iter().enumerate() {
        indent(out, inner);
        quote(name, out);
        out.extend(if inner.is_some() { &b":\t"[..] } else { b":" });
        value.write(out, inner);
        if index + 1 < members.len() {
            out.push(b',');
        }
        line_end(out);
    }
    indent(out, depth);
    out.push(b'}');
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            8 => out.extend(b"\\b"),
            12 => out.extend(b"\\f"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..=31 => out.extend(format!("\\u{byte:04x}").bytes()),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Fifteen digits, or seventeen where fifteen lose something.
fn shown(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let short = general(number, 15);
    if short.parse() == Ok(number) { short } else { general(number, 17) }
}

/// C's `%.*g`.
fn general(number: f64, digits: usize) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed =
        |text: &str| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() };
    let precision = i32::try_from(digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= precision {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(precision - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{number:.decimals$}"))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().parse().unwrap_or(f64::MAX)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().parse().unwrap_or(f64::MIN)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            members.push((name.into_bytes(), value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_c_prints_them() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1e20, "1e+20"),
            (1e-7, "1e-07"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333333333333331"),
            (123_456_789_012.0, "123456789012"),
            (0.0001, "0.0001"),
            (1e15, "1e+15"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        ] {
            assert_eq!(shown(number), text);
        }
    }

    #[test]
    fn json_is_printed_as_cjson_prints_it() {
        let text = br#"{"b":{},"a":[1,2.5,{"x":[]}],"b":null,"t":"q\"\\/\u00e9\u0001\n"}"#;
        let json: Json = serde_json::from_slice(text).unwrap();
        let mut out = Vec::new();
        json.write(&mut out, None);
        assert_eq!(String::from_utf8(out).unwrap(), "{\"b\":{},\"a\":[1,2.5,{\"x\":[]}],\"b\":null,\"t\":\"q\\\"\\\\/é\\u0001\\n\"}");
        let json: Json = serde_json::from_slice(br#"{"a":[1,{"x":[]}],"b":{}}"#).unwrap();
        let mut out = Vec::new();
        json.write(&mut out, Some(0));
        assert_eq!(String::from_utf8(out).unwrap(), "{\n\t\"a\":\t[1, {\n\t\t\t\"x\":\t[]\n\t\t}],\n\t\"b\":\t{\n\t}\n}");
    }
}
