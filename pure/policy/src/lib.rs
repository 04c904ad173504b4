//! Who may do what. Deny by default; a decision always names the rule that made it.
//!
//! Three questions are answered here, each by one plain function of [`decide`]: may this peer connect, may this client publish there, may it
//! subscribe to that. A yes is a *permit*, a value without a public constructor that the broker requires by value: a check that was forgotten
//! does not compile. A no is a [`Denied`], from which the reason code, the log line and the metric all come.
//!
//! What is missing on purpose: sockets, sessions and data bases. Facts about the caller arrive as arguments.

mod acl_file;
mod admission;
mod answers;
mod applicant;
mod bridge;
mod chain;
mod client;
mod decide;
mod denied;
mod explain;
mod grant;
mod judge;
mod mount;
mod name_pattern;
mod names;
mod network;
mod pattern;
mod permit;
mod proven;
mod row;
mod rule;
mod ruleset;
mod verdict;
mod who;

pub use acl_file::{AclFile, AclFileError, AclWarning, emqx_acl_file, mosquitto_acl_file};
pub use admission::AdmissionRules;
pub use answers::{AccessAnswer, AccessQuestion, Answers, Known};
pub use applicant::Applicant;
pub use bridge::{BRIDGE_IDENTIFIERS, BridgeClient, BridgeRights, bridge_identifier};
pub use chain::{Chain, Member, Next, Otherwise, Outcome, Passed, Proof, Verdict, Walk};
pub use client::{Client, Principal, QualifiedName};
pub use decide::{
    NoPermit, Published, authorize_connect, authorize_publish, authorize_server_publish, authorize_subscribe, identify,
    may_keep_subscription, may_receive, may_yet_receive, reauthorize, vouched, without_identity,
};
pub use denied::{DenialReason, Denied, shown};
pub use explain::{Considered, ConsideredFrom, Explanation, explain_assumed, explain_connect, explain_publish, explain_subscribe};
pub use grant::{Credential, Grant, Origin, SourceRules};
pub use judge::{AccessJudge, JudgeAccess, Wish, may_unsubscribe};
pub use mount::Mount;
pub use name_pattern::{NamePattern, RegexError};
pub use names::check_client;
pub use network::{Network, NetworkError};
pub use pattern::{PatternError, TopicPattern};
pub use permit::{ConnectPermit, PublishPermit, SubscribePermit};
pub use proven::{NameOrigins, ProvenNames};
pub use row::{RowError, RuleRow};
pub use rule::{Action, Conditions, Effect, QosSet, Rule};
pub use ruleset::{AccessSource, OwnTopics, Reserved, Ruleset};
pub use who::Who;
