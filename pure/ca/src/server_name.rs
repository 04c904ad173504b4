//! The names under which clients connect to a broker: DNS names and IP addresses (RFC 5280 §4.2.1.6, RFC 9525).

use core::fmt;
use core::str::FromStr;
use std::net::IpAddr;

/// A name for a server certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerName {
    /// A DNS name in lower case; its leftmost label may be `*`.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

impl fmt::Display for ServerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => formatter.write_str(name),
            Self::Ip(address) => address.fmt(formatter),
        }
    }
}

impl FromStr for ServerName {
    type Err = ServerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = text.to_ascii_lowercase();
        // RFC 9525 §6.3: a wildcard is the complete leftmost label and covers one label.
        let checked = name.strip_prefix("*.").map_or(name.as_str(), |parent| if parent.contains('.') { parent } else { "" });
        if is_host_name(checked) { Ok(Self::Dns(name)) } else { Err(ServerNameError { found: text.escape_default().to_string() }) }
    }
}

/// Text that is neither a DNS name nor an IP address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is neither a DNS name nor an IP address: expected letters, digits, hyphens and dots, without scheme or port")]
pub struct ServerNameError {
    /// What was written, escaped.
    pub found: String,
}

/// Whether a text is a host name: labels of 1 to 63 letters, digits and inner hyphens, 253 bytes in all (RFC 1123 §2.1). A last label of
/// digits only is an IP address by mistake.
pub(crate) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!("LocalHost".parse(), Ok(ServerName::Dns("localhost".into())));
        assert_eq!("*.example.com".parse(), Ok(ServerName::Dns("*.example.com".into())));
        assert_eq!("::1".parse(), Ok(ServerName::Ip("::1".parse().unwrap())));
        assert_eq!("192.0.2.1".parse(), Ok(ServerName::Ip("192.0.2.1".parse().unwrap())));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a b", "a..b", "-a", "a-", "mqtts://a", "a:8883", "192.0.2.300", "*", "*.com", "a.*.b", "x\n", &"a".repeat(64)] {
            assert!(text.parse::<ServerName>().is_err(), "{text}");
        }
    }
}
