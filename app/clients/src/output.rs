//! What reaches the terminal: messages and lines about packets on stdout, errors on stderr.

use std::collections::HashMap;
use std::io::{self, Write as _};

use bytes::Bytes;
use signet_mqtt::{PublishProperties, QoS, TopicName};

use crate::options::OutputOptions;
use crate::own_json;

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) topic: TopicName,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// 0 with QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) properties: PublishProperties,
    /// Identifiers of the properties in the order in which they came.
    pub(crate) order: Vec<u8>,
}

/// Lines that `--watch` gives to topics; later topics share the last one.
const WATCHED: usize = 10_000;

/// Where messages go.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    options: &'a OutputOptions,
    quiet: bool,
    /// Lines of the screen by topic, counted from 1.
    lines: HashMap<TopicName, usize>,
    last_line: usize,
}

impl<'a> Output<'a> {
    pub(crate) fn new(options: &'a OutputOptions, quiet: bool) -> Self {
        Self { options, quiet, lines: HashMap::new(), last_line: 1 }
    }

    /// The screen that `--watch` starts with.
    pub(crate) fn begin(&self, host: &str) {
        if self.options.watch {
            data(format!("\x1b[2J\x1b[1;1HBroker: {host}\n").as_bytes());
        }
    }

    /// Shows a message.
    ///
    /// # Errors
    /// The reader of our output went away.
    pub(crate) fn show(&mut self, message: &Incoming) -> io::Result<()> {
        let mut out = Vec::new();
        if self.options.watch {
            let line = self.line_of(&message.topic);
            out.extend(format!("\x1b[{line};1H").bytes());
        }
        if !self.is_chosen() {
            return put(&out);
        }
        let mut complaints = Vec::new();
        match &self.options.format {
            Some(format) => {
                format.write(message, self.options.pretty, &mut out, &mut complaints);
                out.extend(self.options.end_of_line.then_some(b'\n'));
            }
            None if self.options.json => out.extend(own_json::line(message).bytes()),
            None => self.plain(message, &mut out),
        }
        if self.options.watch {
            out.extend(format!("\x1b[{};1H\n", self.last_line).bytes());
        }
        let written = put(&out);
        for complaint in complaints.iter().filter(|_| !self.quiet) {
            error(complaint);
        }
        written
    }

    /// An empty payload is `(null)` behind a topic, and without one nothing.
    fn plain(&self, message: &Incoming, out: &mut Vec<u8>) {
        let OutputOptions { verbose, end_of_line, .. } = self.options;
        match (message.payload.is_empty(), verbose) {
            (true, true) if *end_of_line => out.extend(format!("{} (null)\n", message.topic.as_str()).bytes()),
            (true, _) => {}
            (false, verbose) => {
                if *verbose {
                    out.extend(format!("{} ", message.topic.as_str()).bytes());
                }
                out.extend(&message.payload);
                out.extend(end_of_line.then_some(b'\n'));
            }
        }
    }

    fn line_of(&mut self, topic: &TopicName) -> usize {
        if let Some(line) = self.lines.get(topic) {
            return *line;
        }
        if self.lines.len() < WATCHED {
            self.last_line += 1;
            self.lines.insert(topic.clone(), self.last_line);
        }
        self.last_line
    }

    fn is_chosen(&self) -> bool {
        if self.options.random_filter >= 10_000 {
            return true;
        }
        let mut bytes = [0; 4];
        // Without random numbers everything is shown.
        aws_lc_rs::rand::fill(&mut bytes).is_err() || u32::from_ne_bytes(bytes) % 10_000 < self.options.random_filter
    }
}

/// One line about packets.
pub(crate) fn line(text: &str) {
    data(format!("{text}\n").as_bytes());
}

/// Text on stdout, whether or not somebody reads it.
pub(crate) fn data(text: &[u8]) {
    drop(put(text));
}

/// Text on stderr as it stands.
pub(crate) fn error(text: &str) {
    // A reader that went away is not an error.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

fn put(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}
