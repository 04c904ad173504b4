//! To whom a rule applies, and of whom an authenticator is asked.

use signet_identity::{DeviceIdentity, Expression, IdentityError};

use crate::client::{Client, Principal};
use crate::name_pattern::NamePattern;
use crate::network::Network;

/// To whom a rule applies.
///
/// Of a client that is not connected, and of one for whom nobody has vouched yet, it may not be known where it came from or what it was given. What
/// is not known counts against it: a rule that allows is not for it, a rule that denies is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Who {
    /// Every client.
    #[default]
    Everyone,
    /// Every client with a verified certificate.
    Devices,
    /// Devices whose name matches.
    Device(NamePattern),
    /// Clients without a certificate for whom an authenticator has vouched.
    Users,
    /// Clients without a verified certificate for whom nobody has vouched.
    Anonymous,
    /// Clients whose user name, after mapping, matches. One without a user name does not. A name that nobody answers for counts against a client, never
    /// for it.
    Username(NamePattern),
    /// Clients whose Client Identifier, after mapping, matches; likewise.
    ClientIdentifier(NamePattern),
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
    /// Clients that whoever vouched for them has put into this group.
    Group(String),
    /// Clients that were given an attribute whose value matches.
    Attribute {
        /// The attribute's name.
        name: String,
        /// What its value has to be.
        value: NamePattern,
    },
    /// Clients that come from there.
    Address(Network),
    /// Clients that came by a listener whose name matches.
    Listener(NamePattern),
    /// Clients for whom each of these is true.
    All(Vec<Self>),
    /// Clients for whom one of these is true.
    Any(Vec<Self>),
    /// Clients for whom this is not true.
    Not(Box<Self>),
}

impl Who {
    /// Whether this client is meant. What is not known of it is taken not to be so.
    #[must_use]
    pub fn includes(&self, client: &Client) -> bool {
        self.test(client, false)
    }

    /// Whether this client is meant, or could be if more was known of it.
    #[must_use]
    pub fn may_include(&self, client: &Client) -> bool {
        self.test(client, true)
    }

    /// `unknown`: what is the case where nobody knows.
    pub(crate) fn test(&self, client: &Client, unknown: bool) -> bool {
        // What a bridge may do stands in its own list of topics.
        !matches!(client.principal(), Principal::Bridge(_)) && self.holds(client, unknown)
    }

    fn holds(&self, client: &Client, unknown: bool) -> bool {
        let identity = client.identity();
        match self {
            Self::Everyone => true,
            Self::Devices => client.device().is_some(),
            Self::Users => matches!(client.principal(), Principal::User(_) | Principal::Unnamed),
            Self::Anonymous => matches!(client.principal(), Principal::Anonymous),
            Self::Device(pattern) => client.device().is_some_and(|name| pattern.test(name.as_str(), unknown)),
            Self::Username(pattern) => {
                (client.proven().username || unknown) && client.username().is_some_and(|name| pattern.test(name, unknown))
            }
            Self::ClientIdentifier(pattern) => {
                (client.proven().client_identifier || unknown) && pattern.test(client.client_identifier().as_str(), unknown)
            }
            Self::Certificate { field, value } => {
                let facts = client.facts();
                identity.is_some()
                    && match field.lookup(&facts) {
                        Some(found) => value.test(&found, unknown),
                        // One with hidden characters is there, and is not what it seems to be.
                        None => unknown && matches!(field.value(&facts), Err(IdentityError::UnsafeValue { .. })),
                    }
            }
            // A client without profiles has an empty one, which nobody can mean.
            Self::Profile(wanted) => !wanted.is_empty() && identity.is_some_and(|identity| **identity.profile() == **wanted),
            Self::Tenant(wanted) => {
                identity.and_then(|identity| DeviceIdentity::tenant(identity)).is_some_and(|tenant| **tenant == **wanted)
            }
            Self::Group(wanted) => client.grant().map_or(unknown, |grant| grant.groups.contains(wanted.as_str())),
            Self::Attribute { name, value } => {
                client.grant().map_or(unknown, |grant| grant.attributes.get(name.as_str()).is_some_and(|found| value.test(found, unknown)))
            }
            Self::Address(network) => {
                client.origin().and_then(|origin| origin.address).map_or(unknown, |address| network.contains(address))
            }
            Self::Listener(pattern) => client.origin().map_or(unknown, |origin| pattern.test(&origin.listener, unknown)),
            Self::All(all) => !all.is_empty() && all.iter().all(|who| who.holds(client, unknown)),
            Self::Any(any) => any.iter().any(|who| who.holds(client, unknown)),
            Self::Not(who) => !who.holds(client, !unknown),
        }
    }
}

#[cfg(test)]
mod tests;
