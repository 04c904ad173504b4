//! `handshakes`: the server's processor time for one handshake with a client certificate, from its first octet to the first one that the server sends
//! of its own. Both ends run in memory on one thread; only what the server is called for is counted.
//!
//! Every round makes one handshake of each kind, so that whatever else the machine does meets all kinds alike. Of the samples of a kind the smallest
//! and the median are told.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, SupportedProtocolVersion};
use rustls_pki_types::ServerName;
use signet_identity::Peer;
use signet_revocation::{ListSource, RevocationIndex};
use signet_tls::{
    ClientCertificate, CredentialFiles, CurrentRevocations, ListenerTls, TlsConnection, TlsHostConfig, TlsListenerConfig,
    TrustProfileConfig, TrustProfiles,
};

use crate::Figure;
use crate::meter::{percentile, thread_time};
use crate::pki::{Authority, DeviceKey, spread, tangle};

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Handshakes of each kind.
    pub rounds: usize,
    /// Devices that take turns: each looks at another place of the list.
    pub devices: u64,
    /// Entries of the revocation lists; the first is what the others are compared with.
    pub lists: Vec<u64>,
    /// Numbers of trust profiles of one listener; the first is what the others are compared with. The device's is the last one.
    pub profiles: Vec<usize>,
    /// Trust profiles whose authorities all have the name of the device's: then a signature is checked for each.
    pub namesakes: usize,
    /// Numbers of intermediates that a stranger sends, all of one name.
    pub tangles: Vec<usize>,
}

static TLS12: &SupportedProtocolVersion = &rustls::version::TLS12;
static TLS13: &SupportedProtocolVersion = &rustls::version::TLS13;

/// One kind of handshake.
struct Kind {
    what: String,
    listener: Arc<ListenerTls>,
    clients: Vec<Arc<ClientConfig>>,
    resumed: bool,
    samples: Vec<Duration>,
}

impl Kind {
    fn new(what: String, listener: &Arc<ListenerTls>, clients: Vec<Arc<ClientConfig>>, resumed: bool) -> Self {
        Self { what, listener: Arc::clone(listener), clients, resumed, samples: Vec::new() }
    }

    fn median(&mut self) -> Duration {
        percentile(&mut self.samples, 50)
    }

    fn least(&self) -> Duration {
        self.samples.iter().min().copied().unwrap_or_default()
    }
}

/// Makes handshakes of every kind, and tells what one costs.
///
/// # Panics
/// When a handshake fails, or is not resumed where it should be.
#[must_use]
pub fn measure(plan: &Plan) -> Vec<Figure> {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root("Bench Root");
    let issuing = root.below("Bench Issuing");
    let devices: Vec<DeviceKey> =
        (0..plan.devices).map(|number| issuing.device(&format!("device-{number}"), spread(number, false))).collect();
    let trust = root.trust();
    let clients =
        |devices: &[DeviceKey], version, sessions| devices.iter().map(|device| device.client(&trust, version, sessions)).collect();
    let files = issuing.write_server(directory.path());
    let ca = issuing.write(directory.path().join("ca.pem"));
    let mut figures = Vec::new();

    let listeners: Vec<(u64, Arc<ListenerTls>)> = plan
        .lists
        .iter()
        .map(|entries| {
            let der = issuing.crl(1, (0..*entries).map(|number| spread(number, true)));
            let index = RevocationIndex::new().with_crl(issuing.read(&der), ListSource::new("bench.crl")).expect("a list fits in");
            (*entries, listener(&files, vec![TrustProfileConfig::new("devices", vec![ca.clone()])], index))
        })
        .collect();
    for (version, name) in [(TLS13, "TLS 1.3"), (TLS12, "TLS 1.2")] {
        let mut kinds: Vec<Kind> = listeners
            .iter()
            .map(|(entries, listener)| {
                Kind::new(format!("{name}, full, {entries} revoked"), listener, clients(&devices, version, 0), false)
            })
            .collect();
        kinds.extend(listeners.last().map(|(entries, listener)| {
            Kind::new(format!("{name}, resumed, {entries} revoked"), listener, clients(&devices, version, 8), true)
        }));
        run(&mut kinds, plan.rounds);
        figures.extend(told(&mut kinds));
    }
    figures.extend(by_profiles(plan, directory.path(), &files, &root, &trust));
    let listener = listener(&files, vec![TrustProfileConfig::new("devices", vec![ca])], RevocationIndex::new());
    for count in &plan.tangles {
        let client = tangle(*count).client(&trust, TLS13, 0);
        let spent = (0..3).map(|_| refused(&listener, &client)).min().unwrap_or_default();
        figures.push(Figure::micros(format!("TLS 1.3, a stranger refused who sends {count} intermediates of one name, least"), spent));
    }
    figures
}

