//! The rules of CONTRIBUTING.md that a machine can check. Each rule is a function from the tree to findings, with a test that shows it
//! a violation; [`check`] runs them all, and does so as a test of this crate too.

mod clippy_settings;
mod graph;
mod links;
mod size;
mod statement_numbers;
mod witnesses;
mod words;

use std::fmt;

use crate::tree::Tree;

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// 1-based; 0 when the finding is about the whole file.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Every finding of every rule, ordered by path and line.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let rules: [fn(&Tree) -> Vec<Finding>; 8] = [
        size::check,
        words::check,
        graph::check,
        witnesses::check,
        clippy_settings::check,
        statement_numbers::check,
        statement_numbers::check_coverage,
        links::check,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

/// The 1-based line of the byte at `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// Whether a file holds nothing but tests.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("test/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::root;

    #[test]
    fn the_repository_is_tidy() {
        let tree = Tree::read(&root()).expect("the repository can be read");
        assert!(tree.len() > 20, "the tree was not found: {} files", tree.len());
        let findings: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
