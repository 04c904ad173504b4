//! Ten thousand devices at once, of whom Redis has to know every single one, and two others who talk meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signet_e2e::{Broker, Site};
use signet_mqtt::{Connect, Password, ProtocolVersion, QoS};
use signet_testkit::{Device, RedisOptions, RedisServer, Rush, Target, connect_packet, raise_open_files};

const DEVICES: usize = 10_000;

/// Those that talk.
const TALKERS: u64 = 2;

/// Connections to Redis that the broker may have.
const CONNECTIONS: u64 = 8;

struct Rig {
    redis: RedisServer,
    site: Site,
    /// Connections that Redis had taken before the broker was there.
    taken: u64,
    _broker: Broker,
}

impl Rig {
    fn start() -> Self {
        // The devices, and whatever else a test has open; the broker raises its own.
        assert!(raise_open_files() >= 10_500, "this test needs 10,500 open files: raise the hard limit (`ulimit -Hn`)");
        let redis = RedisServer::start(&RedisOptions::default());
        let names = DEVICES - 1;
        redis.cli(&[
            "EVAL",
            &format!("for n = 0, {names} do redis.call('HSET', 'user:device-' .. n, 'password', 'secret-' .. n) end"),
            "0",
        ]);
        for name in ["speaker", "listener"] {
            redis.cli(&["HSET", &format!("user:{name}"), "password", "public"]);
        }
        let site = Site::empty();
        // Limits of time that only a broker at a standstill reaches.
        site.write(
            "signet.toml",
            &format!(
                "data_dir = \"data\"\n[[listener]]\nname = \"lan\"\nbind = \"127.0.0.1:{}\"\ntransport = \"tcp\"\nauthentication = [\"devices\"]\n\
                 maximum_connections = 10500\nconnect_timeout = \"300s\"\nauthentication_timeout = \"300s\"\n\
                 [[authenticator]]\nname = \"devices\"\ntype = \"redis\"\naddresses = [\"127.0.0.1:{}\"]\n\
                 command = \"HMGET user:${{username}} password\"\npassword_hash = \"plain\"\nconnections = {CONNECTIONS}\n\
                 timeout = \"5m\"\nconnect_timeout = \"1m\"\n",
                site.port(),
                redis.port()
            ),
        );
        site.signet(&["check"]).succeeded();
        let taken = connections_taken(&redis);
        let broker = site.serve();
        Self { redis, site, taken, _broker: broker }
    }

    fn talkers(&self) -> Talkers {
        let target = Target::tcp(self.site.port());
        let connect = |name: &str| Device::connect_with(&target, introduced(name, "public"));
        let (speaker, mut listener) = (connect("speaker"), connect("listener"));
        listener.subscribe("state", QoS::AtLeastOnce);
        Talkers { speaker, listener, said: 0 }
    }

    fn rush(&self) -> Rush {
        Rush::begin(self.site.port(), DEVICES, |number| introduced(&format!("device-{number}"), &format!("secret-{number}")))
    }

    /// Every client was asked about once, no question failed, and none found no place.
    #[track_caller]
    fn is_unharmed(&self) {
        let connections = self.redis.cli(&["CLIENT", "LIST", "TYPE", "normal"]);
        let ours = connections.lines().filter(|line| line.contains("cmd=hmget")).count();
        assert!((1..=CONNECTIONS).contains(&u64::try_from(ours).unwrap_or(u64::MAX)), "{ours} connections to Redis:\n{connections}");
        // And no more than that at any time: each was opened once. The one that asks has the last.
        let opened = connections_taken(&self.redis) - self.taken - 2;
        assert!(opened <= CONNECTIONS, "{opened} connections to Redis one after the other:\n{connections}");
        let asked = u64::try_from(DEVICES).unwrap_or(u64::MAX) + TALKERS;
        assert_eq!(self.redis.calls("hmget"), asked);
        let states = self.site.signet(&["auth", "list", "--json"]).succeeded().output;
        let states: String = states.split_whitespace().collect();
        for expected in [format!("\"asked\":{asked},"), "\"failed\":0,".into(), "\"spared\":0,".into(), "\"breaker\":\"closed\"".into()] {
            assert!(states.contains(&expected), "no `{expected}` in {states}");
        }
    }
}

fn connections_taken(redis: &RedisServer) -> u64 {
    let statistics = redis.cli(&["INFO", "stats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

fn introduced(name: &str, password: &str) -> Connect {
    let password = Some(Password::new(password.as_bytes().to_vec()));
    Connect { username: Some(name.to_owned().into()), password, ..connect_packet(ProtocolVersion::V5, name) }
}

struct Talkers {
    speaker: Device,
    listener: Device,
    said: u32,
}

impl Talkers {
    /// One tells the other something, which is acknowledged and arrives.
    #[track_caller]
    fn talk(&mut self) {
        self.said += 1;
        let words = self.said.to_string();
        self.speaker.publish("state", &words, QoS::AtLeastOnce, false);
        self.listener.expect_message("state", &words);
    }
}

#[test]
fn ten_thousand_devices_at_once_exhaust_nobody() {
    let rig = Rig::start();
    let mut talkers = rig.talkers();
    let is_over = AtomicBool::new(false);
    let (codes, said) = thread::scope(|scope| {
        let talking = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                talkers.talk();
            }
            talkers.said
        });
        let mut rush = rig.rush();
        let codes = rush.answers();
        is_over.store(true, Ordering::Relaxed);
        (codes, talking.join().expect("those who talk are not disturbed"))
    });
    assert_eq!(codes.len(), DEVICES);
    assert!(codes.iter().all(|code| *code == 0), "{} are refused", codes.iter().filter(|code| **code != 0).count());
    assert!(said > 0);
    rig.is_unharmed();
}

#[test]
fn while_ten_thousand_wait_for_redis_others_talk() {
    let rig = Rig::start();
    let mut talkers = rig.talkers();
    rig.redis.freeze();
    let mut rush = rig.rush();
    // Nobody of them can be in, and who is already does not feel it.
    for _ in 0..200 {
        talkers.talk();
    }
    rig.redis.thaw();
    assert!(rush.answers().iter().all(|code| *code == 0));
    talkers.talk();
    rig.is_unharmed();
}
