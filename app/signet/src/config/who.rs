//! For whom an access rule is: `devices`, `device:pump-*`, `cert.subject.ou=Hall 3 and profile:factory`, `group:operators and not address:10.0.0.0/8`.

use std::ops::Range;

use signet_identity::Expression;
use signet_policy::{NamePattern, Who};

use super::problem::{Mention, Problems, suggestion};
use super::section::{At, Section};

/// Reads `who` of an access rule.
pub(super) fn who(written: &At<String>, problems: &Problems) -> Option<Who> {
    let complain = |message: String, hint: Option<String>| {
        problems.at(&written.span, message, hint);
        None
    };
    let mut all = Vec::new();
    for part in parts(&written.value) {
        match one(part, (problems, &written.span)) {
            Ok(who) => all.push(who),
            Err((message, hint)) => return complain(message, hint),
        }
    }
    match all.pop() {
        Some(last) if all.is_empty() => Some(last),
        Some(last) => {
            all.push(last);
            Some(Who::All(all))
        }
        None => complain("`who` is empty".to_owned(), Some("write who = \"devices\", the clients with a certificate".to_owned())),
    }
}

/// Cuts at each ` and ` that stands in no quotes.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, joint) in text.match_indices(" and ") {
        let part = text.get(start..at).unwrap_or_default();
        if part.matches('"').count() % 2 == 0 {
            parts.push(part.trim());
            start = at + joint.len();
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts
}

type Complaint = (String, Option<String>);

const KNOWN: [&str; 14] = [
    "devices",
    "users",
    "anonymous",
    "everyone",
    "device:NAME",
    "username:NAME",
    "client_identifier:NAME",
    "group:NAME",
    "profile:NAME",
    "tenant:NAME",
    "listener:NAME",
    "address:NETWORK",
    "cert.FIELD=VALUE",
    "attribute.NAME=VALUE",
];

fn one(part: &str, (problems, span): (&Problems, &Range<usize>)) -> Result<Who, Complaint> {
    if let Some(other) = part.strip_prefix("not ") {
        return one(other.trim_start(), (problems, span)).map(|who| Who::Not(Box::new(who)));
    }
    if part.starts_with("cert.")
        && let Some((field, value)) = split_at_equals(part)
    {
        return certificate(field, value);
    }
    if let Some((name, value)) = part.strip_prefix("attribute.").and_then(|attribute| attribute.split_once('=')) {
        let (name, value) = (name.trim(), unquoted(value));
        if !name.is_empty() && !value.is_empty() {
            return Ok(Who::Attribute { name: name.to_owned(), value: NamePattern::new(value) });
        }
    }
    if let Some((kind, name)) = part.split_once(':')
        && let name = unquoted(name)
        && !name.is_empty()
    {
        let mentioned = match kind {
            "listener" => Some(Mention::Listener),
            "profile" => Some(Mention::Profile),
            "tenant" => Some(Mention::Tenant),
            "group" => Some(Mention::Group),
            _ => None,
        };
        if let Some(what) = mentioned {
            problems.mention(what, name, span);
        }
        match kind {
            "device" => return Ok(Who::Device(NamePattern::new(name))),
            "username" => return Ok(Who::Username(NamePattern::new(name))),
            "client_identifier" => return Ok(Who::ClientIdentifier(NamePattern::new(name))),
            "listener" => return Ok(Who::Listener(NamePattern::new(name))),
            "profile" => return Ok(Who::Profile(name.to_owned())),
            "tenant" => return Ok(Who::Tenant(name.to_owned())),
            "group" => return Ok(group(name, problems)),
            "address" => {
                return name.parse().map(Who::Address).map_err(|error: signet_policy::NetworkError| (error.to_string(), None));
            }
            _ => {}
        }
    }
    match part {
        "everyone" => Ok(Who::Everyone),
        "devices" => Ok(Who::Devices),
        "users" => Ok(Who::Users),
        "anonymous" => Ok(Who::Anonymous),
        other => Err((format!("`{other}` is nobody a rule can be for"), Some(suggestion(other, &KNOWN)))),
    }
}

/// Whoever is in a group: its members as they are written, and those whom an authenticator puts there.
fn group(name: &str, problems: &Problems) -> Who {
    let given = Who::Group(name.to_owned());
    match problems.group(name) {
        Some(members) => Who::Any(vec![given, members]),
        None => given,
    }
}

