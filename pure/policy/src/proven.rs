//! Which of a client's names are more than its own word.
//!
//! A name that a client merely claims may be anybody's. Rules look at a name where somebody answers for it: a certificate, an authenticator that has
//! held the client's secret against that very name, the Server that has made it, or the operator who believes it.

use signet_identity::{Template, TemplateField, TemplatePiece};

use crate::admission::AdmissionRules;
use crate::client::Client;
use crate::names;

/// Names that somebody answers for; by default none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ProvenNames {
    /// The user name.
    pub username: bool,
    /// The Client Identifier.
    pub client_identifier: bool,
}

impl ProvenNames {
    /// All of them.
    pub const BOTH: Self = Self { username: true, client_identifier: true };
    /// The user name and no other.
    pub const USERNAME: Self = Self { username: true, client_identifier: false };
    /// The Client Identifier and no other.
    pub const CLIENT_IDENTIFIER: Self = Self { username: false, client_identifier: true };

    /// Those that one or the other answers for.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { username: self.username || other.username, client_identifier: self.client_identifier || other.client_identifier }
    }

    /// What a text says of names that is made by this template: a name that stands there as it is, with no other value in the text. Then whoever has the
    /// text has the name.
    #[must_use]
    pub fn in_text(template: &Template) -> Self {
        let mut placeholders = template.pieces().filter_map(|piece| match piece {
            TemplatePiece::Placeholder(expression) => Some(expression),
            TemplatePiece::Literal(_) => None,
        });
        match (placeholders.next(), placeholders.next()) {
            (Some(only), None) => only.plain_field().map_or_else(Self::default, Self::of_field),
            _ => Self::default(),
        }
    }

    /// The name that a field is.
    #[must_use]
    pub fn of_field(field: &TemplateField) -> Self {
        match field.name() {
            "username" => Self::USERNAME,
            "client_identifier" => Self::CLIENT_IDENTIFIER,
            _ => Self::default(),
        }
    }
}

/// What is known of the names of somebody before anybody is asked to vouch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NameOrigins {
    /// Made of its certificate or key, bound to it, or given to it by the Server.
    pub proven: ProvenNames,
    /// Those that the operator believes.
    pub believed: ProvenNames,
    /// The Client Identifier is made of the user name and of nothing else that the client claims: who proves one proves both.
    pub is_identifier_of_username: bool,
}

impl NameOrigins {
    /// Of a client with these names, at a listener with these rules.
    #[must_use]
    pub fn of(rules: &AdmissionRules, client: &Client, is_assigned: bool) -> Self {
        let (username, client_identifier) = (client.username.as_deref(), client.client_identifier.as_str());
        let facts = names::proven_facts(&client.principal, client.identity.as_deref());
        let makes = |template: &Option<Template>, facts, name: Option<&str>| {
            template.as_ref().is_some_and(|template| template.render(facts).is_ok_and(|made| Some(made.as_str()) == name))
        };
        let named = Some(client_identifier);
        let is_bound = client.device().is_some() && rules.client_identifier.is_none() && rules.binding.proves(&facts, client_identifier);
        let proven = ProvenNames {
            username: makes(&rules.username, &facts, username),
            client_identifier: is_assigned || is_bound || makes(&rules.client_identifier, &facts, named),
        };
        let facts = signet_identity::Facts { username, ..facts };
        let is_identifier_of_username = !proven.client_identifier && makes(&rules.client_identifier, &facts, named);
        Self { proven, believed: rules.believed, is_identifier_of_username }
    }
}

#[cfg(test)]
mod tests;
