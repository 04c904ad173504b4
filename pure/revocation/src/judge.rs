//! The judgement over a device's path: what every source says, weighed by the rules of the listener's trust profile.

use std::cell::OnceCell;
use std::sync::Arc;

use signet_identity::{AuthorityId, CertificateId, DeviceIdentity, DistributionPoint, Leaf, PathCertificate, ReasonFlags};

use crate::freshness::{StalePolicy, Standing};
use crate::index::RevocationIndex;
use crate::list::List;
use crate::ocsp::{OcspAnswer, OcspAnswers, OcspStatus};
use crate::revoked::{RevocationSource, Revoked};
use crate::scope::{Relation, Subject};

/// Whether CRLs and OCSP are needed for a device to be let in. What our own authority and the operator say counts in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationMode {
    /// Each certificate needs an answer that is fresh, or within the grace.
    Require,
    /// What is known counts, and a CRL has to be current; that nothing is known does not count.
    #[default]
    Prefer,
    /// CRLs and OCSP answers are not looked at.
    Off,
}

/// Which certificates of a path need an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationDepth {
    /// All of them, the trust anchor left out.
    #[default]
    Chain,
    /// The device's own. A revocation of its issuers that is at hand counts all the same.
    Leaf,
}

/// The rules of a trust profile. The default prefers answers for the whole chain, has no grace, and refuses whom only a stale CRL speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RevocationRules {
    /// Whether answers are needed.
    pub mode: RevocationMode,
    /// For which certificates.
    pub depth: RevocationDepth,
    /// How long past its nextUpdate the last good answer still counts, in seconds.
    pub grace: i64,
    /// What a CRL counts that is older than that.
    pub stale: StalePolicy,
}

/// The answer for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Good(Assurance),
    /// A certificate of the path is revoked. Outweighs everything, in every mode, however old the list that says so.
    Revoked {
        /// Which one.
        id: CertificateId,
        /// Since when, why, and who says so.
        revoked: Revoked,
    },
    /// The device is suspended.
    Suspended {
        /// Since when, seconds since 1970-01-01 UTC.
        since: i64,
        /// Why, for people.
        why: Arc<str>,
    },
    /// The trust profile under which it was verified was disabled by the operator.
    ProfileDisabled,
    /// The last answer about a certificate is overdue beyond the grace: any, where [`RevocationMode::Require`] asks for current ones, else that of
    /// CRLs.
    Stale {
        /// Which certificate.
        id: CertificateId,
        /// Who issued it.
        issuer: AuthorityId,
        /// When newer information was due, seconds since 1970-01-01 UTC.
        next_update: i64,
    },
    /// No source says anything about a certificate, and [`RevocationMode::Require`] asks for it.
    Unknown {
        /// Which certificate.
        id: CertificateId,
    },
}

/// How much is known behind [`Verdict::Good`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// [`RevocationMode::Off`]: nobody was asked.
    NotAsked,
    /// A fresh answer for each certificate.
    Fresh,
    /// The last good answer for a certificate is overdue, but within the grace.
    InGrace {
        /// When newer information was due, seconds since 1970-01-01 UTC; the earliest of the path.
        next_update: i64,
    },
    /// [`RevocationMode::Prefer`]: nobody could say anything current about a certificate.
    Missing,
}

/// How far in the future a list's thisUpdate may be before it is not used yet, in seconds: clocks differ.
pub(crate) const CLOCK_SKEW: i64 = 300;

impl RevocationIndex {
    /// Judges a verified path, the trust anchor left out: it is trusted by configuration. `now` in seconds since 1970-01-01 UTC.
    ///
    /// In this order: revoked by the operator (certificate, key or authority), by our own authority, by a CRL, by OCSP; its profile disabled; suspended; whether
    /// the certificates have the answers that `rules` ask for. A CRL revokes when its signer issued the certificate, when the certificate names
    /// the signer as cRLIssuer, or when the list was accepted for any issuer; it is an answer when its scope covers the certificate, several
    /// lists together for all reasons. What our own authority issued is always freshly answered.
    #[must_use]
    pub fn judge(&self, identity: &DeviceIdentity, rules: &RevocationRules, answers: Option<&OcspAnswers>, now: i64) -> Verdict {
        if let Some((id, revoked)) = self.operator.find_on_path(identity) {
            return Verdict::Revoked { id, revoked };
        }
        for PathCertificate { id, .. } in identity.path() {
            if let Some(revoked) = self.own.find(id) {
                return Verdict::Revoked { id: *id, revoked };
            }
        }
        let asked = rules.mode != RevocationMode::Off;
        if asked {
            for asked in Asked::path(self, identity) {
                if let Some(revoked) = self.listed(&asked).or_else(|| self.revoked_by_ocsp(asked.certificate, answers)) {
                    return Verdict::Revoked { id: asked.certificate.id, revoked };
                }
            }
        }
        if self.operator.disabled().contains(identity.profile()) {
            return Verdict::ProfileDisabled;
        }
        if let Some(suspended) = self.operator.suspended(identity) {
            return Verdict::Suspended { since: suspended.since, why: Arc::clone(&suspended.why) };
        }
        if asked { self.assured(identity, rules, answers, now) } else { Verdict::Good(Assurance::NotAsked) }
    }

