//! SPIFFE IDs: the one URI by which workloads are called in a trust domain (SPIFFE-ID §2, X.509-SVID §2).

use crate::leaf::Leaf;
use crate::san::SubjectAltName;

/// A checked SPIFFE ID, `spiffe://trust.domain/path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpiffeId<'a> {
    uri: &'a str,
    trust_domain: &'a str,
    path: &'a str,
}

impl<'a> SpiffeId<'a> {
    /// The longest ID, in bytes (SPIFFE-ID §2.3).
    pub const MAXIMUM_BYTES: usize = 2048;
    /// The longest trust domain, in bytes (SPIFFE-ID §2.1).
    pub const MAXIMUM_TRUST_DOMAIN_BYTES: usize = 255;

    /// Reads an ID. The scheme and the trust domain have to be in lower case, so that one ID has one spelling; there is no user, port, query, fragment,
    /// percent-encoding, empty segment, `.` or `..`.
    ///
    /// # Errors
    /// The rule that it breaks, to complete "it …".
    pub fn parse(uri: &'a str) -> Result<Self, &'static str> {
        if uri.len() > Self::MAXIMUM_BYTES {
            return Err("has more than 2048 bytes");
        }
        let rest = uri.strip_prefix("spiffe://").ok_or("does not start with `spiffe://`")?;
        let (trust_domain, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).ok_or("has no trust domain")?;
        if trust_domain.is_empty() {
            return Err("has no trust domain");
        }
        if trust_domain.len() > Self::MAXIMUM_TRUST_DOMAIN_BYTES {
            return Err("has a trust domain of more than 255 bytes");
        }
        if !trust_domain.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_')) {
            return Err("has a trust domain with something else than lower-case letters, digits, `.`, `-` and `_`");
        }
        for segment in path.split('/').skip(1) {
            if matches!(segment, "" | "." | "..") {
                return Err("has an empty segment, `.` or `..` in its path");
            }
            if !segment.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_')) {
                return Err("has something else than letters, digits, `.`, `-` and `_` in a segment of its path");
            }
        }
        Ok(Self { uri, trust_domain, path })
    }

    /// The ID of a certificate: it has exactly one URI in subjectAltName, and that is a SPIFFE ID (X.509-SVID §2).
    ///
    /// # Errors
    /// The rule that the certificate breaks, to complete "it …".
    pub fn of(leaf: &'a Leaf) -> Result<Self, &'static str> {
        let mut uris = leaf.san().iter().filter_map(|name| if let SubjectAltName::Uri(uri) = name { Some(uri) } else { None });
        match (uris.next(), uris.next()) {
            (None, _) => Err("has no URI in subjectAltName"),
            (Some(_), Some(_)) => Err("has more than one URI in subjectAltName"),
            (Some(uri), None) => Self::parse(uri),
        }
    }

    /// The whole ID.
    #[must_use]
    pub fn uri(&self) -> &'a str {
        self.uri
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &'a str {
        self.trust_domain
    }

    /// The path with its leading `/`; empty for the ID of the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The segments of the path.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        self.path.strip_prefix('/').map(|path| path.split('/')).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_trust_domain_and_a_path() {
        let id = SpiffeId::parse("spiffe://factory.example/hall-3/Pump_7").unwrap();
        assert_eq!((id.trust_domain(), id.path()), ("factory.example", "/hall-3/Pump_7"));
        assert_eq!(id.segments().collect::<Vec<_>>(), ["hall-3", "Pump_7"]);
        let domain = SpiffeId::parse("spiffe://factory").unwrap();
        assert_eq!((domain.path(), domain.segments().count()), ("", 0));
    }

    #[test]
    fn what_breaks_a_rule_is_no_id() {
        for (uri, reason) in [
            ("https://factory/a", "does not start"),
            ("SPIFFE://factory/a", "does not start"),
            ("spiffe:factory", "does not start"),
            ("spiffe:///a", "no trust domain"),
            ("spiffe://", "no trust domain"),
            ("spiffe://Factory/a", "lower-case"),
            ("spiffe://user@factory/a", "lower-case"),
            ("spiffe://factory:8443/a", "lower-case"),
            ("spiffe://factory?a", "lower-case"),
            ("spiffe://factory/a?b", "segment of its path"),
            ("spiffe://factory/a#b", "segment of its path"),
            ("spiffe://factory/a%2fb", "segment of its path"),
            ("spiffe://factory/", "empty segment"),
            ("spiffe://factory/a//b", "empty segment"),
            ("spiffe://factory/a/", "empty segment"),
            ("spiffe://factory/../b", "empty segment"),
        ] {
            assert!(SpiffeId::parse(uri).unwrap_err().contains(reason), "{uri}");
        }
        assert!(SpiffeId::parse(&format!("spiffe://{}/a", "x".repeat(256))).is_err());
        assert!(SpiffeId::parse(&format!("spiffe://x/{}", "a".repeat(2048))).is_err());
    }
}
