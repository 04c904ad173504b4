//! One refusal, from which the reason code, the log line and the metric come.

use signet_mqtt::ReasonCode;

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
    #[error("client identifier `{claimed}` does not belong to this certificate: {detail}")]
    Binding {
        /// What the client sent.
        claimed: String,
        /// What was expected.
        detail: String,
    },
    /// The Client Identifier cannot be used at all.
    #[error("client identifier `{claimed}` cannot be used: {detail}")]
    ClientIdentifier {
        /// What the client sent.
        claimed: String,
        /// Why not.
        detail: &'static str,
    },
    /// Enhanced authentication was asked for; no method is configured.
    #[error("authentication method `{method}` is not supported; connect without an authentication method")]
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
    /// No rule lets this client publish there.
    #[error("no rule lets {principal} publish to `{topic}`; add the topic to `publish` of an [[access]] rule")]
    Publish {
        /// Who asked.
        principal: String,
        /// The Topic Name.
        topic: String,
    },
    /// No rule lets this client subscribe to that.
    #[error("no rule lets {principal} subscribe to `{filter}`; add the filter to `subscribe` of an [[access]] rule")]
    Subscribe {
        /// Who asked.
        principal: String,
        /// The Topic Filter.
        filter: String,
    },
    /// The server has no room.
    #[error("the limit `{limit}` of {value} is reached")]
    Limit {
        /// The limit's name in the configuration.
        limit: &'static str,
        /// Its value.
        value: u64,
    },
}
