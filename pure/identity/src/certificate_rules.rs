//! What a trust profile asks of the certificates it takes, beyond what RFC 5280 asks of all.

use std::fmt;
use std::str::FromStr;

use crate::der::time_text;
use crate::error::IdentityError;
use crate::leaf::Leaf;

/// The rules of one profile. The default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateRules {
    /// The most intermediates between a device and the anchor. Default: as many as path building finds.
    pub intermediates_maximum: Option<usize>,
    /// Purposes that extKeyUsage must list, all of them, as dotted OIDs. clientAuth is asked for by path building where the extension is there at
    /// all; listed here it has to be there. Default: none.
    pub extended_key_usages: Vec<String>,
    /// The kinds of key that a device may have. Default: all that TLS verifies.
    pub keys: Vec<KeyRule>,
    /// The algorithms, by the names of [`Leaf::signature_algorithm`], with which its certificate and those of its authorities below the anchor may
    /// be signed. Default: all that path building verifies.
    pub signatures: Vec<String>,
    /// The longest time from notBefore to notAfter of a device's certificate, seconds. Default: any.
    pub validity_maximum: Option<i64>,
}

impl CertificateRules {
    /// Holds a device's certificate, whose path has so many intermediates, against the rules.
    ///
    /// # Errors
    /// [`IdentityError::Rule`] with the first rule that it breaks.
    pub fn check(&self, leaf: &Leaf, intermediates: usize) -> Result<(), IdentityError> {
        if let Some(maximum) = self.intermediates_maximum
            && intermediates > maximum
        {
            return broken("path_length", format!("{intermediates} intermediate authorities"), format!("at most {maximum}"));
        }
        if let Some(missing) = self.missing_purpose(leaf) {
            return broken("extended_key_usage", "an extKeyUsage without it".to_owned(), format!("the purpose {missing}"));
        }
        if !self.keys.is_empty() && !self.keys.iter().any(|rule| rule.allows(leaf.key_kind())) {
            let allowed: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
            return broken("keys", format!("a key of {}", leaf.key_kind()), allowed.join(", "));
        }
        let validity = leaf.validity();
        let seconds = validity.not_after.saturating_sub(validity.not_before);
        if let Some(maximum) = self.validity_maximum
            && seconds > maximum
        {
            let found = format!("{} days, until {}", seconds / 86_400, time_text(validity.not_after));
            return broken("validity_maximum", found, format!("at most {} days", maximum / 86_400));
        }
        self.check_authority(leaf)
    }

    /// Holds a certificate of an authority in the path against the rules that count for authorities too: those about signatures.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_authority(&self, authority: &Leaf) -> Result<(), IdentityError> {
        let found = authority.signature_algorithm().to_string();
        if self.signatures.is_empty() || self.signatures.iter().any(|allowed| allowed.eq_ignore_ascii_case(&found)) {
            return Ok(());
        }
        broken("signatures", format!("`{}` signed with {found}", authority.subject().rfc4514()), self.signatures.join(", "))
    }

    fn missing_purpose(&self, leaf: &Leaf) -> Option<&str> {
        if self.extended_key_usages.is_empty() {
            return None;
        }
        let there = leaf.extended_key_usages();
        self.extended_key_usages.iter().find(|wanted| !there.contains(wanted)).map(String::as_str)
    }
}

fn broken(rule: &'static str, found: String, expected: String) -> Result<(), IdentityError> {
    Err(IdentityError::Rule { rule, found, expected })
}

/// A kind of key: `EC` (any curve), `P-256`, `P-384`, `P-521`, `Ed25519`, `RSA` (any size), `RSA-3072` (that size or more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRule {
    /// Any elliptic curve.
    Ec,
    /// This curve, or Ed25519.
    Named(&'static str),
    /// RSA with so many bits or more.
    Rsa(u32),
}

/// The keys with a name of their own.
const NAMED: [&str; 4] = ["P-256", "P-384", "P-521", "Ed25519"];

