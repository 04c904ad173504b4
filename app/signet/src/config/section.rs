//! One TOML table read key by key: every key asked for is known, every key left over is a mistake.
//!
//! Reading by hand instead of deriving `Deserialize` is what lets one run report every wrong value and not only the first.

mod entries;

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::{DeInteger, DeTable, DeValue};

use super::problem::{Problems, listed, suggestion};

/// A value and the bytes of the file it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<T> At<T> {
    /// The same place with another value.
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> At<U> {
        At { value: convert(self.value), span: self.span }
    }
}

/// Readers of one table. Each asks for a key, checks its type, and reports what does not fit; `finish` reports what nobody asked for.
pub(crate) struct Section<'a> {
    /// As a person would write it: `[log]`, `[[listener]]`, or `the top level`.
    name: String,
    table: &'a DeTable<'a>,
    /// Where the table begins, for what is missing from it.
    pub(crate) span: Range<usize>,
    known: RefCell<Vec<&'static str>>,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    /// A reader over `table`.
    pub(crate) fn new(name: impl Into<String>, table: &'a DeTable<'a>, span: Range<usize>, problems: &'a Problems) -> Self {
        Self { name: name.into(), table, span, known: RefCell::new(Vec::new()), problems }
    }

    /// The keys that are written, whatever their values: what has a wrong value is not missing.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.table.keys().map(|key| key.get_ref().to_string()).collect()
    }

    /// A string.
    pub(crate) fn string(&self, key: &'static str) -> Option<At<String>> {
        let (value, span) = self.take(key)?;
        match value {
            DeValue::String(text) => Some(At { value: text.to_string(), span }),
            other => self.mismatch(key, "a string", other, &span),
        }
    }

    /// A list of strings; one string counts as a list of one.
    pub(crate) fn strings(&self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        let (value, span) = self.take(key)?;
        let items = match value {
            DeValue::String(text) => vec![At { value: text.to_string(), span: span.clone() }],
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(At { value: text.to_string(), span: item.span() }),
                    other => self.mismatch(key, "a list of strings", other, &item.span()),
                })
                .collect(),
            other => return self.mismatch(key, "a list of strings", other, &span),
        };
        Some(At { value: items, span })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, key: &'static str) -> Option<At<bool>> {
        let (value, span) = self.take(key)?;
        match value {
            DeValue::Boolean(value) => Some(At { value: *value, span }),
            other => self.mismatch(key, "`true` or `false`", other, &span),
        }
    }

    /// A whole number between `least` and `most`, both included.
    pub(crate) fn number(&self, key: &'static str, least: u64, most: u64) -> Option<At<u64>> {
        let (value, span) = self.take(key)?;
        let DeValue::Integer(integer) = value else {
            return self.mismatch(key, "a whole number", value, &span);
        };
        let number = whole(integer);
        self.within(key, number, least..=most, &span, || format!("write a whole number from {least} to {most}"))
    }

    /// A whole number between `least` and `most`, both included, or a list with such numbers in it.
    pub(crate) fn numbers(&self, key: &'static str, least: u64, most: u64) -> Option<At<Vec<u64>>> {
        let (value, span) = self.take(key)?;
        let expected = format!("a whole number from {least} to {most}, or a list of them");
        let one = |item: &DeValue<'_>, span: &Range<usize>| {
            match item {
                DeValue::Integer(integer) => {
                    whole(integer).and_then(|number| u64::try_from(number).ok()).filter(|number| (least..=most).contains(number))
                }
                _ => None,
            }
            .or_else(|| self.mismatch(key, &expected, item, span))
        };
        let value = match value {
            DeValue::Array(items) if !items.is_empty() => {
                items.iter().map(|item| one(item.get_ref(), &item.span())).collect::<Option<_>>()?
            }
            single => vec![one(single, &span)?],
        };
        Some(At { value, span })
    }

    /// A number of bytes between `least` and `most`, both included: a whole number, or text with a unit such as `"1MiB"`.
    pub(crate) fn size(&self, key: &'static str, least: u64, most: u64) -> Option<At<u64>> {
        let (value, span) = self.take(key)?;
        let number = match value {
            DeValue::Integer(integer) => whole(integer),
            DeValue::String(text) => match size(text) {
                Some(size) => Some(i128::from(size)),
                None => {
                    let hint = "write a whole number of bytes, or one with a unit: B, KiB, MiB or GiB, such as \"64KiB\"";
                    self.problems.at(&span, format!("`{text}` is not a size"), Some(hint.to_owned()));
                    return None;
                }
            },
            other => return self.mismatch(key, "a size, such as \"64KiB\" or a whole number of bytes", other, &span),
        };
        let hint = || format!("write a size from {} to {}", written_size(least), written_size(most));
        self.within(key, number, least..=most, &span, hint)
    }

    fn within(
        &self,
        key: &str,
        number: Option<i128>,
        range: RangeInclusive<u64>,
        span: &Range<usize>,
        hint: impl FnOnce() -> String,
    ) -> Option<At<u64>> {
        let fits = number.and_then(|number| u64::try_from(number).ok()).filter(|number| range.contains(number));
        if fits.is_none() {
            let found = number.map_or_else(String::new, |number| format!("`{number}` "));
            self.problems.at(span, format!("{found}is out of range for `{key}`"), Some(hint()));
        }
        fits.map(|value| At { value, span: span.clone() })
    }

    /// A duration with its unit: `"500ms"`, `"30s"`, `"5m"`, `"12h"`, `"7d"`.
    pub(crate) fn duration(&self, key: &'static str, least: Duration, most: Duration) -> Option<At<Duration>> {
        let (value, span) = self.take(key)?;
        let DeValue::String(text) = value else {
            return self.mismatch(key, "a duration with its unit, such as \"30s\" or \"7d\"", value, &span);
        };
        let Some(value) = duration(text) else {
            self.problems.at(
                &span,
                format!("`{text}` is not a duration"),
                Some("write a whole number and a unit: ms, s, m, h or d, such as \"30s\" or \"7d\"".to_owned()),
            );
            return None;
        };
        if (least..=most).contains(&value) {
            return Some(At { value, span });
        }
        let range = format!("write a duration from {} to {}", written(least), written(most));
        self.problems.at(&span, format!("`{text}` is out of range for `{key}`"), Some(range));
        None
    }

    /// One of a few words, each with its meaning.
    pub(crate) fn choice<T: Clone>(&self, key: &'static str, meanings: &[(&'static str, T)]) -> Option<At<T>> {
        let written = self.string(key)?;
        if let Some((_, meaning)) = meanings.iter().find(|(word, _)| *word == written.value) {
            return Some(At { value: meaning.clone(), span: written.span });
        }
        let words: Vec<&str> = meanings.iter().map(|(word, _)| *word).collect();
        self.problems.at(
            &written.span,
            format!("`{}` is not a value of `{key}`, expected one of {}", written.value, listed(&words)),
            super::problem::nearest(&written.value, words.iter().copied()).map(|word| format!("did you mean `{word}`?")),
        );
        None
    }

    /// `true`, `false`, or one of a few words, each with its meaning; `on` is that of `true`.
    pub(crate) fn switch<T: Clone>(&self, key: &'static str, on: T, meanings: &[(&'static str, T)]) -> Option<At<Option<T>>> {
        match self.table.get(key).map(|value| value.get_ref()) {
            Some(DeValue::Boolean(_)) => self.boolean(key).map(|at| at.map(|is_on| is_on.then_some(on))),
            _ => self.choice(key, meanings).map(|at| at.map(Some)),
        }
    }

    /// A nested table, `[key]`.
    pub(crate) fn section(&self, key: &'static str) -> Option<Self> {
        self.known.borrow_mut().push(key);
        let value = self.table.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => {
                let name = match self.name.trim_matches(['[', ']']) {
                    outer if self.name.starts_with('[') => format!("[{outer}.{key}]"),
                    _ => format!("[{key}]"),
                };
                Some(Self::new(name, table, value.span(), self.problems))
            }
            other => self.mismatch(key, &format!("a table, written `[{key}]`"), other, &value.span()),
        }
    }

    /// Repeated tables, `[[key]]`.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Self> {
        self.known.borrow_mut().push(key);
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let name = format!("[[{key}]]");
        let DeValue::Array(items) = value.get_ref() else {
            let _: Option<()> = self.mismatch(key, &format!("repeated tables, each written `{name}`"), value.get_ref(), &value.span());
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => Some(Self::new(name.clone(), table, item.span(), self.problems)),
                other => self.mismatch(key, &format!("a table, written `{name}`"), other, &item.span()),
            })
            .collect()
    }

    /// Reports a key that has its place elsewhere.
    pub(crate) fn misplaced<T>(&self, at: &At<T>, key: &str, hint: &str) {
        self.problems.at(&at.span, format!("`{key}` has no meaning in {}", self.name), Some(hint.to_owned()));
    }

    /// Reports a value that does not fit.
    pub(crate) fn refuse<T>(&self, at: &At<T>, message: &str, hint: &str) {
        self.problems.at(&at.span, message, Some(hint.to_owned()));
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self) {
        let known = self.known.into_inner();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                self.problems.at(&key.span(), format!("unknown key `{name}` in {}", self.name), Some(suggestion(name, &known)));
            }
        }
    }

    fn take(&self, key: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.known.borrow_mut().push(key);
        self.table.get(key).map(|value| (value.get_ref(), value.span()))
    }

    fn mismatch<T>(&self, key: &str, expected: &str, found: &DeValue<'_>, span: &Range<usize>) -> Option<T> {
        self.problems.at(span, format!("`{key}` must be {expected}, found a value of type {}", found.type_str()), None);
        None
    }
}

