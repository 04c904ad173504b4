//! Why a certificate was revoked (RFC 5280 §5.3.1).

use std::fmt;
use std::str::FromStr;

use crate::error::UnknownReason;

/// CRLReason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No reason given. Never written into a CRL: the extension is left out instead.
    Unspecified,
    /// Somebody else has the private key.
    KeyCompromise,
    /// Somebody else has the issuer's private key.
    CaCompromise,
    /// The subject's name or other facts changed.
    AffiliationChanged,
    /// Replaced by another certificate; no doubt about the key.
    Superseded,
    /// No longer needed; no doubt about the key.
    CessationOfOperation,
    /// On hold: may be released again.
    CertificateHold,
    /// Released from hold. Not a revocation.
    RemoveFromCrl,
    /// A privilege in the certificate was withdrawn.
    PrivilegeWithdrawn,
    /// An attribute authority's key is in other hands.
    AaCompromise,
}

impl Reason {
    /// Every reason, by code.
    pub const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The code in a CRL: 0 to 6 and 8 to 10. 7 is not used.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason of a code; `None` for 7 and above 10.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The standard's name, such as `keyCompromise`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The standard's name in any case, with or without `-` and `_` between words: `keyCompromise`, `key-compromise`.
impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain: String = text
            .chars()
            .take(64)
            .filter(|character| !matches!(character, '-' | '_'))
            .map(|character| character.to_ascii_lowercase())
            .collect();
        let lower = |reason: Self| reason.name().to_ascii_lowercase();
        let distance = |reason: Self| strsim::damerau_levenshtein(&plain, &lower(reason));
        let begun = || Self::ALL.into_iter().find(|reason| plain.len() >= 3 && lower(*reason).starts_with(&plain));
        match Self::ALL.into_iter().min_by_key(|reason| distance(*reason)) {
            Some(reason) if distance(reason) == 0 => Ok(reason),
            nearest => Err(UnknownReason::new(text, begun().or_else(|| nearest.filter(|reason| distance(*reason) <= 4)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_go_both_ways() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert_eq!(reason.name().parse(), Ok(reason));
        }
        assert_eq!(Reason::from_code(7), None);
        assert_eq!(Reason::from_code(11), None);
        assert_eq!("key-compromise".parse(), Ok(Reason::KeyCompromise));
        assert_eq!("KEY_COMPROMISE".parse(), Ok(Reason::KeyCompromise));
    }

    #[test]
    fn a_misspelt_reason_is_answered_with_the_nearest() {
        let error = "keycompromize".parse::<Reason>().unwrap_err();
        assert_eq!(error.to_string(), "unknown reason `keycompromize`; did you mean `keyCompromise`?");
        let error = "stolen-by-a-magpie-last-night".parse::<Reason>().unwrap_err();
        assert!(error.to_string().contains("expected one of `unspecified`, `keyCompromise`"), "{error}");
        assert_eq!("cessation".parse::<Reason>().unwrap_err().nearest(), Some(Reason::CessationOfOperation));
    }
}
