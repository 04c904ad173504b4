//! The chain of authenticators: who vouches for a client, in which order, and what becomes of it. The only file that makes a [`Passed`].
//!
//! A chain is a list of alternatives, tried in turn; each is a list of members, all of which must vouch. The first member that does not decides: if it
//! denies, the client is refused; if it does not know the client, the next alternative is tried; if it fails, the client is refused unless the
//! operator wants to go on. When no alternative is left the client is refused.
//!
//! [`Walk`] goes through a chain. Whom it names is asked by the caller, however long that takes; nothing here waits.

use std::fmt;
use std::sync::Arc;

use signet_mqtt::ReasonCode;

use crate::applicant::Applicant;
use crate::client::Principal;
use crate::denied::{DenialReason, Denied};
use crate::grant::Grant;
use crate::proven::ProvenNames;
use crate::who::Who;

/// Who has to vouch for the clients of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Tried in turn. Without any, everybody is refused.
    pub alternatives: Vec<Vec<Member>>,
}

/// One who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// As it is called in the configuration: `certificate`, `certificate:factory`, `psk`, `anonymous`, `everyone`, `no_username`, `nobody`, or the name of an
    /// authenticator.
    pub name: Arc<str>,
    /// What it looks at.
    pub proof: Proof,
    /// Whom it is asked about; about others it says that it does not know them. `None`: everybody.
    pub when: Option<Who>,
    /// What a denial of its means.
    pub on_deny: Otherwise,
    /// What it means that it does not know the client. [`Otherwise::Continue`] unless the operator says otherwise.
    pub on_unknown: Otherwise,
    /// What it means that it could not be asked.
    pub on_failure: Otherwise,
}

/// What a member looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A verified certificate, of any trust profile or of one. Whoever has none is unknown.
    Certificate {
        /// The profile.
        profile: Option<Arc<str>>,
    },
    /// A pre-shared key, shown in the TLS handshake. Whoever has shown none is unknown.
    PresharedKey,
    /// That nothing is claimed: no user name, no password, no certificate. Whoever claims something is unknown.
    Anonymous,
    /// Nothing: everybody is let in, under the names that it claims, which are believed, and nothing of what it claims is looked at.
    Everyone,
    /// That there is no user name. Whoever has one, claimed or made of its certificate, is unknown.
    NoUsername,
    /// Nobody has it.
    Nobody,
    /// What an authenticator with the member's name says.
    Authenticator,
}

/// What becomes of a client for whom a member does not vouch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// It is refused.
    Deny,
    /// The next alternative is tried.
    Continue,
}

/// What a member says.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It vouches.
    Allow(Box<Grant>),
    /// It speaks against the client. The words are for the operator.
    Deny(String),
    /// It does not know the client, or the client shows nothing that it could look at. The words are for the operator.
    Unknown(String),
    /// It could not be asked. The words are for the operator.
    Failed(String),
}

/// What one member said, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which member.
    pub member: Arc<str>,
    /// `allow`, `deny`, `continue` or `failed`.
    pub said: &'static str,
    /// Why. Never a secret.
    pub why: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.member, self.said)?;
        if self.why.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.why) }
    }
}

/// Proof that a chain let somebody through.
#[derive(Debug)]
pub struct Passed {
    grant: Box<Grant>,
    verdicts: Vec<Verdict>,
    /// Whether an authenticator was asked, and not only a certificate or nothing at all looked at. Which names it answers for stands in the grant.
    is_vouched: bool,
    /// What the client is told at the end of the exchange by its Authentication Method [MQTT-4.12.0-5]. `None`: nobody has used the method.
    authentication_data: Option<bytes::Bytes>,
}

impl Passed {
    /// What the client is given.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What was said about it, in order.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// What the client is told at the end of the exchange by its Authentication Method; `None` where nobody has used the method, and empty where there is
    /// nothing to say.
    #[must_use]
    pub fn authentication_data(&self) -> Option<&bytes::Bytes> {
        self.authentication_data.as_ref()
    }

    pub(crate) fn is_vouched(&self) -> bool {
        self.is_vouched
    }

