//! Flags of the load generator. Where to and as whom are the words of `signet pub`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Subcommand, ValueEnum};
use signet_load::{Layout, QosMix};
use signet_mqtt::{ProtocolVersion, QoS};

const EXAMPLES: &str = "\
Examples:
  signet bench connect -h broker.example.com --cafile ca.pem --cert pump-7.pem --key pump-7.key --count 2000
  signet bench connect --cafile ca.pem --clients devices --resume         the certificates of a directory in turns, with TLS tickets
  signet bench connect --cafile ca.pem --clients devices --groups x25519  the same key exchange with every broker
  signet bench idle --count 10000 --hold 30 --pid 4711                    memory for each connection, CPU while nothing happens
  signet bench pubsub --layout fan-in --publishers 50                     as fast as 64 messages under way each let it
  signet bench pubsub --layout pairs --publishers 50 --qos 1 --rate 2000  how long messages take at 2000 in a second
  signet bench pubsub --layout fan-out --subscribers 500 --json           one JSON document
  signet bench pubsub -h broker.example.com -p 443 --ws --cafile ca.pem   MQTT in WebSocket, here over TLS

Give the broker a processor of its own and this program another one (`--cpu`), and see docs/guide/bench.md for what else to look at.
The exit code is 1 where the measurement is not valid: something was lost or failed.";

/// `signet bench …`
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Bench {
    /// Open connections and close them again: handshakes, CONNECT, CONNACK
    #[command(disable_help_flag = true, after_help = EXAMPLES)]
    Connect(Box<BenchConnect>),
    /// Open connections and hold them
    #[command(disable_help_flag = true, after_help = EXAMPLES)]
    Idle(Box<BenchIdle>),
    /// Publish and subscribe
    #[command(disable_help_flag = true, after_help = EXAMPLES)]
    Pubsub(Box<BenchPubsub>),
}

/// `signet bench connect`
#[derive(Debug, Args)]
pub(crate) struct BenchConnect {
    /// Connections in all
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count(10_000_000))]
    pub(crate) count: u64,
    /// Take up the TLS session of a connection before (tickets)
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) common: BenchCommon,
}

/// `signet bench idle`
#[derive(Debug, Args)]
pub(crate) struct BenchIdle {
    /// Connections in all
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count(1_000_000))]
    pub(crate) count: u64,
    /// How long all of them are held
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) hold: Duration,
    #[command(flatten)]
    pub(crate) common: BenchCommon,
}

/// `signet bench pubsub`
#[derive(Debug, Args)]
pub(crate) struct BenchPubsub {
    /// Who hears whom
    #[arg(long, value_enum, default_value_t = LayoutName::Pairs)]
    pub(crate) layout: LayoutName,
    /// Connections that publish
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(1_000_000))]
    pub(crate) publishers: u64,
    /// Connections that subscribe [default: 1; as many as publishers for pairs]
    #[arg(long, value_name = "N", value_parser = count(1_000_000))]
    pub(crate) subscribers: Option<u64>,
    #[command(flatten)]
    pub(crate) messages: BenchMessages,
    #[command(flatten)]
    pub(crate) topics: BenchTopics,
    /// Publishes in a second by all publishers together; latency then counts from when each was due [default: as fast as the window lets them]
    #[arg(long, value_name = "N", value_parser = count(100_000_000))]
    pub(crate) rate: Option<u64>,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Messages before that, which do not count
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) warm_up: Duration,
    /// `false`: sessions that outlive their connections, so that the broker keeps messages of QoS 1 and 2 for them
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) clean_start: bool,
    #[command(flatten)]
    pub(crate) common: BenchCommon,
}

/// What is published.
#[derive(Debug, Args)]
pub(crate) struct BenchMessages {
    /// Quality of service
    #[arg(short, long, value_name = "QOS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// Messages of QoS 0, 1 and 2 in a hundred, such as 70,20,10
    #[arg(long, value_name = "SHARES", conflicts_with = "qos", value_parser = shares)]
    qos_mix: Option<QosMix>,
    /// Octets of a message, or a range such as 16-65536
    #[arg(long, value_name = "OCTETS", default_value = "256", value_parser = payload)]
    pub(crate) payload: RangeInclusive<usize>,
    /// Messages of a publisher that may be under way [default: 64 with QoS 0, else 16]
    #[arg(long, value_name = "N", value_parser = count(30_000))]
    window: Option<u64>,
}

impl BenchMessages {
    pub(crate) fn qos(&self) -> QosMix {
        self.qos_mix.unwrap_or_else(|| QosMix::only(QoS::try_from(self.qos).unwrap_or_default()))
    }

    pub(crate) fn window(&self) -> u64 {
        self.window.unwrap_or_else(|| if self.qos().highest() == QoS::AtMostOnce { 64 } else { 16 })
    }
}

/// Where it is published to.
#[derive(Debug, Args)]
pub(crate) struct BenchTopics {
    /// Topics in all, which the publishers go round [default: one for each publisher, one in all for fan-out]
    #[arg(long = "topics", value_name = "N", value_parser = count(10_000_000))]
    pub(crate) count: Option<u64>,
    /// Subscribe by a wildcard instead of by every topic [default: for fan-in only]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) wildcards: Option<bool>,
    /// Topics begin with this; for brokers that let clients publish below some topics only
    #[arg(long, value_name = "TOPIC", default_value = "bench")]
    pub(crate) topic_prefix: String,
}

