//! One rule as written.

use signet_identity::{DeviceIdentity, Expression};

use crate::client::{Client, Principal};
use crate::pattern::TopicPattern;

/// One rule: for whom, and what it allows. Rules only ever allow; what no rule allows is denied.
#[derive(Debug, Clone)]
pub struct Rule {
    /// How a refusal or an explanation names the rule, for example "access rule 2".
    pub name: String,
    /// To whom the rule applies.
    pub who: Who,
    /// Where they may publish.
    pub publish: Vec<TopicPattern>,
    /// What they may subscribe to: a filter is allowed if every topic it can match is covered by one of these.
    pub subscribe: Vec<TopicPattern>,
}

/// To whom a rule applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Every client.
    Everyone,
    /// Every client with a verified certificate.
    Devices,
    /// Devices whose name matches.
    Device(NamePattern),
    /// Clients without a verified certificate.
    Anonymous,
    /// Clients with this user name, after mapping.
    Username(String),
    /// Devices of whose certificate a field matches. A field without a value matches nothing.
    Certificate {
        /// The field, with transforms and further fields if it has them.
        field: Expression,
        /// What its value has to be.
        value: NamePattern,
    },
    /// Devices whose certificate was verified under this trust profile.
    Profile(String),
    /// Devices of this tenant.
    Tenant(String),
    /// Clients for whom each of these is true.
    All(Vec<Self>),
}

impl Who {
    /// Whether the rule applies to this client.
    #[must_use]
    pub fn includes(&self, client: &Client) -> bool {
        // What a bridge may do stands in its own list of topics.
        if matches!(client.principal(), Principal::Bridge(_)) {
            return false;
        }
        let identity = client.identity();
        match self {
            Self::Everyone => true,
            Self::Devices => client.device().is_some(),
            Self::Anonymous => matches!(client.principal(), Principal::Anonymous),
            Self::Device(pattern) => client.device().is_some_and(|name| pattern.matches(name.as_str())),
            Self::Username(wanted) => client.username() == Some(wanted.as_str()),
            Self::Certificate { field, value } => {
                identity.is_some() && field.lookup(&client.facts()).is_some_and(|found| value.matches(&found))
            }
            // A client without profiles has an empty one, which nobody can mean.
            Self::Profile(wanted) => !wanted.is_empty() && identity.is_some_and(|identity| **identity.profile() == **wanted),
            Self::Tenant(wanted) => {
                identity.and_then(|identity| DeviceIdentity::tenant(identity)).is_some_and(|tenant| **tenant == **wanted)
            }
            Self::All(all) => !all.is_empty() && all.iter().all(|who| who.includes(client)),
        }
    }
}

/// A device name in which `*` stands for any number of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Takes a pattern as written; every text is one.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name matches from its first to its last character.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut remaining) = name.strip_prefix(head) else { return false };
        let mut pieces = rest.split('*').peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return remaining.ends_with(piece);
            }
            // The leftmost place leaves the most for the pieces after it, so no other place has to be tried.
            let Some(at) = remaining.find(piece) else { return false };
            let Some(after) = remaining.get(at + piece.len()..) else { return false };
            remaining = after;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use signet_identity::{DeviceName, KeyDigest, Leaf};
    use signet_mqtt::ClientIdentifier;

    use super::*;

    fn certificate(field: &str, value: &str) -> Who {
        Who::Certificate { field: Expression::parse(field).unwrap(), value: NamePattern::new(value) }
    }

    fn device(identity: Option<DeviceIdentity>) -> Client {
        let name = DeviceName::new("pump-7").unwrap();
        Client::restored(Principal::Device(name.into()), Some("ann".into()), ClientIdentifier::new("c"), identity.map(Arc::new))
    }

    fn identity() -> DeviceIdentity {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Hall 3");
        let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
        DeviceIdentity::new(DeviceName::new("pump-7").unwrap(), leaf, KeyDigest::of(b"key"), [])
    }

    #[test]
    fn a_rule_can_be_for_what_a_certificate_says() {
        let plain = device(Some(identity()));
        let ours = device(Some(identity().under("factory".into(), Some("acme".into()))));
        let named = device(None);
        let profile = |name: &str| Who::Profile(name.to_owned());
        let tenant = |name: &str| Who::Tenant(name.to_owned());
        for (who, for_ours, for_plain) in [
            (certificate("cert.ou", "Hall 3"), true, true),
            (certificate("cert.ou", "Hall *"), true, true),
            (certificate("cert.ou:lower", "hall 3"), true, true),
            (certificate("cert.ou", "Hall"), false, false),
            (certificate("cert.o", "*"), false, false),
            (certificate("profile", "factory"), true, false),
            (profile("factory"), true, false),
            (profile("fact"), false, false),
            (profile(""), false, false),
            (tenant("acme"), true, false),
            (tenant(""), false, false),
            (Who::All(vec![certificate("cert.ou", "Hall 3"), profile("factory"), tenant("acme")]), true, false),
            (Who::All(vec![profile("factory"), tenant("other")]), false, false),
            (Who::All(vec![]), false, false),
        ] {
            assert_eq!((who.includes(&ours), who.includes(&plain)), (for_ours, for_plain), "{who:?}");
            // A name alone, by the word of a proxy, is no certificate.
            assert!(!who.includes(&named), "{who:?}");
        }
        assert!(!certificate("username", "ann").includes(&named));
        let bridge = Client::restored(Principal::Bridge("b".into()), None, ClientIdentifier::new("b"), None);
        assert!(!Who::All(vec![Who::Everyone]).includes(&bridge) && !Who::Everyone.includes(&bridge));
    }

    #[test]
    fn stars_stand_for_any_number_of_characters() {
        for (pattern, name, expected) in [
            ("pump-7", "pump-7", true),
            ("pump-7", "pump-77", false),
            ("pump-*", "pump-", true),
            ("pump-*", "pump-7", true),
            ("pump-*", "valve-7", false),
            ("*", "", true),
            ("*-eu-*", "pump-eu-7", true),
            ("*-eu-*", "pump-us-7", false),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "axbb", true),
        ] {
            assert_eq!(NamePattern::new(pattern).matches(name), expected, "`{pattern}` on `{name}`");
        }
    }
}
