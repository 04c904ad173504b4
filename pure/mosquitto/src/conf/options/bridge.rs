//! Options of bridges.

use super::{Bounds, Definition, Kind, Native, Outside, Preset, Repeat, Scope, Structure, Words, option};

const fn bridged(name: &'static str, kind: Kind, default: Preset, native: &'static str, meaning: &'static str) -> Definition {
    option(name, Scope::Bridge, kind, default, Native::Described(native), meaning)
}

const ONE_TEXT: Kind = Kind::Text(Repeat::Refused);
const ONE_PATH: Kind = Kind::Path(Repeat::Refused);

const fn at_least(least: i64, message: &'static str) -> Kind {
    Kind::Number(Bounds::from(least, Outside::Said(least, message)))
}

pub(super) const BRIDGE: &[Definition] = &[
    option(
        "connection",
        Scope::Structure,
        Kind::Structure(Structure::Connection),
        Preset::None,
        Native::Described("`[[bridge]]`, `name`"),
        "A bridge, by its name",
    ),
    bridged("address", Kind::Addresses, Preset::None, "`addresses`", "Hosts of the other broker, each with a port or with 1883")
        .also(&["addresses"]),
    bridged(
        "topic",
        Kind::BridgeTopic,
        Preset::None,
        "`[[bridge.topic]]`",
        "`FILTER [out|in|both] [QOS] [LOCAL-PREFIX] [REMOTE-PREFIX]`; one line for each",
    ),
    bridged("remote_clientid", ONE_TEXT, Preset::Described("`HOSTNAME.NAME`"), "`client_identifier`", "Client Identifier over there")
        .called("bridge remote clientid")
        .also(&["clientid"]),
    bridged("remote_username", ONE_TEXT, Preset::None, "`username`", "User name over there")
        .called("bridge remote_username")
        .also(&["username"]),
    bridged("remote_password", ONE_TEXT, Preset::None, "`password`", "Password over there")
        .called("bridge remote_password")
        .also(&["password"]),
    bridged(
        "local_clientid",
        ONE_TEXT,
        Preset::Described("`local.` and `remote_clientid`"),
        "`local_client_identifier`",
        "Client Identifier here; unique",
    )
    .called("bridge local clientd"),
    bridged("local_username", ONE_TEXT, Preset::None, "`local_username`", "User name here").called("bridge local_username"),
    bridged("local_password", ONE_TEXT, Preset::None, "none: nobody asks a bridge for one", "Password here")
        .called("bridge local_password"),
    bridged(
        "cleansession",
        Kind::Switch,
        Preset::Switch(false),
        "`clean_start`",
        "Whether the session over there ends with the connection",
    ),
    bridged(
        "local_cleansession",
        Kind::Switch,
        Preset::Described("that of `cleansession`"),
        "`local_clean_start`",
        "Whether the session here ends with the connection",
    ),
    bridged(
        "keepalive_interval",
        Kind::Number(Bounds {
            least: 5,
            below: Outside::Said(5, "keepalive interval too low, using 5 seconds."),
            most: 65_535,
            above: Outside::Refused("Error: Bridge keepalive value too high."),
        }),
        Preset::Number(60),
        "`keep_alive`",
        "Keep Alive, in seconds",
    ),
    bridged(
        "start_type",
        Kind::Words(Words {
            known: &["automatic", "lazy", "once"],
            message: "Error: Invalid 'start_type' value in configuration ({}).",
            is_whole_line: false,
            repeat: Repeat::LastWins,
        }),
        Preset::Text("automatic"),
        "`start`",
        "When to connect: always, when something waits, or once",
    )
    .should(),
    bridged(
        "idle_timeout",
        at_least(1, "idle_timeout interval too low, using 1 second."),
        Preset::Number(60),
        "`idle_timeout`",
        "Seconds after which a lazy bridge that has nothing to do disconnects",
    )
    .should(),
    bridged(
        "threshold",
        at_least(1, "threshold too low, using 1 message."),
        Preset::Number(10),
        "`lazy_threshold`",
        "Messages that have to wait before a lazy bridge connects",
    )
    .should(),
    bridged(
        "restart_timeout",
        Kind::Backoff,
        Preset::Described("`5 30`"),
        "`reconnect`, `reconnect_minimum`, `reconnect_maximum`, `reconnect_stable`",
        "Seconds between two attempts; or the least and the most, and for how long a connection has to last to start anew",
    ),
    bridged(
        "round_robin",
        Kind::Switch,
        Preset::Switch(false),
        "`round_robin`",
        "Whether the next address is tried after a lost connection, and not the first one again",
    ),
    bridged(
        "notifications",
        Kind::Switch,
        Preset::Switch(true),
        "`notifications`",
        "Whether it is published that the bridge is connected, and that it is not",
    ),
    bridged("notifications_local_only", Kind::Switch, Preset::Switch(false), "`notifications`", "Whether that is published here only"),
    bridged(
        "notification_topic",
        ONE_TEXT,
        Preset::Described("`$SYS/broker/connection/REMOTE-CLIENTID/state`"),
        "`notification_topic`",
        "Topic of that",
    ),
    bridged(
        "try_private",
        Kind::Switch,
        Preset::Switch(true),
        "`try_private`",
        "Whether CONNECT says that this is a bridge, before MQTT 5.0",
    ),
    bridged(
        "bridge_protocol_version",
        Kind::Words(Words {
            known: &["mqttv31", "mqttv311", "mqttv50"],
            message: "Error: Invalid 'bridge_protocol_version' value ({}).",
            is_whole_line: true,
            repeat: Repeat::LastWins,
        }),
        Preset::Text("mqttv311"),
        "`protocol`",
        "MQTT version",
    ),
    bridged(
        "bridge_attempt_unsubscribe",
        Kind::Switch,
        Preset::Switch(true),
        "`unsubscribe_outgoing`",
        "Whether topics that go out only are unsubscribed from over there",
    )
    .should(),
    bridged(
        "bridge_outgoing_retain",
        Kind::Switch,
        Preset::Switch(true),
        "`outgoing_retain`",
        "Whether messages keep their RETAIN flag on the way out",
    )
    .should(),
    bridged(
        "bridge_max_packet_size",
        Kind::Number(Bounds::from(0, Outside::Becomes(0))),
        Preset::Number(0),
        "`outgoing_packet_size_maximum`",
        "Largest packet that is sent; 0: any",
    )
    .should(),
    bridged("bridge_bind_address", ONE_TEXT, Preset::None, "`bind_address`", "Own address to connect from").should(),
    bridged(
        "bridge_max_topic_alias",
        Kind::Number(Bounds::between(0, 65_535, "Error: bridge_max_topic_alias must be > 0 and <= 65535.")),
        Preset::Number(10),
        "`topic_alias_maximum`",
        "Topic Aliases, with MQTT 5.0",
    )
    .should()
    .new_in_2_1(),
    bridged(
        "bridge_receive_maximum",
        Kind::Number(Bounds {
            least: 1,
            below: Outside::Refused("Error: bridge_receive_maximum must be greater than 0."),
            most: 65_535,
            above: Outside::Refused("Error: bridge_receive_maximum must be lower than 65535."),
        }),
        Preset::Described("that of `max_inflight_messages`"),
        "`receive_maximum`",
        "Receive Maximum, with MQTT 5.0",
    )
    .should()
    .new_in_2_1(),
    bridged(
        "bridge_session_expiry_interval",
        Kind::Number(Bounds::from(0, Outside::Refused("Error: bridge_session_expiry_interval must not be negative."))),
        Preset::Number(0),
        "`remote_session_expiry`",
        "Session Expiry Interval, in seconds, with MQTT 5.0",
    )
    .should()
    .new_in_2_1(),
    bridged(
        "bridge_reload_type",
        Kind::Words(Words {
            known: &["lazy", "immediate"],
            message: "Error: Invalid 'bridge_reload_type' value in configuration ({}).",
            is_whole_line: false,
            repeat: Repeat::LastWins,
        }),
        Preset::Text("lazy"),
        "`reload`",
        "Whether a change counts from the next connection on, or at once",
    )
    .should()
    .new_in_2_1(),
    bridged(
        "bridge_tcp_keepalive",
        Kind::Probes,
        Preset::Described("off"),
        "`tcp_keep_alive_idle`, `tcp_keep_alive_interval`, `tcp_keep_alive_count`",
        "TCP keep alive: idle seconds, seconds between probes, number of probes",
    )
    .should()
    .new_in_2_1(),
    bridged(
        "bridge_tcp_user_timeout",
        Kind::Number(Bounds::from(0, Outside::Refused("Error: invalid TCP user timeout value."))),
        Preset::Described("that of the system"),
        "`tcp_user_timeout`",
        "Milliseconds after which a connection whose data is not acknowledged is lost",
    )
    .should()
    .new_in_2_1(),
];