/// What all of them have.
#[derive(Debug, Args)]
pub(crate) struct BenchCommon {
    #[command(flatten)]
    pub(crate) place: BenchPlace,
    #[command(flatten)]
    pub(crate) tls: BenchTls,
    /// Connections that are being opened at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = count(100_000))]
    pub(crate) concurrency: u64,
    /// Process of the broker, on this machine: its CPU time and memory are measured, with its children's
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) pid: Vec<u32>,
    /// Keep this program on one processor, counted from 0
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Where to, and as whom.
#[derive(Debug, Args)]
pub(crate) struct BenchPlace {
    /// Name or address of the broker
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    pub(crate) host: String,
    /// Its port [default: 1883, with TLS 8883]
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// MQTT in WebSocket; with TLS that is wss
    #[arg(long)]
    pub(crate) ws: bool,
    /// Path of the WebSocket
    #[arg(long, value_name = "PATH", default_value = "/mqtt", requires = "ws", value_parser = path)]
    pub(crate) ws_path: String,
    /// Version of MQTT: 311 or 5
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "5", value_parser = mqtt_version)]
    pub(crate) mqtt_version: ProtocolVersion,
    /// User name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Password
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", requires = "username")]
    pub(crate) password: Option<String>,
    /// What client identifiers begin with
    #[arg(short = 'I', long, value_name = "TEXT", default_value = "signet-bench-")]
    pub(crate) id_prefix: String,
}

/// TLS; any of these flags, or port 8883, means it.
#[derive(Debug, Args)]
pub(crate) struct BenchTls {
    /// TLS: the authorities that the broker's certificate may come from
    #[arg(long, value_name = "FILE")]
    pub(crate) cafile: Option<PathBuf>,
    /// TLS: a directory of such files
    #[arg(long, value_name = "DIR")]
    pub(crate) capath: Option<PathBuf>,
    /// TLS: trust those that the system trusts
    #[arg(long)]
    pub(crate) tls_use_os_certs: bool,
    /// TLS: our certificate
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// TLS: the key of our certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// TLS: a directory of certificates NAME.pem with their keys NAME.key, which connections take in turns
    #[arg(long, value_name = "DIR", conflicts_with = "cert")]
    pub(crate) clients: Option<PathBuf>,
    /// TLS: believe whoever answers
    #[arg(long)]
    pub(crate) insecure: bool,
    /// TLS: this version and no other, tlsv1.2 or tlsv1.3
    #[arg(long, value_name = "VERSION", value_parser = ["tlsv1.2", "tlsv1.3"])]
    pub(crate) tls_version: Option<String>,
    /// TLS: cipher suites, by their names or as a list of OpenSSL
    #[arg(long, value_name = "LIST")]
    pub(crate) ciphers: Option<String>,
    /// TLS: groups of the key exchange to offer, best first [default: what current clients offer]
    #[arg(long, value_name = "LIST", value_delimiter = ',', ignore_case = true, value_parser = PossibleValuesParser::new(signet_tls::key_exchange_groups()))]
    pub(crate) groups: Vec<String>,
}

/// Names of layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// Many publishers, each with a topic; subscribers hear all of them
    FanIn,
    /// Publishers share a topic that many subscribers hear
    FanOut,
    /// Each publisher has one subscriber
    Pairs,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::FanIn => Self::FanIn,
            LayoutName::FanOut => Self::FanOut,
            LayoutName::Pairs => Self::Pairs,
        }
    }
}

/// The longest run: a day.
const LONGEST: f64 = 86_400.0;

fn count(maximum: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=maximum)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected seconds, such as 10 or 0.5".to_owned())?;
    if (0.0..=LONGEST).contains(&number) { Ok(Duration::from_secs_f64(number)) } else { Err("expected 0 to 86400 seconds".to_owned()) }
}

fn payload(text: &str) -> Result<RangeInclusive<usize>, String> {
    let octets = |text: &str| text.parse::<usize>().map_err(|_| "expected octets, such as 256, or a range, such as 16-65536".to_owned());
    let (smallest, largest) = text.split_once('-').unwrap_or((text, text));
    Ok(octets(smallest)?..=octets(largest)?)
}

fn shares(text: &str) -> Result<QosMix, String> {
    let expected = || "expected three shares that are 100 in all, such as 70,20,10".to_owned();
    let shares: Vec<u8> = text.split(',').map(|share| share.trim().parse().map_err(|_| expected())).collect::<Result<_, _>>()?;
    <[u8; 3]>::try_from(shares).ok().and_then(QosMix::shares).ok_or_else(expected)
}

/// As it stands in the first line of an HTTP request: whatever else that line could say is not for a path to say.
fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|octet| octet.is_ascii_graphic());
    if is_path { Ok(text.to_owned()) } else { Err("expected a path such as /mqtt, of ASCII characters without spaces".to_owned()) }
}

fn mqtt_version(text: &str) -> Result<ProtocolVersion, String> {
    match text {
        "311" | "3.1.1" | "mqttv311" => Ok(ProtocolVersion::V311),
        "5" | "5.0" | "mqttv5" => Ok(ProtocolVersion::V5),
        _ => Err("expected 311 or 5".to_owned()),
    }
}
