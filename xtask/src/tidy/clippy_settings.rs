//! Clippy reads the nearest `clippy.toml` only, so `pure/clippy.toml` repeats the shared settings: this rule keeps the two equal.

use super::Finding;
use crate::tree::Tree;

const SHARED: &str = "clippy.toml";
const PURE: &str = "pure/clippy.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let read = |path: &str| {
        let text = tree.file(path)?;
        text.parse::<toml::Table>().ok()
    };
    let (Some(shared), Some(pure)) = (read(SHARED), read(PURE)) else {
        return vec![Finding::new(PURE, 0, "`clippy.toml` or `pure/clippy.toml` is missing or is no TOML")];
    };
    shared
        .iter()
        .filter(|(key, value)| pure.get(*key) != Some(value))
        .map(|(key, value)| Finding::new(PURE, 0, format!("does not repeat `{key} = {value}` of {SHARED}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_setting_is_found() {
        let tree = Tree::of(&[(SHARED, "a = 1\nb = true\n"), (PURE, "a = 1\nc = []\n")]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("`b = true`"));
        assert!(check(&Tree::of(&[(SHARED, "a = 1\n"), (PURE, "a = 1\nc = []\n")])).is_empty());
        assert_eq!(check(&Tree::of(&[(SHARED, "a = 1\n")])).len(), 1);
    }
}
