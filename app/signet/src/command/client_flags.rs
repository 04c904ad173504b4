//! The flags that `signet pub` and `signet sub` share, as typed, and what they mean: a CONNECT packet and where to send it.
//!
//! Names and letters are those of mosquitto_pub and mosquitto_sub, so that a command copied from elsewhere works.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use signet_client::{Client, ClientError, ConnectOptions, DeviceName, Endpoint, Psk, PskOptions, TlsOptions, Trace};
use signet_mqtt::{ClientIdentifier, Connect, ConnectProperties, Password, ProtocolVersion, QoS, TopicName, Will};

use crate::command::broker_url::BrokerUrl;
use crate::command::client_properties::Properties;
use crate::hint::Failure;
use crate::output;

/// Bound on each step of connecting and on every answer we need.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How to reach a broker and as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct ConnectionFlags {
    /// Host name or address of the broker
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// Port [default: 1883, with TLS 8883]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Connect through the unix socket at PATH instead of TCP
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port", "url"])]
    unix: Option<PathBuf>,
    /// The broker as a URL: mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or unix:PATH; ports may be left out
    #[arg(long, value_name = "URL", conflicts_with_all = ["host", "port"], value_parser = BrokerUrl::parse)]
    url: Option<BrokerUrl>,
    #[command(flatten)]
    tls: TlsFlags,
    #[command(flatten)]
    who: IdentityFlags,
    // Not 3.1.1 as with mosquitto's: only MQTT 5.0 can tell the person at the terminal why the broker ended a connection.
    /// Version of MQTT: 5, 311 or 31 (also mqttv5, mqttv311, mqttv31)
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "5", value_parser = protocol_version)]
    protocol_version: ProtocolVersion,
    /// Seconds between two signs of life; 0 for none
    #[arg(short = 'k', long, value_name = "SECONDS", default_value_t = 60)]
    keepalive: u16,
    #[command(flatten)]
    session: SessionFlags,
    #[command(flatten)]
    will: WillFlags,
    #[command(flatten)]
    property: PropertyFlags,
    /// Print a line for every packet, to stderr
    #[arg(short = 'd', long)]
    debug: bool,
    /// Print no error messages; the exit code says it
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Every `-D`, each with its words. Written by hand because the derive macro does not keep repetitions apart.
#[derive(Debug, Default)]
struct PropertyFlags(Vec<Vec<String>>);

impl clap::Args for PropertyFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.arg(
            clap::Arg::new("property")
                .short('D')
                .long("property")
                .value_names(["PACKET", "NAME", "VALUE", "VALUE"])
                .num_args(3..=4)
                .action(clap::ArgAction::Append)
                .help("An MQTT 5.0 property: `-D connect receive-maximum 10`, `-D publish user-property NAME VALUE`; may be repeated"),
        )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for PropertyFlags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.get_occurrences::<String>("property").into_iter().flatten();
        Ok(Self(given.map(|words| words.cloned().collect()).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `--cafile` and what goes with it.
#[derive(Debug, clap::Args)]
struct TlsFlags {
    /// Use TLS, and trust the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
    /// Our certificate, PEM, followed by its intermediates
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of our certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Use TLS, and believe whoever answers: for experiments only
    #[arg(long)]
    insecure: bool,
    /// Use TLS with this key that we share with the broker, in hexadecimal; visible to other users of this machine while the command runs
    #[arg(long, value_name = "HEX", requires = "psk_identity", conflicts_with_all = ["cafile", "cert", "key", "insecure"], value_parser = psk)]
    psk: Option<Psk>,
    /// The name under which the broker keeps that key
    #[arg(long, value_name = "NAME", requires = "psk", value_parser = psk_identity)]
    psk_identity: Option<DeviceName>,
}

/// Client Identifier, User Name, Password.
#[derive(Debug, clap::Args)]
struct IdentityFlags {
    /// Client identifier [default: signet-pub- or signet-sub- and a random end]
    #[arg(short = 'i', long, value_name = "ID", conflicts_with = "id_prefix")]
    id: Option<String>,
    /// Client identifier: this, and a random end
    #[arg(short = 'I', long, value_name = "PREFIX")]
    id_prefix: Option<String>,
    /// User name
    #[arg(short = 'u', long, value_name = "NAME")]
    username: Option<String>,
    /// Password; visible to other users of this machine while the command runs
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", allow_hyphen_values = true)]
    password: Option<String>,
}

/// How long the broker keeps our session.
#[derive(Debug, clap::Args)]
struct SessionFlags {
    /// Keep the session: the broker holds subscriptions and messages for the next time (needs -i)
    #[arg(short = 'c', long)]
    disable_clean_session: bool,
    /// Seconds the session outlives the connection, MQTT 5.0; -1 for ever [default: 0, with -c for ever]
    #[arg(short = 'x', long = "session-expiry-interval", value_name = "SECONDS", allow_hyphen_values = true, value_parser = session_expiry)]
    session_expiry: Option<u32>,
}

/// The message the broker publishes if we vanish.
#[derive(Debug, clap::Args)]
struct WillFlags {
    /// Topic of the will
    #[arg(long, value_name = "TOPIC", value_parser = topic_name)]
    will_topic: Option<TopicName>,
    /// Payload of the will
    #[arg(long, value_name = "TEXT", requires = "will_topic", allow_hyphen_values = true)]
    will_payload: Option<String>,
    /// Quality of service of the will
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = qos)]
    will_qos: Option<QoS>,
    /// Let the broker keep the will for later subscribers
    #[arg(long, requires = "will_topic")]
    will_retain: bool,
}

