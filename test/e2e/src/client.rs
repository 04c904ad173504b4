//! Four MQTT clients behind one face: the Mosquitto tools, paho-mqtt, MQTT.js and our own commands; and the doors that they come through.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{Finished, Running};
use crate::tools;

/// Whose client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// `mosquitto_pub`, `mosquitto_sub`
    Mosquitto,
    /// paho-mqtt for Python
    Paho,
    /// MQTT.js for Node.js
    MqttJs,
    /// `signet pub`, `signet sub`
    Signet,
}

/// MQTT version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1
    V31,
    /// 3.1.1
    V311,
    /// 5.0
    V5,
}

impl Version {
    /// Every version, the oldest first.
    pub const ALL: [Self; 3] = [Self::V31, Self::V311, Self::V5];
}

/// How to reach the broker on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// TLS, at this port.
    Tls(u16),
    /// WebSocket with the usual path.
    WebSocket(u16),
    /// The same over TLS.
    SecureWebSocket(u16),
    /// A unix socket.
    Unix(PathBuf),
}

impl From<u16> for Door {
    fn from(port: u16) -> Self {
        Self::Tls(port)
    }
}

impl Door {
    fn port(&self) -> Option<u16> {
        match self {
            Self::Tls(port) | Self::WebSocket(port) | Self::SecureWebSocket(port) => Some(*port),
            Self::Unix(_) => None,
        }
    }

    fn has_tls(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::SecureWebSocket(_))
    }

    /// As the scripts call it.
    fn name(&self) -> &'static str {
        match self {
            Self::Tls(_) => "tls",
            Self::WebSocket(_) => "ws",
            Self::SecureWebSocket(_) => "wss",
            Self::Unix(_) => "unix",
        }
    }
}

/// Whom to trust and what to show.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// CA file of the broker's certificate.
    pub cafile: PathBuf,
    /// Certificate chain and key, if any.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// A Will Message.
#[derive(Debug, Clone, Copy)]
pub struct Will<'a> {
    /// Topic Name.
    pub topic: &'a str,
    /// Payload.
    pub message: &'a str,
    /// 0, 1 or 2.
    pub qos: u8,
}

/// What a subscriber asks for.
#[derive(Debug, Clone, Copy)]
pub struct Subscription<'a> {
    /// Topic Filter.
    pub topic: &'a str,
    /// Maximum QoS.
    pub qos: u8,
    /// Client Identifier.
    pub client_identifier: &'a str,
    /// Leave after so many messages; 0: stay.
    pub count: usize,
    /// Its Will Message.
    pub will: Option<Will<'a>>,
}

impl<'a> Subscription<'a> {
    /// A subscriber that stays.
    pub fn to(topic: &'a str, qos: u8, client_identifier: &'a str) -> Self {
        Self { topic, qos, client_identifier, count: 0, will: None }
    }
}

impl Client {
    /// Who can speak WebSocket.
    pub const WEBSOCKET: [Self; 3] = [Self::Paho, Self::MqttJs, Self::Signet];
    /// Who can use unix sockets.
    pub const UNIX: [Self; 3] = [Self::Mosquitto, Self::Paho, Self::Signet];
    /// Everybody.
    pub const ALL: [Self; 4] = [Self::Mosquitto, Self::Paho, Self::MqttJs, Self::Signet];

    /// Starts a subscriber. [`Client::wait_subscribed`] waits until its subscription stands.
    #[track_caller]
    pub fn subscribe(self, version: Version, door: impl Into<Door>, credentials: &Credentials, subscription: &Subscription<'_>) -> Running {
        let mut command = self.command("sub", version, &door.into(), credentials, subscription.client_identifier);
        command.arg(self.flag("-t", "--topic")).arg(subscription.topic);
        command.arg(self.flag("-q", "--qos")).arg(subscription.qos.to_string());
        if subscription.count > 0 {
            command.arg(self.flag("-C", "--count")).arg(subscription.count.to_string());
        }
        if let Some(will) = subscription.will {
            command.arg("--will-topic").arg(will.topic);
            command.arg(self.flag("--will-payload", "--will-message")).arg(will.message);
            command.arg("--will-qos").arg(will.qos.to_string());
        }
        // -d tells of SUBACK; -F prints what the scripts print.
        match self {
            Self::Mosquitto => drop(command.args(["-d", "-F", "message %t %q %r %p"])),
            Self::Signet => drop(command.args(["-d", "--json"])),
            Self::Paho | Self::MqttJs => {}
        }
        Running::start(&mut command)
    }

