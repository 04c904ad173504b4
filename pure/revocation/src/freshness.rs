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
    fn a_crl_is_stale_one_second_after_next_update() {
        assert_eq!(Freshness::at(Some(100), 100), Freshness::Fresh);
        assert_eq!(Freshness::at(Some(100), 101), Freshness::Stale { next_update: 100 });
        assert_eq!(Freshness::at(None, i64::MAX), Freshness::Fresh);
    }
}
