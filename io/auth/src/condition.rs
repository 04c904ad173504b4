//! Vouching by what is known already: no secret is looked at.

use signet_policy::{Applicant, Outcome, Who};

use crate::source::{Authenticator, BoxFuture, Failure};

/// Vouches for clients that are somebody, and speaks against others. A denial goes first; who is neither is unknown.
///
/// A field that a certificate does not have makes a description wrong, never right. So a description of who is allowed errs on the safe side, and one of
/// who is denied does not; with a field that is there and cannot be looked at, because of hidden characters or its length, it does.
#[derive(Debug, Clone)]
pub struct Condition {
    /// For whom it vouches.
    pub allow: Vec<Who>,
    /// Against whom it speaks.
    pub deny: Vec<Who>,
}

impl Condition {
    fn judge(&self, applicant: &Applicant) -> Outcome {
        // What cannot be known of it, as of a name that is too long to look at, counts against it.
        if let Some(at) = self.deny.iter().position(|who| who.may_include(&applicant.client)) {
            return Outcome::Deny(format!("it is described by `deny`, number {}", at + 1));
        }
        match self.allow.iter().position(|who| who.includes(&applicant.client)) {
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

#[cfg(test)]
mod tests {
    use signet_mqtt::ClientIdentifier;
    use signet_policy::{Client, NamePattern, Principal};

    use super::*;

    #[test]
    fn what_cannot_be_known_of_a_client_counts_against_it() {
        let applicant = |username: &str| Applicant {
            client: Client::restored(Principal::Anonymous, Some(username.to_owned().into()), ClientIdentifier::new("c"), None),
            is_assigned: false,
            names: signet_policy::NameOrigins::default(),
            claimed_username: None,
            password: None,
            method: None,
            method_data: None,
            without_identity: None,
            now: 0,
        };
        let named = |text: &str| Who::Username(NamePattern::regex(text).unwrap());
        let condition = Condition { allow: vec![Who::Everyone], deny: vec![named("^evil")] };
        assert!(matches!(condition.judge(&applicant("good")), Outcome::Allow(_)));
        for username in ["evil".to_owned(), format!("evil{}", "x".repeat(5000))] {
            assert!(matches!(condition.judge(&applicant(&username)), Outcome::Deny(_)), "{}", username.len());
        }
        let condition = Condition { allow: vec![named("^good")], deny: Vec::new() };
        assert!(matches!(condition.judge(&applicant(&format!("good{}", "x".repeat(5000)))), Outcome::Unknown(_)));
    }
}
