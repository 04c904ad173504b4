//! Who a device is once its certificate was read and named.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::certificate_id::{AuthorityId, CertificateId, KeyDigest, PathCertificate};
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
    path: Vec<PathCertificate>,
    profile: Arc<str>,
    tenant: Option<Arc<str>>,
}

impl DeviceIdentity {
    /// Puts an identity together. `issuer_key` is the key that signed the leaf, `intermediates` are the path's CA certificates from the leaf
    /// upwards, trust anchor left out. Without a profile until [`Self::under`] names one.
    #[must_use]
    pub fn new(name: DeviceName, leaf: Leaf, issuer_key: KeyDigest, intermediates: impl IntoIterator<Item = PathCertificate>) -> Self {
        let path = std::iter::once(PathCertificate { id: leaf.id(), issuer_key }).chain(intermediates).collect();
        Self { name, leaf, path, profile: "".into(), tenant: None }
    }

    /// The same identity under a trust profile, and under the tenant to which the profile belongs, if it belongs to one.
    #[must_use]
    pub fn under(mut self, profile: Arc<str>, tenant: Option<Arc<str>>) -> Self {
        self.profile = profile;
        self.tenant = tenant;
        self
    }

    /// The trust profile under which the certificate was verified; empty where there are no profiles.
    #[must_use]
    pub fn profile(&self) -> &Arc<str> {
        &self.profile
    }

    /// The tenant in whose name space the device lives.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// The name that is unique among all tenants: `tenant/name`, or the name alone. No name holds a `/`, so no two are confused.
    #[must_use]
    pub fn qualified_name(&self) -> Cow<'_, str> {
        match &self.tenant {
            Some(tenant) => Cow::Owned(format!("{tenant}/{}", self.name)),
            None => Cow::Borrowed(self.name.as_str()),
        }
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
    pub fn path(&self) -> &[PathCertificate] {
        &self.path
    }

    /// Every authority of the path, the leaf's issuer first, the trust anchor last.
    pub fn authorities(&self) -> impl Iterator<Item = AuthorityId> + '_ {
        self.path.iter().map(PathCertificate::issuer)
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
