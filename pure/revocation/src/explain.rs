//! The judgement shown: for each certificate of a path, what each source says about it, how old that is, and until when it holds.

use std::fmt;
use std::sync::Arc;

use signet_identity::{CertificateId, DeviceIdentity, ReasonFlags};

use crate::freshness::Standing;
use crate::index::RevocationIndex;
use crate::judge::{Asked, CLOCK_SKEW, RevocationDepth, RevocationMode, RevocationRules};
use crate::list::{List, ListSource};
use crate::ocsp::{OcspAnswer, OcspAnswers, OcspDelegate, OcspStatus};
use crate::revoked::{RevocationSource, Revoked};

/// What is known about one certificate of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    /// Which certificate.
    pub id: CertificateId,
    /// Whether the rules want an answer about it.
    pub asked: bool,
    /// What each source says, in the order of the judgement. Empty when nobody says anything.
    pub answers: Vec<StatusAnswer>,
}

/// What one source says about one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusAnswer {
    /// Who.
    pub source: AnswerSource,
    /// When that was known to be so, seconds since 1970-01-01 UTC; `None` for what is always current.
    pub this_update: Option<i64>,
    /// How old that is, in seconds.
    pub age: Option<i64>,
    /// Until when it is fresh, seconds since 1970-01-01 UTC.
    pub next_update: Option<i64>,
    /// What is said.
    pub finding: Finding,
}

/// Who says something about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerSource {
    /// Our own authority.
    OwnAuthority,
    /// The operator: an entry about the certificate, its key or an authority above it.
    Operator,
    /// A CRL.
    List {
        /// The signer's Name as RFC 4514 writes it.
        issuer: Arc<str>,
        /// What it covers, in words.
        scope: String,
        /// Where it came from.
        sources: Vec<ListSource>,
    },
    /// An OCSP responder, or a delegate that signed in the issuer's place.
    Ocsp {
        /// The delegate, if one signed.
        delegate: Option<OcspDelegate>,
    },
}

/// `our own authority`, `the CRL of CN=CA (all certificates) from crl.pem`, and so on.
impl fmt::Display for AnswerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnAuthority => RevocationSource::Authority.fmt(f),
            Self::Operator => RevocationSource::Operator.fmt(f),
            Self::List { issuer, scope, sources } => {
                write!(f, "the CRL of `{issuer}` ({scope})")?;
                let mut separator = " from ";
                for source in sources {
                    write!(f, "{separator}{source}")?;
                    separator = ", ";
                }
                Ok(())
            }
            Self::Ocsp { delegate: None } => f.write_str("OCSP, signed by the issuer"),
            Self::Ocsp { delegate: Some(delegate) } => write!(f, "OCSP, signed by the delegate {}", delegate.id),
        }
    }
}

/// What a source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Revoked, or on hold.
    Revoked(Revoked),
    /// Not revoked, and current.
    Good,
    /// Not revoked; overdue, but within the grace.
    InGrace,
    /// Not revoked; overdue.
    Stale,
    /// Not revoked for these reasons; another list has to cover the others.
    Partly(ReasonFlags),
    /// Made in the future of this machine's clock: not used.
    NotYet,
    /// The responder does not know the certificate.
    Unknown,
    /// The answer's signer is revoked itself: not used.
    SignerRevoked,
}

/// Completes the sentence "…: not revoked".
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked(revoked) => write!(f, "revoked ({})", revoked.reason),
            Self::Good => f.write_str("not revoked"),
            Self::InGrace => f.write_str("not revoked, overdue but within the grace"),
            Self::Stale => f.write_str("not revoked, but overdue"),
            Self::Partly(reasons) => write!(f, "not revoked for the reasons {reasons}"),
            Self::NotYet => f.write_str("made in the future of this machine's clock, not used"),
            Self::Unknown => f.write_str("the certificate is not known there"),
            Self::SignerRevoked => f.write_str("not used: its signer is revoked itself"),
        }
    }
}

