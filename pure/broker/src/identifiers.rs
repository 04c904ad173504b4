//! The Subscription Identifiers of one delivery: mostly none, often one, and more where subscriptions overlap. Copied with every delivery.

use std::ops::Deref;
use std::sync::Arc;

use signet_mqtt::SubscriptionIdentifier;

/// Subscription Identifiers in the order of their subscriptions. They read as a slice.
#[derive(Debug, Clone)]
pub struct SubscriptionIdentifiers(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Few(Option<SubscriptionIdentifier>),
    Many(Arc<[SubscriptionIdentifier]>),
}

impl SubscriptionIdentifiers {
    /// Adds others at the end.
    pub fn append(&mut self, others: &[SubscriptionIdentifier]) {
        if !others.is_empty() {
            *self = self.iter().chain(others).copied().collect();
        }
    }
}

impl Deref for SubscriptionIdentifiers {
    type Target = [SubscriptionIdentifier];

    fn deref(&self) -> &[SubscriptionIdentifier] {
        match &self.0 {
            Kind::Few(identifier) => identifier.as_slice(),
            Kind::Many(identifiers) => identifiers,
        }
    }
}

impl Default for SubscriptionIdentifiers {
    fn default() -> Self {
        Self(Kind::Few(None))
    }
}

impl From<Option<SubscriptionIdentifier>> for SubscriptionIdentifiers {
    fn from(identifier: Option<SubscriptionIdentifier>) -> Self {
        Self(Kind::Few(identifier))
    }
}

impl FromIterator<SubscriptionIdentifier> for SubscriptionIdentifiers {
    fn from_iter<I: IntoIterator<Item = SubscriptionIdentifier>>(identifiers: I) -> Self {
        let mut rest = identifiers.into_iter();
        let first = rest.next();
        match (first, rest.next()) {
            (Some(first), Some(second)) => Self(Kind::Many([first, second].into_iter().chain(rest).collect())),
            _ => Self(Kind::Few(first)),
        }
    }
}

impl PartialEq for SubscriptionIdentifiers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SubscriptionIdentifiers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_keep_their_order_however_many_there_are() {
        let all: Vec<SubscriptionIdentifier> = (1..=4).filter_map(SubscriptionIdentifier::new).collect();
        for count in 0..all.len() {
            let (first, rest) = all.split_at(count);
            let mut identifiers: SubscriptionIdentifiers = first.iter().copied().collect();
            assert_eq!(*identifiers, *first);
            identifiers.append(rest);
            assert_eq!(*identifiers, *all);
        }
    }
}
