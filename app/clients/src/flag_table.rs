//! The table of flags: names, whose they are, what they take, what they set, what `--help` says.

use crate::flags::Wrong;
use crate::options::{Options, Source};
use crate::{Kind, Manner, url};

mod setters;

pub(crate) use setters::{LARGEST_PAYLOAD, add_topic};
use setters::{
    bind_address, bytes, count, file, filter_out, format, host, in_flight, keep_alive, latency, message, no_clean_session, no_end_of_line,
    no_id, no_id_prefix, no_retained, one_source, path, port, qos, random_filter, repeat, repeat_delay, response_topic, retain_handling,
    session_expiry, set, source, text, timeout, unix, unsubscribe, version, websocket, will_qos, will_topic,
};

/// A flag.
pub(crate) struct Flag {
    /// As Mosquitto has them.
    pub(crate) names: &'static [&'static str],
    /// Further ones under Signet's names of the programs.
    pub(crate) ours: &'static [&'static str],
    whose: &'static [Kind],
    pub(crate) takes: Takes,
    /// Looks at what was said before, even before it is known whether a value follows.
    pub(crate) guard: fn(&Options) -> Result<(), Wrong>,
    /// Takes the value; of a flag without one, the flag itself.
    pub(crate) apply: fn(&mut Options, &[u8]) -> Result<(), Wrong>,
    pub(crate) help: &'static str,
}

/// What follows a flag.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Nothing,
    /// One word.
    Value {
        /// What `--help` calls it.
        shown: &'static str,
        /// The flag's name in the error message for a missing value.
        called: &'static str,
        /// What that message says of it.
        missing: &'static str,
    },
    /// A packet, a name and a value or two.
    Property,
    /// A file that is read before all flags.
    OptionFile,
}

impl Flag {
    pub(crate) fn belongs_to(&self, kind: Kind, manner: Manner) -> bool {
        self.whose.contains(&kind) && (manner == Manner::Signet || !self.names.is_empty())
    }

    pub(crate) fn has_name(&self, word: &[u8], manner: Manner) -> bool {
        let is_named = |names: &[&str]| names.iter().any(|name| name.as_bytes() == word);
        is_named(self.names) || (manner == Manner::Signet && is_named(self.ours))
    }

    /// Further names under Signet's names of the programs.
    const fn also(self, ours: &'static [&'static str]) -> Self {
        Self { ours, ..self }
    }

    const fn guarded(self, guard: fn(&Options) -> Result<(), Wrong>) -> Self {
        Self { guard, ..self }
    }

    const fn by(self, whose: &'static [Kind]) -> Self {
        Self { whose, ..self }
    }
}

type Apply = fn(&mut Options, &[u8]) -> Result<(), Wrong>;

const EVERY: &[Kind] = &[Kind::Publish, Kind::Subscribe, Kind::Request];
const PUBLISH: &[Kind] = &[Kind::Publish];
const SUBSCRIBE: &[Kind] = &[Kind::Subscribe];
const REQUEST: &[Kind] = &[Kind::Request];
const SENDERS: &[Kind] = &[Kind::Publish, Kind::Request];
const RECEIVERS: &[Kind] = &[Kind::Subscribe, Kind::Request];

const fn switch(names: &'static [&'static str], apply: Apply, help: &'static str) -> Flag {
    Flag { names, ours: &[], whose: EVERY, takes: Takes::Nothing, guard: |_| Ok(()), apply, help }
}

const fn value(
    names: &'static [&'static str],
    (shown, called, missing): (&'static str, &'static str, &'static str),
    apply: Apply,
    help: &'static str,
) -> Flag {
    Flag { takes: Takes::Value { shown, called, missing }, ..switch(names, apply, help) }
}

