//! `storm`: whether handshakes delay messages. Devices talk at a moderate fixed rate, first undisturbed, then while others connect with full handshakes
//! as fast as they can and leave again. What counts is how much later messages come meanwhile.
//!
//! The broker is a process with as many cores to itself as it has shards; those that talk and those that connect have the last core, where those that talk go first.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use rustix::process::nice;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use signet_mqtt::{Packet, ProtocolVersion, QoS, encode};
use signet_testkit::{Device, Identity, Pki, Target, connect_packet};

use crate::Figure;
use crate::broker::{Broker, free_ports};
use crate::meter::percentile;
use crate::sockets::{Manner, Talk};

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Pairs of devices that talk, at each Quality of Service.
    pub pairs: usize,
    /// Between two messages of a pair.
    pub interval: Duration,
    /// Devices that connect at a time.
    pub devices: usize,
    /// How long to listen, undisturbed and in the storm each.
    pub time: Duration,
    /// How often, in turns.
    pub rounds: usize,
    /// Shards of the broker, one measurement for each number for which there are cores enough.
    pub shards: Vec<usize>,
}

/// Between the beginning or the end of a storm and what is measured.
const SETTLING: Duration = Duration::from_millis(200);

/// What a pair talks at.
const LEVELS: [(QoS, &str); 2] = [(QoS::AtMostOnce, "QoS 0"), (QoS::AtLeastOnce, "QoS 1")];

/// Starts brokers and storms them.
///
/// # Panics
/// When a device is not let in.
#[must_use]
pub fn measure(binary: &Path, plan: &Plan) -> Vec<Figure> {
    let cores = sched_getaffinity(None).expect("Linux says where we may run").count();
    // With a shard on the core of those who talk, these wait for each other, which says nothing about handshakes.
    let possible = plan.shards.iter().filter(|shards| **shards == 1 || usize::try_from(cores).is_ok_and(|cores| cores > **shards));
    possible.flat_map(|shards| of_shards(binary, plan, *shards)).collect()
}

fn of_shards(binary: &Path, plan: &Plan, shards: usize) -> Vec<Figure> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pki = Pki::create(directory.path());
    let cores = sched_getaffinity(None).expect("Linux says where we may run");
    // Threads and processes stay where the thread was that began them.
    keep_to(&first(&cores, shards));
    let broker = start(binary, directory.path(), &pki, shards);
    keep_to(&last(&cores));
    let target = |identity: &Identity| Target::tls(broker.tls, pki.ca_file(), Some(identity));
    let device = |name: &str| Device::connect(&target(&pki.device(name)), ProtocolVersion::V5, name);
    let talks: Vec<(usize, Talk)> = (0..plan.pairs)
        .flat_map(|pair| [0, 1].map(|level| (pair, level)))
        .map(|(pair, level)| {
            let (speaker, listener) = (format!("speaker-{pair}-{level}"), format!("listener-{pair}-{level}"));
            let manner = Manner { topic: format!("time/{pair}/{level}"), qos: LEVELS[level].0, interval: plan.interval };
            (level, Talk::between(device(&speaker), device(&listener), manner))
        })
        .collect();
    let storm = Storm::prepare(&pki, broker.tls, plan.devices);
    let (mut quiet, mut stormy) = (Vec::new(), Vec::new());
    let (mut connected, mut used) = (0, Duration::ZERO);
    for _ in 0..plan.rounds {
        quiet.push(listen(&talks, plan.time));
        let raging = storm.begin();
        thread::sleep(SETTLING);
        let (before, begun) = (raging.connected(), broker.processor_time());
        stormy.push(listen(&talks, plan.time));
        connected += raging.connected() - before;
        used += broker.processor_time() - begun;
        raging.end();
        thread::sleep(SETTLING);
    }
    for (_, talk) in talks {
        talk.end();
    }
    keep_to(&cores);
    let time = plan.time.as_secs_f64() * f64::from(u32::try_from(plan.rounds).unwrap_or(1));
    let name = format!("{shards} {}", if shards == 1 { "shard" } else { "shards" });
    let mut figures = vec![
        Figure::count(format!("{name}: full handshakes in a second of storm"), rate(connected, time)),
        Figure::new(format!("{name}: processor time of the broker meanwhile"), used.as_secs_f64() / time * 100.0, "% of a core"),
    ];
    for (at, (_, level)) in LEVELS.iter().enumerate() {
        let messages = quiet.iter().map(|levels| levels[at].len()).sum();
        figures.push(Figure::count(format!("{name}, {level}: messages in a second"), rate(messages, time)));
        for hundredths in [50, 99] {
            let (before, during) = (median(&mut quiet, at, hundredths), median(&mut stormy, at, hundredths));
            let what = format!("{name}, {level}: p{hundredths}");
            figures.push(Figure::micros(format!("{what}, undisturbed"), before));
            figures.push(Figure::micros(format!("{what}, in the storm"), during));
            figures.push(Figure::ratio(format!("{what}, in the storm to undisturbed"), during, before));
        }
    }
    figures
}

