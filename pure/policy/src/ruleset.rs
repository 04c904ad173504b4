//! Rules compiled for look-up, with a version.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use signet_mqtt::ClientIdentifier;

use crate::bridge::BridgeRights;
use crate::client::Client;
use crate::grant::SourceRules;
use crate::judge::AccessJudge;
use crate::rule::{Effect, Rule};
use crate::who::Who;

/// All access rules in force at one time.
#[derive(Debug, Clone)]
pub struct Ruleset {
    rules: Option<Vec<Named>>,
    /// Rules of trust profiles, by the name of the profile.
    profiles: BTreeMap<String, Vec<Named>>,
    /// Asked behind the rules, in order.
    sources: Vec<(Option<Who>, AccessSource)>,
    /// Which topics nobody publishes to without a rule that names them.
    reserved: Reserved,
    /// Whether those who vouch for clients may give them something.
    may_grant: bool,
    bridges: Vec<BridgeRights>,
    own_topics: OwnTopics,
    version: u64,
}

/// Topics that the Server takes for itself, besides `$SYS`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnTopics {
    /// What is published below `$CONTROL/` is for the Server, and goes to nobody else.
    pub control: bool,
    /// A birth certificate of Sparkplug is kept by the Server below `$sparkplug/certificates/`, too.
    pub birth_certificates: bool,
}

/// Topics that belong to the Server: nobody publishes there without a rule that names them (§4.7.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reserved {
    /// All that start with `$`.
    #[default]
    Dollar,
    /// Those that start with `$SYS`, but not the state of bridges, and those that start with `$share`; the others are like any topic.
    Sys,
}

impl Reserved {
    /// Whether a topic is among them.
    pub(crate) fn has(self, topic: &str) -> bool {
        match self {
            Self::Dollar => topic.starts_with('$'),
            Self::Sys => (topic.starts_with("$SYS") && !is_state(topic)) || topic.starts_with("$share"),
        }
    }
}

/// Whether a topic is where a bridge says whether it is connected.
fn is_state(topic: &str) -> bool {
    let name = topic.strip_prefix("$SYS/broker/connection/").and_then(|rest| rest.strip_suffix("/state"));
    name.is_some_and(|name| !name.contains('/'))
}

/// Somebody besides the configuration who has something to say about what clients may do.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessSource {
    /// Rules that are here already, as from a file.
    Rules {
        /// Its name in the configuration.
        name: Arc<str>,
        /// Rules for the clients with a user name, by that, asked before the others: a file may name very many.
        of_users: BTreeMap<String, Vec<Rule>>,
        /// The rules for everybody else and behind them, in order. Whoever is next is asked about what none of them covers.
        rules: Vec<Rule>,
        /// Whether every subscription is granted, and the rules look at what is delivered.
        grants_subscribe: bool,
    },
    /// Rules that it has about each client, found in [`crate::Grant::fetched`] under its name. If they are not there it could not be asked, and denies.
    Fetched(Arc<str>),
    /// One that is asked about each topic.
    Asked(Arc<str>),
    /// One that is here, and says at once what it thinks of a topic.
    Judged(Arc<str>, AccessJudge),
}

impl AccessSource {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Rules { name, .. } | Self::Fetched(name) | Self::Asked(name) | Self::Judged(name, _) => name,
        }
    }
}

/// What has something to say about one client.
pub(crate) enum Part<'a, 'i> {
    Rules {
        from: From,
        /// Of an access source or an authenticator, its name.
        source: Option<&'a Arc<str>>,
        /// In order.
        rules: &'i mut dyn Iterator<Item = Entry<'a>>,
        grants_subscribe: bool,
        /// Whether what none of them covers is denied.
        is_complete: bool,
    },
    /// An access source that could not be asked about this client.
    Missing(&'a Arc<str>),
    /// One that is asked about each topic.
    Asked(&'a Arc<str>),
    /// One that says at once what it thinks of a topic.
    Judged(&'a Arc<str>, &'a AccessJudge),
}

/// Who wrote rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Authenticator,
    /// The configuration, or an access source.
    Source,
}

/// A rule among others.
pub(crate) struct Entry<'a> {
    pub(crate) rule: &'a Rule,
    /// Its name in a form that a permit can carry without a copy, where it is kept.
    pub(crate) name: Option<&'a Arc<str>>,
    pub(crate) is_of_profile: bool,
}

