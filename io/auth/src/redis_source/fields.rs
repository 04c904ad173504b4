//! Makes a record of fields and their values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::reply::Field;
use crate::password_source::Record;

/// The password's hash; the first that is there counts.
const PASSWORD: [&str; 2] = ["password_hash", "password"];
const SALT: &str = "salt";
const SUPERUSER: &str = "is_superuser";

/// What is looked at besides `password_hash` or `password`, `salt` and `is_superuser`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisFields {
    /// Names for what comes back, in order, in place of those that the command itself gives. Empty: none.
    pub positions: Vec<Arc<str>>,
    /// The field with the client's groups: names with commas in between, or a list in JSON.
    pub groups: Option<Arc<str>>,
    /// The field with the time at which the session ends, in Unix seconds.
    pub expires_at: Option<Arc<str>>,
    /// Fields that become attributes of the client under the same name.
    pub attributes: Vec<Arc<str>>,
}

impl RedisFields {
    /// The names of what a command brings back in order. Where none is known as a password the first is one, and the second its salt unless it is known as
    /// something else: the way of EMQX 4.
    pub(super) fn names(&self, of_command: Vec<String>) -> Vec<String> {
        if !self.positions.is_empty() {
            return self.positions.iter().map(|name| name.to_string()).collect();
        }
        let mut names = of_command;
        if names.iter().any(|name| PASSWORD.contains(&name.as_str())) {
            return names;
        }
        let has_salt = names.iter().any(|name| name == SALT);
        let (first, second) = match names.as_mut_slice() {
            [] => return vec![PASSWORD[1].to_owned(), SALT.to_owned()],
            [first] => (first, None),
            [first, second, ..] => (first, Some(second)),
        };
        if !self.is_known(first) {
            PASSWORD[1].clone_into(first);
        }
        if let Some(second) = second.filter(|second| !has_salt && !self.is_known(second)) {
            SALT.clone_into(second);
        }
        names
    }

    /// Whether a name means something.
    fn is_known(&self, name: &str) -> bool {
        name == SALT || name == SUPERUSER || self.configured().any(|known| known == name)
    }

    /// The names that the operator has given.
    fn configured(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().chain(&self.expires_at).chain(&self.attributes).map(|name| &**name)
    }

    /// Whether these names are enough: there is a password among them, and everything that the operator asks for.
    pub(super) fn check(&self, names: &[String]) -> Result<(), String> {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if !PASSWORD.into_iter().any(has) {
            return Err(format!("brings back {} and no `password_hash` or `password`", names.join(", ")));
        }
        match self.configured().find(|wanted| !has(wanted)) {
            Some(missing) => Err(format!("brings back {} and no `{missing}`, which is asked for", names.join(", "))),
            None => Ok(()),
        }
    }

    /// The record; `None` where no field has a value.
    ///
    /// # Errors
    /// A field holds what it cannot: in words, without the value.
    pub(super) fn record(&self, fields: &[Field]) -> Result<Option<Record>, String> {
        if fields.iter().all(|(_, value)| value.is_none()) {
            return Ok(None);
        }
        let value = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.as_deref());
        let text = |wanted: &str| {
            let text = value(wanted).map(std::str::from_utf8).transpose();
            text.map_err(|_| format!("`{wanted}` is no UTF-8"))
        };
        let mut attributes = BTreeMap::new();
        for name in &self.attributes {
            if let Some(found) = text(name)? {
                attributes.insert(Arc::clone(name), found.into());
            }
        }
        let expires_at = match self.expires_at.as_deref() {
            None => None,
            Some(name) => {
                text(name)?.map(|found| found.trim().parse::<i64>().map_err(|_| format!("`{name}` is no number of seconds"))).transpose()?
            }
        };
        let groups = match self.groups.as_deref() {
            None => BTreeSet::new(),
            Some(name) => groups(text(name)?.unwrap_or_default()).ok_or_else(|| format!("`{name}` is no list of names"))?,
        };
        Ok(Some(Record {
            // An empty one is none: somebody would know it.
            password_hash: PASSWORD.into_iter().find_map(value).filter(|hash| !hash.is_empty()).map(<[u8]>::to_vec),
            salt: value(SALT).map(<[u8]>::to_vec),
            superuser: value(SUPERUSER).is_some_and(is_true),
            groups,
            attributes,
            expires_at,
        }))
    }
}