impl RevocationIndex {
    /// What every source says about each certificate of a path. Sources that say nothing about a certificate are left out, lists and OCSP in
    /// [`RevocationMode::Off`]. Allocates: for people, not for handshakes.
    #[must_use]
    pub fn explain(
        &self,
        identity: &DeviceIdentity,
        rules: &RevocationRules,
        answers: Option<&OcspAnswers>,
        now: i64,
    ) -> Vec<CertificateStatus> {
        let by_operator = self.operator.find_on_path(identity);
        let status = |(position, asked): (usize, Asked<'_>)| {
            let id = asked.certificate.id;
            let always = |source, finding| StatusAnswer { source, this_update: None, age: None, next_update: None, finding };
            let mut found = Vec::new();
            if let Some((_, revoked)) = by_operator.filter(|(about, _)| *about == id) {
                found.push(always(AnswerSource::Operator, Finding::Revoked(revoked)));
            }
            match self.own.find(&id) {
                Some(revoked) => found.push(always(AnswerSource::OwnAuthority, Finding::Revoked(revoked))),
                None if self.own.is_ours(&asked.certificate.issuer()) => found.push(always(AnswerSource::OwnAuthority, Finding::Good)),
                None => {}
            }
            if rules.mode != RevocationMode::Off {
                let lists = self.lists.candidates(asked.certificate.issuer());
                found.extend(lists.filter_map(|list| answer_of_list(list, &asked, rules.grace, now)));
                let answer = answers.and_then(|answers| answers.get(asked.certificate));
                found.extend(answer.map(|answer| self.answer_of_ocsp(answer, rules.grace, now)));
            }
            let depth = position == 0 || rules.depth == RevocationDepth::Chain;
            CertificateStatus { id, asked: depth && rules.mode != RevocationMode::Off, answers: found }
        };
        Asked::path(self, identity).enumerate().map(status).collect()
    }

    fn answer_of_ocsp(&self, answer: &OcspAnswer, grace: i64, now: i64) -> StatusAnswer {
        let finding = match answer.status() {
            _ if self.usable(answer).is_none() => Finding::SignerRevoked,
            OcspStatus::Revoked { since, reason } => Finding::Revoked(Revoked { since, reason, source: RevocationSource::Ocsp }),
            OcspStatus::Unknown => Finding::Unknown,
            OcspStatus::Good => finding_at(Some(answer.fresh_until()), grace, now),
        };
        let this_update = answer.this_update();
        StatusAnswer {
            source: AnswerSource::Ocsp { delegate: answer.delegate() },
            this_update: Some(this_update),
            age: Some(now.saturating_sub(this_update)),
            next_update: Some(answer.fresh_until()),
            finding,
        }
    }
}

fn answer_of_list(list: &List, asked: &Asked<'_>, grace: i64, now: i64) -> Option<StatusAnswer> {
    let covered = asked.covered_by(list);
    let revoked = list.find(&asked.certificate.id).filter(|_| asked.is_spoken_for_by(list));
    if covered.is_empty() && revoked.is_none() {
        return None;
    }
    let this_update = list.this_update();
    let finding = match revoked {
        Some(revoked) => Finding::Revoked(revoked),
        None if this_update > now.saturating_add(CLOCK_SKEW) => Finding::NotYet,
        None => match finding_at(list.next_update(), grace, now) {
            Finding::Good if !covered.is_all() => Finding::Partly(covered),
            finding => finding,
        },
    };
    let status = list.status();
    let source = AnswerSource::List { issuer: status.issuer_text, scope: status.scope.to_string(), sources: status.sources };
    let age = Some(now.saturating_sub(this_update));
    Some(StatusAnswer { source, this_update: Some(this_update), age, next_update: list.next_update(), finding })
}

fn finding_at(next_update: Option<i64>, grace: i64, now: i64) -> Finding {
    match Standing::at(next_update, grace, now) {
        Standing::Fresh => Finding::Good,
        Standing::InGrace { .. } => Finding::InGrace,
        Standing::Stale { .. } | Standing::Missing => Finding::Stale,
    }
}
