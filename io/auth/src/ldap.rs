//! LDAP: a client proves itself by a bind with its password, or by the password that its entry holds; its entry may also say what it may do.
//!
//! Values of clients only ever stand where a value can stand, escaped as RFC 4514 and RFC 4515 say. Referrals are not followed: whoever is asked has to
//! know himself. A directory is trusted as far as the size of its answers is concerned.

mod authenticator;
mod connection;
mod entry;
mod rules;
mod template;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_identity::Facts;
use signet_mqtt::Password;
use signet_tls::{Connector as TlsConnector, ConnectorConfig};

use crate::check::SourceCheck;
use crate::pool::Pool;
use crate::source::Failure;
use connection::{Connector, Trouble};
use entry::Entry;

pub use authenticator::{LdapAuthenticator, LdapProof, LdapWho};
pub use entry::{LdapAttributes, LdapRuleAttributes};
pub use rules::LdapRules;
pub use template::{LdapDn, LdapError, LdapFilter};

/// How the connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LdapSecurity {
    /// It is not.
    #[default]
    Off,
    /// By StartTLS, before anything else is said.
    StartTls,
    /// By TLS from the first byte, `ldaps`.
    Tls,
}

/// A directory server, and how it is reached.
#[derive(Debug, Clone)]
pub struct LdapServer {
    /// Name or address, which the certificate has to carry where TLS is used.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: LdapSecurity,
    /// PEM files with the certificates of authorities that the server's certificate may come from: those and no others.
    pub ca_files: Vec<PathBuf>,
    /// PEM files with our certificate and its key, for a server that wants one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The account by which entries are read, and its password; `None`: anonymous.
    pub account: Option<(String, Password)>,
    /// Connections at a time for reading, and as many for binds of clients; at least one.
    pub pool_size: usize,
    /// How long it may take to make one.
    pub connect_timeout: Duration,
    /// How long one operation may take.
    pub query_timeout: Duration,
}

/// How far below its base a search looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LdapScope {
    /// At the base alone.
    Base,
    /// One level below.
    One,
    /// At the base and everything below.
    #[default]
    Subtree,
}

/// How the entry of a client is found.
#[derive(Debug, Clone)]
pub struct LdapSearch {
    /// Where.
    pub base: LdapDn,
    /// How far below.
    pub scope: LdapScope,
    /// Which.
    pub filter: LdapFilter,
}

/// Connections to one server, for all who ask there.
#[derive(Debug)]
pub struct LdapDirectory {
    /// Those by which entries are read.
    reading: Pool<Connector>,
    /// Those on which clients bind. What is said there first is always a bind.
    binding: Pool<Connector>,
}

/// What a search says about a client.
#[derive(Debug)]
pub(crate) enum Found {
    /// This is its entry.
    Entry(Entry),
    /// It has none.
    Nothing,
    /// It has several.
    Several,
}

/// What a bind says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The password is right.
    Yes,
    /// It is not, or whoever it is may not bind. In words.
    No(String),
    /// There is no such entry.
    Nobody,
}

/// How often connections that were kept open may turn out to be dead: once, then all of them are closed.
const ATTEMPTS: u32 = 2;

