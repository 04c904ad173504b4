//! `mosquitto_pub`, `signet pub`: messages from the command line, a file or stdin to a broker.

use std::ffi::OsString;
use std::io::{BufRead as _, Read as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_mqtt::{Publish, ReasonCode, TopicName};

use crate::connect::plan;
use crate::flag_table::LARGEST_PAYLOAD;
use crate::flags::parse;
use crate::options::{Options, Source};
use crate::session::{Ending, Event, Plan, Sending, Session};
use crate::stop::Stop;
use crate::trouble::Trouble;
use crate::{Kind, Manner, output, property, report, words};

/// Lines of stdin read ahead of the broker.
const LINES_AHEAD: usize = 64;

/// While stdin is quiet, how often the connection is looked after.
const IDLE: Duration = Duration::from_millis(100);

/// Runs the program; `program` is its name in messages.
pub fn run(program: &str, arguments: Vec<OsString>) -> ExitCode {
    let options = match parse(Kind::Publish, Manner::of(program), arguments) {
        Ok(options) => options,
        Err(wrong) => return report::command_line(program, Kind::Publish, &wrong),
    };
    // Read before connecting: a missing file is found without bothering the broker.
    let payload = match payload(&options) {
        Ok(payload) => payload,
        Err(code) => return code,
    };
    let (Some(topic), Some(source)) = (&options.publish.topic, &options.publish.source) else {
        output::error("Error: Both topic and message must be supplied.\n");
        output::data(report::help(program, Kind::Publish).as_bytes());
        return 1.into();
    };
    let plan = match plan(&options) {
        Ok(plan) => plan,
        Err(reason) => return report::no_plan(&options, &reason),
    };
    let Some(sending) = sending(&options, topic, payload) else { return 1.into() };
    let mut publisher = Publisher::new(&options, &plan, sending);
    match source {
        Source::StdinLines => publisher.lines(),
        _ => publisher.messages(),
    }
}

/// The payload of a message or of a request. None where every line of stdin is one.
pub(crate) fn payload(options: &Options) -> Result<Bytes, ExitCode> {
    let fail = |text: String| {
        report::error(options, &text);
        ExitCode::from(1)
    };
    match &options.publish.source {
        None | Some(Source::StdinLines | Source::Null) => Ok(Bytes::new()),
        Some(Source::Message(text)) => Ok(text.clone().into()),
        Some(Source::File(path)) => {
            let name = path.display();
            let read = read_at_most(std::fs::File::open(path));
            let content = read.map_err(|error| match options.manner {
                Manner::Mosquitto => {
                    let words = Trouble::System(error).words();
                    fail(format!("Error: Unable to read file \"{name}\": {words}.\nError loading input file \"{name}\".\n"))
                }
                Manner::Signet => {
                    let words = Trouble::System(error).words();
                    let first = words.chars().next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
                    let rest = words.chars().skip(1).collect::<String>();
                    report::own(options, &format!("cannot read `{name}`: {first}{rest}"));
                    1.into()
                }
            })?;
            if content.len() > LARGEST_PAYLOAD {
                return Err(fail(format!(
                    "Error: File must be less than {LARGEST_PAYLOAD} bytes.\n\nError loading input file \"{name}\".\n"
                )));
            }
            Ok(content.into())
        }
        Some(Source::Stdin) => {
            let content = read_at_most(Ok(std::io::stdin().lock())).unwrap_or_default();
            if content.len() > LARGEST_PAYLOAD {
                return Err(fail(format!(
                    "Error: Message length must be less than {LARGEST_PAYLOAD} bytes.\n\nError loading input from stdin.\n"
                )));
            }
            if content.is_empty() {
                return Err(fail("Error: Zero length input.\nError loading input from stdin.\n".to_owned()));
            }
            Ok(content.into())
        }
    }
}

/// One octet more than a payload can have tells that there are too many.
fn read_at_most(source: std::io::Result<impl std::io::Read>) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let bound = u64::try_from(LARGEST_PAYLOAD).unwrap_or(u64::MAX) + 1;
    source?.take(bound).read_to_end(&mut content)?;
    Ok(content)
}

