//! `authentications`: what it costs that a chain has to be asked. Devices connect all at once, over TCP and to the binary: to a listener where nobody has
//! to vouch for them, and to one where a real Redis has to, whose answers are not remembered. In other turns two of them talk meanwhile.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use signet_mqtt::{Connect, Password, ProtocolVersion};
use signet_testkit::{Device, RedisOptions, RedisServer, Rush, Target, connect_packet};

use crate::Figure;
use crate::broker::{Broker, free_ports};
use crate::meter::percentile;
use crate::sockets::{Manner, Talk};

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Devices that connect at once.
    pub devices: usize,
    /// How often, to either listener, and as often again while two talk.
    pub turns: u32,
    /// For how long the two are listened to while nothing happens.
    pub quiet: Duration,
}

/// Questions to Redis at a time, as without a word in the configuration.
const CONNECTIONS: u64 = 8;

/// A listener, and what was measured there.
struct Way {
    what: &'static str,
    port: u16,
    /// From the first connection until the last CONNACK.
    took: Vec<Duration>,
    /// Processor time of the broker for one.
    cost: Vec<Duration>,
    /// What messages of the two took meanwhile.
    talk: Vec<Duration>,
}

/// Starts both servers and lets devices connect. `signet` is the binary.
///
/// # Panics
/// When a server does not start, a device is not let in, or Redis was asked otherwise than it should have been.
#[must_use]
pub fn measure(signet: &Path, plan: &Plan) -> Vec<Figure> {
    let directory = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(&RedisOptions::default());
    let script = format!("for n = 0, {} do redis.call('HSET', 'user:device-' .. n, 'password', 'secret-' .. n) end", plan.devices);
    redis.cli(&["EVAL", &script, "0"]);
    let taken = connections_taken(&redis);
    let ports = free_ports();
    let [open, _, vouched, _] = ports;
    let broker = Broker::start(signet, directory.path(), &configuration(directory.path(), plan, &redis, ports), ports);
    let way = |what, port| Way { what, port, took: Vec::new(), cost: Vec::new(), talk: Vec::new() };
    let mut ways = [way("nobody has to vouch", open), way("Redis has to vouch", vouched)];
    for _ in 0..plan.turns {
        for way in &mut ways {
            let used = broker.processor_time();
            let (took, rush) = connect(way.port, plan.devices);
            way.took.push(took);
            way.cost.push((broker.processor_time() - used) / u32::try_from(plan.devices).unwrap_or(1).max(1));
            drop(rush);
            broker.settled(0, 0);
        }
    }
    let mut quiet = Vec::new();
    let talker = |name: &str| Device::connect(&Target::tcp(open), ProtocolVersion::V5, name);
    let talk = Talk::between(talker("speaker"), talker("listener"), Manner::default());
    for _ in 0..plan.turns {
        for way in &mut ways {
            talk.heard();
            std::thread::sleep(plan.quiet);
            quiet.extend(talk.heard());
            let (_, rush) = connect(way.port, plan.devices);
            way.talk.extend(talk.heard());
            drop(rush);
            broker.settled(2, 2);
        }
    }
    talk.end();
    let asked = u64::try_from(plan.devices).unwrap_or(u64::MAX) * u64::from(plan.turns) * 2;
    assert_eq!(broker.counted("signet_auth_requests_total"), asked, "every device is asked about once");
    assert_eq!(broker.counted("signet_auth_failures_total") + broker.counted("signet_auth_spared_total"), 0, "no question fails");
    // Less the one that asks.
    let used = connections_taken(&redis) - taken - 1;
    assert!(used <= CONNECTIONS, "{used} connections to Redis");
    let mut figures = vec![
        Figure::count("devices that connect at once", plan.devices),
        Figure::count("connections to Redis that all of it took", usize::try_from(used).unwrap_or(usize::MAX)),
    ];
    figures.extend(told(ways, &mut quiet, plan.devices));
    figures
}

