//! So many per second and no more: how long who is too fast has to wait. Never a reason to lose anything.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds of a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// How fast something may go on average. What was not used during the last second may be used at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Nanoseconds between two.
    interval: u64,
}

impl Rate {
    /// `None` for zero, which stands for no bound.
    pub(crate) fn per_second(count: u64) -> Option<Self> {
        SECOND.checked_div(count).map(|interval| Self { interval: interval.max(1) })
    }

    /// The account after taking `cost`; the account is the moment, in nanoseconds, up to which everything is used.
    fn charge(self, used_until: u64, cost: u64, now: u64) -> u64 {
        used_until.max(now.saturating_sub(SECOND)).saturating_add(self.interval.saturating_mul(cost))
    }
}

/// The account of one that is held to a [`Rate`]. It may be overdrawn once, by what was taken last, and has to be even again before more is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    used_until: u64,
}

impl Bucket {
    /// With a whole second's worth to use.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, used_until: 0 }
    }

    /// Milliseconds until more may be taken; `None`: now. `now` is in milliseconds too.
    pub(crate) fn wait(&self, now: u64) -> Option<u64> {
        let left = self.used_until.saturating_sub(now.saturating_mul(MILLISECOND));
        (left > 0).then(|| left.div_ceil(MILLISECOND))
    }

    /// Takes so much, whether it is there or not.
    pub(crate) fn take(&mut self, cost: u64, now: u64) {
        self.used_until = self.rate.charge(self.used_until, cost, now.saturating_mul(MILLISECOND));
    }
}

/// A [`Bucket`] that many threads share; what is not there is refused.
#[derive(Debug)]
pub(crate) struct SharedBucket {
    rate: Option<Rate>,
    used_until: AtomicU64,
}

impl SharedBucket {
    /// Without a rate everything is allowed.
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self { rate, used_until: AtomicU64::new(0) }
    }

    /// Takes one if there is one; `now` in milliseconds.
    pub(crate) fn admit(&self, now: u64) -> bool {
        let Some(rate) = self.rate else { return true };
        let now = now.saturating_mul(MILLISECOND);
        let charged = |used_until| (used_until < now).then(|| rate.charge(used_until, 1, now));
        self.used_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_saved_up_and_no_more() {
        let mut bucket = Bucket::new(Rate::per_second(10).unwrap());
        for second in [1_000_u64, 1_000_000] {
            let now = second * 1000;
            let taken = (0..100).take_while(|_| bucket.wait(now).is_none().then(|| bucket.take(1, now)).is_some()).count();
            assert_eq!(taken, 11, "ten of the second before, and one that overdraws");
            assert_eq!(bucket.wait(now), Some(100));
            assert_eq!(bucket.wait(now + 99), Some(1));
            assert_eq!(bucket.wait(now + 100), None);
        }
    }

    #[test]
    fn what_is_large_is_paid_for_afterwards() {
        let mut bucket = Bucket::new(Rate::per_second(1000).unwrap());
        bucket.take(5_000, 10_000);
        assert_eq!(bucket.wait(10_000), Some(4_000), "one of the five seconds was saved up");
        assert_eq!(bucket.wait(14_000), None);
    }

    #[test]
    fn a_shared_bucket_refuses_and_zero_is_no_bound() {
        assert_eq!(Rate::per_second(0), None);
        let open = SharedBucket::new(None);
        assert!((0..1000).all(|_| open.admit(1)));
        let bucket = SharedBucket::new(Rate::per_second(4));
        assert_eq!((0..100).filter(|_| bucket.admit(50_000)).count(), 4);
        assert_eq!((0..100).filter(|_| bucket.admit(50_500)).count(), 2);
    }
}
