//! Option files: one option a line, `-option value`. That of `-o`, or the one in the directory for configuration.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::Kind;
use crate::flags::Wrong;

/// Mosquitto reads lines into a buffer of this size, so that a longer one counts as several.
const LONGEST_LINE: usize = 1023;

/// The largest option file: nobody writes so much by hand.
const LARGEST_FILE: u64 = 1 << 20;

/// The options of the option file, each with its value where it has one. A file that is not there has none, as with Mosquitto's clients.
pub(crate) fn lines(kind: Kind, words: &[&[u8]], environment: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Vec<Vec<u8>>>, Wrong> {
    let path = match named(words)? {
        Some(path) => Some(path),
        None => usual(kind, environment),
    };
    let Some(path) = path else { return Ok(Vec::new()) };
    let mut content = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| std::io::Read::read_to_end(&mut std::io::Read::take(file, LARGEST_FILE), &mut content));
    Ok(if read.is_ok() { split(&content) } else { Vec::new() })
}

/// The file of `-o`. The word counts wherever it stands, even as another option's value.
fn named(words: &[&[u8]]) -> Result<Option<PathBuf>, Wrong> {
    let mut found = None;
    for (index, _) in words.iter().enumerate().filter(|(_, word)| **word == b"-o") {
        if found.is_some() {
            return Err(Wrong::line("Error: Duplicate -o argument given.\n\n"));
        }
        let path = words.get(index + 1);
        let path = path.ok_or_else(|| Wrong::line("Error: -o argument given but no options file specified.\n\n"))?;
        found = Some(PathBuf::from(std::ffi::OsStr::from_bytes(path)));
    }
    Ok(found)
}

fn usual(kind: Kind, environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    match environment("XDG_CONFIG_HOME") {
        Some(directory) => Some(PathBuf::from(directory).join(kind.option_file())),
        None => environment("HOME").map(|home| PathBuf::from(home).join(".config").join(kind.option_file())),
    }
}

fn split(content: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let pieces = content.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LONGEST_LINE));
    pieces.filter_map(words_of).collect()
}

/// The option, and everything behind the blank after it as its value. None: a comment, or nothing.
fn words_of(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    if line.first() == Some(&b'#') {
        return None;
    }
    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'))?;
    let line = line.get(..=end)?;
    let start = line.iter().position(|byte| *byte != b' ')?;
    let line = line.get(start..)?;
    let Some(blank) = line.iter().position(|byte| *byte == b' ') else { return Some(vec![line.to_vec()]) };
    let (option, value) = (line.get(..blank)?, line.get(blank + 1..)?);
    Some(if value.is_empty() { vec![option.to_vec()] } else { vec![option.to_vec(), value.to_vec()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_option_and_the_rest_of_the_line() {
        let lines = split(b"# comment\n-h localhost\r\n\n  -t  a b \n--retain\n   \n-q \n-m last");
        let words: Vec<Vec<&str>> = lines.iter().map(|line| line.iter().map(|word| std::str::from_utf8(word).unwrap()).collect()).collect();
        assert_eq!(words, [vec!["-h", "localhost"], vec!["-t", " a b "], vec!["--retain"], vec!["-q"], vec!["-m", "last"]]);
    }

    #[test]
    fn the_usual_file_is_in_the_directory_for_configuration() {
        let place = |set: &'static [(&str, &str)]| {
            usual(Kind::Request, move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(place(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]), Some("/x/mosquitto_rr".into()));
        assert_eq!(place(&[("HOME", "/h")]), Some("/h/.config/mosquitto_rr".into()));
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn one_file_can_be_named() {
        let named = |words: &[&str]| named(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
        assert_eq!(named(&["-t", "x", "-o", "f"]).unwrap(), Some("f".into()));
        assert_eq!(named(&["-o"]).unwrap_err().text(), "Error: -o argument given but no options file specified.\n\n");
        assert_eq!(named(&["-o", "f", "-o", "g"]).unwrap_err().text(), "Error: Duplicate -o argument given.\n\n");
    }
}
