//! `[limits]` and `[listener.limits]`: every bound of what clients may use up, as one table of keys. Defaults live with the bounds themselves.

use std::time::Duration;

use signet_mqtt::QoS;
use signet_policy::Reserved;
use signet_server::{ListenerLimits, ServerLimits};

use super::section::{At, Section};
use super::{abuse, conduct};

/// The bounds of the broker, of its decoder and of what comes before both, set together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    pub(crate) broker: signet_broker::Limits,
    pub(crate) server: ServerLimits,
    pub(crate) listener: ListenerLimits,
    /// Topics of the broker's own.
    pub(crate) reserved: Reserved,
}

/// One numeric key: its range and what it sets.
struct Setting {
    key: &'static str,
    least: u64,
    most: u64,
    is_size: bool,
    set: fn(&mut Limits, u64),
}

impl Setting {
    fn read(&self, section: &Section<'_>, least: u64, most: u64) -> Option<At<u64>> {
        if self.is_size { section.size(self.key, least, most) } else { section.number(self.key, least, most) }
    }
}

const fn setting(key: &'static str, least: u64, most: u64, set: fn(&mut Limits, u64)) -> Setting {
    Setting { key, least, most, is_size: false, set }
}

/// A number of bytes, which may have a unit.
const fn sized(key: &'static str, least: u64, most: u64, set: fn(&mut Limits, u64)) -> Setting {
    Setting { key, least, most, is_size: true, set }
}

const SERVER_TOPICS: &str = "server_topics";

const GIB: u64 = 1 << 30;

/// A packet cannot be longer than what its Remaining Length can say, plus five octets of fixed header (§2.1.4).
const PACKET_BYTES_MAX: u64 = 268_435_460;

/// Packets and connections in a second: more than this is no bound.
const RATE_MAX: u64 = 1_000_000_000;

/// For one client or one listener: a listener may have its own.
const EACH: &[Setting] = &[
    sized("maximum_packet_size", 128, PACKET_BYTES_MAX, |limits, value| {
        limits.broker.maximum_packet_size = narrow_u32(value);
        limits.listener.decode.maximum_packet_size = narrow_u32(value);
    }),
    sized("maximum_connect_size", 128, PACKET_BYTES_MAX, |limits, value| limits.listener.decode.maximum_connect_size = narrow_u32(value)),
    setting("user_properties_maximum", 0, 65_535, |limits, value| limits.listener.decode.maximum_user_properties = narrow_usize(value)),
    setting("filters_per_packet_maximum", 1, 65_535, |limits, value| limits.listener.decode.maximum_filters = narrow_usize(value)),
    sized("topic_bytes_maximum", 1, 65_535, |limits, value| limits.listener.decode.maximum_topic_length = narrow_usize(value)),
    setting("topic_levels_maximum", 1, 1024, |limits, value| {
        limits.broker.topic_levels_maximum = narrow_u16(value);
        limits.listener.decode.maximum_topic_levels = limits.listener.decode.maximum_topic_levels.max(narrow_usize(value));
    }),
    setting("receive_maximum", 1, 65_535, |limits, value| limits.broker.receive_maximum = narrow_u16(value)),
    setting("maximum_inflight", 1, 65_535, |limits, value| limits.broker.maximum_inflight = narrow_u16(value)),
    // Both directions, unless the next key says otherwise.
    setting("topic_alias_maximum", 0, 65_535, |limits, value| {
        limits.broker.topic_alias_maximum = narrow_u16(value);
        limits.broker.messages.topic_alias_outgoing_maximum = narrow_u16(value);
    }),
    setting("topic_alias_outgoing_maximum", 0, 65_535, |limits, value| {
        limits.broker.messages.topic_alias_outgoing_maximum = narrow_u16(value);
    }),
    sized("payload_maximum", 0, PACKET_BYTES_MAX, |limits, value| limits.broker.messages.payload_maximum = narrow_usize(value)),
    sized("inflight_bytes_maximum", 0, 64 * GIB, |limits, value| limits.broker.messages.inflight_bytes_maximum = narrow_usize(value)),
    sized("client_identifier_bytes_maximum", 23, 65_535, |limits, value| {
        limits.broker.connect.client_identifier_bytes_maximum = narrow_u16(value);
    }),
    setting("subscriptions_maximum", 1, 1_000_000, |limits, value| limits.broker.subscriptions_maximum = narrow_usize(value)),
    setting("access_answers_maximum", 0, 100_000, |limits, value| limits.broker.access_answers_maximum = narrow_usize(value)),
    setting("queued_messages_maximum", 1, 100_000_000, |limits, value| limits.broker.queued_messages_maximum = narrow_usize(value)),
    sized("queued_bytes_maximum", 1024, 64 * GIB, |limits, value| limits.broker.queued_bytes_maximum = narrow_usize(value)),
    setting("publish_rate", 0, RATE_MAX, |limits, value| limits.listener.publish_rate = narrow_u32(value)),
    sized("receive_rate", 0, 64 * GIB, |limits, value| limits.listener.receive_rate = value),
    setting("connect_rate", 0, RATE_MAX, |limits, value| limits.listener.connect_rate = narrow_u32(value)),
    setting("connections_per_address_maximum", 0, 10_000_000, |limits, value| {
        limits.listener.connections_per_address_maximum = narrow_usize(value);
    }),
];

