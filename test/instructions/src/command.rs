//! What the program does: count, compare, write down.

use std::fs;
use std::path::PathBuf;

use crate::callgrind;
use crate::cases;
use crate::table::{Row, Table, Tolerances};

/// Its text stands before the table on the page.
const PREFACE: &str = include_str!("preface.md");

const HINT: &str = "hint: `cargo run --release -p signet-instructions -- profile NAME` shows where they go. If it has to be so, also if it is better now,\n      \
                    `cargo run --release -p signet-instructions -- --write` writes it down, to be committed with the change and its reason";

/// Counts all cases and compares them with what is expected. Gives the table.
///
/// # Errors
/// What differs, after the table, and what to do.
pub fn compare() -> Result<String, String> {
    let found = counted(Tolerances::default())?;
    let file = place("test/instructions/expected.toml");
    let text = fs::read_to_string(&file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    let expected = Table::read(&text).map_err(|error| format!("`{}` {error}", file.display()))?;
    let mut text = found.for_people();
    let mut problems = found.differences(&expected);
    if !problems.is_empty() && found.compiler != expected.compiler {
        problems.push(format!("what is expected was compiled by rustc {}, this by {}", expected.compiler, found.compiler));
    }
    problems.extend(found.broken_relations());
    if problems.is_empty() {
        return Ok(text);
    }
    for problem in problems {
        text.push_str(&format!("\n{problem}"));
    }
    Err(format!("{text}\n{HINT}"))
}

/// Counts all cases, and writes `expected.toml` and the page.
///
/// # Errors
/// What must not be so whatever is expected, or what cannot be written.
pub fn write() -> Result<String, String> {
    let file = place("test/instructions/expected.toml");
    let known = fs::read_to_string(&file).ok().and_then(|text| Table::read(&text).ok());
    let found = counted(known.map_or_else(Tolerances::default, |known| known.tolerances))?;
    let broken = found.broken_relations();
    if !broken.is_empty() {
        return Err(format!("{}\n{}", found.for_people(), broken.join("\n")));
    }
    for (file, text) in [(file, found.written()), (place("docs/reference/instructions.md"), page(&found))] {
        fs::write(&file, text).map_err(|error| format!("cannot write `{}`: {error}", file.display()))?;
    }
    Ok(found.for_people())
}

/// Where the instructions of one case go.
///
/// # Errors
/// There is no such case, or a tool is missing.
pub fn profile(name: &str) -> Result<String, String> {
    known(&[name])?;
    let operations = cases().iter().find(|case| case.name == name).map_or(1, |case| case.operations);
    callgrind::profile(name, operations)
}

/// Does the named cases, all if none is named.
///
/// # Errors
/// There is no such case, or it does not do what its name says.
pub fn run(names: &[&str]) -> Result<String, String> {
    known(names)?;
    for case in cases().iter().filter(|case| names.is_empty() || names.contains(&case.name)) {
        case.run()?;
    }
    Ok(String::new())
}

/// The page about what is expected.
pub(crate) fn page(table: &Table) -> String {
    format!("{PREFACE}\nCompiled by rustc {} for {}.\n\n{}", table.compiler, table.processor, table.for_people())
}

fn known(names: &[&str]) -> Result<(), String> {
    let cases = cases();
    match names.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        None => Ok(()),
        Some(name) => {
            let list: String = cases.iter().map(|case| format!("\n  {}", case.name)).collect();
            Err(format!("there is no case `{name}`, only:{list}"))
        }
    }
}

fn counted(tolerances: Tolerances) -> Result<Table, String> {
    let cases = cases();
    let counts = callgrind::count(cases.len())?;
    let rows = cases.iter().zip(counts).map(|(case, counts)| Row::new(case, counts)).collect();
    Ok(Table { compiler: compiler()?, processor: std::env::consts::ARCH.to_owned(), tolerances, rows })
}

/// What this program was compiled by, as it says itself.
fn compiler() -> Result<String, String> {
    const MARK: &[u8] = b"rustc version ";
    let bytes = std::env::current_exe().and_then(fs::read).map_err(|error| format!("this program cannot read itself: {error}"))?;
    let at = bytes.windows(MARK.len()).rposition(|window| window == MARK).map(|at| at + MARK.len());
    let rest = at.and_then(|at| bytes.get(at..)).unwrap_or_default();
    let version: Vec<u8> = rest.iter().copied().take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte)).collect();
    String::from_utf8(version)
        .ok()
        .filter(|version| !version.is_empty())
        .ok_or_else(|| "this program does not say what has compiled it".to_owned())
}

/// A file of the repository.
fn place(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without counting: that each does what its name says.
    #[test]
    fn every_case_has_the_results_it_should_have() {
        run(&[]).unwrap();
    }

    #[test]
    fn names_are_different() {
        let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_page_says_what_is_expected() {
        let expected = Table::read(&fs::read_to_string(place("test/instructions/expected.toml")).unwrap()).unwrap();
        let in_order = cases().iter().filter_map(|case| expected.row(case.name).cloned()).collect();
        let expected = Table { rows: in_order, ..expected };
        assert_eq!(page(&expected), fs::read_to_string(place("docs/reference/instructions.md")).unwrap(), "written by `--write`");
    }

    #[test]
    fn a_case_that_there_is_not_is_refused() {
        assert!(run(&["no such"]).unwrap_err().contains("decode PINGREQ"));
    }
}
