//! The page `docs/reference/mosquitto-options.md`.

use std::fmt::Write as _;

use super::{Definition, Form, GROUPS, Kind, Native, Preset, Repeat, Table, Tier};

const TITLE: &str = "\
# Options of mosquitto.conf

Every option that Mosquitto 2.1.2 knows, read by `signet serve -c mosquitto.conf` and written as `signet.toml` by `signet import mosquitto`. The
[guide](../guide/mosquitto.md) says what is different.

*2.1*: Mosquitto 2.0 does not know it. *Deprecated*: Mosquitto 3.0 will not know it. *Ignored*: accepted, with a warning, and without effect. **SIGHUP** says
whether a changed value counts after a reload, in Mosquitto 2.1.2 by its source, and here. What is written by default is Mosquitto's default, not
that of a `signet.toml`.

This page is generated: `cargo run -p signet-mosquitto --example reference > docs/reference/mosquitto-options.md`. A test fails when it is stale.
";

const TAIL: &str = "
## How it is read

- One option to a line. A comment is a line whose first character is `#`. Spaces stand between name and value; a tab does not separate.
- A text goes to the end of the line, without blanks at its ends; there are no quotes, and no comments behind it. It is UTF-8 without control characters.
- Switches are `true`, `false`, `1` and `0`. `0x10` and `010` are 16 and 8. What stands behind a switch, a number or a word is not looked at.
- Options of listeners belong to the `listener` before them, those of bridges to the `connection`, those of plugins to the plugin. Every included file begins
  with none of them.
- Options about security belong to the broker, wherever they stand, and to the `listener` before them after `per_listener_settings true`.
- A second one of a text is a mistake or the one that counts, as in Mosquitto 2.1; of everything else the last counts.
- All mistakes are shown, with file and line, in Mosquitto's words; Mosquitto stops at the first.
";

/// The page.
#[must_use]
pub fn reference() -> String {
    let mut page = TITLE.to_owned();
    for (group, options) in GROUPS {
        // A String takes whatever is written.
        let _ = write!(page, "\n## {group}\n\n| Option | Value | Default | SIGHUP | Meaning | Becomes |\n|---|---|---|---|---|---|\n");
        for option in *options {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} | {} |",
                names(option),
                value(option),
                default(option),
                reload(option),
                option.meaning,
                native(option)
            );
        }
    }
    page.push_str(TAIL);
    page
}

fn names(option: &Definition) -> String {
    let mut names = format!("`{}`", option.name);
    for alias in option.aliases {
        let _ = write!(names, ", `{alias}`");
    }
    let marks = [(option.since_2_1, "2.1"), (option.is_deprecated, "deprecated"), (option.tier == Tier::Ignored, "ignored")];
    for (_, mark) in marks.iter().filter(|(is_so, _)| *is_so) {
        let _ = write!(names, " *{mark}*");
    }
    names
}

fn value(option: &Definition) -> String {
    match option.kind {
        Kind::Switch => "switch".to_owned(),
        Kind::Number(bounds) => match (bounds.least, bounds.most) {
            (i64::MIN, _) => "number".to_owned(),
            (least, i64::MAX) => format!("number from {least}"),
            (least, most) => format!("{least} to {most}"),
        },
        Kind::Memory => "number from 0".to_owned(),
        Kind::Text(repeat) => repeated("text", repeat),
        Kind::Path(repeat) => repeated("path", repeat),
        Kind::Prefix(_, most) => format!("text, up to {most} bytes"),
        Kind::Words(words) => {
            let known: Vec<String> = words.known.iter().map(|word| format!("`{word}`")).collect();
            repeated(&known.join(", "), words.repeat)
        }
        Kind::Topic => "topic".to_owned(),
        Kind::Period => "period".to_owned(),
        Kind::Versions => "`3`, `4`, `5`".to_owned(),
        Kind::Destination => repeated("destination", Repeat::Collected),
        Kind::Probes => "three numbers from 1".to_owned(),
        Kind::Backoff => "one to three numbers".to_owned(),
        Kind::Addresses => "`HOST[:PORT] …`".to_owned(),
        Kind::BridgeTopic => repeated("topic", Repeat::Collected),
        Kind::Anything => "any".to_owned(),
        Kind::Structure(_) => "–".to_owned(),
    }
}

fn repeated(value: &str, repeat: Repeat) -> String {
    if repeat == Repeat::Collected { format!("{value}; several") } else { value.to_owned() }
}

fn default(option: &Definition) -> String {
    match option.default {
        Preset::Switch(value) => format!("`{value}`"),
        Preset::Number(value) => format!("`{value}`"),
        Preset::Text(text) => format!("`{text}`"),
        Preset::Described(words) => words.to_owned(),
        Preset::None => "–".to_owned(),
    }
}

fn reload(option: &Definition) -> &'static str {
    match (option.reload.mosquitto, option.reload.here) {
        (true, true) => "yes",
        (false, true) => "here",
        (true, false) => "Mosquitto",
        (false, false) => "no",
    }
}

fn native(option: &Definition) -> String {
    match option.native {
        Native::Key(table, key, form) => {
            let of = match table {
                Table::Top => "",
                Table::Log => " of `[log]`",
                Table::Limits => " of `[limits]`",
                Table::Listener | Table::ListenerTls | Table::ListenerKeys | Table::ListenerProxy => " of the listener",
                Table::ListenerLimits => " of `[listener.limits]`",
                Table::Control => " of `[control]`",
            };
            match form {
                Form::Words(off, on) => format!("`{key}`{of}: `\"{off}\"`, `\"{on}\"`"),
                _ => format!("`{key}`{of}"),
            }
        }
        Native::Described(words) => words.to_owned(),
        Native::Nothing(reason) => format!("nothing: {reason}"),
    }
}
