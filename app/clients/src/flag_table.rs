//! The table of flags: names, whose they are, what they take, what they set, what `--help` says.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS, RetainHandling};

use crate::c_text::{atof, atoi, strtoll};
use crate::flags::Wrong;
use crate::format::Format;
use crate::options::{Options, Source};
use crate::{Kind, Manner, topics, url};

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
        ("PERCENT", "--random-filter", "no chance specified"),
        random_filter,
        "show only so many of the messages, by chance",
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

fn set(flag: &mut bool) -> Result<(), Wrong> {
    *flag = true;
    Ok(())
}

fn bytes(place: &mut Option<Vec<u8>>, value: &[u8]) -> Result<(), Wrong> {
    *place = Some(value.to_vec());
    Ok(())
}

fn text(place: &mut Option<String>, value: &[u8]) -> Result<(), Wrong> {
    *place = Some(String::from_utf8_lossy(value).into_owned());
    Ok(())
}

fn path(place: &mut Option<PathBuf>, value: &[u8]) -> Result<(), Wrong> {
    *place = Some(PathBuf::from(std::ffi::OsStr::from_bytes(value)));
    Ok(())
}

fn one_source(options: &Options) -> Result<(), Wrong> {
    match options.publish.source {
        Some(_) => Err(Wrong::line("Error: Only one type of message can be sent at once.\n\n")),
        None => Ok(()),
    }
}

fn source(options: &mut Options, source: Source) -> Result<(), Wrong> {
    options.publish.source = Some(source);
    Ok(())
}

fn message(options: &mut Options, text: &[u8]) -> Result<(), Wrong> {
    if text.len() > LARGEST_PAYLOAD {
        return Err(Wrong::line(format!("Error: Message length must be less than {LARGEST_PAYLOAD} bytes.\n\n")));
    }
    source(options, Source::Message(text.to_vec()))
}

/// MQTT_MAX_PAYLOAD
pub(crate) const LARGEST_PAYLOAD: usize = 268_435_455;

fn file(options: &mut Options, name: &[u8]) -> Result<(), Wrong> {
    source(options, Source::File(PathBuf::from(std::ffi::OsStr::from_bytes(name))))
}

fn checked<'a>(topic: &'a [u8], flag: &str) -> Result<&'a str, Wrong> {
    topics::text(topic).ok_or_else(|| Wrong::line(format!("Error: Malformed UTF-8 in {flag} argument.\n\n")))
}

fn name(topic: &[u8], flag: &str, what: &str) -> Result<String, Wrong> {
    let topic = checked(topic, flag)?;
    if topics::is_name(topic) {
        return Ok(topic.to_owned());
    }
    Err(Wrong::line(format!("Error: Invalid {what} topic '{topic}', does it contain '+' or '#'?\n")))
}

fn filter(topic: &[u8], flag: &str, what: &str) -> Result<String, Wrong> {
    let topic = checked(topic, flag)?;
    if topics::is_filter(topic) {
        return Ok(topic.to_owned());
    }
    Err(Wrong::line(format!("Error: Invalid {what} topic '{topic}', are all '+' and '#' wildcards correct?\n")))
}

/// `flag` is what the messages name.
pub(crate) fn add_topic(options: &mut Options, topic: &[u8], flag: &str) -> Result<(), Wrong> {
    match options.kind {
        Kind::Subscribe => options.subscribe.filters.push(filter(topic, flag, "subscription")?),
        Kind::Publish | Kind::Request => options.publish.topic = Some(name(topic, flag, "publish")?),
    }
    Ok(())
}

fn response_topic(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.publish.response_topic = Some(name(topic, "-e", "response")?);
    Ok(())
}

fn will_topic(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.will.topic = Some(name(topic, "--will-topic", "will")?);
    Ok(())
}

fn filter_out(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.subscribe.filter_outs.push(filter(topic, "-T", "filter")?);
    Ok(())
}

fn unsubscribe(options: &mut Options, topic: &[u8]) -> Result<(), Wrong> {
    options.subscribe.unsubscribe.push(filter(topic, "-U", "unsubscribe")?);
    Ok(())
}

fn qos_of(number: i32) -> Option<QoS> {
    u8::try_from(number).ok().and_then(|number| QoS::try_from(number).ok())
}

fn qos(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = atoi(value);
    options.qos = qos_of(number).ok_or_else(|| Wrong::line(format!("Error: Invalid QoS given: {number}\n")))?;
    Ok(())
}

fn will_qos(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = atoi(value);
    options.will.qos = qos_of(number).ok_or_else(|| Wrong::line(format!("Error: Invalid will QoS {number}.\n\n")))?;
    Ok(())
}

/// A number that has to be at least 1.
fn positive(value: &[u8], wrong: impl FnOnce(i32) -> String) -> Result<u32, Wrong> {
    let number = atoi(value);
    u32::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| Wrong::line(wrong(number)))
}

