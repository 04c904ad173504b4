//! One error type for everything a certificate can fail at, so that a refusal always names the field, what was found and what was expected.

/// Why a certificate, or a value taken from it, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are not a certificate that this program reads, or one of its fields is not.
    #[error("the certificate's {field} cannot be read: {reason}")]
    Unreadable {
        /// The standard's name of the field, such as `subjectAltName`.
        field: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// The certificate is larger than [`crate::Leaf::MAXIMUM_SIZE`].
    #[error("the certificate has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A template asks for a field that is not there.
    #[error("`{field}` has no value: {reason}")]
    MissingField {
        /// The placeholder as written, such as `${cert.cn}`.
        field: String,
        /// Where it was looked for, and in which certificate.
        reason: String,
    },
    /// A value holds a character that could change the meaning of a name, a log line or a topic.
    #[error("`{field}` is `{value}`, which holds {found}; such a value is never used as a name")]
    UnsafeValue {
        /// The placeholder as written, such as `${cert.cn}`.
        field: String,
        /// The value, with control characters escaped.
        value: String,
        /// The offending character.
        found: String,
    },
    /// A value cannot be a device name.
    #[error(
        "`{value}` cannot be a device name: it {reason}; a device name has 1 to 128 bytes, no control characters, none of `+ # /`, and does not start with `$`"
    )]
    InvalidDeviceName {
        /// The value, with control characters escaped and cut to a readable length.
        value: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// A rendered template is longer than an MQTT string can be (MQTT 5 §1.5.4).
    #[error("the template `{template}` gives {size} bytes, more than the {limit} of an MQTT string")]
    TooLong {
        /// The template as written.
        template: String,
        /// Bytes it would give.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The Client Identifier a client sent does not belong to its certificate.
    #[error("the client identifier is `{claimed}`, but {expected}")]
    ClientIdentifierMismatch {
        /// What the client sent, escaped.
        claimed: String,
        /// What its certificate entitles it to.
        expected: String,
    },
    /// A certificate breaks a rule of its trust profile.
    #[error("the rule `{rule}` of the trust profile: found {found}, expected {expected}")]
    Rule {
        /// The key of the configuration.
        rule: &'static str,
        /// What the certificate or its path has.
        found: String,
        /// What the rule wants.
        expected: String,
    },
    /// A name of a certificate lies outside of what an authority above it may vouch for (RFC 5280 §4.2.1.10).
    #[error("the certificate names {name}, which its authority `{authority}` may not vouch for: {reason}")]
    NameConstraint {
        /// The kind of name and the name, escaped and cut.
        name: String,
        /// The subject of the authority whose certificate sets the constraint.
        authority: String,
        /// What is allowed or forbidden.
        reason: String,
    },
    /// Text is not a serial number or a fingerprint.
    #[error("`{value}` is not a {what}: {reason}")]
    InvalidText {
        /// The text, escaped and cut.
        value: String,
        /// What was expected.
        what: &'static str,
        /// Which rule it breaks.
        reason: String,
    },
}
