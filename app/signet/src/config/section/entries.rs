//! Values whose keys are the operator's: tables of texts, and values that become JSON.

use toml::de::DeValue;

use super::{At, Section, whole};

/// A name and a text, each where it stands.
pub(crate) type Entry = (At<String>, At<String>);

impl Section<'_> {
    /// A table of strings, `{ name = "text" }`, in the order of its names.
    pub(crate) fn entries(&self, key: &'static str) -> Option<Vec<Entry>> {
        let (value, span) = self.take(key)?;
        let DeValue::Table(table) = value else {
            return self.mismatch(key, "a table of strings, such as { name = \"text\" }", value, &span);
        };
        let mut entries = Vec::new();
        let mut is_whole = true;
        for (name, value) in table {
            let name = At { value: name.get_ref().to_string(), span: name.span() };
            match value.get_ref() {
                DeValue::String(text) => entries.push((name, At { value: text.to_string(), span: value.span() })),
                other => {
                    is_whole = false;
                    let _: Option<()> = self.mismatch(&format!("{key}.{}", name.value), "a string", other, &value.span());
                }
            }
        }
        is_whole.then_some(entries)
    }

    /// A table that becomes an object of JSON. Its texts stay as they are.
    pub(crate) fn object(&self, key: &'static str) -> Option<At<serde_json::Value>> {
        let (value, span) = self.take(key)?;
        if !matches!(value, DeValue::Table(_)) {
            return self.mismatch(key, "a table, such as { name = \"text\" }", value, &span);
        }
        Some(At { value: self.json(key, value, &span)?, span })
    }

    fn json(&self, key: &str, value: &DeValue<'_>, span: &std::ops::Range<usize>) -> Option<serde_json::Value> {
        Some(match value {
            DeValue::String(text) => text.to_string().into(),
            DeValue::Boolean(truth) => (*truth).into(),
            DeValue::Integer(integer) => match whole(integer).and_then(|number| i64::try_from(number).ok()) {
                Some(number) => number.into(),
                None => return self.mismatch(key, "a smaller number", value, span),
            },
            DeValue::Float(float) => match float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => number.into(),
                None => return self.mismatch(key, "a number of JSON", value, span),
            },
            DeValue::Array(items) => {
                items.iter().map(|item| self.json(key, item.get_ref(), &item.span())).collect::<Option<Vec<_>>>()?.into()
            }
            DeValue::Table(table) => {
                let one = |(name, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                    Some((name.get_ref().to_string(), self.json(key, value.get_ref(), &value.span())?))
                };
                table.iter().map(one).collect::<Option<serde_json::Map<_, _>>>()?.into()
            }
            DeValue::Datetime(_) => return self.mismatch(key, "something that JSON has: no date", value, span),
        })
    }
}