/// The same with many profiles, whose authorities have issued the devices' certificates directly.
fn by_profiles(plan: &Plan, directory: &Path, files: &CredentialFiles, root: &Authority, trust: &Arc<WebPkiServerVerifier>) -> Vec<Figure> {
    let devices: Vec<DeviceKey> =
        (0..plan.devices).map(|number| root.device(&format!("machine-{number}"), spread(number, false))).collect();
    let own = root.write(directory.join("root.pem"));
    let other = |number: usize, name: &str| {
        let ca = Authority::root(name).write(directory.join(format!("root-{number}.pem")));
        TrustProfileConfig::new(format!("profile-{number}"), vec![ca])
    };
    let mut kinds = Vec::new();
    let mut add = |mut profiles: Vec<TrustProfileConfig>, what: &str| {
        profiles.push(TrustProfileConfig::new("devices", vec![own.clone()]));
        let listener = listener(files, profiles, RevocationIndex::new());
        for (resumed, name) in [(false, "full"), (true, "resumed")] {
            let clients = devices.iter().map(|device| device.client(trust, TLS13, if resumed { 8 } else { 0 })).collect();
            kinds.push(Kind::new(format!("TLS 1.3, {name}, no intermediate, last of {what}"), &listener, clients, resumed));
        }
    };
    for count in &plan.profiles {
        add((1..*count).map(|number| other(number, &format!("Root {number}"))).collect(), &format!("{count} profiles"));
    }
    let namesakes = plan.namesakes;
    add((1..namesakes).map(|number| other(number, "Bench Root")).collect(), &format!("{namesakes} profiles with one name"));
    run(&mut kinds, plan.rounds);
    let (mut full, mut resumed): (Vec<Kind>, Vec<Kind>) = kinds.into_iter().partition(|kind| !kind.resumed);
    let mut figures = told(&mut full);
    figures.extend(told(&mut resumed));
    if let (Some(full), Some(resumed)) = (full.first_mut(), resumed.first_mut()) {
        figures.push(Figure::ratio(format!("{}, median, to full", resumed.what), resumed.median(), full.median()));
        figures.push(Figure::ratio(format!("{}, least, to full", resumed.what), resumed.least(), full.least()));
    }
    figures
}

fn run(kinds: &mut [Kind], rounds: usize) {
    // The first handshake of each client is a full one whatever its kind, and warms up.
    for kind in kinds.iter() {
        for client in &kind.clients {
            meet(&kind.listener, client);
        }
    }
    for round in 0..rounds {
        for kind in kinds.iter_mut() {
            let client = kind.clients.get(round % kind.clients.len()).expect("there are devices");
            let (spent, resumed) = meet(&kind.listener, client);
            assert_eq!(resumed, kind.resumed, "{}", kind.what);
            kind.samples.push(spent);
        }
    }
}

/// What the kinds cost, and how many times that of the first it is.
fn told(kinds: &mut [Kind]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut first = None;
    for kind in kinds {
        let (median, least) = (kind.median(), kind.least());
        figures.push(Figure::micros(format!("{}, median", kind.what), median));
        figures.push(Figure::micros(format!("{}, least", kind.what), least));
        let (first_median, first_least) = *first.get_or_insert((median, least));
        if first != Some((median, least)) {
            figures.push(Figure::ratio(format!("{}, median, to the first", kind.what), median, first_median));
            figures.push(Figure::ratio(format!("{}, least, to the first", kind.what), least, first_least));
        }
    }
    figures
}

