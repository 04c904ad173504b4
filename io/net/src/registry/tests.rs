//! Entries and kicks with shards that are plain lists; the race with a revocation is in `tests/race.rs`, on real handshakes.

use signet_identity::NoIdentity;

use super::*;
use crate::PeerAddress;

mod clones;
mod model;
mod people;
mod scale;

/// Keeps the orders until the test lets go of them.
#[derive(Default)]
struct Shard(Mutex<Vec<Kick>>);

impl KickTarget for Shard {
    fn kick(&self, kick: Kick) {
        self.0.lock().unwrap().push(kick);
    }

    fn revoked(&self, _certificates: &Arc<[CertificateId]>) {}
}

fn registry() -> (Registry, Vec<Arc<Shard>>) {
    let registry = Registry::new();
    let shards = vec![Arc::new(Shard::default()), Arc::new(Shard::default())];
    registry.attach(vec![shards[0].clone(), shards[1].clone()]);
    (registry, shards)
}

fn entry(link: LinkId, shard: u16) -> Entry {
    Entry {
        link,
        shard,
        listener: "mqtt".into(),
        address: PeerAddress::Ip("192.0.2.1:1883".parse().unwrap()),
        transport: Transport::Tcp,
        peer: Peer::Anonymous(NoIdentity::PlainTransport),
        since: 0,
    }
}

fn enter(registry: &Registry, shard: u16) -> LinkId {
    let link = registry.next_link();
    registry.register(entry(link, shard), |_| Ok::<(), ()>(())).unwrap();
    link
}

fn why() -> KickCause {
    KickCause::Administrative("test".to_owned())
}

#[test]
fn a_kick_goes_to_the_owner_and_waits_for_it() {
    let (registry, shards) = registry();
    let (first, second) = (enter(&registry, 0), enter(&registry, 1));
    let report = registry.kick(&[first, second], &why(), Duration::ZERO);
    assert_eq!((report.found, report.closed), (2, 0), "nobody has confirmed");
    assert_eq!(shards[0].0.lock().unwrap().len(), 1);
    let shard = Arc::clone(&shards[1]);
    shard.0.lock().unwrap().clear();
    let confirming = std::thread::spawn(move || {
        while shard.0.lock().unwrap().drain(..).next().is_none() {
            std::thread::yield_now();
        }
    });
    let report = registry.kick(&[second], &why(), Duration::from_secs(60));
    assert_eq!((report.found, report.closed), (1, 1));
    confirming.join().unwrap();
}

#[test]
fn ended_connections_are_counted_by_every_cause() {
    use signet_revocation::Reason;
    let (registry, _shards) = registry();
    let text = || "x".to_owned();
    let causes = [
        KickCause::Revoked(Reason::Superseded),
        KickCause::Expired,
        KickCause::Untrusted(text()),
        KickCause::ProfileDisabled("x".into()),
        KickCause::Suspended("x".into()),
        KickCause::IdentityChanged(text()),
        KickCause::CredentialRevoked("x".into()),
        KickCause::Cloned,
        KickCause::Unchecked(text()),
        KickCause::ListenerRemoved,
        KickCause::DynamicSecurity(Some(text().into())),
        KickCause::Administrative(text()),
    ];
    assert!(registry.ended_counts().values().all(|count| *count == 0));
    for cause in &causes {
        let link = enter(&registry, 0);
        registry.kick(&[link], cause, Duration::ZERO);
        // Gone, or told twice: neither is one more.
        registry.remove(link);
        registry.kick(&[link], cause, Duration::ZERO);
    }
    let expected: BTreeMap<&str, u64> = causes.iter().map(|cause| (cause.name(), 1)).collect();
    assert_eq!(registry.ended_counts(), expected);
    assert_eq!(expected.len(), KickCause::NAMES.len());
}

#[test]
fn who_was_let_in_by_a_credential_that_is_replaced_is_ended_and_nobody_else() {
    let (registry, shards) = registry();
    let held = |name: &str, version| Credential { name: name.into(), version };
    let (old, new, both, other) = (enter(&registry, 0), enter(&registry, 0), enter(&registry, 0), enter(&registry, 0));
    registry.hold(old, [held("users/alice", 1)].into());
    registry.hold(new, [held("users/alice", 2)].into());
    registry.hold(both, [held("users/bob", 7), held("users/alice", 1)].into());
    registry.hold(other, [held("users/bob", 7)].into());
    let ended = |name, current| {
        let cause = KickCause::CredentialRevoked("alice".into());
        registry.end_credential(name, current, &cause, Duration::ZERO);
        shards[0].0.lock().unwrap().drain(..).map(|kick| kick.link).collect::<Vec<_>>()
    };
    assert_eq!(ended("users/alice", Some(2)), [old, both]);
    assert_eq!(ended("users/alice", None), [old, new, both]);
    assert_eq!(ended("users/carol", None), []);
    // Who has authenticated again holds nothing else.
    registry.hold(old, [held("users/alice", 2)].into());
    registry.hold(both, Box::default());
    assert_eq!(ended("users/alice", Some(2)), []);
    assert_eq!(registry.select(&Selector::Credential("users/alice")), [old, new]);
    for link in [old, new, both, other] {
        registry.remove(link);
    }
    assert_eq!(registry.state().live.keys(), 0);
}

#[test]
fn an_order_follows_a_connection_that_moved() {
    let (registry, shards) = registry();
    let link = enter(&registry, 0);
    registry.kick(&[link], &why(), Duration::ZERO);
    registry.relocate(link, 1);
    let order = shards[0].0.lock().unwrap().pop().unwrap();
    registry.deliver(order);
    assert_eq!(shards[1].0.lock().unwrap().len(), 1);
}

#[test]
fn a_closed_connection_counts_as_nothing() {
    let (registry, shards) = registry();
    let link = enter(&registry, 0);
    registry.identify(link, "pump-7", None, ClonePolicy::Alarm, 0);
    assert_eq!(registry.connections()[0].client_identifier.as_deref(), Some("pump-7"));
    registry.remove(link);
    assert!(registry.is_empty());
    let report = registry.kick(&[link], &why(), Duration::from_secs(60));
    assert_eq!((report.found, report.closed), (0, 0));
    assert!(shards[0].0.lock().unwrap().is_empty());
    // An order that was on its way is done when it arrives.
    let latch = Latch::default();
    registry.deliver(Kick { link, cause: why(), done: latch.confirmation() });
    assert_eq!(latch.wait(Duration::ZERO).outstanding, 0);
}
