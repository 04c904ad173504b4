//! `sessions`, its first part: devices connected to the real server over TLS on the loopback interface, as many as the limit of open files allows,
//! of which one, then many, are revoked, while two others talk.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use signet_client::Received;
use signet_identity::{CertificateId, Leaf};
use signet_mqtt::{Packet, ProtocolVersion, QoS};
use signet_net::{KickCause, KickReport, unix_seconds};
use signet_policy::AdmissionRules;
use signet_revocation::{Reason, RevocationIndex, RevocationSource, Revoked};
use signet_server::{ListenerConfig, ServerConfig, ServerHandle, TransportConfig, start};
use signet_testkit::{Device, Identity, Pki, Target};
use signet_tls::{ClientCertificate, CredentialFiles, CurrentRevocations, TlsHostConfig, TlsListenerConfig, TrustProfileConfig};

use crate::Figure;
use crate::meter::{percentile, process_time};

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Devices; each takes two open files of this process, its own and the server's.
    pub devices: usize,
    /// How many are revoked at once, one time after the other.
    pub revoked: Vec<usize>,
    /// For how long the two that talk are listened to while nothing happens.
    pub quiet: Duration,
}

/// How long closing connections may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients that connect at a time.
const THREADS: usize = 8;

/// Between two messages of those that talk.
const INTERVAL: Duration = Duration::from_millis(1);

/// For how long after a revocation messages count as sent during it: a peer that does not close its end is given a second.
const AFTERMATH: Duration = Duration::from_secs(2);

struct Rig {
    pki: Pki,
    server: ServerHandle,
    revocations: CurrentRevocations,
    _directory: tempfile::TempDir,
}

/// Connects devices and revokes some of them.
///
/// # Panics
/// When a device is not let in, or one is not closed that should be.
#[must_use]
pub fn measure(plan: &Plan) -> Vec<Figure> {
    let rig = Rig::start(plan.devices + 100);
    let identities: Vec<Identity> = (0..plan.devices).map(|number| rig.pki.device(&format!("device-{number}"))).collect();
    let begun = process_time();
    let mut devices = rig.connect(&identities);
    let connecting = process_time() - begun;
    let count = u32::try_from(plan.devices).unwrap_or(1);
    let mut figures = vec![
        Figure::count("sockets: devices connected", devices.len()),
        Figure::micros("sockets: processor time for one to connect, both ends", connecting / count.max(1)),
    ];
    let talk = Talk::begin(&rig);
    thread::sleep(plan.quiet);
    talk.heard();
    let (begun, used) = (Instant::now(), process_time());
    let report = rig.server.review(PATIENCE);
    let (took, used) = (begun.elapsed(), process_time() - used);
    assert_eq!(report.kicks.found, 0, "{report:?}");
    figures.push(Figure::millis(format!("sockets: all {} judged anew, nobody is to go", report.examined), took));
    figures.push(Figure::millis("sockets: processor time of that and of the two that talk", used));
    for count in &plan.revoked {
        figures.extend(rig.revoke(&talk, plan.quiet, devices.drain(..*count).collect()));
    }
    talk.end();
    let left = rig.server.registry().len();
    assert!(left >= devices.len(), "{left} connections are left, but nobody revoked {} of them", devices.len());
    drop(devices);
    // Ends the threads; nothing was stored.
    let _ = rig.server.shutdown(Duration::ZERO);
    figures
}

impl Rig {
    fn start(connections: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let files = CredentialFiles { certificate: pki.server().certificate.clone(), key: pki.server().key.clone() };
        let tls = TlsListenerConfig::new(TlsHostConfig::new(files, ClientCertificate::Required, vec!["devices".into()]));
        let bind = vec!["127.0.0.1:0".parse().expect("an address")];
        let mut listener = ListenerConfig::new("mqtts", bind, TransportConfig::Tls(tls), AdmissionRules::default());
        listener.maximum_connections = connections;
        let mut config = ServerConfig::new(vec![listener]);
        config.shards = Some(2);
        config.profiles = vec![TrustProfileConfig::new("devices", vec![pki.ca_file()]).into()];
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let server = start(config, revocations.clone()).expect("the server starts");
        Self { pki, server, revocations, _directory: directory }
    }

    fn target(&self, identity: &Identity) -> Target {
        let addresses = self.server.local_addrs();
        let port = addresses.first().and_then(|(_, address)| address.port()).expect("it listens");
        Target::tls(port, self.pki.ca_file(), Some(identity))
    }