/// The message to publish. None cannot be: the topic was checked.
pub(crate) fn sending(options: &Options, topic: &str, payload: Bytes) -> Option<Sending> {
    let properties = &options.properties.publish;
    let publish = Publish {
        dup: false,
        qos: options.qos,
        retain: options.publish.retain,
        topic: Some(TopicName::new(topic).ok()?),
        packet_id: None,
        properties: properties.for_publish().into(),
        payload,
    };
    Some(Sending { publish, has_properties: !properties.is_empty() })
}

struct Publisher<'a> {
    options: &'a Options,
    session: Session<'a>,
    sending: Sending,
    /// The first message of a connection has its topic, the others only the alias.
    is_first: bool,
    published: u32,
    /// The number of a CONNACK that refused us.
    refused: u8,
    /// The reason code of the last message that the broker refused.
    rejected: Option<ReasonCode>,
}

impl<'a> Publisher<'a> {
    fn new(options: &'a Options, plan: &'a Plan, sending: Sending) -> Self {
        let session = Session::new(plan, Stop::default());
        Self { options, session, sending, is_first: true, published: 0, refused: 0, rejected: None }
    }

    /// One message, or several times the same.
    fn messages(&mut self) -> ExitCode {
        if let Err(ending) = self.session.connect() {
            return report::ending(self.options, &ending, 0);
        }
        let mut next = None;
        loop {
            match self.session.poll(next) {
                Ok(Some(Event::Connack(0))) => {
                    if let Err(trouble) = self.publish(None) {
                        self.cannot_publish(&trouble);
                        return self.leave(&trouble);
                    }
                }
                Ok(Some(Event::Connack(code))) => {
                    self.refused = code;
                    report::refused(self.options, code);
                }
                Ok(Some(Event::Published { mid, reason, reason_string })) => {
                    self.note(mid, reason, reason_string.as_deref());
                    if self.published >= self.options.publish.repeat {
                        return self.leave_well();
                    }
                    next = Instant::now().checked_add(self.options.publish.repeat_delay);
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    next = None;
                    if let Err(trouble) = self.publish(None) {
                        // Without a line end, as Mosquitto writes it.
                        report::error(self.options, &format!("Error sending repeat publish: {}", trouble.words()));
                        report::error(self.options, &format!("Error: {}\n", trouble.words()));
                        return trouble.code().into();
                    }
                }
                Err(ending) => return self.end(&ending),
            }
        }
    }

    /// Every line of stdin is a message. A lost connection is made anew, and what was not acknowledged is sent again.
    fn lines(&mut self) -> ExitCode {
        if let Err(ending) = self.session.connect() {
            return report::ending(self.options, &ending, 0);
        }
        let lines = stdin_lines();
        let (mut is_up, mut is_read) = (false, false);
        let mut looked = Instant::now();
        loop {
            while let Some(event) = self.session.event() {
                is_up |= matches!(event, Event::Connack(0));
                if let Some(code) = self.line_event(event) {
                    return code;
                }
            }
            if is_read && self.session.waiting() == 0 {
                return self.leave_well();
            }
            let must_wait = !is_up || is_read || self.session.waiting() >= usize::from(self.options.who.in_flight_maximum);
            if !must_wait {
                match next_line(&lines) {
                    Line::Some(line) => match self.publish(Some(line)) {
                        Ok(_) | Err(Trouble::NotConnected) => {}
                        Err(trouble) => return self.leave_with(&trouble),
                    },
                    Line::None => {}
                    Line::End => is_read = true,
                }
            }
            if !must_wait && looked.elapsed() < IDLE {
                continue;
            }
            looked = Instant::now();
            match self.session.look(Some(if must_wait { looked + IDLE } else { looked })) {
                Ok(()) => {}
                Err(ending) if self.options.manner == Manner::Signet || ending.is_fatal() => {
                    return report::ending(self.options, &ending, self.refused);
                }
                Err(_) => {
                    is_up = false;
                    while self.session.reconnect().is_err() {}
                }
            }
        }
    }

