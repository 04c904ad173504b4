//! From the store on disk to shards that know their sessions, before anybody can connect.

use std::sync::Arc;
use std::time::Instant;

use signet_broker::{Image, Moment, SharedDirectory as _};
use signet_identity::{CertificateId, DeviceIdentity};
use signet_net::unix_seconds;
use signet_policy::{Principal, Ruleset};
use signet_revocation::{RevocationMode, RevocationRules, Verdict};
use signet_store::{Opened, Store, StoreConfig, StoreError, StoreHandle};
use signet_tls::CurrentRevocations;

use crate::mailbox::Mailbox;
use crate::shard::Shard;
use crate::shared::Shared;

/// The store of a server, if it has one, with what was in it.
pub(crate) struct Durable {
    pub(crate) store: Option<Store>,
    /// One for each shard.
    pub(crate) handles: Vec<Option<StoreHandle>>,
    pub(crate) image: Image,
}

/// Opens the store. Its writer wakes the shards through their mailboxes.
pub(crate) fn open(config: Option<&StoreConfig>, mailboxes: &[Arc<Mailbox>]) -> Result<Durable, StoreError> {
    let Some(config) = config else {
        tracing::warn!(target: "signet::store", "no store: sessions and messages are kept in memory and end with the process");
        return Ok(Durable { store: None, handles: mailboxes.iter().map(|_| None).collect(), image: Image::default() });
    };
    let begun = Instant::now();
    let Opened { store, handles, image, cut } = Store::open(config, mailboxes.iter().map(waker).collect())?;
    if let Some(cut) = cut {
        tracing::warn!(
            target: "signet::store",
            file = %cut.file.display(),
            offset = cut.offset,
            bytes = cut.bytes,
            "the end of the journal was not whole and is cut off: it was being written when the machine stopped, and nothing in it was acknowledged"
        );
    }
    let stats = store.stats();
    tracing::info!(
        target: "signet::store",
        sessions = image.sessions.len(),
        messages = stats.messages,
        retained = image.retained.len(),
        bytes = stats.bytes_live,
        milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "read the store"
    );
    Ok(Durable { store: Some(store), handles: handles.into_iter().map(Some).collect(), image })
}

fn waker(mailbox: &Arc<Mailbox>) -> Box<dyn Fn() + Send> {
    let mailbox = Arc::clone(mailbox);
    Box::new(move || mailbox.wake())
}

/// Gives every shard its part. The number of shards may be another than when it was stored.
pub(crate) fn restore(mut image: Image, shards: &mut [Shard], shared: &Shared, ruleset: &Ruleset, revocations: &CurrentRevocations) {
    end_forgotten_bridges(&mut image, ruleset);
    let revoked = revoked(&image, revocations);
    let first_free = image.first_free;
    let (retained, parts) = image.split(u16::try_from(shards.len()).unwrap_or(u16::MAX));
    shared.directory.write(|directory| directory.restore(retained, first_free));
    for (shard, part) in shards.iter_mut().zip(parts) {
        shard.restore(part, &revoked);
    }
}

/// Nobody will ever come for what waits in the session of a bridge that is no longer configured: it ends at once.
fn end_forgotten_bridges(image: &mut Image, ruleset: &Ruleset) {
    for session in &mut image.sessions {
        if let Principal::Bridge(name) = session.client.principal()
            && !ruleset.knows_bridge(name, session.client.client_identifier())
        {
            tracing::info!(bridge = &**name, messages = session.messages.len(), "no such bridge is configured any more: its session ends");
            session.left = Some(Some(Moment::from_millis(0)));
        }
    }
}

/// The certificates of sessions with a Will whose devices are not believed any more: revoked, suspended, or named by the operator, perhaps while
/// nobody ran.
fn revoked(image: &Image, revocations: &CurrentRevocations) -> Arc<[CertificateId]> {
    let identities = image.sessions.iter().filter(|session| session.will.is_some()).filter_map(|session| session.client.identity());
    let distrusted = identities.filter(|identity| is_spoken_against(revocations, identity, unix_seconds()));
    distrusted.map(|identity| identity.certificate()).collect()
}

/// Whether our own authority, the operator or a list speaks against a device, whatever its trust profile is: what can be said where nobody knows
/// that. `now` in unix seconds.
pub(crate) fn is_spoken_against(revocations: &CurrentRevocations, identity: &DeviceIdentity, now: i64) -> bool {
    let rules = RevocationRules { mode: RevocationMode::Off, ..RevocationRules::default() };
    let index = revocations.load();
    !matches!(revocations.judge(identity, &rules, now), Verdict::Good(_))
        || identity.path().iter().any(|certificate| index.lookup(&certificate.id).is_some())
}
