//! Calls about who is held off.

use hyper::Method;

use super::{Client, ClientError};
use crate::api::{Forgive, ForgiveReport, HeldOffClient};

impl Client {
    /// Who is held off now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn held_off(&self) -> Result<Vec<HeldOffClient>, ClientError> {
        self.call(Method::GET, "/v1/held", &()).await
    }

    /// Forgets what there is against somebody, or everybody.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn forgive(&self, request: &Forgive) -> Result<ForgiveReport, ClientError> {
        self.call(Method::POST, "/v1/held/forgive", request).await
    }
}
