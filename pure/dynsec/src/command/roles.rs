//! Commands about roles.

use std::sync::Arc;

use super::{Answer, Page, ROLE, Work};
use crate::json::Json;
use crate::pattern::is_filter;
use crate::state::{Acl, AclKind, Acls, Role, bounded_priority};
use crate::text;

const NOT_FOUND: &str = "Role not found";
const TOO_MANY_ACLS: &str = "Too many ACLs";

impl Work<'_> {
    /// The name of a role that is there.
    fn role<'f>(&self, fields: &'f Json) -> Result<&'f str, &'static str> {
        let name = ROLE.of(fields)?;
        self.has_role(name)?;
        Ok(name)
    }

    /// Ends the sessions of all who have a role.
    fn kick_role(&mut self, name: &str) {
        let (clients, is_anonymous) = self.state.holders_of(name);
        if is_anonymous {
            self.kick_anonymous();
        }
        for client in clients {
            self.kick(&client);
        }
    }

    /// The rules that a command lists; `None`: it lists none.
    fn acls(&self, fields: &Json) -> Result<Option<Acls>, &'static str> {
        let Some(listed) = fields.get("acls").and_then(Json::as_list) else { return Ok(None) };
        self.room(listed.len(), |bounds| bounds.acls + 1, TOO_MANY_ACLS)?;
        Ok(Some(Acls::read(listed)))
    }
}

pub(super) fn create(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = ROLE.new_of(fields, "Empty rolename")?;
    let about = work.about(fields)?;
    let allows_wildcards = fields.optional_bool("allowwildcardsubs").map_err(|_| "Invalid allowwildcardsubs")?.unwrap_or(true);
    if work.state.roles.contains_key(name) {
        return Err("Role already exists");
    }
    work.room(work.state.roles.len(), |bounds| bounds.roles, "Too many roles")?;
    let acls = work.acls(fields)?.unwrap_or_default();
    work.state.roles.insert(name.into(), Arc::new(Role { about, allows_wildcards, acls }));
    work.save();
    work.log("createRole", &[("rolename", name)]);
    Ok(None)
}

pub(super) fn delete(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.role(fields)?;
    work.kick_role(name);
    for client in work.state.clients.values_mut().filter(|client| client.roles.contains(name)) {
        Arc::make_mut(client).roles.remove(name);
    }
    for group in work.state.groups.values_mut().filter(|group| group.roles.contains(name)) {
        Arc::make_mut(group).roles.remove(name);
    }
    work.state.roles.remove(name);
    work.save();
    work.log("deleteRole", &[("rolename", name)]);
    Ok(None)
}

pub(super) fn list(work: &mut Work<'_>, fields: &Json) -> Answer {
    let page = Page::of(fields);
    let roles = page.cut(work.state.roles.iter());
    let shown = roles.map(|(name, role)| if page.is_verbose { role.shown(name) } else { Json::text(name) });
    let shown = Page::shown(work.state.roles.len(), "roles", shown.collect());
    page.log(work, "listRoles");
    Ok(Some(shown))
}

pub(super) fn get(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.role(fields)?;
    let role = work.state.roles.get(name).ok_or(NOT_FOUND)?;
    let shown = Json::object([("role", role.shown(name))]);
    work.log("getRole", &[("rolename", name)]);
    Ok(Some(shown))
}

pub(super) fn modify(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = ROLE.of(fields)?;
    let Some(mut role) = work.state.roles.get(name).map(|role| (**role).clone()) else { return Err("Role does not exist") };
    work.change_about(fields, &mut role.about)?;
    let mut is_other = false;
    if let Ok(Some(allows)) = fields.optional_bool("allowwildcardsubs") {
        is_other = role.allows_wildcards != allows;
        role.allows_wildcards = allows;
    }
    if let Some(acls) = work.acls(fields)? {
        role.acls = acls;
        is_other = true;
    }
    work.state.roles.insert(name.into(), Arc::new(role));
    if is_other {
        work.kick_role(name);
    }
    work.save();
    work.log("modifyRole", &[("rolename", name)]);
    Ok(None)
}

/// Which rule of a role a command is about.
fn acl_of(fields: &Json) -> Result<(AclKind, &str, &str), &'static str> {
    let written = fields.text_of("acltype").ok_or("Invalid/missing acltype")?;
    let kind = AclKind::named(written).ok_or("Unknown acltype")?;
    let topic = fields.text_of("topic").ok_or("Invalid/missing topic")?;
    if !text::is_valid(topic) {
        return Err("Topic not valid UTF-8");
    }
    if !is_filter(topic) {
        return Err("Invalid ACL topic");
    }
    Ok((kind, written, topic))
}

pub(super) fn add_acl(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.role(fields)?;
    let (kind, written, topic) = acl_of(fields)?;
    let role = work.state.roles.get(name).ok_or(NOT_FOUND)?;
    work.room(role.acls.len(), |bounds| bounds.acls, TOO_MANY_ACLS)?;
    let (priority, allow) = (bounded_priority(fields.int_or("priority", 0)), fields.bool_or("allow", false));
    let acl = Acl { topic: topic.into(), priority, allow };
    if !work.state.role_mut(name).is_some_and(|role| role.acls.add(kind, acl)) {
        return Err("ACL with this topic already exists");
    }
    work.save();
    work.kick_role(name);
    let (priority, allow) = (priority.to_string(), if allow { "true" } else { "false" });
    work.log("addRoleACL", &[("rolename", name), ("acltype", written), ("topic", topic), ("priority", &priority), ("allow", allow)]);
    Ok(None)
}

pub(super) fn remove_acl(work: &mut Work<'_>, fields: &Json) -> Answer {
    let name = work.role(fields)?;
    let (kind, written, topic) = acl_of(fields)?;
    if !work.state.role_mut(name).is_some_and(|role| role.acls.remove(kind, topic)) {
        return Err("ACL not found");
    }
    work.save();
    work.kick_role(name);
    work.log("removeRoleACL", &[("rolename", name), ("acltype", written), ("topic", topic)]);
    Ok(None)
}
