//! The running broker's answers about explanations, refusals, trust profiles and sources of revocation knowledge. Nobody else has them.

use signet_admin::api::{
    AuthenticatorState, DisableProfile, DisableReport, DisabledProfile, EnableProfile, Explain, Explained, ForgetAnswers, ForgetReport,
    Forgive, ForgiveReport, HeldOffClient, RefreshReport, RefreshSources, RefusalQuery, RefusedClient, RevocationSource, TrustProfile,
};
use signet_admin::{Client, ClientError};

use super::{Office, Places, call_failed};
use crate::flags::ConfigFlag;
use crate::hint::Failure;

/// The way to a broker that runs.
pub(crate) struct BrokerOffice {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl BrokerOffice {
    /// Finds it.
    pub(crate) fn open(config: &ConfigFlag) -> Result<Self, Failure> {
        match Office::of_broker(&Places::find(config)?)? {
            Office::Broker { client, runtime } => Ok(Self { client, runtime }),
            Office::Ledger { .. } => Err(Failure::new("no broker runs here").hint("start it: signet serve")),
        }
    }

    fn call<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, Failure> {
        self.runtime.block_on(call).map_err(call_failed)
    }

    pub(crate) fn explain(&self, request: &Explain) -> Result<Explained, Failure> {
        self.call(self.client.explain(request))
    }

    pub(crate) fn authenticators(&self) -> Result<Vec<AuthenticatorState>, Failure> {
        self.call(self.client.authenticators())
    }

    pub(crate) fn forget_answers(&self, request: &ForgetAnswers) -> Result<ForgetReport, Failure> {
        self.call(self.client.forget_answers(request))
    }

    pub(crate) fn refusals(&self, query: &RefusalQuery) -> Result<Vec<RefusedClient>, Failure> {
        self.call(self.client.refusals(query))
    }

    pub(crate) fn refusal(&self, number: u64) -> Result<RefusedClient, Failure> {
        self.call(self.client.refusal(number))
    }

    pub(crate) fn held_off(&self) -> Result<Vec<HeldOffClient>, Failure> {
        self.call(self.client.held_off())
    }

    pub(crate) fn forgive(&self, request: &Forgive) -> Result<ForgiveReport, Failure> {
        self.call(self.client.forgive(request))
    }

    pub(crate) fn trust(&self) -> Result<Vec<TrustProfile>, Failure> {
        self.call(self.client.trust())
    }

    pub(crate) fn disable_profile(&self, request: &DisableProfile) -> Result<DisableReport, Failure> {
        self.call(self.client.disable_profile(request))
    }

    pub(crate) fn enable_profile(&self, request: &EnableProfile) -> Result<DisabledProfile, Failure> {
        self.call(self.client.enable_profile(request))
    }

    pub(crate) fn sources(&self) -> Result<Vec<RevocationSource>, Failure> {
        self.call(self.client.sources())
    }

    pub(crate) fn refresh(&self, request: &RefreshSources) -> Result<RefreshReport, Failure> {
        self.call(self.client.refresh(request))
    }
}
