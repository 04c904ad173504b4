//! Suspensions, the operator's list, holds and live connections over the socket, with shards that close what they are told to.

use std::sync::{Arc, Mutex};

use signet_admin::api::{
    AddRevocation, AuditEntry, AuditQuery, CloseConnections, ConnectionQuery, ProblemKind, Release, RemoveRevocation, Resume, Suspend,
};
use signet_ca::{KeyType, decode_pem};
use signet_identity::{CertificateId, DeviceIdentity, DeviceName, KeyDigest, Leaf, Peer, VerifiedPeer};
use signet_ledger::PrivateKey;
use signet_net::{ClonePolicy, Entry, Kick, KickCause, KickTarget, LinkId, Registry, Transport};
use signet_revocation::{RevocationRules, Verdict};

use crate::socket::{Rig, refused, revoke};

/// Closes what it is told to close, and remembers why.
struct Shard {
    registry: Arc<Registry>,
    causes: Arc<Mutex<Vec<(LinkId, KickCause)>>>,
}

impl KickTarget for Shard {
    fn kick(&self, kick: Kick) {
        self.registry.remove(kick.link);
        self.causes.lock().unwrap().push((kick.link, kick.cause));
    }

    fn revoked(&self, _certificates: &Arc<[CertificateId]>) {}
}

pub(crate) struct Plant {
    pub(crate) rig: Rig,
    causes: Arc<Mutex<Vec<(LinkId, KickCause)>>>,
}

impl Plant {
    pub(crate) fn start() -> Self {
        let rig = Rig::start();
        let causes = Arc::new(Mutex::default());
        rig.registry.attach(vec![Arc::new(Shard { registry: Arc::clone(&rig.registry), causes: Arc::clone(&causes) })]);
        Self { rig, causes }
    }

    pub(crate) fn connect(&self, leaf: &Leaf, name: &str, tenant: Option<&str>, listener: &str) -> LinkId {
        let link = self.rig.registry.next_link();
        let identity = DeviceIdentity::new(DeviceName::new(name).unwrap(), leaf.clone(), KeyDigest::of(b"issuer"), []);
        let identity = identity.under("plant".into(), tenant.map(Arc::from));
        let peer = Peer::Device(VerifiedPeer::assertion(Arc::new(identity), false));
        let address = "192.0.2.7:40000".parse::<std::net::SocketAddr>().unwrap().into();
        let entry = Entry { link, shard: 0, listener: listener.into(), address, transport: Transport::Tls, peer, since: 5 };
        self.rig.registry.register(entry, |_| Ok::<(), ()>(())).unwrap();
        self.rig.registry.identify(link, name, None, ClonePolicy::Allow, 5);
        link
    }

    /// What a handshake says now.
    fn verdict(&self, leaf: &Leaf, name: &str) -> Verdict {
        let identity = DeviceIdentity::new(DeviceName::new(name).unwrap(), leaf.clone(), KeyDigest::of(b"issuer"), []);
        self.rig.revocations.judge(&identity, &RevocationRules::default(), signet_net::unix_seconds())
    }

    pub(crate) fn ended(&self) -> Vec<(LinkId, KickCause)> {
        std::mem::take(&mut *self.causes.lock().unwrap())
    }

    pub(crate) async fn last(&self) -> AuditEntry {
        self.rig.client.audit(&AuditQuery { limit: Some(1), ..AuditQuery::default() }).await.unwrap().remove(0)
    }
}

pub(crate) fn leaf(chain_pem: &str) -> Leaf {
    Leaf::parse(&decode_pem(chain_pem.as_bytes()).unwrap()[0].der).unwrap()
}

fn suspend(device: &str) -> Suspend {
    Suspend { device: device.to_owned(), reason: Some("lost".to_owned()) }
}

