//! Runs `signet-broker` on sockets: one thread, one epoll and one broker state machine per shard.
//!
//! Who owns what:
//! - the accept thread (`accept.rs`) owns the listening sockets and gives each new connection to a lobby;
//! - a lobby (`lobby.rs`) does the handshake and reads CONNECT; then the connection, with its socket, TLS state and buffers, moves once to the shard
//!   that owns its session. Its thread goes on when no shard on its processor wants to;
//! - a shard (`shard.rs`) owns its connections (`link.rs`) and the sessions that hash to it;
//! - shards exchange connections and deliveries through mailboxes, in batches, with one wake-up for each batch (`mailbox.rs`);
//! - the control plane reaches them only through [`ServerHandle`], its registry, and the revocation index it was started with.
//!
//! One turn of a shard: wait for events; take mail; read, decrypt, decode and apply what came, within a budget; time-outs; then encode and write
//! once per connection that has something to say; send mail. No turn is long, so nobody waits long: orders to close a connection are limited to a few
//! per turn, and a connection that sends a lot gets its share in every turn, no more. A lobby does the same with those that come in.

mod abuse;
mod accept;
mod attach;
mod authentication;
mod bounds;
mod config;
mod control;
mod counters;
mod explain;
mod gate;
mod handle;
mod inbound;
mod lines;
mod link;
mod listener;
mod lobby;
mod log;
mod mailbox;
mod monitor;
mod outbox;
mod pipe;
mod proxy;
mod rate;
mod ready;
mod refusals;
mod reload;
mod restore;
mod secure;
mod shard;
mod shared;
mod socket;
mod store;
mod vouching;

pub use abuse::{AbuseLimits, HeldOff, HoldCounts, HoldKind};
pub use attach::BridgeEntrance;
pub use authentication::{Authentication, Done, Exchange, Verdict};
pub use bounds::{ListenerLimits, ServerLimits};
pub use config::{
    CloneAlarm, ListenerConfig, ProfileConfig, ProfileNames, ProfileSettings, ProxyConfig, ProxyDemand, ServerConfig, StartError,
    TransportConfig,
};
pub use control::{ControlDone, ControlRequest, ControlTopics};
pub use explain::{Access, Answer, Asking, ProfileInUse, Question, Unanswered};
pub use refusals::{RefusalBook, RefusalRecord};
pub use reload::{PreparedReload, Reloaded};
pub use signet_psk::{
    DeviceName, Psk, PskAnswer, PskConfig, PskDone, PskEncoding, PskError, PskFile, PskFileConfig, PskLines, PskLookup,
    is_available as has_psk,
};
pub use signet_store::{StoreConfig, StoreError, StoreState, StoreStats};

pub use handle::{ServerHandle, start};
pub use monitor::{Monitor, ServerStats};
