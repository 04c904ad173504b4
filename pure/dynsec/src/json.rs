//! JSON as Mosquitto's library reads and writes it: keys keep their order and are found whatever their case, the first of two counts, and what stands
//! behind the value is not looked at.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` and `false`
    Bool(bool),
    /// A number without a fraction.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(Vec<(Cow<'static, str>, Self)>),
}

/// How a key was written that is there with a value of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongType;

impl Json {
    /// Reads the first value of a text. Nesting is bounded at 128.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        Self::deserialize(&mut serde_json::Deserializer::from_slice(text)).ok()
    }

    /// An object.
    #[must_use]
    pub fn object<const FIELDS: usize>(fields: [(&'static str, Self); FIELDS]) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect())
    }

    /// A string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Adds a field to an object.
    pub fn put(&mut self, key: &'static str, value: Self) {
        if let Self::Object(fields) = self {
            fields.push((Cow::Borrowed(key), value));
        }
    }

    /// Adds a field to an object if there is a text for it.
    pub fn put_text(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.put(key, Self::text(text));
        }
    }

    /// The field with this name, whatever its case.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// Its text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Its elements, if it is an array.
    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// A text that has to be there.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// A text that may be missing.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&str>, WrongType> {
        self.get(key).map(|value| value.as_text().ok_or(WrongType)).transpose()
    }

    /// A truth value that may be missing.
    pub(crate) fn optional_bool(&self, key: &str) -> Result<Option<bool>, WrongType> {
        match self.get(key) {
            None => Ok(None),
            Some(Self::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(WrongType),
        }
    }

    /// A truth value; what is missing or none counts as `otherwise`.
    pub(crate) fn bool_or(&self, key: &str, otherwise: bool) -> bool {
        self.optional_bool(key).ok().flatten().unwrap_or(otherwise)
    }

    /// A number, cut to 32 bits as Mosquitto's library does; what is missing or none counts as `otherwise`.
    pub(crate) fn int_or(&self, key: &str, otherwise: i32) -> i32 {
        match self.get(key) {
            Some(Self::Int(value)) => i32::try_from(*value).unwrap_or(if *value < 0 { i32::MIN } else { i32::MAX }),
            #[expect(clippy::as_conversions, reason = "a conversion of a float saturates, and drops the fraction, which is what is wanted")]
            Some(Self::Float(value)) => *value as i32,
            _ => otherwise,
        }
    }

    /// On one line, without blanks.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As Mosquitto's library writes files: keys of objects in lines of their own, indented by tabs.
    #[must_use]
    pub fn to_file(&self) -> String {
        let mut text = String::new();
        self.write_file(&mut text, 0);
        text
    }

    fn write_file(&self, text: &mut String, depth: usize) {
        let indent = |text: &mut String, depth: usize| text.extend(std::iter::repeat_n('\t', depth));
        match self {
            Self::Object(fields) => {
                text.push_str("{\n");
                for (index, (key, value)) in fields.iter().enumerate() {
                    indent(text, depth + 1);
                    text.push_str(&Self::text(key).to_line());
                    text.push_str(":\t");
                    value.write_file(text, depth + 1);
                    text.push_str(if index + 1 < fields.len() { ",\n" } else { "\n" });
                }
                indent(text, depth);
                text.push('}');
            }
            Self::List(list) => {
                text.push('[');
                for (index, value) in list.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    value.write_file(text, depth + 1);
                }
                text.push(']');
            }
            other => text.push_str(&other.to_line()),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => {
                let mut elements = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    elements.serialize_element(value)?;
                }
                elements.end()
            }
            Self::Object(fields) => {
                let mut entries = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    entries.serialize_entry(key, value)?;
                }
                entries.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::text(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = elements.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            fields.push((Cow::Owned(key), value));
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_the_first_of_two_counts() {
        let json = Json::read(br#" {"b":1,"A":"x","a":"y","n":null,"f":1.5,"l":[true,{}]} behind it"#).unwrap();
        assert_eq!(json.text_of("a"), Some("x"));
        assert_eq!((json.int_or("B", 0), json.int_or("f", 0), json.int_or("a", 7), json.int_or("z", 8)), (1, 1, 7, 8));
        assert_eq!((json.optional_text("n"), json.optional_text("z")), (Err(WrongType), Ok(None)));
        assert_eq!(json.to_line(), r#"{"b":1,"A":"x","a":"y","n":null,"f":1.5,"l":[true,{}]}"#);
        assert_eq!(Json::read(b"{"), None);
        assert_eq!(Json::read(b""), None);
        assert_eq!(Json::read("[".repeat(1000).as_bytes()), None);
    }

    #[test]
    fn numbers_are_cut_to_32_bits() {
        let json = Json::read(br#"{"a":9000000000,"b":-9000000000,"c":1e30,"d":99999999999999999999}"#).unwrap();
        let cut: Vec<i32> = ["a", "b", "c", "d"].iter().map(|key| json.int_or(key, 0)).collect();
        assert_eq!(cut, [i32::MAX, i32::MIN, i32::MAX, i32::MAX]);
    }

    #[test]
    fn a_file_looks_as_mosquitto_writes_it() {
        let json = Json::read(br#"{"a":{"b":true},"l":[{"x":1},{"x":2}],"s":["p","q"],"e":[]}"#).unwrap();
        let expected = "{\n\t\"a\":\t{\n\t\t\"b\":\ttrue\n\t},\n\t\"l\":\t[{\n\t\t\t\"x\":\t1\n\t\t}, {\n\t\t\t\"x\":\t2\n\t\t}],\n\t\"s\":\t[\"p\", \"q\"],\n\t\"e\":\t[]\n}";
        assert_eq!(json.to_file(), expected);
    }
}
