//! Commands about clients.

use std::sync::Arc;

use super::{Answer, GROUP, Page, ROLE, ROLES_INVALID, TOO_MANY_MEMBERSHIPS, USERNAME, Work, priority};
use crate::json::Json;
use crate::state::Client;
use crate::text;

const NOT_FOUND: &str = "Client not found";

impl Work<'_> {
    /// The name of a client that is there.
    fn client<'f>(&self, fields: &'f Json) -> Result<&'f str, &'static str> {
        let username = USERNAME.of(fields)?;
        self.known_client(username)
    }

    fn known_client<'f>(&self, username: &'f str) -> Result<&'f str, &'static str> {
        if self.state.clients.contains_key(username) { Ok(username) } else { Err(NOT_FOUND) }
    }

    fn hash(&mut self, password: &str) -> Result<Arc<str>, &'static str> {
        self.bounded(password)?;
        self.surroundings.passwords.hash(password).map(Into::into).ok_or("Internal error")
    }

    /// The Client Identifier that a command gives; an empty one is none.
    fn identifier<'f>(&self, fields: &'f Json, invalid: &'static str) -> Result<Option<&'f str>, &'static str> {
        match self.optional(fields, "clientid", invalid)? {
            Some(identifier) if !text::is_valid(identifier) => Err("Client ID not valid UTF-8"),
            found => Ok(found.filter(|identifier| !identifier.is_empty())),
        }
    }

    fn shown_client(&self, username: &str, client: &Client) -> Json {
        let mut shown = client.head(username);
        shown.put("roles", client.roles.shown("rolename"));
        shown.put("groups", client.groups.shown("groupname"));
        let addresses = self.surroundings.connections.addresses(username, client.client_identifier());
        let connections = addresses.into_iter().map(|address| Json::object([("address", Json::Text(address))]));
        shown.put("connections", Json::List(connections.collect()));
        shown
    }
}

pub(super) fn create(work: &mut Work<'_>, fields: &Json) -> Answer {
    let username = USERNAME.new_of(fields, "Empty username")?;
    let password = work.optional(fields, "password", "Invalid/missing password")?;
    let client_identifier = work.identifier(fields, "Invalid/missing client id")?.map(Arc::from);
    let about = work.about(fields)?;
    if work.state.clients.contains_key(username) {
        return Err("Client already exists");
    }
    work.room(work.state.clients.len(), |bounds| bounds.clients, "Too many clients")?;
    let roles = work.roles(fields).map_err(|error| error.words(ROLES_INVALID))?.unwrap_or_default();
    let groups = listed_groups(fields);
    work.room(groups.len(), |bounds| bounds.memberships + 1, TOO_MANY_MEMBERSHIPS)?;
    for (index, (group, _)) in groups.iter().enumerate() {
        if !work.state.groups.contains_key(*group) {
            return Err("Group not found");
        }
        if groups.iter().take(index).any(|(before, _)| before == group) {
            return Err("Internal error");
        }
    }
    // What costs time comes last.
    let password_hash = password.map(|password| work.hash(password)).transpose()?;
    work.state.insert_client(username, Client { password: password_hash, client_identifier, about, roles, ..Client::default() });
    for (group, priority) in groups {
        work.state.join(username, group, priority);
    }
    work.save();
    work.log("createClient", &[("username", username), ("password", if password.is_some() { "*****" } else { "no password" })]);
    Ok(None)
}

/// Names of groups with priorities. What is none is left out, as Mosquitto does.
fn listed_groups(fields: &Json) -> Vec<(&str, i32)> {
    let listed = fields.get("groups").and_then(Json::as_list).unwrap_or_default();
    listed.iter().filter_map(|group| Some((group.text_of(GROUP.key)?, priority(group)))).collect()
}

pub(super) fn delete(work: &mut Work<'_>, fields: &Json) -> Answer {
    let username = work.known_client(fields.text_of(USERNAME.key).ok_or(USERNAME.missing)?)?;
    work.state.leave_all(username);
    work.state.clients.remove(username);
    work.save();
    work.kick(username);
    work.log("deleteClient", &[("username", username)]);
    Ok(None)
}

pub(super) fn disable(work: &mut Work<'_>, fields: &Json) -> Answer {
    set_disabled(work, fields, true, "disableClient").map(|username| {
        work.kick(username);
        None
    })
}

pub(super) fn enable(work: &mut Work<'_>, fields: &Json) -> Answer {
    set_disabled(work, fields, false, "enableClient").map(|_| None)
}

fn set_disabled<'f>(work: &mut Work<'_>, fields: &'f Json, is_disabled: bool, command: &str) -> Result<&'f str, &'static str> {
    let username = work.client(fields)?;
    if let Some(client) = work.state.client_mut(username) {
        client.is_disabled = is_disabled;
    }
    work.save();
    work.log(command, &[("username", username)]);
    Ok(username)
}