    /// The line that a subscriber prints for a message without properties.
    pub fn shows(self, topic: &str, qos: u8, retain: bool, payload: &str) -> String {
        match self {
            Self::Signet => format!("{{\"payload\":\"{payload}\",\"qos\":{qos},\"retain\":{retain},\"topic\":\"{topic}\"}}"),
            Self::Mosquitto | Self::Paho | Self::MqttJs => format!("message {topic} {qos} {} {payload}", u8::from(retain)),
        }
    }

    /// Waits for the SUBACK.
    #[track_caller]
    pub fn wait_subscribed(self, subscriber: &Running) {
        subscriber.wait_for(if self.has_mosquitto_flags() { "received SUBACK" } else { "subscribed " });
    }

    /// Publishes one message and waits until the exchange is over and the client has left.
    #[track_caller]
    pub fn publish(self, version: Version, door: impl Into<Door>, credentials: &Credentials, message: &Publication<'_>) -> Finished {
        let mut command = self.command("pub", version, &door.into(), credentials, message.client_identifier);
        command.arg(self.flag("-t", "--topic")).arg(message.topic);
        command.arg(self.flag("-m", "--message")).arg(message.payload);
        command.arg(self.flag("-q", "--qos")).arg(message.qos.to_string());
        if message.retain {
            command.arg(self.flag("-r", "--retain"));
        }
        Running::run(&mut command)
    }

    fn has_mosquitto_flags(self) -> bool {
        matches!(self, Self::Mosquitto | Self::Signet)
    }

    fn flag(self, mosquitto: &'static str, script: &'static str) -> &'static str {
        if self.has_mosquitto_flags() { mosquitto } else { script }
    }

    fn command(self, action: &str, version: Version, door: &Door, credentials: &Credentials, client_identifier: &str) -> Command {
        let mut command = match self {
            Self::Mosquitto => {
                // Into a pipe the C library would keep lines back until a block is full.
                let mut command = Command::new("stdbuf");
                command.arg("-oL").arg(format!("mosquitto_{action}"));
                command
            }
            Self::Signet => {
                let mut command = Command::new(tools::signet());
                command.arg(action);
                command
            }
            Self::Paho => {
                let mut command = Command::new(tools::installed("python/bin/python"));
                command.arg(tools::script("paho_client.py")).arg(action);
                command
            }
            Self::MqttJs => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", tools::installed("node_modules"));
                command.arg(tools::script("mqttjs_client.js")).arg(action);
                command
            }
        };
        command.env("NO_COLOR", "1");
        if self.has_mosquitto_flags() {
            command.arg("-V").arg(match version {
                Version::V31 => "mqttv31",
                Version::V311 => "mqttv311",
                Version::V5 => "mqttv5",
            });
        } else {
            command.arg("--version").arg(match version {
                Version::V31 => "31",
                Version::V311 => "311",
                Version::V5 => "5",
            });
        }
        self.add_door(&mut command, door);
        command.arg(self.flag("-i", "--id")).arg(client_identifier);
        if door.has_tls() {
            command.arg("--cafile").arg(&credentials.cafile);
            if let Some((certificate, key)) = &credentials.certificate {
                command.arg("--cert").arg(certificate).arg("--key").arg(key);
            }
        }
        command
    }

    /// Says where to connect.
    ///
    /// # Panics
    /// When this client cannot come that way.
    fn add_door(self, command: &mut Command, door: &Door) {
        let port = door.port().map(|port| port.to_string()).unwrap_or_default();
        match (self, door) {
            (Self::Mosquitto | Self::Signet, Door::Tls(_)) => command.args(["-h", "127.0.0.1", "-p", &port]),
            (Self::Mosquitto | Self::Signet, Door::Unix(path)) => command.arg("--unix").arg(path),
            (Self::Signet, _) => command.arg("--url").arg(format!("{}://127.0.0.1:{port}/mqtt", door.name())),
            (Self::Paho, Door::Unix(path)) => command.args(["--door", "unix", "--path"]).arg(path),
            (Self::Paho, _) | (Self::MqttJs, Door::Tls(_) | Door::WebSocket(_) | Door::SecureWebSocket(_)) => {
                command.args(["--door", door.name(), "--port", &port])
            }
            (Self::Mosquitto | Self::MqttJs, _) => panic!("{self:?} cannot come through {door:?}"),
        };
    }
}

/// What a publisher sends.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// Topic Name.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a str,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker shall keep it.
    pub retain: bool,
    /// Client Identifier.
    pub client_identifier: &'a str,
}

impl<'a> Publication<'a> {
    /// A message that is not retained.
    pub fn of(topic: &'a str, payload: &'a str, qos: u8) -> Self {
        Self { topic, payload, qos, retain: false, client_identifier: "publisher" }
    }
}