impl LdapDirectory {
    /// Connects when the first question comes.
    ///
    /// # Errors
    /// A file for TLS that cannot be used, TLS without authorities, or an account without a password: many servers take that for an anonymous bind.
    pub fn new(server: LdapServer) -> Result<Arc<Self>, LdapError> {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':' | '[' | ']');
        if server.host.is_empty() || !server.host.chars().all(is_plain) {
            return Err(LdapError(format!("`{}` is neither a host name nor an address", server.host)));
        }
        match &server.account {
            Some((dn, _)) if dn.is_empty() => return Err(LdapError("the account has no name; write its DN, or leave it out".to_owned())),
            Some((dn, password)) if password.expose().is_empty() => {
                return Err(LdapError(format!(
                    "the account `{dn}` has an empty password, which directories take for nobody in particular"
                )));
            }
            _ => {}
        }
        let tls = match server.security {
            LdapSecurity::Off => None,
            LdapSecurity::StartTls | LdapSecurity::Tls => Some(tls(&server)?),
        };
        let pool = |account| {
            let connector = Connector::new(server.clone(), tls.clone(), account);
            Pool::new(connector, server.pool_size, server.connect_timeout)
        };
        Ok(Arc::new(Self { reading: pool(true), binding: pool(false) }))
    }

    /// Connects once, and binds as the account, to see whether that works. Has to be called within a tokio runtime.
    pub async fn check(&self) -> SourceCheck {
        match self.reading.take().await {
            Ok(held) => held.give_back(),
            Err(failure) => return SourceCheck::Unreachable(failure.0),
        }
        SourceCheck::Fine
    }

    /// Looks for the one entry that a search finds. `attributes` are those wanted.
    pub(crate) async fn find(
        &self,
        search: &LdapSearch,
        facts: &Facts<'_>,
        attributes: &[Arc<str>],
    ) -> Result<Result<Found, String>, Failure> {
        let (base, filter) = match (search.base.render(facts), search.filter.render(facts)) {
            (Ok(base), Ok(filter)) => (base, filter),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
        };
        let is_named = search.base.has_placeholders();
        let mut attempt = 1;
        loop {
            let mut held = self.reading.take().await?;
            match held.connection.search(&base, search.scope, &filter, attributes).await {
                Ok(found) => {
                    held.give_back();
                    return Ok(Ok(found));
                }
                Err(Trouble::NoSuchEntry(_)) if is_named => {
                    held.give_back();
                    return Ok(Ok(Found::Nothing));
                }
                Err(Trouble::Connection(_)) if held.was_used && attempt < ATTEMPTS => {
                    drop(held);
                    self.reading.clear();
                    attempt += 1;
                }
                Err(Trouble::Connection(why) | Trouble::Wrong(why) | Trouble::NoSuchEntry(why)) => return Err(Failure(why)),
            }
        }
    }

    /// Binds as somebody, and reads his entry with his own rights where `attributes` are wanted. `dn` and `password` must not be empty: a directory
    /// says yes to that.
    pub(crate) async fn bind(&self, dn: &str, password: &str, attributes: &[Arc<str>]) -> Result<(Bound, Option<Entry>), Failure> {
        if dn.trim().is_empty() || password.is_empty() {
            return Ok((Bound::No("an empty name or password proves nothing".to_owned()), None));
        }
        let mut attempt = 1;
        loop {
            let mut held = self.binding.take().await?;
            let answer = match held.connection.bind(dn, password).await {
                Ok(Bound::Yes) if !attributes.is_empty() => {
                    held.connection.own_entry(dn, attributes).await.map(|entry| (Bound::Yes, entry))
                }
                Ok(bound) => Ok((bound, None)),
                Err(trouble) => Err(trouble),
            };
            match answer {
                Ok(answer) => {
                    held.give_back();
                    return Ok(answer);
                }
                Err(Trouble::Connection(_)) if held.was_used && attempt < ATTEMPTS => {
                    drop(held);
                    self.binding.clear();
                    attempt += 1;
                }
                Err(Trouble::Connection(why) | Trouble::Wrong(why) | Trouble::NoSuchEntry(why)) => return Err(Failure(why)),
            }
        }
    }
}

fn tls(server: &LdapServer) -> Result<TlsConnector, LdapError> {
    if server.ca_files.is_empty() {
        let hint = "name the file with the CA of the server's certificate, or that of the system";
        return Err(LdapError(format!("TLS to `{}` has no CA to check the server with; {hint}", server.host)));
    }
    let (certificate, key) = server.client.clone().unzip();
    let config = ConnectorConfig { ca_files: server.ca_files.clone(), certificate, key, ..ConnectorConfig::default() };
    TlsConnector::new(&config).map_err(|error| LdapError(error.to_string()))
}

impl fmt::Display for LdapServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == LdapSecurity::Tls { "ldaps" } else { "ldap" };
        write!(formatter, "{scheme}://{}:{}", self.host, self.port)
    }
}
