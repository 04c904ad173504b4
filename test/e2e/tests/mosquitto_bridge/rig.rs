//! Brokers with a bridge, ours and Mosquitto's, from the same lines.

use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use signet_e2e::{PATIENCE, Whose};
use signet_mosquitto::Files;
use signet_testkit::{Broker, BrokerConfig, Device, Mosquitto, Target};

/// A broker with a bridge.
pub(crate) enum Near {
    Ours(Broker),
    Mosquittos(Mosquitto),
}

impl Near {
    /// Starts it with the `connection` lines of a `mosquitto.conf`.
    pub(crate) fn start(whose: Whose, lines: &str) -> Self {
        match whose {
            Whose::Ours => Self::Ours(Broker::start(&ours(lines))),
            Whose::Mosquittos => Self::Mosquittos(Mosquitto::start_with(&format!("allow_anonymous true\n{lines}"), None)),
        }
    }

    pub(crate) fn target(&self) -> Target {
        match self {
            Self::Ours(broker) => broker.plain(),
            Self::Mosquittos(broker) => Target::tcp(broker.plain_port()),
        }
    }

    pub(crate) fn client(&self, identifier: &str) -> Device {
        Device::connect(&self.target(), signet_mqtt::ProtocolVersion::V5, identifier)
    }

    pub(crate) fn log(&self) -> String {
        match self {
            Self::Ours(broker) => broker.log().join("\n"),
            Self::Mosquittos(broker) => broker.log(),
        }
    }

    /// Ends it in good order where that can be asked for.
    pub(crate) fn stop(self) {
        if let Self::Ours(mut broker) = self {
            broker.stop();
        }
    }
}

/// Our configuration with the same bridge.
pub(crate) fn ours(lines: &str) -> BrokerConfig {
    BrokerConfig::plain().access(&translated(lines))
}

/// The `[[bridge]]` tables that come out of these lines.
pub(crate) fn translated(lines: &str) -> String {
    let translation = signet_mosquitto::translate(Path::new("/mosquitto.conf"), Path::new("/"), &Lines(lines)).unwrap();
    let mut whole: toml::Table = translation.toml.parse().unwrap();
    whole.retain(|key, _| key == "bridge");
    toml::to_string(&whole).unwrap()
}

struct Lines<'a>(&'a str);

impl Files for Lines<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("/mosquitto.conf") { Ok(self.0.as_bytes().to_vec()) } else { Err("there is no such file".to_owned()) }
    }

    fn list(&self, _: &Path) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

#[track_caller]
pub(crate) fn await_that(what: &str, holds: impl FnMut() -> bool) {
    await_or_show(what, holds, String::new);
}

/// The same, and what there is to see when it does not come.
#[track_caller]
pub(crate) fn await_or_show(what: &str, mut holds: impl FnMut() -> bool, show: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {} s\n{}", PATIENCE.as_secs(), show());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A Mosquitto without bridges.
pub(crate) fn far() -> Mosquitto {
    Mosquitto::start(None)
}

pub(crate) fn client(broker: &Mosquitto, identifier: &str) -> Device {
    Device::connect(&Target::tcp(broker.plain_port()), signet_mqtt::ProtocolVersion::V5, identifier)
}

/// What this machine is called, as it stands in Client Identifiers.
pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}
