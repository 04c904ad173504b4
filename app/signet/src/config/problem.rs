//! What is wrong with a configuration, shown where it is wrong: file, line, column, the line itself, a caret, a hint.
//!
//! Problems are collected, never returned at the first one: a person who repairs a file wants the whole list.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use signet_mosquitto::Translation;
use signet_policy::Who;

/// One complaint, already located.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The configuration file as the user named it.
    pub(crate) file: PathBuf,
    /// Where in it; `None` when the file as a whole is meant.
    pub(crate) place: Option<Place>,
    /// What was found and what was expected.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// A place in a text, as an editor counts: line and column from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Characters to underline on that line, at least one.
    width: usize,
    text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let Some(place) = &self.place else {
            write!(formatter, "{file}: {}", self.message)?;
            return match &self.hint {
                Some(hint) => write!(formatter, "\n  = hint: {hint}"),
                None => Ok(()),
            };
        };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(formatter, "{file}:{}:{}: {}", place.line, place.column, self.message)?;
        writeln!(formatter, "{gutter} |")?;
        writeln!(formatter, "{number} | {}", place.text)?;
        let indent: String =
            place.text.chars().take(place.column - 1).map(|character| if character == '\t' { '\t' } else { ' ' }).collect();
        write!(formatter, "{gutter} | {indent}{}", "^".repeat(place.width))?;
        match &self.hint {
            Some(hint) => write!(formatter, "\n{gutter} = hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Problem {
    /// In one line, for a log.
    pub(crate) fn in_one_line(&self) -> String {
        let line = self.place.as_ref().map_or_else(String::new, |place| format!(":{}", place.line));
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        // Mosquitto's words begin like a line of its log.
        let message = self.message.strip_prefix("Error: ").unwrap_or(&self.message);
        format!("{}{line}: {message}{hint}", self.file.display())
    }
}

/// The text of a configuration file and every problem found in it so far.
///
/// The list grows behind a shared reference, so that nested readers need not pass a mutable one around.
#[derive(Debug)]
pub(crate) struct Problems {
    file: PathBuf,
    text: String,
    /// Where the text comes from, if nobody has written it.
    original: Option<(Translation, Originals)>,
    list: RefCell<Vec<Problem>>,
    /// Groups of the file, by name: whoever reads to whom something applies finds them here.
    groups: RefCell<BTreeMap<String, Who>>,
    /// Names of other tables that say to whom something applies: they are looked for when all tables are known.
    mentions: RefCell<Vec<(Mention, String, Range<usize>)>>,
}

/// What a name in `who` and `when` is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mention {
    Group,
    Listener,
    Profile,
    Tenant,
}

impl Problems {
    /// Starts an empty list for `text`, which was read from `file`.
    pub(crate) fn new(file: &Path, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            original: None,
            list: RefCell::default(),
            groups: RefCell::default(),
            mentions: RefCell::default(),
        }
    }

    /// The same for a text that was made of other files: problems are shown in those.
    pub(crate) fn translated(file: &Path, translation: Translation, originals: Originals) -> Self {
        Self { original: Some((translation, originals)), ..Self::new(file, "") }
    }

    /// The directory of the file, to which the paths in it are relative.
    pub(crate) fn base(&self) -> PathBuf {
        self.file.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// Who is in a group of the file.
    pub(crate) fn group(&self, name: &str) -> Option<Who> {
        self.groups.borrow().get(name).cloned()
    }

    /// Says who is in a group. False if there is one of this name.
    pub(crate) fn define_group(&self, name: &str, members: Who) -> bool {
        self.groups.borrow_mut().insert(name.to_owned(), members).is_none()
    }

    /// Somebody is described by a name that has to be there.
    pub(crate) fn mention(&self, what: Mention, name: &str, span: &Range<usize>) {
        self.mentions.borrow_mut().push((what, name.to_owned(), span.clone()));
    }

    /// What was mentioned.
    pub(crate) fn mentions(&self) -> Vec<(Mention, String, Range<usize>)> {
        self.mentions.borrow().clone()
    }

    /// Names of the groups of the file.
    pub(crate) fn groups(&self) -> Vec<String> {
        self.groups.borrow().keys().cloned().collect()
    }

    /// Adds a problem at a byte range of the text.
    pub(crate) fn at(&self, span: &Range<usize>, message: impl Into<String>, hint: Option<String>) {
        let Some((translation, originals)) = &self.original else {
            return self.push(Some(place_of(&self.text, span)), message.into(), hint);
        };
        match translation.origin(span) {
            Some(place) => {
                let shown = originals.line(place);
                self.list.borrow_mut().push(Problem { file: place.file.clone(), place: shown, message: message.into(), hint });
            }
            None => self.push(None, message.into(), hint),
        }
    }

    /// Adds a problem of the file as a whole.
    pub(crate) fn whole(&self, message: impl Into<String>, hint: Option<String>) {
        self.push(None, message.into(), hint);
    }

    /// True when nothing was found so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// The problems in the order of the file.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut list = self.list.into_inner();
        list.sort_by_key(|problem| problem.place.as_ref().map_or((0, 0), |place| (place.line, place.column)));
        list
    }

    fn push(&self, place: Option<Place>, message: String, hint: Option<String>) {
        self.list.borrow_mut().push(Problem { file: self.file.clone(), place, message, hint });
    }
}