fn repeat(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.publish.repeat = positive(value, |_| "Error: --repeat argument must be >0.\n\n".to_owned())?;
    Ok(())
}

fn repeat_delay(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let seconds = atof(value);
    if seconds < 0.0 {
        return Err(Wrong::line("Error: --repeat-delay argument must be >=0.0.\n\n"));
    }
    options.publish.repeat_delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Ok(())
}

fn count(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.subscribe.count = Some(positive(value, |number| format!("Error: Invalid message count \"{number}\".\n\n"))?);
    Ok(())
}

fn timeout(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.subscribe.timeout = Some(positive(value, |number| format!("Error: Invalid timeout \"{number}\".\n\n"))?);
    Ok(())
}

fn in_flight(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = positive(value, |_| "Error: Maximum inflight messages must be greater than 0.\n\n".to_owned())?;
    // A number that MQTT cannot say is not taken over, as with Mosquitto.
    options.who.in_flight_maximum = u16::try_from(number).unwrap_or(options.who.in_flight_maximum);
    Ok(())
}

fn no_retained(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.subscribe.no_retain = true;
    options.subscribe.retain_handling = RetainHandling::DoNotSend;
    Ok(())
}

fn retain_handling(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.subscribe.retain_handling = match value {
        b"always" => RetainHandling::SendAtSubscribe,
        b"new" => RetainHandling::SendIfNew,
        b"never" => RetainHandling::DoNotSend,
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(Wrong::line(format!("Error: Unknown value '{other}' for --retain-handling.\n\n")));
        }
    };
    Ok(())
}

fn format(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.output.format = Some(Format::parse(value).map_err(Wrong::Line)?);
    Ok(())
}

fn no_end_of_line(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.output.end_of_line = false;
    Ok(())
}

/// The number is tenths of a percent, and what it is compared with ten-thousandths: as with Mosquitto, whose 100 shows a tenth of the messages.
fn random_filter(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let tenths = format!("{:.0}", (10.0 * atof(value)).trunc()).parse::<i64>().unwrap_or(i64::MAX);
    let in_range = u32::try_from(tenths).ok().filter(|tenths| (1..=10_000).contains(tenths));
    options.output.random_filter = in_range.ok_or_else(|| Wrong::line("Error: --random-filter chance must be between 0.1-100.0\n\n"))?;
    Ok(())
}

fn latency(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.publish.measure_latency = true;
    options.place.no_delay = true;
    Ok(())
}

fn host(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    bytes(&mut options.place.host, value)
}

fn port(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let number = atoi(value);
    let port = u16::try_from(number).map_err(|_| Wrong::line(format!("Error: Invalid port given: {number}\n")))?;
    options.place.port = Some(port);
    Ok(())
}

fn unix(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.place.port = Some(0);
    bytes(&mut options.place.host, value)
}

fn websocket(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.place.websocket.get_or_insert_with(|| url::WEBSOCKET_PATH.to_owned());
    Ok(())
}

fn bind_address(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    text(&mut options.place.bind_address, value)
}

fn together() -> Wrong {
    Wrong::line("Error: -i and -I argument cannot be used together.\n\n")
}

fn no_id_prefix(options: &Options) -> Result<(), Wrong> {
    if options.who.id_prefix.is_some() { Err(together()) } else { Ok(()) }
}

fn no_id(options: &Options) -> Result<(), Wrong> {
    if options.who.id.is_some() { Err(together()) } else { Ok(()) }
}

fn version(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    options.who.version = match value {
        b"31" | b"mqttv31" => ProtocolVersion::V31,
        b"311" | b"mqttv311" => ProtocolVersion::V311,
        b"5" | b"mqttv5" => ProtocolVersion::V5,
        _ => return Err(Wrong::line("Error: Invalid protocol version argument given.\n\n")),
    };
    Ok(())
}

fn keep_alive(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let seconds = u16::try_from(atoi(value)).ok().filter(|seconds| *seconds >= 5);
    options.who.keep_alive =
        seconds.ok_or_else(|| Wrong::line("Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n\n"))?;
    Ok(())
}

fn no_clean_session(options: &mut Options, _: &[u8]) -> Result<(), Wrong> {
    options.who.clean_session = false;
    Ok(())
}

fn session_expiry(options: &mut Options, value: &[u8]) -> Result<(), Wrong> {
    let seconds = match value {
        [0xE2, 0x88, 0x9E] => u32::MAX,
        number => {
            let number = strtoll(number).ok_or_else(|| Wrong::line("Error: session-expiry-interval not a number.\n\n"))?;
            let out_of_range = |_| Wrong::line("Error: session-expiry-interval out of range.\n\n");
            if number == -1 { u32::MAX } else { u32::try_from(number).map_err(out_of_range)? }
        }
    };
    options.who.session_expiry = Some(seconds);
    options.who.version = ProtocolVersion::V5;
    Ok(())
}
