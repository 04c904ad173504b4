//! One refusal, from which the reason code and the log line come.

use signet_mqtt::ReasonCode;

use crate::chain::Verdict;

/// A refusal: which rule said no, why, and what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused by {rule}: {reason}")]
pub struct Denied {
    /// The rule that decided, as an operator can find it in the configuration ("access rules", "listener: anonymous = false").
    pub rule: String,
    /// Why, with the values that were compared.
    pub reason: DenialReason,
    /// What goes on the wire.
    pub reason_code: ReasonCode,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DenialReason {
    /// No verified certificate, and the listener wants one.
    #[error(
        "no client certificate was verified ({found}) and anonymous clients are not allowed; present a certificate, or set `anonymous = true` on the listener"
    )]
    Anonymous {
        /// Why no identity is there.
        found: String,
    },
    /// A template needs something that the certificate or the CONNECT does not have.
    #[error("the {what} cannot be made: {detail}")]
    Mapping {
        /// "user name" or "client identifier".
        what: &'static str,
        /// Which field is missing or unusable.
        detail: String,
    },
    /// The Client Identifier does not belong to the certificate.
    #[error("client identifier `{}` does not belong to this certificate: {detail}", shown(.claimed))]
    Binding {
        /// What the client sent.
        claimed: String,
        /// What was expected.
        detail: String,
    },
    /// The Client Identifier cannot be used at all.
    #[error("client identifier `{}` cannot be used: {detail}", shown(.claimed))]
    ClientIdentifier {
        /// What the client sent.
        claimed: String,
        /// Why not.
        detail: &'static str,
    },
    /// Those who were asked about the client did not let it in.
    #[error("{}", listed(.verdicts))]
    Authentication {
        /// What each of them said.
        verdicts: Vec<Verdict>,
    },
    /// Enhanced authentication was asked for by a method that no authenticator of the listener has.
    #[error("no authenticator of the listener has the authentication method `{}`", shown(.method))]
    AuthenticationMethod {
        /// What the client asked for.
        method: String,
    },
    /// The Will of a CONNECT is not acceptable.
    #[error("the will is not acceptable: {detail}")]
    Will {
        /// Which part.
        detail: String,
    },
    /// The CONNECT asks for something that the Server does not do.
    #[error("{detail}")]
    Connect {
        /// What.
        detail: String,
    },
    /// No rule lets this client publish there.
    #[error("no rule lets {principal} publish to `{}`; add the topic to `publish` of an [[access]] rule", shown(.topic))]
    Publish {
        /// Who asked.
        principal: String,
        /// The Topic Name.
        topic: String,
    },
    /// A rule denies it.
    #[error("the rule denies {principal} to {action} `{}`", shown(.topic))]
    Rule {
        /// Who asked.
        principal: String,
        /// "publish to" or "subscribe to".
        action: &'static str,
        /// The Topic Name or Topic Filter.
        topic: String,
    },
    /// An access source denies it.
    #[error("the access source denies {principal} to {action} `{}`", shown(.topic))]
    Source {
        /// Who asked.
        principal: String,
        /// "publish to" or "subscribe to".
        action: &'static str,
        /// The Topic Name or Topic Filter.
        topic: String,
    },
    /// An access source could not be asked, and so denies it.
    #[error("the access source could not be asked whether {principal} may {action} `{}`{}", shown(.topic), behind(.why))]
    SourceFailed {
        /// Who asked.
        principal: String,
        /// "publish to" or "subscribe to".
        action: &'static str,
        /// The Topic Name or Topic Filter.
        topic: String,
        /// Why not, as far as it is known here.
        why: String,
    },
    /// A bridge asks for what is not in its list.
    #[error("no `topic` of the bridge covers `{}`", shown(.topic))]
    Bridge {
        /// The Topic Name or Topic Filter.
        topic: String,
    },
    /// The tenant under which the certificate was verified cannot be one.
    #[error("the tenant `{}` of the trust profile cannot stand in a topic: use a name without `/`, `+`, `#` and leading `$`", shown(.tenant))]
    Tenant {
        /// As it was written.
        tenant: String,
    },
    /// A topic that a client of a tenant, or one behind a mount point, cannot have.
    #[error("{principal} cannot have `{}`: {detail}", shown(.topic))]
    Mount {
        /// Who asked.
        principal: String,
        /// The Topic Name or Topic Filter.
        topic: String,
        /// Why not.
        detail: &'static str,
    },
    /// No rule lets this client subscribe to that.
    #[error("no rule lets {principal} subscribe to `{}`; add the filter to `subscribe` of an [[access]] rule", shown(.filter))]
    Subscribe {
        /// Who asked.
        principal: String,
        /// The Topic Filter.
        filter: String,
    },
}

impl DenialReason {
    /// The same for the client: without what was said about it, which may be of use to whoever guesses.
    #[must_use]
    pub fn for_client(&self) -> String {
        match self {
            Self::Authentication { .. } => "not authorized".to_owned(),
            Self::SourceFailed { .. } => "it could not be found out whether this is allowed".to_owned(),
            other => other.to_string(),
        }
    }
}

/// What stands behind a colon, if there is something.
fn behind(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

fn listed(verdicts: &[Verdict]) -> String {
    if verdicts.is_empty() {
        return "there is nobody who could vouch for the client".to_owned();
    }
    verdicts.iter().map(Verdict::to_string).collect::<Vec<_>>().join("; ")
}

/// The most characters of a client's text in one message.
const SHOWN: usize = 128;

/// A client's text as it may stand in a log line and in a Reason String: control characters escaped, so that nobody writes lines of their own
/// into the log, and cut, because a topic may be 64 KiB long and can be refused again and again.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_writes_adds_no_line_to_the_log_and_is_cut() {
        let topic = format!("a\n2026-01-01 INFO all is well\u{1b}[2J{}", "x".repeat(60_000));
        let principal = "device `pump-7`".to_owned();
        for reason in [
            DenialReason::Publish { principal: principal.clone(), topic: topic.clone() },
            DenialReason::Subscribe { principal, filter: topic.clone() },
            DenialReason::Binding { claimed: topic.clone(), detail: String::new() },
            DenialReason::ClientIdentifier { claimed: topic.clone(), detail: "" },
            DenialReason::AuthenticationMethod { method: topic },
        ] {
            let words = reason.to_string();
            assert!(words.len() < 512 && !words.contains(char::is_control), "{words}");
        }
    }
}