#[tokio::test]
async fn a_suspension_ends_every_session_of_the_device_until_it_is_resumed() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let (first, second) = (leaf(&plant.rig.add("pump-7").await.chain_pem), leaf(&plant.rig.add("pump-7").await.chain_pem));
    let (a, b) = (plant.connect(&first, "pump-7", None, "mqtts"), plant.connect(&second, "pump-7", None, "mqtts"));
    plant.connect(&second, "pump-7", Some("other"), "mqtts");

    let report = client.suspend(&suspend("pump-7")).await.unwrap();
    let sessions = report.sessions.unwrap();
    assert_eq!((sessions.found, sessions.closed, report.already, report.known), (2, 2, false, true));
    assert!(sessions.last_closed_at.unwrap() >= sessions.revoked_at.unwrap());
    assert_eq!(plant.ended(), [a, b].map(|link| (link, KickCause::Suspended("pump-7".into()))));
    let record = plant.last().await;
    assert_eq!((record.action.as_str(), record.subject.as_str()), ("device.suspend", "pump-7"));
    assert_eq!((record.sessions_found, record.sessions_closed), (Some(2), Some(2)));
    assert!(record.last_session_closed_at.unwrap() >= record.revoked_at.unwrap());
    assert_eq!(record.details["reason"], "lost");
    let is_refused = |leaf: &Leaf| matches!(plant.verdict(leaf, "pump-7"), Verdict::Suspended { ref why, .. } if **why == *"lost");
    assert!(is_refused(&first) && is_refused(&second), "every handshake knows, whichever certificate");
    assert!(matches!(plant.verdict(&first, "pump-8"), Verdict::Good(_)));
    assert!(client.show("pump-7").await.unwrap().iter().all(|certificate| certificate.suspended && certificate.status == "valid"));

    // Again: the first word stays, and who slipped in is closed.
    plant.connect(&first, "pump-7", None, "mqtts");
    let again = client.suspend(&Suspend { reason: Some("stolen".to_owned()), ..suspend("pump-7") }).await.unwrap();
    assert_eq!((again.already, again.suspension.reason.as_str(), again.sessions.unwrap().closed), (true, "lost", 1));
    assert_eq!(client.suspended().await.unwrap(), [again.suspension]);

    assert_eq!(client.resume(&Resume { device: "pump-7".to_owned() }).await.unwrap().reason, "lost");
    assert!(client.suspended().await.unwrap().is_empty());
    assert!(matches!(plant.verdict(&first, "pump-7"), Verdict::Good(_)), "every handshake knows that too");
    assert_eq!(plant.last().await.action, "device.resume");
    let problem = refused(client.resume(&Resume { device: "pump-7".to_owned() }).await.unwrap_err());
    assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::NotFound, "`pump-7` is not suspended"));
}

#[tokio::test]
async fn names_that_nobody_has_are_suspended_and_pointed_out() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    plant.rig.add("pump-7").await;
    let report = client.suspend(&suspend("pmup-7")).await.unwrap();
    assert_eq!((report.known, report.nearest.as_deref()), (false, Some("pump-7")));
    let problem = refused(client.resume(&Resume { device: "pump-7".to_owned() }).await.unwrap_err());
    assert_eq!(problem.hint.as_deref(), Some("did you mean `pmup-7`?"));
    for wrong in ["", "a/b/c", "a/+", "/a"] {
        assert_eq!(refused(client.suspend(&suspend(wrong)).await.unwrap_err()).kind, ProblemKind::Invalid, "{wrong}");
    }
    let long = Suspend { reason: Some("x".repeat(257)), ..suspend("pump-7") };
    assert!(refused(client.suspend(&long).await.unwrap_err()).message.contains("expected one line of at most 256"));
    assert_eq!(client.suspended().await.unwrap().len(), 1);
    let problem = refused(client.revoke(&revoke("pump-8", "superseded")).await.unwrap_err());
    assert!(problem.hint.unwrap().starts_with("did you mean `pump-7`?"), "{}", problem.message);
}

#[tokio::test]
async fn a_hold_ends_sessions_and_is_released() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let added = plant.rig.add("pump-7").await;
    let leaf = leaf(&added.chain_pem);
    plant.connect(&leaf, "pump-7", None, "mqtts");
    let report = client.revoke(&revoke("pump-7", "certificateHold")).await.unwrap();
    assert_eq!((report.sessions.unwrap().closed, report.crl.unwrap().entries), (1, 1));
    assert_eq!(client.show("pump-7").await.unwrap()[0].status, "on-hold");
    assert!(plant.rig.revocations.load().lookup(&leaf.id()).is_some());

    let released = client.release(&Release { which: "pump-7".to_owned() }).await.unwrap();
    assert_eq!((released.certificates[0].status.as_str(), released.crl.unwrap().entries), ("valid", 0));
    assert!(plant.rig.revocations.load().lookup(&leaf.id()).is_none(), "every handshake knows");
    assert_eq!(plant.last().await.action, "device.release");
    let problem = refused(client.release(&Release { which: added.certificate.serial.clone() }).await.unwrap_err());
    assert!(problem.message.contains("it is not revoked"), "{problem}");
    client.revoke(&revoke("pump-7", "keyCompromise")).await.unwrap();
    let problem = refused(client.release(&Release { which: "pump-7".to_owned() }).await.unwrap_err());
    assert!(problem.kind == ProblemKind::Invalid && problem.message.contains("revoked for good (keyCompromise)"), "{problem}");
}

