//! What reaches the terminal: stdout is data, stderr is talk. A reader that went away is not an error.

use std::io::{self, Write};

use serde::Serialize;

use crate::hint::Failure;

/// Prints one line of data.
pub(crate) fn data(line: &str) {
    ignore_closed(writeln!(io::stdout().lock(), "{line}"));
}

/// Prints one line for the person at the terminal.
pub(crate) fn note(line: &str) {
    ignore_closed(writeln!(io::stderr().lock(), "{line}"));
}

/// Prints a value as JSON, for `--json`.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    data(&text);
    Ok(())
}

/// Prints rows under a heading, without frames, so that `awk` can read it too.
pub(crate) fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(heading.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    data(&table.trim_fmt());
}

/// `signet sub | head` closes our stdout early: there is nobody left to tell.
fn ignore_closed(result: io::Result<()>) {
    drop(result);
}
