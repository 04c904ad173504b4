//! How one connection to Redis is made.

use std::fmt;
use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisError, RedisFuture, TlsCertificates, TlsMode,
};
use zeroize::Zeroizing;

use super::config::{RedisAddress, RedisConfig, RedisConfigError, RedisDeployment};
use super::sentinel;
use crate::pool::Connect;
use crate::source::{BoxFuture, Failure};

/// Attempts of a cluster at one question, with moved keys and lost servers in between.
const CLUSTER_RETRIES: u32 = 3;

/// Makes connections to the servers of one configuration.
pub(super) struct Connector {
    pub(super) config: RedisConfig,
    certificates: Option<TlsCertificates>,
}

/// A connection, and when it was made. It serves one question at a time.
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    pub(super) made: Instant,
}

/// By whom somebody logs in, and where.
pub(super) struct Login<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a Zeroizing<String>>,
    pub(super) database: u16,
}

impl Connector {
    /// Checks what can be checked without asking anybody.
    pub(super) fn new(config: RedisConfig) -> Result<Self, RedisConfigError> {
        check(&config)?;
        signet_tls::use_as_default_provider();
        let certificates = config.tls.as_ref().map(|tls| TlsCertificates {
            client_tls: tls
                .identity
                .as_ref()
                .map(|identity| ClientTlsConfig { client_cert: identity.certificate.clone(), client_key: identity.key.to_vec() }),
            root_cert: Some(tls.authorities.clone()).filter(|authorities| !authorities.is_empty()),
        });
        let connector = Self { config, certificates };
        let addresses = match &connector.config.deployment {
            RedisDeployment::Single { address } => std::slice::from_ref(address),
            RedisDeployment::Sentinel { addresses, .. } | RedisDeployment::Cluster { addresses } => addresses,
        };
        for address in addresses {
            connector.client(address, &connector.login()).map_err(|error| RedisConfigError(format!("cannot be used: {error}")))?;
        }
        Ok(connector)
    }

    /// Connects to one server.
    pub(super) async fn open(&self, address: &RedisAddress, login: &Login<'_>) -> Result<MultiplexedConnection, Failure> {
        let fail = |error: RedisError| Failure(format!("cannot connect to {address}: {error}"));
        let mut config = AsyncConnectionConfig::new().set_connection_timeout(Some(self.config.connect_timeout)).set_response_timeout(None);
        if let (Some(_), RedisAddress::Network { host, .. }) = (self.server_name(), address) {
            config = config.set_dns_resolver(Elsewhere(host.clone()));
        }
        let client = self.client(address, login).map_err(fail)?;
        client.get_multiplexed_async_connection_with_config(&config).await.map_err(fail)
    }

    fn login(&self) -> Login<'_> {
        let config = &self.config;
        Login { username: config.username.as_deref(), password: config.password.as_ref(), database: config.database }
    }

    /// For a server that is no sentinel.
    pub(super) async fn open_server(&self, address: &RedisAddress) -> Result<MultiplexedConnection, Failure> {
        self.open(address, &self.login()).await
    }

    fn server_name(&self) -> Option<&str> {
        self.config.tls.as_ref()?.server_name.as_deref()
    }

    fn client(&self, address: &RedisAddress, login: &Login<'_>) -> Result<Client, RedisError> {
        let info = self.info(address, login)?;
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }

    fn info(&self, address: &RedisAddress, login: &Login<'_>) -> Result<ConnectionInfo, RedisError> {
        let address = match address {
            RedisAddress::Network { host, port } if self.certificates.is_some() => {
                let host = self.server_name().unwrap_or(host).to_owned();
                ConnectionAddr::TcpTls { host, port: *port, insecure: false, tls_params: None }
            }
            RedisAddress::Network { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
            RedisAddress::Unix(path) => ConnectionAddr::Unix(path.clone()),
        };
        // The fewer commands it takes, the fewer the user of this program has to be allowed.
        let mut settings = RedisConnectionInfo::default().set_db(login.database.into()).set_skip_set_lib_name();
        if let Some(username) = login.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = login.password {
            settings = settings.set_password(password.as_str());
        }
        Ok(address.into_connection_info()?.set_redis_settings(settings))
    }

    /// Makes connections to a cluster.
    pub(super) fn cluster_client(&self, addresses: &[RedisAddress]) -> Result<ClusterClient, RedisError> {
        let infos = addresses.iter().map(|address| self.info(address, &self.login())).collect::<Result<Vec<_>, _>>()?;
        let mut builder = ClusterClient::builder(infos)
            .connection_timeout(self.config.connect_timeout)
            .response_timeout(self.config.response_timeout)
            .overall_response_timeout(None)
            .retries(CLUSTER_RETRIES);
        if let Some(certificates) = &self.certificates {
            builder = builder.tls(TlsMode::Secure).certs(certificates.clone());
        }
        builder.build()
    }
}

