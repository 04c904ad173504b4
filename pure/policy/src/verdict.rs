//! Goes through everything that has something to say about what a client wants, until something decides.
//!
//! The order: the client's own superuser right; the rules that it was given by those who vouched for it; the rules of the configuration, then those of its
//! trust profile; the access sources in the order of the configuration. What nobody decides is denied, unless there is nobody at all.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::answers::{AccessAnswer, AccessQuestion, Known};
use crate::client::Client;
use crate::judge::{AccessJudge, Wish};
use crate::rule::{Action, Coverage, Effect, Rule};
use crate::ruleset::{Decider, Entry, Part, Ruleset};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) rules: &'a Ruleset,
    /// No bridge.
    pub(crate) client: &'a Client,
    pub(crate) action: Action,
    /// As the client writes it: a Topic Name, or a Topic Filter without ShareName.
    pub(crate) topic: &'a str,
    /// The same with its ShareName.
    pub(crate) written: &'a str,
    pub(crate) known: Known<'a>,
    pub(crate) stance: Stance,
}

/// How what is not known is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stance {
    /// Against the client: this is about what it does now.
    Strict,
    /// For the client: it is away, and what it is granted is found out when it comes back, before it gets anything.
    Hopeful,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow(Allowed),
    Deny(By),
    /// Somebody has to be asked first.
    Ask(AccessQuestion),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) decider: Decider,
    /// Whether it is the same for every QoS, with and without RETAIN, and for as long as rules and client stay as they are.
    pub(crate) is_general: bool,
    /// Of a subscription, whether some of the topics that its filter matches may be denied: then each delivery has to be judged.
    pub(crate) is_partial: bool,
}

/// Who denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// Nobody has allowed it.
    Nobody,
    /// The rule with this name.
    Rule(String),
    /// The access source with this name.
    Source(Arc<str>),
    /// The access source with this name could not be asked, for this reason if one is known.
    Silent(Arc<str>, Option<String>),
}

/// What was noted on the way.
struct Way {
    is_anybody: bool,
    is_general: bool,
    is_partial: bool,
}

impl Way {
    fn allow(&self, decider: Decider) -> Verdict {
        Verdict::Allow(Allowed { decider, is_general: self.is_general, is_partial: self.is_partial })
    }
}

/// Decides.
pub(crate) fn judge(request: &Request<'_>) -> Verdict {
    let Request { rules, client, stance, .. } = *request;
    let mut way = Way { is_anybody: false, is_general: true, is_partial: false };
    if stance == Stance::Hopeful && client.grant().is_none() && rules.may_grant() {
        return way.allow(Decider::Later);
    }
    let needs_rule = request.needs_rule();
    if !needs_rule && client.grant().is_some_and(|grant| grant.superuser) {
        return way.allow(Decider::Superuser);
    }
    let decided = rules.visit(client, &mut |part| {
        way.is_anybody = true;
        match part {
            Part::Rules { source, rules, grants_subscribe, is_complete, .. } => {
                let decided = request.ask_rules(rules, source, grants_subscribe, &mut way);
                match decided {
                    ControlFlow::Continue(()) if is_complete => {
                        ControlFlow::Break(Verdict::Deny(source.map_or(By::Nobody, |source| By::Source(Arc::clone(source)))))
                    }
                    decided => decided,
                }
            }
            Part::Missing(_) if stance == Stance::Hopeful && client.grant().is_none() => ControlFlow::Break(way.allow(Decider::Later)),
            Part::Missing(source) => ControlFlow::Break(Verdict::Deny(By::Silent(Arc::clone(source), None))),
            Part::Asked(source) => request.ask_source(source, &mut way),
            Part::Judged(_, _) if stance == Stance::Hopeful && client.grant().is_none() => ControlFlow::Break(way.allow(Decider::Later)),
            Part::Judged(source, judge) => request.ask_judge(source, judge, &mut way),
        }
    });
    match decided {
        ControlFlow::Break(verdict) => verdict,
        // Of one whose grant is not known it is not known either whether it has rules of its own.
        ControlFlow::Continue(()) if !way.is_anybody && !needs_rule && (client.grant().is_some() || !rules.may_grant()) => {
            way.allow(Decider::NoRules)
        }
        ControlFlow::Continue(()) => Verdict::Deny(By::Nobody),
    }
}

