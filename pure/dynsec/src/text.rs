//! Texts: which of them can be names, and how they stand in a log line.

/// Whether Mosquitto takes it for a valid text: no control characters and no noncharacters, and no longer than MQTT can carry.
pub(crate) fn is_valid(text: &str) -> bool {
    text.len() <= 65_536 && text.chars().all(|character| !character.is_control() && !is_noncharacter(character))
}

fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// The most characters of a text in a log line.
const SHOWN: usize = 256;

/// As it may stand in a log line: nobody writes lines of his own into the log.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|character| if character.is_control() { character.escape_debug().collect::<Vec<_>>() } else { vec![character] })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_noncharacters_are_no_text() {
        for (text, expected) in [
            ("", true),
            ("pump-7 ä", true),
            ("a\nb", false),
            ("\u{7f}", false),
            ("\u{9f}", false),
            ("\u{fdd0}", false),
            ("\u{1fffe}", false),
            ("\0", false),
        ] {
            assert_eq!(is_valid(text), expected, "{text:?}");
        }
        assert!(is_valid(&"x".repeat(65_536)) && !is_valid(&"x".repeat(65_537)));
    }

    #[test]
    fn a_name_makes_no_line_of_its_own_and_is_cut() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 257);
    }
}
