//! Names of shards, connections and sessions.

use signet_mqtt::ClientIdentifier;

/// One of the broker's shards, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// One Network Connection. Never used again within a process: the shard that accepted it in the top 16 bits, a count below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One Session. Never used again within a process, so that a delivery that comes too late finds nobody rather than somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    pub(crate) fn new(shard: ShardId, count: u64) -> Self {
        Self((u64::from(shard.0) << 48) | (count & 0xFFFF_FFFF_FFFF))
    }

    /// The shard that owns the session.
    #[must_use]
    pub fn shard(self) -> ShardId {
        ShardId(u16::try_from(self.0 >> 48).unwrap_or(u16::MAX))
    }
}

/// The shard that owns the session of a Client Identifier. It depends on the identifier and the number of shards only, so take-over and
/// resumption never have to ask another shard.
#[must_use]
pub fn owner_shard(client_identifier: &ClientIdentifier, shards: u16) -> ShardId {
    // FNV-1a with a final mix: stable over builds and machines, which a seeded hash is not.
    let hash = client_identifier
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ShardId(u16::try_from(mixed % u64::from(shards.max(1))).unwrap_or(0))
}
