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
    let (number, section) = numbers.split_last()?;
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

#[test]
fn the_list_of_statements_is_complete_and_true() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("statements.toml")).unwrap();
    let list: BTreeMap<String, BTreeMap<String, Vec<String>>> = toml::from_str(&text).unwrap();
    let mut listed = BTreeSet::new();
    for (version, statements) in &list {
        for (name, tests) in statements {
            assert!(!tests.is_empty(), "{version} {name} has no test");
            for test in tests {
                listed.insert(test.clone());
                let function = test.rsplit("::").next().unwrap();
                if let Some((of_version, by_name)) = statement(function) {
                    assert_eq!(
                        (of_version, &by_name),
                        (version.as_str(), name),
                        "{test} is listed under another statement than its name says"
                    );
                }
            }
        }
    }
    let written = tests_in_source();
    let missing: Vec<_> = written.difference(&listed).collect();
    let invented: Vec<_> = listed.difference(&written).collect();
    assert!(missing.is_empty() && invented.is_empty(), "not in statements.toml: {missing:#?}\nno such test: {invented:#?}");
}
