//! Which characters may reach a log line, a name or a topic: one place, so that no two checks differ.

use std::fmt::Write as _;

/// The longest piece of a foreign value that an error message repeats, in characters.
const SHOWN: usize = 96;

/// Whether a character is invisible or moves other text: controls, line and paragraph separators, zero-width and
/// bidirectional marks, the byte order mark, and the noncharacters that MQTT 5 §1.5.4 advises against.
pub(crate) fn is_hidden(character: char) -> bool {
    // Of ASCII, which names are mostly made of, nothing else is.
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(character) & 0xfffe == 0xfffe
}

/// The value as a log line may show it: hidden characters as `\u{…}`, at most [`SHOWN`] characters, then `…`.
pub(crate) fn shown(value: &str) -> String {
    let mut text = String::new();
    for (count, character) in value.chars().enumerate() {
        if count == SHOWN {
            text.push('…');
            break;
        }
        if is_hidden(character) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{{{:02x}}}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

/// Names a character for an error message.
pub(crate) fn named(character: char) -> String {
    match character {
        '\0' => "a NUL character".to_owned(),
        _ if character.is_control() => format!("the control character U+{:04X}", u32::from(character)),
        _ if is_hidden(character) => format!("the invisible character U+{:04X}", u32::from(character)),
        _ => format!("the character `{character}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_long_values_are_cut() {
        assert_eq!(shown("a\0b\nc\u{202e}d"), "a\\u{00}b\\u{0a}c\\u{202e}d");
        assert_eq!(shown(&"x".repeat(97)), format!("{}…", "x".repeat(96)));
        assert_eq!(shown("Müller 泵"), "Müller 泵");
    }

    #[test]
    fn characters_are_named() {
        assert_eq!(named('\0'), "a NUL character");
        assert_eq!(named('\n'), "the control character U+000A");
        assert_eq!(named('\u{202e}'), "the invisible character U+202E");
        assert_eq!(named('+'), "the character `+`");
        let hidden: Vec<u32> = ('\0'..='\u{ff}').filter(|character| is_hidden(*character)).map(u32::from).collect();
        assert_eq!(hidden, (0..0x20).chain(0x7f..0xa0).chain([0xad]).collect::<Vec<u32>>());
        assert!(is_hidden('\u{1fffe}') && is_hidden('\u{ffff}') && !is_hidden('é'));
    }
}
