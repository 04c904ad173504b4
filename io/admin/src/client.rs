//! The other end of the admin API: the CLI uses only this when a broker runs.

use std::path::{Path, PathBuf};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::api::{
    AddDevice, AddedDevice, CaReport, Certificate, CertificateList, CrlFile, Numbers, Problem, ReloadReport, Revoke, RevokeReport, Status,
};

mod abuse;
mod live;
mod trust;
mod users;

/// The largest answer read, in bytes: a page of the inventory and a CRL with tens of thousands of entries fit.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A road to a running broker. Each call is one connection.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why a call did not come back with what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket: no broker runs on this data directory.
    #[error("no broker answers on `{socket}`", socket = .0.display())]
    NotRunning(PathBuf),
    /// The socket is there and may not be opened, or the conversation broke off.
    #[error("cannot talk to the broker on `{socket}`: {source}", socket = socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The answer is not HTTP or not the JSON that was expected: another program, or another version of this one.
    #[error("the broker on `{socket}` gave an answer that cannot be read: {found}", socket = socket.display())]
    Answer {
        /// The socket.
        socket: PathBuf,
        /// What was wrong with it.
        found: String,
    },
    /// The broker said no.
    #[error(transparent)]
    Refused(#[from] Problem),
}

impl Client {
    /// A client of the broker that listens on `socket`. Nothing is opened yet.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// How the broker is.
    ///
    /// # Errors
    /// [`ClientError`], as for every method below.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Method::GET, "/v1/status", &()).await
    }

    /// What the broker has counted.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn numbers(&self) -> Result<Numbers, ClientError> {
        self.call(Method::GET, "/v1/numbers", &()).await
    }

    /// Issues a device certificate.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_device(&self, request: &AddDevice) -> Result<AddedDevice, ClientError> {
        self.call(Method::POST, "/v1/devices", request).await
    }

    /// The whole inventory, page by page.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_certificates(&self) -> Result<Vec<Certificate>, ClientError> {
        let mut all = Vec::new();
        let mut after = Some(0);
        while let Some(position) = after {
            let page: CertificateList = self.call(Method::GET, &format!("/v1/devices?after={position}"), &()).await?;
            all.extend(page.certificates);
            after = page.next;
        }
        Ok(all)
    }

    /// The certificates of a device, or the one with a serial number.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn show(&self, which: &str) -> Result<Vec<Certificate>, ClientError> {
        self.call(Method::GET, &format!("/v1/devices/{}", percent_encode(which)), &()).await
    }

    /// Revokes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(&self, request: &Revoke) -> Result<RevokeReport, ClientError> {
        self.call(Method::POST, "/v1/revoke", request).await
    }

    /// The authority.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ca(&self) -> Result<CaReport, ClientError> {
        self.call(Method::GET, "/v1/ca", &()).await
    }

    /// Signs a fresh CRL.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sign_crl(&self) -> Result<CrlFile, ClientError> {
        self.call(Method::POST, "/v1/crl", &()).await
    }

    /// Reads the configuration anew, all of it or nothing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reload(&self) -> Result<ReloadReport, ClientError> {
        self.call(Method::POST, "/v1/reload", &()).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| self.unreachable(source))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreadable(&error))?;
        // The connection lives until the answer is read; its own errors surface in `send_request`.
        let driver = tokio::spawn(connection);
        let body = if method == Method::GET { Vec::new() } else { serde_json::to_vec(body).map_err(|error| self.unreadable(&error))? };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "signet")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.unreadable(&error))?;
        let response = sender.send_request(request).await.map_err(|error| self.unreadable(&error))?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| ClientError::Answer { socket: self.socket.clone(), found: error.to_string() })?;
        driver.abort();
        self.read(status, &bytes.to_bytes())
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, bytes: &[u8]) -> Result<T, ClientError> {
        if status.is_success() {
            return serde_json::from_slice(bytes).map_err(|error| self.unreadable(&error));
        }
        match serde_json::from_slice::<Problem>(bytes) {
            Ok(problem) => Err(ClientError::Refused(problem)),
            Err(_) => Err(ClientError::Answer { socket: self.socket.clone(), found: format!("HTTP status {status}") }),
        }
    }

    fn unreachable(&self, source: std::io::Error) -> ClientError {
        match source.kind() {
            // A socket file without a listener is what a killed broker leaves behind.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => ClientError::NotRunning(self.socket.clone()),
            _ => ClientError::Socket { socket: self.socket.clone(), source },
        }
    }

    fn unreadable(&self, error: &impl std::fmt::Display) -> ClientError {
        ClientError::Answer { socket: self.socket.clone(), found: error.to_string() }
    }
}

/// Makes any text one path segment (RFC 3986 §2.1).
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_device_name_is_one_path_segment() {
        assert_eq!(percent_encode("pump-7"), "pump-7");
        assert_eq!(percent_encode("pumpe ä/7?%"), "pumpe%20%C3%A4%2F7%3F%25");
    }
}
