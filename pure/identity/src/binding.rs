//! How an MQTT Client Identifier must relate to the certificate, so that one device cannot take over another's session.

use crate::error::IdentityError;
use crate::leaf::Leaf;
use crate::san::SubjectAltName;
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
    /// A URI of subjectAltName is `spiffe://DOMAIN/device/` and the Client Identifier: what aMQTT's certificates hold.
    ///
    /// Any URI may be it, the scheme and the domain in any case, the identifier exactly. An identifier that a URI would write in another way (`/`, `%`,
    /// `?`, `#`, anything but printable ASCII) is entitled to nothing.
    UriSan {
        /// The whole domain, such as `my.domain.name`.
        domain: String,
    },
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
            Self::UriSan { domain } => (
                facts.leaf.is_some_and(|leaf| holds_uri(leaf, domain, claimed)),
                format!("no URI in its certificate's subjectAltName is `spiffe://{}/device/` and the client identifier", shown(domain)),
            ),
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

    /// Whether it is a rule, and one by which this Client Identifier belongs to whom `facts` describe. [`Self::Any`] proves nothing.
    #[must_use]
    pub fn proves(&self, facts: &Facts<'_>, claimed: &str) -> bool {
        !matches!(self, Self::Any) && self.check(facts, claimed).is_ok()
    }
}

fn holds_uri(leaf: &Leaf, domain: &str, claimed: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'/' | b'%' | b'?' | b'#');
    if claimed.is_empty() || domain.is_empty() || !claimed.bytes().all(is_plain) {
        return false;
    }
    leaf.san().iter().any(|name| {
        let SubjectAltName::Uri(uri) = name else { return false };
        let Some((scheme, rest)) = uri.split_once("://") else { return false };
        let Some((authority, path)) = rest.split_once('/') else { return false };
        scheme.eq_ignore_ascii_case("spiffe") && authority.eq_ignore_ascii_case(domain) && path.strip_prefix("device/") == Some(claimed)
    })
}
