//! Who a device is once its certificate was read and named.

use std::fmt;
use std::sync::Arc;

use crate::certificate_id::CertificateId;
use crate::error::IdentityError;
use crate::leaf::Leaf;
use crate::text::{is_hidden, named, shown};

/// A device's name, safe as a topic level, in a log line and as a file name's stem.
///
/// 1 to 128 bytes; no control or invisible characters; none of `+`, `#`, `/`, which change the meaning of a topic (MQTT 5 §4.7.1);
/// no leading `$`, which is the Server's own name space (MQTT 5 §4.7.2); not `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceName(Arc<str>);

impl DeviceName {
    /// The longest name, in bytes.
    pub const MAXIMUM_BYTES: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// [`IdentityError::InvalidDeviceName`] with the rule that the value breaks.
    pub fn new(name: &str) -> Result<Self, IdentityError> {
        let invalid = |reason: String| Err(IdentityError::InvalidDeviceName { value: shown(name), reason });
        if name.is_empty() {
            return invalid("is empty".to_owned());
        }
        if name.len() > Self::MAXIMUM_BYTES {
            return invalid(format!("has {} bytes", name.len()));
        }
        if let Some(character) = name.chars().find(|character| is_hidden(*character) || matches!(character, '+' | '#' | '/')) {
            return invalid(format!("holds {}", named(character)));
        }
        if name.starts_with('$') {
            return invalid("starts with `$`".to_owned());
        }
        if matches!(name, "." | "..") {
            return invalid("is a directory".to_owned());
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for DeviceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceName({})", self.0)
    }
}

/// What a device's certificate says about it. By itself no proof of anything: the proof is [`crate::VerifiedPeer`].
#[derive(Debug, Clone)]
pub struct DeviceIdentity {
    name: DeviceName,
    leaf: Leaf,
    path: Vec<CertificateId>,
}

impl DeviceIdentity {
    /// Puts an identity together. `intermediates` are the ids of the path's CA certificates from the leaf upwards, trust anchor left out.
    #[must_use]
    pub fn new(name: DeviceName, leaf: Leaf, intermediates: impl IntoIterator<Item = CertificateId>) -> Self {
        let path = std::iter::once(leaf.id()).chain(intermediates).collect();
        Self { name, leaf, path }
    }

    /// The device's name by the listener's naming rule.
    #[must_use]
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// The id of the device's own certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateId {
        self.leaf.id()
    }

    /// The certificate's facts.
    #[must_use]
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// Every certificate that must stay unrevoked for this identity to hold: the leaf first, then the intermediates.
    #[must_use]
    pub fn path(&self) -> &[CertificateId] {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["pump-7", "a", "urn:signet:device:pump-7", "Müller 泵", "a.b_c@d", "a$b", &"x".repeat(128)] {
            assert_eq!(DeviceName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_change_a_topic_or_a_log_line_are_refused() {
        let cases = [
            ("", "is empty"),
            ("a/b", "the character `/`"),
            ("+", "the character `+`"),
            ("a#", "the character `#`"),
            ("$SYS", "starts with `$`"),
            ("a\0b", "a NUL character"),
            ("a\nb", "U+000A"),
            ("a\u{85}", "U+0085"),
            ("a\u{202e}b", "U+202E"),
            ("a\u{200b}", "U+200B"),
            ("..", "is a directory"),
        ];
        for (name, reason) in cases {
            let error = DeviceName::new(name).unwrap_err().to_string();
            assert!(error.contains(reason), "{name:?}: {error}");
            assert!(!error.contains('\0') && !error.contains('\n'), "{error}");
        }
        assert!(DeviceName::new(&"x".repeat(129)).unwrap_err().to_string().contains("has 129 bytes"));
    }
}