    /// An exit code: that was all.
    fn line_event(&mut self, event: Event) -> Option<ExitCode> {
        match event {
            Event::Connack(0) => self.is_first = true,
            Event::Connack(code) => {
                self.refused = code;
                report::refused(self.options, code);
                if self.options.manner == Manner::Mosquitto {
                    report::error(self.options, &format!("Error: {}\n", Trouble::Refused.words()));
                    return Some(code.into());
                }
            }
            Event::Published { mid, reason, reason_string } => self.note(mid, reason, reason_string.as_deref()),
            _ => {}
        }
        None
    }

    fn publish(&mut self, line: Option<Bytes>) -> Result<u16, Trouble> {
        let mut sending = self.sending.clone();
        if let Some(line) = line {
            sending.publish.payload = line;
        }
        let has_alias = self.options.properties.publish.has(property::TOPIC_ALIAS);
        if has_alias && !self.is_first && self.session.version() == signet_mqtt::ProtocolVersion::V5 {
            sending.publish.topic = None;
        }
        self.is_first = false;
        self.session.publish(sending)
    }

    fn note(&mut self, mid: u16, reason: ReasonCode, reason_string: Option<&str>) {
        self.published += 1;
        if !reason.is_error() {
            return;
        }
        match self.options.manner {
            Manner::Mosquitto => {
                report::error(self.options, &format!("Warning: Publish {mid} failed: {}.\n", words::reason(reason.into())));
                if let Some(text) = reason_string {
                    report::error(self.options, &format!("{text}\n"));
                }
            }
            Manner::Signet => {
                let topic = self.options.publish.topic.as_deref().unwrap_or_default();
                let words = signet_client::in_words(reason, reason_string);
                report::own(self.options, &format!("the broker refused message {mid} to `{topic}`: {words}"));
                self.rejected = Some(reason);
            }
        }
    }

    fn leave_well(&mut self) -> ExitCode {
        self.session.disconnect(ReasonCode::Success);
        self.rejected.map_or(ExitCode::SUCCESS, |reason| u8::from(reason).into())
    }

    fn cannot_publish(&self, trouble: &Trouble) {
        let text = match trouble {
            Trouble::Invalid => "Error: Invalid input. Does your topic contain '+' or '#'?\n",
            Trouble::NotConnected => "Error: Client not connected when trying to publish.\n",
            Trouble::Protocol => "Error: Protocol error when communicating with broker.\n",
            Trouble::QosNotSupported => "Error: Message QoS not supported on broker, try a lower QoS.\n",
            other if self.options.manner == Manner::Signet => return report::error(self.options, &format!("Error: {}.\n", other.words())),
            _ => return,
        };
        report::error(self.options, text);
    }

    /// Mosquitto's program says goodbye, and that counts as success.
    fn leave(&mut self, trouble: &Trouble) -> ExitCode {
        self.session.disconnect(ReasonCode::Success);
        match self.options.manner {
            Manner::Mosquitto => ExitCode::SUCCESS,
            Manner::Signet => trouble.code().into(),
        }
    }

    fn leave_with(&mut self, trouble: &Trouble) -> ExitCode {
        self.session.close();
        report::error(self.options, &format!("Error: {}\n", trouble.words()));
        trouble.code().into()
    }

    fn end(&self, ending: &Ending) -> ExitCode {
        let is_goodbye = matches!(ending.error, signet_client::ClientError::Disconnected { reason_code: ReasonCode::Success, .. });
        if is_goodbye && self.options.manner == Manner::Mosquitto {
            return ExitCode::SUCCESS;
        }
        report::ending(self.options, ending, self.refused)
    }
}

enum Line {
    Some(Bytes),
    /// Not yet.
    None,
    End,
}

fn next_line(lines: &Receiver<Bytes>) -> Line {
    match lines.try_recv() {
        Ok(line) => Line::Some(line),
        Err(TryRecvError::Disconnected) => Line::End,
        Err(TryRecvError::Empty) => match lines.recv_timeout(IDLE) {
            Ok(line) => Line::Some(line),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Line::None,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Line::End,
        },
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