/// A certificate of somebody else's authority.
fn foreign() -> Leaf {
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let name = DeviceName::new("foreign").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let authority = signet_ledger::AuthorityFiles::new(directory.path().join("ca"))
        .create(&signet_ledger::CeremonyPlan::named("Foreign"), signet_ledger::Overwrite::Never, signet_net::unix_seconds())
        .unwrap();
    let request = signet_ca::IssuanceRequest::device(name, key.subject_key().unwrap(), "test");
    let entropy = signet_ledger::serial_entropy().unwrap();
    let mut ledger = signet_ledger::MemoryLedger::new();
    let issued = signet_ca::issue_certificate(&authority, &mut ledger, request, entropy, signet_net::unix_seconds()).unwrap();
    leaf(issued.chain_pem())
}

#[tokio::test]
async fn the_operators_list_ends_sessions_of_foreign_certificates_keys_and_authorities() {
    let plant = Plant::start();
    let client = &plant.rig.client;

    for kind in ["certificate", "key", "authority"] {
        let leaf = foreign();
        let octets = match kind {
            "certificate" => leaf.id().to_bytes().to_vec(),
            "key" => leaf.spki_digest().as_bytes().to_vec(),
            _ => [leaf.issuer_name_digest().as_bytes().as_slice(), KeyDigest::of(b"issuer").as_bytes()].concat(),
        };
        let link = plant.connect(&leaf, "foreign", None, "mqtts");
        let id = format!("{kind}:{}", hex::encode(octets));
        let wish = AddRevocation { id: id.clone(), label: format!("the {kind}"), reason: "keyCompromise".to_owned() };
        let report = client.add_revocation(&wish).await.unwrap();
        assert_eq!((report.already, report.sessions.unwrap().closed), (false, 1), "{kind}");
        assert_eq!(plant.ended(), [(link, KickCause::Revoked(signet_revocation::Reason::KeyCompromise))]);
        assert!(matches!(plant.verdict(&leaf, "foreign"), Verdict::Revoked { .. }), "{kind}: every handshake knows");
        let record = plant.last().await;
        assert_eq!(
            (record.action.as_str(), record.sessions_closed, &record.details["id"]),
            ("revocation.add", Some(1), &id.clone().into())
        );
        let again = client.add_revocation(&AddRevocation { reason: "superseded".to_owned(), ..wish }).await.unwrap();
        assert_eq!((again.already, again.entry.reason.as_str()), (true, "keyCompromise"));
        assert!(client.revocations().await.unwrap().contains(&again.entry));
        client.remove_revocation(&RemoveRevocation { id: id.clone() }).await.unwrap();
        assert!(matches!(plant.verdict(&leaf, "foreign"), Verdict::Good(_)), "{kind}: every handshake knows that too");
        let problem = refused(client.remove_revocation(&RemoveRevocation { id }).await.unwrap_err());
        assert_eq!(problem.kind, ProblemKind::NotFound);
    }
    assert!(client.revocations().await.unwrap().is_empty());

    let own = leaf(&plant.rig.add("pump-7").await.chain_pem);
    for (id, words) in [
        (format!("certificate:{}", hex::encode(own.id().to_bytes())), "is Signet's own"),
        ("key:4f".to_owned(), "names nothing that can be revoked"),
        ("dog:00".to_owned(), "names nothing that can be revoked"),
    ] {
        let wish = AddRevocation { id, label: String::new(), reason: "unspecified".to_owned() };
        let problem = refused(client.add_revocation(&wish).await.unwrap_err());
        assert!(problem.kind == ProblemKind::Invalid && problem.message.contains(words) && problem.hint.is_some(), "{problem}");
    }
}

