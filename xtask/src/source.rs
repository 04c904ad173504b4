//! Rust source seen as code and as comments, each with everything else blanked, so that a rule about names is not fooled by prose.
//! A scanner, not a parser: it knows comments, strings, raw strings and character literals.

use std::ops::Range;

/// One Rust file, split. Both views keep the line structure of the file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Code with comments and literals blanked.
    pub(crate) code: String,
    /// Comments with everything else blanked.
    pub(crate) comments: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl Source {
    pub(crate) fn of(text: &str) -> Self {
        let parts = Scanner::new(text).classify();
        let view = |wanted: Part| -> String {
            let keep = |(c, part): (char, &Part)| if *part == wanted || c == '\n' { c } else { ' ' };
            text.chars().zip(&parts).map(keep).collect()
        };
        Self { code: view(Part::Code), comments: view(Part::Comment) }
    }

    /// The code with every `#[cfg(test)]` item blanked.
    pub(crate) fn code_without_tests(&self) -> String {
        let mut code = self.code.clone();
        for item in self.test_items() {
            let blank: String = code.get(item.clone()).unwrap_or_default().chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            // Blanked characters may be shorter than what they replace only outside ASCII, and code is ASCII or a name.
            code = format!("{}{blank}{}", code.get(..item.start).unwrap_or_default(), code.get(item.end..).unwrap_or_default());
        }
        code
    }

    /// Lines outside `#[cfg(test)]` items: what the size limit counts.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let newlines = |text: &str| text.matches('\n').count();
        let tests: usize = self.test_items().into_iter().map(|item| newlines(self.code.get(item).unwrap_or_default())).sum();
        newlines(&self.code) - tests
    }

    /// Byte ranges of the items under `#[cfg(test)]`, last first so that replacing one leaves the others where they are.
    fn test_items(&self) -> Vec<Range<usize>> {
        let mut items: Vec<Range<usize>> = Vec::new();
        for (start, _) in self.code.match_indices("#[cfg(test)]") {
            if items.last().is_none_or(|item| item.end <= start) {
                items.push(start..item_end(&self.code, start));
            }
        }
        items.reverse();
        items
    }
}

/// Where the item that starts at `start` ends: behind its closing brace, or behind the semicolon that comes before any brace.
fn item_end(code: &str, start: usize) -> usize {
    let tail = code.get(start..).unwrap_or_default();
    match tail.find(['{', ';']) {
        Some(at) if tail.get(at..).is_some_and(|rest| rest.starts_with('{')) => start + at + block_len(tail.get(at..).unwrap_or_default()),
        Some(at) => start + at + 1,
        None => code.len(),
    }
}

/// Length in bytes of the `{ … }` block that `code` starts with, or all of it when it never closes.
pub(crate) fn block_len(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

struct Scanner {
    text: Vec<char>,
    parts: Vec<Part>,
}

impl Scanner {
    fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), parts: Vec::new() }
    }

    fn at(&self, offset: usize) -> Option<char> {
        self.text.get(self.parts.len() + offset).copied()
    }

    fn take(&mut self, count: usize, part: Part) {
        let left = self.text.len() - self.parts.len();
        self.parts.extend(std::iter::repeat_n(part, count.min(left)));
    }

    fn classify(mut self) -> Vec<Part> {
        while let Some(c) = self.at(0) {
            match (c, self.at(1)) {
                ('/', Some('/')) => self.line_comment(),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('r', Some('"' | '#')) if !self.in_word() && self.raw_hashes().is_some() => {
                    self.raw_string();
                }
                ('\'', Some('\\')) => self.escaped_character(),
                ('\'', _) if self.at(2) == Some('\'') => self.take(3, Part::Literal),
                _ => self.take(1, Part::Code),
            }
        }
        self.parts
    }

    /// Whether the character before the current one continues a word, other than a `b` or `c` prefix of a literal.
    fn in_word(&self) -> bool {
        let before = self.parts.len().checked_sub(1).and_then(|at| self.text.get(at));
        before.is_some_and(|c| (c.is_alphanumeric() || *c == '_') && !matches!(c, 'b' | 'c'))
    }

    fn line_comment(&mut self) {
        while self.at(0).is_some_and(|c| c != '\n') {
            self.take(1, Part::Comment);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.at(0), self.at(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => {
                    self.take(1, Part::Comment);
                    continue;
                }
            }
            self.take(2, Part::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(1, Part::Literal);
        while let Some(c) = self.at(0) {
            self.take(if c == '\\' { 2 } else { 1 }, Part::Literal);
            if c == '"' {
                return;
            }
        }
    }

    /// Number of `#` of a raw string that starts here, if one does (`r#name` is an identifier).
    fn raw_hashes(&self) -> Option<usize> {
        let hashes = (1..).take_while(|offset| self.at(*offset) == Some('#')).count();
        (self.at(1 + hashes) == Some('"')).then_some(hashes)
    }

    fn raw_string(&mut self) {
        let hashes = self.raw_hashes().unwrap_or_default();
        self.take(2 + hashes, Part::Literal);
        while let Some(c) = self.at(0) {
            let closes = c == '"' && (1..=hashes).all(|offset| self.at(offset) == Some('#'));
            self.take(if closes { 1 + hashes } else { 1 }, Part::Literal);
            if closes {
                return;
            }
        }
    }

    fn escaped_character(&mut self) {
        self.take(3, Part::Literal);
        while let Some(c) = self.at(0) {
            self.take(1, Part::Literal);
            if c == '\'' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_literals_are_not_code() {
        let source =
            Source::of("let a = \"client_id // no\"; // client_id\nlet b = r#\"}\"#; /* { /* nested */ } */ f('{', '\\'', &'a x);\n");
        assert!(!source.code.contains("client_id"));
        assert!(!source.code.contains('{') && !source.code.contains('}'));
        assert!(source.code.contains("&'a x"));
        assert!(source.comments.contains("client_id") && !source.comments.contains("no"));
        assert_eq!(source.code.lines().count(), 2);
    }

    #[test]
    fn test_items_do_not_count() {
        let source = Source::of("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { {} }\n}\nfn c() {}\n");
        assert_eq!(source.lines_without_tests(), 3);
        let code = source.code_without_tests();
        assert!(code.contains("fn a") && code.contains("fn c") && !code.contains("fn b"));
        assert_eq!(Source::of("#[cfg(test)]\nmod tests;\nfn a() {}\n").lines_without_tests(), 2);
    }
}
