//! Statement → code → tests, found in the tree: citations in the code, the tests that the list names, tests that carry a number in their name.

use std::collections::BTreeMap;

use super::list::{List, Statement};
use super::{Version, mentions};
use crate::tidy::is_test_file;
use crate::tree::Tree;

/// The tests of the conformance suite.
const SUITE: &str = "test/conformance/tests/mqtt/";

/// What the words in the body of a test show that it runs in MQTT 3.1.1 too.
const RUNS_IN_311: [&str; 5] = ["ALL", "SINCE_311", "V311", "v311", "V31"];

/// A file of the repository, and what is there. Lines move with every edit; the number of the statement, or the name of the test, finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) path: String,
    /// The test's name; the file's for code.
    pub(crate) name: String,
    /// Of a test: whether it runs in MQTT 3.1.1.
    runs_in_311: bool,
}

/// One statement and what was found of it.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) code: Vec<Place>,
    pub(crate) tests: Vec<Place>,
    /// Why there are none; a statement of 3.1.1 shares the reason of the one it is like.
    pub(crate) reason: Option<&'a str>,
}

/// Everything that was found, in the order of version and number.
pub(crate) struct Coverage<'a> {
    pub(crate) rows: BTreeMap<(Version, Vec<u16>), (String, Row<'a>)>,
    pub(crate) faults: Vec<String>,
}

impl<'a> Coverage<'a> {
    pub(crate) fn of(tree: &Tree, list: &'a List) -> Self {
        let cited = citations(tree);
        let functions = functions(tree);
        let named = named_tests(&functions);
        let mut coverage = Self { rows: BTreeMap::new(), faults: list.faults.clone() };
        for ((version, number), statement) in &list.statements {
            let mut numbers = vec![(*version, number.clone())];
            numbers.extend(statement.like.iter().map(|number| (Version::V5, number.clone())));
            let mut row = Row { statement, code: Vec::new(), tests: Vec::new(), reason: None };
            for key in &numbers {
                row.code.extend(cited.get(key).into_iter().flatten().cloned());
                row.tests.extend(named.get(key).into_iter().flatten().cloned());
                for test in list.statements.get(key).into_iter().flat_map(|statement| &statement.tests) {
                    match functions.get(test) {
                        Some(place) => row.tests.push(place.clone()),
                        None if key.1 == *number => coverage.faults.push(format!("`{number}` names a test that does not exist: `{test}`")),
                        None => {}
                    }
                }
            }
            if *version == Version::V311 {
                row.tests.retain(|test| test.runs_in_311 || statement.tests.iter().any(|named| named.ends_with(&test.name)));
            }
            tidied(&mut row.code);
            tidied(&mut row.tests);
            if row.tests.is_empty() {
                row.reason = numbers.iter().filter_map(|key| list.statements.get(key)?.not_tested.as_deref()).next();
            }
            if row.tests.is_empty() && row.reason.is_none() {
                let name = format!("`{number}` of MQTT {}", version.name());
                coverage.faults.push(format!("{name} has neither a test nor a reason why there is none"));
            }
            if row.code.is_empty() && row.reason.is_none() && statement.not_cited.is_none() {
                let name = format!("`{number}` of MQTT {}", version.name());
                coverage.faults.push(format!("{name} is cited by no code, and nothing says why: `not_cited`"));
            }
            coverage.rows.insert((*version, key(number)), (number.clone(), row));
        }
        coverage
    }
}

fn tidied(places: &mut Vec<Place>) {
    places.sort();
    places.dedup();
}

/// Numbers in their order: `3.1.10-2` behind `3.1.9-2`.
fn key(number: &str) -> Vec<u16> {
    number.split(['.', '-']).filter_map(|part| part.parse().ok()).collect()
}

/// Where the code of the broker says that a statement decides.
fn citations(tree: &Tree) -> BTreeMap<(Version, String), Vec<Place>> {
    let mut cited: BTreeMap<(Version, String), Vec<Place>> = BTreeMap::new();
    for (path, text) in tree.ending("rs").filter(|(path, _)| path.starts_with("pure/") || path.starts_with("io/")) {
        if is_test_file(path) {
            continue;
        }
        let code = text.find("#[cfg(test)]\nmod tests {").and_then(|end| text.get(..end)).unwrap_or(text);
        for mention in mentions(code) {
            let place = Place { path: path.to_owned(), name: path.to_owned(), runs_in_311: false };
            cited.entry((mention.version, mention.number.replace("3-8.3-4", "3.8.3-4"))).or_default().push(place);
        }
    }
    cited
}

/// Every test, under the names by which the list may call it.
fn functions(tree: &Tree) -> BTreeMap<String, Place> {
    let mut found = BTreeMap::new();
    for (path, text) in tree.ending("rs").filter(|(path, _)| !path.starts_with("xtask/")) {
        for (offset, _) in text.match_indices("#[test]") {
            let Some(start) = text.get(offset..).and_then(|rest| rest.find("fn ")).map(|start| offset + start + 3) else { continue };
            let tail = text.get(start..).unwrap_or_default();
            let name = tail.split('(').next().unwrap_or_default();
            let body = tail.split("\n}\n").next().unwrap_or_default();
            let runs_in_311 = RUNS_IN_311.iter().any(|word| body.contains(word));
            let place = Place { path: path.to_owned(), name: name.to_owned(), runs_in_311 };
            if let Some(module) = path.strip_prefix(SUITE).and_then(|file| file.strip_suffix(".rs")) {
                found.insert(format!("{module}::{name}"), place.clone());
            }
            found.insert(format!("{path}::{name}"), place);
        }
    }
    found
}

/// Tests with a number in their name: `mqtt_3_1_4_3_…`, or `mqtt311_…` for a statement of 3.1.1.
fn named_tests(functions: &BTreeMap<String, Place>) -> BTreeMap<(Version, String), Vec<Place>> {
    let mut named: BTreeMap<(Version, String), Vec<Place>> = BTreeMap::new();
    for place in functions.iter().filter(|(name, _)| name.contains('/')).map(|(_, place)| place) {
        let (version, rest) = match (place.name.strip_prefix("mqtt311_"), place.name.strip_prefix("mqtt_")) {
            (Some(rest), _) => (Version::V311, rest),
            (None, Some(rest)) => (Version::V5, rest),
            (None, None) => continue,
        };
        let digits: Vec<&str> = rest.split('_').take(4).take_while(|part| part.parse::<u16>().is_ok()).collect();
        if let [a, b, c, number] = digits.as_slice() {
            named.entry((version, format!("{a}.{b}.{c}-{number}"))).or_default().push(place.clone());
        }
    }
    named
}