/// Over all listeners and clients.
const ALL: &[Setting] = &[
    setting("connections_maximum", 1, 10_000_000, |limits, value| limits.server.connections_maximum = narrow_usize(value)),
    setting("handshakes_maximum", 1, 1_000_000, |limits, value| limits.server.handshakes_maximum = narrow_usize(value)),
    setting("connect_rate_total", 0, RATE_MAX, |limits, value| limits.server.connect_rate_total = narrow_u32(value)),
    setting("sessions_maximum", 1, 100_000_000, |limits, value| limits.broker.total.sessions_maximum = narrow_usize(value)),
    setting("queued_messages_total_maximum", 1, 10_000_000_000, |limits, value| {
        limits.broker.total.queued_messages_maximum = narrow_usize(value);
    }),
    sized("queued_bytes_total_maximum", 1024, 1024 * GIB, |limits, value| {
        limits.broker.total.queued_bytes_maximum = narrow_usize(value);
    }),
    setting("retained_messages_maximum", 0, 1_000_000_000, |limits, value| {
        limits.broker.total.retained_messages_maximum = narrow_usize(value);
    }),
    sized("retained_bytes_maximum", 0, 1024 * GIB, |limits, value| limits.broker.total.retained_bytes_maximum = narrow_usize(value)),
];

impl Limits {
    /// Reads `[limits]`; keys left out keep their defaults.
    pub(crate) fn read(section: Section<'_>) -> Self {
        let mut limits = Self::default();
        limits.read_settings(&section, ALL);
        abuse::read(&section, &mut limits.server.abuse);
        conduct::read_for_all(&section, &mut limits.broker.messages);
        if let Some(at) = section.choice(SERVER_TOPICS, &[("$", Reserved::Dollar), ("$SYS", Reserved::Sys)]) {
            limits.reserved = at.value;
        }
        limits.read_each(&section);
        section.finish();
        limits
    }

    /// Reads `[listener.limits]`; keys left out are those of `[limits]`.
    pub(crate) fn read_listener(section: Section<'_>, general: &Self) -> Self {
        let mut limits = general.clone();
        limits.read_each(&section);
        for setting in ALL {
            if let Some(at) = setting.read(&section, 0, u64::MAX) {
                section.misplaced(&at, setting.key, "it counts over all listeners: set it in [limits]");
            }
        }
        abuse::refuse(&section);
        conduct::refuse_for_all(&section);
        if let Some(at) = section.string(SERVER_TOPICS) {
            section.misplaced(&at, SERVER_TOPICS, "it counts over all listeners: set it in [limits]");
        }
        section.finish();
        limits
    }

    fn read_settings(&mut self, section: &Section<'_>, settings: &[Setting]) {
        for setting in settings {
            if let Some(value) = setting.read(section, setting.least, setting.most) {
                (setting.set)(self, value.value);
            }
        }
    }

