//! What was asked for on the command line and in the option file, before anything is done about it.

use std::path::PathBuf;
use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS, RetainHandling};

use crate::format::Format;
use crate::property::Properties;
use crate::{Kind, Manner};

/// Messages that are in flight at a time where nobody said otherwise.
const IN_FLIGHT: u16 = 20;

/// Everything.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) kind: Kind,
    pub(crate) manner: Manner,
    pub(crate) place: PlaceOptions,
    pub(crate) who: WhoOptions,
    pub(crate) tls: TlsFlags,
    pub(crate) will: WillOptions,
    pub(crate) properties: Properties,
    pub(crate) publish: PublishOptions,
    pub(crate) subscribe: SubscribeOptions,
    pub(crate) output: OutputOptions,
    /// Of messages published, or of the subscription.
    pub(crate) qos: QoS,
    /// Lines for packets.
    pub(crate) debug: bool,
    /// No words about errors that come after the command line was read.
    pub(crate) quiet: bool,
}

/// Where the broker is.
#[derive(Debug, Default)]
pub(crate) struct PlaceOptions {
    /// A name, an address, or with port 0 the path of a unix socket.
    pub(crate) host: Option<Vec<u8>>,
    /// What was given last; with 0 the host is the path of a unix socket.
    pub(crate) port: Option<u16>,
    pub(crate) bind_address: Option<String>,
    pub(crate) srv: bool,
    pub(crate) no_delay: bool,
    /// The path of the WebSocket, where there is one.
    pub(crate) websocket: Option<String>,
    pub(crate) proxy: Option<Proxy>,
}

/// A SOCKS 5 proxy, which also looks the broker's name up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

/// Who connects, in which version of MQTT.
#[derive(Debug)]
pub(crate) struct WhoOptions {
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) id_prefix: Option<Vec<u8>>,
    pub(crate) username: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) version: ProtocolVersion,
    pub(crate) clean_session: bool,
    /// Seconds that the session outlives the connection. None: nothing was said.
    pub(crate) session_expiry: Option<u32>,
    /// Seconds.
    pub(crate) keep_alive: u16,
    /// QoS 1 and 2 messages that may wait for an acknowledgement at a time.
    pub(crate) in_flight_maximum: u16,
}

/// How to prove the broker to us, and us to the broker.
#[derive(Debug, Default)]
pub(crate) struct TlsFlags {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) ca_path: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) key_form: Option<String>,
    pub(crate) ciphers: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) engine: EngineFlags,
    pub(crate) use_os_trust: bool,
    pub(crate) insecure: bool,
    pub(crate) none: bool,
    pub(crate) key_log: Option<PathBuf>,
    pub(crate) psk: Option<String>,
    pub(crate) psk_identity: Option<String>,
}

/// An OpenSSL engine: Signet has none, so that naming one is an error.
#[derive(Debug, Default)]
pub(crate) struct EngineFlags {
    pub(crate) name: Option<String>,
    pub(crate) key_password: Option<String>,
}

/// The message that the broker publishes if we vanish.
#[derive(Debug, Default)]
pub(crate) struct WillOptions {
    pub(crate) topic: Option<String>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

/// Where the payload comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Message(Vec<u8>),
    File(PathBuf),
    StdinLines,
    Stdin,
    Null,
}

/// Of pub, and of rr's request.
#[derive(Debug)]
pub(crate) struct PublishOptions {
    pub(crate) topic: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) source: Option<Source>,
    pub(crate) retain: bool,
    pub(crate) repeat: u32,
    pub(crate) repeat_delay: Duration,
    pub(crate) measure_latency: bool,
}

/// Of sub, and of rr's answer.
#[derive(Debug)]
pub(crate) struct SubscribeOptions {
    pub(crate) filters: Vec<String>,
    pub(crate) unsubscribe: Vec<String>,
    pub(crate) filter_outs: Vec<String>,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
    pub(crate) no_retain: bool,
    pub(crate) retained_only: bool,
    pub(crate) remove_retained: bool,
    pub(crate) exit_after_suback: bool,
    /// Messages after which to leave.
    pub(crate) count: Option<u32>,
    /// Seconds after which to leave.
    pub(crate) timeout: Option<u32>,
    pub(crate) message_rate: bool,
}

/// How messages are shown.
#[derive(Debug)]
pub(crate) struct OutputOptions {
    pub(crate) format: Option<Format>,
    pub(crate) verbose: bool,
    pub(crate) end_of_line: bool,
    pub(crate) pretty: bool,
    pub(crate) watch: bool,
    /// Our own JSON.
    pub(crate) json: bool,
    /// Of ten thousand messages so many are shown.
    pub(crate) random_filter: u32,
}

impl Options {
    pub(crate) fn new(kind: Kind, manner: Manner) -> Self {
        let version = match (kind, manner) {
            (Kind::Request, _) | (_, Manner::Signet) => ProtocolVersion::V5,
            _ => ProtocolVersion::V311,
        };
        Self {
            kind,
            manner,
            place: PlaceOptions::default(),
            who: WhoOptions {
                id: None,
                id_prefix: None,
                username: None,
                password: None,
                version,
                clean_session: true,
                session_expiry: None,
                keep_alive: 60,
                in_flight_maximum: IN_FLIGHT,
            },
            tls: TlsFlags::default(),
            will: WillOptions::default(),
            properties: Properties::default(),
            publish: PublishOptions {
                topic: None,
                response_topic: None,
                source: None,
                retain: false,
                repeat: 1,
                repeat_delay: Duration::ZERO,
                measure_latency: false,
            },
            subscribe: SubscribeOptions {
                filters: Vec::new(),
                unsubscribe: Vec::new(),
                filter_outs: Vec::new(),
                no_local: false,
                retain_as_published: false,
                retain_handling: RetainHandling::SendAtSubscribe,
                no_retain: false,
                retained_only: false,
                remove_retained: false,
                exit_after_suback: false,
                count: (kind == Kind::Request).then_some(1),
                timeout: None,
                message_rate: false,
            },
            output: OutputOptions {
                format: None,
                verbose: false,
                end_of_line: true,
                pretty: false,
                watch: false,
                json: false,
                random_filter: 10_000,
            },
            qos: QoS::AtMostOnce,
            debug: false,
            quiet: false,
        }
    }
}
