//! What reaches the terminal: stdout is data, stderr is talk. A reader that went away is not an error.
//!
//! Client Identifiers and the like are what clients made them: control characters, which a terminal would obey, are written as `\u001b`.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::hint::Failure;

/// Prints one line of data.
pub(crate) fn data(line: &str) {
    ignore_closed(writeln!(io::stdout().lock(), "{}", visible(line, '\n')));
}

/// Prints one line for the person at the terminal.
pub(crate) fn note(line: &str) {
    ignore_closed(writeln!(io::stderr().lock(), "{}", visible(line, '\n')));
}

/// Shows a line at a terminal until the next one takes its place; an empty one leaves nothing.
pub(crate) fn passing(line: &str) {
    let mut terminal = io::stderr().lock();
    ignore_closed(write!(terminal, "\r{}\u{1b}[K", visible(line, ' ')).and_then(|()| terminal.flush()));
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
        // A line of a cell's own would look like another row.
        table.add_row(row.iter().map(|cell| visible(cell, ' ')));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    data(&table.trim_fmt());
}

/// The text without characters that a terminal obeys, but for `kept`. As JSON writes them, so JSON stays JSON.
fn visible(text: &str, kept: char) -> Cow<'_, str> {
    let obeyed = |character: char| character.is_control() && character != kept;
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if obeyed(character) {
            visible.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            visible.push(character);
        }
    }
    Cow::Owned(visible)
}

/// `signet sub | head` closes our stdout early: there is nobody left to tell.
fn ignore_closed(result: io::Result<()>) {
    drop(result);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(visible("a\nb", '\n'), "a\nb");
        assert_eq!(visible("a\nb", ' '), "a\\u000ab");
        assert_eq!(visible("\u{1b}[2J\u{9b}x\u{7f}\r", '\n'), "\\u001b[2J\\u009bx\\u007f\\u000d");
        let json = serde_json::to_string(&"\u{9b}x").unwrap();
        assert_eq!(serde_json::from_str::<String>(&visible(&json, '\n')).unwrap(), "\u{9b}x");
    }
}
