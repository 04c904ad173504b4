//! From bytes to the index: read and verified on a thread that may take its time, then swapped in.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use signet_revocation::{Crl, CrlError, Freshness, ListStatus, RevocationIndex};
use signet_tls::CrlSignatureVerifier;

use crate::changes::ListChange;
use crate::profile::Profile;
use crate::shared::Shared;
use crate::source::Source;

/// What became of a source's lists.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// The index says something else than before.
    pub(crate) changed: bool,
    /// What was not taken over, one sentence for each list.
    pub(crate) refused: Vec<String>,
    /// Another source had a newer one of a list, which is in force instead.
    pub(crate) behind: bool,
    /// A delta CRL had no complete one to complete.
    pub(crate) lacks_base: bool,
}

/// Reads every list and verifies it.
pub(crate) fn read(bytes: &[u8], profile: &Profile) -> Result<Vec<Crl>, String> {
    let mut crls = Vec::new();
    for crl in Crl::parse_each(bytes, &profile.signers, &CrlSignatureVerifier).map_err(|error| error.to_string())? {
        match crl {
            Ok(crl) => crls.push(crl),
            Err(error @ CrlError::UnknownIssuer { .. }) if profile.config.skip_unknown_issuers => {
                tracing::warn!(profile = &*profile.config.name, "revocation list passed over: {error}");
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let accepted = |crl: Crl| if profile.indirect.contains(&crl.signer()) { crl.accepted_for_any_issuer() } else { crl };
    let mut crls: Vec<Crl> = crls.into_iter().map(accepted).collect();
    // What a delta completes comes before it, whatever the order in the file.
    crls.sort_by_key(|crl| crl.status().base_number.is_some());
    Ok(crls)
}

/// Puts lists in force. Of several, each on its own: a bad one does not keep the others out.
pub(crate) fn apply(shared: &Shared, source: &Source, crls: Vec<Crl>) -> Applied {
    let mut applied = Applied::default();
    {
        let _order = shared.order.lock().unwrap_or_else(PoisonError::into_inner);
        // A source that is named no more is removed under the same lock.
        if source.is_gone() {
            return applied;
        }
        for crl in crls {
            apply_one(shared, source, &crl, &mut applied);
        }
    }
    if applied.changed {
        shared.tell(source);
    }
    applied
}

fn apply_one(shared: &Shared, source: &Source, crl: &Crl, applied: &mut Applied) {
    let before = in_force(&shared.revocations.load(), crl);
    let known = before.as_ref().is_some_and(|list| is_known(list, crl, source));
    if known {
        return;
    }
    let mut outcome = Ok(());
    let after = shared.revocations.update(|index| match index.with_crl(crl.clone(), source.label.clone()) {
        Ok(next) => {
            outcome = Ok(());
            next
        }
        Err(error) => {
            outcome = Err(error);
            index.clone()
        }
    });
    match outcome {
        Ok(()) => {
            let status = crl.status();
            // The same list from one more place changes nothing for anybody.
            let same = |list: &ListStatus| (list.status, list.delta, list.for_any_issuer);
            if before.as_ref().map(same) != in_force(&after, crl).as_ref().map(same) {
                applied.changed = true;
                let (profile, address, issuer) = (&*source.key.profile, &source.key.place, crl.issuer_text());
                let number = status.number.map(|number| number.to_string());
                let (entries, delta) = (status.entries, status.base_number.is_some());
                tracing::info!(profile, %address, issuer, number, delta, entries, "revocation list in force");
            }
        }
        // Another source has a newer one: nothing is wrong with this source, it is only behind.
        Err(CrlError::Older { .. }) if before.is_some_and(|list| !holds(&list, crl, source)) => {
            applied.behind = true;
            tracing::debug!(address = %source.key.place, issuer = crl.issuer_text(), "another source has a newer revocation list");
        }
        Err(error) => {
            applied.lacks_base |= matches!(error, CrlError::NoBase { .. });
            applied.refused.push(error.to_string());
        }
    }
}

/// The list of the same signer and scope.
fn in_force(index: &RevocationIndex, crl: &Crl) -> Option<ListStatus> {
    index.lists().find(|list| list.authority == crl.signer() && list.scope == *crl.scope())
}

fn holds(list: &ListStatus, crl: &Crl, source: &Source) -> bool {
    let sources = if crl.status().base_number.is_some() { &list.delta_sources } else { &list.sources };
    sources.contains(&source.label)
}

/// Whether the list is in force already, from this source too.
fn is_known(list: &ListStatus, crl: &Crl, source: &Source) -> bool {
    let current = if crl.status().base_number.is_some() { list.delta } else { Some(list.status) };
    current == Some(crl.status()) && holds(list, crl, source)
}

impl Shared {
    /// Tells whoever holds connections that the lists of a source changed.
    pub(crate) fn tell(&self, source: &Source) {
        let lists = self.facts_of(source).len();
        self.changes.lists_changed(&ListChange { profile: source.key.profile.clone(), address: source.key.place.to_string(), lists });
    }

    /// Says once when a list in force becomes overdue, and once when it is not any more.
    pub(crate) fn report_stale(&self, now: i64) {
        let mut overdue = BTreeSet::new();
        let mut reported = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        for list in self.revocations.load().lists() {
            let key = (list.authority, list.scope.clone());
            let sources: Vec<&str> = list.sources.iter().chain(&list.delta_sources).map(|source| source.as_str()).collect();
            let (issuer, sources) = (&*list.issuer_text, sources.join(", "));
            match Freshness::at(list.next_update(), now) {
                Freshness::Stale { next_update } => {
                    if !reported.contains(&key) {
                        let next_update = signet_identity::der::time_text(next_update);
                        tracing::warn!(issuer, sources, next_update, "this revocation list is overdue: no newer one came");
                    }
                    overdue.insert(key);
                }
                Freshness::Fresh if reported.contains(&key) => tracing::info!(issuer, sources, "this revocation list is current again"),
                Freshness::Fresh => {}
            }
        }
        *reported = overdue;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use signet_identity::PathCertificate;
    use signet_revocation::RevocationIndex;
    use signet_testkit::{CrlWindow, Pki};
    use signet_tls::{CurrentRevocations, TrustAnchors};

    use super::*;
    use crate::changes::Changes;
    use crate::config::{ProfileSources, SourcesConfig};
    use crate::profile::Settings;
    use crate::report::SourceKind;
    use crate::source::{Key, Place};

    struct Nobody;

    impl Changes for Nobody {
        fn lists_changed(&self, _change: &ListChange) {}
        fn answer_changed(&self, _certificate: &PathCertificate) {}
    }

    #[test]
    fn what_was_under_way_when_its_source_was_removed_does_not_enter_the_index() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let list = std::fs::read(pki.crl("crl.pem", 1, &[], CrlWindow::default())).unwrap();
        let issuers = TrustAnchors::load(&[pki.ca_file()]).unwrap().certificates().map(<[u8]>::to_vec).collect();
        let config = SourcesConfig { profiles: vec![ProfileSources::new("p".into(), issuers)], ..SourcesConfig::default() };
        let settings = Arc::new(Settings::read(&config).unwrap());
        let profile = Arc::clone(settings.profiles.values().next().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let shared = Shared::new(revocations, Arc::new(Nobody), runtime.handle().clone(), settings);
        let key = Key { profile: "p".into(), place: Place::Url("http://a/".parse().unwrap()) };
        let source = Source::new(key, SourceKind::Url, Arc::clone(&profile));
        assert!(apply(&shared, &source, read(&list, &profile).unwrap()).changed);
        let generation = shared.revocations.generation();
        assert!(!apply(&shared, &source, read(&list, &profile).unwrap()).changed, "the same again");
        assert_eq!(shared.revocations.generation(), generation, "and nobody has to judge anew");
        shared.remove(&[Arc::new(Source::new(source.key.clone(), SourceKind::Url, Arc::clone(&profile)))]);
        assert_eq!(shared.revocations.load().lists().count(), 0);
        source.retire();
        assert!(!apply(&shared, &source, read(&list, &profile).unwrap()).changed);
        assert_eq!(shared.revocations.load().lists().count(), 0);
    }
}
