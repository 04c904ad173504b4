//! The operator's own revocation list, for certificates that another authority issued and does not revoke, or not yet.

use serde_json::json;
use signet_ca::{OperatorEntry, OperatorSubject};
use signet_net::{KickCause, KickReport, Selector, unix_milliseconds, unix_seconds};
use signet_revocation::Reason;

use super::suspend::reason_text;
use super::{Administration, Done, Live, PATIENCE, failed, in_force, invalid};
use crate::api::{AddRevocation, AddRevocationReport, Problem, ProblemKind, RemoveRevocation, RevocationEntry};
use crate::caller::Caller;
use crate::view;

impl Administration {
    /// Puts a certificate, a key or an authority on the list: durable, then in force at every handshake, then the sessions closed.
    ///
    /// # Errors
    /// What is named cannot be read, is our own certificate, or cannot be taken; the list is full; the ledger fails.
    pub fn add_revocation(&self, request: &AddRevocation, caller: &Caller) -> Result<AddRevocationReport, Problem> {
        let subject = subject(&request.id)?;
        let reason: Reason = request.reason.parse().map_err(invalid)?;
        // It can be taken off the list again whatever the reason is; `removeFromCRL` is none.
        if reason == Reason::RemoveFromCrl {
            return Err(invalid("`removeFromCRL` is not a reason to revoke: use for example `keyCompromise`"));
        }
        let label = reason_text(Some(&request.label))?;
        let mut desk = self.desk();
        if let OperatorSubject::Certificate(id) = subject
            && let Some(own) = desk.ledger.find(&id).map_err(failed)?
        {
            let message = format!("the certificate {} of `{}` is Signet's own", id.serial(), own.intent.name);
            return Err(invalid(message).with_hint(format!("signet device revoke {}", id.serial())));
        }
        let wish = OperatorEntry { subject, label, since: unix_seconds(), reason, by: caller.as_str().to_owned() };
        let before = desk.ledger.record_operator_entry(&wish).map_err(failed)?;
        let already = before.is_some();
        let entry = before.unwrap_or(wish);
        let (mut kicked, mut revoked_at) = (None, unix_milliseconds());
        if let Some(live) = self.live.get() {
            in_force::put_operator_entry(live, &entry);
            revoked_at = unix_milliseconds();
            kicked = Some(end_sessions(live, &entry));
        }
        if !already || kicked.is_some_and(|report| report.found > 0) {
            desk.record(&Done {
                action: "revocation.add",
                subject: &entry.label,
                by: caller.as_str(),
                details: json!({ "id": id_text(&subject), "reason": entry.reason.name() }),
                revoked_at: Some(revoked_at),
                sessions: kicked,
            });
        }
        let closed = kicked.map_or(0, |report| report.closed);
        tracing::info!(label = entry.label, reason = %entry.reason, by = caller.as_str(), closed, already, "added to the operator's revocation list");
        let sessions = kicked.map(|report| view::sessions(&report, Some(revoked_at)));
        Ok(AddRevocationReport { entry: shown(&entry), already, sessions })
    }

    /// Takes something off the list: it is trusted again as far as the list is concerned.
    ///
    /// # Errors
    /// It is not on the list; the ledger fails.
    pub fn remove_revocation(&self, request: &RemoveRevocation, caller: &Caller) -> Result<RevocationEntry, Problem> {
        let subject = subject(&request.id)?;
        let mut desk = self.desk();
        let Some(entry) = desk.ledger.remove_operator_entry(&subject).map_err(failed)? else {
            let message = format!("this {} is not on the operator's revocation list", subject.kind());
            return Err(Problem::new(ProblemKind::NotFound, message).with_hint("`signet revocation list` shows what is"));
        };
        if let Some(live) = self.live.get() {
            in_force::remove_operator_entry(live, &subject);
        }
        desk.record(&Done {
            action: "revocation.remove",
            subject: &entry.label,
            by: caller.as_str(),
            details: json!({ "id": id_text(&subject) }),
            ..Done::default()
        });
        tracing::info!(label = entry.label, by = caller.as_str(), "taken off the operator's revocation list");
        Ok(shown(&entry))
    }

    /// The list.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn revocations(&self) -> Result<Vec<RevocationEntry>, Problem> {
        Ok(self.desk().ledger.operator_entries().map_err(failed)?.iter().map(shown).collect())
    }
}

fn end_sessions(live: &Live, entry: &OperatorEntry) -> KickReport {
    let cause = KickCause::Revoked(entry.reason);
    let end = |selector: &Selector<'_>| live.registry.kick_selected(selector, &cause, PATIENCE);
    match entry.subject {
        OperatorSubject::Certificate(id) => end(&Selector::Certificates(&[id])),
        // Whoever has the key can have signed other certificates with it.
        OperatorSubject::Key(key) => end(&Selector::AnyKey(key)),
        OperatorSubject::Authority(authority) => end(&Selector::Authority(authority)),
    }
}

fn subject(text: &str) -> Result<OperatorSubject, Problem> {
    let parts = text.split_once(':').and_then(|(kind, octets)| OperatorSubject::from_parts(kind, &hex::decode(octets).ok()?));
    parts.ok_or_else(|| {
        let shown: String = text.chars().take(64).filter(|character| !character.is_control()).collect();
        invalid(format!("`{shown}` names nothing that can be revoked: expected `certificate:`, `key:` or `authority:` and hex digits"))
            .with_hint("`signet revocation list` shows them in this form")
    })
}

fn id_text(subject: &OperatorSubject) -> String {
    format!("{}:{}", subject.kind(), hex::encode(subject.to_bytes()))
}

fn shown(entry: &OperatorEntry) -> RevocationEntry {
    RevocationEntry {
        id: id_text(&entry.subject),
        label: entry.label.clone(),
        since: view::date(entry.since),
        reason: entry.reason.name().to_owned(),
        by: entry.by.clone(),
    }
}
