//! What has to follow from news that come on threads which must not wait: changed lists and answers, certificates in use twice. Noted here, acted on
//! by whoever runs the broker.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use signet_admin::{Administration, Caller, Done};
use signet_identity::PathCertificate;
use signet_net::{ConnectionInfo, KickCause, KickReport, ReconcileReport, Registry, Selector};
use signet_revocation::Generation;
use signet_server::CloneAlarm;
use signet_sources::{Changes, ListChange};
use tokio::sync::Notify;

use crate::authentication::Vouchers;

/// Open sessions are looked at at least this often, in seconds, because time alone may end them: a list that becomes too old.
const REVIEW_INTERVAL: i64 = 30;

/// How long a reload waits for the sessions it ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// Causes named in one audit record.
const CAUSES_NAMED: usize = 8;

/// Clone alarms that wait; of more the device is suspended already or will be noticed again.
const CLONES_WAITING: usize = 1024;

/// Clone alarms that are acted on before sessions are looked at again. Each may wait for a client that does not read, and those who hold many
/// certificates must not put off what lists and answers say of others.
const CLONES_AT_ONCE: usize = 8;

/// What is noted.
pub(crate) struct FollowUp {
    state: Mutex<State>,
    news: Arc<Notify>,
    registry: OnceLock<Arc<Registry>>,
}

#[derive(Default)]
struct State {
    causes: Vec<String>,
    more_causes: usize,
    clones: Vec<CloneAlarm>,
    reviewed_at: i64,
    /// Of the index, at the last look.
    generation: Generation,
}

