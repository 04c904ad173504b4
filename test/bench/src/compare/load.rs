//! What a broker is made to do, as `signet bench` takes it.

use serde::{Deserialize, Serialize};

/// A whole load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) work: Work,
    pub(super) transport: Transport,
    pub(super) mqtt: Mqtt,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Work {
    /// Connections that come and go.
    Connect {
        count: u32,
        resumed: bool,
    },
    /// Connections that stay.
    Idle {
        count: u32,
    },
    Messages(Messages),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Messages {
    pub(super) layout: Layout,
    pub(super) publishers: u32,
    pub(super) subscribers: u32,
    /// The highest there is.
    pub(super) qos: u8,
    /// Messages of QoS 0, 1 and 2 in a hundred, where not all are alike.
    pub(super) mix: Option<[u8; 3]>,
    /// Bytes.
    pub(super) payload: u32,
    pub(super) topics: u32,
    /// A fan-in subscribes with one wildcard, in place of every topic.
    pub(super) wildcards: bool,
    /// Messages of a publisher that are under way at a time.
    pub(super) window: u32,
    /// Messages a second of all publishers together; as fast as the window lets without.
    pub(super) rate: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    FanIn,
    FanOut,
    Pairs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Transport {
    Tcp,
    /// Mutual TLS.
    Tls {
        version: Tls,
        key: Key,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tls {
    V12,
    V13,
}

/// Of the clients' certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Ecdsa,
    Rsa,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mqtt {
    V311,
    V5,
}

/// Group of the key exchange: the one that every library has, so that a broker which also knows ML-KEM has no more to do than one on OpenSSL 3.0.
const GROUP: &str = "x25519";

/// Connections that are opened at a time.
const CONCURRENCY: u32 = 16;

/// Seconds that idle connections are held.
const HOLD: u32 = 1;

/// Seconds of messages before those that count, at most.
const WARM_UP: f64 = 0.5;

impl Layout {
    fn word(self) -> &'static str {
        match self {
            Self::FanIn => "fan-in",
            Self::FanOut => "fan-out",
            Self::Pairs => "pairs",
        }
    }

    /// With how many there are of each unless a curve says otherwise.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::FanIn => "fan-in 50→1",
            Self::FanOut => "fan-out 1→500",
            Self::Pairs => "pairs 50→50",
        }
    }
}

impl Messages {
    /// As the table has them: 256 bytes, QoS 0.
    pub(super) fn in_layout(layout: Layout) -> Self {
        let (publishers, subscribers, topics, window) = match layout {
            Layout::FanIn => (50, 1, 50, 64),
            Layout::FanOut => (1, 500, 1, 16),
            Layout::Pairs => (50, 50, 50, 64),
        };
        Self {
            layout,
            publishers,
            subscribers,
            qos: 0,
            mix: None,
            payload: 256,
            topics,
            wildcards: layout == Layout::FanIn,
            window,
            rate: None,
        }
    }

    /// With a window that brokers take for acknowledged messages too: 20 under way is what several stop at.
    fn window(&self) -> u32 {
        if self.qos == 0 { self.window } else { self.window.min(16) }
    }
}

impl Load {
    /// The same with so little of everything that it only shows that it works.
    pub(super) fn tiny(mut self) -> Self {
        match &mut self.work {
            Work::Connect { count, .. } | Work::Idle { count } => *count = 20,
            Work::Messages(messages) => {
                messages.publishers = messages.publishers.min(4);
                messages.subscribers = messages.subscribers.min(4);
                messages.topics = messages.topics.clamp(messages.publishers, 100);
                messages.rate = messages.rate.map(|_| 200);
            }
        }
        self
    }

    /// Whether a broker that knows nothing but QoS 0 would do.
    pub(super) fn is_unacknowledged(&self) -> bool {
        !matches!(&self.work, Work::Messages(messages) if messages.qos > 0)
    }

    /// How long it takes about, with `seconds` of counted messages.
    pub(super) fn expected(&self, seconds: f64) -> f64 {
        match &self.work {
            Work::Connect { count, .. } => {
                let a_second = if self.transport == Transport::Tcp { 5_000.0 } else { 1_000.0 };
                1.0 + f64::from(*count) / a_second
            }
            Work::Idle { count } => 2.0 + f64::from(*count) / 1_000.0,
            Work::Messages(messages) => {
                let clients = f64::from(messages.publishers + messages.subscribers);
                1.5 + seconds + clients / 600.0 + f64::from(messages.topics) / 50_000.0
            }
        }
    }

    /// The words behind `signet bench` that say what to do; not those that say where.
    pub(super) fn arguments(&self, seconds: f64) -> Vec<String> {
        let command = match &self.work {
            Work::Connect { .. } => "connect",
            Work::Idle { .. } => "idle",
            Work::Messages(_) => "pubsub",
        };
        let mut words = vec![command.to_owned()];
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        match &self.work {
            Work::Connect { count, .. } => {
                add("--count", count.to_string());
                add("--concurrency", CONCURRENCY.to_string());
            }
            Work::Idle { count } => {
                add("--count", count.to_string());
                add("--hold", HOLD.to_string());
            }
            Work::Messages(messages) => {
                add("--layout", messages.layout.word().into());
                add("--publishers", messages.publishers.to_string());
                add("--subscribers", messages.subscribers.to_string());
                match messages.mix {
                    Some([never, once, exactly]) => add("--qos-mix", format!("{never},{once},{exactly}")),
                    None => add("--qos", messages.qos.to_string()),
                }
                add("--payload", messages.payload.to_string());
                add("--topics", messages.topics.to_string());
                add("--wildcards", messages.wildcards.to_string());
                add("--window", messages.window().to_string());
                add("--warm-up", WARM_UP.min(seconds).to_string());
                add("--seconds", seconds.to_string());
                if let Some(rate) = messages.rate {
                    add("--rate", rate.to_string());
                }
            }
        }
        add("--mqtt-version", if self.mqtt == Mqtt::V5 { "5" } else { "311" }.into());
        if let Transport::Tls { version, .. } = self.transport {
            // The same cipher suite and key exchange for every broker.
            let (name, suite) = match version {
                Tls::V13 => ("tlsv1.3", "TLS_AES_128_GCM_SHA256"),
                Tls::V12 => ("tlsv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            };
            add("--tls-version", name.into());
            add("--ciphers", suite.into());
            add("--groups", GROUP.into());
        }
        words.extend(matches!(self.work, Work::Connect { resumed: true, .. }).then(|| "--resume".to_owned()));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_become_words() {
        let messages = Messages { qos: 2, window: 64, mix: Some([70, 20, 10]), rate: Some(9), ..Messages::in_layout(Layout::FanIn) };
        let tls = Transport::Tls { version: Tls::V12, key: Key::Rsa };
        let words = Load { work: Work::Messages(messages), transport: tls, mqtt: Mqtt::V5 }.arguments(2.0).join(" ");
        assert_eq!(
            words,
            "pubsub --layout fan-in --publishers 50 --subscribers 1 --qos-mix 70,20,10 --payload 256 --topics 50 --wildcards true \
             --window 16 --warm-up 0.5 --seconds 2 --rate 9 --mqtt-version 5 --tls-version tlsv1.2 \
             --ciphers TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 --groups x25519"
        );
        let load = Load { work: Work::Connect { count: 7, resumed: true }, transport: Transport::Tcp, mqtt: Mqtt::V311 };
        assert_eq!(load.arguments(2.0).join(" "), "connect --count 7 --concurrency 16 --mqtt-version 311 --resume");
        let load = Load { work: Work::Idle { count: 10_000 }, ..load }.tiny();
        assert_eq!(load.arguments(2.0).join(" "), "idle --count 20 --hold 1 --mqtt-version 311");
    }
}
