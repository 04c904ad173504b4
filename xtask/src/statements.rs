//! Normative statements of the MQTT specifications, `[MQTT-3.1.4-3]`: where the code decides by them and which tests prove it.

use std::collections::BTreeMap;

use crate::tidy::{is_test_file, line_of};
use crate::tree::Tree;

/// The list of the conformance suite: which statement is proven by which test.
pub(crate) const LIST: &str = "test/conformance/statements.toml";

/// Section of MQTT 5.0 → the highest statement number in it (its appendix B). A statement of 3.1.1 is known by [`LIST`] alone.
#[rustfmt::skip]
const HIGHEST: [(&str, u16); 56] = [
    ("1.5.4", 3), ("1.5.5", 1), ("1.5.7", 1), ("2.1.3", 1), ("2.2.1", 6), ("2.2.2", 1), ("3.1.0", 2), ("3.1.2", 30),
    ("3.1.3", 12), ("3.1.4", 6), ("3.2.0", 2), ("3.2.2", 22), ("3.3.1", 13), ("3.3.2", 20), ("3.3.4", 10), ("3.4.2", 3),
    ("3.5.2", 3), ("3.6.1", 1), ("3.6.2", 3), ("3.7.2", 3), ("3.8.1", 1), ("3.8.3", 5), ("3.8.4", 8), ("3.9.2", 2),
    ("3.9.3", 2), ("3.10.1", 1), ("3.10.3", 2), ("3.10.4", 6), ("3.11.2", 2), ("3.11.3", 2), ("3.12.4", 1), ("3.14.0", 1),
    ("3.14.1", 1), ("3.14.2", 4), ("3.14.4", 3), ("3.15.1", 1), ("3.15.2", 3), ("4.1.0", 2), ("4.2.0", 1), ("4.3.1", 1),
    ("4.3.2", 5), ("4.3.3", 13), ("4.4.0", 2), ("4.5.0", 2), ("4.6.0", 6), ("4.7.0", 1), ("4.7.1", 2), ("4.7.2", 1),
    ("4.7.3", 4), ("4.8.2", 6), ("4.9.0", 3), ("4.12.0", 7), ("4.12.1", 2), ("4.13.1", 1), ("4.13.2", 1), ("6.0.0", 4),
];

/// Whether MQTT 5.0 has a statement of that number.
pub(crate) fn is_numbered(number: &str) -> bool {
    number.split_once('-').is_some_and(|(section, statement)| {
        let highest = HIGHEST.iter().find(|(known, _)| *known == section).map_or(0, |(_, highest)| *highest);
        statement.parse::<u16>().is_ok_and(|statement| statement <= highest)
    })
}

/// One mention of a number. `number` is as written when it is not well formed.
#[derive(Debug, PartialEq)]
pub(crate) struct Mention<'a> {
    pub(crate) offset: usize,
    pub(crate) number: &'a str,
    pub(crate) well_formed: bool,
}

/// Every `MQTT-` followed by a section and a hyphen, and everything in brackets that looks like one: a bare section is prose.
pub(crate) fn mentions(text: &str) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    for (offset, prefix) in text.match_indices("MQTT-") {
        let tail = text.get(offset + prefix.len()..).unwrap_or_default();
        if !tail.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let end = tail.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(tail.len());
        let number = tail.get(..end).unwrap_or_default().trim_end_matches('.');
        let bracketed = text.get(..offset).is_some_and(|head| head.ends_with('['));
        if !bracketed && !number.contains('-') {
            continue;
        }
        found.push(Mention { offset, number, well_formed: is_well_formed(number) });
    }
    found
}

/// `section.section…-n`: numbers without leading zeros, where a section may be 0 (`3.1.0`).
fn is_well_formed(number: &str) -> bool {
    // MQTT 3.1.1 itself writes one of them so.
    if number == "3-8.3-4" {
        return true;
    }
    let part = |part: &str| part == "0" || (!part.starts_with('0') && part.parse::<u16>().is_ok());
    number
        .split_once('-')
        .is_some_and(|(section, statement)| section.contains('.') && section.split('.').all(part) && part(statement) && statement != "0")
}

