//! Which OCSP answers are to be asked for again, and when: a bounded list in two orders, without a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_identity::PathCertificate;

use signet_http::Url;

/// How a certificate is asked about again.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) profile: Arc<str>,
    /// The responder that answered.
    pub(crate) responder: Arc<Url>,
    /// How often in a row a renewal failed.
    pub(crate) failures: u32,
}

#[derive(Debug)]
struct Kept {
    subject: Subject,
    due: i64,
    used: i64,
}

/// Certificates with an answer. Times in seconds since 1970-01-01 UTC.
#[derive(Debug, Default)]
pub(crate) struct Renewals {
    kept: BTreeMap<PathCertificate, Kept>,
    by_due: BTreeSet<(i64, PathCertificate)>,
    by_use: BTreeSet<(i64, PathCertificate)>,
}

impl Renewals {
    /// Notes that a certificate was answered, and is to be asked about again at `due`. `used`: when somebody wanted to know; `None`: nobody
    /// did, it was only renewed. Returns what has to go because there is no room for more than `capacity`.
    pub(crate) fn note(
        &mut self,
        certificate: PathCertificate,
        subject: Subject,
        due: i64,
        used: Option<i64>,
        capacity: usize,
    ) -> Option<PathCertificate> {
        let before = self.remove(&certificate);
        let used = used.or_else(|| before.map(|kept| kept.used)).unwrap_or(due);
        self.by_due.insert((due, certificate));
        self.by_use.insert((used, certificate));
        self.kept.insert(certificate, Kept { subject, due, used });
        if self.kept.len() <= capacity.max(1) {
            return None;
        }
        let leaving = self.by_use.iter().map(|(_, leaving)| *leaving).find(|leaving| *leaving != certificate)?;
        self.remove(&leaving);
        Some(leaving)
    }

    /// Notes that somebody uses the answer. `false`: it is not asked for again, nobody wanted it for long.
    pub(crate) fn note_use(&mut self, certificate: &PathCertificate, now: i64) -> bool {
        let Some(kept) = self.kept.get_mut(certificate) else { return false };
        self.by_use.remove(&(kept.used, *certificate));
        kept.used = kept.used.max(now);
        self.by_use.insert((kept.used, *certificate));
        true
    }

    /// Makes due now what a rule names.
    pub(crate) fn hurry(&mut self, now: i64, meant: impl Fn(&Subject) -> bool) {
        for (certificate, kept) in &mut self.kept {
            if meant(&kept.subject) && self.by_due.remove(&(kept.due, *certificate)) {
                kept.due = now;
                self.by_due.insert((now, *certificate));
            }
        }
    }

    /// Takes out what is due, at most `limit`, each with when it was used last.
    pub(crate) fn take_due(&mut self, now: i64, limit: usize) -> Vec<(PathCertificate, Subject, i64)> {
        let due: Vec<PathCertificate> =
            self.by_due.iter().take_while(|(due, _)| *due <= now).take(limit).map(|(_, certificate)| *certificate).collect();
        due.into_iter().filter_map(|certificate| self.remove(&certificate).map(|kept| (certificate, kept.subject, kept.used))).collect()
    }

    /// How many answers came from each responder of each profile.
    pub(crate) fn count(&self) -> BTreeMap<(Arc<str>, Arc<Url>), usize> {
        let mut count = BTreeMap::new();
        for Kept { subject, .. } in self.kept.values() {
            *count.entry((Arc::clone(&subject.profile), Arc::clone(&subject.responder))).or_default() += 1;
        }
        count
    }

    /// Forgets those that a rule names.
    pub(crate) fn forget(&mut self, gone: impl Fn(&Subject) -> bool) -> Vec<PathCertificate> {
        let leaving: Vec<PathCertificate> =
            self.kept.iter().filter(|(_, kept)| gone(&kept.subject)).map(|(certificate, _)| *certificate).collect();
        leaving.iter().for_each(|certificate| drop(self.remove(certificate)));
        leaving
    }

    fn remove(&mut self, certificate: &PathCertificate) -> Option<Kept> {
        let kept = self.kept.remove(certificate)?;
        self.by_due.remove(&(kept.due, *certificate));
        self.by_use.remove(&(kept.used, *certificate));
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use signet_identity::{CertificateId, KeyDigest, NameDigest, SerialNumber};

    use super::*;

    fn certificate(number: u8) -> PathCertificate {
        let serial = SerialNumber::from_der_integer(&[number]).unwrap();
        let id = CertificateId::new(NameDigest::from_bytes([1; 32]), serial);
        PathCertificate { id, issuer_key: KeyDigest::from_bytes([2; 32]) }
    }

    fn subject() -> Subject {
        Subject { profile: "p".into(), responder: Arc::new("http://a/".parse().unwrap()), failures: 0 }
    }

    fn due(renewals: &mut Renewals, now: i64) -> Vec<(PathCertificate, i64)> {
        renewals.take_due(now, 10).into_iter().map(|(certificate, _, used)| (certificate, used)).collect()
    }

    #[test]
    fn what_is_due_is_taken_once_the_earliest_first() {
        let mut renewals = Renewals::default();
        for (number, at) in [(1, 30), (2, 10), (3, 20)] {
            assert_eq!(renewals.note(certificate(number), subject(), at, Some(5), 10), None);
        }
        assert_eq!(due(&mut renewals, 9), []);
        assert_eq!(due(&mut renewals, 20), [(certificate(2), 5), (certificate(3), 5)]);
        assert_eq!(due(&mut renewals, 20), []);
        assert_eq!(renewals.count().into_values().sum::<usize>(), 1);
        assert!(renewals.note_use(&certificate(1), 25) && !renewals.note_use(&certificate(2), 25));
        assert_eq!(due(&mut renewals, 30), [(certificate(1), 25)]);
        assert!(renewals.by_use.is_empty() && renewals.by_due.is_empty());
    }

    #[test]
    fn without_room_the_one_not_used_for_longest_goes() {
        let mut renewals = Renewals::default();
        for (number, used) in [(1, 1), (2, 2), (3, 3)] {
            assert_eq!(renewals.note(certificate(number), subject(), 100, Some(used), 3), None);
        }
        assert!(renewals.note_use(&certificate(1), 9));
        assert_eq!(renewals.note(certificate(4), subject(), 100, Some(4), 3), Some(certificate(2)));
        assert_eq!(renewals.note(certificate(1), subject(), 200, None, 3), None, "a renewal takes no more room");
        assert_eq!(renewals.note(certificate(5), subject(), 100, Some(0), 3), Some(certificate(3)), "not the one just noted");
        assert_eq!(renewals.forget(|_| true).len(), 3);
        assert!(renewals.by_use.is_empty() && renewals.by_due.is_empty() && renewals.kept.is_empty());
    }
}