impl<'a> Entry<'a> {
    fn plain(rule: &'a Rule) -> Self {
        Self { rule, name: None, is_of_profile: false }
    }

    fn named(named: &'a Named, is_of_profile: bool) -> Self {
        Self { rule: &named.rule, name: Some(&named.name), is_of_profile }
    }
}

/// A rule, and its name in a form that a permit can carry without a copy.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) rule: Rule,
    pub(crate) name: Arc<str>,
}

impl Named {
    fn list(rules: Vec<Rule>) -> Vec<Self> {
        rules.into_iter().map(|rule| Self { name: rule.name.as_str().into(), rule }).collect()
    }
}

/// What allowed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decider {
    /// There is no rule at all.
    NoRules,
    /// An access rule, or an access source.
    Rule(Arc<str>),
    /// The client may do everything.
    Superuser,
    /// Nobody yet: the client is away, and is judged when it comes back.
    Later,
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
            Self::Superuser => "the client is a superuser",
            Self::Later => "the client is away, and is judged when it comes back",
            Self::Bridge => "the bridge's list of topics",
            Self::Server => "the server's own topics",
        }
    }
}

impl Ruleset {
    /// Takes the rules as written. Whatever none of them allows is denied: an empty list denies everything.
    #[must_use]
    pub fn compile(rules: Vec<Rule>) -> Self {
        Self { rules: Some(Named::list(rules)), ..Self::allow_all() }
    }

    /// Everything is allowed to everyone who may connect: what applies as long as nobody has written a rule.
    #[must_use]
    pub fn allow_all() -> Self {
        Self {
            rules: None,
            profiles: BTreeMap::new(),
            sources: Vec::new(),
            reserved: Reserved::Dollar,
            may_grant: false,
            bridges: Vec::new(),
            own_topics: OwnTopics::default(),
            version: 0,
        }
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
        self.profiles = profiles.into_iter().map(|(profile, rules)| (profile, Named::list(rules))).collect();
        self
    }

    /// The same rules, and behind them access sources, in order. Where there is one, whatever nobody allows is denied.
    #[must_use]
    pub fn with_sources(self, sources: Vec<AccessSource>) -> Self {
        self.with_sources_for(sources.into_iter().map(|source| (None, source)).collect())
    }

    /// The same, each with those whom it has something to say about; for others it is not there.
    #[must_use]
    pub fn with_sources_for(mut self, sources: Vec<(Option<Who>, AccessSource)>) -> Self {
        self.sources = sources;
        self
    }

    /// The same rules with other topics of the Server's own.
    #[must_use]
    pub fn with_reserved(mut self, reserved: Reserved) -> Self {
        self.reserved = reserved;
        self
    }

    /// The topics of the Server's own.
    pub(crate) fn reserved(&self) -> Reserved {
        self.reserved
    }

    /// The same rules; `may_grant` says whether those who vouch for clients may give them rights, groups or rules. Then nothing is decided about a
    /// client whose session was stored before it comes back.
    #[must_use]
    pub fn with_grants(mut self, may_grant: bool) -> Self {
        self.may_grant = may_grant;
        self
    }

    /// The same rules where the Server takes these topics for itself.
    #[must_use]
    pub fn with_own_topics(mut self, own_topics: OwnTopics) -> Self {
        self.own_topics = own_topics;
        self
    }

    /// The topics that the Server takes for itself.
    #[must_use]
    pub fn own_topics(&self) -> OwnTopics {
        self.own_topics
    }

    /// Whether what is published there may change what an access source says that judges. Such a source may be there for the clients of one listener alone,
    /// and those of another, where nobody has any rules, must not administer it.
    pub(crate) fn is_administration(&self, topic: &str) -> bool {
        let has_judge = || self.sources().any(|source| matches!(source, AccessSource::Judged(..)));
        self.own_topics.control && topic.starts_with("$CONTROL/") && has_judge()
    }

    /// Whether those who vouch for clients may give them something.
    #[must_use]
    pub(crate) fn may_grant(&self) -> bool {
        self.may_grant
    }

    /// The access sources, in order.
    pub fn sources(&self) -> impl Iterator<Item = &AccessSource> {
        self.sources.iter().map(|(_, source)| source)
    }