/// Statement → code → tests, one block a statement, and a closing line with the counts.
pub(crate) fn table(tree: &Tree) -> String {
    let listed = tree.file(LIST).map(mentions).unwrap_or_default();
    let mut rows: BTreeMap<Vec<u16>, Row> = BTreeMap::new();
    for mention in &listed {
        rows.entry(key(mention.number)).or_default().listed = true;
    }
    for (path, text) in tree.ending("rs").filter(|(path, _)| !path.starts_with("xtask/")) {
        let tests_from = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        for mention in mentions(text).iter().filter(|mention| mention.well_formed) {
            let place = format!("{path}:{}", line_of(text, mention.offset));
            let row = rows.entry(key(mention.number)).or_default();
            if is_test_file(path) || mention.offset > tests_from {
                row.tests.push(place);
            } else {
                row.code.push(place);
            }
        }
        for (line, name, number) in named_tests(text) {
            rows.entry(key(&number)).or_default().tests.push(format!("{path}:{line} {name}"));
        }
    }
    let tested = rows.values().filter(|row| !row.tests.is_empty()).count();
    let cited = rows.values().filter(|row| !row.code.is_empty()).count();
    let mut text: String = rows.iter().map(|(key, row)| row.print(key)).collect();
    text.push_str(&format!("{} statements, {cited} cited in code, {tested} named by tests\n", rows.len()));
    text
}

#[derive(Default)]
struct Row {
    listed: bool,
    code: Vec<String>,
    tests: Vec<String>,
}

impl Row {
    fn print(&self, key: &[u16]) -> String {
        let mut text = format!("MQTT-{}{}\n", number(key), if self.listed { "" } else { " (not listed)" });
        for (kind, places) in [("code", &self.code), ("test", &self.tests)] {
            for place in places {
                text.push_str(&format!("  {kind} {place}\n"));
            }
        }
        text
    }
}

/// Tests carry the number in their name: `mqtt_3_1_4_3_…`. Line, name and number of each.
fn named_tests(text: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for (offset, prefix) in text.match_indices("fn mqtt_") {
        let tail = text.get(offset + prefix.len()..).unwrap_or_default();
        let end = tail.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tail.len());
        let name = tail.get(..end).unwrap_or_default();
        let digits: Vec<&str> = name.split('_').take_while(|part| part.parse::<u16>().is_ok()).collect();
        if let [section @ .., statement] = digits.as_slice()
            && section.len() >= 2
        {
            let number = format!("{}-{statement}", section.join("."));
            found.push((line_of(text, offset), format!("mqtt_{name}"), number));
        }
    }
    found
}

fn key(number: &str) -> Vec<u16> {
    number.split(['.', '-']).filter_map(|part| part.parse().ok()).collect()
}

fn number(key: &[u16]) -> String {
    let parts: Vec<String> = key.iter().map(ToString::to_string).collect();
    match parts.split_last() {
        Some((statement, section)) => format!("{}-{statement}", section.join(".")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_prose() {
        let found = mentions("[MQTT-3.1.4-3] and MQTT-5.0 and [MQTT-1.5.4] and `MQTT-4.7.1-` and MQTT-x.y, MQTT-3.1.0-1.");
        let seen: Vec<(&str, bool)> = found.iter().map(|m| (m.number, m.well_formed)).collect();
        assert_eq!(seen, [("3.1.4-3", true), ("1.5.4", false), ("4.7.1-", false), ("3.1.0-1", true)]);
    }

    #[test]
    fn the_table_joins_code_and_tests() {
        let tree = Tree::of(&[
            (LIST, "\"MQTT-3.1.4-3\" = \"\"\n\"MQTT-3.1.4-4\" = \"\"\n"),
            ("pure/x/src/a.rs", "//! Why.\n// [MQTT-3.1.4-3]\nfn a() {}\n#[cfg(test)]\nmod tests {\n// [MQTT-3.1.4-3]\n}\n"),
            ("test/conformance/tests/b.rs", "//! Why.\nfn mqtt_3_1_4_10_takes_over() {}\n"),
        ]);
        let table = table(&tree);
        assert!(table.contains("MQTT-3.1.4-3\n  code pure/x/src/a.rs:2\n  test pure/x/src/a.rs:6\n"), "{table}");
        assert!(table.contains("MQTT-3.1.4-10 (not listed)\n  test test/conformance/tests/b.rs:2 mqtt_3_1_4_10_takes_over\n"));
        assert!(table.ends_with("3 statements, 1 cited in code, 2 named by tests\n"), "{table}");
    }
}
