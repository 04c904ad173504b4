//! The references say what the program says: every configuration key, every exit code, and every rule of refusal that the guide explains.

#![expect(clippy::expect_used, reason = "a document that is not there fails the test")]

use std::collections::BTreeSet;

use signet_e2e::{Site, repository};

#[track_caller]
fn document(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).expect("the document")
}

/// `section.key` of every key that a configuration shows, set or as a comment.
fn keys_of_template(text: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        let optional = line.strip_prefix("# [[").filter(|rest| rest.ends_with("]]"));
        if let Some(name) = line.strip_prefix('[').or(optional) {
            section = name.trim_matches(['[', ']', ' ']).to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

/// `section.key` of every row of the reference's tables.
fn keys_of_reference(text: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = if name == "Top level" { String::new() } else { name.trim_matches(['[', ']']).to_owned() };
        } else if let Some((first, _)) = line.strip_prefix("| `").and_then(|row| row.split_once(" | ")) {
            // Several keys with one meaning share a row.
            keys.extend(first.split('`').step_by(2).map(|key| format!("{section}.{key}")));
        }
    }
    keys
}

#[test]
fn the_configuration_reference_has_every_key_and_no_other() {
    let site = Site::quickstart();
    let template = std::fs::read_to_string(site.path("signet.toml")).expect("quickstart writes it");
    let written = keys_of_template(&template);
    assert!(written.len() > 40, "{written:?}");
    assert_eq!(keys_of_reference(&document("docs/reference/config.md")), written);
}

/// Every default of the reference is accepted by the program when it is written down.
#[test]
fn the_defaults_of_the_limits_are_as_documented() {
    let site = Site::quickstart();
    let template = std::fs::read_to_string(site.path("signet.toml")).expect("quickstart writes it");
    let reference = document("docs/reference/config.md");
    let limits = template.split("\n[limits]\n").nth(1).expect("the section");
    for line in limits.lines() {
        if let Some((key, value)) = line.trim_start_matches("# ").split_once(" = ") {
            let row = format!("| `{key}` | `{value}` |");
            assert!(reference.contains(&row), "the reference lacks `{row}`");
        }
    }
    site.edit("signet.toml", |text| {
        let (before, limits) = text.split_once("\n[limits]\n").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("the section");
        let set: String = limits
            .lines()
            .map(|line| if line.contains(" = ") { format!("{}\n", line.trim_start_matches("# ")) } else { format!("{line}\n") })
            .collect();
        format!("{before}\n[limits]\n{set}")
    });
    site.signet(&["check"]).succeeded();
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = Site::empty().signet(&["--help"]).succeeded().output;
    let table = help.split("Exit codes:").nth(1).expect("the help has a table");
    let codes: BTreeSet<&str> = table.lines().filter_map(|line| line.trim().split_once("  ")).map(|(code, _)| code).collect();
    let reference = document("docs/reference/exit-codes.md");
    let documented: BTreeSet<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| ").and_then(|row| row.split_once(" |")))
        .map(|(code, _)| code)
        .filter(|code| code.parse::<u8>().is_ok())
        .collect();
    assert!(documented.len() > 5);
    assert_eq!(codes, documented);
}
