//! Names of listeners, trust profiles, tenants and groups in `who` and `when`: one that is not there describes nobody, and nobody would notice.

use signet_policy::NamePattern;

use super::problem::{Mention, Problems, suggestion};

/// What there is.
pub(super) struct Known {
    pub(super) listeners: Vec<String>,
    pub(super) profiles: Vec<String>,
    pub(super) tenants: Vec<String>,
    /// Somebody who vouches may put clients into groups of any name.
    pub(super) has_given_groups: bool,
}

impl Known {
    /// Reports what is described by a name that is not there.
    pub(super) fn check(&self, problems: &Problems) {
        let groups = problems.groups();
        for (what, name, span) in problems.mentions() {
            let (kind, known) = match what {
                Mention::Listener => ("listener", &self.listeners),
                Mention::Profile => ("trust profile", &self.profiles),
                Mention::Tenant => ("tenant", &self.tenants),
                Mention::Group if self.has_given_groups => continue,
                Mention::Group => ("group", &groups),
            };
            // Of these a listener alone may be described by a pattern.
            let pattern = if what == Mention::Listener { NamePattern::new(name.as_str()) } else { NamePattern::exact(name.as_str()) };
            if known.iter().any(|known| pattern.matches(known)) {
                continue;
            }
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = match (names.is_empty(), what) {
                (true, Mention::Group) => "add a table [[group]], or an authenticator that puts clients into groups".to_owned(),
                (true, _) => format!("there is no {kind} at all"),
                (false, _) => suggestion(&name, &names),
            };
            problems.at(&span, format!("there is no {kind} `{name}`, so this describes nobody"), Some(hint));
        }
    }
}

#[cfg(test)]
mod tests;
