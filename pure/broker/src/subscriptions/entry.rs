//! A subscription as it stands in the tree, in as few octets as it takes: there are millions, and nearly every filter has one session.

use std::collections::BTreeMap;

use signet_mqtt::{QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions};

use super::Subscriber;
use crate::changes::Mark;
use crate::ids::{SessionId, ShardId};

/// Who subscribed to one filter.
#[derive(Debug)]
pub(super) enum Subscribers {
    One(Entry),
    Many(Box<Crowd>),
}

/// Several sessions, or any that share it, sorted, so that a filter with very many sessions stays cheap to change.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    pub(super) direct: BTreeMap<SessionId, Entry>,
    /// By ShareName.
    pub(super) groups: BTreeMap<Box<str>, u32>,
}

/// A [`Subscriber`], packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) session: SessionId,
    identifier: Option<SubscriptionIdentifier>,
    key: u32,
    shard: ShardId,
    /// Where its changes count.
    pub(super) mark: Mark,
    maximum_qos: QoS,
    flags: u8,
}

const NO_LOCAL: u8 = 1;
const RETAIN_AS_PUBLISHED: u8 = 1 << 1;
const IS_PERSISTENT: u8 = 1 << 2;
const IS_CONNECTED: u8 = 1 << 3;
const IS_MQTT5: u8 = 1 << 4;
const SEND_IF_NEW: u8 = 1 << 5;
const DO_NOT_SEND: u8 = 1 << 6;

impl Entry {
    pub(super) fn new(subscriber: &Subscriber, mark: Mark) -> Self {
        let Subscriber { session, shard, key, is_persistent, options, identifier, is_connected, is_mqtt5 } = *subscriber;
        let SubscriptionOptions { maximum_qos, no_local, retain_as_published, retain_handling } = options;
        let flags = [
            (no_local, NO_LOCAL),
            (retain_as_published, RETAIN_AS_PUBLISHED),
            (is_persistent, IS_PERSISTENT),
            (is_connected, IS_CONNECTED),
            (is_mqtt5, IS_MQTT5),
            (retain_handling == RetainHandling::SendIfNew, SEND_IF_NEW),
            (retain_handling == RetainHandling::DoNotSend, DO_NOT_SEND),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, flag)| flags | flag);
        Self { session, identifier, key, shard, mark, maximum_qos, flags }
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn set_connected(&mut self, is_connected: bool) {
        self.flags = self.flags & !IS_CONNECTED | if is_connected { IS_CONNECTED } else { 0 };
    }
}

impl From<Entry> for Subscriber {
    fn from(entry: Entry) -> Self {
        let Entry { session, identifier, key, shard, mark: _, maximum_qos, flags: _ } = entry;
        let retain_handling = match (entry.has(SEND_IF_NEW), entry.has(DO_NOT_SEND)) {
            (true, _) => RetainHandling::SendIfNew,
            (_, true) => RetainHandling::DoNotSend,
            (false, false) => RetainHandling::SendAtSubscribe,
        };
        let (no_local, retain_as_published) = (entry.has(NO_LOCAL), entry.has(RETAIN_AS_PUBLISHED));
        Self {
            session,
            shard,
            key,
            is_persistent: entry.has(IS_PERSISTENT),
            options: SubscriptionOptions { maximum_qos, no_local, retain_as_published, retain_handling },
            identifier,
            is_connected: entry.has(IS_CONNECTED),
            is_mqtt5: entry.has(IS_MQTT5),
        }
    }
}

impl Subscribers {
    /// Adds or replaces one that is not shared. Returns the one that it replaces.
    pub(super) fn put(subscribers: &mut Option<Self>, entry: Entry) -> Option<Entry> {
        match subscribers {
            None => {
                *subscribers = Some(Self::One(entry));
                None
            }
            Some(Self::One(known)) if known.session == entry.session => Some(std::mem::replace(known, entry)),
            Some(Self::One(_) | Self::Many(_)) => Self::change(subscribers, |crowd| crowd.direct.insert(entry.session, entry)),
        }
    }

    /// Takes one out that is not shared.
    pub(super) fn take(subscribers: &mut Option<Self>, session: SessionId) -> Option<Entry> {
        match subscribers {
            Some(Self::One(known)) if known.session == session => {
                let known = *known;
                *subscribers = None;
                Some(known)
            }
            Some(Self::Many(_)) => Self::change(subscribers, |crowd| crowd.direct.remove(&session)),
            Some(Self::One(_)) | None => None,
        }
    }

    /// Changes whatever is there as if it were many, and leaves it in the least form.
    pub(super) fn change<R>(subscribers: &mut Option<Self>, change: impl FnOnce(&mut Crowd) -> R) -> R {
        let mut crowd: Box<Crowd> = match subscribers.take() {
            None => Box::default(),
            Some(Self::One(entry)) => Box::new(Crowd { direct: BTreeMap::from([(entry.session, entry)]), groups: BTreeMap::new() }),
            Some(Self::Many(crowd)) => crowd,
        };
        let changed = change(&mut crowd);
        *subscribers = if crowd.groups.is_empty() && crowd.direct.len() < 2 {
            crowd.direct.pop_first().map(|(_, entry)| Self::One(entry))
        } else {
            Some(Self::Many(crowd))
        };
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        for bits in 0..32_u8 {
            for retain_handling in [RetainHandling::SendAtSubscribe, RetainHandling::SendIfNew, RetainHandling::DoNotSend] {
                for maximum_qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                    let has = |bit: u8| bits & 1 << bit != 0;
                    let options = SubscriptionOptions { maximum_qos, no_local: has(0), retain_as_published: has(1), retain_handling };
                    let subscriber = Subscriber {
                        session: SessionId(u64::MAX - u64::from(bits)),
                        shard: ShardId(7),
                        key: 9,
                        is_persistent: has(2),
                        options,
                        identifier: SubscriptionIdentifier::new(bits.into()),
                        is_connected: has(3),
                        is_mqtt5: has(4),
                    };
                    assert_eq!(Subscriber::from(Entry::new(&subscriber, 4_000)), subscriber);
                }
            }
        }
        assert_eq!(size_of::<Option<Subscribers>>(), 24);
    }
}
