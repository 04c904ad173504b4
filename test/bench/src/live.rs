//! `sessions`, its second part: as many live sessions as memory holds, beyond what the limit of open files allows. TLS, broker and registry are the
//! real ones; instead of sockets there are buffers, and instead of `io/server` two threads that do with an order what its shards do: broker,
//! DISCONNECT, encryption, close_notify, confirmation.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use signet_broker::{
    Admission, Broker, Change, ConnectionId, Context, Directory, Input, Limits, Moment, Output, SessionRule, ShardId, SharedDirectory,
    Store, Ticket, TotalLimits, Totals, Urgency, WillRule, admit_without_chain,
};
use signet_identity::{CertificateId, Peer};
use signet_mqtt::{ClientIdentifier, ProtocolVersion, encode};
use signet_net::{
    CloneRules, Entry, Kick, KickCause, KickTarget, LinkId, PeerAddress, ReconcileReport, Registry, Transport, unix_milliseconds,
    unix_seconds,
};
use signet_policy::{AdmissionRules, Origin, Ruleset};
use signet_revocation::{ListSource, RevocationIndex};
use signet_testkit::connect_packet;
use signet_tls::{CurrentRevocations, ListenerTls, TlsConnection, TrustProfileConfig};

use crate::Figure;
use crate::handshakes::{Pair, listener_with};
use crate::meter::{process_time, resident, thread_time};
use crate::pki::{Authority, spread};
use crate::sockets::order;

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Sessions.
    pub sessions: u32,
    /// How many are revoked at once, one time after the other.
    pub revoked: Vec<u32>,
    /// Entries of the list that is in force meanwhile.
    pub listed: u64,
}

/// Threads with a broker each.
const SHARDS: u16 = 2;

struct Common {
    registry: Arc<Registry>,
    directory: Locked,
    limits: Arc<Limits>,
    ruleset: Arc<Ruleset>,
    tls: Arc<ListenerTls>,
    shards: Vec<Sender<Mail>>,
}

/// Connects sessions and ends some of them.
///
/// # Panics
/// When a device is not let in, or one is not closed that should be.
#[must_use]
pub fn measure(plan: &Plan) -> Vec<Figure> {
    let directory = tempfile::tempdir().unwrap();
    let ca = Authority::root("Bench Root");
    let files = ca.write_server(directory.path());
    let profile = TrustProfileConfig::new("devices", vec![ca.write(directory.path().join("ca.pem"))]);
    let der = ca.crl(1, (0..plan.listed).map(|number| spread(number, true)));
    let index = RevocationIndex::new().with_crl(ca.read(&der), ListSource::new("bench.crl")).unwrap();
    drop(der);
    let revocations = CurrentRevocations::new(index);
    let tls = listener_with(&files, vec![profile], &revocations);
    let (common, threads) = start(tls, plan.sessions);

    let (before, begun) = (resident(), process_time());
    let ids = connect(&common, &ca, plan.sessions);
    await_that(|| common.registry.connections().iter().all(|info| info.client_identifier.is_some()));
    let connecting = process_time() - begun;
    let sessions = plan.sessions.max(1);
    let each = u32::try_from(resident().saturating_sub(before)).unwrap_or(u32::MAX) / sessions;
    let mut figures = vec![
        Figure::count("in memory: live sessions", common.registry.len()),
        Figure::count("in memory: entries of the list in force", usize::try_from(plan.listed).unwrap_or(usize::MAX)),
        Figure::new("in memory: resident memory for each, certificates to come included", f64::from(each), "bytes"),
        Figure::micros("in memory: processor time for one to connect, both ends and its certificate", connecting / sessions),
    ];
    figures.extend(reconciled("nobody is to go", &common, 0));
    let mut next = ids.iter().copied();
    for count in &plan.revoked {
        let ids: Vec<CertificateId> = next.by_ref().take(usize::try_from(*count).unwrap_or(0)).collect();
        let (begun, used) = (Instant::now(), process_time());
        let report = order(&revocations, &common.registry, &ids);
        let (took, used) = (begun.elapsed(), process_time() - used);
        assert_eq!((report.found, report.closed), (ids.len(), ids.len()), "{report:?}");
        let what = format!("in memory: {count} revoked at once");
        figures.push(Figure::millis(format!("{what}: from order to the last confirmation"), took));
        figures.push(Figure::millis(format!("{what}: of it, from the look at the registry on"), report.elapsed));
        figures.push(Figure::millis(format!("{what}: processor time"), used));
    }
    // As many again by a list that comes: then nobody is named, and all are judged.
    let ids: Vec<CertificateId> = next.take(plan.revoked.last().and_then(|count| usize::try_from(*count).ok()).unwrap_or(0)).collect();
    let revoked = signet_revocation::Revoked {
        since: unix_seconds(),
        reason: signet_revocation::Reason::KeyCompromise,
        source: signet_revocation::RevocationSource::Authority,
    };
    revocations.update(|index| index.with_revocations(ids.iter().map(|id| (*id, revoked))));
    figures.extend(reconciled(&format!("{} are to go", ids.len()), &common, ids.len()));
    for shard in &common.shards {
        shard.send(Mail::Stop).expect("the shards run");
    }
    for thread in threads {
        thread.join().expect("a shard failed, its message is above");
    }
    figures
}