/// Lets so many connect, and waits until all are in.
fn connect(port: u16, devices: usize) -> (Duration, Rush) {
    let begun = Instant::now();
    let mut rush = Rush::begin(port, devices, device);
    let refused: Vec<u8> = rush.answers().into_iter().filter(|code| *code != 0).collect();
    let took = begun.elapsed();
    assert!(refused.is_empty(), "{} devices are refused, one with the reason code {:#04x}", refused.len(), refused.first().unwrap_or(&0));
    (took, rush)
}

fn device(number: usize) -> Connect {
    let name = format!("device-{number}");
    let password = Some(Password::new(format!("secret-{number}").into_bytes()));
    Connect { username: Some(name.clone().into()), password, ..connect_packet(ProtocolVersion::V5, &name) }
}

fn connections_taken(redis: &RedisServer) -> u64 {
    let statistics = redis.cli(&["INFO", "stats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|number| number.trim().parse().ok()).expect("Redis counts connections")
}

fn configuration(directory: &Path, plan: &Plan, redis: &RedisServer, [open, _, vouched, metrics]: [u16; 4]) -> String {
    let room = plan.devices + 100;
    let listener = |name: &str, port: u16, line: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:{port}\"\ntransport = \"tcp\"\nmaximum_connections = {room}\n\
             connect_timeout = \"300s\"\nauthentication_timeout = \"300s\"\n{line}\n"
        )
    };
    let data = directory.join("data");
    // Not there before.
    let _ = fs::remove_dir_all(&data);
    format!(
        "data_dir = {data:?}\nshards = 2\nsys_interval = \"0s\"\n[log]\nlevel = \"error\"\n[metrics]\nbind = \"127.0.0.1:{metrics}\"\n{}{}\
         [[authenticator]]\nname = \"devices\"\ntype = \"redis\"\naddresses = [\"127.0.0.1:{}\"]\ncommand = \"HMGET user:${{username}} password\"\n\
         password_hash = \"plain\"\ncache = \"0s\"\ntimeout = \"5m\"\nconnections = {CONNECTIONS}\n",
        listener("open", open, "anonymous = true"),
        listener("vouched", vouched, "authentication = [\"devices\"]"),
        redis.port()
    )
}

fn told(ways: [Way; 2], quiet: &mut [Duration], devices: usize) -> Vec<Figure> {
    let before = percentile(quiet, 99);
    let mut figures = Vec::new();
    let mut told = Vec::new();
    for Way { what, mut took, mut cost, mut talk, .. } in ways {
        let (all, median, least) = (percentile(&mut took, 50), percentile(&mut cost, 50), percentile(&mut cost, 0));
        let during = percentile(&mut talk, 99);
        let devices = f64::from(u32::try_from(devices).unwrap_or(u32::MAX));
        figures.push(Figure::millis(format!("{what}: until all are in, median of the turns"), all));
        figures.push(Figure::new(format!("{what}: CONNECTs answered in a second"), devices / all.as_secs_f64().max(1e-9), ""));
        figures.push(Figure::micros(format!("{what}: processor time of the broker for one, median of the turns"), median));
        figures.push(Figure::micros(format!("{what}: processor time of the broker for one, least of the turns"), least));
        figures.push(Figure::millis(format!("{what}: p99 of the two that talk, until all are in"), during));
        figures.push(Figure::ratio(format!("{what}: the same, to p99 before"), during, before));
        figures.push(Figure::count(format!("{what}: messages in that time"), talk.len()));
        told.push((all, least, during));
    }
    figures.push(Figure::millis("p99 of the two that talk, before", before));
    if let [(open_all, open_cost, open_talk), (all, cost, talk)] = told.as_slice() {
        figures.push(Figure::ratio("Redis to nobody: until all are in", *all, *open_all));
        figures.push(Figure::ratio("Redis to nobody: processor time for one, least", *cost, *open_cost));
        figures.push(Figure::ratio("Redis to nobody: p99 of the two that talk, until all are in", *talk, *open_talk));
    }
    figures
}
