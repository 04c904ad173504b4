//! What an answer or a token says of a client besides yes and no: superuser, attributes, groups, rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Number, Value};
use signet_identity::PlaceholderStyle;
use signet_policy::{SourceRules, shown};

/// Attributes, or groups, of one client.
const COUNT_MAXIMUM: usize = 64;
/// Bytes of one of them.
const SIZE_MAXIMUM: usize = 1024;

/// True, a number of 1 and above, and the same as text, as EMQX reads it; everything else that is a single value is false.
pub(crate) fn truth(value: Option<&Value>) -> Result<bool, String> {
    match value {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(Value::Number(number)) => Ok(is_positive(number)),
        Some(Value::String(text)) => Ok(text == "true" || text.parse::<u64>().is_ok_and(|number| number >= 1)),
        Some(Value::Array(_) | Value::Object(_)) => Err("expected true or false".to_owned()),
    }
}

fn is_positive(number: &Number) -> bool {
    number.as_u64().is_some_and(|number| number >= 1)
}

/// An object of texts; numbers and truth values count as the text that they are.
pub(crate) fn attributes(value: Option<&Value>) -> Result<BTreeMap<Arc<str>, Arc<str>>, String> {
    let fields = match value {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err("expected an object of texts".to_owned()),
    };
    check_count(fields.len())?;
    let one = |(name, value): (&String, &Value)| {
        let value = scalar(value).ok_or_else(|| format!("`{}` is no text", shown(name)))?;
        check_size(name)?;
        check_size(&value)?;
        Ok((name.as_str().into(), value.into()))
    };
    fields.iter().map(one).collect()
}

/// A text, or a list of texts.
pub(crate) fn groups(value: Option<&Value>) -> Result<BTreeSet<Arc<str>>, String> {
    let expected = || "expected a list of texts".to_owned();
    let names = match value {
        None | Some(Value::Null) => return Ok(BTreeSet::new()),
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().ok_or_else(expected)).collect::<Result<_, _>>()?,
        Some(_) => return Err(expected()),
    };
    check_count(names.len())?;
    let one = |name: &str| check_size(name).map(|()| name.into());
    names.into_iter().map(one).collect()
}

/// Rules of the client, `None` where nothing is said.
pub(crate) fn rules(value: Option<&Value>, source: &Arc<str>) -> Result<Option<SourceRules>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(acl) => SourceRules::from_claim(Arc::clone(source), PlaceholderStyle::Emqx5, acl).map(Some).map_err(|error| error.to_string()),
    }
}

/// A single value as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn check_count(count: usize) -> Result<(), String> {
    if count > COUNT_MAXIMUM { Err(format!("there are {count}, more than {COUNT_MAXIMUM}")) } else { Ok(()) }
}

fn check_size(text: &str) -> Result<(), String> {
    if text.len() > SIZE_MAXIMUM { Err(format!("one has {} bytes, more than {SIZE_MAXIMUM}", text.len())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_superuser_is_what_emqx_takes_for_one() {
        for value in [json!(true), json!(1), json!(7), json!("true"), json!("1"), json!("2")] {
            assert_eq!(truth(Some(&value)), Ok(true), "{value}");
        }
        for value in [json!(false), json!(0), json!(-1), json!(""), json!("0"), json!("false"), json!("yes"), json!(null)] {
            assert_eq!(truth(Some(&value)), Ok(false), "{value}");
        }
        assert_eq!(truth(None), Ok(false));
        assert!(truth(Some(&json!([true]))).is_err() && truth(Some(&json!({}))).is_err());
    }

    #[test]
    fn attributes_and_groups_are_texts_and_not_too_many() {
        let found = attributes(Some(&json!({"hall": "3", "level": 2, "spare": true}))).unwrap();
        let pairs: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("hall", "3"), ("level", "2"), ("spare", "true")]);
        assert!(attributes(Some(&json!({"hall": ["3"]}))).unwrap_err().contains("`hall` is no text"));
        assert!(attributes(Some(&json!("hall"))).is_err());
        assert!(attributes(Some(&json!({"hall": "x".repeat(1025)}))).is_err());
        let many: serde_json::Map<String, Value> = (0..65).map(|at| (at.to_string(), json!("x"))).collect();
        assert!(attributes(Some(&Value::Object(many))).is_err());
        let names = |value| groups(Some(&value)).map(|names| names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(names(json!(["b", "a", "b"])), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(names(json!("a")), Ok(vec!["a".to_owned()]));
        assert!(names(json!([1])).is_err() && names(json!({})).is_err() && names(json!(vec!["x"; 65])).is_err());
    }

    #[test]
    fn rules_are_read_or_nothing_is() {
        let source: Arc<str> = "web".into();
        assert!(rules(None, &source).unwrap().is_none());
        let list = rules(Some(&json!([{"permission": "allow", "action": "publish", "topic": "a/#"}])), &source).unwrap().unwrap();
        assert!(list.rules.len() == 1 && !list.is_complete && *list.source == *"web");
        let lists = rules(Some(&json!({"pub": ["a"], "sub": ["b"]})), &source).unwrap().unwrap();
        assert!(lists.rules.len() == 2 && lists.is_complete);
        assert!(rules(Some(&json!([{"permission": "allow", "action": "fly", "topic": "a"}])), &source).unwrap_err().contains("action"));
    }
}
