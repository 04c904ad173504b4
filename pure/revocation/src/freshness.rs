//! How old knowledge may be: thisUpdate and nextUpdate against now (RFC 5280 §5.1.2.4, §5.1.2.5).

/// Whether a CRL's successor is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// nextUpdate is not reached, or the CRL names none.
    Fresh,
    /// nextUpdate has passed.
    Stale {
        /// When the next CRL was due, seconds since 1970-01-01 UTC.
        next_update: i64,
    },
}

impl Freshness {
    /// Compares nextUpdate with the caller's clock, both in seconds since 1970-01-01 UTC. The second of nextUpdate itself is still fresh.
    #[must_use]
    pub fn at(next_update: Option<i64>, now: i64) -> Self {
        match next_update {
            Some(next_update) if next_update < now => Self::Stale { next_update },
            _ => Self::Fresh,
        }
    }
}

/// How current the best answer about a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Fresh,
    InGrace { next_update: i64 },
    Stale { next_update: i64 },
    Missing,
}

impl Standing {
    /// Compares nextUpdate, and nextUpdate plus grace, with the caller's clock.
    pub(crate) fn at(next_update: Option<i64>, grace: i64, now: i64) -> Self {
        match Freshness::at(next_update, now) {
            Freshness::Fresh => Self::Fresh,
            Freshness::Stale { next_update } if now <= next_update.saturating_add(grace) => Self::InGrace { next_update },
            Freshness::Stale { next_update } => Self::Stale { next_update },
        }
    }

    /// The more current of two, of two alike the one that was due later.
    pub(crate) fn better(self, other: Self) -> Self {
        let rank = |standing| match standing {
            Self::Fresh => (3, 0),
            Self::InGrace { next_update } => (2, next_update),
            Self::Stale { next_update } => (1, next_update),
            Self::Missing => (0, 0),
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// What to do with a certificate whose issuer's CRL is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StalePolicy {
    /// Refuse: nobody can say that it is not revoked.
    #[default]
    Deny,
    /// Accept unless it is on the stale CRL.
    Allow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_until_its_grace_ends() {
        assert_eq!(Standing::at(Some(100), 10, 100), Standing::Fresh);
        assert_eq!(Standing::at(Some(100), 10, 110), Standing::InGrace { next_update: 100 });
        assert_eq!(Standing::at(Some(100), 10, 111), Standing::Stale { next_update: 100 });
        assert_eq!(Standing::at(Some(100), i64::MAX, i64::MAX), Standing::InGrace { next_update: 100 });
        let (grace, stale) = (Standing::InGrace { next_update: 1 }, Standing::Stale { next_update: 9 });
        assert_eq!((grace.better(stale), stale.better(grace), Standing::Missing.better(stale)), (grace, grace, stale));
        assert_eq!(stale.better(Standing::Stale { next_update: 3 }), stale);
    }

    #[test]
    fn a_crl_is_stale_one_second_after_next_update() {
        assert_eq!(Freshness::at(Some(100), 100), Freshness::Fresh);
        assert_eq!(Freshness::at(Some(100), 101), Freshness::Stale { next_update: 100 });
        assert_eq!(Freshness::at(None, i64::MAX), Freshness::Fresh);
    }
}
