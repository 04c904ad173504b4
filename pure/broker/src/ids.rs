//! Names of shards, connections, sessions and of what is stored.

use signet_mqtt::ClientIdentifier;

/// One of the broker's shards, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// One Network Connection. Never used again within a process: the shard that accepted it in the top 16 bits, a count below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One Session. Never used again, not even after a restart, so that a delivery that comes too late, or a record of long ago, finds nobody
/// rather than somebody else. It says which shard made it, not which one owns it: the number of shards may change between two starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One message that was accepted and stored for sessions, however many. Never used again, not even after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// One retained message. Never used again, not even after a restart, and greater than that of every message retained before, whichever
/// shard it came from: the directory counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetainedId(pub u64);

/// Where a shard's ids come from: its number in the top 16 bits, below it one count for ids of every kind.
#[derive(Debug)]
pub(crate) struct Ids {
    shard: ShardId,
    next: u64,
}

/// The bits of an id that count.
const COUNT: u64 = 0xFFFF_FFFF_FFFF;

impl Ids {
    pub(crate) fn new(shard: ShardId) -> Self {
        Self { shard, next: 1 }
    }

    /// Nothing below `count` is given out from here on.
    pub(crate) fn start_at(&mut self, count: u64) {
        self.next = self.next.max(count);
    }

    pub(crate) fn session(&mut self) -> SessionId {
        SessionId(self.number())
    }

    pub(crate) fn message(&mut self) -> MessageId {
        MessageId(self.number())
    }

    fn number(&mut self) -> u64 {
        let count = self.next & COUNT;
        self.next += 1;
        (u64::from(self.shard.0) << 48) | count
    }
}

/// The part of an id that counts: the next process starts above the largest one of the store ([`crate::Image::first_free`]).
#[must_use]
pub fn count_of(id: u64) -> u64 {
    id & COUNT
}

/// The shard that owns the session of this key ([`signet_policy::Client::session_key`]), which is the Client Identifier for all but clients of
/// a tenant. It depends on the key and the number of shards only, so take-over and
/// resumption never have to ask another shard.
#[must_use]
pub fn owner_shard(session_key: &ClientIdentifier, shards: u16) -> ShardId {
    // FNV-1a with a final mix: stable over builds and machines, which a seeded hash is not.
    let hash =
        session_key.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ShardId(u16::try_from(mixed % u64::from(shards.max(1))).unwrap_or(0))
}
