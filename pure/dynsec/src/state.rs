//! Everything that is administered: clients, groups and roles, and what holds where they say nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that is administered. A clone is cheap: it shares what is not changed.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) clients: BTreeMap<Arc<str>, Arc<Client>>,
    pub(crate) groups: BTreeMap<Arc<str>, Arc<Group>>,
    pub(crate) roles: BTreeMap<Arc<str>, Arc<Role>>,
    pub(crate) defaults: Defaults,
    /// The group whose roles clients have that are nobody in particular.
    pub(crate) anonymous_group: Option<Arc<str>>,
    /// How often something was changed.
    pub(crate) change_index: i64,
    /// The last version that was given to a client.
    pub(crate) versions: u64,
}

/// A client: somebody with a user name.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its password, hashed, as password files hold it; `None`: it cannot log in with one.
    pub(crate) password: Option<Arc<str>>,
    pub(crate) client_identifier: Option<Arc<str>>,
    pub(crate) about: About,
    pub(crate) is_disabled: bool,
    pub(crate) roles: Memberships,
    /// As the groups have it; kept here as well because every question about access needs it.
    pub(crate) groups: Memberships,
    pub(crate) version: u64,
}

impl Client {
    /// Its password, hashed, as password files hold it (`$7$…`, `$argon2id$…`); `None`: it cannot log in with one.
    #[must_use]
    pub fn password(&self) -> Option<&Arc<str>> {
        self.password.as_ref()
    }

    /// The only Client Identifier that it may use, if there is one.
    #[must_use]
    pub fn client_identifier(&self) -> Option<&str> {
        self.client_identifier.as_deref()
    }

    /// It is there, and may not connect.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Another one after every change that ends its sessions.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// A group of clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) about: About,
    pub(crate) roles: Memberships,
    /// Its clients, with their priority.
    pub(crate) clients: BTreeMap<Arc<str>, i32>,
}

/// A role: access rules that clients and groups have together.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) about: About,
    /// Whether whoever has it may subscribe with wildcards at all.
    pub(crate) allows_wildcards: bool,
    pub(crate) acls: Acls,
}

/// Words about something, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) name: Option<Box<str>>,
    pub(crate) description: Option<Box<str>>,
}

/// What holds where no rule says anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) publish_send: bool,
    pub(crate) publish_receive: bool,
    pub(crate) subscribe: bool,
    pub(crate) unsubscribe: bool,
}

/// Names with priorities: the highest first, and of the same priority by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memberships(Vec<Membership>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) name: Arc<str>,
    pub(crate) priority: i32,
}

impl Memberships {
    /// Adds one; `false`: it is there already, and keeps its priority.
    pub(crate) fn add(&mut self, name: &Arc<str>, priority: i32) -> bool {
        if self.contains(name) {
            return false;
        }
        let is_before = |known: &Membership| (-i64::from(known.priority), &known.name) < (-i64::from(priority), name);
        let place = self.0.partition_point(is_before);
        self.0.insert(place, Membership { name: Arc::clone(name), priority });
        true
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|known| *known.name != *name);
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| *known.name == *name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Membership> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The kinds of access rules, in the order in which Mosquitto writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AclKind {
    PublishSend,
    PublishReceive,
    SubscribeLiteral,
    SubscribePattern,
    UnsubscribeLiteral,
    UnsubscribePattern,
}

impl AclKind {
    /// All, with their names.
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::PublishSend, "publishClientSend"),
        (Self::PublishReceive, "publishClientReceive"),
        (Self::SubscribeLiteral, "subscribeLiteral"),
        (Self::SubscribePattern, "subscribePattern"),
        (Self::UnsubscribeLiteral, "unsubscribeLiteral"),
        (Self::UnsubscribePattern, "unsubscribePattern"),
    ];

    /// The one with this name, whatever its case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(kind, _)| *kind)
    }
}

/// The access rules of a role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acls(Vec<(AclKind, Acl)>);

/// An access rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acl {
    pub(crate) topic: Box<str>,
    pub(crate) priority: i32,
    pub(crate) allow: bool,
}

