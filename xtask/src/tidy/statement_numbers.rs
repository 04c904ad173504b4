//! A statement number is a promise that can be looked up: each one cited is well formed, and is one of MQTT 5.0 or in the list of the
//! conformance suite.

use super::{Finding, line_of};
use crate::statements::{LIST, is_numbered, mentions};
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let listed = tree.file(LIST).map(mentions).unwrap_or_default();
    let is_known = |number: &str| number == "3-8.3-4" || is_numbered(number) || listed.iter().any(|mention| mention.number == number);
    let mut findings = Vec::new();
    // The rules' own tests cite wrong numbers on purpose.
    for (path, text) in tree.ending("rs").filter(|(path, _)| !path.starts_with("xtask/")) {
        for mention in mentions(text) {
            let number = mention.number;
            let message = if !mention.well_formed {
                format!("`MQTT-{number}` is no statement number: expected the form `MQTT-3.1.4-3`")
            } else if !is_known(number) {
                format!("MQTT 5.0 has no statement `MQTT-{number}`, and {LIST} does not know it")
            } else {
                continue;
            };
            findings.push(Finding::new(path, line_of(text, mention.offset), message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_number_is_found() {
        let findings = check(&Tree::of(&[("pure/x/src/a.rs", "//! Why.\n// [MQTT-3.1.4.3]\n")]));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
    }

    #[test]
    fn an_unknown_number_is_found() {
        let code = ("pure/x/src/a.rs", "//! Why: [MQTT-3.1.4-6], not [MQTT-3.1.4-7] or [MQTT-3.1.5-1].\n");
        assert_eq!(check(&Tree::of(&[code])).len(), 2);
        assert_eq!(check(&Tree::of(&[code, (LIST, "[\"MQTT-3.1.4-7\"]\n")])).len(), 1);
    }
}
