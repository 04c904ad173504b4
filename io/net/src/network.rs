//! Which addresses a listener trusts to speak for others: networks in CIDR form, and the unix socket.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::PeerAddress;

/// A source of connections: a network, or every process that can open the listener's unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Addresses whose first `prefix` bits are those of `address`.
    Network {
        /// Any address of the network.
        address: IpAddr,
        /// 0 to 32 or 128.
        prefix: u8,
    },
    /// Whoever the mode of the unix socket lets in.
    Unix,
}

impl Source {
    /// Whether `peer` belongs to it. An IPv4 address inside of IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, peer: &PeerAddress) -> bool {
        match (self, peer) {
            (Self::Unix, PeerAddress::Unix(_)) => true,
            (Self::Network { address, prefix }, PeerAddress::Ip(peer)) => match (address, peer.ip().to_canonical()) {
                (IpAddr::V4(network), IpAddr::V4(peer)) => {
                    let shift = 32_u32.saturating_sub(u32::from(*prefix));
                    (network.to_bits() ^ peer.to_bits()).checked_shr(shift).unwrap_or(0) == 0
                }
                (IpAddr::V6(network), IpAddr::V6(peer)) => {
                    let shift = 128_u32.saturating_sub(u32::from(*prefix));
                    (network.to_bits() ^ peer.to_bits()).checked_shr(shift).unwrap_or(0) == 0
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// A text that is no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network, an address or `unix`")]
pub struct ParseSourceError(String);

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseSourceError(text.to_owned());
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            // `u8::from_str` would take "+8".
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
        };
        if prefix > longest { Err(wrong()) } else { Ok(Self::Network { address, prefix }) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
            Self::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(source: &str, peer: &str) -> bool {
        source.parse::<Source>().unwrap().contains(&PeerAddress::Ip(peer.parse().unwrap()))
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        assert!(contains("10.0.0.0/8", "10.255.0.1:1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1:1"));
        assert!(contains("192.0.2.7", "192.0.2.7:1") && !contains("192.0.2.7", "192.0.2.6:1"));
        assert!(contains("0.0.0.0/0", "203.0.113.9:1") && !contains("0.0.0.0/0", "[2001:db8::1]:1"));
        assert!(contains("2001:db8::/32", "[2001:db8:ffff::1]:1") && !contains("2001:db8::/32", "[2001:db9::1]:1"));
        assert!(contains("::/0", "[2001:db8::1]:1"));
        assert!(contains("10.0.0.0/8", "[::ffff:10.1.2.3]:1"), "IPv4 inside of IPv6");
        assert!(contains("10.1.2.129/25", "10.1.2.200:1") && !contains("10.1.2.129/25", "10.1.2.100:1"));
    }

    #[test]
    fn the_unix_socket_is_a_source_of_its_own() {
        let unix: Source = "unix".parse().unwrap();
        assert!(unix.contains(&PeerAddress::Unix(None)) && !unix.contains(&PeerAddress::Ip("127.0.0.1:1".parse().unwrap())));
        assert!(!"127.0.0.0/8".parse::<Source>().unwrap().contains(&PeerAddress::Unix(None)));
    }

    #[test]
    fn what_is_no_source_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "unix:/x", "10.0.0"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }
}
