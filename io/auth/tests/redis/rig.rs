//! Clients who want to be let in, and who is asked about them.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use signet_auth::{
    Authenticator, Backend, BackendConfig, HashingPool, PasswordAuthenticator, PasswordHash, RedisAddress, RedisCommand, RedisConfig,
    RedisConnections, RedisDeployment, RedisFields, RedisLookup, RedisRecords, RedisRules,
};
use signet_identity::{DeviceIdentity, DeviceName, KeyDigest, Leaf};
use signet_mqtt::{ClientIdentifier, Password};
use signet_policy::{Applicant, Client, Outcome, Principal};
use signet_testkit::RedisServer;

/// Somebody who wants to be let in.
#[derive(Default, Clone)]
pub(crate) struct Someone<'a> {
    pub(crate) common_name: Option<&'a str>,
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) client_identifier: Option<&'a str>,
}

impl Someone<'_> {
    pub(crate) fn applicant(&self) -> Applicant {
        let identity = self.common_name.map(identity);
        let principal = match &identity {
            Some(identity) => Principal::Device(identity.name().clone().into()),
            None => Principal::Anonymous,
        };
        let identifier = ClientIdentifier::new(self.client_identifier.unwrap_or("client-1"));
        Applicant {
            client: Client::restored(principal, self.username.map(Into::into), identifier, identity.map(Arc::new)),
            is_assigned: false,
            names: signet_policy::NameOrigins::default(),
            claimed_username: self.username.map(Into::into),
            password: self.password.map(|password| Password::new(password.as_bytes().to_vec())),
            method: None,
            method_data: None,
            without_identity: None,
            now: 1_800_000_000,
        }
    }
}

/// By its certificate.
pub(crate) fn device<'a>(common_name: &'a str, password: &'a str) -> Someone<'a> {
    Someone { common_name: Some(common_name), password: Some(password), ..Someone::default() }
}

/// By what it claims.
pub(crate) fn user<'a>(username: &'a str, password: &'a str) -> Someone<'a> {
    Someone { username: Some(username), password: Some(password), ..Someone::default() }
}

fn identity(common_name: &str) -> DeviceIdentity {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
    DeviceIdentity::new(DeviceName::new("device").unwrap(), leaf, KeyDigest::of(b"key"), [])
}

pub(crate) fn address(port: u16) -> RedisAddress {
    RedisAddress::Network { host: "127.0.0.1".to_owned(), port }
}

/// One server without TLS and password.
pub(crate) fn single(server: &RedisServer) -> RedisConfig {
    RedisConfig::new(RedisDeployment::Single { address: address(server.port()) })
}

pub(crate) fn command(text: &str) -> RedisCommand {
    RedisCommand::parse(text, None).unwrap()
}

/// A backend that remembers nothing and does not give up.
pub(crate) fn plain_backend() -> BackendConfig {
    BackendConfig { cache_ttl: Duration::ZERO, breaker_failures: 0, ..BackendConfig::new("devices", "redis") }
}

/// Who is asked, and how it fares.
pub(crate) struct Asked {
    pub(crate) authenticator: PasswordAuthenticator,
    pub(crate) backend: Arc<Backend>,
}

impl Asked {
    pub(crate) fn new(config: RedisConfig, text: &str, hash: PasswordHash) -> Self {
        Self::with(config, text, hash, RedisFields::default(), plain_backend())
    }

    pub(crate) fn with(config: RedisConfig, text: &str, hash: PasswordHash, fields: RedisFields, backend: BackendConfig) -> Self {
        let connections = RedisConnections::new(config).unwrap();
        let records = RedisRecords::new(connections, RedisLookup::new(command(text), None, fields).unwrap());
        Self::of(records, hash, backend)
    }

    pub(crate) fn of(records: RedisRecords, hash: PasswordHash, backend: BackendConfig) -> Self {
        let backend = Backend::new(backend);
        let authenticator = PasswordAuthenticator::new(Arc::new(records), Arc::clone(&backend), hash, HashingPool::new(4));
        Self { authenticator, backend }
    }

    /// `allow`, or the other three with why.
    pub(crate) async fn about(&self, someone: &Someone<'_>) -> String {
        match self.authenticator.authenticate(&someone.applicant()).await {
            Ok(Outcome::Allow(_)) => "allow".to_owned(),
            Ok(Outcome::Deny(why)) => format!("deny: {why}"),
            Ok(Outcome::Unknown(why)) => format!("unknown: {why}"),
            Ok(Outcome::Failed(why)) => format!("failed: {why}"),
            Err(failure) => format!("failed: {failure}"),
        }
    }
}

pub(crate) fn rules(config: RedisConfig, text: &str, is_complete: bool, backend: BackendConfig) -> RedisRules {
    let connections = RedisConnections::new(config).unwrap();
    RedisRules::new(connections, command(text), is_complete, Backend::new(backend)).unwrap()
}
