//! `signet pub`: messages from the command line, a file or stdin to a broker.

use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_client::{Client, ClientError, Event, OutgoingMessage};
use signet_mqtt::{Ack, PublishProperties, QoS, ReasonCode, TopicName};

use crate::command::client_flags::{self, ConnectionFlags, usage};
use crate::hint::Failure;
use crate::output;

/// Lines of stdin read ahead of the broker.
const LINES_AHEAD: usize = 64;

/// While stdin is quiet, how often the connection is looked after (pings, a DISCONNECT from the broker).
const IDLE: Duration = Duration::from_millis(200);

const EXIT_CODES: &str = "\
Exit codes:
  0        every message was handed over (QoS 1 and 2: acknowledged)
  1-5      MQTT 3.1.1: the code with which the broker refused the connection;
           1 also for a file or stdin that cannot be read
  2        the command line is wrong, or a packet came that has no place
  7, 8     connection lost; TLS failed
  10, 25   the broker does not support what was asked for; message too large
  14, 15   no connection; unknown host
  19, 27   no answer to a PINGREQ; no answer in time
  21       what the broker sent is not MQTT
  128-162  MQTT 5.0: the reason code with which the broker refused the
           connection or a message, or disconnected us";

/// Flags of `signet pub`, named as those of mosquitto_pub.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES, group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Args {
    /// Topic to publish to
    #[arg(short = 't', long, value_name = "TOPIC", value_parser = client_flags::topic_name)]
    topic: TopicName,
    #[command(flatten)]
    what: What,
    /// Quality of service: 0 at most once, 1 at least once, 2 exactly once
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = client_flags::qos)]
    qos: QoS,
    /// Let the broker keep the message for later subscribers
    #[arg(short = 'r', long)]
    retain: bool,
    /// Send the message this often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["stdin_line"])]
    repeat: u32,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// Where the payload comes from: exactly one of these.
#[derive(Debug, clap::Args)]
struct What {
    /// The payload
    #[arg(short = 'm', long, value_name = "TEXT", group = "what", allow_hyphen_values = true)]
    message: Option<String>,
    /// The payload is the content of this file
    #[arg(short = 'f', long, value_name = "FILE", group = "what")]
    file: Option<PathBuf>,
    /// Every line of stdin is a message
    #[arg(short = 'l', long, group = "what")]
    stdin_line: bool,
    /// An empty payload
    #[arg(short = 'n', long, group = "what")]
    null_message: bool,
    /// All of stdin is one message
    #[arg(short = 's', long, group = "what")]
    stdin_file: bool,
}

/// Publishes and returns the exit code.
pub(crate) fn run(args: Args) -> ExitCode {
    let (options, properties) = match args.connection.resolve("pub") {
        Ok(resolved) => resolved,
        Err(failure) => return client_flags::report_usage(&failure),
    };
    let mut publisher = Publisher { args: &args, properties: properties.publish, refused: None };
    // Read before connecting: a missing file is found without bothering the broker.
    let payload = match publisher.args.what.payload() {
        Ok(payload) => payload,
        Err(failure) => {
            output::note(&failure.to_string());
            return failure.exit.into();
        }
    };
    let published = args.connection.open(&options).and_then(|client| match payload {
        Some(payload) => publisher.publish_one(client, &payload),
        None => publisher.publish_lines(client),
    });
    match (published, publisher.refused) {
        (Err(error), _) => args.connection.report(&error),
        (Ok(()), Some(reason_code)) => u8::from(reason_code).into(),
        (Ok(()), None) => ExitCode::SUCCESS,
    }
}

struct Publisher<'a> {
    args: &'a Args,
    properties: PublishProperties,
    /// The reason code of the last message that the broker refused.
    refused: Option<ReasonCode>,
}

impl Publisher<'_> {
    fn publish_one(&mut self, mut client: Client, payload: &Bytes) -> Result<(), ClientError> {
        for _ in 0..self.args.repeat {
            client.publish(self.message(payload.clone()))?;
        }
        self.finish(client)
    }

    fn publish_lines(&mut self, mut client: Client) -> Result<(), ClientError> {
        let lines = stdin_lines();
        loop {
            match lines.recv_timeout(IDLE) {
                Ok(line) => {
                    client.publish(self.message(line))?;
                }
                Err(RecvTimeoutError::Timeout) => self.drain(&mut client)?,
                Err(RecvTimeoutError::Disconnected) => return self.finish(client),
            }
        }
    }

    fn message(&self, payload: Bytes) -> OutgoingMessage {
        OutgoingMessage {
            topic: self.args.topic.clone(),
            payload,
            qos: self.args.qos,
            retain: self.args.retain,
            properties: self.properties.clone(),
        }
    }

    fn finish(&mut self, mut client: Client) -> Result<(), ClientError> {
        client.flush()?;
        self.drain(&mut client)?;
        client.disconnect(ReasonCode::Success)
    }

    /// Takes what has arrived, without waiting.
    fn drain(&mut self, client: &mut Client) -> Result<(), ClientError> {
        while let Some(event) = client.poll(Some(Instant::now()))? {
            if let Event::Published(ack) = event {
                self.note_refusal(&ack);
            }
        }
        Ok(())
    }

    fn note_refusal(&mut self, ack: &Ack) {
        if !ack.reason_code.is_error() {
            return;
        }
        if !self.args.connection.quiet {
            let words = signet_client::in_words(ack.reason_code, ack.reason_string.as_deref());
            output::note(&format!(
                "signet: error: the broker refused message {} to `{}`: {words}",
                ack.packet_id.get(),
                self.args.topic.as_str()
            ));
        }
        self.refused = Some(ack.reason_code);
    }
}

impl What {
    /// The whole payload, or None when it comes line by line.
    fn payload(&self) -> Result<Option<Bytes>, Failure> {
        if self.stdin_line {
            return Ok(None);
        }
        if let Some(path) = &self.file {
            return std::fs::read(path).map(|content| Some(content.into())).map_err(|error| Failure::file("read", path, &error));
        }
        if self.stdin_file {
            let mut content = Vec::new();
            std::io::stdin().lock().read_to_end(&mut content).map_err(|error| usage(format!("cannot read stdin: {error}")))?;
            return Ok(Some(content.into()));
        }
        Ok(Some(self.message.clone().unwrap_or_default().into_bytes().into()))
    }
}

/// A thread reads stdin, because a blocked read there must not stop the pings.
fn stdin_lines() -> Receiver<Bytes> {
    let (sender, receiver) = sync_channel(LINES_AHEAD);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut line = Vec::new();
        while matches!(stdin.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if sender.send(Bytes::from(std::mem::take(&mut line))).is_err() {
                break;
            }
        }
    });
    receiver
}
