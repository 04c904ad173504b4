//! Who is asked, and who wants to be let in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use signet_auth::{
    Answer, Authenticator, Backend, BackendConfig, BoxFuture, Chains, ClaimRules, Compatibility, Condition, EndpointConfig, Failure,
    HashingPool, HttpAuthenticator, HttpBody, JwtAlgorithm, JwtAuthenticator, JwtConfig, JwtKeys, PasswordAuthenticator, PasswordHash,
    QueryKey, QuestionConfig, Record, RecordSource, RedisAddress, RedisCommand, RedisConfig, RedisConnections, RedisDeployment,
    RedisFields, RedisLookup, RedisRecords, SaltPosition, TokenPlace,
};
use signet_identity::{NoIdentity, Peer};
use signet_mqtt::{ClientIdentifier, Connect, ConnectProperties, Password, ProtocolVersion};
use signet_policy::{
    AdmissionRules, Applicant, Chain, Client, Denied, Member, NamePattern, Origin, Otherwise, Outcome, Principal, Proof, ProvenNames, Who,
    identify,
};
use signet_testkit::{HttpService, RedisServer};

use crate::table::Said;

/// A Monday in 2026.
pub(crate) const NOW: i64 = 1_780_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Somebody over plain TCP.
pub(crate) fn somebody(username: Option<&str>, password: Option<&str>) -> Applicant {
    Applicant {
        client: Client::restored(Principal::Anonymous, username.map(Into::into), ClientIdentifier::new("pump-7"), None),
        is_assigned: false,
        names: signet_policy::NameOrigins::default(),
        claimed_username: username.map(Into::into),
        password: password.map(|password| Password::new(password.as_bytes().to_vec())),
        method: None,
        method_data: None,
        without_identity: Some("it has no certificate".to_owned()),
        now: NOW,
    }
}

/// Somebody from 10.1.2.3, by the rules of a listener.
pub(crate) fn introduced(rules: &AdmissionRules, username: Option<&str>, identifier: &str) -> Result<Applicant, Denied> {
    let connect = Connect {
        version: ProtocolVersion::V5,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new(identifier),
        will: None,
        username: username.map(Into::into),
        password: None,
        properties: ConnectProperties::default(),
    };
    let origin = Origin { address: Some([10, 1, 2, 3].into()), listener: "tcp:default".into() };
    identify(rules, &Peer::Anonymous(NoIdentity::NotPresented), &connect, origin, NOW, || unreachable!())
}

pub(crate) fn user(username: &str, password: &str) -> Applicant {
    somebody(Some(username), Some(password))
}

