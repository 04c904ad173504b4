//! Takes a value of Redis apart.

use redis::Value;

/// A field's name and value; a field that is not there has none.
pub(super) type Field = (String, Option<Vec<u8>>);

/// One value; `None` for nil.
///
/// # Errors
/// It is a list of several.
pub(super) fn single(value: Value) -> Result<Option<Vec<u8>>, String> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::BulkString(octets) => octets,
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.into_bytes(),
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Okay => b"OK".to_vec(),
        Value::Boolean(truth) => truth.to_string().into_bytes(),
        Value::Double(number) => number.to_string().into_bytes(),
        Value::Attribute { data, .. } => return single(*data),
        _ => return Err("the answer holds a list where one value was expected".to_owned()),
    }))
}

/// Names and values, as HGETALL gives them: a list of both in turn, or pairs. Nil: none.
///
/// # Errors
/// It is something else.
pub(super) fn pairs(value: Value) -> Result<Vec<Field>, String> {
    let text = |name: Value| -> Result<String, String> {
        let name = single(name)?.ok_or("the answer holds a field without a name")?;
        String::from_utf8(name).map_err(|_| "the answer holds a field whose name is no UTF-8".to_owned())
    };
    let mut fields = Vec::new();
    match value {
        Value::Nil => {}
        Value::Map(pairs) => {
            for (name, value) in pairs {
                fields.push((text(name)?, single(value)?));
            }
        }
        Value::Array(values) => {
            let mut values = values.into_iter();
            while let Some(name) = values.next() {
                let value = values.next().ok_or("the answer holds a field without a value")?;
                fields.push((text(name)?, single(value)?));
            }
        }
        _ => return Err("the answer is no list of names and values".to_owned()),
    }
    Ok(fields)
}

/// Values by their place, under these names; what has no name is left away.
///
/// # Errors
/// One of them is a list.
pub(super) fn placed(value: Value, names: &[String]) -> Result<Vec<Field>, String> {
    let values = match value {
        Value::Array(values) => values,
        one => vec![one],
    };
    names.iter().zip(values).map(|(name, value)| Ok((name.clone(), single(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn answers_of_every_shape_are_taken_apart() {
        assert_eq!(single(Value::Nil), Ok(None));
        assert_eq!(single(Value::Int(-3)), Ok(Some(b"-3".to_vec())));
        assert!(single(Value::Array(vec![])).is_err());
        let names = ["password".to_owned(), "salt".to_owned()];
        let expected = vec![("password".to_owned(), Some(b"p".to_vec())), ("salt".to_owned(), None)];
        assert_eq!(placed(Value::Array(vec![text("p"), Value::Nil, text("more")]), &names).unwrap(), expected);
        assert_eq!(placed(text("p"), &names).unwrap(), expected[..1]);
        assert_eq!(placed(Value::Nil, &names).unwrap(), vec![("password".to_owned(), None)]);
        assert!(placed(Value::Array(vec![Value::Array(vec![])]), &names).is_err());
        let flat = Value::Array(vec![text("password"), text("p"), text("salt"), Value::Nil]);
        let map = Value::Map(vec![(text("password"), text("p")), (text("salt"), Value::Nil)]);
        assert_eq!(pairs(flat).unwrap(), expected);
        assert_eq!(pairs(map).unwrap(), expected);
        assert_eq!(pairs(Value::Nil).unwrap(), vec![]);
        for odd in [
            Value::Array(vec![text("a")]),
            text("a"),
            Value::Array(vec![Value::Nil, text("a")]),
            Value::Array(vec![Value::BulkString(vec![0xff]), text("a")]),
        ] {
            assert!(pairs(odd.clone()).is_err(), "{odd:?}");
        }
    }
}
