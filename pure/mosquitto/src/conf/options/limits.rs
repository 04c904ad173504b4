//! Options about how much, and about what is kept.

use super::{Bounds, Definition, Form, Kind, Native, Outside, Preset, Reload, Repeat, Scope, Table, option};

const NOT_BELOW_0: Bounds = Bounds::from(0, Outside::Becomes(0));

pub(super) const LIMITS: &[Definition] = &[
    option(
        "max_packet_size",
        Scope::Global,
        Kind::Number(Bounds::from(20, Outside::Refused("Error: 'max_packet_size' must be >= 20."))),
        Preset::Number(2_000_000),
        Native::Described("`maximum_packet_size` of `[limits]`, at least 128"),
        "Largest packet a client may send. Mosquitto 2.0 had no bound unless it was written",
    )
    .reload(Reload::HERE),
    option(
        "message_size_limit",
        Scope::Global,
        Kind::Number(Bounds::between(0, 268_435_455, "Error: Invalid 'message_size_limit' value ({}).")),
        Preset::Number(0),
        Native::Key(Table::Limits, "payload_maximum", Form::Same),
        "Largest payload, in bytes; larger messages are acknowledged and dropped. 0: any",
    ),
    option(
        "max_inflight_messages",
        Scope::Global,
        Kind::Number(Bounds {
            least: 0,
            below: Outside::Becomes(0),
            most: 65_535,
            above: Outside::Refused("Error: 'max_inflight_messages' must be <= 65535."),
        }),
        Preset::Number(20),
        Native::Described("`maximum_inflight` and `receive_maximum` of `[limits]`"),
        "Messages of QoS 1 and 2 under way to and from one client; 0: any number",
    )
    .reload(Reload::HERE),
    option(
        "max_inflight_bytes",
        Scope::Global,
        Kind::Number(NOT_BELOW_0),
        Preset::Number(0),
        Native::Key(Table::Limits, "inflight_bytes_maximum", Form::Same),
        "Bytes of the same; 0: any",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "max_queued_messages",
        Scope::Global,
        Kind::Number(NOT_BELOW_0),
        Preset::Number(1000),
        Native::Key(Table::Limits, "queued_messages_maximum", Form::ZeroIs(100_000_000)),
        "Messages that wait for one client; 0: any number",
    )
    .reload(Reload::HERE),
    option(
        "max_queued_bytes",
        Scope::Global,
        Kind::Number(NOT_BELOW_0),
        Preset::Number(0),
        Native::Described("`queued_bytes_maximum` of `[limits]`, at least 1024"),
        "Bytes of the same; 0: any",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "queue_qos0_messages",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Key(Table::Limits, "queued_qos0", Form::Same),
        "Whether messages of QoS 0 wait for clients that are away",
    )
    .should(),
    option(
        "max_keepalive",
        Scope::Global,
        Kind::Number(Bounds::between(0, 65_535, "Error: Invalid 'max_keepalive' value ({}).")),
        Preset::Number(0),
        Native::Key(Table::Limits, "keep_alive_maximum", Form::Seconds),
        "Longest Keep Alive, in seconds; 0: any",
    )
    .reload(Reload::HERE),
    option(
        "global_max_clients",
        Scope::Global,
        Kind::Number(Bounds::ANY),
        Preset::Number(-1),
        Native::Key(Table::Limits, "sessions_maximum", Form::LeastIs(1_000_000)),
        "Sessions of all listeners; -1: any number",
    )
    .new_in_2_1()
    .reload(Reload::HERE),
    option(
        "global_max_connections",
        Scope::Global,
        Kind::Number(Bounds::ANY),
        Preset::Number(-1),
        Native::Key(Table::Limits, "connections_maximum", Form::LeastIs(100_000)),
        "Connections of all listeners; -1: any number",
    )
    .new_in_2_1()
    .reload(Reload::HERE),
    option(
        "memory_limit",
        Scope::Global,
        Kind::Memory,
        Preset::None,
        Native::Nothing("there is no bound on the memory of the process; the bounds of `[limits]` say what is kept"),
        "Most bytes of memory",
    )
    .ignored()
    .reload(Reload::MOSQUITTO),
    option(
        "packet_buffer_size",
        Scope::Global,
        Kind::Number(Bounds::between(0, 65_535, "Error: Packet buffer size must be between 0 and 65535 inclusive.")),
        Preset::Number(4096),
        Native::Nothing("buffers grow and shrink with what they hold"),
        "Size of the buffer of a connection",
    )
    .also(&["websockets_headers_size"])
    .ignored()
    .reload(Reload::NEITHER),
];

pub(super) const PERSISTENCE: &[Definition] = &[
    option(
        "persistence",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`enabled` of `[store]`"),
        "Whether sessions and messages outlive a restart",
    )
    .also(&["retained_persistence"])
    .reload(Reload::MOSQUITTO),
    option(
        "persistence_location",
        Scope::Global,
        Kind::Path(Repeat::Refused),
        Preset::Described("the working directory"),
        Native::Described("`data_dir`"),
        "Directory of what is kept",
    )
    .reload(Reload::MOSQUITTO),
    option(
        "persistence_file",
        Scope::Global,
        Kind::Text(Repeat::Refused),
        Preset::Text("mosquitto.db"),
        Native::Described("not read and not written: the store is a directory"),
        "File of what is kept",
    )
    .reload(Reload::MOSQUITTO),
    option(
        "autosave_interval",
        Scope::Global,
        Kind::Number(NOT_BELOW_0),
        Preset::Number(1800),
        Native::Described("`flush_interval` of `[store]`, which is 1 s whatever is written here"),
        "Seconds between two times at which everything is written; 0: only at the end",
    )
    .reload(Reload::MOSQUITTO),
    option(
        "autosave_on_changes",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`flush_interval` of `[store]`, which is 1 s whatever is written here"),
        "Whether `autosave_interval` is a number of changes",
    )
    .reload(Reload::MOSQUITTO),
    option(
        "persistent_client_expiration",
        Scope::Global,
        Kind::Period,
        Preset::Described("never"),
        Native::Described("`session_expiry_maximum` of `[limits]`"),
        "How long the session of a client that is away is kept: a number and `s`, `h`, `d`, `w`, `m` (30 days) or `y` (365 days)",
    ),
    option(
        "retain_expiry_interval",
        Scope::Global,
        Kind::Number(Bounds {
            least: 1,
            below: Outside::Refused("Error: retain_expiry_interval must be >= 1."),
            most: 10_000_000,
            above: Outside::Said(10_000_000, "retain_expiry_interval being capped at 19 years."),
        }),
        Preset::Described("never"),
        Native::Key(Table::Limits, "retained_expiry", Form::Minutes),
        "Minutes between two times at which retained messages that have expired are removed; without it they are removed with the next one",
    )
    .should()
    .reload(Reload::HERE),
];
