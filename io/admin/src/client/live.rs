//! Calls about suspensions, releases, the operator's list, live connections and the audit records.

use hyper::Method;
use serde::Serialize;

use super::{Client, ClientError, percent_encode};
use crate::api::{
    AddRevocation, AddRevocationReport, AuditEntry, AuditQuery, CloseConnections, Connection, ConnectionQuery, Release, ReleaseReport,
    RemoveRevocation, Resume, RevocationEntry, SessionsClosed, Suspend, SuspendReport, SuspendedDevice,
};

/// Connections in one answer.
const PAGE: usize = 1000;

impl Client {
    /// Suspends a device.
    ///
    /// # Errors
    /// [`ClientError`], as for every method below.
    pub async fn suspend(&self, request: &Suspend) -> Result<SuspendReport, ClientError> {
        self.call(Method::POST, "/v1/suspend", request).await
    }

    /// Ends a suspension.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resume(&self, request: &Resume) -> Result<SuspendedDevice, ClientError> {
        self.call(Method::POST, "/v1/resume", request).await
    }

    /// Every suspended device.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn suspended(&self) -> Result<Vec<SuspendedDevice>, ClientError> {
        self.call(Method::GET, "/v1/suspensions", &()).await
    }

    /// Takes certificates off hold.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn release(&self, request: &Release) -> Result<ReleaseReport, ClientError> {
        self.call(Method::POST, "/v1/release", request).await
    }

    /// The operator's revocation list.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revocations(&self) -> Result<Vec<RevocationEntry>, ClientError> {
        self.call(Method::GET, "/v1/revocations", &()).await
    }

    /// Puts something on it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_revocation(&self, request: &AddRevocation) -> Result<AddRevocationReport, ClientError> {
        self.call(Method::POST, "/v1/revocations", request).await
    }

    /// Takes something off it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_revocation(&self, request: &RemoveRevocation) -> Result<RevocationEntry, ClientError> {
        self.call(Method::POST, "/v1/revocations/remove", request).await
    }

    /// The live connections that a query means, all of them, page by page.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn connections(&self, query: &ConnectionQuery) -> Result<Vec<Connection>, ClientError> {
        let mut all: Vec<Connection> = Vec::new();
        loop {
            let after = all.last().map(|connection| connection.connection).or(query.after);
            let query = ConnectionQuery { after, limit: Some(PAGE), ..query.clone() };
            let page: Vec<Connection> = self.call(Method::GET, &self.with_query("/v1/connections", &query)?, &()).await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Closes live connections.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn close_connections(&self, request: &CloseConnections) -> Result<SessionsClosed, ClientError> {
        self.call(Method::POST, "/v1/connections/close", request).await
    }

    /// What was done, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, ClientError> {
        self.call(Method::GET, &self.with_query("/v1/audit", query)?, &()).await
    }

    /// A path with the fields of `query` that are set (RFC 3986 §3.4).
    pub(super) fn with_query(&self, path: &str, query: &impl Serialize) -> Result<String, ClientError> {
        let fields = serde_json::to_value(query).map_err(|error| self.unreadable(&error))?;
        let fields = fields.as_object().into_iter().flatten().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", percent_encode(&text))
        });
        Ok(format!("{path}?{}", fields.collect::<Vec<_>>().join("&")))
    }
}
