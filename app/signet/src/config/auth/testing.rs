//! What the tests of all types share: tables of theirs beside a listener.

use std::path::Path;

use super::super::problem::Problems;
use crate::config::{Config, file};

/// Reads tables, and what is wrong with them.
pub(super) fn read(text: &str) -> (Config, Vec<String>) {
    let path = Path::new("/etc/signet/signet.toml");
    let text = &format!("{text}\n[[listener]]\nbind = \"127.0.0.1:1883\"\ntransport = \"tcp\"\nanonymous = true\n");
    let problems = Problems::new(path, text);
    let config = Config::resolve(file::File::parse(text, &problems), path, &problems);
    (config, problems.into_sorted().iter().map(ToString::to_string).collect())
}

/// One problem for each mistake, so no mistake makes another look like one.
#[track_caller]
pub(super) fn mistake(text: &str, expected: &str) {
    let (_, problems) = read(text);
    assert!(problems.len() == 1 && problems[0].contains(expected), "{text}: {problems:?}");
}