    /// Whether there are answers enough for a path that nobody has revoked.
    fn assured(&self, identity: &DeviceIdentity, rules: &RevocationRules, answers: Option<&OcspAnswers>, now: i64) -> Verdict {
        let depth = if rules.depth == RevocationDepth::Leaf { 1 } else { usize::MAX };
        let mut assurance = Assurance::Fresh;
        for asked in Asked::path(self, identity).take(depth) {
            let certificate = asked.certificate;
            let standing = self.standing(&asked, answers, rules.grace, now);
            assurance = match (standing, rules.mode, assurance) {
                (Standing::Fresh, ..) => assurance,
                (Standing::InGrace { next_update }, _, Assurance::InGrace { next_update: earlier }) => {
                    Assurance::InGrace { next_update: next_update.min(earlier) }
                }
                (Standing::InGrace { .. }, _, Assurance::Missing) => Assurance::Missing,
                (Standing::InGrace { next_update }, ..) => Assurance::InGrace { next_update },
                (Standing::Stale { .. }, _, Assurance::Missing) if rules.stale == StalePolicy::Allow => Assurance::Missing,
                (Standing::Stale { next_update }, ..) if rules.stale == StalePolicy::Allow => Assurance::InGrace { next_update },
                (Standing::Stale { next_update }, mode, _) if mode == RevocationMode::Require || self.is_list_stale(&asked, rules, now) => {
                    return Verdict::Stale { id: certificate.id, issuer: certificate.issuer(), next_update };
                }
                (Standing::Missing, RevocationMode::Require, _) => return Verdict::Unknown { id: certificate.id },
                (Standing::Stale { .. } | Standing::Missing, ..) => Assurance::Missing,
            };
        }
        Verdict::Good(assurance)
    }

    /// Whether there are CRLs that cover a certificate, and all of them are stale. Who publishes lists is expected to go on; an OCSP responder
    /// that does not answer is one that could not be asked.
    fn is_list_stale(&self, asked: &Asked<'_>, rules: &RevocationRules, now: i64) -> bool {
        matches!(self.standing_of_lists(asked, rules.grace, now), Standing::Stale { .. })
    }

    /// What CRLs say against a certificate.
    fn listed(&self, asked: &Asked<'_>) -> Option<Revoked> {
        let mut lists = self.lists.candidates(asked.certificate.issuer());
        lists.find_map(|list| {
            // The entry first: whether the list may speak for the certificate can need the certificate's extensions.
            let revoked = list.find(&asked.certificate.id)?;
            asked.is_spoken_for_by(list).then_some(revoked)
        })
    }

    fn revoked_by_ocsp(&self, certificate: &PathCertificate, answers: Option<&OcspAnswers>) -> Option<Revoked> {
        match self.usable(answers?.get(certificate)?)?.status() {
            OcspStatus::Revoked { since, reason } => Some(Revoked { since, reason, source: RevocationSource::Ocsp }),
            OcspStatus::Good | OcspStatus::Unknown => None,
        }
    }