pub(super) const TLS: &[Definition] = &[
    bridged("bridge_cafile", ONE_PATH, Preset::None, "`trust`", "PEM file: authorities of the other broker's certificate"),
    bridged("bridge_capath", ONE_PATH, Preset::None, "`trust_directory`", "The same in a directory"),
    bridged("bridge_certfile", ONE_PATH, Preset::None, "`certificate`", "PEM file: our certificate"),
    bridged("bridge_keyfile", Kind::Path(Repeat::LastWins), Preset::None, "`key`", "PEM file: its key"),
    bridged(
        "bridge_insecure",
        Kind::Switch,
        Preset::Switch(false),
        "`server_name`",
        "Whether the other broker's certificate may be for another name",
    ),
    bridged("bridge_tls_version", ONE_TEXT, Preset::Text("tlsv1.2"), "`tls_min`", "TLS version: `tlsv1.2` or `tlsv1.3`"),
    bridged("bridge_alpn", ONE_TEXT, Preset::None, "`alpn`", "Application protocol (ALPN)"),
    bridged(
        "bridge_require_ocsp",
        Kind::Switch,
        Preset::Switch(false),
        "`ocsp_staple_required`",
        "Whether the other broker has to show an OCSP response about its certificate",
    )
    .should(),
    bridged(
        "bridge_tls_use_os_certs",
        Kind::Switch,
        Preset::Switch(false),
        "`trust_system`",
        "Whether the authorities of the system are believed",
    )
    .should()
    .new_in_2_1(),
    bridged("bridge_ciphers", ONE_TEXT, Preset::None, "`cipher_suites`", "Cipher suites of TLS 1.2").should().new_in_2_1(),
    bridged("bridge_ciphers_tls1.3", ONE_TEXT, Preset::None, "`cipher_suites`", "Cipher suites of TLS 1.3").should().new_in_2_1(),
    bridged("bridge_identity", ONE_TEXT, Preset::None, "`psk_identity`", "Identity of a pre-shared key").should(),
    bridged("bridge_psk", ONE_TEXT, Preset::None, "`psk`", "A pre-shared key, in hexadecimal digits").should(),
];