/// Reads `[[group]]`. A group can name those that stand before it.
pub(super) fn read_groups(top: &Section<'_>, problems: &Problems) {
    for section in top.sections("group") {
        let name = section.string("name");
        let members = section.strings("members").map_or_else(Vec::new, |list| list.value);
        if name.is_none() && !section.keys().iter().any(|key| key == "name") {
            problems.at(&section.span, "[[group]] has no `name`", Some("add name = \"operators\"".to_owned()));
        }
        if members.is_empty() {
            let hint =
                "add members = [\"username:ann\", \"device:pump-*\"]; who is put into it by an authenticator alone needs no [[group]]";
            problems.at(&section.span, "[[group]] has no `members`", Some(hint.to_owned()));
        }
        let members: Vec<Who> = members.iter().filter_map(|member| who(member, problems)).collect();
        if let Some(name) = name
            && !problems.define_group(&name.value, Who::Any(members))
        {
            problems.at(&name.span, format!("two groups are called `{}`", name.value), Some("give each its own `name`".to_owned()));
        }
        section.finish();
    }
}

/// At the first `=` outside of parentheses, in which a regular expression may have others.
fn split_at_equals(part: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    let mut escaped = false;
    for (at, character) in part.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            '=' if depth == 0 => return Some((part.get(..at)?, part.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

fn certificate(field: &str, value: &str) -> Result<Who, Complaint> {
    let field = field.trim();
    let value = unquoted(value);
    let expression = Expression::parse(field).map_err(|error| (error.to_string(), None))?;
    // A rule about a certificate must not be one about what the client says, or about what changes while it is connected.
    if let Some(other) = expression.fields().find(|field| !field.is_certificate_field() || field.holds_lines()) {
        let hint = "write a field of one line that the certificate has, such as cert.subject.ou";
        return Err((format!("`{}` is nothing a rule can look at", other.name()), Some(hint.to_owned())));
    }
    if value.is_empty() {
        return Err((format!("`{field}=` has no value"), Some(format!("write {field}=VALUE; `*` stands for any characters"))));
    }
    Ok(Who::Certificate { field: expression, value: NamePattern::new(value) })
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Who, String> {
        let mut all = parts(text)
            .into_iter()
            .map(|part| one(part, (&Problems::new(std::path::Path::new(""), ""), &(0..0))).map_err(|(message, _)| message))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(if all.len() == 1 { all.remove(0) } else { Who::All(all) })
    }

    fn certificate(field: &str, value: &str) -> Who {
        Who::Certificate { field: Expression::parse(field).unwrap(), value: NamePattern::new(value) }
    }

    #[test]
    fn every_form_has_its_meaning() {
        assert_eq!(read("devices"), Ok(Who::Devices));
        assert_eq!(read("users and not group:guests"), Ok(Who::All(vec![Who::Users, Who::Not(Box::new(Who::Group("guests".into())))])));
        assert_eq!(read("username:pump-*"), Ok(Who::Username(NamePattern::new("pump-*"))));
        assert_eq!(read("client_identifier:c-*"), Ok(Who::ClientIdentifier(NamePattern::new("c-*"))));
        assert_eq!(read("address:2001:db8::/32"), Ok(Who::Address("2001:db8::/32".parse().unwrap())));
        assert_eq!(read("listener:factory"), Ok(Who::Listener(NamePattern::new("factory"))));
        let site = Who::Attribute { name: "site".into(), value: NamePattern::new("hall *") };
        assert_eq!(read("attribute.site = \"hall *\""), Ok(site));
        assert_eq!(read("device:pump-*"), Ok(Who::Device(NamePattern::new("pump-*"))));
        assert_eq!(read("cert.subject.ou=Hall 3"), Ok(certificate("cert.subject.ou", "Hall 3")));
        assert_eq!(read("cert.issuer.2.5.4.10[-1] = Acme*"), Ok(certificate("cert.issuer.2.5.4.10[-1]", "Acme*")));
        assert_eq!(read("cert.cn:regex(a=(.)) = b=c"), Ok(certificate("cert.cn:regex(a=(.))", "b=c")));
        assert_eq!(
            read("cert.subject.ou=\"Hall 3 and 4\" and profile:factory and tenant:acme"),
            Ok(Who::All(vec![certificate("cert.subject.ou", "Hall 3 and 4"), Who::Profile("factory".into()), Who::Tenant("acme".into())]))
        );
    }

    #[test]
    fn what_is_nobody_is_said() {
        for (text, expected) in [
            ("", "`` is nobody"),
            ("devices and ", "`` is nobody"),
            ("device:", "`device:` is nobody"),
            ("group:", "`group:` is nobody"),
            ("not ", "`not` is nobody"),
            ("attribute.=x", "`attribute.=x` is nobody"),
            ("attribute.a=", "`attribute.a=` is nobody"),
            ("address:10.0.0.0/40", "is no address and no network"),
            ("cert.subject.ou", "`cert.subject.ou` is nobody"),
            ("cert.subject.ouu=x", "unknown field"),
            ("cert.subject.ou=", "has no value"),
            ("cert.cn | username=x", "`username` is nothing a rule"),
            ("cert.days_left=3", "`cert.days_left` is nothing a rule"),
            ("cert.pem=x", "`cert.pem` is nothing a rule"),
            ("username:a and b", "`b` is nobody"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
