//! Documentation that leads nowhere is worse than none: every relative link of a Markdown file names a file that exists, and its
//! fragment a heading of that file. A path of ours in inline code (`pure/mqtt/src/lib.rs`) exists too.

use super::{Finding, line_of};
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending("md") {
        let prose = without_code(text);
        for (offset, target) in targets(&prose) {
            if let Err(message) = resolve(tree, path, target) {
                findings.push(Finding::new(path, line_of(text, offset), message));
            }
        }
        for (offset, named) in named_paths(text).filter(|(_, named)| !tree.exists(named)) {
            findings.push(Finding::new(path, line_of(text, offset), format!("`{named}` does not exist")));
        }
    }
    findings
}

/// Offset and text of every piece of inline code that is a path from the root of the repository to a file.
fn named_paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    text.split('`').filter_map(move |piece| {
        let start = offset;
        offset += piece.len() + 1;
        let ours = ["pure/", "io/", "app/", "test/", "xtask/", "docs/"].iter().any(|folder| piece.starts_with(folder));
        let is_file = [".rs", ".toml", ".md"].iter().any(|ending| piece.ends_with(ending));
        (ours && is_file && !piece.contains(char::is_whitespace)).then_some((start, piece))
    })
}

/// Offset and target of every `[text](target)`.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("](").filter_map(move |(offset, opening)| {
        let tail = text.get(offset + opening.len()..)?;
        Some((offset, tail.get(..tail.find(')')?)?))
    })
}

fn resolve(tree: &Tree, from: &str, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { from.to_owned() } else { join(from, file) };
    if !tree.exists(&path) {
        return Err(format!("the link `{target}` leads to `{path}`, which does not exist"));
    }
    let headings = tree.file(&path).unwrap_or_default();
    // A line of a source file, as the page of coverage has them.
    let line = fragment.strip_prefix('L').filter(|_| path.ends_with(".rs")).and_then(|line| line.parse::<usize>().ok());
    if line.is_some_and(|line| (1..=headings.lines().count()).contains(&line)) {
        return Ok(());
    }
    if fragment.is_empty() || headings.lines().filter_map(heading_fragment).any(|known| known == fragment) {
        Ok(())
    } else {
        Err(format!("the link `{target}` leads to a heading that `{path}` does not have"))
    }
}

/// `target` as seen from the folder of `from`.
fn join(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The fragment under which a heading line can be reached: lower case, punctuation dropped, spaces to hyphens.
fn heading_fragment(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect())
}

/// The text with fenced blocks and inline code blanked: they show syntax, they do not link.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        let mut inline = false;
        for c in line.chars() {
            inline ^= c == '`';
            let blank = c != '\n' && (fence || fenced || inline);
            // As many bytes as before, so that offsets stay true.
            if blank { prose.extend(std::iter::repeat_n(' ', c.len_utf8())) } else { prose.push(c) }
        }
        fenced ^= fence;
    }
    prose
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let tree = Tree::of(&[("docs/guide/a.md", text), ("docs/b.md", "# The `first` step\n"), ("README.md", "")]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn broken_links_are_found() {
        let found = messages("x\n[a](c.md)\n[b](../b.md#second)\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/guide/a.md:2:"), "{found:?}");
    }

    #[test]
    fn a_named_file_that_is_gone_is_found() {
        let found = messages("see `docs/b.md`\nand `pure/gone/src/lib.rs`, not `cargo test/x.rs`\n");
        assert_eq!(found, ["docs/guide/a.md:2: `pure/gone/src/lib.rs` does not exist"]);
    }

    #[test]
    fn good_links_and_code_are_left_alone() {
        let text = "# Here\n[a](../b.md#the-first-step) [r](../../README.md) [d](..) [w](https://example.org/x) [h](#here)\n\
            `[x](y)`\n```\n[x](y)\n```\n";
        assert_eq!(messages(text), Vec::<String>::new());
    }
}
