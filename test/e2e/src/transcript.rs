//! Runs a transcript of a README: what a reader would type, and what the reader would see.
//!
//! A line `NAME$ COMMAND` types a command into the terminal NAME; the lines below it are what that terminal shows next. `NAME:` goes back
//! to a terminal without typing. `…` stands for any text inside of a line; alone on a line it stands for any lines. A command that still
//! runs when another terminal is used goes on running; a second command in one terminal waits for the first to end.

use std::collections::BTreeMap;

/// One step of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A command typed into a terminal.
    Type {
        /// The terminal.
        terminal: String,
        /// The command line, continuation lines joined.
        command: String,
    },
    /// A line that a terminal shows, after those that it showed before.
    See {
        /// The terminal.
        terminal: String,
        /// The line, with `…` for any text.
        line: String,
    },
}

/// The steps of the first fenced `console` block of a Markdown text.
///
/// # Panics
/// When there is none, or a line belongs to no terminal.
#[track_caller]
pub fn of_markdown(text: &str) -> Vec<Step> {
    let block = text.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    parse(block.expect("the text has a ```console block"))
}

#[track_caller]
fn parse(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut terminal: Option<String> = None;
    let mut continued = false;
    for line in block.lines() {
        if continued && let Some(Step::Type { command, .. }) = steps.last_mut() {
            *command = format!("{} {}", command.trim_end_matches('\\').trim_end(), line.trim());
        } else if let Some((name, command)) = line.split_once("$ ").filter(|(name, _)| is_name(name)) {
            terminal = Some(name.to_owned());
            steps.push(Step::Type { terminal: name.to_owned(), command: command.trim().to_owned() });
        } else if let Some(name) = line.strip_suffix(':').filter(|name| is_name(name)) {
            terminal = Some(name.to_owned());
        } else if !line.trim().is_empty() && line.trim() != "…" {
            let terminal = terminal.clone().expect("output belongs to a terminal");
            steps.push(Step::See { terminal, line: line.trim_end().to_owned() });
        }
        continued = line.ends_with('\\');
    }
    steps
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase())
}

/// Whether `line` is what `pattern` shows.
pub fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// How many lines each terminal has shown: the next one is looked for behind them.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<String, usize>);

impl Seen {
    /// Looks for `pattern` among `lines` of `terminal` behind what was seen before, and moves on to it.
    pub fn advance(&mut self, terminal: &str, pattern: &str, lines: &[&str]) -> bool {
        let seen = self.0.entry(terminal.to_owned()).or_default();
        let found = lines.iter().enumerate().skip(*seen).find(|(_, line)| matches(pattern, line));
        match found {
            Some((at, _)) => {
                *seen = at + 1;
                true
            }
            None => false,
        }
    }

    /// A new command in `terminal`: its output starts over.
    pub fn restart(&mut self, terminal: &str) {
        self.0.remove(terminal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_becomes_steps() {
        let steps = of_markdown("# T\n```console\na$ serve \\\n    now\nready in … ms\n\nb$ ask\na:\nasked: yes\n…\n```\n");
        let typed = |terminal: &str, command: &str| Step::Type { terminal: terminal.into(), command: command.into() };
        let seen = |terminal: &str, line: &str| Step::See { terminal: terminal.into(), line: line.into() };
        assert_eq!(steps, [typed("a", "serve now"), seen("a", "ready in … ms"), typed("b", "ask"), seen("a", "asked: yes")]);
    }

    #[test]
    fn an_ellipsis_stands_for_any_text() {
        assert!(matches("revoked …; … closed", "revoked AB:CD; 1 session closed"));
        assert!(!matches("revoked …; … closed", "revoked AB:CD; 1 session closed in 3 ms"));
        assert!(matches("same", "same") && !matches("same", "same again") && !matches("…x", "y"));
    }

    #[test]
    fn lines_are_seen_in_order() {
        let mut seen = Seen::default();
        assert!(seen.advance("a", "two", &["one", "two"]));
        assert!(!seen.advance("a", "one", &["one", "two"]));
        assert!(seen.advance("a", "one", &["one", "two", "one"]));
    }
}
