//! Commands about groups.

use std::sync::Arc;

use super::{Answer, GROUP, Page, ROLE, ROLES_INVALID, TOO_MANY_MEMBERSHIPS, USERNAME, Work, priority};
use crate::json::Json;
use crate::state::Group;

const NOT_FOUND: &str = "Group not found";

impl Work<'_> {
    /// The name of a group that is there.
    fn group<'f>(&self, fields: &'f Json) -> Result<&'f str, &'static str> {
        let name = GROUP.of(fields)?;
        if self.state.groups.contains_key(name) { Ok(name) } else { Err(NOT_FOUND) }
    }

    /// Ends the sessions of all in a group.
    fn kick_group(&mut self, name: &str) {
        if self.state.anonymous_group.as_deref() == Some(name) {
            self.kick_anonymous();
        }
        let members: Vec<Arc<str>> = self.state.groups.get(name).into_iter().flat_map(|group| group.clients.keys().cloned()).collect();
        for member in members {
            self.kick(&member);
        }
    }

    /// Takes all clients out of a group.
    fn empty_group(&mut self, name: &str) {
        let members: Vec<Arc<str>> = self.state.groups.get(name).into_iter().flat_map(|group| group.clients.keys().cloned()).collect();
        for member in members {
            self.state.leave(&member, name);
        }
    }
}

fn shown_group(name: &str, group: &Group) -> Json {
    let mut shown = Json::object([("groupname", Json::text(name))]);
    group.about.put_into(&mut shown);
    shown.put("clients", Json::List(group.clients.keys().map(|name| Json::object([("username", Json::text(name))])).collect()));
    shown.put("roles", group.roles.shown("rolename"));
    shown
}

pub(super) fn create(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = GROUP.new_of(fields, "Empty groupname")?;
    let about = work.about(fields)?;
    if work.state.groups.contains_key(name) {
        return Err("Group already exists");
    }
    work.room(work.state.groups.len(), |bounds| bounds.groups, "Too many groups")?;
    let roles = work.roles(fields).map_err(|error| error.words("Internal error"))?.unwrap_or_default();
    work.state.groups.insert(name.into(), Arc::new(Group { about, roles, ..Group::default() }));
    work.log("createGroup", &[("groupname", name)]);
    work.save();
    Ok(None)
}

pub(super) fn delete(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.group(fields)?;
    if work.state.anonymous_group.as_deref() == Some(name) {
        return Err("Deleting the anonymous group is forbidden");
    }
    work.kick_group(name);
    work.empty_group(name);
    work.state.groups.remove(name);
    work.save();
    work.log("deleteGroup", &[("groupname", name)]);
    Ok(None)
}

pub(super) fn add_client(work: &mut Work<'_>, fields: &Json) -> Answer {
    let (username, name) = (USERNAME.of(fields)?, GROUP.of(fields)?);
    let priority = priority(fields);
    // Mosquitto does so whatever becomes of it.
    work.kick(username);
    let client = work.state.client(username).ok_or("Client not found")?;
    if !work.state.groups.contains_key(name) {
        return Err(NOT_FOUND);
    }
    work.room(client.groups.len(), |bounds| bounds.memberships, TOO_MANY_MEMBERSHIPS)?;
    if !work.state.join(username, name, priority) {
        return Err("Client is already in this group");
    }
    work.save();
    work.log("addGroupClient", &[("groupname", name), ("username", username), ("priority", &priority.to_string())]);
    Ok(None)
}

pub(super) fn remove_client(work: &mut Work<'_>, fields: &Json) -> Answer {
    let (username, name) = (USERNAME.of(fields)?, GROUP.of(fields)?);
    work.kick(username);
    work.state.client(username).ok_or("Client not found")?;
    if !work.state.groups.contains_key(name) {
        return Err(NOT_FOUND);
    }
    work.state.leave(username, name);
    work.save();
    work.log("removeGroupClient", &[("groupname", name), ("username", username)]);
    Ok(None)
}

pub(super) fn list(work: &mut Work<'_>, fields: &Json) -> Answer {
    let page = Page::of(fields);
    let groups = page.cut(work.state.groups.iter());
    let shown = groups.map(|(name, group)| if page.is_verbose { shown_group(name, group) } else { Json::text(name) });
    let shown = Page::shown(work.state.groups.len(), "groups", shown.collect());
    page.log(work, "listGroups");
    Ok(Some(shown))
}