/// What each message took in one round, for each level.
type Samples = [Vec<Duration>; LEVELS.len()];

/// That percentile of each round, and of these the median: what other programs do to one round does not count.
fn median(rounds: &mut [Samples], level: usize, hundredths: usize) -> Duration {
    let mut each: Vec<Duration> = rounds.iter_mut().map(|levels| percentile(&mut levels[level], hundredths)).collect();
    percentile(&mut each, 50)
}

fn start(binary: &Path, directory: &Path, pki: &Pki, shards: usize) -> Broker {
    let ports = free_ports();
    let server = pki.server();
    let text = format!(
        "data_dir = {:?}\nshards = {shards}\nsys_interval = \"0s\"\n[log]\nlevel = \"error\"\n[store]\nenabled = false\n\
         [[listener]]\nname = \"tls\"\nbind = \"127.0.0.1:{}\"\ntransport = \"tls\"\ncertificate = {:?}\nkey = {:?}\ntrust = {:?}\n",
        directory.join("data"),
        ports[2],
        server.certificate,
        server.key,
        pki.ca_file(),
    );
    Broker::start(binary, directory, &text, ports)
}

/// What each message takes from now on.
fn listen(talks: &[(usize, Talk)], time: Duration) -> Samples {
    talks.iter().for_each(|(_, talk)| drop(talk.heard()));
    thread::sleep(time);
    let mut samples = Samples::default();
    for (level, talk) in talks {
        samples[*level].extend(talk.heard());
    }
    samples
}

fn rate(count: usize, seconds: f64) -> usize {
    let rate = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    // Rounded to a number of figures that a count has.
    format!("{rate:.0}").parse().unwrap_or(0)
}

fn keep_to(cores: &CpuSet) {
    sched_setaffinity(None, cores).expect("the system lets us choose among the cores that we have");
}

/// The first cores of those, so many.
fn first(cores: &CpuSet, count: usize) -> CpuSet {
    only((0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core)).take(count))
}

fn last(cores: &CpuSet) -> CpuSet {
    only((0..CpuSet::MAX_CPU).rev().filter(|core| cores.is_set(*core)).take(1))
}

fn only(cores: impl Iterator<Item = usize>) -> CpuSet {
    let mut set = CpuSet::new();
    cores.for_each(|core| set.set(core));
    set
}

/// Devices that connect and leave again.
struct Storm {
    devices: Vec<Arc<ClientConfig>>,
    port: u16,
}

/// A storm that goes on.
struct Raging {
    over: Arc<AtomicBool>,
    connected: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Storm {
    fn prepare(pki: &Pki, port: u16, devices: usize) -> Self {
        let devices = (0..devices).map(|number| stranger(&pki.ca_file(), &pki.device(&format!("storm-{number}")))).collect();
        Self { devices, port }
    }

    fn begin(&self) -> Raging {
        let (over, connected) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = self.devices.iter().enumerate().map(|(number, config)| {
            let (over, connected, config, port) = (Arc::clone(&over), Arc::clone(&connected), Arc::clone(config), self.port);
            thread::spawn(move || {
                // Those that talk go first. The change is this thread's alone.
                nice(19).expect("everybody may be nicer");
                let name = format!("storm-{number}");
                while !over.load(Ordering::Relaxed) {
                    come_and_go(port, &config, &name);
                    connected.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let threads = threads.collect();
        Raging { over, connected, threads }
    }
}

impl Raging {
    /// How often a device has connected so far.
    fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a device failed, its message is above");
        }
    }
}

/// How a device of the storm connects: what small devices can, and never by a ticket.
fn stranger(ca_file: &PathBuf, identity: &Identity) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&fs::read(ca_file).expect("the authority's certificate")) {
        roots.add(certificate.expect("PEM")).expect("an authority");
    }
    let chain = CertificateDer::pem_file_iter(&identity.certificate).expect("a certificate").map(|certificate| certificate.expect("PEM"));
    let key = PrivateKeyDer::from_pem_file(&identity.key).expect("a key");
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain.collect(), key)
        .expect("a certificate and its key");
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn come_and_go(port: u16, config: &Arc<ClientConfig>, name: &str) {
    let host = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::clone(config), host).expect("a client");
    let socket = TcpStream::connect(("127.0.0.1", port)).expect("the broker listens");
    let mut stream = StreamOwned::new(tls, socket);
    let mut connect = BytesMut::new();
    encode(&Packet::Connect(Box::new(connect_packet(ProtocolVersion::V311, name))), ProtocolVersion::V311, &mut connect);
    stream.write_all(&connect).expect("the handshake is complete");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("the broker answers");
    assert_eq!(connack, [0x20, 2, 0, 0], "CONNACK refuses");
}
