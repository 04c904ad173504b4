//! Why a client is let in or not, and the last that were not.

use serde::{Deserialize, Serialize};

/// Text that no log shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(redacted)")
    }
}

/// A client to explain, by at most one of `certificates`, `client`, `device` and `refusal`; by none, it shows no certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explain {
    /// The certificates that it shows, DER in hexadecimal, its own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// A live client, by its Client Identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A device, by its name: with the certificate of its live connection, or else the last one that our own CA has issued for that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// A refused attempt, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<u64>,
    /// Where it comes in; the only listener that looks at certificates when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The server name (SNI) that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The Client Identifier of its CONNECT; an empty one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// The User Name of its CONNECT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Do not ask who has to vouch: what might it do if it were let in?
    #[serde(default)]
    pub assume_let_in: bool,
    /// The Password of its CONNECT. Over the socket of the broker's owner only, and kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The address that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<std::net::IpAddr>,
    /// A Topic Name that it wants to publish to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// A Topic Filter that it wants to subscribe to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<String>,
}

/// What would become of it now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The listener.
    pub listener: String,
    /// What the certificate says; absent when it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ExplainedCertificate>,
    /// Checks that no trust profile is asked for.
    pub checks: Vec<ExplainedCheck>,
    /// The trust profiles in their order, up to the first that takes the certificate.
    pub profiles: Vec<ExplainedProfile>,
    /// Whom CONNECT makes of it; absent when no trust profile takes the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<ExplainedConnect>,
    /// What those say who have to vouch, in the order in which they are asked; empty where a certificate is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authenticators: Vec<ExplainedVerdict>,
    /// Publishing and subscribing, as far as it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<ExplainedAccess>,
    /// Whether it would be let in.
    pub let_in: bool,
    /// Whether it would have to wait after the handshake until somebody knows if it is revoked.
    pub waits: bool,
    /// All of that in one line.
    pub verdict: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What limits the answer, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Explained {
    /// Whether everything that was asked about would be allowed.
    pub fn is_allowed(&self) -> bool {
        self.let_in && self.access.iter().all(|access| access.allowed)
    }
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedCertificate {
    /// Distinguished name, RFC 4514.
    pub subject: String,
    /// Who issued it, RFC 4514.
    pub issuer: String,
    /// Serial number.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Kind of key.
    pub key_type: String,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedCheck {
    /// Its name, as in the log.
    pub check: String,
    /// Whether it was passed.
    pub passed: bool,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What one trust profile says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedProfile {
    /// Its name.
    pub profile: String,
    /// Subjects of the path, the device's first, the trust anchor's last.
    pub path: Vec<String>,
    /// Its checks, up to the first that failed.
    pub checks: Vec<ExplainedCheck>,
    /// What is known about each certificate of the path, the trust anchor left out.
    pub revocation: Vec<ExplainedStatus>,
}

/// What is known about one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedStatus {
    /// Its serial number.
    pub serial: String,
    /// Its subject.
    pub subject: String,
    /// Whether the rules want an answer about it.
    pub asked: bool,
    /// What each source says.
    pub answers: Vec<ExplainedAnswer>,
}

/// What one source says about one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedAnswer {
    /// Who.
    pub source: String,
    /// What.
    pub finding: String,
    /// How old that is, in seconds; absent for what is always current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// Until when it is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<String>,
}

/// What one of those who have to vouch says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedVerdict {
    /// Its name.
    pub authenticator: String,
    /// `allow`, `deny`, `continue`, `failed`, or `challenge`.
    pub verdict: String,
    /// Why.
    pub why: String,
}

/// What comes of CONNECT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedConnect {
    /// The device's name, where it has a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The tenant in whose name space it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The user name that rules see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The Client Identifier that sessions use; absent where CONNECT is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// Whether the server would choose it.
    pub is_assigned: bool,
    /// Why it is refused, if it is: the rule, and what was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<ExplainedDenial>,
}

/// A no of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedDenial {
    /// The rule.
    pub rule: String,
    /// What was found, and what to do.
    pub found: String,
}

/// Whether a topic may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedAccess {
    /// `publish` or `subscribe`.
    pub action: String,
    /// The Topic Name or Topic Filter.
    pub topic: String,
    /// Whether it may.
    pub allowed: bool,
    /// The rule that decides.
    pub rule: String,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// The rules that were there to be asked, in their order.
    pub considered: Vec<ExplainedRule>,
}

/// A rule that was there to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRule {
    /// Its name.
    pub rule: String,
    /// Whether it is about this client.
    pub includes_client: bool,
    /// Whether it covers the topic.
    pub covers: bool,
}

/// A connection that was refused before its session began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedClient {
    /// Counts refusals since the start of the broker.
    pub number: u64,
    /// When.
    pub at: String,
    /// From where: address and port, or `unix`.
    pub address: String,
    /// Which listener.
    pub listener: String,
    /// Subject of its certificate, RFC 4514, cut where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Who issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The check that failed.
    pub check: String,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub hint: String,
    /// Whether its certificate was kept, so that it can be explained.
    pub explainable: bool,
}

/// Which refused connections: those for which everything given here is true, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalQuery {
    /// This one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// At most so many; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// At this listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// With this common name in the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// With this serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// From this address, without port; `unix` for unix sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
