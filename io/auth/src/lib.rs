//! Asks the outside who a client is and what it may do: password files, the built-in users, dynamic security, Redis, PostgreSQL, MySQL, HTTP, LDAP, tokens.
//!
//! An [`Authenticator`] is asked whether it vouches for an [`Applicant`](signet_policy::Applicant); a [`RuleSource`] which rules it has about a client, a [`KeySource`] which
//! key a device has. [`Chains`] goes
//! through the chain of a listener (`signet_policy::Walk`) and asks one after the other. Every question goes through a [`Backend`], which bounds
//! how long one takes and how many there are at a time, gives up for a while on whoever does not answer, asks once for all who want to know the
//! same, and remembers answers for a while.
//!
//! What goes wrong is a [`Failure`]: never an answer.
//!
//! Deliberately missing: sockets of clients, sessions, and what an answer means (`signet-policy`).

mod backend;
mod chains;
mod check;
mod claims;
mod condition;
mod dynamic_security;
mod exchange;
mod hashing;
mod http;
mod jwt;
mod key;
mod ldap;
mod local;
mod password;
mod password_file;
mod password_source;
mod pool;
mod redis_source;
mod scram;
mod source;
mod sql;
mod users;
mod verifier;

pub use backend::{Backend, BackendConfig, BackendReport, BreakerState, Remembered};
pub use chains::{Answer, Chains, Step};
pub use check::SourceCheck;
pub use condition::Condition;
pub use dynamic_security::{
    Controlled, DynamicSecurity, DynamicSecurityAuthenticator, InitialDocument, KeepDocument, initial_document as initial_dynamic_security,
};
pub use exchange::{Exchange, Progress};
pub use hashing::HashingPool;
pub use http::{
    Compatibility, EndpointConfig, EndpointTls, HttpAsker, HttpAuthenticator, HttpBody, HttpMethod, HttpPlaceholders, HttpRules, Purpose,
    QuestionConfig,
};
pub use jwt::{Audience, ClaimRules, JwksAddress, JwksConfig, JwksPlace, JwtAlgorithm, JwtAuthenticator, JwtConfig, JwtKeys, TokenPlace};
pub use key::QueryKey;
pub use ldap::{
    LdapAttributes, LdapAuthenticator, LdapDirectory, LdapDn, LdapError, LdapFilter, LdapProof, LdapRuleAttributes, LdapRules, LdapScope,
    LdapSearch, LdapSecurity, LdapServer, LdapWho,
};
pub use local::{LocalAuthenticator, LocalUser, LocalUsers};
pub use password::{HashError, HashOptions, Mac, NewHash, PasswordHash, SaltPosition};
pub use password_file::{PasswordFile, PasswordFileError, password_entries};
pub use password_source::{PasswordAuthenticator, Record, RecordSource, UserKey};
pub use redis_source::{
    Placeholders, RedisAddress, RedisCommand, RedisCommandError, RedisConfig, RedisConfigError, RedisConnections, RedisDeployment,
    RedisFields, RedisIdentity, RedisKeys, RedisLookup, RedisRecords, RedisRules, RedisTls,
};
pub use scram::{
    ITERATIONS_MAXIMUM, ITERATIONS_MINIMUM, SCRAM_ITERATIONS, ScramAuthenticator, ScramKeys, ScramMechanism, ScramSource, ScramUser,
    prepared,
};
pub use source::{AccessAsker, Authenticator, BoxFuture, Failure, KeySource, RuleSource, SharedKey};
pub use sql::{SqlAddress, SqlColumns, SqlEngine, SqlError, SqlPool, SqlRecords, SqlRules, SqlServer, SqlStatement, SqlTls};
pub use users::{BuiltInUser, UserStore};
