//! Commands about everything: default access, numbers.

use super::{Answer, Work};
use crate::document::ACCESS;
use crate::json::Json;

pub(super) fn set_default_access(work: &mut Work<'_>, fields: &Json) -> Answer {
    let actions = fields.get("acls").and_then(Json::as_list).ok_or("Missing/invalid actions array")?;
    for action in actions {
        let Some((kind, Ok(Some(allow)))) = action.text_of("acltype").map(|kind| (kind, action.optional_bool("allow"))) else { continue };
        if let Some((_, of)) = ACCESS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)) {
            *of(&mut work.state.defaults) = allow;
        }
        work.log("setDefaultACLAccess", &[("acltype", kind), ("allow", if allow { "true" } else { "false" })]);
    }
    work.save();
    Ok(None)
}

pub(super) fn get_default_access(work: &mut Work<'_>, _fields: &Json) -> Answer {
    let mut defaults = work.state.defaults;
    let shown = ACCESS.map(|(kind, of)| Json::object([("acltype", Json::text(kind)), ("allow", Json::Bool(*of(&mut defaults)))]));
    work.log("getDefaultACLAccess", &[]);
    Ok(Some(Json::object([("acls", Json::List(shown.into()))])))
}

pub(super) fn get_details(work: &mut Work<'_>, _fields: &Json) -> Answer {
    work.log("getDetails", &[]);
    Ok(Some(Json::object([
        ("clientCount", Json::count(work.state.clients.len())),
        ("groupCount", Json::count(work.state.groups.len())),
        ("roleCount", Json::count(work.state.roles.len())),
        ("changeIndex", Json::Int(work.state.change_index)),
    ])))
}
