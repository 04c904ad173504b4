//! One line of a configuration, taken apart as `strtok` does: at spaces, and at nothing else.

/// What is left of a line.
#[derive(Debug, Clone)]
pub(super) struct Rest<'a> {
    bytes: &'a [u8],
}

/// The lines of a file that are no comments and not empty, with their numbers from 1.
///
/// A comment is a line whose very first octet is `#`. An octet 0 ends a line, as it ends a text of C.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = (usize, Rest<'_>)> {
    let numbered = content.split(|octet| *octet == b'\n').enumerate();
    numbered.filter_map(|(index, line)| {
        let line = line.split(|octet| *octet == 0).next().unwrap_or_default();
        if matches!(line.first(), None | Some(b'#' | b'\r')) {
            return None;
        }
        let end = line.iter().rposition(|octet| *octet != b'\r').map_or(0, |last| last + 1);
        Some((index + 1, Rest { bytes: line.get(..end).unwrap_or_default() }))
    })
}

impl<'a> Rest<'a> {
    #[cfg(test)]
    pub(super) fn of(text: &'a str) -> Self {
        Self { bytes: text.as_bytes() }
    }

    /// The next word: spaces before it are passed over, the one behind it is gone.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        self.word_between(b" ")
    }

    /// The next word between any of these octets.
    pub(super) fn word_between(&mut self, separators: &[u8]) -> Option<&'a [u8]> {
        let start = self.bytes.iter().position(|octet| !separators.contains(octet))?;
        let from = self.bytes.get(start..).unwrap_or_default();
        let length = from.iter().position(|octet| separators.contains(octet)).unwrap_or(from.len());
        self.bytes = from.get(length + 1..).unwrap_or_default();
        from.get(..length)
    }

    /// Everything that is left, blanks at its ends included; `None`: nothing.
    pub(super) fn all(&self) -> Option<&'a [u8]> {
        (!self.bytes.is_empty()).then_some(self.bytes)
    }

    /// Whether an octet is still to come.
    pub(super) fn holds(&self, octet: u8) -> bool {
        self.bytes.contains(&octet)
    }
}

/// Without blanks at both ends, as `isspace` knows them.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    let start = bytes.iter().position(|octet| !is_blank(octet)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|octet| !is_blank(octet)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// For messages: what is no UTF-8 in it becomes U+FFFD.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The text of a value, if MQTT would take it for a UTF-8 Encoded String (§1.5.4) without control characters and non-characters.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let is_refused = |character: char| {
        let code = u32::from(character);
        character.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
    };
    std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(is_refused))
}

/// A whole number as `strtol` reads it with base 0: `0x10` and `010` are 16 and 8. `None`: there is something else in it.
/// What does not fit becomes the largest or smallest that does.
pub(super) fn number(word: &[u8]) -> Option<i64> {
    let (is_negative, digits) = signed(word);
    let (digits, radix) = match digits {
        [b'0', b'x' | b'X', hexadecimal @ ..] if !hexadecimal.is_empty() => (hexadecimal, 16),
        [b'0', octal @ ..] if !octal.is_empty() => (octal, 8),
        decimal => (decimal, 10),
    };
    let (value, rest) = leading(digits, radix);
    (!digits.is_empty() && rest.is_empty()).then(|| if is_negative { value.saturating_neg() } else { value })
}

/// A number as `atoi` reads it: the digits at the beginning, 0 without any.
pub(super) fn lenient(word: &[u8]) -> i64 {
    let (is_negative, digits) = signed(word);
    let (value, _) = leading(digits, 10);
    if is_negative { value.saturating_neg() } else { value }
}

fn signed(word: &[u8]) -> (bool, &[u8]) {
    match trimmed_start(word) {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    }
}

fn trimmed_start(word: &[u8]) -> &[u8] {
    let start = word.iter().position(|octet| !octet.is_ascii_whitespace()).unwrap_or(word.len());
    word.get(start..).unwrap_or_default()
}

/// The digits at the beginning as a number, and what stands behind them.
fn leading(mut digits: &[u8], radix: u32) -> (i64, &[u8]) {
    let mut value: i64 = 0;
    while let [first, rest @ ..] = digits
        && let Some(digit) = char::from(*first).to_digit(radix)
    {
        value = value.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit));
        digits = rest;
    }
    (value, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_strtol() {
        let cases: [(&str, Option<i64>); 14] = [
            ("20", Some(20)),
            ("0x10", Some(16)),
            ("0XfF", Some(255)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("08", None),
            ("0x", None),
            ("12a", None),
            ("a", None),
            ("-", None),
            ("", None),
            ("99999999999999999999", Some(i64::MAX)),
        ];
        for (word, expected) in cases {
            assert_eq!(number(word.as_bytes()), expected, "`{word}`");
        }
    }

    #[test]
    fn lenient_numbers_are_those_of_atoi() {
        for (word, expected) in [("12", 12), ("12x", 12), ("x", 0), ("", 0), ("-3", -3), ("010", 10), ("0x10", 0)] {
            assert_eq!(lenient(word.as_bytes()), expected, "`{word}`");
        }
    }

    #[test]
    fn lines_are_those_that_say_something() {
        let content = b"# comment\n\nport 1883\r\n # no comment\n\r\nuser a\0b\n   \nlast";
        let found: Vec<(usize, Vec<String>)> =
            lines(content).map(|(number, mut rest)| (number, std::iter::from_fn(|| rest.word().map(shown)).collect())).collect();
        let expected = [(3, vec!["port", "1883"]), (4, vec!["#", "no", "comment"]), (6, vec!["user", "a"]), (7, vec![]), (8, vec!["last"])];
        assert_eq!(found, expected.map(|(number, words)| (number, words.into_iter().map(str::to_owned).collect::<Vec<_>>())));
    }

    #[test]
    fn a_tab_separates_nothing() {
        let mut rest = Rest::of("  port\t1883 x");
        assert_eq!(rest.word().map(shown).as_deref(), Some("port\t1883"));
        assert_eq!(rest.all(), Some(&b"x"[..]));
    }

    #[test]
    fn values_are_utf8_without_control_characters() {
        for (bytes, is_text) in
            [(&b"/etc/p w"[..], true), ("größe".as_bytes(), true), (b"a\tb", false), (b"\xff", false), ("\u{fffe}".as_bytes(), false)]
        {
            assert_eq!(text(bytes).is_some(), is_text, "{}", shown(bytes));
        }
    }
}
