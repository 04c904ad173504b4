//! The MQTT Server as a state machine, one [`Broker`] per shard, without I/O.
//!
//! The contract of calling it:
//!
//! 1. Give the [`Directory`] and every shard what was stored ([`Image::split`], [`Directory::restore`], [`Broker::restore`]), all of them
//!    before the first input of any.
//! 2. Where a connection was accepted, decode its first packet ([`expect_connect`]) and decide on it with [`admit`]. That gives an
//!    [`Admission`], whose [`Admission::owner`] says to which shard the connection moves.
//! 3. On the owning shard call [`Broker::apply`] with one [`Input`] at a time, in the order in which things happened. Time is in the
//!    [`Context`]; it never goes back.
//! 4. After each call carry out the [`Output`]s in their order. Those for other shards ([`Output::Handover`]) become
//!    [`Input::Delivery`] there, after [`Store::post`].
//! 5. Call `apply` with [`Input::Tick`] not later than [`Broker::next_deadline`].
//! 6. Where access sources are asked about each topic ([`Ruleset::asks`](signet_policy::Ruleset::asks)), a connection that was named in an
//!    [`Output::Ask`] is held: read and decode nothing more of it, and keep what is decided already, until the [`Input::Answered`] that makes no further
//!    [`Output::Ask`] for it. Any input can make one, a tick too. There is one question of a connection at a time; everything else goes on, above all
//!    what is sent to it. Every question needs its answer, [`AccessAnswer::Failed`](signet_policy::AccessAnswer::Failed) if nobody has one in time. The
//!    Will of a CONNECT is asked about before [`admit`], as long as [`Application::will_question`] has a question.
//!
//! 7. A request to the Server ([`Output::Control`]) holds its connection in the same way, until the [`Input::Controlled`] that answers it.
//!
//! A session lives on exactly one shard, the one its Client Identifier hashes to ([`owner_shard`]): take-over and resumption are local.
//! What the shards share is the [`Directory`] of subscriptions and retained messages.
//!
//! Nothing is promised to a client before it is durable: an output that promises something carries the [`Ticket`] it depends on. Which ones
//! do, and why, is in `docs/decisions/0007-what-is-durable-when.md`.
//!
//! What is missing on purpose: sockets, clocks, threads, TLS, the storage engine. Whatever a peer can make grow is bounded in [`Limits`]
//! and [`TotalLimits`].

mod acknowledge;
mod admission;
mod asking;
mod broker;
mod changes;
mod connect;
mod connection;
mod control;
mod debts;
mod deliver;
mod directory;
mod disconnect;
mod durability;
mod identifiers;
mod ids;
mod image;
mod inflight;
mod input;
mod keep_alive;
mod limits;
mod memo;
mod moment;
mod output;
mod packet_ids;
mod publish;
mod queue;
mod relimit;
mod restore;
mod retained;
mod review;
mod route;
mod rules;
mod session;
mod stats;
mod store;
mod subscribe;
mod subscribed;
mod subscriptions;
mod timers;
mod totals;
mod tree;
mod will;
mod withhold;

pub use admission::{Admission, Application, Refusal, admit, admit_without_chain, apply, expect_connect};
pub use broker::{Broker, Context};
pub use changes::Changes;
pub use control::ControlAnswer;
pub use directory::{Directory, SharedDirectory};
pub use durability::{Durability, DurabilityRules};
pub use identifiers::SubscriptionIdentifiers;
pub use ids::{ConnectionId, MessageId, RetainedId, SessionId, ShardId, count_of, owner_shard};
pub use image::{Image, MessageImage, RetainedImage, SessionImage, ShardImage, StageImage, SubscriptionImage};
pub use input::{Delivery, Input, Judge, KickCause, NotAmong, Recipient, SessionRule, WillRule};
pub use limits::Limits;
pub use moment::Moment;
pub use output::{CloseCause, Event, Output, OwnedPublishHeader};
pub use relimit::ChangedLimits;
pub use rules::{ConnectRules, ForeignSession, MessageRules, Overlapping, Wording};
pub use stats::{Refused, Stats};
pub use store::{Change, Starting, Store, Ticket, Urgency};
pub use totals::{TotalLimits, Totals};

#[cfg(test)]
mod tests;