impl ConnectionFlags {
    /// Checks what one flag cannot know of another, without touching the network.
    ///
    /// `program` names the random identifier, `signet-{program}-xxxxxxxx`.
    pub(crate) fn resolve(&self, program: &str) -> Result<(ConnectOptions, Properties), Failure> {
        let properties = Properties::parse(&self.property.0)?;
        if !self.property.0.is_empty() && self.protocol_version != ProtocolVersion::V5 {
            return Err(usage("`-D` needs MQTT 5.0").hint("add `-V 5`"));
        }
        let tls = self.tls()?;
        let connect = self.connect(program, &properties)?;
        let endpoint = self.endpoint(tls.is_some())?;
        Ok((ConnectOptions { tls, ..ConnectOptions::new(endpoint, connect, TIMEOUT) }, properties))
    }

    fn endpoint(&self, has_tls: bool) -> Result<Endpoint, Failure> {
        if let Some(path) = &self.unix {
            return Ok(Endpoint::unix(path));
        }
        let Some(url) = &self.url else {
            return Ok(Endpoint::tcp(&self.host, self.port.unwrap_or(if has_tls { 8883 } else { 1883 })));
        };
        match (url.is_secure, has_tls) {
            (true, false) => Err(usage("this URL means TLS, and `--cafile` or `--psk` is missing")
                .hint("after `signet quickstart` add `--cafile ca/ca.pem`")),
            (false, true) => {
                Err(usage("this URL means no TLS, and `--cafile`, `--insecure` or `--psk` asks for it").hint("write mqtts:// or wss://"))
            }
            _ => Ok(url.endpoint.clone()),
        }
    }

    /// Connects, with a line per packet on stderr where `-d` asks for it.
    pub(crate) fn open(&self, options: &ConnectOptions) -> Result<Client, ClientError> {
        let trace = if self.debug { Trace::to(output::note) } else { Trace::off() };
        Client::connect(options, trace)
    }

