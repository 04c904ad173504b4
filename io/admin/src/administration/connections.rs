//! Live connections: who they are, and closing some without revoking anything.

use std::sync::Arc;

use serde_json::json;
use signet_identity::{AuthorityId, CertificateId, KeyDigest, NameDigest};
use signet_net::{ConnectionInfo, KickCause, LinkId, Selector};

use super::suspend::reason_text;
use super::{Administration, Done, Live, PATIENCE, invalid};
use crate::api::{CloseConnections, Connection, ConnectionQuery, Problem, ProblemKind, SessionsClosed};
use crate::caller::Caller;
use crate::view;

impl Administration {
    /// The live connections that a query means, by number.
    ///
    /// # Errors
    /// No broker runs; the query cannot be read.
    pub fn connections(&self, query: &ConnectionQuery) -> Result<Vec<Connection>, Problem> {
        let found = found(self.running()?, query)?;
        Ok(found.iter().map(|info| view::connection(info)).collect())
    }

    /// Closes the live connections that a query means. They may come back at once.
    ///
    /// # Errors
    /// No broker runs; the query cannot be read, or means every connection and `all` is not set.
    pub fn close_connections(&self, request: &CloseConnections, caller: &Caller) -> Result<SessionsClosed, Problem> {
        if request.which.is_everything() && !request.all {
            return Err(invalid("this would close every connection").with_hint("say which ones, or --all"));
        }
        let reason = reason_text(request.reason.as_deref())?;
        let live = self.running()?;
        let links: Vec<LinkId> = found(live, &request.which)?.iter().map(|info| info.entry.link).collect();
        let words = if reason.is_empty() { format!("closed by {}", caller.as_str()) } else { reason.clone() };
        let report = live.registry.kick(&links, &KickCause::Administrative(words), PATIENCE);
        self.desk().record(&Done {
            action: "connections.close",
            subject: request.which.device.as_deref().unwrap_or_default(),
            by: caller.as_str(),
            details: json!({ "which": request.which, "reason": reason }),
            revoked_at: None,
            sessions: Some(report),
        });
        tracing::info!(by = caller.as_str(), found = report.found, closed = report.closed, "connections closed: {reason}");
        Ok(view::sessions(&report, None))
    }

    fn running(&self) -> Result<&Live, Problem> {
        self.live.get().ok_or_else(|| Problem::new(ProblemKind::Failed, "no broker runs here, so nobody is connected"))
    }
}

fn found(live: &Live, query: &ConnectionQuery) -> Result<Vec<Arc<ConnectionInfo>>, Problem> {
    let certificate = query.certificate.as_deref().map(certificate).transpose()?;
    let ids: Vec<CertificateId> = certificate.into_iter().collect();
    let mut selectors = Vec::new();
    if !ids.is_empty() {
        selectors.push(Selector::Certificates(&ids));
    }
    selectors.extend(query.key.as_deref().map(key).transpose()?.map(Selector::Key));
    selectors.extend(query.device.as_deref().map(Selector::Device));
    selectors.extend(query.client_identifier.as_deref().map(Selector::ClientIdentifier));
    selectors.extend(query.authority.as_deref().map(authority).transpose()?.map(Selector::Authority));
    selectors.extend(query.profile.as_deref().map(Selector::Profile));
    selectors.extend(query.listener.as_deref().map(Selector::Listener));
    // The first finds the fewest.
    let mut found = live.registry.selected(selectors.first().unwrap_or(&Selector::All));
    let tenant = |info: &ConnectionInfo| info.entry.peer.identity().and_then(|identity| identity.tenant()).cloned();
    found.retain(|info| {
        selectors.iter().skip(1).all(|selector| selector.matches(info))
            && query.tenant.as_ref().is_none_or(|wanted| tenant(info).is_some_and(|tenant| *tenant == **wanted))
            && query.after.is_none_or(|after| info.entry.link.number() > after)
    });
    found.truncate(query.limit.unwrap_or(usize::MAX));
    Ok(found)
}

fn octets<const N: usize>(what: &str, text: &str) -> Result<[u8; N], Problem> {
    let read = hex::decode(text).ok().and_then(|octets| octets.try_into().ok());
    read.ok_or_else(|| invalid(format!("the {what} is not {N} octets in hexadecimal")))
}

fn certificate(text: &str) -> Result<CertificateId, Problem> {
    let octets: [u8; 52] = octets("certificate", text)?;
    CertificateId::from_bytes(&octets).ok_or_else(|| invalid("the certificate cannot be read"))
}

fn key(text: &str) -> Result<KeyDigest, Problem> {
    octets("key", text).map(KeyDigest::from_bytes)
}

fn authority(text: &str) -> Result<AuthorityId, Problem> {
    let octets: [u8; 64] = octets("authority", text)?;
    let (name, key) = octets.split_at(32);
    let wrong = || invalid("the authority cannot be read");
    let name = NameDigest::from_bytes(name.try_into().map_err(|_| wrong())?);
    Ok(AuthorityId { name, key: KeyDigest::from_bytes(key.try_into().map_err(|_| wrong())?) })
}