impl FollowUp {
    /// Nothing yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), news: Arc::default(), registry: OnceLock::new() })
    }

    /// From now on it is known who is connected.
    pub(crate) fn watch(&self, registry: Arc<Registry>) {
        self.registry.get_or_init(|| registry);
    }

    /// Woken when something was noted.
    pub(crate) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// For the server to call.
    pub(crate) fn on_clone(self: &Arc<Self>) -> Arc<dyn Fn(CloneAlarm) + Send + Sync> {
        let own = Arc::clone(self);
        Arc::new(move |alarm| {
            let mut state = own.state();
            let is_new = state.clones.iter().all(|known| known.device != alarm.device);
            if is_new && state.clones.len() < CLONES_WAITING {
                state.clones.push(alarm);
            }
            drop(state);
            own.news.notify_one();
        })
    }

    /// Some of the certificates that were found in use twice; whoever waits for news is woken again when there are more.
    pub(crate) fn take_clones(&self) -> Vec<CloneAlarm> {
        let mut state = self.state();
        let count = state.clones.len().min(CLONES_AT_ONCE);
        let taken = state.clones.drain(..count).collect();
        if !state.clones.is_empty() {
            self.news.notify_one();
        }
        taken
    }

    /// Why open sessions have to be looked at now, if they have to: `generation` is that of the revocation index, `now` in unix seconds.
    pub(crate) fn take_cause(&self, generation: Generation, now: i64) -> Option<String> {
        let mut state = self.state();
        let has_changed = std::mem::replace(&mut state.generation, generation) != generation;
        // A clock that was set back must not let everybody be for as long as it was ahead.
        let is_due = has_changed || !(0..REVIEW_INTERVAL).contains(&now.saturating_sub(state.reviewed_at));
        if state.causes.is_empty() && !is_due {
            return None;
        }
        state.reviewed_at = now;
        let mut words = std::mem::take(&mut state.causes).join(", ");
        let more = std::mem::take(&mut state.more_causes);
        if more > 0 {
            words.push_str(&format!(" and {more} more"));
        }
        Some(match (words.is_empty(), has_changed) {
            (false, _) => words,
            (true, true) => "revocations".to_owned(),
            (true, false) => "time".to_owned(),
        })
    }

    fn note(&self, cause: String) {
        let mut state = self.state();
        if state.causes.len() >= CAUSES_NAMED {
            state.more_causes += 1;
        } else if !state.causes.contains(&cause) {
            state.causes.push(cause);
        }
        drop(state);
        self.news.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes for FollowUp {
    fn lists_changed(&self, change: &ListChange) {
        self.note(format!("list `{}`", change.address));
    }

    fn answer_changed(&self, certificate: &PathCertificate) {
        // Nobody of this certificate is connected: nothing can follow.
        if self.is_live(certificate) {
            self.note(format!("OCSP answer about {}", certificate.id.serial()));
        }
    }

    fn is_live(&self, certificate: &PathCertificate) -> bool {
        let Some(registry) = self.registry.get() else { return false };
        !registry.select(&Selector::Certificates(&[certificate.id])).is_empty()
    }
}

/// Writes down that sessions were ended because of what others said, or of time.
pub(crate) fn record_ended(administration: &Administration, cause: &str, report: &ReconcileReport) {
    let ended: serde_json::Map<String, serde_json::Value> =
        report.ended.iter().map(|(cause, count)| ((*cause).to_owned(), (*count).into())).collect();
    let examples: Vec<String> =
        report.examples.iter().map(|(_, device, cause)| format!("{}: {cause}", device.as_deref().unwrap_or("no device"))).collect();
    tracing::info!(
        target: "signet::audit",
        cause,
        examined = report.examined,
        found = report.kicks.found,
        closed = report.kicks.closed,
        milliseconds = report.kicks.elapsed.as_millis(),
        "sessions ended that may not go on"
    );
    let done = Done {
        action: "sessions.end",
        subject: "",
        by: cause,
        details: serde_json::json!({ "ended": ended, "examples": examples, "examined": report.examined }),
        revoked_at: Some(report.kicks.ordered_at),
        sessions: Some(report.kicks),
    };
    if let Err(problem) = administration.audit(&done) {
        tracing::error!("cannot write the audit record: {problem}");
    }
}

/// Ends the sessions of those who were let in by something that is not there any more: the line of a password file. To be called when others are in force.
pub(crate) fn end_lost_credentials(registry: &Registry, vouchers: &Vouchers, administration: &Administration) -> KickReport {
    let lost = |info: &ConnectionInfo| {
        let lost = info.credentials.iter().find(|held| !vouchers.holds(&held.name, held.version))?;
        Some(KickCause::CredentialRevoked(lost.name.split_once('/').map_or(&*lost.name, |(_, user)| user).into()))
    };
    let report = registry.reconcile(lost, PATIENCE);
    if report.kicks.found > 0 {
        record_ended(administration, "reload", &report);
    }
    report.kicks
}

/// Suspends the device of a certificate that two use.
pub(crate) fn suspend_clone(administration: &Administration, alarm: &CloneAlarm) {
    let request =
        signet_admin::api::Suspend { device: alarm.device.clone(), reason: Some(format!("certificate {} in use twice", alarm.serial)) };
    if let Err(problem) = administration.suspend(&request, &Caller::broker("cloned certificate")) {
        tracing::error!(device = alarm.device, "the device of a cloned certificate cannot be suspended: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_named_once_and_counted_beyond_a_few() {
        let follow_up = FollowUp::new();
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_000).as_deref(), Some("time"));
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_001), None);
        for number in 0..10 {
            follow_up.note(format!("list {}", number % 9));
            follow_up.note(format!("list {}", number % 9));
        }
        let cause = follow_up.take_cause(Generation::new(0), 1_002).unwrap();
        assert!(cause.starts_with("list 0, list 1") && cause.contains("list 7 and "), "{cause}");
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_031), None);
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_032).as_deref(), Some("time"));
        assert_eq!(follow_up.take_cause(Generation::new(1), 1_033).as_deref(), Some("revocations"));
        assert_eq!(follow_up.take_cause(Generation::new(1), 1_034), None);
    }

    #[test]
    fn many_clones_do_not_put_reviews_off() {
        let follow_up = FollowUp::new();
        let alarm = follow_up.on_clone();
        for number in 0..20 {
            for _ in 0..3 {
                alarm(CloneAlarm { device: format!("pump-{}", number % 10), serial: number.to_string(), evidence: String::new() });
            }
        }
        assert_eq!(follow_up.take_clones().len(), CLONES_AT_ONCE);
        assert_eq!(follow_up.take_clones().len(), 10 - CLONES_AT_ONCE, "each device once");
        assert!(follow_up.take_clones().is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_put_reviews_off() {
        let follow_up = FollowUp::new();
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_000_000).as_deref(), Some("time"));
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_000).as_deref(), Some("time"));
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_029), None);
        assert_eq!(follow_up.take_cause(Generation::new(0), 1_030).as_deref(), Some("time"));
    }
}
