//! The server that is asked, and how to reach it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_http::{Answer, HttpClient, HttpClientConfig, Https, Question, Url, connector};
use signet_tls::ConnectorConfig;

use crate::backend::BackendConfig;
use crate::source::Failure;

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConfig {
    /// For https.
    pub tls: EndpointTls,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// Bytes of the body of an answer.
    pub body_maximum: usize,
    /// How long a connection that nobody uses is kept.
    pub idle_timeout: Duration,
}

impl Default for EndpointConfig {
    /// The system's CAs, 5 s to connect, 64 KiB of answer, connections kept for 30 s.
    fn default() -> Self {
        Self {
            tls: EndpointTls::default(),
            connect_timeout: Duration::from_secs(5),
            body_maximum: 64 * 1024,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// Whom to trust, and what to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointTls {
    /// PEM files with the CAs of the server; none: those of the system.
    pub ca_files: Vec<PathBuf>,
    /// PEM file with our certificate and its intermediates. Needs `key`.
    pub certificate: Option<PathBuf>,
    /// PEM file with its key.
    pub key: Option<PathBuf>,
    /// The name that the server's certificate has to carry, where that is not the host of the address.
    pub server_name: Option<String>,
}

/// A server, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    client: Arc<HttpClient>,
}

impl Endpoint {
    /// Reads the files and connects to nobody yet. As many connections are kept as the backend may use.
    pub(crate) fn new(server: Url, config: &EndpointConfig, backend: &BackendConfig) -> Result<Self, String> {
        let tls = &config.tls;
        if tls.certificate.is_some() != tls.key.is_some() {
            return Err("a client certificate needs its key, and a key its certificate".to_owned());
        }
        let is_set = *tls != EndpointTls::default();
        if is_set && !server.is_https() {
            return Err(format!("there are settings for TLS, and `{server}` is not https"));
        }
        let connector = if server.is_https() {
            connector(&ConnectorConfig {
                ca_files: tls.ca_files.clone(),
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                ..ConnectorConfig::default()
            })?
        } else {
            None
        };
        let client = HttpClient::new(HttpClientConfig {
            server,
            https: Https { connector, server_name: tls.server_name.clone(), trust_key: "trust" },
            connect_timeout: config.connect_timeout.min(backend.timeout),
            timeout: backend.timeout,
            body_maximum: config.body_maximum,
            idle_maximum: backend.concurrent_maximum,
            idle_timeout: config.idle_timeout,
        })?;
        Ok(Self { client: Arc::new(client) })
    }

    /// Asks once.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        self.client.ask(question).await.map_err(|why| Failure(format!("`{}`: {why}", self.client.server())))
    }
}