/// Reads `"7d"`: a whole number and one unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let scale: u64 = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(scale).map(Duration::from_secs)
}

/// A duration as [`duration`] reads it, in the largest unit that is exact.
pub(crate) fn written(value: Duration) -> String {
    let seconds = value.as_secs();
    if value.subsec_millis() != 0 {
        return format!("{}ms", value.as_millis());
    }
    [(86_400, "d"), (3600, "h"), (60, "m")]
        .into_iter()
        .find(|(scale, _)| seconds != 0 && seconds.is_multiple_of(*scale))
        .map_or_else(|| format!("{seconds}s"), |(scale, unit)| format!("{}{unit}", seconds / scale))
}

/// As one would write it in the configuration.
fn written_size(value: u64) -> String {
    [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(power, _)| value != 0 && value.is_multiple_of(1 << power))
        .map_or_else(|| value.to_string(), |(power, unit)| format!("{}{unit}", value >> power))
}

fn whole(integer: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let scale: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(scale)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read<T>(text: &str, with: impl FnOnce(&Section<'_>) -> T) -> (T, Vec<String>) {
        let problems = Problems::new(Path::new("f"), text);
        let table = DeTable::parse(text).unwrap();
        let section = Section::new("the top level", table.get_ref(), 0..0, &problems);
        let result = with(&section);
        section.finish();
        (result, problems.into_sorted().into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn durations_need_a_unit_and_come_back_as_written() {
        for text in ["500ms", "30s", "5m", "12h", "7d"] {
            assert_eq!(written(duration(text).unwrap()), text);
        }
        for text in ["", "7", "d", "7 weeks", "-1s", "1.5h", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_and_numbers_are_bounded() {
        let (value, problems) = read("a = \"64KiB\"\nb = 0\nc = 0x10", |section| {
            (section.size("a", 1, 1 << 20), section.number("b", 1, 9), section.number("c", 1, 99))
        });
        assert_eq!(value.0.unwrap().value, 65_536);
        assert_eq!(value.1, None);
        assert_eq!(value.2.unwrap().value, 16);
        assert_eq!(problems, ["`0` is out of range for `b`"]);
        let (_, problems) = read("a = \"1MB\"\nb = -1\nc = \"1GiB\"\nd = \"2\"", |section| {
            (section.size("a", 1, 1 << 20), section.number("b", 1, 9), section.size("c", 1, 99), section.number("d", 1, 9))
        });
        let wrong_type = "`d` must be a whole number, found a value of type string";
        assert_eq!(problems, ["`1MB` is not a size", "`-1` is out of range for `b`", "`1073741824` is out of range for `c`", wrong_type]);
        assert_eq!([0, 1, 1 << 10, 3 << 20, 1 << 40].map(written_size), ["0", "1", "1KiB", "3MiB", "1024GiB"]);
    }

    #[test]
    fn one_run_reports_every_wrong_type_and_every_unknown_key() {
        let (_, problems) =
            read("a = 1\nb = \"x\"\nc = [1, \"y\"]\nd = true", |section| (section.string("a"), section.boolean("b"), section.strings("c")));
        assert_eq!(
            problems,
            [
                "`a` must be a string, found a value of type integer",
                "`b` must be `true` or `false`, found a value of type string",
                "`c` must be a list of strings, found a value of type integer",
                "unknown key `d` in the top level",
            ]
        );
    }
}