    /// The answer, unless its signer's own certificate is revoked (RFC 6960 §4.2.2.2.1).
    pub(crate) fn usable<'a>(&self, answer: &'a OcspAnswer) -> Option<&'a OcspAnswer> {
        let Some(delegate) = answer.delegate().filter(|delegate| !delegate.no_check) else { return Some(answer) };
        let certificate = PathCertificate { id: delegate.id, issuer_key: answer.certificate().issuer_key };
        let asked = Asked::without_points(&certificate);
        let revoked = self.own.find(&delegate.id).or_else(|| self.operator.find(&delegate.id)).or_else(|| self.listed(&asked));
        revoked.is_none().then_some(answer)
    }

    /// How current the best answer about a certificate is.
    fn standing(&self, asked: &Asked<'_>, answers: Option<&OcspAnswers>, grace: i64, now: i64) -> Standing {
        if self.own.is_ours(&asked.certificate.issuer()) {
            return Standing::Fresh;
        }
        let by_lists = self.standing_of_lists(asked, grace, now);
        if by_lists == Standing::Fresh {
            return by_lists;
        }
        let answer = answers.and_then(|answers| self.usable(answers.get(asked.certificate)?));
        match answer {
            Some(answer) if answer.status() == OcspStatus::Good => by_lists.better(Standing::at(Some(answer.fresh_until()), grace, now)),
            _ => by_lists,
        }
    }

    /// Several lists may be needed to cover all reasons (RFC 5280 §6.3.3): those that are fresh, then with those in grace, then with all.
    fn standing_of_lists(&self, asked: &Asked<'_>, grace: i64, now: i64) -> Standing {
        let (mut fresh, mut in_grace, mut all) = (ReasonFlags::NONE, ReasonFlags::NONE, ReasonFlags::NONE);
        let (mut grace_due, mut stale_due) = (i64::MAX, i64::MIN);
        for list in self.lists.candidates(asked.certificate.issuer()) {
            if list.this_update() > now.saturating_add(CLOCK_SKEW) {
                continue;
            }
            let covered = asked.covered_by(list);
            if covered.is_empty() {
                continue;
            }
            all = all.union(covered);
            match Standing::at(list.next_update(), grace, now) {
                Standing::Fresh => (fresh, in_grace) = (fresh.union(covered), in_grace.union(covered)),
                Standing::InGrace { next_update } => (in_grace, grace_due) = (in_grace.union(covered), grace_due.min(next_update)),
                Standing::Stale { next_update } => stale_due = stale_due.max(next_update),
                Standing::Missing => {}
            }
        }
        if fresh.is_all() {
            Standing::Fresh
        } else if in_grace.is_all() {
            Standing::InGrace { next_update: grace_due }
        } else if all.is_all() {
            Standing::Stale { next_update: stale_due }
        } else {
            Standing::Missing
        }
    }
}

/// One certificate of a path, and what lists may want to know about it. Its distribution points are read at most once, when a list asks.
pub(crate) struct Asked<'a> {
    pub(crate) certificate: &'a PathCertificate,
    is_authority: bool,
    leaf: Option<&'a Leaf>,
    known: &'a [DistributionPoint],
    points: OnceCell<Vec<DistributionPoint>>,
}

impl<'a> Asked<'a> {
    pub(crate) fn path(index: &'a RevocationIndex, identity: &'a DeviceIdentity) -> impl Iterator<Item = Self> {
        identity.path().iter().enumerate().map(|(position, certificate)| {
            let leaf = (position == 0).then(|| identity.leaf());
            let known = match leaf {
                Some(_) => None,
                None => index.known_points.get(&certificate.id),
            };
            Self {
                certificate,
                is_authority: leaf.is_none_or(Leaf::is_ca),
                leaf,
                known: known.map(Vec::as_slice).unwrap_or_default(),
                points: OnceCell::new(),
            }
        })
    }

    fn without_points(certificate: &'a PathCertificate) -> Self {
        Self { certificate, is_authority: false, leaf: None, known: &[], points: OnceCell::new() }
    }

    /// Distribution points that cannot be read name nobody.
    fn points(&self) -> &[DistributionPoint] {
        match self.leaf {
            Some(leaf) => self.points.get_or_init(|| leaf.crl_distribution_points().unwrap_or_default()),
            None => self.known,
        }
    }

    fn subject(&self, list: &List, relation: Relation) -> Subject<'_> {
        let needed = relation == Relation::None || !list.scope().points().is_empty();
        let points = if needed { self.points() } else { &[] };
        Subject { id: self.certificate.id, is_authority: self.is_authority, points }
    }

    pub(crate) fn is_spoken_for_by(&self, list: &List) -> bool {
        let relation = list.relation(self.certificate);
        list.speaks_for(relation, &self.subject(list, relation))
    }

    /// For which reasons the list says everything about the certificate.
    pub(crate) fn covered_by(&self, list: &List) -> ReasonFlags {
        let relation = list.relation(self.certificate);
        let subject = self.subject(list, relation);
        if list.speaks_for(relation, &subject) { list.scope().covers(list.signer().name, relation, &subject) } else { ReasonFlags::NONE }
    }
}

#[cfg(test)]
mod tests;