/// Every flag, as `--help` lists them.
pub(crate) static FLAGS: &[Flag] = &[
    // --- what is sent
    value(&["-m", "--message"], ("TEXT", "-m", "no message specified"), message, "the payload").by(SENDERS).guarded(one_source),
    value(&["-f", "--file"], ("FILE", "-f", "no file specified"), file, "the payload is the content of this file")
        .by(SENDERS)
        .guarded(one_source),
    switch(&["-s", "--stdin-file"], |options, _| source(options, Source::Stdin), "all of stdin is one message")
        .by(SENDERS)
        .guarded(one_source),
    switch(&["-l", "--stdin-line"], |options, _| source(options, Source::StdinLines), "every line of stdin is a message")
        .by(PUBLISH)
        .guarded(one_source),
    switch(&["-n", "--null-message"], |options, _| source(options, Source::Null), "an empty payload").by(SENDERS).guarded(one_source),
    value(
        &["-t", "--topic"],
        ("TOPIC", "-t", "no topic specified"),
        |options, topic| add_topic(options, topic, "-t"),
        "topic; sub takes filters, and several",
    ),
    value(&["-q", "--qos"], ("QOS", "-q", "no QoS specified"), qos, "quality of service: 0, 1 or 2; default 0"),
    switch(&["-r", "--retain"], |options, _| set(&mut options.publish.retain), "the broker keeps the message for later subscribers")
        .by(PUBLISH),
    value(&["--repeat"], ("N", "--repeat", "no count specified"), repeat, "send the message so often").by(PUBLISH),
    value(&["--repeat-delay"], ("SECONDS", "--repeat-delay", "no time specified"), repeat_delay, "wait so long between two of them")
        .by(PUBLISH),
    // --- what is asked for
    value(&["-e"], ("TOPIC", "-e", "no response topic specified"), response_topic, "topic for the answer").by(REQUEST),
    value(
        &["-T", "--filter-out"],
        ("FILTER", "-T", "no topic filter specified"),
        filter_out,
        "show no message of these topics; may be repeated",
    )
    .by(SUBSCRIBE),
    value(
        &["-U", "--unsubscribe"],
        ("FILTER", "-U", "no unsubscribe topic specified"),
        unsubscribe,
        "end a subscription of this session; may be repeated",
    )
    .by(SUBSCRIBE),
    switch(&["-R"], no_retained, "show no message that the broker kept from before").by(RECEIVERS),
    switch(
        &["--retained-only"],
        |options, _| set(&mut options.subscribe.retained_only),
        "leave at the first message that was not kept from before",
    )
    .by(SUBSCRIBE),
    switch(
        &["--remove-retained"],
        |options, _| set(&mut options.subscribe.remove_retained),
        "have the broker forget the kept messages that are shown",
    )
    .by(SUBSCRIBE),
    switch(
        &["--retain-as-published"],
        |options, _| set(&mut options.subscribe.retain_as_published),
        "the retain flag as it was published (MQTT 5.0)",
    )
    .by(RECEIVERS),
    value(
        &["--retain-handling"],
        ("WHEN", "--retain-handling", "no option specified"),
        retain_handling,
        "when to send kept messages: always, new or never (MQTT 5.0)",
    )
    .by(RECEIVERS),
    switch(&[], |options, _| set(&mut options.subscribe.no_local), "not what we publish ourselves (MQTT 5.0)")
        .also(&["--no-local"])
        .by(SUBSCRIBE),
    // --- when to leave
    value(&["-C"], ("N", "-C", "no count specified"), count, "leave after so many messages").also(&["--count"]).by(SUBSCRIBE),
    value(&["-W"], ("SECONDS", "-W", "no timeout specified"), timeout, "leave after so many seconds, with exit code 27")
        .also(&["--timeout"])
        .by(RECEIVERS),
    switch(&["-E"], |options, _| set(&mut options.subscribe.exit_after_suback), "leave when the broker has answered the subscription")
        .by(SUBSCRIBE),
    // --- how messages are shown
    switch(&["-v", "--verbose"], |options, _| set(&mut options.output.verbose), "the topic in front of the payload").by(RECEIVERS),
    value(&["-F"], ("FORMAT", "-F", "no format specified"), format, "how a message is shown, see the guide").by(RECEIVERS),
    switch(&["-N"], no_end_of_line, "no line end after a message").by(RECEIVERS),
    switch(&["--pretty"], |options, _| set(&mut options.output.pretty), "JSON over several lines").by(RECEIVERS),
    switch(&[], |options, _| set(&mut options.output.json), "one JSON object a line: topic, payload, qos, retain, properties")
        .also(&["--json"])
        .by(RECEIVERS),
    value(
        &["--random-filter"],
        ("N", "--random-filter", "no chance specified"),
        random_filter,
        "show only so many of a thousand messages, by chance",
    )
    .by(SUBSCRIBE),
    switch(&["-w", "--watch"], |options, _| set(&mut options.output.watch), "every topic in a line of its own").by(SUBSCRIBE),
    switch(&["--message-rate"], |options, _| set(&mut options.subscribe.message_rate), "messages a second instead of messages")
        .by(SUBSCRIBE),
    switch(&["--latency"], latency, "how long the answer took").by(REQUEST),
    // --- where to
    value(&["-h", "--host"], ("HOST", "-h", "no host specified"), host, "name or address of the broker; default localhost"),
    value(&["-p", "--port"], ("PORT", "-p", "no port specified"), port, "port; default 1883, with TLS 8883"),
    value(&["--unix"], ("PATH", "--unix", "no socket path specified"), unix, "the broker's unix socket instead"),
    // Under Signet's names a URL of a broker has no topic in it, so that the path of a WebSocket can be written.
    value(
        &[],
        ("URL", "--url", "no URL specified"),
        url::broker,
        "the broker as a URL: mqtt://, mqtts://, ws://HOST:PORT/PATH, wss://, unix:PATH",
    )
    .also(&["--url"]),
    value(
        &["-L", "--url"],
        ("URL", "-L", "no URL specified"),
        url::with_topic,
        "broker and topic: mqtt(s) or ws(s)://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC",
    ),
    switch(&["--ws"], websocket, "MQTT in WebSocket"),
    value(&["-A"], ("ADDRESS", "-A", "no address specified"), bind_address, "come from this address"),
    switch(&["-S"], |options, _| set(&mut options.place.srv), "look up SRV records of the host"),
    switch(&["--nodelay"], |options, _| set(&mut options.place.no_delay), "send small packets at once"),
    value(
        &["--proxy"],
        ("URL", "--proxy", "no proxy url specified"),
        url::proxy,
        "through a proxy: socks5h://[USER[:PASSWORD]@]HOST[:PORT]",
    ),
    // --- as whom
    value(&["-i", "--id"], ("ID", "-i", "no id specified"), |options, id| bytes(&mut options.who.id, id), "client identifier")
        .guarded(no_id_prefix),
    value(
        &["-I", "--id-prefix"],
        ("PREFIX", "-I", "no id prefix specified"),
        |options, id| bytes(&mut options.who.id_prefix, id),
        "client identifier: this and the number of the process",
    )
    .guarded(no_id),
    value(
        &["-u", "--username"],
        ("NAME", "-u", "no username specified"),
        |options, name| bytes(&mut options.who.username, name),
        "user name",
    ),
    value(
        &["-P", "--pw"],
        ("PASSWORD", "-P", "no password specified"),
        |options, password| bytes(&mut options.who.password, password),
        "password; other users of this machine can see it while the command runs",
    ),
    value(
        &["-V", "--protocol-version"],
        ("VERSION", "--protocol-version", "no version specified"),
        version,
        "version of MQTT: 31, 311 or 5, also mqttv31, mqttv311 or mqttv5",
    ),
    value(&["-k", "--keepalive"], ("SECONDS", "-k", "no keepalive specified"), keep_alive, "longest silence, 5 to 65535; default 60"),
    value(&["-M"], ("N", "-M", "max_inflight not specified"), in_flight, "messages of QoS 1 and 2 on their way at a time; default 20"),
    switch(
        &["-c", "--disable-clean-session"],
        no_clean_session,
        "keep the session: the broker holds subscriptions and messages (needs -i)",
    ),
    value(
        &["-x"],
        ("SECONDS", "-x", "no session expiry interval specified"),
        session_expiry,
        "how long the session outlives the connection, -1 for ever (MQTT 5.0)",
    )
    .also(&["--session-expiry-interval"]),
    Flag {
        takes: Takes::Property,
        ..switch(&["-D", "--property"], |_, _| Ok(()), "PACKET NAME VALUE: a property (MQTT 5.0); user-property takes a name and a value")
    },
    value(
        &["--will-topic"],
        ("TOPIC", "--will-topic", "no will topic specified"),
        will_topic,
        "topic of the message that the broker publishes if we vanish",
    ),
    value(
        &["--will-payload"],
        ("TEXT", "--will-payload", "no will payload specified"),
        |options, text| bytes(&mut options.will.payload, text),
        "its payload",
    ),
    value(&["--will-qos"], ("QOS", "--will-qos", "no will QoS specified"), will_qos, "its quality of service"),
    switch(&["--will-retain"], |options, _| set(&mut options.will.retain), "it is kept for later subscribers"),
    // --- TLS
    value(
        &["--cafile"],
        ("FILE", "--cafile", "no file specified"),
        |options, name| path(&mut options.tls.ca_file, name),
        "TLS: trust the authorities in this PEM file",
    ),
    value(
        &["--capath"],
        ("DIRECTORY", "--capath", "no directory specified"),
        |options, name| path(&mut options.tls.ca_path, name),
        "TLS: trust those in the files of this directory",
    ),
    switch(&["--tls-use-os-certs"], |options, _| set(&mut options.tls.use_os_trust), "TLS: trust those that the system trusts"),
    value(
        &["--cert"],
        ("FILE", "--cert", "no file specified"),
        |options, name| path(&mut options.tls.certificate, name),
        "our certificate, PEM, with its intermediates",
    ),
    value(&["--key"], ("FILE", "--key", "no file specified"), |options, name| path(&mut options.tls.key, name), "its private key, PEM"),
    value(
        &["--keyform"],
        ("FORM", "--keyform", "no keyform specified"),
        |options, form| text(&mut options.tls.key_form, form),
        "form of the key: pem",
    ),
    switch(&["--insecure"], |options, _| set(&mut options.tls.insecure), "believe whoever answers: for experiments only"),
    switch(&["--no-tls"], |options, _| set(&mut options.tls.none), "no TLS, whatever else was said"),
    value(
        &["--tls-version"],
        ("VERSION", "--tls-version", "no version specified"),
        |options, version| text(&mut options.tls.version, version),
        "tlsv1.2 or tlsv1.3",
    ),
    value(
        &["--ciphers"],
        ("LIST", "--ciphers", "no ciphers specified"),
        |options, ciphers| text(&mut options.tls.ciphers, ciphers),
        "cipher suites to offer",
    ),
    value(
        &["--tls-alpn"],
        ("PROTOCOL", "--tls-alpn", "no protocol specified"),
        |options, name| text(&mut options.tls.alpn, name),
        "protocol to ask for in the handshake",
    ),
    value(
        &["--tls-keylog"],
        ("FILE", "--tls-keylog", "no file specified"),
        |options, name| path(&mut options.tls.key_log, name),
        "write the session's secrets there, for an analyser",
    ),
    value(
        &["--psk"],
        ("HEX", "--psk", "no key specified"),
        |options, key| text(&mut options.tls.psk, key),
        "TLS with this key, which the broker has too",
    ),
    value(
        &["--psk-identity"],
        ("NAME", "--psk-identity", "no identity specified"),
        |options, name| text(&mut options.tls.psk_identity, name),
        "the name under which it has it",
    ),
    value(
        &["--tls-engine"],
        ("ENGINE", "--tls-engine", "no engine_id specified"),
        |options, name| text(&mut options.tls.engine.name, name),
        "refused: there are no engines",
    ),
    value(
        &["--tls-engine-kpass-sha1"],
        ("HASH", "--tls-engine-kpass-sha1", "no kpass sha1 specified"),
        |options, hash| text(&mut options.tls.engine.key_password, hash),
        "refused likewise",
    ),
    // --- besides
    Flag { takes: Takes::OptionFile, ..switch(&["-o"], |_, _| Ok(()), "read options from this file, one a line") },
    switch(&["-d", "--debug"], |options, _| set(&mut options.debug), "a line for every packet"),
    switch(&["--quiet"], |options, _| set(&mut options.quiet), "no error messages; the exit code says it"),
    switch(&["--help"], |_, _| Err(Wrong::Help), "this text"),
    switch(&["--version"], |_, _| Err(Wrong::Version), "which version this is"),
];
