//! The file, as Mosquitto's plugin reads and writes it.
//!
//! What is not known in it is left out when it is read, and is gone when it is written, as with Mosquitto. So is an entry that names nobody.

use std::sync::Arc;

use crate::bounds::Bounds;
use crate::json::Json;
use crate::state::{About, Acl, AclKind, Acls, Client, Defaults, Group, Memberships, Role, State, bounded_priority};

/// Why a file cannot be used. Nothing of it is then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is no JSON.
    #[error("it is not valid JSON")]
    NoJson,
    /// It is JSON, and no object.
    #[error("it has to be a JSON object with the keys `clients`, `groups` and `roles`")]
    NoObject,
    /// A list is none.
    #[error("`{0}` has to be a list")]
    NoList(&'static str),
    /// There is too much of something.
    #[error("it has {found} {what}, and may have {maximum}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        maximum: usize,
    },
}

impl State {
    /// Reads a file. An empty one is nothing that is administered yet.
    ///
    /// # Errors
    /// It makes no sense, or is beyond the bounds.
    pub fn read(text: &[u8], bounds: &Bounds) -> Result<Self, DocumentError> {
        at_most("bytes", text.len(), bounds.document_bytes)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        let document = Json::read(text).ok_or(DocumentError::NoJson)?;
        if !document.is_object() {
            return Err(DocumentError::NoObject);
        }
        let mut state = Self { change_index: change_index(&document), defaults: defaults(&document), ..Self::default() };
        for (name, entry) in entries(&document, ("roles", "rolename"), bounds.roles)? {
            let acls = entry.get("acls").and_then(Json::as_list).unwrap_or_default();
            at_most("access rules in one role", acls.len(), bounds.acls)?;
            let role =
                Role { about: About::read(entry), allows_wildcards: entry.bool_or("allowwildcardsubs", true), acls: Acls::read(acls) };
            state.roles.entry(name).or_insert_with(|| Arc::new(role));
        }
        for (name, entry) in entries(&document, ("clients", "username"), bounds.clients)? {
            if !state.clients.contains_key(&name) {
                let roles = state.memberships(entry, bounds)?;
                state.insert_client(&name, Client::read(entry, roles));
            }
        }
        for (name, entry) in entries(&document, ("groups", "groupname"), bounds.groups)? {
            if state.groups.contains_key(&name) {
                continue;
            }
            let roles = state.memberships(entry, bounds)?;
            state.groups.insert(Arc::clone(&name), Arc::new(Group { about: About::read(entry), roles, ..Group::default() }));
            let members = entry.get("clients").and_then(Json::as_list).unwrap_or_default();
            for (username, member) in members.iter().filter_map(|member| Some((member.text_of("username")?, member))) {
                state.join(username, &name, bounded_priority(member.int_or("priority", -1)));
                let groups = state.client(username).map_or(0, |client| client.groups.len());
                at_most("groups of one client", groups, bounds.memberships)?;
            }
        }
        let anonymous = document.text_of("anonymousGroup").and_then(|name| state.groups.get_key_value(name));
        state.anonymous_group = anonymous.map(|(name, _)| Arc::clone(name));
        Ok(state)
    }

    /// The text of the file.
    #[must_use]
    pub fn write(&self) -> String {
        let mut defaults = self.defaults;
        let defaults = ACCESS.map(|(name, of)| (name, Json::Bool(*of(&mut defaults))));
        let mut document = Json::object([("changeIndex", Json::Int(self.change_index)), ("defaultACLAccess", Json::object(defaults))]);
        document.put("clients", Json::List(self.clients.iter().map(|(name, client)| client.written(name)).collect()));
        document.put("groups", Json::List(self.groups.iter().map(|(name, group)| group.written(name)).collect()));
        document.put_text("anonymousGroup", self.anonymous_group.as_deref());
        document.put("roles", Json::List(self.roles.iter().map(|(name, role)| role.shown(name)).collect()));
        document.to_file()
    }

    /// The roles of a client or group. Those that are not there are left out.
    fn memberships(&self, entry: &Json, bounds: &Bounds) -> Result<Memberships, DocumentError> {
        let mut memberships = Memberships::default();
        for role in entry.get("roles").and_then(Json::as_list).unwrap_or_default() {
            let known = role.text_of("rolename").and_then(|name| self.roles.get_key_value(name));
            if let Some((name, _)) = known {
                memberships.add(name, bounded_priority(role.int_or("priority", -1)));
            }
        }
        at_most("roles of one client or group", memberships.len(), bounds.memberships)?;
        Ok(memberships)
    }
}

fn at_most(what: &'static str, found: usize, maximum: usize) -> Result<(), DocumentError> {
    if found > maximum { Err(DocumentError::TooMany { what, found, maximum }) } else { Ok(()) }
}

/// The objects of a list that have a name, with that.
fn entries<'a>(document: &'a Json, (list, key): (&'static str, &str), maximum: usize) -> Result<Vec<(Arc<str>, &'a Json)>, DocumentError> {
    let Some(list) = document.get(list).map(|found| found.as_list().ok_or(DocumentError::NoList(list))).transpose()? else {
        return Ok(Vec::new());
    };
    let named = list.iter().filter_map(|entry| Some((entry.text_of(key).filter(|name| !name.is_empty())?.into(), entry)));
    let named: Vec<(Arc<str>, &Json)> = named.collect();
    at_most(
        match key {
            "username" => "clients",
            "groupname" => "groups",
            _ => "roles",
        },
        named.len(),
        maximum,
    )?;
    Ok(named)
}