pub(super) fn set_identifier(work: &mut Work<'_>, fields: &Json) -> Answer {
    let username = USERNAME.of(fields)?;
    let client_identifier = work.identifier(fields, "Invalid/missing client ID")?;
    let client = work.state.client_mut(username).ok_or(NOT_FOUND)?;
    client.client_identifier = client_identifier.map(Into::into);
    work.save();
    work.kick(username);
    work.log("setClientId", &[("username", username), ("clientid", client_identifier.unwrap_or("(null)"))]);
    Ok(None)
}

pub(super) fn set_password(work: &mut Work<'_>, fields: &Json) -> Answer {
    let username = USERNAME.of(fields)?;
    let password = fields.text_of("password").ok_or("Invalid/missing password")?;
    if password.is_empty() {
        return Err("Empty password is not allowed");
    }
    work.known_client(username)?;
    let hash = work.hash(password)?;
    if let Some(client) = work.state.client_mut(username) {
        client.password = Some(hash);
    }
    work.save();
    work.kick(username);
    work.log("setClientPassword", &[("username", username), ("password", "******")]);
    Ok(None)
}

pub(super) fn modify(work: &mut Work<'_>, fields: &Json) -> Answer {
    let username = work.client(fields)?;
    let Some(mut client) = work.state.client(username).cloned() else { return Err(NOT_FOUND) };
    if let Some(identifier) = fields.text_of("clientid") {
        client.client_identifier = Some(work.bounded(identifier)?).filter(|identifier| !identifier.is_empty()).map(Into::into);
    }
    work.change_about(fields, &mut client.about)?;
    if let Some(roles) = work.roles(fields).map_err(|error| error.words(ROLES_INVALID))? {
        client.roles = roles;
    }
    let groups = work.changed_groups(fields)?;
    if let Some(password) = fields.text_of("password").filter(|password| !password.is_empty()) {
        client.password = Some(work.hash(password)?);
    }
    work.state.clients.insert(username.into(), Arc::new(client));
    if let Some(groups) = groups {
        work.state.leave_all(username);
        for (group, priority) in groups {
            work.state.join(username, group, priority);
        }
    }
    work.save();
    work.kick(username);
    work.log("modifyClient", &[("username", username)]);
    Ok(None)
}

impl Work<'_> {
    /// The groups in which a client is to be from here on, all of which have to be there; `None`: where it is.
    fn changed_groups<'f>(&self, fields: &'f Json) -> Result<Option<Vec<(&'f str, i32)>>, &'static str> {
        let Some(listed) = fields.get("groups").and_then(Json::as_list) else { return Ok(None) };
        let mut groups = Vec::new();
        for group in listed.iter().filter(|group| group.is_object()) {
            let name = group.text_of(GROUP.key).ok_or("'groups' contains an object with an invalid 'groupname'")?;
            if !self.state.groups.contains_key(name) {
                return Err("'groups' contains an object with a 'groupname' that does not exist");
            }
            groups.push((name, priority(group)));
        }
        self.room(groups.len(), |bounds| bounds.memberships + 1, TOO_MANY_MEMBERSHIPS)?;
        Ok(Some(groups))
    }
}

pub(super) fn get(work: &mut Work<'_>, fields: &Json) -> Answer {
    let username = work.client(fields)?;
    let client = work.state.client(username).ok_or(NOT_FOUND)?;
    let shown = Json::object([("client", work.shown_client(username, client))]);
    work.log("getClient", &[("username", username)]);
    Ok(Some(shown))
}

pub(super) fn list(work: &mut Work<'_>, fields: &Json) -> Answer {
    let page = Page::of(fields);
    let clients = page.cut(work.state.clients.iter());
    let shown = clients.map(|(name, client)| if page.is_verbose { work.shown_client(name, client) } else { Json::text(name) });
    let shown = Page::shown(work.state.clients.len(), "clients", shown.collect());
    page.log(work, "listClients");
    Ok(Some(shown))
}

pub(super) fn add_role(work: &mut Work<'_>, fields: &Json) -> Answer {
    let (username, role) = (USERNAME.of(fields)?, ROLE.of(fields)?);
    let client = work.state.client(username).ok_or(NOT_FOUND)?;
    let (role, _) = work.state.roles.get_key_value(role).ok_or("Role not found")?;
    work.room(client.roles.len(), |bounds| bounds.memberships, TOO_MANY_MEMBERSHIPS)?;
    let (role, priority) = (Arc::clone(role), priority(fields));
    if !work.state.client_mut(username).is_some_and(|client| client.roles.add(&role, priority)) {
        return Err("Internal error");
    }
    work.save();
    work.kick(username);
    work.log("addClientRole", &[("username", username), ("rolename", &role), ("priority", &priority.to_string())]);
    Ok(None)
}

pub(super) fn remove_role(work: &mut Work<'_>, fields: &Json) -> Answer {
    let (username, role) = (USERNAME.of(fields)?, ROLE.of(fields)?);
    work.known_client(username)?;
    work.has_role(role)?;
    if let Some(client) = work.state.client_mut(username) {
        client.roles.remove(role);
    }
    work.save();
    work.kick(username);
    work.log("removeClientRole", &[("username", username), ("rolename", role)]);
    Ok(None)
}
