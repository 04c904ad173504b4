//! Repository chores: `cargo xtask tidy` checks the rules that no compiler checks, `cargo xtask statements` writes the page that says which
//! code and which tests answer each MQTT statement.

mod source;
mod statements;
mod tidy;
mod tree;

use std::io::Write;
use std::process::ExitCode;

use tree::Tree;

const USAGE: &str = "usage: cargo xtask tidy | statements\n";

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    let outcome = Tree::read(&tree::root()).map(|tree| match command.as_deref() {
        Some("tidy") => report_tidy(&tree),
        Some("statements") => write_coverage(&tree),
        _ => (USAGE.to_owned(), ExitCode::from(2)),
    });
    let (text, code) = outcome.unwrap_or_else(|error| (format!("xtask: error: {error}\n"), ExitCode::FAILURE));
    // A reader that went away (`| head`) is no failure of the check.
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}

fn write_coverage(tree: &Tree) -> (String, ExitCode) {
    let (page, faults) = statements::covered(tree);
    if let Err(error) = std::fs::write(tree::root().join(statements::PAGE), page) {
        return (format!("xtask: error: cannot write `{}`: {error}\n", statements::PAGE), ExitCode::FAILURE);
    }
    let mut text: String = faults.iter().map(|fault| format!("{}: {fault}\n", statements::LIST)).collect();
    text.push_str(&format!("statements: wrote {}, {} findings\n", statements::PAGE, faults.len()));
    (text, if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report_tidy(tree: &Tree) -> (String, ExitCode) {
    let findings = tidy::check(tree);
    if findings.is_empty() {
        (format!("tidy: {} files, nothing to report\n", tree.len()), ExitCode::SUCCESS)
    } else {
        let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
        text.push_str(&format!("tidy: {} findings\n", findings.len()));
        (text, ExitCode::FAILURE)
    }
}
