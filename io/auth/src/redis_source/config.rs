//! Where Redis is and how it is talked to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use zeroize::Zeroizing;

/// What cannot be used in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RedisConfigError(pub String);

/// Where Redis is and how it is talked to.
#[derive(Clone)]
pub struct RedisConfig {
    /// Which servers.
    pub deployment: RedisDeployment,
    /// TLS to all of them, sentinels included; `None`: none.
    pub tls: Option<RedisTls>,
    /// The user by which this program logs in; `None`: the default user.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Zeroizing<String>>,
    /// The number of the database; a cluster has 0 only.
    pub database: u16,
    /// How long it may take until one server is connected to, its TLS handshake and log-in included.
    pub connect_timeout: Duration,
    /// How long one server of a cluster may take to answer before another attempt is made.
    pub response_timeout: Duration,
    /// Connections at a time to one server. More questions at a time than that wait for one. A cluster has one to each of its servers.
    pub connections_maximum: usize,
}

impl RedisConfig {
    /// Without TLS and log-in, database 0, 2 s for a connection and for a server of a cluster, 8 connections.
    #[must_use]
    pub fn new(deployment: RedisDeployment) -> Self {
        Self {
            deployment,
            tls: None,
            username: None,
            password: None,
            database: 0,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            connections_maximum: 8,
        }
    }
}

/// Which servers.
#[derive(Clone)]
pub enum RedisDeployment {
    /// One.
    Single {
        /// Where it is.
        address: RedisAddress,
    },
    /// The one that sentinels say is the master.
    Sentinel {
        /// Where the sentinels are: they are asked in turn.
        addresses: Vec<RedisAddress>,
        /// The name under which they know the master.
        master: String,
        /// The user by which this program logs in at the sentinels.
        username: Option<String>,
        /// Its password there.
        password: Option<Zeroizing<String>>,
    },
    /// A cluster.
    Cluster {
        /// Where some of its servers are; they tell of the others.
        addresses: Vec<RedisAddress>,
    },
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// A name or an address, and a port.
    Network {
        /// An IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket on this machine.
    Unix(PathBuf),
}

impl RedisAddress {
    /// The port of a server.
    pub const PORT: u16 = 6379;
    /// The port of a sentinel.
    pub const SENTINEL_PORT: u16 = 26379;

    /// Reads `host:port`, `[::1]:port`, `host` alone, or `unix:/path`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, RedisConfigError> {
        let fail =
            || RedisConfigError(format!("`{text}` is no address of a server: expected `host:port`, `[address]:port` or `unix:/path`"));
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(fail()) };
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(fail)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| fail())?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(fail)?) })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Ok(default_port), |port| port.parse().map_err(|_| fail()))?;
        let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':');
        if host.is_empty() || port == 0 || !host.chars().all(is_name) {
            return Err(fail());
        }
        Ok(Self::Network { host: host.to_owned(), port })
    }
}

impl FromStr for RedisAddress {
    type Err = RedisConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, Self::PORT)
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Network { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// TLS to Redis. A server's certificate is always verified.
#[derive(Clone, Debug, Default)]
pub struct RedisTls {
    /// Certificates that are trusted, PEM; empty: those of the system.
    pub authorities: Vec<u8>,
    /// With what this program identifies itself.
    pub identity: Option<RedisIdentity>,
    /// The name that the server's certificate has to have; `None`: the host of its address. Not with a cluster, whose servers have names of their own.
    pub server_name: Option<String>,
}

/// A certificate of this program's own.
#[derive(Clone)]
pub struct RedisIdentity {
    /// The certificate and what leads from it to an authority, PEM.
    pub certificate: Vec<u8>,
    /// Its key, PEM.
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for RedisDeployment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single { address } => formatter.debug_struct("Single").field("address", address).finish(),
            Self::Sentinel { addresses, master, .. } => {
                formatter.debug_struct("Sentinel").field("addresses", addresses).field("master", master).finish_non_exhaustive()
            }
            Self::Cluster { addresses } => formatter.debug_struct("Cluster").field("addresses", addresses).finish(),
        }
    }
}

impl fmt::Debug for RedisIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisIdentity").finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisConfig")
            .field("deployment", &self.deployment)
            .field("database", &self.database)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
