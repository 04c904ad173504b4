//! A statement number is a promise that can be looked up: each one cited is well formed and one that its specification has; and what the
//! page of coverage says of them all is what the tree holds.

use super::{Finding, line_of};
use crate::statements::{LIST, List, PAGE, covered, mentions};
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let list = List::read(tree);
    let mut findings = Vec::new();
    // The rules' own tests cite wrong numbers on purpose.
    for (path, text) in tree.ending("rs").filter(|(path, _)| !path.starts_with("xtask/")) {
        for mention in mentions(text) {
            let number = mention.number;
            let message = if !mention.well_formed {
                format!("`MQTT-{number}` is no statement number: expected the form `MQTT-3.1.4-3`")
            } else if !list.knows(mention.version, number) {
                format!("MQTT {} has no statement `MQTT-{number}`: see {LIST}", mention.version.name())
            } else {
                continue;
            };
            findings.push(Finding::new(path, line_of(text, mention.offset), message));
        }
    }
    findings
}

/// Every statement has a test or a reason, and the page is what `cargo xtask statements` would write.
pub(super) fn check_coverage(tree: &Tree) -> Vec<Finding> {
    let (page, faults) = covered(tree);
    let mut findings: Vec<Finding> = faults.into_iter().map(|fault| Finding::new(LIST, 0, fault)).collect();
    if tree.file(PAGE) != Some(page.as_str()) {
        findings.push(Finding::new(PAGE, 0, "is stale: run `cargo xtask statements`"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "[\"5.0\".\"MQTT-3.1.4-6\"]\nsays = \"x\"\n[\"3.1.1\".\"MQTT-3.1.4-7\"]\nsays = \"y\"\n";

    #[test]
    fn a_malformed_number_is_found() {
        let findings = check(&Tree::of(&[("pure/x/src/a.rs", "//! Why.\n// [MQTT-3.1.4.3]\n")]));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
    }

    #[test]
    fn an_unknown_number_is_found() {
        let cited = |text: &str| check(&Tree::of(&[("pure/x/src/a.rs", text), (LIST, ROWS)])).len();
        assert_eq!(cited("//! Why: [MQTT-3.1.4-6], not [MQTT-3.1.4-7] or [MQTT-3.1.5-1].\n"), 2);
        assert_eq!(cited("//! Why: [MQTT-3.1.4-7] (3.1.1), not [MQTT-3.1.4-6] (3.1.1).\n"), 1);
    }

    #[test]
    fn a_stale_page_is_found() {
        let tree = |page: &str| check_coverage(&Tree::of(&[(LIST, ROWS), (PAGE, page)]));
        let is_stale = |findings: &[Finding]| findings.iter().any(|finding| finding.path == PAGE);
        assert!(is_stale(&tree("# Old\n")));
        let (page, _) = covered(&Tree::of(&[(LIST, ROWS)]));
        assert!(!is_stale(&tree(&page)));
    }
}