impl Acls {
    /// Adds one behind those of its kind that have its priority or a higher one; `false`: there is one of its kind with its topic.
    pub(crate) fn add(&mut self, kind: AclKind, acl: Acl) -> bool {
        if self.find(kind, &acl.topic).is_some() {
            return false;
        }
        let place = self.0.partition_point(|(_, known)| known.priority >= acl.priority);
        self.0.insert(place, (kind, acl));
        true
    }

    /// Takes one away; `false`: it is not there.
    pub(crate) fn remove(&mut self, kind: AclKind, topic: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, acl)| *known != kind || *acl.topic != *topic);
        self.0.len() < before
    }

    /// Those of one kind, the highest priority first.
    pub(crate) fn of(&self, kind: AclKind) -> impl Iterator<Item = &Acl> {
        self.0.iter().filter(move |(known, _)| *known == kind).map(|(_, acl)| acl)
    }

    pub(crate) fn find(&self, kind: AclKind, topic: &str) -> Option<&Acl> {
        self.of(kind).find(|acl| *acl.topic == *topic)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// As far as Mosquitto lets priorities go.
pub(crate) fn bounded_priority(priority: i32) -> i32 {
    priority.clamp(-100_000, 100_000)
}

impl State {
    /// The client with this user name.
    #[must_use]
    pub fn client(&self, username: &str) -> Option<&Client> {
        self.clients.get(username).map(|client| &**client)
    }

    /// How many clients there are.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn client_mut(&mut self, username: &str) -> Option<&mut Client> {
        self.clients.get_mut(username).map(Arc::make_mut)
    }

    pub(crate) fn group_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.groups.get_mut(name).map(Arc::make_mut)
    }

    pub(crate) fn role_mut(&mut self, name: &str) -> Option<&mut Role> {
        self.roles.get_mut(name).map(Arc::make_mut)
    }

    /// Puts a client in a group; `false`: it is in it. Both have to be there.
    pub(crate) fn join(&mut self, username: &str, group: &str, priority: i32) -> bool {
        let names = self.clients.get_key_value(username).zip(self.groups.get_key_value(group));
        let Some((client, group)) = names.map(|((client, _), (group, _))| (Arc::clone(client), Arc::clone(group))) else { return false };
        if self.groups.get(&group).is_some_and(|known| known.clients.contains_key(&client)) {
            return false;
        }
        if let Some(known) = self.group_mut(&group) {
            known.clients.insert(Arc::clone(&client), priority);
        }
        if let Some(known) = self.client_mut(&client) {
            known.groups.add(&group, priority);
        }
        true
    }

    /// Takes a client out of a group.
    pub(crate) fn leave(&mut self, username: &str, group: &str) {
        if let Some(known) = self.group_mut(group) {
            known.clients.remove(username);
        }
        if let Some(known) = self.client_mut(username) {
            known.groups.remove(group);
        }
    }

    /// Takes a client out of all its groups.
    pub(crate) fn leave_all(&mut self, username: &str) {
        let groups: Vec<Arc<str>> =
            self.client(username).into_iter().flat_map(|client| client.groups.iter()).map(|known| Arc::clone(&known.name)).collect();
        for group in groups {
            self.leave(username, &group);
        }
    }

    /// The clients that have a role, by themselves or by a group, and whether clients that are nobody in particular do.
    pub(crate) fn holders_of(&self, role: &str) -> (Vec<Arc<str>>, bool) {
        let has_role =
            |groups: &Memberships| groups.iter().any(|known| self.groups.get(&known.name).is_some_and(|group| group.roles.contains(role)));
        let holders = self.clients.iter().filter(|(_, client)| client.roles.contains(role) || has_role(&client.groups));
        let anonymous = self.anonymous_group.as_ref().and_then(|name| self.groups.get(name));
        (holders.map(|(name, _)| Arc::clone(name)).collect(), anonymous.is_some_and(|group| group.roles.contains(role)))
    }

    /// Sessions of a client end: what let it in holds no more.
    pub(crate) fn renew(&mut self, username: &str) {
        self.versions += 1;
        let version = self.versions;
        if let Some(client) = self.client_mut(username) {
            client.version = version;
        }
    }

    /// What stands in a client's credentials when it is made: no version of one that had its name before.
    pub(crate) fn insert_client(&mut self, username: &str, client: Client) {
        self.clients.insert(username.into(), Arc::new(client));
        self.renew(username);
    }
}
