//! Four MQTT clients behind one face: the Mosquitto tools, paho-mqtt, MQTT.js and our own commands.

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
    /// Everybody.
    pub const ALL: [Self; 4] = [Self::Mosquitto, Self::Paho, Self::MqttJs, Self::Signet];

    /// Starts a subscriber. [`Client::wait_subscribed`] waits until its subscription stands.
    #[track_caller]
    pub fn subscribe(self, version: Version, port: u16, credentials: &Credentials, subscription: &Subscription<'_>) -> Running {
        let mut command = self.command("sub", version, port, credentials, subscription.client_identifier);
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
    pub fn publish(self, version: Version, port: u16, credentials: &Credentials, message: &Publication<'_>) -> Finished {
        let mut command = self.command("pub", version, port, credentials, message.client_identifier);
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

    fn command(self, action: &str, version: Version, port: u16, credentials: &Credentials, client_identifier: &str) -> Command {
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
            command.args(["-h", "127.0.0.1", "-V"]).arg(match version {
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
        command.arg(self.flag("-p", "--port")).arg(port.to_string());
        command.arg(self.flag("-i", "--id")).arg(client_identifier);
        command.arg("--cafile").arg(&credentials.cafile);
        if let Some((certificate, key)) = &credentials.certificate {
            command.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        command
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
