//! The `acl_file` of Mosquitto.
//!
//! What it means, and where it is not taken to the letter:
//!
//! - Lines before the first `user` are for clients without a user name; `topic` lines are for the user before them, `pattern` lines for everybody, wherever
//!   they stand. A user's `deny` lines come first, then the user's others, then patterns in the same way. What no line covers is left to the next
//!   access source, and denied if there is none.
//! - Every SUBSCRIBE is granted, and the read right is looked at when a message is delivered.
//! - `#` at the start does not stand for topics that start with `$`. Nobody writes below `$SYS/`, but for `$SYS/broker/connection/NAME/state` by a line that
//!   spells it out; no Will goes below `$CONTROL/`.
//! - `%c` and `%u` in a pattern stand for a whole level, as in Mosquitto 2.1, or for a part of one, as in 2.0. A value with `/` fills neither, as in 2.1: then
//!   a line that allows allows nothing; one that denies denies everything from there on, where Mosquitto would pass over it.
//! - A client whose user name or Client Identifier holds `+` or `#` has nothing of any pattern.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AclFile, AclFileError, AclWarning, rule_name};
use crate::name_pattern::NamePattern;
use crate::pattern::TopicPattern;
use crate::rule::{Conditions, Effect, Rule};
use crate::ruleset::AccessSource;
use crate::who::Who;

const LINE: &str = "`user NAME`, `topic [read|write|readwrite|deny] FILTER`, or `pattern [read|write|readwrite|deny] FILTER`";

/// A list of Mosquitto's: the lines that deny stand before the others.
#[derive(Default)]
struct List {
    denies: Vec<Rule>,
    allows: Vec<Rule>,
}

impl List {
    fn push(&mut self, rule: Rule) {
        match rule.effect {
            Effect::Deny => self.denies.push(rule),
            Effect::Allow => self.allows.push(rule),
        }
    }

    fn into_rules(self) -> impl Iterator<Item = Rule> {
        self.denies.into_iter().chain(self.allows)
    }
}

/// Reads a file; `name` is how the access source is called.
///
/// # Errors
/// Names the first line that is none, what was found and what was expected. Mosquitto would not start.
pub fn mosquitto_acl_file(name: &Arc<str>, text: &str) -> Result<AclFile, AclFileError> {
    let mut anonymous = List::default();
    let mut users: BTreeMap<String, List> = BTreeMap::new();
    let mut patterns = List::default();
    let mut user: Option<String> = None;
    let mut warnings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = line.trim_end_matches(is_blank);
        // Only at the start: behind a space `#` is no comment.
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = words(line);
        match word {
            "user" if rest.is_empty() => return Err(AclFileError::new(number, line, "`user NAME`")),
            "user" => user = Some(rest.trim_matches(is_blank).to_owned()),
            "topic" => {
                let rule = rule(name, (number, line), rest, false, &mut warnings)?;
                match &user {
                    None => anonymous.push(Rule { who: Who::Not(Box::new(has_username())), ..rule }),
                    Some(user) => users.entry(user.clone()).or_default().push(rule),
                }
            }
            "pattern" => patterns.push(rule(name, (number, line), rest, true, &mut warnings)?),
            _ => return Err(AclFileError::new(number, line, LINE)),
        }
    }
    let of_users = users.into_iter().map(|(user, list)| (user, guarded(name, list.into_rules().collect()))).collect();
    let rules = guarded(name, anonymous.into_rules().chain(patterns.into_rules()).collect());
    Ok(AclFile { source: AccessSource::Rules { name: Arc::clone(name), of_users, rules, grants_subscribe: true }, warnings })
}

/// A rule of a `topic` or `pattern` line, whose words behind the first are `rest`.
fn rule(
    name: &Arc<str>,
    (number, line): (usize, &str),
    rest: &str,
    is_pattern: bool,
    warnings: &mut Vec<AclWarning>,
) -> Result<Rule, AclFileError> {
    let (access, filter) = match words(rest) {
        // One word is a filter, whatever it is called.
        (filter, "") => ("readwrite", filter),
        (access, filter) => (access, filter.trim_matches(is_blank)),
    };
    let (reads, writes, effect) = match access {
        "read" => (true, false, Effect::Allow),
        "write" => (false, true, Effect::Allow),
        "readwrite" => (true, true, Effect::Allow),
        "deny" => (true, true, Effect::Deny),
        other => return Err(AclFileError::new(number, other, "`read`, `write`, `readwrite` or `deny` before a filter")),
    };
    let pattern = if is_pattern { placed(filter) } else { filter.replace('$', "$$") };
    let pattern =
        TopicPattern::parse_plain(&pattern).map_err(|error| AclFileError::new(number, filter, format!("a topic filter: {error}")))?;
    let mut who = Vec::new();
    if is_pattern {
        let mut warn = |what: &str| warnings.push(AclWarning { line: number, what: format!("`{line}`: {what}") });
        if !filter.contains("%c") && !filter.contains("%u") {
            warn("a pattern without `%c` and `%u` is for everybody");
        }
        if filter.split('/').any(|level| level.len() > 2 && (level.contains("%c") || level.contains("%u"))) {
            warn("`%c` and `%u` beside other characters of a level are filled in here and by Mosquitto 2.0, and not by Mosquitto 2.1");
        }
        who.push(Who::Not(Box::new(is_dangerous())));
        if filter.contains("%u") {
            who.push(has_username());
        }
    }
    Ok(Rule {
        name: rule_name(name, number),
        effect,
        who: if who.is_empty() { Who::Everyone } else { Who::All(who) },
        publish: if writes { vec![pattern.clone()] } else { Vec::new() },
        subscribe: if reads { vec![pattern] } else { Vec::new() },
        conditions: Conditions::default(),
    })
}

/// The first word, which ends at a space and not at a tab, and what follows that space.
fn words(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_once(' ').unwrap_or((text, ""))
}

/// What C's `isspace` is true for.
fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\x0B'
}

/// The text of a pattern as it is written here.
fn placed(filter: &str) -> String {
    filter.replace('$', "$$").replace("%c", "${client_identifier}").replace("%u", "${username}")
}

fn has_username() -> Who {
    Who::Username(NamePattern::new("*"))
}

/// Whose names would be wildcards.
fn is_dangerous() -> Who {
    let names = ["*+*", "*#*"];
    Who::Any(
        names.iter().flat_map(|text| [Who::Username(NamePattern::new(*text)), Who::ClientIdentifier(NamePattern::new(*text))]).collect(),
    )
}

/// The rules with what holds whatever they say: nobody writes below `$SYS/`, but to tell the state of a bridge.
fn guarded(name: &Arc<str>, rules: Vec<Rule>) -> Vec<Rule> {
    let tells_state = |rule: &Rule| {
        rule.publish.iter().any(|pattern| pattern.as_str().starts_with("$$SYS/broker/connection/") && pattern.as_str().ends_with("/state"))
    };
    let literal = |text: &str| TopicPattern::parse_literal(text).into_iter().collect::<Vec<_>>();
    let no_sys = Rule::deny(format!("what nobody writes, of `{name}`"), Who::Everyone, literal("$SYS/#"), Vec::new());
    let conditions = Conditions { will: Some(true), ..Conditions::default() };
    let no_control =
        Rule { conditions, ..Rule::deny(format!("where no Will goes, of `{name}`"), Who::Everyone, literal("$CONTROL/#"), Vec::new()) };
    let (first, rest): (Vec<Rule>, Vec<Rule>) = rules.into_iter().partition(tells_state);
    first.into_iter().chain([no_sys, no_control]).chain(rest).collect()
}

#[cfg(test)]
mod tests;
