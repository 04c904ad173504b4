//! Both brokers, what is between them, and who publishes and subscribes there.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use signet_bridge::{
    BridgeConfig, BridgeStatus, Bridges, Direction, LocalBroker, LocalSession, Outgoing, Planned, Reconnect, ReloadRule, Remote,
    RemoteAddress, Schedule, SessionSettings, SocketOptions, Start, TopicRule,
};
use signet_broker::Limits;
use signet_mqtt::{Ack, ClientIdentifier, Packet, ProtocolVersion, Publish, QoS};
use signet_policy::{AdmissionRules, Ruleset};
use signet_revocation::RevocationIndex;
use signet_server::{ListenerConfig, ServerConfig, ServerHandle, TransportConfig, start};
use signet_testkit::{Device, Received, Target, free_port};
use signet_tls::CurrentRevocations;
use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[track_caller]
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn rule(filter: &str, direction: Direction, qos: QoS, local_prefix: &str, remote_prefix: &str) -> TopicRule {
    let (local_prefix, remote_prefix) = (local_prefix.to_owned(), remote_prefix.to_owned());
    TopicRule { filter: filter.to_owned(), direction, qos, local_prefix, remote_prefix }
}

/// A bridge called `b` to a port of this machine.
pub(crate) fn bridge(port: u16, version: ProtocolVersion, topics: Vec<TopicRule>) -> BridgeConfig {
    BridgeConfig {
        name: "b".to_owned(),
        remote: Remote {
            addresses: vec![RemoteAddress { host: "127.0.0.1".to_owned(), port }],
            round_robin: false,
            return_to_first: None,
            version,
            try_private: true,
            tls: None,
            socket: SocketOptions::default(),
            client_identifier: ClientIdentifier::new("signet.b"),
            username: None,
            password: None,
        },
        topics,
        local: LocalSession::of("b", 3600),
        session: SessionSettings {
            clean_start: false,
            expiry: 3600,
            keep_alive: 60,
            inflight_maximum: NonZeroU16::new(20).unwrap(),
            receive_maximum: NonZeroU16::new(20).unwrap(),
            maximum_packet_size: 1024 * 1024,
            topic_alias_maximum: 0,
        },
        outgoing: Outgoing::default(),
        notification: None,
        start: Start::Automatic,
        reconnect: Reconnect { schedule: doubling(20, 200), timeout: PATIENCE },
        reload: ReloadRule::Immediate,
        retained_each_time: false,
        hops_maximum: 8,
    }
}

/// Pauses from so many milliseconds to so many.
pub(crate) fn doubling(minimum: u64, maximum: u64) -> Schedule {
    Schedule::Doubling { minimum: Duration::from_millis(minimum), maximum: Duration::from_millis(maximum) }
}

/// A server in this process, with the bridges it was given.
pub(crate) struct Here {
    pub(crate) server: ServerHandle,
    pub(crate) bridges: Bridges,
}

impl Here {
    /// Without bridges.
    pub(crate) fn alone() -> Self {
        Self { server: server(Vec::new()), bridges: Bridges::default() }
    }

    /// With one, which is connected.
    pub(crate) fn connected(config: BridgeConfig) -> Self {
        let here = Self::starting(config);
        here.await_connected();
        here
    }

    /// With one that has not been waited for.
    pub(crate) fn starting(config: BridgeConfig) -> Self {
        let mut here = Self { server: server(vec![&config]), bridges: Bridges::default() };
        here.bridge(config);
        here
    }

    /// Starts the bridge of a server that knows its rights.
    pub(crate) fn bridge(&mut self, config: BridgeConfig) {
        self.bridges = Bridges::start(vec![self.planned(config)]).unwrap();
    }

    /// A bridge with its way into this server.
    pub(crate) fn planned(&self, config: BridgeConfig) -> Planned {
        let entrance = self.server.bridge_entrance(config.client(), Some(Arc::new(Limits::default()))).unwrap();
        let local: LocalBroker = Arc::new(move || entrance.connect());
        Planned::new(config, local)
    }

    pub(crate) fn status(&self) -> BridgeStatus {
        self.bridges.status().remove(0)
    }

    #[track_caller]
    pub(crate) fn await_connected(&self) {
        await_that(&format!("the bridge is connected: {:?}", self.status()), || self.status().connected);
    }

    /// Waits until the bridge has its session here.
    #[track_caller]
    pub(crate) fn await_prepared(&self) {
        await_that("the session of the bridge", || self.server.monitor().stats().held.subscriptions > 0);
    }

    #[track_caller]
    pub(crate) fn await_down(&self) {
        await_that("the bridge is down", || !self.status().connected);
    }

