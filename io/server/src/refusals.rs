//! The last refusals, kept for the operator who asks why a device is not let in.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use signet_net::{PeerAddress, unix_seconds};
use signet_tls::Refusal;

/// One refused connection.
#[derive(Clone, Debug)]
pub struct RefusalRecord {
    /// Counts all refusals since the start, from 1: by it one is asked for.
    pub number: u64,
    /// Unix seconds.
    pub at: i64,
    /// The listener's name.
    pub listener: String,
    /// From where.
    pub address: PeerAddress,
    /// Why.
    pub refusal: Refusal,
}

/// The newest refusals of all listeners.
#[derive(Debug)]
pub struct RefusalBook {
    /// Records kept.
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    records: VecDeque<RefusalRecord>,
}

impl RefusalBook {
    /// A book of so many records.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default() }
    }

    /// Writes one down, for the oldest if there is no room.
    pub(crate) fn note(&self, refusal: &Refusal, listener: &str, address: PeerAddress) {
        if self.capacity == 0 {
            return;
        }
        let record = RefusalRecord { number: 0, at: unix_seconds(), listener: listener.to_owned(), address, refusal: refusal.clone() };
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if state.records.len() >= self.capacity {
            state.records.pop_front();
        }
        state.records.push_back(RefusalRecord { number, ..record });
    }

    /// The newest that `wanted` takes, newest first, at most `count`.
    pub fn newest(&self, count: usize, wanted: impl Fn(&RefusalRecord) -> bool) -> Vec<RefusalRecord> {
        self.state().records.iter().rev().filter(|record| wanted(record)).take(count).cloned().collect()
    }

    /// The refusal with a number, while it is kept.
    pub fn find(&self, number: u64) -> Option<RefusalRecord> {
        self.state().records.iter().find(|record| record.number == number).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use signet_tls::Check;

    use super::*;

    #[test]
    fn the_oldest_makes_room_and_numbers_go_on() {
        let book = RefusalBook::new(3);
        for number in 1..=5 {
            let refusal = Refusal::without_certificate(Check::Handshake, format!("refusal {number}"), "nothing");
            book.note(&refusal, if number % 2 == 0 { "even" } else { "odd" }, PeerAddress::Unix(None));
        }
        let numbers = |records: Vec<RefusalRecord>| records.iter().map(|record| record.number).collect::<Vec<_>>();
        assert_eq!(numbers(book.newest(9, |_| true)), [5, 4, 3]);
        assert_eq!(numbers(book.newest(1, |record| record.listener == "even")), [4]);
        assert_eq!(book.find(4).unwrap().refusal.found, "refusal 4");
        assert!(book.find(2).is_none() && book.find(6).is_none());
    }

    #[test]
    fn a_book_without_pages_keeps_nothing() {
        let book = RefusalBook::new(0);
        book.note(&Refusal::without_certificate(Check::Handshake, "x", "y"), "l", PeerAddress::Unix(None));
        assert!(book.newest(9, |_| true).is_empty());
    }
}
