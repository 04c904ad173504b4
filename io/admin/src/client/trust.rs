//! Calls about explanations, refusals, trust profiles and sources of revocation knowledge.

use hyper::Method;

use super::{Client, ClientError};
use crate::api::{
    AuthenticatorState, DisableProfile, DisableReport, DisabledProfile, EnableProfile, Explain, Explained, ForgetAnswers, ForgetReport,
    RefreshReport, RefreshSources, RefusalQuery, RefusedClient, RevocationSource, TrustProfile,
};

impl Client {
    /// What would become of a client.
    ///
    /// # Errors
    /// [`ClientError`], as for every method below.
    pub async fn explain(&self, request: &Explain) -> Result<Explained, ClientError> {
        self.call(Method::POST, "/v1/explain", request).await
    }

    /// How those fare who are asked about clients.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn authenticators(&self) -> Result<Vec<AuthenticatorState>, ClientError> {
        self.call(Method::GET, "/v1/authenticators", &()).await
    }

    /// Forgets what they have said.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn forget_answers(&self, request: &ForgetAnswers) -> Result<ForgetReport, ClientError> {
        self.call(Method::POST, "/v1/authenticators/forget", request).await
    }

    /// The last refused connections, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn refusals(&self, query: &RefusalQuery) -> Result<Vec<RefusedClient>, ClientError> {
        self.call(Method::GET, &self.with_query("/v1/refusals", query)?, &()).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn refusal(&self, number: u64) -> Result<RefusedClient, ClientError> {
        self.call(Method::GET, &format!("/v1/refusals/{number}"), &()).await
    }

    /// Every trust profile.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trust(&self) -> Result<Vec<TrustProfile>, ClientError> {
        self.call(Method::GET, "/v1/trust", &()).await
    }

    /// Disables one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disable_profile(&self, request: &DisableProfile) -> Result<DisableReport, ClientError> {
        self.call(Method::POST, "/v1/trust/disable", request).await
    }

    /// Enables one again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn enable_profile(&self, request: &EnableProfile) -> Result<DisabledProfile, ClientError> {
        self.call(Method::POST, "/v1/trust/enable", request).await
    }

    /// How the sources of revocation knowledge fare.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sources(&self) -> Result<Vec<RevocationSource>, ClientError> {
        self.call(Method::GET, "/v1/revocation/sources", &()).await
    }

    /// Has them fetched and read now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn refresh(&self, request: &RefreshSources) -> Result<RefreshReport, ClientError> {
        self.call(Method::POST, "/v1/revocation/refresh", request).await
    }
}
