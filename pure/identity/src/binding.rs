//! How an MQTT Client Identifier must relate to the certificate, so that one device cannot take over another's session.

use crate::error::IdentityError;
use crate::template::{Facts, Template};
use crate::text::shown;

/// The rule that ties a Client Identifier to an identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientIdentifierBinding {
    /// Any Client Identifier may be used.
    #[default]
    Any,
    /// The Client Identifier is the rendered template.
    Equals(Template),
    /// The Client Identifier is the rendered template, or begins with it followed by one of `-`, `/`, `:`, `.`, `_`.
    ///
    /// The separator keeps `pump-7` from using identifiers of `pump-70`. It cannot keep `pump` from those of `pump-7`: where device names
    /// themselves contain separators, use `Equals`.
    Prefix(Template),
}

impl ClientIdentifierBinding {
    /// Checks the Client Identifier that a client claims. `facts.client_identifier` takes no part: a claim cannot prove itself.
    ///
    /// # Errors
    /// [`IdentityError::ClientIdentifierMismatch`], or what rendering the template fails at, such as a missing certificate field.
    pub fn check(&self, facts: &Facts<'_>, claimed: &str) -> Result<(), IdentityError> {
        let facts = Facts { client_identifier: None, ..*facts };
        let (entitled, expected) = match self {
            Self::Any => return Ok(()),
            Self::Equals(template) => {
                let value = template.render(&facts)?;
                (claimed == value, format!("the certificate entitles it to `{}`", shown(&value)))
            }
            Self::Prefix(template) => {
                let value = template.render(&facts)?;
                let rest = claimed.strip_prefix(value.as_str());
                let entitled = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '/', ':', '.', '_']));
                (
                    entitled,
                    format!("the certificate entitles it to `{0}`, or to `{0}` followed by one of `- / : . _` and more", shown(&value)),
                )
            }
        };
        if entitled { Ok(()) } else { Err(IdentityError::ClientIdentifierMismatch { claimed: shown(claimed), expected }) }
    }
}
