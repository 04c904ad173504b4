//! One revoked certificate of an issuer, packed into 26 bytes, and sorted arrays of them: a million entries cost 26 MB and 20 comparisons.

use std::sync::Arc;

use signet_identity::SerialNumber;

use crate::reason::Reason;
use crate::revoked::{RevocationSource, Revoked};

/// A revoked serial number. All fields are byte arrays, so that an array of entries has no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    serial: [u8; SerialNumber::MAXIMUM_OCTETS],
    since: [u8; 5],
    reason: Reason,
}

/// Dates are stored as a distance from here: 40 bits then reach from 17 000 years ago to 17 000 years ahead, every date that X.509 can
/// write.
const ORIGIN: i64 = -(1 << 39);
const SPAN: i64 = (1 << 40) - 1;

impl Entry {
    pub(crate) fn new(serial: SerialNumber, since: i64, reason: Reason) -> Self {
        let distance = since.saturating_sub(ORIGIN).clamp(0, SPAN);
        let [_, _, _, since @ ..] = distance.to_be_bytes();
        Self { serial: serial.to_padded(), since, reason }
    }

    pub(crate) fn serial(&self) -> SerialNumber {
        SerialNumber::from_padded(self.serial)
    }

    fn since(&self) -> i64 {
        let [a, b, c, d, e] = self.since;
        i64::from_be_bytes([0, 0, 0, a, b, c, d, e]) + ORIGIN
    }

    /// Released, in a delta CRL (RFC 5280 §5.3.1).
    pub(crate) fn is_release(&self) -> bool {
        self.reason == Reason::RemoveFromCrl
    }

    pub(crate) fn revoked(&self, source: RevocationSource) -> Revoked {
        Revoked { since: self.since(), reason: self.reason, source }
    }
}

/// Entries of one issuer, by serial number, each serial once.
#[derive(Debug, Clone)]
pub(crate) struct SortedEntries(Arc<[Entry]>);

impl SortedEntries {
    /// Sorts. Of two entries with one serial number, the one that was revoked first stays, and one that is revoked before one that is released.
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by_key(|entry| (entry.serial, entry.is_release(), entry.since));
        entries.dedup_by_key(|entry| entry.serial);
        Self(entries.into())
    }

    pub(crate) fn find(&self, serial: SerialNumber) -> Option<&Entry> {
        let serial = serial.to_padded();
        let at = self.0.binary_search_by_key(&serial, |entry| entry.serial).ok()?;
        self.0.get(at)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}

impl Default for SortedEntries {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(octets: &[u8]) -> SerialNumber {
        SerialNumber::from_der_integer(octets).unwrap()
    }

    #[test]
    fn an_entry_takes_26_bytes() {
        assert_eq!(size_of::<Entry>(), 26);
    }

    #[test]
    fn every_date_of_x509_survives_packing() {
        for since in [-62_167_219_200, -1, 0, 1, 1_795_314_600, 253_402_300_799] {
            assert_eq!(Entry::new(serial(&[1]), since, Reason::Superseded).since(), since);
        }
        assert_eq!(Entry::new(serial(&[1]), i64::MIN, Reason::Superseded).since(), ORIGIN);
        assert_eq!(Entry::new(serial(&[1]), i64::MAX, Reason::Superseded).since(), ORIGIN + SPAN);
    }

    #[test]
    fn the_earlier_of_two_entries_stays() {
        let sorted = SortedEntries::new(vec![
            Entry::new(serial(&[9]), 50, Reason::Superseded),
            Entry::new(serial(&[1, 0]), 7, Reason::Unspecified),
            Entry::new(serial(&[0, 9]), 40, Reason::KeyCompromise),
        ]);
        assert_eq!(sorted.len(), 2);
        assert_eq!(
            sorted.find(serial(&[9])).unwrap().revoked(RevocationSource::Crl),
            Revoked { since: 40, reason: Reason::KeyCompromise, source: RevocationSource::Crl }
        );
        assert_eq!(sorted.find(serial(&[8])), None);
    }
}
