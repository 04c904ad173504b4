//! Topics of access rules: Topic Filters in which a whole level `%c` stands for the Client Identifier and `%u` for the user name.

use crate::access::Names;

/// How a topic of a rule fits what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Yes,
    No,
    /// What is written in the rule is no Topic Filter, and that shows here: whoever asks is denied.
    Invalid,
}

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Topic,
    /// All that the filter may match has to be covered.
    Filter,
}

/// Whether the topic of a rule covers a Topic Name or a Topic Filter. A wildcard at its start covers nothing that starts with `$`.
pub(crate) fn fit(rule: &str, asked: &str, kind: Asked, names: Names<'_>) -> Fit {
    if rule.starts_with('$') != asked.starts_with('$') {
        return Fit::No;
    }
    let (mut rule_levels, mut levels) = (rule.split('/').peekable(), asked.split('/'));
    loop {
        let (wanted, level) = (rule_levels.next(), levels.next());
        let is_last = rule_levels.peek().is_none();
        match (wanted, level) {
            (Some("#"), _) => return if is_last { Fit::Yes } else { Fit::Invalid },
            (None, None) => return Fit::Yes,
            (Some("+"), Some(level)) if kind == Asked::Topic || level != "#" => {}
            (Some(wanted), Some(level)) => match fit_level(wanted, level, names) {
                Fit::Yes => {}
                other => return other,
            },
            (Some(_), None) | (None, Some(_)) => return Fit::No,
        }
    }
}

fn fit_level(wanted: &str, level: &str, names: Names<'_>) -> Fit {
    let name = match wanted {
        "%c" => Some(Some(names.client_identifier)),
        "%u" => Some(names.username),
        _ => None,
    };
    match name {
        // One with `/` in it is never a level.
        Some(name) => {
            let is_same = name.is_some_and(|name| !matches!(name, "" | "+" | "#") && name == level);
            if is_same { Fit::Yes } else { Fit::No }
        }
        None if wanted == level => Fit::Yes,
        None => match wanted.find(['+', '#']) {
            Some(place) if wanted.len() > 1 && wanted.get(..place).is_some_and(|before| level.starts_with(before)) => Fit::Invalid,
            _ => Fit::No,
        },
    }
}

/// Whether Mosquitto takes it for a Topic Filter: wildcards alone in their levels, `#` in the last, at most 200 separators.
pub(crate) fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let is_fine = |(index, level): (usize, &&str)| match *level {
        "#" => index + 1 == levels.len(),
        "+" => true,
        other => !other.contains(['+', '#']),
    };
    !text.is_empty() && text.len() <= 65_535 && levels.len() <= 201 && levels.iter().enumerate().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'static> = Names { username: Some("anna"), client_identifier: "c-1" };

    #[test]
    fn topics() {
        use Fit::{Invalid, No, Yes};
        for (rule, topic, expected) in [
            ("a/b", "a/b", Yes),
            ("a/b", "a", No),
            ("a", "a/b", No),
            ("a/+", "a/b", Yes),
            ("a/+", "a/", Yes),
            ("a/+", "a", No),
            ("a/#", "a", Yes),
            ("a/#", "a/b/c", Yes),
            ("#", "a", Yes),
            ("#", "$SYS/x", No),
            ("+/x", "$SYS/x", No),
            ("$SYS/#", "$SYS/x", Yes),
            ("$CONTROL/#", "$CONTROL/dynamic-security/v1", Yes),
            ("+/#", "a", Yes),
            ("d/%c/#", "d/c-1", Yes),
            ("d/%c/#", "d/c-1/x", Yes),
            ("d/%c/#", "d/c-2/x", No),
            ("%u", "anna", Yes),
            ("%u/%c", "anna/c-1", Yes),
            ("x-%c", "x-c-1", No),
            ("%count", "%count", Yes),
            ("foo#", "foobar", Invalid),
            ("foo#", "bar", No),
            ("a/+b", "a/b", Invalid),
            ("#/a", "a", Invalid),
        ] {
            assert_eq!(fit(rule, topic, Asked::Topic, NAMES), expected, "{rule} {topic}");
        }
    }

    #[test]
    fn filters() {
        for (rule, filter, expected) in [
            ("#", "#", true),
            ("#", "a/#", true),
            ("a/#", "a/#", true),
            ("a/#", "a", true),
            ("a/#", "#", false),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "a/b", true),
            ("a/b", "a/+", false),
            ("+/+", "+/+", true),
            ("d/%c/+", "d/c-1/+", true),
            ("d/%c/+", "d/+/+", false),
            ("$share/g/a", "$share/g/a", true),
            ("#", "$share/g/a", false),
        ] {
            assert_eq!(fit(rule, filter, Asked::Filter, NAMES) == Fit::Yes, expected, "{rule} {filter}");
        }
    }

    #[test]
    fn names_that_could_be_wildcards_or_several_levels_fill_nothing() {
        for name in ["", "+", "#", "a/b"] {
            let names = Names { username: Some(name), client_identifier: name };
            for asked in ["+", "#", "a/b", ""] {
                assert_eq!(fit("%c", asked, Asked::Filter, names), Fit::No, "{name} {asked}");
                assert_eq!(fit("%u", asked, Asked::Topic, names), Fit::No, "{name} {asked}");
            }
        }
        assert_eq!(fit("%u", "x", Asked::Topic, Names { username: None, client_identifier: "x" }), Fit::No);
    }

    #[test]
    fn which_texts_are_filters() {
        for (text, expected) in [("a/+/#", true), ("#", true), ("", false), ("a#", false), ("#/a", false), ("a/+b", false), ("/", true)] {
            assert_eq!(is_filter(text), expected, "{text}");
        }
        assert!(is_filter(&"/".repeat(200)) && !is_filter(&"/".repeat(201)));
    }
}
