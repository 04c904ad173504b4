//! Rules compiled for look-up, with a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bridge::BridgeRights;
use crate::client::Client;
use crate::rule::Rule;

/// All access rules in force at one time.
#[derive(Debug, Clone)]
pub struct Ruleset {
    rules: Option<Vec<Named>>,
    /// Rules of trust profiles, by the name of the profile.
    profiles: BTreeMap<String, Vec<Named>>,
    bridges: Vec<BridgeRights>,
    version: u64,
}

/// A rule, and its name in a form that a permit can carry without a copy.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) rule: Rule,
    pub(crate) name: Arc<str>,
    /// Whether it is one of a trust profile.
    pub(crate) is_of_profile: bool,
}

impl Named {
    fn list(rules: Vec<Rule>, is_of_profile: bool) -> Vec<Self> {
        rules.into_iter().map(|rule| Self { name: rule.name.as_str().into(), rule, is_of_profile }).collect()
    }
}

/// What allowed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decider {
    /// There is no rule at all.
    NoRules,
    /// An access rule.
    Rule(Arc<str>),
    /// The bridge's own list.
    Bridge,
    /// The topic is the Server's own, and so is the message.
    Server,
}

impl Decider {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::NoRules => "no access rules: everything is allowed",
            Self::Rule(name) => name,
            Self::Bridge => "the bridge's list of topics",
            Self::Server => "the server's own topics",
        }
    }
}

impl Ruleset {
    /// Takes the rules as written. Whatever none of them allows is denied: an empty list denies everything.
    #[must_use]
    pub fn compile(rules: Vec<Rule>) -> Self {
        Self { rules: Some(Named::list(rules, false)), ..Self::allow_all() }
    }

    /// Everything is allowed to everyone who may connect: what applies as long as nobody has written a rule.
    #[must_use]
    pub fn allow_all() -> Self {
        Self { rules: None, profiles: BTreeMap::new(), bridges: Vec::new(), version: 0 }
    }

    /// The same rules under another version number, which the control plane counts up with each reload.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// The same rules with what the bridges of this Server may do: a bridge that is not among them may do nothing.
    #[must_use]
    pub fn with_bridges(mut self, bridges: Vec<BridgeRights>) -> Self {
        self.bridges = bridges;
        self
    }

    /// The same rules, and besides them those of trust profiles, by the name of the profile: a client whose certificate was verified under
    /// such a profile is allowed what either allows. A list that is there denies what it does not allow, an empty one too, even where there
    /// are no other rules.
    #[must_use]
    pub fn with_profile_rules(mut self, profiles: impl IntoIterator<Item = (String, Vec<Rule>)>) -> Self {
        self.profiles = profiles.into_iter().map(|(profile, rules)| (profile, Named::list(rules, true))).collect();
        self
    }

    /// The version number given by [`Self::with_version`].
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether there is a bridge with this name. One that is gone has left its session behind.
    #[must_use]
    pub fn knows_bridge(&self, name: &str) -> bool {
        self.bridge(name).is_some()
    }

    /// What the bridge with this name may do.
    pub(crate) fn bridge(&self, name: &str) -> Option<&BridgeRights> {
        self.bridges.iter().find(|bridge| bridge.name == name)
    }

    /// The rules that are asked about this client, or nothing when there are none and everything is allowed.
    pub(crate) fn asked(&self, client: &Client) -> Option<impl Iterator<Item = &Named>> {
        let of_profile = client.identity().and_then(|identity| self.profiles.get(&**identity.profile()));
        if self.rules.is_none() && of_profile.is_none() {
            return None;
        }
        Some(self.rules.iter().flatten().chain(of_profile.into_iter().flatten()))
    }
}