/// Files from which a text was made, as they were read.
#[derive(Debug, Default, Clone)]
pub(crate) struct Originals(BTreeMap<PathBuf, Vec<u8>>);

impl Originals {
    /// Adds one, under whatever name it was read.
    pub(crate) fn insert(&mut self, path: &Path, content: Vec<u8>) {
        self.0.insert(absolute(path), content);
    }

    /// A whole line as a place to show; `None` if its file was not read.
    pub(crate) fn line(&self, place: &signet_mosquitto::Place) -> Option<Place> {
        let text = String::from_utf8_lossy(self.0.get(&absolute(&place.file))?);
        let text = text.lines().nth(place.line.checked_sub(1)?)?.to_owned();
        let width = text.chars().count().max(1);
        Some(Place { line: place.line, column: 1, width, text })
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The known name nearest to what was written, when it is near enough to be a slip.
///
/// Near enough: at most two edits (transpositions count one), or a third of the length for long names.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (written.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= bound && *distance < name.chars().count())
        .min()
        .map(|(_, name)| name)
}

/// "did you mean …" when something is near, else the list of what is known.
pub(crate) fn suggestion(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", listed(known)),
    }
}

/// `a`, `b` and `c` in backticks.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

fn place_of(text: &str, span: &Range<usize>) -> Place {
    let start = floor_boundary(text, span.start);
    let end = floor_boundary(text, span.end.max(start));
    let (before, _) = text.split_at(start);
    let line_start = before.rfind('\n').map_or(0, |position| position + 1);
    let (_, rest) = text.split_at(line_start);
    let line = rest.lines().next().unwrap_or_default();
    let column = before.chars().count() - text.split_at(line_start).0.chars().count() + 1;
    let marked = text.split_at(end).0.split_at(start).1;
    let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
    Place { line: before.matches('\n').count() + 1, column, width, text: line.to_owned() }
}

fn floor_boundary(text: &str, wanted: usize) -> usize {
    let mut position = wanted.min(text.len());
    while !text.is_char_boundary(position) {
        position -= 1;
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_line_column_caret_and_hint() {
        let text = "data_dir = \"data\"\n[log]\nlevle = \"info\"\n";
        let problems = Problems::new(Path::new("signet.toml"), text);
        let start = text.find("levle").unwrap();
        problems.at(&(start..start + 5), "unknown key `levle` in [log]", Some(suggestion("levle", &["level", "format"])));
        let list = problems.into_sorted();
        assert_eq!(
            list[0].to_string(),
            "signet.toml:3:1: unknown key `levle` in [log]\n  |\n3 | levle = \"info\"\n  | ^^^^^\n  = hint: did you mean `level`?"
        );
    }

    #[test]
    fn columns_count_characters_and_spans_past_the_end_are_survived() {
        let text = "ä = \"ö\" ?";
        let problems = Problems::new(Path::new("x"), text);
        let start = text.find('?').unwrap();
        problems.at(&(start..start + 99), "unexpected", None);
        let list = problems.into_sorted();
        assert_eq!(list[0].to_string(), "x:1:9: unexpected\n  |\n1 | ä = \"ö\" ?\n  |         ^");
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("certifcate", ["certificate", "key"]), Some("certificate"));
        assert_eq!(nearest("zzz", ["key", "trust"]), None);
        assert_eq!(suggestion("zzz", &["key", "trust"]), "known here: `key` and `trust`");
    }

    #[test]
    fn problems_come_in_the_order_of_the_file() {
        let problems = Problems::new(Path::new("x"), "a\nb\n");
        problems.at(&(2..3), "second", None);
        problems.at(&(0..1), "first", None);
        let messages: Vec<_> = problems.into_sorted().into_iter().map(|problem| problem.message).collect();
        assert_eq!(messages, ["first", "second"]);
    }
}
