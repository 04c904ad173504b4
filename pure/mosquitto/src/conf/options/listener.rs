//! Options of listeners.

use super::general::{CREATED, REFUSED};
use super::security::NEVER;
use super::{Bounds, Definition, Form, Kind, Native, Outside, Preset, Reload, Repeat, Scope, Structure, Table, Words, option};

pub(super) const LISTENER: &[Definition] = &[
    option(
        "listener",
        Scope::Structure,
        Kind::Structure(Structure::Listener),
        Preset::Described("127.0.0.1 and ::1, port 1883"),
        Native::Described("`[[listener]]`, `bind`"),
        "A port, and perhaps an address or host; port 0 and a path are a unix socket",
    )
    .reload(Reload::HERE),
    option(
        "port",
        Scope::Structure,
        Kind::Structure(Structure::Port),
        Preset::Number(1883),
        Native::Described("`bind`"),
        "The port of the listener that needs no `listener`",
    )
    .deprecated()
    .reload(Reload::HERE),
    option(
        "bind_address",
        Scope::Structure,
        Kind::Structure(Structure::BindAddress),
        Preset::Described("all addresses"),
        Native::Described("`bind`"),
        "The address of the listener that needs no `listener`",
    )
    .called("default listener bind_address")
    .deprecated()
    .reload(Reload::HERE),
    option(
        "bind_interface",
        CREATED,
        Kind::Text(Repeat::Refused),
        Preset::None,
        Native::Described("`bind_interface`"),
        "The network interface whose addresses are listened on",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "socket_domain",
        CREATED,
        Kind::Words(Words {
            known: &["ipv4", "ipv6"],
            message: "Error: Invalid 'socket_domain' value '{}' in configuration.",
            is_whole_line: false,
            repeat: Repeat::LastWins,
        }),
        Preset::Described("both"),
        Native::Described("`bind`"),
        "Only addresses of this kind",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "protocol",
        CREATED,
        Kind::Words(Words {
            known: &["mqtt", "websockets", "http_api"],
            message: "Error: Invalid 'protocol' value ({}).",
            is_whole_line: false,
            repeat: Repeat::LastWins,
        }),
        Preset::Text("mqtt"),
        Native::Described("`transport`"),
        "What is spoken; `http_api` is new in 2.1",
    ),
    option(
        "max_connections",
        CREATED,
        Kind::Number(Bounds::from(0, Outside::Becomes(-1))),
        Preset::Number(-1),
        Native::Key(Table::Listener, "maximum_connections", Form::LeastIs(100_000)),
        "Connections at a time; further ones are closed. -1: any number",
    ),
    option(
        "max_qos",
        CREATED,
        Kind::Number(Bounds::between(0, 2, "Error: 'max_qos' must be between 0 and 2 inclusive.")),
        Preset::Number(2),
        Native::Key(Table::ListenerLimits, "maximum_qos", Form::Same),
        "Highest QoS",
    )
    .also(&["maximum_qos"]),
    option(
        "max_topic_alias",
        REFUSED,
        Kind::Number(Bounds::between(0, 65_535, "Error: Invalid 'max_topic_alias' value in configuration.")),
        Preset::Number(10),
        Native::Key(Table::ListenerLimits, "topic_alias_maximum", Form::Same),
        "Topic Aliases that a client may use",
    ),
    option(
        "max_topic_alias_broker",
        REFUSED,
        Kind::Number(Bounds::between(0, 65_535, "Error: Invalid 'max_topic_alias_broker' value in configuration.")),
        Preset::Number(10),
        Native::Key(Table::ListenerLimits, "topic_alias_outgoing_maximum", Form::Same),
        "Topic Aliases that the broker uses towards a client that allows them",
    )
    .new_in_2_1(),
    option(
        "mount_point",
        REFUSED,
        Kind::Topic,
        Preset::None,
        Native::Key(Table::Listener, "mount_point", Form::Same),
        "What is put before every topic of its clients",
    ),
    option(
        "use_username_as_clientid",
        CREATED,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`client_identifier = \"${username}\"`"),
        "Whether the user name is the Client Identifier, whatever the client sends",
    ),
    option(
        "accept_protocol_versions",
        NEVER,
        Kind::Versions,
        Preset::Described("`3,4,5`"),
        Native::Described("`protocol_versions` of `[listener.limits]`"),
        "Versions that are spoken: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0",
    )
    .new_in_2_1(),
    option(
        "http_dir",
        REFUSED,
        Kind::Path(Repeat::Refused),
        Preset::None,
        Native::Described("`http_directory`, with `protocol http_api`"),
        "Directory of files that are served over HTTP",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "websockets_origin",
        REFUSED,
        Kind::Text(Repeat::Collected),
        Preset::Described("any"),
        Native::Described("`websocket_origins`"),
        "A web page that may connect, by its origin; one line for each",
    )
    .should()
    .new_in_2_1(),
];

