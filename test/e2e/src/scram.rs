//! Other people's clients of SCRAM: scramp for Python, and MQTT.js with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::process::{Finished, Running};
use crate::tools;

/// MQTT.js logs in at a port without TLS: `verified`, or `refused` with the reason code.
#[track_caller]
pub fn mqttjs_scram(port: u16, mechanism: &str, user: &str, password: &str) -> Finished {
    let mut command = Command::new("node");
    command.env("NODE_PATH", tools::installed("node_modules"));
    command.arg(tools::script("scram_mqttjs.js")).args([&port.to_string(), mechanism, user, password]);
    command.arg(tools::installed("python/bin/python")).arg(tools::script("scram_client.py"));
    Running::run(&mut command)
}

/// scramp as a process: the client's side of one exchange.
pub struct Scramp {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Scramp {
    /// Begins an exchange.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn begin(mechanism: &str, user: &str, password: &str) -> Self {
        let mut command = Command::new(tools::installed("python/bin/python"));
        command.arg(tools::script("scram_client.py")).args([mechanism, user, password]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start scramp: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { panic!("scramp has no pipes") };
        Self { child, input, output: BufReader::new(output) }
    }

    /// What it says next.
    ///
    /// # Panics
    /// When it has ended.
    pub fn says(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        assert!(matches!(read, Ok(1..)), "scramp has ended");
        line.trim_end().to_owned()
    }

    /// Tells it what the server said.
    ///
    /// # Panics
    /// When it has ended.
    pub fn hears(&mut self, data: &[u8]) {
        let written = self.input.write_all(data).and_then(|()| self.input.write_all(b"\n"));
        assert!(written.is_ok(), "scramp has ended");
    }
}

impl Drop for Scramp {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