/// Somebody with a token as the password.
pub(crate) fn bearer(claims: &Value, secret: &[u8]) -> Applicant {
    let message = format!("{}.{}", BASE64URL.encode(r#"{"alg":"HS256","typ":"JWT"}"#), BASE64URL.encode(claims.to_string()));
    let padded = |with: u8| (0..64).map(|at| secret.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(&message).finalize();
    let signature = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    user("ann", &format!("{message}.{}", BASE64URL.encode(signature)))
}

pub(crate) fn good_bearer(claims: &Value) -> Applicant {
    bearer(claims, SECRET)
}

/// A data base with one entry for each user name.
#[derive(Debug)]
struct Memory(BTreeMap<&'static str, Record>);

impl RecordSource for Memory {
    fn proves(&self) -> ProvenNames {
        ProvenNames::USERNAME
    }

    fn key(&self, applicant: &Applicant) -> Result<QueryKey, String> {
        let name = applicant.client.username().ok_or("it has no user name")?;
        Ok(QueryKey::of([name.as_bytes()]))
    }

    fn find<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Option<Record>, Failure>> {
        let found = applicant.client.username().and_then(|name| self.0.get(name)).cloned();
        Box::pin(async move { Ok(found) })
    }
}

/// A data base that is away.
#[derive(Debug)]
struct Away;

impl RecordSource for Away {
    fn proves(&self) -> ProvenNames {
        ProvenNames::default()
    }

    fn key(&self, _: &Applicant) -> Result<QueryKey, String> {
        Ok(QueryKey::of([b"anybody".as_slice()]))
    }

    fn find<'a>(&'a self, _: &'a Applicant) -> BoxFuture<'a, Result<Option<Record>, Failure>> {
        Box::pin(async { Err(Failure::new("connection refused")) })
    }
}

/// Vouches for everybody: who comes here was ignored by all before.
#[derive(Debug)]
struct Everybody;

impl Authenticator for Everybody {
    fn authenticate<'a>(&'a self, _: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async { Ok(Outcome::Allow(Box::default())) })
    }
}

fn record(password: Option<&str>, superuser: bool) -> Record {
    Record { password_hash: password.map(|text| text.as_bytes().to_vec()), superuser, ..Record::default() }
}

fn backend(name: &str) -> Arc<Backend> {
    let patience = Duration::from_secs(60);
    Backend::new(BackendConfig { timeout: patience, cache_ttl: Duration::ZERO, breaker_failures: 0, ..BackendConfig::new(name, "test") })
}

fn of_records(name: &str, records: impl RecordSource + 'static, hash: PasswordHash) -> Arc<dyn Authenticator> {
    Arc::new(PasswordAuthenticator::new(Arc::new(records), backend(name), hash, HashingPool::new(2)))
}

fn of_redis(server: &RedisServer, command: &str, superuser: Option<&str>) -> Arc<dyn Authenticator> {
    let parse = |text: &str| RedisCommand::parse(text, None).unwrap();
    let address = RedisAddress::Network { host: "127.0.0.1".to_owned(), port: server.port() };
    let connections = RedisConnections::new(RedisConfig::new(RedisDeployment::Single { address })).unwrap();
    let lookup = RedisLookup::new(parse(command), superuser.map(parse), RedisFields::default()).unwrap();
    of_records("redis", RedisRecords::new(connections, lookup), PasswordHash::Plain)
}

fn of_http(service: &HttpService) -> Arc<dyn Authenticator> {
    let body = json!({"username": "${username}", "password": "${password}"});
    let question = QuestionConfig { url: service.url("/auth"), body: HttpBody::Json(body), ..QuestionConfig::default() };
    Arc::new(HttpAuthenticator::new(&question, Compatibility::Emqx5, &EndpointConfig::default(), backend("web")).unwrap())
}

fn of_tokens() -> Arc<dyn Authenticator> {
    let config = JwtConfig {
        name: "token".into(),
        from: TokenPlace::Password,
        algorithms: vec!["HS256".parse::<JwtAlgorithm>().unwrap()],
        keys: JwtKeys::Secret(SECRET.to_vec().into()),
        token_maximum: 16 * 1024,
        claims: ClaimRules { leeway: Duration::ZERO, ..ClaimRules::default() },
    };
    Arc::new(JwtAuthenticator::new(&config, backend("token")).unwrap())
}

/// All who are asked, and the servers behind some of them.
pub(crate) struct Rig {
    chains: Chains,
    service: HttpService,
    _redis: RedisServer,
}

impl Rig {
    pub(crate) fn start() -> Self {
        let redis = RedisServer::start(&signet_testkit::RedisOptions::default());
        for (name, truth) in [("one", "1"), ("two", "2"), ("word", "true"), ("zero", "0"), ("yes", "yes"), ("nothing", "")] {
            redis.cli(&["HSET", &format!("mqtt_user:{name}"), "password", "public", "is_superuser", truth]);
        }
        // What a key is without the value of its placeholder, in EMQX 5 and in EMQX 4, and an entry without a password.
        for key in ["mqtt_user:", "mqtt_user:%C"] {
            redis.cli(&["HSET", key, "password", "public"]);
        }
        redis.cli(&["HSET", "mqtt_user:salted", "salt", "public"]);
        let service = HttpService::start(signet_testkit::ServiceTls::None, "[]");
        let people = [("ann", record(Some("public"), false)), ("bob", record(None, false)), ("root", record(Some("public"), true))];
        let hashed = hex::encode_upper(Sha256::digest(b"saltpublic"));
        let hashed = Record { salt: Some(b"salt".to_vec()), ..record(Some(&hashed), false) };
        let sha256 = PasswordHash::Sha256(SaltPosition::Prefix);
        let condition =
            Condition { allow: vec![Who::Username(NamePattern::exact("ann"))], deny: vec![Who::Username(NamePattern::exact("eve"))] };
        let authenticators: [(&str, Arc<dyn Authenticator>); 11] = [
            ("users", of_records("users", Memory(people.into()), PasswordHash::Plain)),
            ("hashed", of_records("hashed", Memory([("ann", hashed)].into()), sha256)),
            ("away", of_records("away", Away, PasswordHash::Plain)),
            ("everybody", Arc::new(Everybody)),
            ("token", of_tokens()),
            ("redis", of_redis(&redis, "HMGET mqtt_user:${username} password salt is_superuser", None)),
            ("redis4", of_redis(&redis, "HMGET mqtt_user:%u password salt", None)),
            ("super4", of_redis(&redis, "HMGET mqtt_user:%u password", Some("HGET mqtt_user:%u is_superuser"))),
            ("names4", of_redis(&redis, "HMGET mqtt_user:%C password", None)),
            ("web", of_http(&service)),
            ("condition", Arc::new(condition)),
        ];
        let authenticators = authenticators.into_iter().map(|(name, who)| (name.into(), who)).collect();
        Self { chains: Chains { authenticators, ..Chains::default() }, service, _redis: redis }
    }

    /// What becomes of somebody by a chain, as [`chain`] reads it. `answer` is what the service at the other end of `web` says.
    pub(crate) async fn says(&self, text: &str, answer: &str, applicant: &Applicant) -> Said {
        self.service.answer(answer);
        // Who asks the same in the same millisecond hears the same.
        self.chains.forget(None);
        match self.chains.begin(Arc::new(chain(text)), applicant.clone()).await {
            Answer::Passed(passed) if passed.grant().superuser => Said::Superuser,
            Answer::Passed(_) => Said::Yes,
            Answer::Refused(_) => Said::No,
            Answer::Challenge(..) => panic!("nobody has an exchange"),
        }
    }

    /// What a token gives.
    pub(crate) async fn grant(&self, applicant: Applicant) -> signet_policy::Grant {
        match self.chains.begin(Arc::new(chain("token")), applicant).await {
            Answer::Passed(passed) => passed.grant().clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// `a and b, c` are two alternatives. Behind a name: `?` `on_failure = "continue"`, `!` `on_unknown = "deny"`.
fn chain(text: &str) -> Chain {
    let member = |text: &str| {
        let name = text.trim_end_matches(['?', '!']);
        let proof = match name {
            "certificate" => Proof::Certificate { profile: None },
            "anonymous" => Proof::Anonymous,
            _ => Proof::Authenticator,
        };
        let otherwise = |is_deny| if is_deny { Otherwise::Deny } else { Otherwise::Continue };
        Member {
            name: name.into(),
            proof,
            when: None,
            on_deny: Otherwise::Deny,
            on_unknown: otherwise(text.ends_with('!')),
            on_failure: otherwise(!text.ends_with('?')),
        }
    };
    let alternatives = text.split(", ").filter(|text| !text.is_empty());
    Chain { alternatives: alternatives.map(|text| text.split(" and ").map(member).collect()).collect() }
}
