//! `mosquitto`: the same handshakes with Signet and with mosquitto, whose TLS library walks through the list of revoked certificates for each of
//! them. Each broker is a process of its own on the first processor; they are measured in turns.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signet_mqtt::{ProtocolVersion, ReasonCode};
use signet_testkit::{CrlWindow, Device, Identity, Pki, Target};

use crate::Figure;
use crate::meter::{percentile, time_of_process};
use crate::pki::spread;

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Entries of the lists; each has a broker of either kind.
    pub lists: Vec<u64>,
    /// How often each broker has its turn.
    pub turns: u32,
    /// Handshakes of a turn.
    pub handshakes: u32,
}

/// How long a broker may take to read its list and listen.
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker with a list.
struct Broker {
    what: String,
    child: Child,
    port: u16,
    /// Processor time for one handshake, of each turn.
    samples: Vec<Duration>,
}

/// Starts brokers with lists of different lengths and connects to them. `signet` is the binary.
///
/// # Panics
/// When a broker does not start, or refuses a device.
#[must_use]
pub fn measure(signet: &Path, plan: &Plan) -> Vec<Figure> {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let device = pki.device("pump-7");
    let mut brokers = Vec::new();
    for entries in &plan.lists {
        let list = list(&pki, *entries);
        brokers.push(Broker::mosquitto(&pki, &list, *entries, directory.path()));
        brokers.push(Broker::signet(signet, &pki, &list, *entries, directory.path()));
    }
    for broker in &brokers {
        broker.await_listening(&pki, &device);
    }
    for _ in 0..plan.turns {
        for broker in &mut brokers {
            let target = Target::tls(broker.port, pki.ca_file(), Some(&device));
            let begun = time_of_process(broker.child.id());
            for _ in 0..plan.handshakes {
                // DISCONNECT is answered by the end of the connection: by then everything was paid for.
                Device::connect(&target, ProtocolVersion::V311, "pump-7").leave(ReasonCode::Success);
            }
            broker.samples.push((time_of_process(broker.child.id()) - begun) / plan.handshakes.max(1));
        }
    }
    let mut figures = Vec::new();
    for pair in brokers.chunks_mut(2) {
        let costs: Vec<(String, Duration, Duration)> = pair
            .iter_mut()
            .map(|broker| (broker.what.clone(), percentile(&mut broker.samples, 50), percentile(&mut broker.samples, 0)))
            .collect();
        for (what, median, least) in &costs {
            figures.push(Figure::micros(format!("{what}: one connection, median of the turns"), *median));
            figures.push(Figure::micros(format!("{what}: one connection, least of the turns"), *least));
        }
        if let [(what, _, theirs), (_, _, ours)] = costs.as_slice() {
            figures.push(Figure::ratio(format!("{what}, to Signet, least"), *theirs, *ours));
        }
    }
    figures
}

/// A CRL of the devices' issuer, none of them in it.
fn list(pki: &Pki, entries: u64) -> PathBuf {
    let revoked: Vec<Identity> = (0..entries)
        .map(|number| Identity {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            // A serial number is positive and has no leading zeros.
            serial: (spread(number, true) >> 1 | 1 << 62).to_be_bytes().to_vec(),
            der: Vec::new(),
        })
        .collect();
    pki.crl(&format!("{entries}.crl"), 1, &revoked.iter().collect::<Vec<_>>(), CrlWindow::default())
}

impl Broker {
    fn mosquitto(pki: &Pki, list: &Path, entries: u64, directory: &Path) -> Self {
        let port = free_port();
        let text = format!(
            "user root\nlog_type error\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\ncrlfile {}\n",
            pki.ca_file().display(),
            pki.server().certificate.display(),
            pki.server().key.display(),
            list.display()
        );
        let file = directory.join(format!("mosquitto-{entries}.conf"));
        fs::write(&file, text).unwrap();
        // Debian puts the daemon where ordinary users have no path to it.
        let debian = Path::new("/usr/sbin/mosquitto");
        let program = if debian.exists() { debian } else { Path::new("mosquitto") };
        let arguments = [Path::new("-c"), &file];
        Self::start(format!("mosquitto, {entries} revoked"), program, &arguments, port, &directory.join(format!("mosquitto-{entries}.log")))
    }

    fn signet(binary: &Path, pki: &Pki, list: &Path, entries: u64, directory: &Path) -> Self {
        let port = free_port();
        let text = format!(
            "data_dir = {:?}\nshards = 1\nsys_interval = \"0s\"\n[log]\nlevel = \"error\"\n\
             [[listener]]\nname = \"tls\"\nbind = \"127.0.0.1:{port}\"\ntransport = \"tls\"\ncertificate = {:?}\nkey = {:?}\ntrust = {:?}\ncrl = {list:?}\n",
            directory.join(format!("data-{entries}")),
            pki.server().certificate,
            pki.server().key,
            pki.ca_file(),
        );
        let file = directory.join(format!("signet-{entries}.toml"));
        fs::write(&file, text).unwrap();
        let arguments = [Path::new("serve"), Path::new("-c"), &file];
        Self::start(format!("Signet, {entries} revoked"), binary, &arguments, port, &directory.join(format!("signet-{entries}.log")))
    }

    fn start(what: String, program: &Path, arguments: &[&Path], port: u16, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        let child = Command::new("taskset")
            .args(["--cpu-list", "0"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{}` with `taskset`: {error}", program.display()));
        Self { what, child, port, samples: Vec::new() }
    }

    fn await_listening(&self, pki: &Pki, device: &Identity) {
        let target = Target::tls(self.port, pki.ca_file(), Some(device));
        let deadline = Instant::now() + PATIENCE;
        while Device::try_open(&target, ProtocolVersion::V311).is_err() {
            assert!(Instant::now() < deadline, "{}: does not listen, or refuses the device", self.what);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Ended already: nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("a bound socket has an address").port()
}