    fn connect(&self, identities: &[Identity]) -> VecDeque<(CertificateId, Device)> {
        let portion = identities.len().div_ceil(THREADS).max(1);
        thread::scope(|scope| {
            let threads: Vec<_> = identities
                .chunks(portion)
                .map(|identities| {
                    let targets: Vec<(Target, CertificateId, String)> = identities
                        .iter()
                        .map(|identity| (self.target(identity), id_of(identity), name_of(&identity.certificate)))
                        .collect();
                    scope.spawn(move || {
                        let connect = |(target, id, name): (Target, CertificateId, String)| {
                            (id, Device::connect(&target, ProtocolVersion::V5, &name))
                        };
                        targets.into_iter().map(connect).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a device failed, its message is above")).collect()
        })
    }

    /// As the administration does it: the index first, then who is connected.
    fn revoke(&self, talk: &Talk, quiet: Duration, devices: Vec<(CertificateId, Device)>) -> Vec<Figure> {
        let count = devices.len();
        talk.heard();
        thread::sleep(quiet);
        let mut before = talk.heard();
        let ids: Vec<CertificateId> = devices.iter().map(|(id, _)| *id).collect();
        let (begun, used) = (Instant::now(), process_time());
        let report = order(&self.revocations, &self.server.registry(), &ids);
        let (all, used) = (begun.elapsed(), process_time() - used);
        assert_eq!((report.found, report.closed), (count, count), "{report:?}");
        let mut during = talk.heard();
        thread::sleep(AFTERMATH);
        during.extend(talk.heard());
        let what = format!("sockets: {count} revoked at once");
        for (_, device) in devices {
            expect_ended(device);
        }
        vec![
            Figure::millis(format!("{what}: from order to the last confirmation"), all),
            Figure::millis(format!("{what}: processor time"), used),
            Figure::millis(format!("{what}: p99 of the two that talk, before"), percentile(&mut before, 99)),
            Figure::millis(format!("{what}: p99 of the two that talk, from the order to 2 s after"), percentile(&mut during, 99)),
            Figure::millis(format!("{what}: slowest message, before"), percentile(&mut before, 100)),
            Figure::millis(format!("{what}: slowest message, from the order to 2 s after"), percentile(&mut during, 100)),
            Figure::count(format!("{what}: messages in that time"), during.len()),
        ]
    }
}

/// Puts revocations in force and waits until who is connected is closed.
pub(crate) fn order(revocations: &CurrentRevocations, registry: &signet_net::Registry, ids: &[CertificateId]) -> KickReport {
    let revoked = Revoked { since: unix_seconds(), reason: Reason::KeyCompromise, source: RevocationSource::Authority };
    revocations.update(|index| index.with_revocations(ids.iter().map(|id| (*id, revoked))));
    registry.kick_certificates(ids, &KickCause::Revoked(Reason::KeyCompromise), PATIENCE)
}

/// The device has been told and its connection is closed.
fn expect_ended(mut device: Device) {
    loop {
        match device.await_next() {
            Ok(Received::Closed) => return,
            Ok(Received::Packet(Packet::Disconnect(_))) => {}
            other => panic!("expected DISCONNECT and the end, got {other:?}"),
        }
    }
}

fn id_of(identity: &Identity) -> CertificateId {
    Leaf::parse(&identity.der).expect("a certificate").id()
}

fn name_of(certificate: &std::path::Path) -> String {
    certificate.file_stem().and_then(|name| name.to_str()).map_or_else(String::new, str::to_owned)
}

/// Two devices, of which one tells the other the time, at a fixed rate.
pub(crate) struct Talk {
    over: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<Duration>>>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// How they talk.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    /// Between two messages.
    pub(crate) interval: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        Self { topic: "time".to_owned(), qos: QoS::AtMostOnce, interval: INTERVAL }
    }
}

impl Talk {
    fn begin(rig: &Rig) -> Self {
        let connect = |name: &str| Device::connect(&rig.target(&rig.pki.device(name)), ProtocolVersion::V5, name);
        Self::between(connect("speaker"), connect("listener"), Manner::default())
    }

    /// The first tells the second.
    pub(crate) fn between(mut speaker: Device, mut listener: Device, manner: Manner) -> Self {
        let Manner { topic, qos, interval } = manner;
        listener.subscribe(&topic, qos);
        let (over, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let epoch = Instant::now();
        let speak = {
            let over = Arc::clone(&over);
            move || {
                let mut due = Instant::now();
                while !over.load(Ordering::Relaxed) {
                    let early = due.saturating_duration_since(Instant::now());
                    thread::sleep(early);
                    // A server that keeps the speaker waiting must not look better for it: then it counts from when it was due. A speaker that has
                    // overslept is not the server's fault.
                    let since = if early.is_zero() { due } else { Instant::now() };
                    speaker.publish(&topic, &since.saturating_duration_since(epoch).as_micros().to_string(), qos, false);
                    due += interval;
                }
                speaker.publish(&topic, "over", qos, false);
            }
        };
        let listen = {
            let heard = Arc::clone(&heard);
            move || loop {
                let publish = listener.expect_publish();
                let Some(since) = std::str::from_utf8(&publish.payload).ok().and_then(|text| text.parse().ok()) else { return };
                let took = epoch.elapsed().saturating_sub(Duration::from_micros(since));
                heard.lock().expect("nobody panics with it").push(took);
            }
        };
        Self { over, heard, threads: vec![thread::spawn(speak), thread::spawn(listen)] }
    }

    /// What each message took that came since the last call.
    pub(crate) fn heard(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.heard.lock().expect("nobody panics with it"))
    }

    pub(crate) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a talker failed, its message is above");
        }
    }
}