    /// Gives up the grant, with the rules that access sources have about the client.
    pub(crate) fn into_grant(self) -> Grant {
        *self.grant
    }

    /// The same with what access sources have to say about the client, each under its name.
    #[must_use]
    pub fn with_fetched(mut self, rules: impl IntoIterator<Item = crate::grant::SourceRules>) -> Self {
        self.grant.fetched.extend(rules.into_iter().map(|rules| (Arc::clone(&rules.source), rules)));
        self
    }

    /// Without a chain: a certificate is enough, and where the listener says so nothing is. Then everybody is believed.
    ///
    /// # Errors
    /// There is neither.
    pub fn without_chain(applicant: &Applicant, anonymous: bool) -> Result<Self, Denied> {
        let proven = if anonymous { ProvenNames::BOTH } else { ProvenNames::default() };
        let passed = Self { grant: Box::new(Grant::proving(proven)), verdicts: Vec::new(), is_vouched: false, authentication_data: None };
        match applicant.client.principal() {
            Principal::Device(_) | Principal::Bridge(_) | Principal::User(_) | Principal::Unnamed => Ok(passed),
            Principal::Anonymous if anonymous => Ok(passed),
            Principal::Anonymous => Err(Denied {
                rule: "listener: anonymous = false".to_owned(),
                reason: DenialReason::Anonymous { found: applicant.without_identity.clone().unwrap_or_default() },
                reason_code: ReasonCode::NotAuthorized,
            }),
        }
    }
}

/// On the way through a chain.
#[derive(Debug)]
pub struct Walk {
    chain: Arc<Chain>,
    alternative: usize,
    member: usize,
    /// Of the present alternative.
    grant: Grant,
    is_vouched: bool,
    has_failed: bool,
    verdicts: Vec<Verdict>,
    authentication_data: Option<bytes::Bytes>,
}

/// What is next on the way.
#[derive(Debug)]
pub enum Next {
    /// Ask the authenticator with this name, then say with [`Walk::answer`] what it said.
    Ask(Arc<str>),
    /// The end.
    Done(Result<Passed, Denied>),
}

impl Walk {
    /// At the beginning.
    #[must_use]
    pub fn new(chain: Arc<Chain>) -> Self {
        Self {
            chain,
            alternative: 0,
            member: 0,
            grant: Grant::default(),
            is_vouched: false,
            has_failed: false,
            verdicts: Vec::new(),
            authentication_data: None,
        }
    }

    /// Goes on as far as nobody outside has to be asked. To be called again after each [`Self::answer`].
    #[must_use]
    pub fn next(&mut self, applicant: &Applicant) -> Next {
        let chain = Arc::clone(&self.chain);
        loop {
            let Some(members) = chain.alternatives.get(self.alternative) else { return Next::Done(Err(self.refusal(None))) };
            let Some(member) = members.get(self.member) else {
                if members.is_empty() {
                    self.next_alternative();
                    continue;
                }
                let grant = Box::new(std::mem::take(&mut self.grant));
                return Next::Done(Ok(Passed {
                    grant,
                    verdicts: std::mem::take(&mut self.verdicts),
                    is_vouched: self.is_vouched,
                    authentication_data: self.authentication_data.take(),
                }));
            };
            let outcome = match &member.when {
                Some(when) if !when.includes(&applicant.client) => Outcome::Unknown("its `when` does not include this client".to_owned()),
                _ => match look(&member.proof, applicant) {
                    Some(outcome) => outcome,
                    None => return Next::Ask(Arc::clone(&member.name)),
                },
            };
            if let Err(denied) = self.take(member, outcome) {
                return Next::Done(Err(denied));
            }
        }
    }

    /// What the one said who was asked.
    ///
    /// # Errors
    /// The client is refused, and nobody else is to be asked.
    pub fn answer(&mut self, outcome: Outcome) -> Result<(), Denied> {
        let chain = Arc::clone(&self.chain);
        let Some(member) = chain.alternatives.get(self.alternative).and_then(|members| members.get(self.member)) else { return Ok(()) };
        self.take(member, outcome)
    }

