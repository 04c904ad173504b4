//! A check leaves a witness, and a witness is worth what its origins are worth: each may be made in one named file only.
//! Tests may make their own.

use super::{Finding, is_test_file, line_of};
use crate::source::Source;
use crate::tree::Tree;

/// Expression that makes a witness, and the files that may, with how often.
struct Origin {
    made_by: &'static str,
    only_in: &'static [(&'static str, usize)],
}

const ORIGINS: [Origin; 8] = [
    // A handshake of our own; and a certificate that a trusted proxy forwards, judged by the same verifier, where the proof of possession is
    // the proxy's word.
    Origin { made_by: "VerifiedPeer::assertion(", only_in: &[("io/tls/src/acceptor.rs", 1), ("io/tls/src/forwarded.rs", 1)] },
    Origin { made_by: "NamedPeer::assertion(", only_in: &[("io/tls/src/forwarded.rs", 1)] },
    Origin { made_by: "KeyedPeer::assertion(", only_in: &[("io/psk/src/connection.rs", 1)] },
    // Who has to vouch for a client has done so.
    Origin { made_by: "Passed {", only_in: &[("pure/policy/src/chain.rs", 1)] },
    Origin { made_by: "ConnectPermit::assertion(", only_in: &[("pure/policy/src/decide.rs", 1)] },
    // For a client, by the rules; for the server itself, which publishes its own `$SYS` topics.
    Origin { made_by: "PublishPermit::assertion(", only_in: &[("pure/policy/src/decide.rs", 2)] },
    Origin { made_by: "SubscribePermit::assertion(", only_in: &[("pure/policy/src/decide.rs", 1)] },
    Origin { made_by: "IssuanceToken {", only_in: &[("pure/ca/src/prepare.rs", 1)] },
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for origin in &ORIGINS {
        for (path, text) in tree.ending("rs").filter(|(path, _)| !is_test_file(path)) {
            let allowed = origin.only_in.iter().find(|(file, _)| *file == path).map_or(0, |(_, times)| *times);
            let code = Source::of(text).code_without_tests();
            let made = code.match_indices(origin.made_by).map(|(offset, _)| offset);
            for offset in made.filter(|offset| !is_definition(code.get(..*offset).unwrap_or_default())).skip(allowed) {
                let places: Vec<String> = origin.only_in.iter().map(|(file, times)| format!("{file} ({times})")).collect();
                let message = format!(
                    "`{}…` belongs in {} only: every other place would be a way around the check",
                    origin.made_by,
                    places.join(" and ")
                );
                findings.push(Finding::new(path, line_of(&code, offset), message));
            }
        }
    }
    findings
}

/// Whether what stands before the name makes it a type's definition, its `impl` or a return type, no expression.
fn is_definition(before: &str) -> bool {
    let before = before.trim_end();
    ["struct", "enum", "impl", "for", "->"].iter().any(|word| before.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_made_elsewhere_is_found() {
        let elsewhere = "//! Why.\nfn a() { let peer = VerifiedPeer::assertion(identity, false); }\n";
        let findings = check(&Tree::of(&[("io/server/src/a.rs", elsewhere)]));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
        assert!(check(&Tree::of(&[("io/tls/src/acceptor.rs", elsewhere)])).is_empty());
    }

    #[test]
    fn a_second_origin_in_the_right_file_is_found() {
        let twice = "//! Why.\nfn a() { VerifiedPeer::assertion(a, b) }\nfn b() { VerifiedPeer::assertion(a, b) }\n";
        assert_eq!(check(&Tree::of(&[("io/tls/src/acceptor.rs", twice)])).len(), 1);
    }

    #[test]
    fn definitions_and_tests_are_free() {
        let definition = "//! Why.\npub struct IssuanceToken {}\nimpl IssuanceToken {}\nimpl Debug for IssuanceToken {}\n\
            fn a() -> IssuanceToken {}\n#[cfg(test)]\nmod tests { fn a() { IssuanceToken {} } }\n";
        assert!(check(&Tree::of(&[("pure/ca/src/token.rs", definition)])).is_empty());
        let expression = "//! Why.\nfn a() { return IssuanceToken { who }; }\n";
        assert_eq!(check(&Tree::of(&[("pure/ca/src/issue.rs", expression)])).len(), 1);
    }
}