impl KeyRule {
    /// Whether a key of this kind, in the words of [`Leaf::key_kind`], is one.
    #[must_use]
    pub fn allows(&self, kind: &str) -> bool {
        match self {
            Self::Ec => kind.starts_with("P-") || kind.starts_with("EC"),
            Self::Named(name) => kind == *name,
            Self::Rsa(bits) => kind.strip_prefix("RSA-").and_then(|found| found.parse().ok()).is_some_and(|found: u32| found >= *bits),
        }
    }
}

impl fmt::Display for KeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec => f.write_str("EC"),
            Self::Named(name) => f.write_str(name),
            Self::Rsa(0) => f.write_str("RSA"),
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
        }
    }
}

impl FromStr for KeyRule {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("EC") {
            return Ok(Self::Ec);
        }
        if let Some(name) = NAMED.into_iter().find(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(Self::Named(name));
        }
        let size = text.to_ascii_uppercase();
        let bits = match size.strip_prefix("RSA") {
            Some("") => Some(0),
            Some(bits) => bits.strip_prefix('-').and_then(|bits| bits.parse().ok()),
            None => None,
        };
        bits.map(Self::Rsa).ok_or_else(|| IdentityError::InvalidText {
            value: crate::text::shown(text),
            what: "kind of key",
            reason: "expected `EC`, `P-256`, `P-384`, `P-521`, `Ed25519`, `RSA`, or `RSA-2048` for that size and more".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

    use super::*;

    fn leaf() -> Leaf {
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 4, 11);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
    }

    fn refusal(rules: &CertificateRules, intermediates: usize) -> String {
        rules.check(&leaf(), intermediates).unwrap_err().to_string()
    }

    #[test]
    fn the_default_asks_for_nothing() {
        CertificateRules::default().check(&leaf(), 9).unwrap();
    }

    #[test]
    fn a_broken_rule_is_named_with_what_was_found_and_expected() {
        let none = CertificateRules::default;
        let path = CertificateRules { intermediates_maximum: Some(1), ..none() };
        path.check(&leaf(), 1).unwrap();
        assert!(refusal(&path, 2).contains("`path_length`"), "{}", refusal(&path, 2));
        let usage = |oid: &str| CertificateRules { extended_key_usages: vec![oid.to_owned()], ..none() };
        usage("1.3.6.1.5.5.7.3.2").check(&leaf(), 0).unwrap();
        assert!(refusal(&usage("1.3.6.1.4.1.99.1"), 0).contains("1.3.6.1.4.1.99.1"));
        let keys = |rule: &str| CertificateRules { keys: vec![rule.parse().unwrap()], ..none() };
        keys("P-256").check(&leaf(), 0).unwrap();
        keys("ec").check(&leaf(), 0).unwrap();
        for rule in ["RSA-2048", "P-384", "Ed25519"] {
            assert!(refusal(&keys(rule), 0).contains("a key of P-256"), "{rule}");
        }
        let validity = |days: i64| CertificateRules { validity_maximum: Some(days * 86_400), ..none() };
        validity(100).check(&leaf(), 0).unwrap();
        assert!(refusal(&validity(99), 0).contains("100 days"), "{}", refusal(&validity(99), 0));
        let signatures = |name: &str| CertificateRules { signatures: vec![name.to_owned()], ..none() };
        signatures("ECDSA-with-sha256").check(&leaf(), 0).unwrap();
        assert!(refusal(&signatures("Ed25519"), 0).contains("ecdsa-with-SHA256"), "{}", refusal(&signatures("Ed25519"), 0));
    }

    #[test]
    fn kinds_of_keys_are_read_as_they_are_written() {
        for text in ["EC", "P-256", "P-521", "Ed25519", "RSA", "RSA-3072"] {
            assert_eq!(text.parse::<KeyRule>().unwrap().to_string(), text);
        }
        for text in ["", "RSA-", "RSA-x", "P-192", "DSA"] {
            assert!(text.parse::<KeyRule>().is_err(), "{text}");
        }
        assert!(KeyRule::Rsa(2048).allows("RSA-4096") && !KeyRule::Rsa(3072).allows("RSA-2048"));
        assert!(!KeyRule::Ec.allows("Ed25519"));
    }
}