/// Judges every session by what is in force.
fn reconciled(what: &str, common: &Common, expected: usize) -> Vec<Figure> {
    let now = unix_seconds();
    let (begun, used, own) = (Instant::now(), process_time(), thread_time());
    let report: ReconcileReport = common.registry.reconcile(
        |info| {
            let identity = info.entry.peer.identity()?;
            let ending = common.tls.check_open(identity, now).err()?;
            Some(KickCause::Untrusted(ending.refusal.to_string()))
        },
        Duration::from_secs(60),
    );
    let (took, used, own) = (begun.elapsed(), process_time() - used, thread_time() - own);
    assert_eq!(report.kicks.closed, expected, "{report:?}");
    let each = own / u32::try_from(report.examined).unwrap_or(1).max(1);
    let what = format!("in memory: all {} judged anew, {what}", report.examined);
    vec![
        Figure::millis(format!("{what}: until the last confirmation"), took),
        Figure::millis(format!("{what}: processor time"), used),
        Figure::micros(format!("{what}: processor time of the judge for each"), each),
    ]
}

fn start(tls: Arc<ListenerTls>, sessions: u32) -> (Arc<Common>, Vec<thread::JoinHandle<()>>) {
    let total = TotalLimits { sessions_maximum: usize::try_from(sessions).unwrap_or(usize::MAX), ..TotalLimits::default() };
    let limits = Limits { total, ..Limits::default() };
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..SHARDS).map(|_| channel()).unzip();
    let registry = Arc::new(Registry::new());
    let target = |sender: &Sender<Mail>| -> Arc<dyn KickTarget> { Arc::new(Post(sender.clone())) };
    registry.attach(senders.iter().map(target).collect());
    let common = Arc::new(Common {
        registry,
        directory: Locked(RwLock::new(Directory::new(7))),
        limits: Arc::new(limits),
        ruleset: Arc::new(Ruleset::allow_all()),
        tls,
        shards: senders,
    });
    let totals = Arc::new(Totals::new());
    let threads = (0..SHARDS)
        .zip(receivers)
        .map(|(index, mail)| {
            let broker = Broker::new(ShardId(index), Arc::clone(&common.limits), Arc::clone(&totals), Arc::clone(&common.ruleset), 7);
            let shard = Shard { broker, common: Arc::clone(&common), lines: HashMap::new(), scratch: Scratch::default() };
            thread::spawn(move || shard.run(&mail))
        })
        .collect();
    (common, threads)
}

/// Makes every session: certificate, handshake, entry in the registry, CONNECT. Returns their certificates.
fn connect(common: &Common, ca: &Authority, sessions: u32) -> Vec<CertificateId> {
    let trust = ca.trust();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|first| {
                let trust = Arc::clone(&trust);
                scope.spawn(move || {
                    let connect = |number: u32| {
                        let device = ca.device(&format!("device-{number}"), spread(number.into(), false));
                        let client = device.client(&trust, &rustls::version::TLS13, 0);
                        let Pair { server, peer, .. } = Pair::meet(&common.tls, &client);
                        common.enter(server, peer.expect("the handshake is complete"))
                    };
                    (first..sessions).step_by(2).map(connect).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a device failed, its message is above")).collect()
    })
}

impl Common {
    /// Registers a connection and gives it to the shard of its session.
    fn enter(&self, tls: TlsConnection, peer: Peer) -> CertificateId {
        let identity = Arc::clone(peer.identity().expect("the listener wants a certificate"));
        let connect = connect_packet(ProtocolVersion::V5, identity.name().as_str());
        let none = || ClientIdentifier::new(String::new());
        let from = (Origin { address: None, listener: "mqtts".into() }, unix_seconds());
        let admission = admit_without_chain(connect, &peer, &AdmissionRules::default(), &self.ruleset, &self.limits, from, none);
        let Ok(admission) = admission else { panic!("a device is not let in") };
        let shard = admission.owner(SHARDS).0;
        let link = self.registry.next_link();
        let entry = Entry {
            link,
            shard,
            listener: "mqtts".into(),
            address: PeerAddress::Ip("127.0.0.1:1883".parse().expect("an address")),
            transport: Transport::Tls,
            peer,
            since: unix_seconds(),
        };
        let judge = |peer: &Peer| peer.identity().map_or(Ok(()), |identity| self.tls.check_open(identity, unix_seconds()));
        assert!(self.registry.register(entry, judge).is_ok(), "a device is not let in");
        let mail = Mail::Accepted(Box::new(Accepted { link, tls, admission }));
        self.shards.get(usize::from(shard)).expect("there is that shard").send(mail).expect("it runs");
        identity.leaf().id()
    }
}

/// Polls for something that the shards do by themselves.
fn await_that(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "the sessions do not come up");
        thread::sleep(Duration::from_millis(20));
    }
}

