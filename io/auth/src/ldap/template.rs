//! Names and filters with placeholders, which clients cannot break out of.

use std::borrow::Cow;

use signet_identity::{Expression, Facts, PlaceholderStyle, Template, TemplatePiece};
use signet_policy::ProvenNames;

/// What is wrong with a setting, what was expected, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LdapError(pub String);

/// A distinguished name, `uid=${username},ou=devices,dc=example,dc=org`: values are escaped as RFC 4514 §2.4 says.
#[derive(Debug, Clone)]
pub struct LdapDn(Template);

/// A search filter, `(&(objectClass=mqttUser)(uid=${username}))`: values are escaped as RFC 4515 §3 says.
#[derive(Debug, Clone)]
pub struct LdapFilter(Template);

impl LdapDn {
    /// Reads a name.
    ///
    /// # Errors
    /// A placeholder that is unknown or stands where no value can.
    pub fn parse(text: &str) -> Result<Self, LdapError> {
        let template = read(text)?;
        check_places(&template, "DN", |before| before.rsplit([',', '+']).next().is_some_and(|part| part.contains('=')))?;
        Ok(Self(template))
    }

    /// The name of one client.
    ///
    /// # Errors
    /// The client does not have one of the values; in words.
    pub fn render(&self, facts: &Facts<'_>) -> Result<String, String> {
        render(&self.0, facts, ldap3::dn_escape)
    }

    /// Whether it is another one for each client.
    #[must_use]
    pub fn has_placeholders(&self) -> bool {
        self.expressions().next().is_some()
    }

    /// Which names are a client's to whom the entry of this name belongs. Each value has to be an attribute's for itself: what is escaped ends there.
    pub(super) fn proves(&self) -> ProvenNames {
        let text: String = self.0.pieces().map(|piece| if let TemplatePiece::Literal(text) = piece { text } else { PLACE }).collect();
        if text.split([',', '+']).any(|part| part.matches(PLACE).count() > 1) {
            return ProvenNames::default();
        }
        self.expressions().filter_map(Expression::plain_field).map(ProvenNames::of_field).fold(ProvenNames::default(), ProvenNames::or)
    }

    /// Its placeholders.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        expressions(&self.0)
    }
}

impl LdapFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A placeholder that is unknown or stands where no value can, or no filter at all.
    pub fn parse(text: &str) -> Result<Self, LdapError> {
        let template = read(text)?;
        check_places(&template, "filter", |before| {
            before.rsplit('(').next().is_some_and(|part| part.contains('=') && !part.contains(')'))
        })?;
        let example: String = template
            .pieces()
            .map(|piece| match piece {
                TemplatePiece::Literal(text) => text,
                TemplatePiece::Placeholder(_) => "x",
            })
            .collect();
        if ldap3::parse_filter(&example).is_err() {
            return Err(LdapError(format!("`{text}` is no LDAP filter; write `(uid=${{username}})`")));
        }
        Ok(Self(template))
    }

    /// The filter for one client.
    ///
    /// # Errors
    /// The client does not have one of the values; in words.
    pub fn render(&self, facts: &Facts<'_>) -> Result<String, String> {
        render(&self.0, facts, ldap3::ldap_escape)
    }

    /// Whether it finds something else for each client.
    #[must_use]
    pub fn has_placeholders(&self) -> bool {
        self.expressions().next().is_some()
    }

    /// Which names are a client's to whom the entry belongs that it finds: those that an attribute has to be equal to. With alternatives or negations in the
    /// filter none.
    pub(super) fn proves(&self) -> ProvenNames {
        let mut proven = ProvenNames::default();
        let mut pieces = self.0.pieces().peekable();
        let mut before = "";
        while let Some(piece) = pieces.next() {
            match piece {
                TemplatePiece::Literal(text) if text.contains("(|") || text.contains("(!") => return ProvenNames::default(),
                TemplatePiece::Literal(text) => before = text,
                TemplatePiece::Placeholder(expression) => {
                    let ends = matches!(pieces.peek(), Some(TemplatePiece::Literal(after)) if after.starts_with(')'));
                    let assertion = before.rsplit('(').next().unwrap_or_default();
                    let is_equality = assertion
                        .split_once('=')
                        .is_some_and(|(attribute, value)| !attribute.ends_with(['<', '>', '~', ':']) && !value.contains('*'));
                    if let Some(field) = expression.plain_field().filter(|_| ends && is_equality) {
                        proven = proven.or(ProvenNames::of_field(field));
                    }
                    // Two values in one assertion may run together.
                    before = "";
                }
            }
        }
        proven
    }

    /// Its placeholders.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        expressions(&self.0)
    }
}

fn expressions(template: &Template) -> impl Iterator<Item = &Expression> {
    template.pieces().filter_map(|piece| match piece {
        TemplatePiece::Placeholder(expression) => Some(expression),
        TemplatePiece::Literal(_) => None,
    })
}

/// Stands for a value; in no name as it is written.
const PLACE: &str = "\0";

/// `${…}`, or without any the placeholders of EMQX 4.
fn read(text: &str) -> Result<Template, LdapError> {
    let style = if text.contains("${") { PlaceholderStyle::Emqx5 } else { PlaceholderStyle::Emqx4 };
    Template::parse_with_placeholders(style, text).map_err(|error| LdapError(error.to_string()))
}

