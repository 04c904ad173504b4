//! What a client may do.
//!
//! Its own roles are asked first, the highest priority first, then those of its groups in the same order; in each role its rules, the highest priority first.
//! The first rule that covers what is asked decides. Where none does the default access holds, which never reaches `$CONTROL`.

use crate::pattern::{Asked, Fit, fit};
use crate::state::{AclKind, Memberships, Role, State};

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Publish to a Topic Name.
    Publish,
    /// Get a message with a Topic Name.
    Receive,
    /// Subscribe to a Topic Filter, with its ShareName if it has one.
    Subscribe,
    /// Give up a subscription to one.
    Unsubscribe,
}

/// The names of a client.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Its user name, proven; `None`: it is nobody in particular.
    pub username: Option<&'a str>,
    /// Its Client Identifier.
    pub client_identifier: &'a str,
}

impl State {
    /// Whether a client may do something. `None`: nobody here says so, and unless somebody else does, it may not.
    #[must_use]
    pub fn judge(&self, names: Names<'_>, wish: Wish, topic: &str) -> Option<bool> {
        if !is_open(wish, topic) {
            return Some(false);
        }
        let decided = match names.username {
            Some(username) => {
                let client = self.client(username)?;
                if client.is_disabled() {
                    return Some(false);
                }
                let of_groups = || {
                    client
                        .groups
                        .iter()
                        .filter_map(|known| self.groups.get(&known.name))
                        .find_map(|group| self.ask(&group.roles, names, wish, topic))
                };
                self.ask(&client.roles, names, wish, topic).or_else(of_groups)
            }
            None => self
                .anonymous_group
                .as_ref()
                .and_then(|name| self.groups.get(name))
                .and_then(|group| self.ask(&group.roles, names, wish, topic)),
        };
        decided.or_else(|| (self.default_of(wish) && !topic.starts_with("$CONTROL")).then_some(true))
    }

    fn default_of(&self, wish: Wish) -> bool {
        match wish {
            Wish::Publish => self.defaults.publish_send,
            Wish::Receive => self.defaults.publish_receive,
            Wish::Subscribe => self.defaults.subscribe,
            Wish::Unsubscribe => self.defaults.unsubscribe,
        }
    }

    fn ask(&self, roles: &Memberships, names: Names<'_>, wish: Wish, topic: &str) -> Option<bool> {
        roles.iter().filter_map(|known| self.roles.get(&known.name)).find_map(|role| role.ask(names, wish, topic))
    }
}

impl Role {
    fn ask(&self, names: Names<'_>, wish: Wish, topic: &str) -> Option<bool> {
        let (literal, pattern, kind) = match wish {
            Wish::Publish => (None, AclKind::PublishSend, Asked::Topic),
            Wish::Receive => (None, AclKind::PublishReceive, Asked::Topic),
            Wish::Subscribe => (Some(AclKind::SubscribeLiteral), AclKind::SubscribePattern, Asked::Filter),
            Wish::Unsubscribe => (Some(AclKind::UnsubscribeLiteral), AclKind::UnsubscribePattern, Asked::Filter),
        };
        if wish == Wish::Subscribe && !self.allows_wildcards && topic.contains(['+', '#']) {
            return Some(false);
        }
        if let Some(acl) = literal.and_then(|literal| self.acls.find(literal, topic)) {
            return Some(acl.allow);
        }
        self.acls.of(pattern).find_map(|acl| match fit(&acl.topic, topic, kind, names) {
            Fit::Yes => Some(acl.allow),
            Fit::Invalid => Some(false),
            Fit::No => None,
        })
    }
}

/// What no rule can open: `$SYS` is the Server's own, but for the state that bridges of others leave there; `$share` is no topic.
fn is_open(wish: Wish, topic: &str) -> bool {
    let is_message = matches!(wish, Wish::Publish | Wish::Receive);
    if topic.starts_with("$SYS") && wish == Wish::Publish {
        let rest = topic.strip_prefix("$SYS/broker/connection/").and_then(|rest| rest.strip_suffix("/state"));
        return rest.is_some_and(|name| !name.contains('/'));
    }
    !(topic.starts_with("$share") && is_message)
}

#[cfg(test)]
mod tests;
