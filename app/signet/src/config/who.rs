//! For whom an access rule is: `devices`, `device:pump-*`, `cert.subject.ou=Hall 3 and profile:factory`.

use signet_identity::Expression;
use signet_policy::{NamePattern, Who};

use super::problem::{Problems, suggestion};
use super::section::At;

/// Reads `who` of an access rule.
pub(super) fn who(written: &At<String>, problems: &Problems) -> Option<Who> {
    let complain = |message: String, hint: Option<String>| {
        problems.at(&written.span, message, hint);
        None
    };
    let mut all = Vec::new();
    for part in parts(&written.value) {
        match one(part) {
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

fn one(part: &str) -> Result<Who, Complaint> {
    if part.starts_with("cert.")
        && let Some((field, value)) = split_at_equals(part)
    {
        return certificate(field, value);
    }
    if let Some((kind, name)) = part.split_once(':') {
        let name = unquoted(name);
        match kind {
            "device" if !name.is_empty() => return Ok(Who::Device(NamePattern::new(name))),
            "username" if !name.is_empty() => return Ok(Who::Username(NamePattern::new(name))),
            "profile" if !name.is_empty() => return Ok(Who::Profile(name.to_owned())),
            "tenant" if !name.is_empty() => return Ok(Who::Tenant(name.to_owned())),
            _ => {}
        }
    }
    match part {
        "everyone" => Ok(Who::Everyone),
        "devices" => Ok(Who::Devices),
        "anonymous" => Ok(Who::Anonymous),
        other => {
            let known =
                ["devices", "anonymous", "everyone", "device:NAME", "username:NAME", "profile:NAME", "tenant:NAME", "cert.FIELD=VALUE"];
            Err((format!("`{other}` is nobody a rule can be for"), Some(suggestion(other, &known))))
        }
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
        let mut all = parts(text).into_iter().map(|part| one(part).map_err(|(message, _)| message)).collect::<Result<Vec<_>, _>>()?;
        Ok(if all.len() == 1 { all.remove(0) } else { Who::All(all) })
    }

    fn certificate(field: &str, value: &str) -> Who {
        Who::Certificate { field: Expression::parse(field).unwrap(), value: NamePattern::new(value) }
    }

    #[test]
    fn every_form_has_its_meaning() {
        assert_eq!(read("devices"), Ok(Who::Devices));
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