/// What EMQX takes for true: `true`, and whole numbers from 1.
fn is_true(value: &[u8]) -> bool {
    value == b"true" || std::str::from_utf8(value).is_ok_and(|text| text.parse::<i64>().is_ok_and(|number| number >= 1))
}

/// `a, b`, or `["a", "b"]`.
fn groups(text: &str) -> Option<BTreeSet<Arc<str>>> {
    if text.trim_start().starts_with('[') {
        let names: Vec<String> = serde_json::from_str(text).ok()?;
        return Some(names.into_iter().map(Arc::from).collect());
    }
    Some(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Arc::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        (name.to_owned(), Some(value.as_bytes().to_vec()))
    }

    #[test]
    fn truth_is_what_emqx_takes_for_it() {
        for (value, expected) in [
            ("true", true),
            ("1", true),
            ("2", true),
            ("", false),
            ("0", false),
            ("-1", false),
            ("false", false),
            ("True", false),
            ("yes", false),
            ("1.5", false),
        ] {
            assert_eq!(is_true(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn places_are_those_of_emqx_4_unless_they_have_names() {
        let fields = RedisFields { attributes: vec!["site".into()], ..RedisFields::default() };
        for (given, expected) in [
            (vec![], vec!["password", "salt"]),
            (vec!["password", "salt"], vec!["password", "salt"]),
            (vec!["salt", "password"], vec!["salt", "password"]),
            (vec!["password_hash", "x"], vec!["password_hash", "x"]),
            (vec!["pw"], vec!["password"]),
            (vec!["pw", "pepper"], vec!["password", "salt"]),
            (vec!["pw", "is_superuser"], vec!["password", "is_superuser"]),
            (vec!["pw", "site", "x"], vec!["password", "site", "x"]),
            (vec!["pw", "x", "salt"], vec!["password", "x", "salt"]),
            (vec!["is_superuser"], vec!["is_superuser"]),
        ] {
            let names = fields.names(given.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(names, expected, "{given:?}");
        }
        let placed = RedisFields { positions: vec!["salt".into(), "password".into()], ..RedisFields::default() };
        assert_eq!(placed.names(vec!["a".to_owned(), "b".to_owned()]), ["salt", "password"]);
        assert!(placed.check(&["salt".to_owned()]).is_err());
        assert!(fields.check(&["password".to_owned()]).unwrap_err().contains("`site`"));
        assert!(fields.check(&["password".to_owned(), "site".to_owned()]).is_ok());
    }

    #[test]
    fn a_record_has_what_its_fields_say() {
        let fields = RedisFields {
            groups: Some("groups".into()),
            expires_at: Some("until".into()),
            attributes: vec!["site".into(), "floor".into()],
            ..RedisFields::default()
        };
        assert!(fields.record(&[]).unwrap().is_none());
        assert!(fields.record(&[("password".to_owned(), None)]).unwrap().is_none());
        let all = [field("password", "old"), field("password_hash", "new"), field("salt", "s"), field("is_superuser", "1")];
        let more = [field("groups", "a, b,"), field("until", "1700000000"), field("site", "Wien"), field("other", "x")];
        let record = fields.record(&[&all[..], &more[..]].concat()).unwrap().unwrap();
        assert_eq!((record.password_hash.as_deref(), record.salt.as_deref()), (Some(&b"new"[..]), Some(&b"s"[..])));
        assert!(record.superuser);
        assert_eq!(record.groups, BTreeSet::from(["a".into(), "b".into()]));
        assert_eq!(record.expires_at, Some(1_700_000_000));
        assert_eq!(record.attributes, BTreeMap::from([("site".into(), "Wien".into())]));
        let listed = fields.record(&[field("groups", r#"["a,b", "c"]"#)]).unwrap().unwrap();
        assert_eq!(listed.groups, BTreeSet::from(["a,b".into(), "c".into()]));
        // An entry without a password, and one with an empty one, is an entry by which nobody logs in.
        assert!(listed.password_hash.is_none());
        assert!(fields.record(&[field("password", "")]).unwrap().unwrap().password_hash.is_none());
        for odd in [field("until", "tomorrow"), field("groups", "[1"), ("site".to_owned(), Some(vec![0xff]))] {
            assert!(fields.record(&[field("password", "p"), odd.clone()]).is_err(), "{odd:?}");
        }
    }
}
