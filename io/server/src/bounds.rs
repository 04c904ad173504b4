//! Bounds of what connections may use up before and beside the broker, each with its default.

use signet_mqtt::DecodeLimits;

use crate::AbuseLimits;

/// Bounds of the whole server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at the same time over all listeners, handshakes included; what comes beyond is closed at once. Default 100,000.
    pub connections_maximum: usize,
    /// TLS handshakes going on at a time, spread over the lobbies (each at least one); further connections wait, and one whose address has
    /// fewer under way than another goes first. Default 2,048: a handshake holds up to 100 KiB.
    pub handshakes_maximum: usize,
    /// CONNECT packets accepted per second over all listeners, one second's worth at once; more are answered with CONNACK 0x9F. 0 (the
    /// default) is no bound.
    pub connect_rate_total: u32,
    /// What may be tried, and how often one may connect.
    pub abuse: AbuseLimits,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { connections_maximum: 100_000, handshakes_maximum: 2_048, connect_rate_total: 0, abuse: AbuseLimits::default() }
    }
}

/// Bounds of one listener, besides the number of its connections and its time-outs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListenerLimits {
    /// Bounds of the decoder, before and after CONNECT.
    pub decode: DecodeLimits,
    /// Connections of one address (IPv6: of one /64) at the same time; what comes beyond is closed at once. 0 (the default) is no bound:
    /// many devices may share an address.
    pub connections_per_address_maximum: usize,
    /// Connections taken per second; further ones wait in the system's queue. 0 (the default) is no bound.
    pub connect_rate: u32,
    /// PUBLISH packets per second from one connection. It is read no faster, so nothing is lost. 0 (the default) is no bound.
    pub publish_rate: u32,
    /// Octets of MQTT packets per second from one connection, the same way. 0 (the default) is no bound.
    pub receive_rate: u64,
}
