//! `statements.toml` and the tests say the same: no statement without its test, no test that is not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// `mqtt_3_1_2_4_clean_start…` → `MQTT-3.1.2-4`; `mqtt311_…` → the same of 3.1.1; `section_…` proves no numbered statement.
fn statement(test: &str) -> Option<(&'static str, String)> {
    let (version, rest) = match (test.strip_prefix("mqtt311_"), test.strip_prefix("mqtt_")) {
        (Some(rest), _) => ("3.1.1", rest),
        (None, Some(rest)) => ("5.0", rest),
        _ => return None,
    };
    let numbers: Vec<&str> = rest.split('_').take_while(|part| part.bytes().all(|byte| byte.is_ascii_digit())).take(4).collect();
    // `mqtt_3_1_…` of `mqtt_3_1.rs` names a version.
    let [section @ .., number] = numbers.as_slice() else { return None };
    if section.len() < 3 {
        return None;
    }
    Some((version, format!("MQTT-{}-{number}", section.join("."))))
}

fn tests_in_source() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mqtt");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let functions = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        names.extend(functions.filter(|name| !name.starts_with("the_list")).map(|name| format!("{module}::{name}")));
    }
    names
}

/// Test → the rows it stands in, each by version and number.
fn tests_in_list() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("statements.toml")).unwrap();
    let list: BTreeMap<String, BTreeMap<String, toml::Table>> = toml::from_str(&text).unwrap();
    let mut listed: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (version, statements) in list {
        for (name, row) in statements {
            for test in row.get("tests").and_then(toml::Value::as_array).into_iter().flatten() {
                listed.entry(test.as_str().unwrap().to_owned()).or_default().insert((version.clone(), name.clone()));
            }
        }
    }
    listed
}

#[test]
fn the_list_of_statements_is_complete_and_true() {
    let mut listed = tests_in_list();
    // Tests of other crates are looked up by `cargo xtask tidy`.
    listed.retain(|test, _| !test.contains('/'));
    for (test, rows) in &listed {
        let function = test.rsplit("::").next().unwrap();
        if let Some((version, number)) = statement(function) {
            let own = (version.to_owned(), number);
            assert!(rows.contains(&own), "{test} is not listed under the statement that its name says, {own:?}");
        }
    }
    let listed: BTreeSet<String> = listed.into_keys().collect();
    let written = tests_in_source();
    let missing: Vec<_> = written.difference(&listed).collect();
    let invented: Vec<_> = listed.difference(&written).collect();
    assert!(missing.is_empty() && invented.is_empty(), "not in statements.toml: {missing:#?}\nno such test: {invented:#?}");
}