    /// Whether there is an access source that is asked about each topic.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.sources().any(|source| matches!(source, AccessSource::Asked(_)))
    }

    /// The access sources that have something to say about a client, or may have, in order.
    pub(crate) fn sources_for(&self, client: &Client) -> impl Iterator<Item = &AccessSource> {
        self.sources.iter().filter(|(when, _)| when.as_ref().is_none_or(|when| when.may_include(client))).map(|(_, source)| source)
    }

    /// Whether there is nothing for a client but access sources that judge.
    pub(crate) fn is_left_to_judges(&self, client: &Client) -> bool {
        let mut sources = self.sources_for(client).peekable();
        let has_sources = sources.peek().is_some();
        self.rules.is_none() && self.profiles.is_empty() && has_sources && sources.all(|source| matches!(source, AccessSource::Judged(..)))
    }

    /// The version number given by [`Self::with_version`].
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether there is a bridge with this name and this session. One that is gone, or has another one now, has left its session behind.
    #[must_use]
    pub fn knows_bridge(&self, name: &str, client_identifier: &ClientIdentifier) -> bool {
        self.bridge(name).is_some_and(|bridge| bridge.client_identifier == *client_identifier)
    }

    /// What the bridge with this name may do.
    pub(crate) fn bridge(&self, name: &str) -> Option<&BridgeRights> {
        self.bridges.iter().find(|bridge| bridge.name == name)
    }

    /// Shows everything that has something to say about this client, in order, until something decides. Nothing is shown where there is nothing at all.
    pub(crate) fn visit<T>(&self, client: &Client, decide: &mut dyn FnMut(Part<'_, '_>) -> ControlFlow<T>) -> ControlFlow<T> {
        let given = client.grant().map(|grant| grant.rules.as_slice()).unwrap_or_default();
        for SourceRules { source, rules, is_complete } in given {
            let (mut rules, is_complete) = (rules.iter().map(Entry::plain), *is_complete);
            let (from, source) = (From::Authenticator, Some(source));
            decide(Part::Rules { from, source, rules: &mut rules, grants_subscribe: false, is_complete })?;
        }
        let of_profile = client.identity().and_then(|identity| self.profiles.get(&**identity.profile()));
        if self.rules.is_some() || of_profile.is_some() {
            let own = self.rules.iter().flatten().map(|named| Entry::named(named, false));
            let mut rules = own.chain(of_profile.into_iter().flatten().map(|named| Entry::named(named, true)));
            decide(Part::Rules { from: From::Source, source: None, rules: &mut rules, grants_subscribe: false, is_complete: false })?;
        }
        for (when, source) in &self.sources {
            match when {
                Some(when) if !when.may_include(client) => continue,
                // Nobody knows: the client is away, and what is not known of it is found out when it comes back.
                Some(when) if !when.includes(client) => {
                    decide(Part::Missing(source.name()))?;
                    continue;
                }
                _ => {}
            }
            match source {
                AccessSource::Rules { name, of_users, rules, grants_subscribe } => {
                    let own = client.username().and_then(|username| of_users.get(username));
                    // A name that nobody answers for counts against the client, never for it.
                    let counts = |rule: &&Rule| client.proven().username || rule.effect == Effect::Deny;
                    let all = own.into_iter().flatten().filter(counts).chain(rules);
                    let (mut rules, grants_subscribe) = (all.map(Entry::plain), *grants_subscribe);
                    let (from, source) = (From::Source, Some(name));
                    decide(Part::Rules { from, source, rules: &mut rules, grants_subscribe, is_complete: false })?;
                }
                AccessSource::Fetched(name) => match client.grant().and_then(|grant| grant.fetched.get(name)) {
                    None => decide(Part::Missing(name))?,
                    Some(fetched) => {
                        let (mut rules, is_complete) = (fetched.rules.iter().map(Entry::plain), fetched.is_complete);
                        let (from, source) = (From::Source, Some(name));
                        decide(Part::Rules { from, source, rules: &mut rules, grants_subscribe: false, is_complete })?;
                    }
                },
                AccessSource::Asked(name) => decide(Part::Asked(name))?,
                AccessSource::Judged(name, judge) => decide(Part::Judged(name, judge))?,
            }
        }
        ControlFlow::Continue(())
    }
}
