//! Words: every Rust file says at its head why it exists, a postponed job names who carries it, and one name is banned because it
//! means two things.

use super::{Finding, line_of};
use crate::source::Source;
use crate::tree::Tree;

/// Marks of postponed work; each needs an owner in parentheses.
const POSTPONED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending("rs") {
        if !text.starts_with("//!") {
            findings.push(Finding::new(path, 1, "the file does not start with `//!` and why it exists"));
        }
        let source = Source::of(text);
        // The cryptographic library verifies signatures for pure code; its randomness is for others.
        for word in ["SystemRandom", "rand"].into_iter().filter(|_| path.starts_with("pure/")) {
            let code = source.code_without_tests();
            for offset in words(&code, word) {
                findings.push(Finding::new(path, line_of(&code, offset), format!("`{word}`: pure code takes entropy as an argument")));
            }
        }
        for word in POSTPONED {
            for offset in words(&source.comments, word) {
                if !source.comments.get(offset + word.len()..).is_some_and(|rest| rest.starts_with('(')) {
                    let message = format!("`{word}` without an owner: write `{word}(#issue)` or do it now");
                    findings.push(Finding::new(path, line_of(&source.comments, offset), message));
                }
            }
        }
        for offset in words(&source.code, "client_id") {
            let message = "`client_id` may mean the MQTT Client Identifier or the device: write `client_identifier` or `device`";
            findings.push(Finding::new(path, line_of(&source.code, offset), message));
        }
    }
    findings
}

/// Offsets of `word` where it stands alone.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).map(|(offset, _)| offset).filter(move |offset| {
        let before = text.get(..*offset).and_then(|head| head.chars().next_back());
        let after = text.get(offset + word.len()..).and_then(|tail| tail.chars().next());
        !part_of_word(before) && !part_of_word(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        check(&Tree::of(&[("io/x/src/a.rs", text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        assert_eq!(messages("fn a() {}\n").len(), 1);
        assert!(messages("//! Why.\nfn a() {}\n").is_empty());
    }

    #[test]
    fn postponed_work_needs_an_owner() {
        let found = messages("//! Why.\n\n// TODO: later\nfn a() {} // FIXME\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("io/x/src/a.rs:3:"), "{found:?}");
        assert!(messages("//! Why.\n// TODO(#7): later\nconst A: &str = \"TODO\";\n").is_empty());
    }

    #[test]
    fn randomness_in_pure_code_is_found() {
        let text = "//! Why.\nfn a() { aws_lc_rs::rand::fill(&mut b); }\n#[cfg(test)]\nmod tests { use aws_lc_rs::rand::SystemRandom; }\n";
        assert_eq!(check(&Tree::of(&[("pure/x/src/a.rs", text)])).len(), 1);
        assert!(check(&Tree::of(&[("io/x/src/a.rs", text)])).is_empty());
    }

    #[test]
    fn the_ambiguous_name_is_found_in_code_only() {
        assert_eq!(messages("//! Why.\nlet client_id = 1;\n").len(), 1);
        assert!(messages("//! Why: `client_id`.\nlet client_identifier = \"client_id\";\n").is_empty());
    }
}