impl Connect for Connector {
    type Connection = Link;

    fn connect(&self) -> BoxFuture<'_, Result<Link, Failure>> {
        Box::pin(async move {
            let connection = match &self.config.deployment {
                RedisDeployment::Single { address } => self.open(address, &self.login()).await?,
                RedisDeployment::Sentinel { addresses, master, username, password } => {
                    let login = Login { username: username.as_deref(), password: password.as_ref(), database: 0 };
                    sentinel::connect_to_master(self, addresses, master, &login).await?
                }
                RedisDeployment::Cluster { .. } => return Err(Failure::new("a cluster is asked in another way")),
            };
            Ok(Link { connection, made: Instant::now() })
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Where the server is whose certificate has another name.
struct Elsewhere(String);

impl AsyncDNSResolver for Elsewhere {
    fn resolve<'a, 'b: 'a>(&'a self, _: &'b str, port: u16) -> RedisFuture<'a, Box<dyn Iterator<Item = std::net::SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let addresses: Box<dyn Iterator<Item = _> + Send> = Box::new(tokio::net::lookup_host((self.0.as_str(), port)).await?);
            Ok(addresses)
        })
    }
}

fn check(config: &RedisConfig) -> Result<(), RedisConfigError> {
    let fail = |what: &str| Err(RedisConfigError(what.to_owned()));
    let addresses = match &config.deployment {
        RedisDeployment::Single { address } => std::slice::from_ref(address),
        RedisDeployment::Sentinel { addresses, .. } | RedisDeployment::Cluster { addresses } => addresses.as_slice(),
    };
    if addresses.is_empty() {
        return fail("names no server: at least one address is needed");
    }
    let is_cluster = matches!(config.deployment, RedisDeployment::Cluster { .. });
    let is_unix = addresses.iter().any(|address| matches!(address, RedisAddress::Unix(_)));
    if is_unix && (config.tls.is_some() || is_cluster) {
        return fail("names a socket of this machine, which has no TLS and is in no cluster");
    }
    if is_cluster && config.database != 0 {
        return fail("names a database of a cluster, which has number 0 only");
    }
    if config.username.is_some() && config.password.is_none() {
        return fail("has a user and no password for Redis");
    }
    if let RedisDeployment::Sentinel { master, username, password, .. } = &config.deployment {
        if master.is_empty() {
            return fail("does not say by which name the sentinels know the master");
        }
        if username.is_some() && password.is_none() {
            return fail("has a user and no password for the sentinels");
        }
    }
    let Some(tls) = &config.tls else { return Ok(()) };
    if is_cluster && tls.server_name.is_some() {
        return fail("has one server name for all servers of a cluster: each has to have the name by which the cluster knows it");
    }
    let has_certificate = |pem: &[u8]| String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----");
    if !tls.authorities.is_empty() && !has_certificate(&tls.authorities) {
        return fail("has no certificate among its authorities: expected PEM");
    }
    if tls.identity.as_ref().is_some_and(|identity| !has_certificate(&identity.certificate)) {
        return fail("has no certificate of its own where one was expected: expected PEM");
    }
    Ok(())
}
