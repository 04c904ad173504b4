//! Which texts Mosquitto takes for topics: UTF-8 without control characters, and no more levels than its broker knows.

/// Slashes that a topic may hold at most.
const LEVELS: usize = 200;

/// The longest topic, in octets.
const LONGEST: usize = 65_535;

/// The text of an argument, if it is UTF-8 that MQTT allows and Mosquitto takes: no control characters, no code points for nobody's use.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST)?;
    let is_refused = |letter: char| {
        let code = u32::from(letter);
        letter.is_control() || (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
    };
    (!text.contains(is_refused)).then_some(text)
}

/// Whether messages can be published to it.
pub(crate) fn is_name(topic: &str) -> bool {
    !topic.contains(['+', '#']) && is_bounded(topic)
}

/// Whether it can be subscribed to.
pub(crate) fn is_filter(topic: &str) -> bool {
    let mut levels = topic.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_wildcard = level == "+" || (level == "#" && levels.peek().is_none());
        if level.contains(['+', '#']) && !is_wildcard {
            return false;
        }
    }
    is_bounded(topic)
}

fn is_bounded(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= LONGEST && topic.matches('/').count() <= LEVELS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_judged_as_mosquitto_judges_them() {
        for good in ["a", "/", "a/+/b", "#", "+", "a/#", "$share/g/t"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "a#", "#/a", "a+", "+a/b", "a/#/b"] {
            assert!(!is_filter(bad), "{bad}");
        }
        assert!(is_name("a/b") && !is_name("a/+") && !is_name("#") && !is_name(""));
        assert!(is_name(&"/".repeat(200)) && !is_name(&"/".repeat(201)));
        assert!(text("é∞".as_bytes()).is_some());
        for bad in [&b"\xff"[..], b"a\x01", b"\x7f", "\u{85}".as_bytes(), "\u{fffe}".as_bytes(), "\u{fdd0}".as_bytes()] {
            assert!(text(bad).is_none(), "{bad:?}");
        }
    }
}
