//! One connection to one server, and what its answers mean.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchOptions};
use signet_tls::Connector as TlsConnector;

use super::entry::Entry;
use super::{Bound, Found, LdapScope, LdapSecurity, LdapServer};
use crate::pool::Connect;
use crate::source::{BoxFuture, Failure};

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection does not work: another one may.
    Connection(String),
    /// There is nothing with such a name.
    NoSuchEntry(String),
    /// The rights, the settings or the directory are wrong.
    Wrong(String),
}

/// Makes connections to one server.
pub(super) struct Connector {
    server: LdapServer,
    tls: Option<TlsConnector>,
    /// Whether it binds as the account that reads entries.
    has_account: bool,
}

/// A connection.
pub(super) struct Connection {
    ldap: Ldap,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(server: LdapServer, tls: Option<TlsConnector>, has_account: bool) -> Self {
        Self { server, tls, has_account }
    }

    async fn open(&self) -> Result<Connection, Trouble> {
        let server = &self.server;
        let mut settings = LdapConnSettings::new().set_conn_timeout(server.connect_timeout);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(tls.client_config()).set_starttls(server.security == LdapSecurity::StartTls);
        }
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &server.to_string()).await.map_err(trouble)?;
        // It ends when nobody holds its other end any more. What goes wrong there shows at that end.
        tokio::spawn(async move { drop(connection.drive().await) });
        let mut opened = Connection { ldap, timeout: server.query_timeout };
        if let Some((dn, password)) = server.account.as_ref().filter(|_| self.has_account) {
            let password = String::from_utf8_lossy(password.expose());
            match opened.bind(dn, &password).await? {
                Bound::Yes => {}
                Bound::No(why) => return Err(Trouble::Wrong(format!("the account `{dn}` cannot bind: {why}"))),
                Bound::Nobody => return Err(Trouble::Wrong(format!("there is no account `{dn}`"))),
            }
        }
        Ok(opened)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(formatter)
    }
}

impl Connect for Connector {
    type Connection = Connection;

    fn connect(&self) -> BoxFuture<'_, Result<Connection, Failure>> {
        Box::pin(async {
            let opened = self.open().await;
            opened.map_err(|trouble| {
                let (Trouble::Connection(why) | Trouble::NoSuchEntry(why) | Trouble::Wrong(why)) = trouble;
                Failure(format!("no connection to {}: {why}", self.server))
            })
        })
    }
}

impl Connection {
    /// Binds. Neither the name nor the password may be empty.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<Bound, Trouble> {
        let result = self.ldap.with_timeout(self.timeout).simple_bind(dn, password).await.map_err(trouble)?;
        match result.rc {
            0 => Ok(Bound::Yes),
            // invalidCredentials: many servers say so too when there is no such entry.
            49 => Ok(Bound::No("wrong password".to_owned())),
            // noSuchObject, and a value that cannot stand in such a name.
            32 | 34 => Ok(Bound::Nobody),
            // inappropriateAuthentication (no password there), constraintViolation and unwillingToPerform (locked), insufficientAccessRights.
            19 | 48 | 50 | 53 => Ok(Bound::No(words(&result))),
            _ => Err(Trouble::Wrong(words(&result))),
        }
    }

    /// The one entry that a filter finds.
    pub(super) async fn search(&mut self, base: &str, scope: LdapScope, filter: &str, attributes: &[Arc<str>]) -> Result<Found, Trouble> {
        let seconds = i32::try_from(self.timeout.as_secs().max(1)).unwrap_or(i32::MAX);
        // Two are enough to see that there are several.
        let options = SearchOptions::new().sizelimit(2).timelimit(seconds);
        let scope = match scope {
            LdapScope::Base => Scope::Base,
            LdapScope::One => Scope::OneLevel,
            LdapScope::Subtree => Scope::Subtree,
        };
        // `1.1` is no attribute (RFC 4511 §4.5.1.8): an empty list would be all of them.
        let wanted: Vec<&str> = if attributes.is_empty() { vec!["1.1"] } else { attributes.iter().map(|name| &**name).collect() };
        let ldap = self.ldap.with_timeout(self.timeout).with_search_options(options);
        let (mut entries, result) = {
            let found = ldap.search(base, scope, filter, wanted).await.map_err(trouble)?;
            (found.0, found.1)
        };
        entries.retain(|entry| !entry.is_ref() && !entry.is_intermediate());
        match (result.rc, entries.len()) {
            (0, 0) => Ok(Found::Nothing),
            (0, 1) => {
                let entry = entries.pop().and_then(Entry::read);
                entry.map(Found::Entry).ok_or_else(|| Trouble::Wrong("the directory sent an entry that cannot be read".to_owned()))
            }
            // sizeLimitExceeded.
            (0 | 4, 2..) => Ok(Found::Several),
            (32 | 34, _) => Err(Trouble::NoSuchEntry(words(&result))),
            _ => Err(Trouble::Wrong(words(&result))),
        }
    }

    /// The entry of the one who has just bound; `None`: he may not read it.
    pub(super) async fn own_entry(&mut self, dn: &str, attributes: &[Arc<str>]) -> Result<Option<Entry>, Trouble> {
        match self.search(dn, LdapScope::Base, "(objectClass=*)", attributes).await {
            Ok(Found::Entry(entry)) => Ok(Some(entry)),
            Ok(Found::Nothing | Found::Several) | Err(Trouble::NoSuchEntry(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

/// A result in words. Servers say no secret in them.
fn words(result: &LdapResult) -> String {
    let hint = match result.rc {
        8 | 13 => "; the server wants TLS for that",
        10 => "; referrals are not followed, ask the server that it refers to",
        _ => "",
    };
    let text: String = result.text.chars().filter(|character| !character.is_control()).take(200).collect();
    let name = match result.rc {
        1 => "operationsError",
        3 => "timeLimitExceeded",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        13 => "confidentialityRequired",
        19 => "constraintViolation",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        _ => "the directory refuses",
    };
    let colon = if text.is_empty() { "" } else { ": " };
    format!("{name} ({}){colon}{text}{hint}", result.rc)
}

fn trouble(error: ldap3::LdapError) -> Trouble {
    match error {
        ldap3::LdapError::FilterParsing | ldap3::LdapError::UrlParsing { .. } | ldap3::LdapError::UnknownScheme(_) => {
            Trouble::Wrong(error.to_string())
        }
        ldap3::LdapError::LdapResult { result } => Trouble::Wrong(words(&result)),
        ldap3::LdapError::Timeout { .. } => Trouble::Wrong("no answer in time".to_owned()),
        // These say only that the connection is gone.
        ldap3::LdapError::OpSend { .. } | ldap3::LdapError::ResultRecv { .. } | ldap3::LdapError::EndOfStream => {
            Trouble::Connection("the directory has closed the connection".to_owned())
        }
        error => Trouble::Connection(error.to_string()),
    }
}
