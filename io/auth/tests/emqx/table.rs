//! Rows, and the tables of the guides.

use std::fs;
use std::path::Path;

/// What becomes of a client or of a wish, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// There is no such configuration: the broker does not start with it.
    NoConfiguration,
    No,
    Yes,
    /// In, and allowed to do everything.
    Superuser,
}

/// How the two compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    Same,
    /// Less is let through here: what happens instead.
    Safer(&'static str),
}

/// One row, of whatever kind its question is.
#[derive(Debug)]
pub(crate) struct Row<Q> {
    /// How EMQX is configured and who comes, in words.
    pub(crate) emqx: &'static str,
    /// What EMQX is documented to do.
    pub(crate) theirs: Said,
    /// The same configuration and client here.
    pub(crate) ours: Q,
    pub(crate) judgement: Judgement,
}

pub(crate) fn same<Q>(emqx: &'static str, theirs: Said, ours: Q) -> Row<Q> {
    Row { emqx, theirs, ours, judgement: Judgement::Same }
}

pub(crate) fn safer<Q>(emqx: &'static str, theirs: Said, ours: Q, instead: &'static str) -> Row<Q> {
    Row { emqx, theirs, ours, judgement: Judgement::Safer(instead) }
}

impl<Q> Row<Q> {
    /// Whether what happened fits the row; if not, why.
    pub(crate) fn judge(&self, happened: Said) -> Result<(), String> {
        let fits = match self.judgement {
            Judgement::Same => happened == self.theirs,
            Judgement::Safer(_) => happened < self.theirs,
        };
        if fits { Ok(()) } else { Err(format!("`{}`: EMQX: {:?}, here: {happened:?}, {:?}", self.emqx, self.theirs, self.judgement)) }
    }
}

/// The table of a guide has a line for each row that is safer, and no other.
pub(crate) fn agrees_with_guide<Q>(rows: &[Row<Q>], guide: &str, words: impl Fn(Said) -> &'static str) {
    let line = |row: &Row<Q>| match row.judgement {
        Judgement::Same => None,
        Judgement::Safer(instead) => Some(format!("| {} | {} | {instead} |", row.emqx, words(row.theirs))),
    };
    let expected: Vec<String> = rows.iter().filter_map(line).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(guide);
    let text = fs::read_to_string(&path).unwrap();
    let table = text.split_once("| In EMQX | there | in Signet |\n|---|---|---|\n").map(|(_, rest)| rest).unwrap_or_default();
    let found: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(found == expected, "the table in docs/guide/{guide} should be:\n{}\n", expected.join("\n"));
}
