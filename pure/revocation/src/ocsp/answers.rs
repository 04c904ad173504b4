//! The last answer about each certificate, a bounded number of them.

use std::collections::{BTreeMap, BTreeSet};

use signet_identity::PathCertificate;

use super::{OcspAnswer, OcspStatus};

/// What became of an answer that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing was known about the certificate before, or something else.
    Changed,
    /// It says what the one before said, and took its place.
    Renewed,
    /// It was left out: one that is newer, or a revocation that it cannot lift, is there.
    Ignored,
    /// It was left out: there is no room, and everything else is worth more.
    NoRoom,
}

/// Verified answers by certificate.
///
/// When there is no room, the answers go whose life ends first, of those the one that was fetched first; a "revoked" goes only when there is
/// nothing else. Each takes some 450 bytes.
#[derive(Debug, Clone)]
pub struct OcspAnswers {
    capacity: usize,
    answers: BTreeMap<PathCertificate, OcspAnswer>,
    /// Those that are not revoked, in the order in which they go.
    others: BTreeSet<Place>,
    /// Those that are revoked, the same.
    revoked: BTreeSet<Place>,
}

/// End of life, time of fetching, certificate.
type Place = (i64, i64, PathCertificate);

fn place(answer: &OcspAnswer) -> Place {
    (answer.fresh_until(), answer.fetched_at, answer.certificate)
}

impl OcspAnswers {
    /// Room for `capacity` answers.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, answers: BTreeMap::new(), others: BTreeSet::new(), revoked: BTreeSet::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// The last answer about a certificate, however old.
    #[must_use]
    pub fn get(&self, certificate: &PathCertificate) -> Option<&OcspAnswer> {
        self.answers.get(certificate)
    }

    /// Takes an answer over. One that was made before the one that is there is a replay and ignored; a responder that no longer knows a
    /// certificate does not lift its revocation.
    pub fn record(&mut self, answer: OcspAnswer) -> Recorded {
        let certificate = answer.certificate;
        let previous = self.answers.get(&certificate).copied();
        if let Some(previous) = previous {
            let forgets = previous.is_revoked() && answer.status == OcspStatus::Unknown;
            if answer.this_update < previous.this_update || forgets {
                return Recorded::Ignored;
            }
            self.order_of(&previous).remove(&place(&previous));
        }
        self.answers.insert(certificate, answer);
        self.order_of(&answer).insert(place(&answer));
        while self.answers.len() > self.capacity {
            let Some((.., leaving)) = self.others.pop_first().or_else(|| self.revoked.pop_first()) else { break };
            self.answers.remove(&leaving);
        }
        if !self.answers.contains_key(&certificate) {
            return Recorded::NoRoom;
        }
        if previous.is_some_and(|previous| previous.status == answer.status) { Recorded::Renewed } else { Recorded::Changed }
    }

    /// Forgets the answer about a certificate.
    pub fn remove(&mut self, certificate: &PathCertificate) -> Option<OcspAnswer> {
        let answer = self.answers.remove(certificate)?;
        self.order_of(&answer).remove(&place(&answer));
        Some(answer)
    }

    /// The answers that are no longer fresh at `before`, seconds since 1970-01-01 UTC, those that end first first: what is to be asked for again.
    /// First those that are not revoked.
    pub fn expiring(&self, before: i64) -> impl Iterator<Item = &OcspAnswer> {
        let ending = move |(until, ..): &&Place| *until < before;
        let places = self.others.iter().take_while(ending).chain(self.revoked.iter().take_while(ending));
        places.filter_map(|(.., certificate)| self.answers.get(certificate))
    }

    fn order_of(&mut self, answer: &OcspAnswer) -> &mut BTreeSet<Place> {
        if answer.is_revoked() { &mut self.revoked } else { &mut self.others }
    }

    /// Every answer, by certificate.
    pub fn iter(&self) -> impl Iterator<Item = &OcspAnswer> {
        self.answers.values()
    }
}

#[cfg(test)]
mod tests;