struct Accepted {
    link: LinkId,
    tls: TlsConnection,
    admission: Admission,
}

enum Mail {
    Accepted(Box<Accepted>),
    Kicks(Vec<Kick>),
    Revoked(Arc<[CertificateId]>),
    Stop,
}

struct Post(Sender<Mail>);

impl KickTarget for Post {
    fn kick(&self, kick: Kick) {
        self.kick_all(vec![kick]);
    }

    fn kick_all(&self, kicks: Vec<Kick>) {
        // A shard that has ended has no connections.
        let _ = self.0.send(Mail::Kicks(kicks));
    }

    fn revoked(&self, certificates: &Arc<[CertificateId]>) {
        let _ = self.0.send(Mail::Revoked(Arc::clone(certificates)));
    }
}

/// A broker on a thread of its own, with its connections.
struct Shard {
    broker: Broker,
    common: Arc<Common>,
    lines: HashMap<LinkId, TlsConnection>,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    packet: BytesMut,
    /// What would be written to a socket.
    wire: Vec<u8>,
}

impl Shard {
    fn run(mut self, mail: &Receiver<Mail>) {
        while let Ok(mail) = mail.recv() {
            match mail {
                Mail::Accepted(accepted) => {
                    let Accepted { link, tls, admission } = *accepted;
                    let name = admission.client_identifier().as_str().to_owned();
                    self.lines.insert(link, tls);
                    self.apply(Input::Admitted { connection: ConnectionId(link.number()), admission: Box::new(admission) });
                    self.common.registry.identify(link, &name, None, CloneRules::default(), unix_seconds());
                }
                Mail::Kicks(kicks) => kicks.into_iter().for_each(|kick| self.end(kick)),
                Mail::Revoked(certificates) => self.apply(Input::Revoked { certificates, will: WillRule::Publish }),
                Mail::Stop => return,
            }
        }
    }

    fn end(&mut self, kick: Kick) {
        let Kick { link, cause, done } = kick;
        let cause = match cause {
            KickCause::Revoked(reason) => signet_broker::KickCause::Revoked(reason.name()),
            _ => signet_broker::KickCause::Untrusted,
        };
        let connection = ConnectionId(link.number());
        self.apply(Input::Kick { connection, cause, will: WillRule::Publish, session: SessionRule::Keep });
        assert!(!self.lines.contains_key(&link), "the broker did not close it");
        drop(done);
    }

    fn apply(&mut self, input: Input) {
        let mut outputs = Vec::new();
        let mut context = Context {
            now: Moment::from_millis(unix_milliseconds().unsigned_abs()),
            directory: &self.common.directory,
            store: &mut Nothing,
            output: &mut outputs,
        };
        self.broker.apply(input, &mut context);
        for output in outputs {
            match output {
                Output::Send { connection, packet, .. } => {
                    let Some(tls) = self.lines.get_mut(&LinkId::from_number(connection.0)) else { continue };
                    self.scratch.packet.clear();
                    self.scratch.wire.clear();
                    encode(&packet, ProtocolVersion::V5, &mut self.scratch.packet);
                    tls.send(&self.scratch.packet, &mut self.scratch.wire).expect("the handshake is complete");
                }
                Output::Ask { .. } | Output::Control { .. } => panic!("nobody is asked here"),
                Output::Close { connection, .. } => {
                    let link = LinkId::from_number(connection.0);
                    let Some(mut tls) = self.lines.remove(&link) else { continue };
                    self.scratch.wire.clear();
                    tls.close(&mut self.scratch.wire);
                    self.common.registry.remove(link);
                }
                Output::Publish { .. } | Output::Handover { .. } | Output::Event(_) => {}
            }
        }
    }
}

struct Locked(RwLock<Directory>);

impl SharedDirectory for Locked {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Nothing is kept.
struct Nothing;

impl Store for Nothing {
    fn append(&mut self, _: &Change<'_>, _: Urgency) -> Ticket {
        Ticket::NONE
    }

    fn seal(&mut self) {}

    fn post(&mut self) {}

    fn latest(&self) -> Ticket {
        Ticket::NONE
    }

    fn is_full(&self) -> bool {
        false
    }
}
