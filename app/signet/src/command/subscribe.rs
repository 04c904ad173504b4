//! `signet sub`: messages from a broker to stdout, until a count, a time or a signal ends it.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use signet_client::{Client, ClientError, Event, Interrupter};
use signet_mqtt::{ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, Suback, SubscribeFilter, SubscriptionOptions, TopicFilter};

use crate::command::client_flags::{self, ConnectionFlags};
use crate::command::client_properties::Properties;
use crate::output;

/// As mosquitto_sub: `-W` ended it.
const TIMED_OUT: u8 = 27;

const EXIT_CODES: &str = "\
Exit codes:
  0        ended by -C, -E or a signal
  1-5      MQTT 3.1.1: the code with which the broker refused the connection
  2        the command line is wrong, or a packet came that has no place
  7, 8     connection lost; TLS failed
  10       the broker does not support what was asked for
  14, 15   no connection; unknown host
  19, 21   no answer to a PINGREQ; what the broker sent is not MQTT
  27       -W ended it, or the broker did not answer in time
  128-162  the reason code with which the broker refused the connection
           (MQTT 5.0) or every subscription, or disconnected us";

/// Flags of `signet sub`, named as those of mosquitto_sub.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Topic filter to subscribe to; may be repeated
    #[arg(short = 't', long = "topic", value_name = "FILTER", required = true, value_parser = topic_filter)]
    topics: Vec<TopicFilter>,
    /// Highest quality of service to receive with
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = client_flags::qos)]
    qos: QoS,
    /// End after this many messages
    #[arg(short = 'C', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this many seconds, with exit code 27
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    timeout: Option<u64>,
    /// End when the broker has answered the subscription
    #[arg(short = 'E')]
    exit_after_suback: bool,
    #[command(flatten)]
    print: PrintFlags,
    #[command(flatten)]
    which: WhichFlags,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// How a message is printed.
#[derive(Debug, clap::Args)]
struct PrintFlags {
    /// Print the topic before the payload
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Print no line end after a payload
    #[arg(short = 'N', conflicts_with = "json")]
    no_newline: bool,
    /// Print one JSON object a line: topic, payload, qos, retain, properties
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
}

/// Which messages are asked for and shown.
#[derive(Debug, clap::Args)]
struct WhichFlags {
    /// Show no message that the broker kept from before
    #[arg(short = 'R')]
    no_retained: bool,
    /// Do not send us what we publish ourselves, MQTT 5.0
    #[arg(long)]
    no_local: bool,
    /// Keep the retain flag as published, MQTT 5.0
    #[arg(long)]
    retain_as_published: bool,
    /// When to send kept messages, MQTT 5.0: always, new or never
    #[arg(long, value_name = "WHEN", default_value = "always", value_parser = retain_handling)]
    retain_handling: RetainHandling,
}

impl WhichFlags {
    fn needs_version_5(&self) -> bool {
        self.no_local || self.retain_as_published || self.retain_handling != RetainHandling::SendAtSubscribe
    }
}

/// Subscribes, prints, and returns the exit code.
pub(crate) fn run(args: Args) -> ExitCode {
    let (mut options, properties) = match args.connection.resolve("sub") {
        Ok(resolved) => resolved,
        Err(failure) => return client_flags::report_usage(&failure),
    };
    if options.connect.version != ProtocolVersion::V5 && args.which.needs_version_5() {
        let failure = client_flags::usage("`--no-local`, `--retain-as-published` and `--retain-handling` need MQTT 5.0").hint("use `-V 5`");
        return client_flags::report_usage(&failure);
    }
    // -W counts from here and bounds each step of connecting too.
    let limit = args.timeout.map(Duration::from_secs);
    let deadline = limit.map(|limit| Instant::now() + limit);
    options.timeout = limit.unwrap_or(options.timeout).min(options.timeout);
    let ended = args.connection.open(&options).and_then(|client| {
        on_signal(client.interrupter()?);
        args.listen(client, properties, deadline)
    });
    match ended {
        Ok(code) => code,
        Err(ClientError::Interrupted) => ExitCode::SUCCESS,
        Err(error) => args.connection.report(&error),
    }
}

impl Args {
    fn listen(&self, mut client: Client, properties: Properties, deadline: Option<Instant>) -> Result<ExitCode, ClientError> {
        let asked = properties.subscribe;
        let suback = client.subscribe(self.subscriptions(), asked.subscription_identifier, asked.user_properties)?;
        if let Some(refused) = self.refusals(&suback) {
            client.disconnect(ReasonCode::Success)?;
            return Ok(refused.into());
        }
        let mut left = self.count.unwrap_or(u64::MAX);
        let code = loop {
            if left == 0 || self.exit_after_suback {
                break 0;
            }
            match client.poll(deadline)? {
                Some(Event::Message(publish)) if publish.retain && self.which.no_retained => {}
                Some(Event::Message(publish)) => {
                    if self.print(&publish).is_err() {
                        // The reader of our output went away: nothing is left to do.
                        break 0;
                    }
                    left -= 1;
                }
                Some(Event::Interrupted) => break 0,
                Some(_) => {}
                None => break TIMED_OUT,
            }
        };
        client.disconnect(ReasonCode::Success)?;
        Ok(code.into())
    }

