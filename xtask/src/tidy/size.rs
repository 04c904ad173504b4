//! What fits in a head: a file of at most 500 lines without its tests, a struct of at most 15 fields.

use super::{Finding, is_test_file, line_of};
use crate::source::{Source, block_len};
use crate::tree::Tree;

const LINES: usize = 500;
const FIELDS: usize = 15;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending("rs") {
        let source = Source::of(text);
        let lines = source.lines_without_tests();
        if lines > LINES && !is_test_file(path) {
            let message = format!("{lines} lines without tests, at most {LINES}: split the file by what changes together");
            findings.push(Finding::new(path, 0, message));
        }
        for (offset, name, fields) in structs(&source.code) {
            if fields > FIELDS {
                let message = format!("struct `{name}` has {fields} fields, at most {FIELDS}: group what belongs together");
                findings.push(Finding::new(path, line_of(&source.code, offset), message));
            }
        }
    }
    findings
}

/// Offset, name and number of named fields of every struct.
fn structs(code: &str) -> Vec<(usize, &str, usize)> {
    let mut found = Vec::new();
    for (offset, keyword) in code.match_indices("struct ") {
        let before = code.get(..offset).and_then(|head| head.chars().next_back());
        let tail = code.get(offset + keyword.len()..).unwrap_or_default();
        let name = tail.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let Some(open) = tail.find(['{', ';', '(']) else {
            continue;
        };
        let body = tail.get(open..).unwrap_or_default();
        if before.is_none_or(|c| c.is_whitespace() || c == ')') && body.starts_with('{') {
            found.push((offset, name, fields(body.get(1..block_len(body) - 1).unwrap_or_default())));
        }
    }
    found
}

/// Number of `name: Type` parts between the top-level commas of a struct's body.
fn fields(body: &str) -> usize {
    let mut depth = 0_i32;
    let mut parts = vec![String::new()];
    let mut previous = ' ';
    for c in body.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if previous != '-' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ if depth == 0 => parts.iter_mut().next_back().into_iter().for_each(|part| part.push(c)),
            _ => {}
        }
        previous = c;
    }
    parts.iter().filter(|part| part.contains(':')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_and_its_tests_are_not_counted() {
        let long = "fn a() {}\n".repeat(501);
        assert_eq!(check(&Tree::of(&[("io/x/src/a.rs", &long)])).len(), 1);
        assert!(check(&Tree::of(&[("io/x/src/a/tests.rs", &long)])).is_empty());
        let tested = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert!(check(&Tree::of(&[("io/x/src/a.rs", &tested)])).is_empty());
    }

    #[test]
    fn a_wide_struct_is_found() {
        let wide = |count: usize| {
            let fields: String = (0..count).map(|n| format!("pub f{n}: Map<A, fn(B, C) -> D>,\n")).collect();
            format!("pub struct Wide<T: Into<A>> {{\n#[doc = \"a, b\"]\n{fields}}}\n")
        };
        let findings = check(&Tree::of(&[("pure/x/src/a.rs", &wide(16))]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].message.contains("`Wide` has 16 fields"));
        assert!(check(&Tree::of(&[("pure/x/src/a.rs", &wide(15))])).is_empty());
    }
}
