//! Options of the broker as a whole, and of its log.

use super::{Bounds, Definition, Form, Implicit, Kind, Native, Preset, Reload, Repeat, Scope, Structure, Table, Words, option};

pub(super) const GENERAL: &[Definition] = &[
    option(
        "include_dir",
        Scope::Structure,
        Kind::Structure(Structure::IncludeDirectory),
        Preset::None,
        Native::Described("the files are read in its place"),
        "Reads every file of a directory whose name ends in `.conf`, upper case before lower case of the same letter; in the main file only",
    ),
    option(
        "user",
        Scope::Global,
        Kind::Text(Repeat::LastWins),
        Preset::Text("mosquitto"),
        Native::Key(Table::Top, "user", Form::Same),
        "Whom to become when started by root",
    )
    .reload(Reload::NEITHER),
    option(
        "pid_file",
        Scope::Global,
        Kind::Path(Repeat::Refused),
        Preset::None,
        Native::Key(Table::Top, "pid_file", Form::Path),
        "File that gets the number of the process",
    )
    .should()
    .reload(Reload::NEITHER),
    option(
        "sys_interval",
        Scope::Global,
        Kind::Number(Bounds::between(0, 65_535, "Error: Invalid 'sys_interval' value ({}).")),
        Preset::Number(10),
        Native::Key(Table::Top, "sys_interval", Form::Seconds),
        "Seconds between publications below `$SYS`; 0: never",
    )
    .reload(Reload::MOSQUITTO),
    option(
        "enable_control_api",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Key(Table::Control, "broker", Form::Same),
        "Whether `$CONTROL/broker/v1` answers",
    )
    .should()
    .new_in_2_1()
    .reload(Reload::HERE),
    option(
        "set_tcp_nodelay",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("always on"),
        "Whether small packets are sent at once",
    )
    .should()
    .reload(Reload::NEITHER),
    option(
        "allow_duplicate_messages",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(true),
        Native::Key(Table::Limits, "overlapping_subscriptions", Form::Words("each_mqtt5", "each")),
        "Whether a message comes once for each of several subscriptions that overlap; clients of MQTT 5.0 get it so anyway. In Mosquitto 2.0 the default was false",
    )
    .should()
    .deprecated(),
    option(
        "upgrade_outgoing_qos",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Key(Table::Limits, "delivery_qos", Form::Words("lower", "subscription")),
        "Whether messages are delivered with the QoS of the subscription even if they were published with a lower one",
    )
    .should(),
    option(
        "retain_available",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(true),
        Native::Key(Table::Limits, "retained_available", Form::Same),
        "Whether there are retained messages",
    )
    .reload(Reload::HERE),
    option(
        "retry_interval",
        Scope::Global,
        Kind::Anything,
        Preset::None,
        Native::Nothing("Mosquitto has not looked at it since 1.5 either: messages are sent again when a client connects again"),
        "Seconds after which messages were sent again",
    )
    .ignored()
    .reload(Reload::NEITHER),
];

pub(super) const LOG: &[Definition] = &[
    option(
        "log_dest",
        Scope::Global,
        Kind::Destination,
        Preset::Text("stderr"),
        Native::Described("`to` of `[log]`"),
        "Where the log goes: `stdout`, `stderr`, `syslog`, `topic`, `file` and a path, or `none`; one line for each",
    ),
    option(
        "log_type",
        Scope::Global,
        Kind::Words(Words {
            known: &[
                "none",
                "information",
                "notice",
                "warning",
                "error",
                "debug",
                "subscribe",
                "unsubscribe",
                "internal",
                "websockets",
                "all",
            ],
            message: "Error: Invalid 'log_type' value ({}).",
            is_whole_line: false,
            repeat: Repeat::Collected,
        }),
        Preset::Described("`error`, `warning`, `notice`, `information`"),
        Native::Described("`types` of `[log]`"),
        "What is logged; one line for each",
    ),
    option(
        "log_timestamp",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(true),
        Native::Described("`timestamps` of `[log]`"),
        "Whether lines begin with the time",
    ),
    option(
        "log_timestamp_format",
        Scope::Global,
        Kind::Text(Repeat::Refused),
        Preset::Described("seconds since 1970"),
        Native::Described("`timestamps` of `[log]`"),
        "How the time is written, as for `strftime`",
    ),
    option(
        "log_facility",
        Scope::Global,
        Kind::Number(Bounds::between(0, 7, "Error: Invalid 'log_facility' value ({}).")),
        Preset::Described("`daemon`"),
        Native::Described("`syslog_facility` of `[log]`"),
        "`local0` to `local7` for `log_dest syslog`",
    )
    .should(),
    option(
        "connection_messages",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(true),
        Native::Key(Table::Log, "connection_messages", Form::Same),
        "Whether connections that begin and end are logged",
    ),
    option(
        "websockets_log_level",
        Scope::Global,
        Kind::Anything,
        Preset::None,
        Native::Nothing("it is for libwebsockets, which is not used here; Mosquitto 2.1 does not look at it either"),
        "How much libwebsockets logs",
    )
    .ignored()
    .reload(Reload::NEITHER),
];

/// Listener options that make a listener where there is none.
pub(super) const CREATED: Scope = Scope::Listener(Implicit::Created);
/// Listener options that need a `listener` before them.
pub(super) const REFUSED: Scope = Scope::Listener(Implicit::Refused);