    fn subscriptions(&self) -> Vec<SubscribeFilter> {
        let options = SubscriptionOptions {
            maximum_qos: self.qos,
            no_local: self.which.no_local,
            retain_as_published: self.which.retain_as_published,
            retain_handling: self.which.retain_handling,
        };
        self.topics.iter().map(|filter| SubscribeFilter { filter: filter.clone(), options }).collect()
    }

    /// Says which filters were refused; a code when none was granted.
    fn refusals(&self, suback: &Suback) -> Option<u8> {
        for (filter, code) in self.topics.iter().zip(&suback.reason_codes).filter(|(_, code)| code.is_error()) {
            if !self.connection.quiet {
                let words = signet_client::in_words(*code, suback.reason_string.as_deref());
                output::note(&format!("signet: error: the broker refused the subscription to `{}`: {words}", filter.as_str()));
            }
        }
        match suback.reason_codes.iter().all(|code| code.is_error()) {
            true => suback.reason_codes.first().map(|code| u8::from(*code)),
            false => None,
        }
    }

    fn print(&self, publish: &Publish) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.print.json {
            writeln!(out, "{}", as_json(publish))?;
        } else {
            if self.print.verbose {
                write!(out, "{} ", publish.topic.as_ref().map_or("", |topic| topic.as_str()))?;
            }
            out.write_all(&publish.payload)?;
            if !self.print.no_newline {
                out.write_all(b"\n")?;
            }
        }
        out.flush()
    }
}

/// One message as one JSON object. A payload that is not UTF-8 is given in hexadecimal, under another name.
fn as_json(publish: &Publish) -> Value {
    let mut message = Map::new();
    message.insert("topic".into(), json!(publish.topic.as_ref().map(|topic| topic.as_str())));
    match std::str::from_utf8(&publish.payload) {
        Ok(text) => message.insert("payload".into(), json!(text)),
        Err(_) => message.insert("payload_hex".into(), json!(hex::encode(&publish.payload))),
    };
    message.insert("qos".into(), json!(u8::from(publish.qos)));
    message.insert("retain".into(), json!(publish.retain));
    let properties = properties(publish);
    if !properties.is_empty() {
        message.insert("properties".into(), Value::Object(properties));
    }
    Value::Object(message)
}

/// Only those that were sent.
fn properties(publish: &Publish) -> Map<String, Value> {
    let given = &publish.properties;
    let user: Vec<_> = given.user_properties.iter().map(|(name, value)| json!([name, value])).collect();
    let identifiers: Vec<_> = given.subscription_identifiers.iter().map(|identifier| identifier.get()).collect();
    let all = [
        ("payload_format_indicator", given.payload_format_indicator.map(|flag| json!(u8::from(flag)))),
        ("message_expiry_interval", given.message_expiry_interval.map(|seconds| json!(seconds))),
        ("content_type", given.content_type.as_ref().map(|text| json!(&**text))),
        ("response_topic", given.response_topic.as_ref().map(|topic| json!(topic.as_str()))),
        ("correlation_data_hex", given.correlation_data.as_ref().map(|data| json!(hex::encode(data)))),
        ("subscription_identifiers", (!identifiers.is_empty()).then(|| json!(identifiers))),
        ("user_properties", (!user.is_empty()).then(|| json!(user))),
    ];
    all.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
}

/// SIGINT and SIGTERM end the subscription as if it were done: DISCONNECT, exit code 0. Returns when that holds.
fn on_signal(interrupter: Interrupter) {
    let (ready, registered) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
            let _ = ready.send(());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            interrupter.interrupt();
        });
    });
    // An error means that the thread gave up: then a signal ends the process the system's way.
    let _ = registered.recv();
}

fn topic_filter(text: &str) -> Result<TopicFilter, String> {
    TopicFilter::new(text.to_owned()).map_err(|error| error.to_string())
}

fn retain_handling(text: &str) -> Result<RetainHandling, String> {
    match text {
        "always" => Ok(RetainHandling::SendAtSubscribe),
        "new" => Ok(RetainHandling::SendIfNew),
        "never" => Ok(RetainHandling::DoNotSend),
        other => Err(format!("`{other}` is not known, use always, new or never")),
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::{PublishProperties, TopicName, UserProperties};

    use super::*;

    #[test]
    fn json_shows_bytes_that_are_no_text_as_hexadecimal_and_only_properties_that_were_sent() {
        let mut publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: Some(TopicName::new("a/b").unwrap()),
            packet_id: None,
            properties: PublishProperties::default(),
            payload: b"\xff\x00".as_slice().into(),
        };
        assert_eq!(as_json(&publish).to_string(), r#"{"payload_hex":"ff00","qos":1,"retain":true,"topic":"a/b"}"#);
        publish.payload = b"21.5".as_slice().into();
        publish.properties.user_properties = UserProperties(vec![("unit".into(), "C".into())]);
        assert_eq!(
            as_json(&publish).to_string(),
            r#"{"payload":"21.5","properties":{"user_properties":[["unit","C"]]},"qos":1,"retain":true,"topic":"a/b"}"#
        );
    }
}
