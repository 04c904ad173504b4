//! The list of the conformance suite: every numbered statement of both specifications, and what becomes of it.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::Version;
use crate::tree::Tree;

/// Where it stands.
pub(crate) const LIST: &str = "test/conformance/statements.toml";

/// Section → the highest statement number in it, by the appendix of the specification that lists them all.
type Highest = [(&'static str, u16)];

#[rustfmt::skip]
const HIGHEST_5: &Highest = &[
    ("1.5.4", 3), ("1.5.5", 1), ("1.5.7", 1), ("2.1.3", 1), ("2.2.1", 6), ("2.2.2", 1), ("3.1.0", 2), ("3.1.2", 30),
    ("3.1.3", 12), ("3.1.4", 6), ("3.2.0", 2), ("3.2.2", 22), ("3.3.1", 13), ("3.3.2", 20), ("3.3.4", 10), ("3.4.2", 3),
    ("3.5.2", 3), ("3.6.1", 1), ("3.6.2", 3), ("3.7.2", 3), ("3.8.1", 1), ("3.8.3", 5), ("3.8.4", 8), ("3.9.2", 2),
    ("3.9.3", 2), ("3.10.1", 1), ("3.10.3", 2), ("3.10.4", 6), ("3.11.2", 2), ("3.11.3", 2), ("3.12.4", 1), ("3.14.0", 1),
    ("3.14.1", 1), ("3.14.2", 4), ("3.14.4", 3), ("3.15.1", 1), ("3.15.2", 3), ("4.1.0", 2), ("4.2.0", 1), ("4.3.1", 1),
    ("4.3.2", 5), ("4.3.3", 13), ("4.4.0", 2), ("4.5.0", 2), ("4.6.0", 6), ("4.7.0", 1), ("4.7.1", 2), ("4.7.2", 1),
    ("4.7.3", 4), ("4.8.2", 6), ("4.9.0", 3), ("4.12.0", 7), ("4.12.1", 2), ("4.13.1", 1), ("4.13.2", 1), ("6.0.0", 4),
];

#[rustfmt::skip]
const HIGHEST_311: &Highest = &[
    ("1.5.3", 3), ("2.2.2", 2), ("2.3.1", 7), ("3.1.0", 2), ("3.1.2", 24), ("3.1.3", 11), ("3.1.4", 5), ("3.2.0", 1),
    ("3.2.2", 6), ("3.3.1", 12), ("3.3.2", 3), ("3.3.4", 1), ("3.3.5", 2), ("3.6.1", 1), ("3.8.1", 1), ("3.8.3", 4),
    ("3.8.4", 6), ("3.9.3", 2), ("3.10.1", 1), ("3.10.3", 2), ("3.10.4", 6), ("3.12.4", 1), ("3.14.1", 1), ("3.14.4", 3),
    ("4.1.0", 2), ("4.3.1", 1), ("4.3.2", 2), ("4.3.3", 2), ("4.4.0", 1), ("4.5.0", 2), ("4.6.0", 6), ("4.7.1", 3),
    ("4.7.2", 1), ("4.7.3", 4), ("4.8.0", 2), ("6.0.0", 4), ("7.0.0", 2), ("7.1.1", 1), ("7.1.2", 1),
];

/// The one number that the appendix of MQTT 5.0 leaves out.
const NOT_GIVEN: (Version, &str) = (Version::V5, "2.2.1-1");

/// One statement.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    /// In a few words of our own.
    pub(crate) says: String,
    /// Of 3.1.1: statements of MQTT 5.0 that ask for the same.
    pub(crate) like: Vec<String>,
    /// As written: `module::function` of the conformance suite, or `path.rs::function`.
    pub(crate) tests: Vec<String>,
    /// Why no test can prove it.
    pub(crate) not_tested: Option<String>,
    /// Why no line of code decides by it.
    pub(crate) not_cited: Option<String>,
}

/// Every statement of the list, by version and number (`3.1.4-3`).
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) statements: BTreeMap<(Version, String), Statement>,
    /// What is wrong with the list itself.
    pub(crate) faults: Vec<String>,
}

impl List {
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut list = Self::default();
        let table = match tree.file(LIST).unwrap_or_default().parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                list.faults.push(format!("cannot be read: {}", error.message()));
                return list;
            }
        };
        for version in Version::ALL {
            for (name, row) in table.get(version.name()).and_then(Value::as_table).into_iter().flatten() {
                let number = name.strip_prefix("MQTT-").unwrap_or(name).to_owned();
                list.statements.insert((version, number), statement(row));
            }
        }
        list.check();
        list
    }

    /// Whether a specification has a statement of that number. The one that 3.1.1 prints with a hyphen too many is known under both.
    pub(crate) fn knows(&self, version: Version, number: &str) -> bool {
        self.statements.contains_key(&(version, number.replace("3-8.3-4", "3.8.3-4")))
    }

    /// Complete, and every row says what becomes of its statement.
    fn check(&mut self) {
        for (version, highest) in [(Version::V5, HIGHEST_5), (Version::V311, HIGHEST_311)] {
            let all = highest.iter().flat_map(|(section, highest)| (1..=*highest).map(move |number| format!("{section}-{number}")));
            for number in all.filter(|number| (version, number.as_str()) != NOT_GIVEN) {
                if !self.statements.contains_key(&(version, number.clone())) {
                    self.faults.push(format!("MQTT {} has a statement `{number}` that is not listed", version.name()));
                }
            }
        }
        for ((version, number), statement) in &self.statements {
            let name = format!("`{number}` of MQTT {}", version.name());
            if statement.says.is_empty() {
                self.faults.push(format!("{name} does not say what the statement is about: `says`"));
            }
            for like in statement.like.iter().filter(|like| !self.statements.contains_key(&(Version::V5, (*like).clone()))) {
                self.faults.push(format!("{name} is said to be like `{like}`, which MQTT 5.0 does not have"));
            }
            if statement.not_tested.is_some() && !(statement.tests.is_empty() && statement.like.is_empty()) {
                self.faults.push(format!("{name} has tests, and a reason why it has none"));
            }
        }
    }
}

fn statement(row: &Value) -> Statement {
    let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    let texts = |key: &str| -> Vec<String> {
        row.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let like = texts("like").into_iter().map(|name| name.trim_start_matches("MQTT-").to_owned()).collect();
    Statement {
        says: text("says").unwrap_or_default(),
        like,
        tests: texts("tests"),
        not_tested: text("not_tested"),
        not_cited: text("not_cited"),
    }
}