    fn read_each(&mut self, section: &Section<'_>) {
        self.read_settings(section, EACH);
        conduct::read_connect(section, &mut self.broker.connect);
        conduct::read_messages(section, &mut self.broker.messages);
        if let Some(qos) = section.number("maximum_qos", 0, 2) {
            self.broker.maximum_qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
                .into_iter()
                .find(|known| u64::from(u8::from(*known)) == qos.value)
                .unwrap_or(self.broker.maximum_qos);
        }
        if let Some(longest) = section.duration("keep_alive_maximum", Duration::ZERO, Duration::from_secs(65_535)) {
            self.broker.connect.keep_alive_maximum = narrow_u16(longest.value.as_secs());
        }
        let forever = Duration::from_secs(u64::from(u32::MAX));
        if let Some(longest) = section.duration("session_expiry_maximum", Duration::ZERO, forever) {
            self.broker.session_expiry_maximum = narrow_u32(longest.value.as_secs());
        }
    }
}

// The ranges above keep each value inside its type; the fallbacks are never reached.

fn narrow_u16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn narrow_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn narrow_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use signet_broker::Durability;

    use super::super::file::File;
    use super::super::problem::Problems;
    use super::super::resolved::Config;

    fn resolve(text: &str) -> (Config, Vec<String>) {
        let problems = Problems::new(Path::new("signet.toml"), text);
        let config = Config::resolve(File::parse(text, &problems), Path::new("signet.toml"), &problems);
        (config, problems.into_sorted().into_iter().map(|problem| problem.message).collect())
    }

    const LISTENER: &str = "[[listener]]\nname = \"NAME\"\nbind = \"127.0.0.1:PORT\"\ntransport = \"tcp\"\nanonymous = true\n";

    fn listener(name: &str, port: u16) -> String {
        LISTENER.replace("NAME", name).replace("PORT", &port.to_string())
    }

    #[test]
    fn a_listener_may_have_its_own_limits() {
        let text = format!(
            "{}durability = \"off\"\n[listener.limits]\nreceive_maximum = 7\npublish_rate = 9\nmaximum_packet_size = \"2KiB\"\n{}[limits]\n\
             receive_maximum = 5\nconnect_rate = 3\nsessions_maximum = 8\n",
            listener("one", 1),
            listener("two", 2)
        );
        let (config, problems) = resolve(&text);
        assert_eq!(problems, Vec::<String>::new());
        let [one, two] = [0, 1].map(|index| config.listeners[index].limits());
        assert_eq!((one.broker.receive_maximum, two.broker.receive_maximum, config.limits.broker.receive_maximum), (7, 5, 5));
        assert_eq!((one.listener.publish_rate, one.listener.connect_rate), (9, 3), "what is left out is that of [limits]");
        assert_eq!((two.listener.publish_rate, two.listener.connect_rate), (0, 3));
        assert_eq!((one.broker.maximum_packet_size, one.listener.decode.maximum_packet_size), (2048, 2048));
        assert_eq!(config.limits.broker.total.sessions_maximum, 8);
        assert_eq!(config.listeners[0].durability, Some(Durability::Off));
    }

    #[test]
    fn what_may_be_tried_is_said_once_for_all_listeners() {
        let text = format!(
            "{}[limits]\nattempts_maximum = 5\nattempts_window = \"2m\"\nattempts_exempt = [\"10.0.0.0/8\", \"unix\"]\nhold_off = \"10s\"\n\
             hold_off_maximum = \"1h\"\nidentity_connect_rate = 30\nflapping_maximum = 15\nflapping_window = \"90s\"\nflapping_hold_off = \"5m\"\n",
            listener("one", 1)
        );
        let (config, problems) = resolve(&text);
        assert_eq!(problems, Vec::<String>::new());
        let abuse = &config.limits.server.abuse;
        assert_eq!((abuse.attempts_maximum, abuse.identity_connect_rate, abuse.flapping_maximum), (5, 30, 15));
        assert_eq!((abuse.attempts_window, abuse.hold_off, abuse.hold_off_maximum).2.as_secs(), 3_600);
        assert_eq!(abuse.attempts_exempt.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "unix"]);
        assert_eq!((abuse.flapping_window.as_secs(), abuse.flapping_hold_off.as_secs()), (90, 300));

        let text = format!(
            "{}[listener.limits]\nattempts_maximum = 5\nhold_off = \"1s\"\nattempts_exempt = []\n[limits]\nhold_off = \"1h\"\nattempts_exempt = [\"here\"]\n",
            listener("one", 1)
        );
        let mut problems = resolve(&text).1;
        problems.sort();
        assert_eq!(
            problems,
            [
                "`attempts_exempt` has no meaning in [listener.limits]",
                "`attempts_maximum` has no meaning in [listener.limits]",
                "`here` is not a network, an address or `unix`",
                "`hold_off` has no meaning in [listener.limits]",
                "`hold_off` is longer than `hold_off_maximum`",
            ]
        );
    }

    #[test]
    fn what_becomes_of_clients_and_messages_is_read() {
        let text = format!(
            "{}[listener.limits]\nprotocol_versions = [\"5.0\"]\nforeign_session = \"resume\"\n[limits]\npayload_maximum = \"1KiB\"\n\
             inflight_bytes_maximum = 7\ntopic_alias_maximum = 3\nqueued_qos0 = true\nempty_client_identifier = false\n\
             assigned_client_identifier_prefix = \"a\"\nclient_identifier_prefix = \"b\"\nkeep_alive_enforced = true\nanswers = \"plain\"\n\
             retained_available = false\nretained_expiry = \"2m\"\nretained_source = \"check\"\noverlapping_subscriptions = \"each_mqtt5\"\n\
             delivery_qos = \"subscription\"\nserver_topics = \"$SYS\"\n",
            listener("one", 1)
        );
        let (config, problems) = resolve(&text);
        assert_eq!(problems, Vec::<String>::new());
        let messages = signet_broker::MessageRules {
            payload_maximum: 1024,
            inflight_bytes_maximum: 7,
            queued_qos0: true,
            topic_alias_outgoing_maximum: 3,
            answers: signet_broker::Wording::Plain,
            retained_available: false,
            retained_expiry: 120,
            is_retained_source_checked: true,
            overlapping_subscriptions: signet_broker::Overlapping::EachOf5,
            raises_qos: true,
        };
        let limits = &config.limits;
        assert_eq!((&limits.broker.messages, limits.reserved), (&messages, signet_policy::Reserved::Sys));
        let connect = &config.listeners[0].limits().broker.connect;
        assert_eq!(*connect.protocol_versions, [signet_mqtt::ProtocolVersion::V5]);
        assert_eq!((connect.foreign_session, limits.broker.connect.foreign_session).0, signet_broker::ForeignSession::Resume);
        assert_eq!((&*connect.assigned_client_identifier_prefix, &*connect.client_identifier_prefix), ("a", "b"));
        assert!(connect.keep_alive_enforced && !connect.empty_client_identifier);
        assert_eq!(config.listeners[0].limits().broker.messages, messages, "what is left out is that of [limits]");

        let wrong = "[listener.limits]\nretained_available = false\nserver_topics = \"$\"\nprotocol_versions = []\n[limits]\n\
                     protocol_versions = [\"4.0\"]\nanswers = \"long\"\n";
        let mut problems = resolve(&format!("{}{wrong}", listener("one", 1))).1;
        problems.sort();
        assert_eq!(
            problems,
            [
                "`long` is not a value of `answers`, expected one of `full` and `plain`",
                "`protocol_versions` is empty: nobody could connect",
                "`retained_available` has no meaning in [listener.limits]",
                "`server_topics` has no meaning in [listener.limits]",
                "there is no version `4.0`",
            ]
        );
    }

    #[test]
    fn what_counts_over_all_listeners_has_no_place_in_one() {
        let text = format!("{}[listener.limits]\nsessions_maximum = 5\nretained_bites_maximum = 1\n", listener("one", 1));
        assert_eq!(
            resolve(&text).1,
            ["`sessions_maximum` has no meaning in [listener.limits]", "unknown key `retained_bites_maximum` in [listener.limits]"]
        );
    }
}