fn change_index(document: &Json) -> i64 {
    match document.get("changeIndex") {
        Some(Json::Int(index)) => *index,
        _ => 0,
    }
}

type Access = fn(&mut Defaults) -> &mut bool;

/// The keys of the default access, in Mosquitto's order.
pub(crate) const ACCESS: [(&str, Access); 4] = [
    ("publishClientSend", |defaults| &mut defaults.publish_send),
    ("publishClientReceive", |defaults| &mut defaults.publish_receive),
    ("subscribe", |defaults| &mut defaults.subscribe),
    ("unsubscribe", |defaults| &mut defaults.unsubscribe),
];

fn defaults(document: &Json) -> Defaults {
    let mut defaults = Defaults::default();
    if let Some(written) = document.get("defaultACLAccess").filter(|written| written.is_object()) {
        for (key, of) in ACCESS {
            *of(&mut defaults) = written.bool_or(key, false);
        }
    }
    defaults
}

impl About {
    pub(crate) fn read(entry: &Json) -> Self {
        Self { name: entry.text_of("textname").map(Into::into), description: entry.text_of("textdescription").map(Into::into) }
    }

    pub(crate) fn put_into(&self, entry: &mut Json) {
        entry.put_text("textname", self.name.as_deref());
        entry.put_text("textdescription", self.description.as_deref());
    }
}

impl Acls {
    /// What names no kind or no topic, and a second one with the same of both, is left out, as Mosquitto does.
    pub(crate) fn read(list: &[Json]) -> Self {
        let mut acls = Self::default();
        for entry in list {
            let kind = entry.text_of("acltype").and_then(AclKind::named);
            let topic = entry.text_of("topic").filter(|topic| !topic.is_empty());
            if let Some((kind, topic)) = kind.zip(topic) {
                let priority = bounded_priority(entry.int_or("priority", 0));
                acls.add(kind, Acl { topic: topic.into(), priority, allow: entry.bool_or("allow", false) });
            }
        }
        acls
    }
}

impl Memberships {
    /// As Mosquitto shows them: the priority only where one was given.
    pub(crate) fn shown(&self, key: &'static str) -> Json {
        Json::List(self.iter().map(|known| member(key, &known.name, known.priority)).collect())
    }
}

fn member(key: &'static str, name: &str, priority: i32) -> Json {
    let mut shown = Json::object([(key, Json::text(name))]);
    if priority != -1 {
        shown.put("priority", Json::Int(priority.into()));
    }
    shown
}

impl Client {
    fn read(entry: &Json, roles: Memberships) -> Self {
        Self {
            password: password(entry),
            client_identifier: entry.text_of("clientid").map(Into::into),
            about: About::read(entry),
            is_disabled: entry.bool_or("disabled", false),
            roles,
            ..Self::default()
        }
    }

    fn written(&self, username: &str) -> Json {
        let mut entry = self.head(username);
        entry.put("roles", self.roles.shown("rolename"));
        let Some(password) = &self.password else { return entry };
        // Mosquitto 2.1 reads both forms, and 2.0 only the one in parts.
        match password.split('$').collect::<Vec<_>>().as_slice() {
            ["", "7", iterations, salt, hash] if iterations.parse::<i64>().is_ok() => {
                entry.put("password", Json::text(hash));
                entry.put("salt", Json::text(salt));
                entry.put("iterations", Json::Int(iterations.parse().unwrap_or_default()));
            }
            _ => entry.put("encoded_password", Json::text(password)),
        }
        entry
    }

    /// What a file and a response both begin with.
    pub(crate) fn head(&self, username: &str) -> Json {
        let mut entry = Json::object([("username", Json::text(username))]);
        entry.put_text("clientid", self.client_identifier.as_deref());
        self.about.put_into(&mut entry);
        if self.is_disabled {
            entry.put("disabled", Json::Bool(true));
        }
        entry
    }
}

/// In one piece, or in the three parts of Mosquitto 2.0.
fn password(entry: &Json) -> Option<Arc<str>> {
    if let Some(encoded) = entry.text_of("encoded_password") {
        return Some(encoded.into());
    }
    let (hash, salt, iterations) = (entry.text_of("password")?, entry.text_of("salt")?, entry.int_or("iterations", 0));
    (iterations > 0).then(|| format!("$7${iterations}${salt}${hash}").into())
}

impl Group {
    fn written(&self, name: &str) -> Json {
        let mut entry = Json::object([("groupname", Json::text(name))]);
        self.about.put_into(&mut entry);
        entry.put("roles", self.roles.shown("rolename"));
        entry.put("clients", Json::List(self.clients.iter().map(|(name, priority)| member("username", name, *priority)).collect()));
        entry
    }
}

impl Role {
    /// The same in a file and in a response.
    pub(crate) fn shown(&self, name: &str) -> Json {
        let mut entry = Json::object([("rolename", Json::text(name))]);
        self.about.put_into(&mut entry);
        entry.put("allowwildcardsubs", Json::Bool(self.allows_wildcards));
        let of_kind = |(kind, name): (AclKind, &'static str)| {
            self.acls.of(kind).map(move |acl| {
                Json::object([
                    ("acltype", Json::text(name)),
                    ("topic", Json::text(&acl.topic)),
                    ("priority", Json::Int(acl.priority.into())),
                    ("allow", Json::Bool(acl.allow)),
                ])
            })
        };
        entry.put("acls", Json::List(AclKind::ALL.into_iter().flat_map(of_kind).collect()));
        entry
    }
}

#[cfg(test)]
mod tests;
