//! One place where lines go: a terminal, a file, the system's log, a topic. Each is written to by a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Zoned;
use signet_mosquitto::log::Kind;
use signet_mqtt::{Message, MessageProperties, QoS, TopicName};
use signet_server::Monitor;

/// Where a line for a topic is still worth reading, in seconds.
const TOPIC_EXPIRY: u32 = 20;

/// A place for lines.
pub(super) enum Sink {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(LogFile),
    Syslog(Syslog),
    Topic(Arc<OnceLock<Monitor>>),
}

impl Sink {
    fn line(&mut self, kind: Kind, text: &str) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => writeln!(stdout, "{text}"),
            Self::Stderr(stderr) => writeln!(stderr, "{text}"),
            Self::File(file) => file.line(text),
            Self::Syslog(syslog) => syslog.line(kind, text),
            Self::Topic(monitor) => {
                publish(monitor, kind, text);
                Ok(())
            }
        }
    }
}

/// A line on its way to a thread: its kind, then its text. Without text it is a sign to look whether a file is to be opened anew.
pub(super) fn record(kind: Kind, text: &str) -> Vec<u8> {
    let place = Kind::all().position(|known| known == kind).and_then(|place| u8::try_from(place).ok()).unwrap_or_default();
    let mut record = Vec::with_capacity(text.len() + 1);
    record.push(place);
    record.extend_from_slice(text.as_bytes());
    record
}

/// Takes records, each in one call.
pub(super) struct Records(pub(super) Sink);

impl Write for Records {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if let Some((place, text)) = record.split_first() {
            let kind = Kind::all().nth(usize::from(*place)).unwrap_or(Kind::Error);
            match (&mut self.0, text) {
                (Sink::File(file), []) => file.reopen_if_asked(),
                (_, []) => {}
                (sink, text) => sink.line(kind, &String::from_utf8_lossy(text))?,
            }
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::File(file) => file.file.as_mut().map_or(Ok(()), File::flush),
            Sink::Stderr(_) | Sink::Syslog(_) | Sink::Topic(_) => Ok(()),
        }
    }
}

/// A file, which somebody may move away.
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    reopen: Arc<AtomicBool>,
}

impl LogFile {
    /// Opens it, and makes it where there is none: for its owner alone, because Client Identifiers and user names are in it.
    pub(super) fn open(path: &Path, reopen: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: Some(append(path)?), reopen })
    }

    fn reopen_if_asked(&mut self) {
        if self.reopen.swap(false, Ordering::AcqRel) {
            // What cannot be opened anew is tried again with each line: meanwhile the old file has them, wherever it is now.
            match append(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(_) => self.reopen.store(true, Ordering::Release),
            }
        }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.reopen_if_asked();
        // In one call, so that another process that appends does not write into the middle.
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(format!("{text}\n").as_bytes()))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The system's log, which may start later than we do, and again.
pub(super) struct Syslog {
    pub(super) socket: PathBuf,
    pub(super) facility: u8,
    /// The name that lines go by.
    pub(super) program: &'static str,
    pub(super) connection: Option<UnixDatagram>,
}

impl Syslog {
    fn line(&mut self, kind: Kind, text: &str) -> io::Result<()> {
        let priority = u16::from(self.facility) * 8 + u16::from(kind.severity());
        let time = Zoned::now().strftime("%b %e %H:%M:%S");
        let datagram = format!("<{priority}>{time} {}[{}]: {text}", self.program, std::process::id());
        if let Some(connection) = &self.connection
            && connection.send(datagram.as_bytes()).is_ok()
        {
            return Ok(());
        }
        let connection = UnixDatagram::unbound()?;
        connection.connect(&self.socket)?;
        connection.send(datagram.as_bytes())?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Publishes a line for whoever has subscribed: not retained, and nowhere before the broker runs.
fn publish(monitor: &OnceLock<Monitor>, kind: Kind, text: &str) {
    let Some(monitor) = monitor.get() else { return };
    let Some(topic) = kind.topic().and_then(|topic| TopicName::new(topic).ok()) else { return };
    let properties = MessageProperties { message_expiry_interval: Some(TOPIC_EXPIRY), ..MessageProperties::default() }.into();
    let message = Message { topic, payload: Bytes::copy_from_slice(text.as_bytes()), qos: QoS::ExactlyOnce, retain: false, properties };
    monitor.publish(vec![message]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.log");
        let reopen = Arc::new(AtomicBool::new(false));
        let mut records = Records(Sink::File(LogFile::open(&path, Arc::clone(&reopen)).unwrap()));
        let mut say = |text: &str| records.write_all(&record(Kind::Notice, text)).unwrap();
        say("one");
        std::fs::rename(&path, dir.path().join("m.log.1")).unwrap();
        say("two");
        reopen.store(true, Ordering::Release);
        say("");
        say("three");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("m.log.1").as_str(), read("m.log").as_str()), ("one\ntwo\n", "three\n"));
    }

    #[test]
    fn the_systems_log_gets_priority_program_and_text() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("log");
        let syslog = Syslog { socket: socket.clone(), facility: 19, program: "mosquitto", connection: None };
        let mut records = Records(Sink::Syslog(syslog));
        assert!(records.write_all(&record(Kind::Notice, "nobody listens")).is_err());
        let mut hear = |listener: &UnixDatagram, text: &str| {
            records.write_all(&record(Kind::Warning, text)).unwrap();
            let mut buffer = [0; 200];
            let length = listener.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let listener = UnixDatagram::bind(&socket).unwrap();
        let heard = hear(&listener, "hello");
        assert!(heard.starts_with("<156>") && heard.ends_with(&format!(" mosquitto[{}]: hello", std::process::id())), "{heard}");
        drop(listener);
        std::fs::remove_file(&socket).unwrap();
        let listener = UnixDatagram::bind(&socket).unwrap();
        assert!(hear(&listener, "again").ends_with(": again"), "the log was started anew");
    }
}