pub(super) const TLS: &[Definition] = &[
    option(
        "certfile",
        CREATED,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Key(Table::ListenerTls, "certificate", Form::Path),
        "PEM file: the server's certificate, then its intermediates; with it the listener has TLS",
    ),
    option(
        "keyfile",
        CREATED,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Key(Table::ListenerTls, "key", Form::Path),
        "PEM file: the key of that certificate",
    ),
    option(
        "cafile",
        REFUSED,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Described("`ca` of a `[[trust]]`"),
        "PEM file: certification authorities whose clients are believed",
    )
    .reload(Reload::HERE),
    option(
        "capath",
        CREATED,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Described("`ca` of a `[[trust]]`: the files that are in it now"),
        "The same in a directory, with names as `openssl rehash` makes them",
    )
    .reload(Reload::HERE),
    option(
        "crlfile",
        CREATED,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Described("`crl` of a `[[trust]]`, with `revocation = \"require\"` and `revocation_depth = \"leaf\"`"),
        "PEM file: revocation lists, one of each authority that issues clients",
    ),
    option(
        "require_certificate",
        CREATED,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`client_certificate`"),
        "Whether clients have to show a certificate",
    ),
    option(
        "use_identity_as_username",
        CREATED,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`username = \"${cert.cn}\"`, with keys `\"${device}\"`, and `authentication`"),
        "Whether the common name, or the identity of a pre-shared key, is the user name; no password is asked for then",
    ),
    option(
        "use_subject_as_username",
        CREATED,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`username = \"${cert.dn.rfc2253}\"` and `authentication`"),
        "Whether the whole subject is the user name; no password is asked for then",
    ),
    option(
        "disable_client_cert_date_checks",
        REFUSED,
        Kind::Switch,
        Preset::Switch(false),
        Native::Described("`certificate_dates` of a `[[trust]]`"),
        "Whether certificates count that are not valid yet or any more",
    )
    .new_in_2_1(),
    option(
        "tls_version",
        REFUSED,
        Kind::Text(Repeat::Refused),
        Preset::Text("tlsv1.2"),
        Native::Described("`tls_min`"),
        "Oldest TLS version: `tlsv1.2` or `tlsv1.3`",
    )
    .reload(Reload::HERE),
    option(
        "ciphers",
        CREATED,
        Kind::Text(Repeat::LastWins),
        Preset::Described("those of the TLS library"),
        Native::Described("`cipher_suites`: of the names those that exist here"),
        "Cipher suites of TLS 1.2, as OpenSSL writes them",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "ciphers_tls1.3",
        CREATED,
        Kind::Text(Repeat::LastWins),
        Preset::Described("those of the TLS library"),
        Native::Described("`cipher_suites`"),
        "Cipher suites of TLS 1.3",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "psk_hint",
        CREATED,
        Kind::Text(Repeat::Refused),
        Preset::None,
        Native::Key(Table::ListenerKeys, "psk_hint", Form::Same),
        "What clients are told before they choose a pre-shared key; with it the listener has TLS with such keys",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "enable_proxy_protocol",
        REFUSED,
        Kind::Number(Bounds::between(1, 2, "Error: enable_proxy_protocol must be 1 or 2.")),
        Preset::Described("off"),
        Native::Described("`proxy_protocol` and `proxy_trusted`"),
        "The version of the PROXY header with which every connection begins",
    )
    .new_in_2_1(),
    option(
        "proxy_protocol_v2_require_tls",
        REFUSED,
        Kind::Switch,
        Preset::Switch(false),
        Native::Key(Table::ListenerProxy, "proxy_require_tls", Form::Same),
        "Whether clients have to come to the proxy by TLS",
    )
    .new_in_2_1(),
    option(
        "dhparamfile",
        Scope::Global,
        Kind::Anything,
        Preset::None,
        Native::Nothing("there is no key exchange here that needs parameters; Mosquitto 2.1 does not look at it either"),
        "Parameters for Diffie-Hellman",
    )
    .ignored()
    .reload(Reload::NEITHER),
    option(
        "tls_engine",
        CREATED,
        Kind::Text(Repeat::Refused),
        Preset::None,
        Native::Nothing("there are no OpenSSL engines here"),
        "OpenSSL engine",
    )
    .ignored()
    .reload(Reload::NEITHER),
    option(
        "tls_engine_kpass_sha1",
        CREATED,
        Kind::Text(Repeat::LastWins),
        Preset::None,
        Native::Nothing("there are no OpenSSL engines here"),
        "Digest of the password of a key in an engine",
    )
    .ignored()
    .reload(Reload::NEITHER),
    option(
        "tls_keyform",
        CREATED,
        Kind::Text(Repeat::LastWins),
        Preset::Text("pem"),
        Native::Described("nothing with `pem`, a mistake with `engine`: the key has to be in a PEM file"),
        "Whether `keyfile` is a PEM file or names a key of an engine",
    )
    .ignored()
    .reload(Reload::NEITHER),
];