impl Request<'_> {
    /// Topics that start with `$` are the Server's own: without a rule that names them nobody publishes there (§4.7.2), and what the Server says about
    /// itself is about all tenants, so that one of them reads it only by a rule.
    fn needs_rule(&self) -> bool {
        match self.action {
            Action::Publish { .. } if self.client.tenant().is_none() => {
                self.rules.reserved().has(self.topic) || self.rules.is_administration(self.topic)
            }
            Action::Publish { .. } => self.topic.starts_with('$'),
            Action::Subscribe { .. } | Action::Receive { .. } => self.topic.starts_with('$') && self.client.tenant().is_some(),
        }
    }

    fn ask_rules<'r>(
        &self,
        rules: &mut dyn Iterator<Item = Entry<'r>>,
        source: Option<&Arc<str>>,
        grants_subscribe: bool,
        way: &mut Way,
    ) -> ControlFlow<Verdict> {
        if grants_subscribe && matches!(self.action, Action::Subscribe { .. }) {
            way.is_partial = true;
            let name = source.map_or_else(|| Arc::from("access source"), Arc::clone);
            return ControlFlow::Break(way.allow(Decider::Rule(name)));
        }
        for Entry { rule, name, .. } in rules {
            if !self.includes(rule) {
                continue;
            }
            way.is_general &= !rule.has_conditions();
            match (rule.covers(self.action, self.topic, self.client, self.takes_unfilled(rule.effect)), rule.effect) {
                (Coverage::All, Effect::Allow) => {
                    let name = name.map_or_else(|| rule.name.as_str().into(), Arc::clone);
                    return ControlFlow::Break(way.allow(Decider::Rule(name)));
                }
                (Coverage::All, Effect::Deny) => return ControlFlow::Break(Verdict::Deny(By::Rule(rule.name.clone()))),
                (Coverage::Some, _) => way.is_partial = true,
                (Coverage::Nothing, _) => {}
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether a rule is about the client.
    fn includes(&self, rule: &Rule) -> bool {
        rule.who.test(self.client, (rule.effect == Effect::Deny) == (self.stance == Stance::Strict))
    }

    /// Whether a rule of this kind covers what is behind a hole that nothing fills. A client of which all is known has its holes, whoever hopes.
    fn takes_unfilled(&self, effect: Effect) -> bool {
        let is_known = self.client.grant().is_some() && self.client.origin().is_some();
        match self.stance {
            Stance::Hopeful if !is_known => effect == Effect::Allow,
            Stance::Hopeful | Stance::Strict => effect == Effect::Deny,
        }
    }

    /// What it says changes while rules and client stay as they are, and what a subscription brings is for it to judge, message by message.
    fn ask_judge(&self, source: &Arc<str>, judge: &AccessJudge, way: &mut Way) -> ControlFlow<Verdict> {
        way.is_general = false;
        let wish = match self.action {
            Action::Publish { .. } => Wish::Publish,
            Action::Subscribe { .. } => Wish::Subscribe,
            Action::Receive { .. } => Wish::Receive,
        };
        way.is_partial |= wish == Wish::Subscribe;
        match judge.0.judge(self.client, wish, self.written) {
            Some(true) => ControlFlow::Break(way.allow(Decider::Rule(Arc::clone(source)))),
            Some(false) => ControlFlow::Break(Verdict::Deny(By::Source(Arc::clone(source)))),
            None => ControlFlow::Continue(()),
        }
    }

    fn ask_source(&self, source: &Arc<str>, way: &mut Way) -> ControlFlow<Verdict> {
        way.is_general = false;
        if matches!(self.action, Action::Receive { .. }) {
            if self.known.allows_delivery(source, self.topic) {
                return ControlFlow::Break(way.allow(Decider::Rule(Arc::clone(source))));
            }
            return if self.stance == Stance::Hopeful { ControlFlow::Break(way.allow(Decider::Later)) } else { ControlFlow::Continue(()) };
        }
        let question = AccessQuestion { source: Arc::clone(source), topic: self.topic.to_owned().into(), action: self.action };
        match self.known.answer(&question) {
            Some(AccessAnswer::Allow) => ControlFlow::Break(way.allow(Decider::Rule(Arc::clone(source)))),
            Some(AccessAnswer::Deny) => ControlFlow::Break(Verdict::Deny(By::Source(Arc::clone(source)))),
            Some(AccessAnswer::Continue) => ControlFlow::Continue(()),
            Some(AccessAnswer::Failed(why)) => ControlFlow::Break(Verdict::Deny(By::Silent(Arc::clone(source), Some(why.clone())))),
            None if self.stance == Stance::Hopeful => ControlFlow::Break(way.allow(Decider::Later)),
            None => ControlFlow::Break(Verdict::Ask(question)),
        }
    }
}

#[cfg(test)]
mod tests;
