//! What a run is like: every seed has its own mixture of actions, faults and bounds, so that rare things are common in some of them.

use std::num::NonZeroU16;

use signet_broker::{Durability, DurabilityRules, Limits, TotalLimits};
use signet_mqtt::QoS;

use crate::dice::Dice;

/// What can happen next; the order of [`Swarm::weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A client without a connection connects.
    Connect,
    /// A client says DISCONNECT.
    Disconnect,
    Publish,
    Subscribe,
    Unsubscribe,
    /// A client sends an answer it owes.
    Answer,
    /// A packet reaches the broker.
    Up,
    /// A packet reaches a client.
    Down,
    /// A connection breaks.
    Break,
    /// A delivery reaches another shard.
    Mail,
    /// The store's writer takes what was posted.
    Write,
    /// What was written is synced.
    Sync,
    /// Time passes.
    Pass,
    /// An operator ends a connection.
    Kick,
    /// A connection's buffer is full, or empty again.
    Throttle,
    /// The process dies.
    Crash,
    /// The disk runs full, or has room again.
    Room,
}

/// The actions in the order of their weights.
pub(crate) const ACTIONS: [Action; 17] = [
    Action::Connect,
    Action::Disconnect,
    Action::Publish,
    Action::Subscribe,
    Action::Unsubscribe,
    Action::Answer,
    Action::Up,
    Action::Down,
    Action::Break,
    Action::Mail,
    Action::Write,
    Action::Sync,
    Action::Pass,
    Action::Kick,
    Action::Throttle,
    Action::Crash,
    Action::Room,
];

/// One run's character.
#[derive(Debug, Clone)]
pub(crate) struct Swarm {
    pub(crate) clients: usize,
    pub(crate) shards: u16,
    pub(crate) weights: Vec<usize>,
    /// Percent of CONNECTs that start clean, carry a Will, want a session that lasts, and of sessions that last only seconds.
    pub(crate) clean: usize,
    pub(crate) will: usize,
    pub(crate) persistent: usize,
    pub(crate) short: usize,
    /// Percent of publishes with RETAIN and with a Message Expiry Interval.
    pub(crate) retain: usize,
    pub(crate) expiring: usize,
    /// Percent of subscriptions that are shared.
    pub(crate) shared: usize,
    /// Whether members of Shared Subscriptions may end their sessions, so that nothing can be said of who gets what.
    pub(crate) is_group_disturbed: bool,
    /// Whether queues are so short that messages are dropped.
    pub(crate) has_small_queues: bool,
    /// Whether all clients are devices of one tenant, but for the last, which is of another.
    pub(crate) is_tenanted: bool,
    pub(crate) limits: Limits,
    /// Milliseconds that pass at once, at most.
    pub(crate) stride: usize,
}

impl Swarm {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let has_small_queues = dice.percent(10);
        let mut weights = vec![120, 8, 400, 60, 15, 600, 900, 900, 16, 200, 150, 150, 60, 4, 20, 0, 0];
        for weight in &mut weights {
            // Some things are rare in this run, some do not happen, some happen all the time.
            *weight = *weight * dice.pick(&[0, 1, 2, 2, 2, 3, 8]) / 2;
        }
        // Without these nothing moves.
        for vital in [Action::Connect, Action::Publish, Action::Up, Action::Down, Action::Answer, Action::Mail, Action::Write, Action::Sync]
        {
            let at = ACTIONS.iter().position(|action| *action == vital).unwrap();
            weights[at] = weights[at].max(50);
        }
        weights[15] = dice.pick(&[0, 2, 4, 12]);
        weights[16] = dice.pick(&[0, 0, 0, 6]);
        Self {
            clients: dice.between(3, 8),
            shards: u16::try_from(dice.between(1, 4)).unwrap(),
            weights,
            clean: dice.pick(&[0, 5, 40]),
            will: dice.pick(&[0, 20, 60]),
            persistent: dice.pick(&[30, 70, 100]),
            short: dice.pick(&[0, 10, 50]),
            retain: dice.pick(&[0, 10, 40]),
            expiring: dice.pick(&[0, 0, 20]),
            shared: dice.pick(&[0, 0, 20, 50]),
            is_group_disturbed: dice.percent(50),
            has_small_queues,
            is_tenanted: false,
            limits: limits(dice, has_small_queues),
            stride: dice.pick(&[20, 500, 5_000]),
        }
    }

    /// The Receive Maximum of a client.
    pub(crate) fn receive_maximum(dice: &mut Dice) -> Option<NonZeroU16> {
        NonZeroU16::new(dice.pick(&[0, 1, 2, 3, 10, 100]))
    }
}

fn limits(dice: &mut Dice, has_small_queues: bool) -> Limits {
    let rules = ["", "t0/", "t1/"]
        .into_iter()
        .flat_map(|tenant| [(format!("{tenant}i"), Durability::Interval), (format!("{tenant}o"), Durability::Off)]);
    Limits {
        receive_maximum: dice.pick(&[1, 3, 20]),
        maximum_inflight: dice.pick(&[1, 2, 5, 64]),
        maximum_qos: QoS::ExactlyOnce,
        topic_alias_maximum: dice.pick(&[0, 2, 10]),
        queued_messages_maximum: if has_small_queues { dice.between(1, 5) } else { 1_000_000 },
        queued_bytes_maximum: usize::MAX / 2,
        durability: DurabilityRules::new(Durability::Always, rules),
        total: TotalLimits { queued_bytes_maximum: usize::MAX / 2, ..TotalLimits::default() },
        ..Limits::default()
    }
}