#[tokio::test]
async fn connections_are_found_by_everything_and_closed() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let leaf = leaf(&plant.rig.add("pump-7").await.chain_pem);
    let first = plant.connect(&leaf, "pump-7", Some("acme"), "mqtts");
    for number in 0..2500 {
        plant.connect(&leaf, &format!("meter-{number}"), None, "legacy");
    }
    let all = client.connections(&ConnectionQuery::default()).await.unwrap();
    assert_eq!(all.len(), 2501, "in three parts");
    let one = &all[0];
    assert_eq!((one.connection, one.device.as_deref(), one.tenant.as_deref()), (first.number(), Some("pump-7"), Some("acme")));
    assert_eq!((one.profile.as_deref(), one.transport.as_str()), (Some("plant"), "tls"));
    assert!(one.issuer.as_deref().unwrap().contains("CN=Test Issuing"), "{one:?}");
    assert!(one.not_after.is_some() && one.fingerprint.is_some() && one.serial.is_some());

    let some = |text: &str| Some(text.to_owned());
    let of = [
        ConnectionQuery { device: some("acme/pump-7"), ..ConnectionQuery::default() },
        ConnectionQuery { tenant: some("acme"), ..ConnectionQuery::default() },
        ConnectionQuery { listener: some("mqtts"), profile: some("plant"), ..ConnectionQuery::default() },
        ConnectionQuery { client_identifier: some("pump-7"), key: Some(leaf.spki_digest().to_string()), ..ConnectionQuery::default() },
    ];
    for query in of {
        let found: Vec<u64> = client.connections(&query).await.unwrap().into_iter().map(|connection| connection.connection).collect();
        assert_eq!(found, [first.number()], "{query:?}");
    }
    let query = ConnectionQuery { device: some("pump-7"), ..ConnectionQuery::default() };
    assert!(client.connections(&query).await.unwrap().is_empty(), "another tenant's");
    let query = ConnectionQuery { key: some("zz"), ..ConnectionQuery::default() };
    assert_eq!(refused(client.connections(&query).await.unwrap_err()).kind, ProblemKind::Invalid);

    let everything = CloseConnections { which: ConnectionQuery::default(), all: false, reason: None };
    assert!(refused(client.close_connections(&everything).await.unwrap_err()).hint.unwrap().contains("--all"));
    let which =
        ConnectionQuery { certificate: Some(hex::encode(leaf.id().to_bytes())), listener: some("legacy"), ..ConnectionQuery::default() };
    let closed = client.close_connections(&CloseConnections { which, all: false, reason: some("moving") }).await.unwrap();
    assert_eq!((closed.found, closed.closed), (2500, 2500));
    assert!(plant.ended().iter().all(|(_, cause)| *cause == KickCause::Administrative("moving".to_owned())));
    let record = plant.last().await;
    assert_eq!((record.action.as_str(), record.sessions_closed), ("connections.close", Some(2500)));
    assert_eq!(record.details["which"]["listener"], "legacy");
    assert_eq!(client.close_connections(&CloseConnections { all: true, ..everything }).await.unwrap().closed, 1);
}

#[tokio::test]
async fn the_audit_records_are_asked_for_by_device_time_and_part() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    plant.rig.add("pump-7").await;
    client.suspend(&suspend("pump-7")).await.unwrap();
    client.suspend(&suspend("pump-8")).await.unwrap();
    client.resume(&Resume { device: "pump-7".to_owned() }).await.unwrap();
    client.revoke(&revoke("pump-7", "superseded")).await.unwrap();
    let all = client.audit(&AuditQuery::default()).await.unwrap();
    let actions: Vec<(u64, &str)> = all.iter().map(|entry| (entry.sequence, entry.action.as_str())).collect();
    assert_eq!(actions, [(4, "device.revoke"), (3, "device.resume"), (2, "device.suspend"), (1, "device.suspend")]);
    assert!(all[1].sessions_found.is_none() && all[1].revoked_at.is_none());
    assert_eq!((all[0].sessions_found, all[0].last_session_closed_at.as_deref()), (Some(0), None));
    let of_device = AuditQuery { subject: Some("pump-7".to_owned()), before: Some(4), ..AuditQuery::default() };
    assert_eq!(client.audit(&of_device).await.unwrap().iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [3, 1]);
    let later = AuditQuery { since: Some(i64::MAX), ..AuditQuery::default() };
    assert!(client.audit(&later).await.unwrap().is_empty());
}