    /// Says what went wrong and returns the exit code for it.
    pub(crate) fn report(&self, error: &ClientError) -> std::process::ExitCode {
        if !self.quiet {
            let failure = Failure::new(error.to_string());
            let failure = match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            };
            output::note(&failure.to_string());
        }
        error.exit_code().into()
    }

    fn tls(&self) -> Result<Option<TlsOptions>, Failure> {
        let TlsFlags { cafile, cert, key, insecure, psk, psk_identity } = &self.tls;
        if let (Some(key), Some(identity)) = (psk, psk_identity) {
            let psk = Some(PskOptions { identity: identity.clone(), key: key.clone() });
            return Ok(Some(TlsOptions { psk, ..TlsOptions::default() }));
        }
        if cafile.is_none() && !insecure {
            if cert.is_some() {
                return Err(usage("`--cert` and `--key` need `--cafile`, the authorities that vouch for the broker")
                    .hint("after `signet quickstart` that is `--cafile ca/ca.pem`"));
            }
            if self.port == Some(8883) {
                return Err(usage("port `8883` is the port of MQTT over TLS, and `--cafile` or `--psk` is missing")
                    .hint("after `signet quickstart` add `--cafile ca/ca.pem`; for a plain listener use another port"));
            }
            return Ok(None);
        }
        Ok(Some(TlsOptions {
            ca_file: cafile.clone(),
            certificate: cert.clone(),
            key: key.clone(),
            insecure: *insecure,
            ..TlsOptions::default()
        }))
    }

    fn connect(&self, program: &str, properties: &Properties) -> Result<Connect, Failure> {
        let version = self.protocol_version;
        let client_identifier = self.client_identifier(program)?;
        let clean_start = !self.session.disable_clean_session;
        if self.who.password.is_some() && self.who.username.is_none() && version != ProtocolVersion::V5 {
            // [MQTT-3.1.2-22] of 3.1.1: without a user name there is no password.
            return Err(usage("`-P` without `-u` is not possible before MQTT 5.0").hint("add `-u`, or `-V 5`"));
        }
        if !clean_start && client_identifier.is_empty() {
            return Err(usage("`-c` keeps a session, and a session needs a name").hint("add `-i NAME`"));
        }
        let session_expiry_interval = match self.session.session_expiry {
            Some(_) if version != ProtocolVersion::V5 => return Err(usage("`-x` needs MQTT 5.0").hint("add `-V 5`")),
            None if !clean_start => Some(u32::MAX),
            given => given,
        };
        Ok(Connect {
            version,
            is_bridge: false,
            clean_start,
            keep_alive: self.keepalive,
            client_identifier,
            will: self.will(properties),
            username: self.who.username.clone().map(Into::into),
            password: self.who.password.clone().map(|password| Password::new(password.into_bytes())),
            properties: ConnectProperties { session_expiry_interval, ..properties.connect.clone() },
        })
    }

    fn client_identifier(&self, program: &str) -> Result<ClientIdentifier, Failure> {
        let text = match (&self.who.id, &self.who.id_prefix) {
            (Some(id), _) => id.clone(),
            (None, Some(prefix)) => format!("{prefix}{}", random_end()?),
            (None, None) if self.session.disable_clean_session => String::new(),
            (None, None) => format!("signet-{program}-{}", random_end()?),
        };
        Ok(ClientIdentifier::new(text))
    }

    fn will(&self, properties: &Properties) -> Option<Will> {
        let topic = self.will.will_topic.clone()?;
        Some(Will {
            topic,
            payload: self.will.will_payload.clone().unwrap_or_default().into_bytes().into(),
            qos: self.will.will_qos.unwrap_or(QoS::AtMostOnce),
            retain: self.will.will_retain,
            properties: properties.will.clone(),
        })
    }
}

/// A mistake on the command line that only shows when flags are taken together: exit code 2, as the flag parser's own.
pub(crate) fn usage(message: impl Into<String>) -> Failure {
    Failure::new(message)
}

/// Prints such a mistake.
pub(crate) fn report_usage(failure: &Failure) -> std::process::ExitCode {
    output::note(&failure.to_string());
    2.into()
}

/// For `-q`.
pub(crate) fn qos(text: &str) -> Result<QoS, String> {
    let number: u8 = text.parse().map_err(|_| format!("quality of service `{text}` is not a number, use 0, 1 or 2"))?;
    QoS::try_from(number).map_err(|error| error.to_string())
}

/// For topics that are published to.
pub(crate) fn topic_name(text: &str) -> Result<TopicName, String> {
    TopicName::new(text.to_owned()).map_err(|error| error.to_string())
}

/// Says nothing of what was written.
fn psk(text: &str) -> Result<Psk, String> {
    Psk::from_hex(text.as_bytes()).map_err(|error| error.to_string())
}

fn psk_identity(text: &str) -> Result<DeviceName, String> {
    DeviceName::new(text).map_err(|error| error.to_string())
}

fn protocol_version(text: &str) -> Result<ProtocolVersion, String> {
    match text {
        "5" | "mqttv5" | "5.0" => Ok(ProtocolVersion::V5),
        "311" | "mqttv311" | "3.1.1" | "4" => Ok(ProtocolVersion::V311),
        "31" | "mqttv31" | "3.1" | "3" => Ok(ProtocolVersion::V31),
        other => Err(format!("MQTT version `{other}` is not known, use 5, 311 or 31")),
    }
}

fn session_expiry(text: &str) -> Result<u32, String> {
    if matches!(text, "-1" | "∞") {
        return Ok(u32::MAX);
    }
    text.parse().map_err(|_| format!("`{text}` is not a number of seconds from 0 to {}, or -1", u32::MAX))
}

fn random_end() -> Result<String, Failure> {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failure::new("the system gives no random numbers"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