    /// The one who vouches has used the client's Authentication Method, and has this to say at its end.
    pub fn end_exchange(&mut self, data: bytes::Bytes) {
        self.authentication_data = Some(data);
    }

    /// What was said so far.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    fn take(&mut self, member: &Member, outcome: Outcome) -> Result<(), Denied> {
        let (said, why, otherwise) = match outcome {
            Outcome::Allow(grant) => {
                self.grant = std::mem::take(&mut self.grant).and(*grant);
                self.is_vouched |= member.proof == Proof::Authenticator;
                self.note(member, "allow", String::new());
                self.member += 1;
                return Ok(());
            }
            Outcome::Deny(why) => ("deny", why, member.on_deny),
            Outcome::Unknown(why) => ("continue", why, member.on_unknown),
            Outcome::Failed(why) => {
                self.has_failed = true;
                ("failed", why, member.on_failure)
            }
        };
        self.note(member, said, why);
        match otherwise {
            Otherwise::Deny => Err(self.refusal(Some(&member.name))),
            Otherwise::Continue => {
                self.next_alternative();
                Ok(())
            }
        }
    }

    fn next_alternative(&mut self) {
        self.alternative += 1;
        self.member = 0;
        self.grant = Grant::default();
        self.is_vouched = false;
        self.authentication_data = None;
    }

    fn note(&mut self, member: &Member, said: &'static str, why: String) {
        self.verdicts.push(Verdict { member: Arc::clone(&member.name), said, why });
    }

    /// One code for all who are not let in, so that nobody learns which user names there are; another one when somebody could not be asked, which
    /// may be better in a minute.
    fn refusal(&self, by: Option<&str>) -> Denied {
        let rule = by.map_or_else(|| "the end of the chain of authenticators".to_owned(), |name| format!("authenticator `{name}`"));
        Denied {
            rule,
            reason: DenialReason::Authentication { verdicts: self.verdicts.clone() },
            reason_code: if self.has_failed { ReasonCode::ServerUnavailable } else { ReasonCode::NotAuthorized },
        }
    }
}

/// What can be seen without asking anybody.
fn look(proof: &Proof, applicant: &Applicant) -> Option<Outcome> {
    let allow = || Outcome::Allow(Box::default());
    match (proof, applicant.client.principal()) {
        (Proof::Authenticator, _) => None,
        (Proof::Everyone, _) => Some(Outcome::Allow(Box::new(Grant::proving(ProvenNames::BOTH)))),
        (Proof::NoUsername, _) if applicant.client.username().is_none() => Some(allow()),
        (Proof::NoUsername, _) => Some(Outcome::Unknown("it has a user name".to_owned())),
        (Proof::Nobody, _) => Some(Outcome::Unknown("nobody is let in".to_owned())),
        (Proof::PresharedKey, _) if applicant.is_keyed() => Some(allow()),
        (Proof::PresharedKey, _) => Some(Outcome::Unknown("it has shown no pre-shared key".to_owned())),
        (Proof::Certificate { profile: None }, Principal::Device(_)) if !applicant.is_keyed() => Some(allow()),
        (Proof::Certificate { profile: Some(wanted) }, Principal::Device(_)) if !applicant.is_keyed() => {
            let found = applicant.client.identity().map(|identity| identity.profile());
            Some(match found {
                Some(found) if **found == **wanted => allow(),
                Some(found) => Outcome::Unknown(format!("its certificate is of the trust profile `{found}`")),
                None => Outcome::Unknown("a proxy has named the device, and no trust profile has".to_owned()),
            })
        }
        (Proof::Certificate { .. }, _) => {
            let why = applicant.without_identity.clone().unwrap_or_else(|| "it has no certificate".to_owned());
            Some(Outcome::Unknown(why))
        }
        (Proof::Anonymous, Principal::Anonymous) if applicant.claims_nothing() => Some(allow()),
        (Proof::Anonymous, _) => {
            Some(Outcome::Unknown("it is not anonymous: it shows a certificate, a user name or a password".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
