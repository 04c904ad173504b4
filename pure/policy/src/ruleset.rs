//! Rules compiled for look-up, with a version.

use crate::bridge::BridgeRights;
use crate::rule::Rule;

/// All access rules in force at one time.
#[derive(Debug, Clone)]
pub struct Ruleset {
    rules: Option<Vec<Rule>>,
    bridges: Vec<BridgeRights>,
    version: u64,
}

impl Ruleset {
    /// Takes the rules as written. Whatever none of them allows is denied: an empty list denies everything.
    #[must_use]
    pub fn compile(rules: Vec<Rule>) -> Self {
        Self { rules: Some(rules), bridges: Vec::new(), version: 0 }
    }

    /// Everything is allowed to everyone who may connect: what applies as long as nobody has written a rule.
    #[must_use]
    pub fn allow_all() -> Self {
        Self { rules: None, bridges: Vec::new(), version: 0 }
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

    /// The rules, or nothing when everything is allowed.
    pub(crate) fn rules(&self) -> Option<&[Rule]> {
        self.rules.as_deref()
    }
}
