//! The office's answers about suspensions, releases, the operator's list, live connections and the audit records.

use signet_admin::api::{
    AddRevocation, AddRevocationReport, AuditEntry, AuditQuery, CloseConnections, Connection, ConnectionQuery, Release, ReleaseReport,
    RemoveRevocation, Resume, RevocationEntry, SessionsClosed, Suspend, SuspendReport, SuspendedDevice,
};

use super::{Office, call_failed, problem};
use crate::hint::Failure;

impl Office {
    pub(crate) fn suspend(&self, request: &Suspend) -> Result<SuspendReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.suspend(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.suspend(request, caller).map_err(problem),
        }
    }

    pub(crate) fn resume(&self, request: &Resume) -> Result<SuspendedDevice, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.resume(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.resume(request, caller).map_err(problem),
        }
    }

    pub(crate) fn suspended(&self) -> Result<Vec<SuspendedDevice>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.suspended()).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.suspended().map_err(problem),
        }
    }

    pub(crate) fn release(&self, request: &Release) -> Result<ReleaseReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.release(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.release(request, caller).map_err(problem),
        }
    }

    pub(crate) fn add_revocation(&self, request: &AddRevocation) -> Result<AddRevocationReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.add_revocation(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.add_revocation(request, caller).map_err(problem),
        }
    }

    pub(crate) fn remove_revocation(&self, request: &RemoveRevocation) -> Result<RevocationEntry, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.remove_revocation(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.remove_revocation(request, caller).map_err(problem),
        }
    }

    pub(crate) fn revocations(&self) -> Result<Vec<RevocationEntry>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.revocations()).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.revocations().map_err(problem),
        }
    }

    pub(crate) fn connections(&self, query: &ConnectionQuery) -> Result<Vec<Connection>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.connections(query)).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.connections(query).map_err(problem),
        }
    }

    pub(crate) fn close_connections(&self, request: &CloseConnections) -> Result<SessionsClosed, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.close_connections(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.close_connections(request, caller).map_err(problem),
        }
    }

    pub(crate) fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.audit(query)).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.audit_records(query).map_err(problem),
        }
    }
}
