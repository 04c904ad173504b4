//! Normative statements of the MQTT specifications, `[MQTT-3.1.4-3]`: where the code decides by them and which tests prove it.

mod coverage;
mod list;
mod page;

pub(crate) use list::{LIST, List};
pub(crate) use page::PAGE;

use crate::tree::Tree;

/// Which specification numbers a statement. A bare number is one of MQTT 5.0; one of 3.1.1 is followed by `(3.1.1)` or `of MQTT 3.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V5,
    V311,
}

impl Version {
    const ALL: [Self; 2] = [Self::V5, Self::V311];

    /// As in the list and on the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V5 => "5.0",
            Self::V311 => "3.1.1",
        }
    }
}

/// The page of coverage, and what is wrong with it.
pub(crate) fn covered(tree: &Tree) -> (String, Vec<String>) {
    let list = List::read(tree);
    let coverage = coverage::Coverage::of(tree, &list);
    (page::page(&coverage), coverage.faults)
}

/// One mention of a number. `number` is as written when it is not well formed.
#[derive(Debug, PartialEq)]
pub(crate) struct Mention<'a> {
    pub(crate) offset: usize,
    pub(crate) version: Version,
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
        let behind = tail.get(number.len()..).unwrap_or_default().trim_start_matches([']', '`']);
        let is_older = [" (3.1.1)", " of MQTT 3.1.1", " of 3.1.1"].iter().any(|words| behind.starts_with(words));
        let version = if is_older { Version::V311 } else { Version::V5 };
        found.push(Mention { offset, version, number, well_formed: is_well_formed(number) });
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
    fn a_number_of_3_1_1_says_so() {
        let found = mentions("[MQTT-3.1.3-8] (3.1.1), `MQTT-3.1.4-3`, [MQTT-3.2.2-6] of MQTT 3.1.1");
        let versions: Vec<Version> = found.iter().map(|mention| mention.version).collect();
        assert_eq!(versions, [Version::V311, Version::V5, Version::V311]);
    }

    const ROWS: &str = "[\"5.0\".\"MQTT-3.1.4-3\"]\nsays = \"five\"\ntests = [\"b::mqtt_3_1_4_3_takes_over\"]\n\
        [\"5.0\".\"MQTT-3.1.4-4\"]\nsays = \"no\"\nnot_tested = \"a reason\"\n\
        [\"3.1.1\".\"MQTT-3.1.4-2\"]\nsays = \"old\"\nlike = [\"MQTT-3.1.4-3\"]\n";

    const CODE: &str = "//! Why.\n// [MQTT-3.1.4-3]\nfn a() {}\n#[cfg(test)]\nmod tests {\n// [MQTT-3.1.4-4]\n}\n";

    fn faults_and_page(test: &str) -> (Vec<String>, String) {
        let test = format!("//! Why.\n#[test]\n{test}\n");
        let tree = Tree::of(&[(LIST, ROWS), ("pure/x/src/a.rs", CODE), ("test/conformance/tests/mqtt/b.rs", &test)]);
        let (page, faults) = covered(&tree);
        (faults.into_iter().filter(|fault| !fault.contains("that is not listed")).collect(), page)
    }

    #[test]
    fn the_page_joins_statement_code_and_tests() {
        let (faults, page) = faults_and_page("fn mqtt_3_1_4_3_takes_over() {\n    for version in ALL {}\n}\n");
        assert_eq!(faults, Vec::<String>::new());
        let code = "[pure/x/src/a.rs](../../pure/x/src/a.rs)";
        let test = "[mqtt_3_1_4_3_takes_over](../../test/conformance/tests/mqtt/b.rs)";
        assert!(page.contains(&format!("| 3.1.4-3 | five | {code} | {test} |\n")), "{page}");
        assert!(page.contains("| 3.1.4-4 | no |  | – a reason |\n"), "{page}");
        assert!(page.contains(&format!("| 3.1.4-2 | old | {code} | {test} |\n")), "{page}");
        assert!(page.contains("2 statements: 1 with tests, 1 with a reason why there is none."), "{page}");
    }

    #[test]
    fn a_test_that_is_not_there_or_does_not_run_in_3_1_1_proves_nothing() {
        let (faults, _) = faults_and_page("fn mqtt_3_1_4_3_takes_over() {\n    only(V5);\n}\n");
        assert_eq!(faults, ["`3.1.4-2` of MQTT 3.1.1 has neither a test nor a reason why there is none"]);
        let (faults, _) = faults_and_page("fn mqtt_3_1_4_9_other() {}\n");
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("names a test that does not exist: `b::mqtt_3_1_4_3_takes_over`")), "{faults:?}");
    }

    #[test]
    fn a_statement_that_no_code_cites_says_why() {
        let rows = "[\"5.0\".\"MQTT-3.1.4-3\"]\nsays = \"five\"\ntests = [\"b::x\"]\n";
        let test = ("test/conformance/tests/mqtt/b.rs", "//! Why.\n#[test]\nfn x() {}\n");
        let faults = |rows: &str| covered(&Tree::of(&[(LIST, rows), test])).1.into_iter().filter(|fault| fault.contains("no code")).count();
        assert_eq!(faults(rows), 1);
        assert_eq!(faults(&format!("{rows}not_cited = \"a reason\"\n")), 0);
    }

    #[test]
    fn a_statement_that_is_not_listed_is_missed() {
        let (_, faults) = covered(&Tree::of(&[(LIST, ROWS)]));
        assert!(faults.contains(&"MQTT 5.0 has a statement `4.13.1-1` that is not listed".to_owned()), "{faults:?}");
        assert!(!faults.iter().any(|fault| fault.contains("`2.2.1-1`")), "{faults:?}");
    }
}