pub(crate) fn listener(files: &CredentialFiles, profiles: Vec<TrustProfileConfig>, index: RevocationIndex) -> Arc<ListenerTls> {
    listener_with(files, profiles, &CurrentRevocations::new(index))
}

pub(crate) fn listener_with(
    files: &CredentialFiles,
    profiles: Vec<TrustProfileConfig>,
    revocations: &CurrentRevocations,
) -> Arc<ListenerTls> {
    let names = profiles.iter().map(|profile| Arc::clone(&profile.name)).collect();
    let config = TlsListenerConfig::new(TlsHostConfig::new(files.clone(), ClientCertificate::Required, names));
    let profiles = TrustProfiles::load(profiles).expect("the profiles are good");
    ListenerTls::load(&config, &profiles, revocations, now()).expect("the listener is good")
}

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// One handshake and one small record each way; the server's time, and whether it was resumed.
fn meet(listener: &Arc<ListenerTls>, client: &Arc<ClientConfig>) -> (Duration, bool) {
    let mut pair = Pair::meet(listener, client);
    pair.client.send(b"hello");
    pair.exchange();
    let mut answer = Vec::new();
    pair.spend(|server, _| server.send(b"hello", &mut answer).expect("the server sends"));
    pair.client.hear(&answer);
    let (spent, resumed) = (pair.spent, pair.client.0.handshake_kind() == Some(HandshakeKind::Resumed));
    let server = pair.server;
    let begun = thread_time();
    drop(server);
    (spent + (thread_time() - begun), resumed)
}

/// The server's time for a client that is refused.
fn refused(listener: &Arc<ListenerTls>, client: &Arc<ClientConfig>) -> Duration {
    let name = ServerName::try_from("localhost").expect("a good name");
    let mut client = Client(ClientConnection::new(Arc::clone(client), name).expect("a client"));
    let begun = thread_time();
    let mut server = TlsConnection::new(Arc::clone(listener)).expect("a server");
    let mut spent = thread_time() - begun;
    loop {
        let mut wire = client.says();
        assert!(!wire.is_empty(), "a stranger is let in");
        let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
        let begun = thread_time();
        let received = server.receive(&mut wire, &mut plaintext, &mut answer);
        spent += thread_time() - begun;
        if received.is_err() {
            return spent;
        }
        client.hear(&answer);
    }
}

/// The client's end.
struct Client(ClientConnection);

impl Client {
    fn send(&mut self, text: &[u8]) {
        use std::io::Write as _;
        self.0.writer().write_all(text).expect("a buffer takes it");
    }

    fn says(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut wire).expect("a buffer takes it");
        }
        wire
    }

    fn hear(&mut self, mut wire: &[u8]) {
        while !wire.is_empty() {
            self.0.read_tls(&mut wire).expect("it has room");
            self.0.process_new_packets().expect("the server is right");
        }
    }
}

/// Both ends of a connection, and what the server has spent.
pub(crate) struct Pair {
    client: Client,
    pub(crate) server: TlsConnection,
    pub(crate) peer: Option<Peer>,
    spent: Duration,
}

impl Pair {
    /// A whole handshake.
    pub(crate) fn meet(listener: &Arc<ListenerTls>, client: &Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").expect("a good name");
        let client = Client(ClientConnection::new(Arc::clone(client), name).expect("a client"));
        let begun = thread_time();
        let server = TlsConnection::new(Arc::clone(listener)).expect("a server");
        let mut pair = Self { client, server, peer: None, spent: thread_time() - begun };
        pair.exchange();
        pair
    }

    /// Passes octets until the client has nothing to say.
    fn exchange(&mut self) {
        loop {
            let mut wire = self.client.says();
            if wire.is_empty() {
                return;
            }
            let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
            self.spend(|server, peer| {
                let received = server.receive(&mut wire, &mut plaintext, &mut answer).expect("the client is let in");
                *peer = peer.take().or(received.peer);
            });
            self.client.hear(&answer);
        }
    }

    fn spend(&mut self, work: impl FnOnce(&mut TlsConnection, &mut Option<Peer>)) {
        let begun = thread_time();
        work(&mut self.server, &mut self.peer);
        self.spent += thread_time() - begun;
    }
}