    pub(crate) fn target(&self) -> Target {
        Target::tcp(self.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.local_addrs()[0].1.port().unwrap()
    }

    pub(crate) fn client(&self, identifier: &str) -> Device {
        Device::connect(&self.target(), ProtocolVersion::V5, identifier)
    }

    pub(crate) fn inbox(&self, filter: &str) -> Inbox {
        Inbox::at(&self.target(), "inbox", filter)
    }
}

/// The server alone, with the rights of bridges that may come.
pub(crate) fn server(bridges: Vec<&BridgeConfig>) -> ServerHandle {
    let anonymous = AdmissionRules { anonymous: true, ..AdmissionRules::default() };
    let rights = bridges.iter().map(|config| config.rights().unwrap()).collect();
    let config = ServerConfig {
        shards: Some(2),
        ruleset: Arc::new(Ruleset::allow_all().with_bridges(rights)),
        seed: 7,
        ..ServerConfig::new(vec![ListenerConfig::new("mqtt", vec!["127.0.0.1:0".parse().unwrap()], TransportConfig::Tcp, anonymous)])
    };
    start(config, CurrentRevocations::new(RevocationIndex::new())).unwrap()
}

/// A mosquitto that keeps what it knows when it is stopped in good order, and starts again where it was.
pub(crate) struct Mosquitto {
    directory: TempDir,
    child: Option<Child>,
    pub(crate) port: u16,
}

impl Mosquitto {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With more lines in its configuration.
    pub(crate) fn with(extra: &str) -> Self {
        // Somebody else may take the port between our look and its start.
        for _ in 0..5 {
            let mut broker = Self { directory: tempfile::tempdir().unwrap(), child: None, port: free_port() };
            let config = format!(
                "user root\nallow_anonymous true\nlistener {} 127.0.0.1\npersistence true\npersistence_location {}/\nmax_queued_messages 10000\n{extra}",
                broker.port,
                broker.directory.path().display()
            );
            std::fs::write(broker.directory.path().join("mosquitto.conf"), config).unwrap();
            if broker.run() {
                return broker;
            }
        }
        panic!("no port stayed free");
    }

    /// Starts it again.
    pub(crate) fn restart(&mut self) {
        assert!(self.run(), "the port is taken:\n{}", self.log());
    }

    /// Stops it in good order: it writes what it holds.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        child.wait().unwrap();
    }

    fn run(&mut self) -> bool {
        let log: File = OpenOptions::new().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let before = self.log().matches(" running").count();
        let program = if std::path::Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let child = Command::new(program)
            .arg("-v")
            .arg("-c")
            .arg(self.directory.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mosquitto is needed for this test (apt-get install mosquitto)");
        let child = self.child.insert(child);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            if log.matches(" running").count() > before {
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                assert!(log.contains("Address already in use"), "mosquitto ended:\n{log}");
                return false;
            }
            assert!(Instant::now() < deadline, "mosquitto does not listen:\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn client(&self, identifier: &str) -> Device {
        Device::connect(&self.target(), ProtocolVersion::V5, identifier)
    }

    pub(crate) fn inbox(&self, filter: &str) -> Inbox {
        Inbox::at(&self.target(), "inbox", filter)
    }

    pub(crate) fn target(&self) -> Target {
        Target::tcp(self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The network between the brokers, which can be cut.
pub(crate) struct Link {
    pub(crate) port: u16,
    is_open: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
    _thread: JoinHandle<()>,
}

impl Link {
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_open = Arc::new(AtomicBool::new(true));
        let sockets: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (open, live) = (Arc::clone(&is_open), Arc::clone(&sockets));
        let thread = std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut live = live.lock().unwrap();
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || copy(from, to));
                }
                live.extend([near, far]);
            }
        });
        Self { port, is_open, sockets, _thread: thread }
    }

    /// Ends every connection in the middle of whatever it carries, and lets no new one through.
    pub(crate) fn cut(&self) {
        let mut sockets = self.sockets.lock().unwrap();
        self.is_open.store(false, Ordering::SeqCst);
        for socket in sockets.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn restore(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(count) = std::io::Read::read(&mut from, &mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// A subscriber in a thread of its own, which takes messages as they come: several exchanges of QoS 2 may be under way at a time.
pub(crate) struct Inbox {
    pub(crate) messages: mpsc::Receiver<Publish>,
    _thread: JoinHandle<()>,
}

impl Inbox {
    pub(crate) fn at(target: &Target, identifier: &str, filter: &str) -> Self {
        let mut client = Device::connect(target, ProtocolVersion::V5, identifier);
        client.subscribe(filter, QoS::ExactlyOnce);
        let (sender, messages) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            // Until the broker ends: the test is over then.
            while let Ok(Received::Packet(packet)) = client.await_next() {
                match packet {
                    Packet::Publish(publish) => {
                        match (publish.qos, publish.packet_id) {
                            (QoS::AtLeastOnce, Some(id)) => client.send(&Packet::Puback(Ack::success(id))),
                            (QoS::ExactlyOnce, Some(id)) => client.send(&Packet::Pubrec(Ack::success(id))),
                            _ => {}
                        }
                        let _ = sender.send(publish);
                    }
                    Packet::Pubrel(ack) => client.send(&Packet::Pubcomp(Ack::success(ack.packet_id))),
                    Packet::Disconnect(_) => break,
                    other => panic!("expected PUBLISH or PUBREL, got {other:?}"),
                }
            }
        });
        Self { messages, _thread: thread }
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn next(&self) -> Publish {
        self.messages.recv_timeout(PATIENCE).expect("a message")
    }

    /// The next message, which is this one.
    #[track_caller]
    pub(crate) fn expect(&self, topic: &str, payload: &str) -> Publish {
        let publish = self.next();
        assert_eq!(publish.topic.as_ref().map(|topic| topic.as_str()), Some(topic), "{publish:?}");
        assert_eq!(publish.payload, payload.as_bytes());
        publish
    }

    /// So many messages, whatever their order.
    #[track_caller]
    pub(crate) fn expect_all(&self, topics: impl IntoIterator<Item = String>) {
        let mut expected: Vec<String> = topics.into_iter().collect();
        let mut arrived: Vec<String> = expected.iter().map(|_| self.next().topic.unwrap().as_str().to_owned()).collect();
        expected.sort();
        arrived.sort();
        assert_eq!(arrived, expected);
    }
}