pub(super) fn get(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.group(fields)?;
    let group = work.state.groups.get(name).ok_or(NOT_FOUND)?;
    let shown = Json::object([("group", shown_group(name, group))]);
    work.log("getGroup", &[("groupname", name)]);
    Ok(Some(shown))
}

pub(super) fn add_role(work: &mut Work<'_>, fields: &Json) -> Answer {
    let (name, role) = (GROUP.of(fields)?, ROLE.of(fields)?);
    let group = work.state.groups.get(name).ok_or(NOT_FOUND)?;
    let (role, _) = work.state.roles.get_key_value(role).ok_or("Role not found")?;
    work.room(group.roles.len(), |bounds| bounds.memberships, TOO_MANY_MEMBERSHIPS)?;
    let (role, priority) = (Arc::clone(role), priority(fields));
    if !work.state.group_mut(name).is_some_and(|group| group.roles.add(&role, priority)) {
        return Err("Group is already in this role");
    }
    work.log("addGroupRole", &[("groupname", name), ("rolename", &role), ("priority", &priority.to_string())]);
    work.save();
    work.kick_group(name);
    Ok(None)
}

pub(super) fn remove_role(work: &mut Work<'_>, fields: &Json) -> Answer {
    let (name, role) = (GROUP.of(fields)?, ROLE.of(fields)?);
    if !work.state.groups.contains_key(name) {
        return Err(NOT_FOUND);
    }
    work.has_role(role)?;
    if let Some(group) = work.state.group_mut(name) {
        group.roles.remove(role);
    }
    work.save();
    work.kick_group(name);
    work.log("removeGroupRole", &[("groupname", name), ("rolename", role)]);
    Ok(None)
}

pub(super) fn modify(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.group(fields)?;
    let Some(mut about) = work.state.groups.get(name).map(|group| group.about.clone()) else { return Err(NOT_FOUND) };
    work.change_about(fields, &mut about)?;
    let roles = work.roles(fields).map_err(|error| error.words(ROLES_INVALID))?;
    if let Some(members) = work.changed_members(fields)? {
        // Those who go, and further below those who come.
        work.kick_group(name);
        work.empty_group(name);
        for (username, priority) in members {
            work.state.join(username, name, priority);
        }
    }
    if let Some(group) = work.state.group_mut(name) {
        group.about = about;
        if let Some(roles) = roles {
            group.roles = roles;
        }
    }
    work.save();
    work.kick_group(name);
    work.log("modifyGroup", &[("groupname", name)]);
    Ok(None)
}

impl Work<'_> {
    /// The clients that are to be in a group from here on, all of which have to be there; `None`: those who are.
    fn changed_members<'f>(&self, fields: &'f Json) -> Result<Option<Vec<(&'f str, i32)>>, &'static str> {
        let Some(listed) = fields.get("clients").and_then(Json::as_list) else { return Ok(None) };
        let mut members = Vec::new();
        for member in listed.iter().filter(|member| member.is_object()) {
            let username = member.text_of(USERNAME.key).ok_or("'clients' contains an object with an invalid 'username'")?;
            let client = self.state.client(username).ok_or("'clients' contains an object with a 'username' that does not exist")?;
            self.room(client.groups.len(), |bounds| bounds.memberships + 1, TOO_MANY_MEMBERSHIPS)?;
            members.push((username, priority(member)));
        }
        Ok(Some(members))
    }
}

pub(super) fn set_anonymous(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.group(fields)?;
    work.state.anonymous_group = Some(name.into());
    work.save();
    work.kick_anonymous();
    work.log("setAnonymousGroup", &[("groupname", name)]);
    Ok(None)
}

pub(super) fn get_anonymous(work: &mut Work<'_>, _fields: &Json) -> Answer {
    let name = work.state.anonymous_group.as_deref().unwrap_or_default();
    let shown = Json::object([("group", Json::object([("groupname", Json::text(name))]))]);
    work.log("getAnonymousGroup", &[]);
    Ok(Some(shown))
}
