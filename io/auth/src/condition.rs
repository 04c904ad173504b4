//! Vouching by what is known already: no secret is looked at.

use signet_policy::{Applicant, Outcome, Who};

use crate::source::{Authenticator, BoxFuture, Failure};

/// Vouches for clients that are somebody, and speaks against others. A denial goes first; who is neither is unknown.
///
/// A field that a certificate does not have makes a description wrong, never right. So a description of who is allowed errs on the safe side, and one of
/// who is denied does not.
#[derive(Debug, Clone)]
pub struct Condition {
    /// For whom it vouches.
    pub allow: Vec<Who>,
    /// Against whom it speaks.
    pub deny: Vec<Who>,
}

impl Condition {
    fn judge(&self, applicant: &Applicant) -> Outcome {
        let is_among = |list: &[Who]| list.iter().position(|who| who.includes(&applicant.client));
        if let Some(at) = is_among(&self.deny) {
            return Outcome::Deny(format!("it is described by `deny`, number {}", at + 1));
        }
        match is_among(&self.allow) {
            Some(_) => Outcome::Allow(Box::default()),
            None => Outcome::Unknown("it is not described by `allow`".to_owned()),
        }
    }
}

impl Authenticator for Condition {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        let judged = self.judge(applicant);
        Box::pin(async move { Ok(judged) })
    }
}