/// A placeholder may only stand where a value does; `is_value` looks at the text before one.
fn check_places(template: &Template, what: &str, is_value: impl Fn(&str) -> bool) -> Result<(), LdapError> {
    let mut before = String::new();
    for piece in template.pieces() {
        match piece {
            TemplatePiece::Literal(text) => before.push_str(text),
            TemplatePiece::Placeholder(expression) => {
                if !is_value(&before) {
                    let found = expression.placeholder();
                    return Err(LdapError(format!(
                        "in the {what}, `{found}` does not stand behind `=`, and only a value can come from a client"
                    )));
                }
                before.push('x');
            }
        }
    }
    Ok(())
}

fn render<'a>(template: &'a Template, facts: &Facts<'a>, escape: impl Fn(Cow<'a, str>) -> Cow<'a, str>) -> Result<String, String> {
    let mut text = String::new();
    for piece in template.pieces() {
        match piece {
            TemplatePiece::Literal(literal) => text.push_str(literal),
            TemplatePiece::Placeholder(expression) => {
                let value = expression.value(facts).map_err(|error| error.to_string())?;
                text.push_str(&escape(value));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(username: &str) -> Facts<'_> {
        Facts { username: Some(username), ..Facts::default() }
    }

    #[test]
    fn values_in_names_are_escaped() {
        let dn = LdapDn::parse("uid=${username},ou=devices,dc=example").unwrap();
        for (value, escaped) in [
            ("ann", "ann"),
            ("ann,ou=admins", "ann\\2cou\\3dadmins"),
            ("a+b=c", "a\\2bb\\3dc"),
            ("\"a\"<b>;\\", "\\22a\\22\\3cb\\3e\\3b\\5c"),
            (" #a ", "\\20#a\\20"),
            ("#a", "\\23a"),
            ("ÄÖ 泵", "ÄÖ 泵"),
        ] {
            assert_eq!(dn.render(&facts(value)).unwrap(), format!("uid={escaped},ou=devices,dc=example"));
        }
        assert!(dn.has_placeholders() && !LdapDn::parse("dc=example").unwrap().has_placeholders());
        for value in ["", "a\0b", "a\nb"] {
            assert!(dn.render(&facts(value)).is_err(), "{value:?}");
        }
        assert!(dn.render(&Facts::default()).is_err());
        assert_eq!(LdapDn::parse("uid=%u,dc=example").unwrap().render(&facts("a,b")).unwrap(), "uid=a\\2cb,dc=example");
    }

    #[test]
    fn values_in_filters_are_escaped() {
        let filter = LdapFilter::parse("(&(objectClass=mqttUser)(|(uid=${username})(cn=device-${username}*)))").unwrap();
        for (value, escaped) in [
            ("ann", "ann"),
            ("*", "\\2a"),
            ("*)(uid=*", "\\2a\\29\\28uid=\\2a"),
            ("a\\2a", "a\\5c2a"),
            ("ann)(|(uid=*", "ann\\29\\28|\\28uid=\\2a"),
            ("ÄÖ 泵", "ÄÖ 泵"),
        ] {
            let rendered = filter.render(&facts(value)).unwrap();
            assert_eq!(rendered, format!("(&(objectClass=mqttUser)(|(uid={escaped})(cn=device-{escaped}*)))"));
            assert!(ldap3::parse_filter(&rendered).is_ok());
        }
        assert!(filter.has_placeholders());
    }

    #[test]
    fn an_entry_proves_the_names_that_its_attributes_have_to_be_equal_to() {
        let (name, nothing) = (ProvenNames::USERNAME, ProvenNames::default());
        for (text, expected) in [
            ("uid=${username},ou=devices,dc=example", name),
            ("uid=%u+cn=%c,dc=example", ProvenNames::BOTH),
            ("uid=${username}${client_identifier},dc=example", nothing),
            ("cn=${cert.cn},dc=example", nothing),
        ] {
            assert_eq!(LdapDn::parse(text).unwrap().proves(), expected, "{text}");
        }
        for (text, expected) in [
            ("(uid=${username})", name),
            ("(&(objectClass=mqttUser)(cn=device-${username})(active=yes))", name),
            ("(&(uid=%u)(client=%c))", ProvenNames::BOTH),
            ("(cn=device-${username}*)", nothing),
            ("(cn=*${username})", nothing),
            ("(cn>=${username})", nothing),
            ("(cn~=${username})", nothing),
            ("(cn:caseExactMatch:=${username})", nothing),
            ("(|(uid=${username})(mail=${client_identifier}))", nothing),
            ("(&(uid=${client_identifier})(!(cn=${username})))", nothing),
            ("(uid=${client_identifier}${username})", nothing),
            ("(uid=${username:lower})", nothing),
        ] {
            assert_eq!(LdapFilter::parse(text).unwrap().proves(), expected, "{text}");
        }
    }

    #[test]
    fn placeholders_stand_for_values_only() {
        for (text, words) in [
            ("${username},dc=example", "does not stand behind `=`"),
            ("uid=x,${username}=y", "does not stand behind `=`"),
            ("uid=${usrname}", "username"),
            ("", ""),
        ] {
            let error = LdapDn::parse(text).unwrap_err().0;
            assert!(error.contains(words), "{text}: {error}");
        }
        for (text, words) in [
            ("(${username}=x)", "does not stand behind `=`"),
            ("(&(a=b)${username})", "does not stand behind `=`"),
            ("(uid=${username}", "is no LDAP filter"),
            ("(uid=%x)", "%x"),
        ] {
            let error = LdapFilter::parse(text).unwrap_err().0;
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
