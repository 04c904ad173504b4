//! A child process whose output is read line by line as it comes, so that a test waits for what is said and never for time to pass.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// A process that ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code, `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything it printed to both streams, in the order the lines were read.
    pub output: String,
}

impl Finished {
    /// The same, after checking that the process said it succeeded.
    ///
    /// # Panics
    /// When the exit code is not 0; the message shows the output.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.output);
        self
    }

    /// Whether a line of the output contains `text`.
    pub fn says(&self, text: &str) -> bool {
        self.output.contains(text)
    }
}

/// A process that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    /// Streams that reached their end.
    ended: usize,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_all(&self, stream: impl Read) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.lock().lines.push(text);
            self.changed.notify_all();
            line.clear();
        }
        self.lock().ended += 1;
        self.changed.notify_all();
    }
}

impl Running {
    /// Starts `command` with its input and both outputs connected to the test.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start `{name}`: {error} (run test/setup once)"));
        let lines = Arc::new(Lines::default());
        let mut readers = Vec::new();
        if let Some(stream) = child.stdout.take() {
            let lines = Arc::clone(&lines);
            readers.push(std::thread::spawn(move || lines.read_all(stream)));
        }
        if let Some(stream) = child.stderr.take() {
            let lines = Arc::clone(&lines);
            readers.push(std::thread::spawn(move || lines.read_all(stream)));
        }
        let input = child.stdin.take();
        Self { name, child, input, lines, readers }
    }

    /// Runs `command` to its end without input.
    #[track_caller]
    pub fn run(command: &mut Command) -> Finished {
        let mut running = Self::start(command);
        running.close_input();
        running.finish()
    }

    /// Writes to the process's input.
    ///
    /// # Panics
    /// When the input is closed.
    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is still open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the process reads its input");
    }

    /// Ends the process's input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for a line that contains `text` and returns it.
    ///
    /// # Panics
    /// When the output ends or [`PATIENCE`] runs out before such a line came; the message shows all that was said.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_line(text, |line| line.contains(text))
    }

    /// Waits for a line that `wanted` accepts; `what` names it in the failure message.
    #[track_caller]
    pub fn wait_for_line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut found = None;
        self.wait_until(what, |lines| {
            found = lines.iter().find(|line| wanted(line)).cloned();
            found.is_some()
        });
        found.unwrap_or_default()
    }

    /// Waits until `enough` accepts all lines said so far; `what` names it in the failure message.
    ///
    /// # Panics
    /// When the output ends or [`PATIENCE`] runs out before.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut enough: impl FnMut(&[String]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lines.lock();
        while !enough(&state.lines) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended == self.readers.len() {
                panic!("`{}` did not say `{what}`; it said:\n{}", self.name, state.lines.join("\n"));
            }
            let waited = self.lines.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything said so far.
    pub fn output(&self) -> String {
        self.lines.lock().lines.join("\n")
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Process identifier, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process as `kill -9` would: no farewell to the broker.
    pub fn kill(mut self) {
        self.end();
    }

    /// Sends a signal by name (`HUP`, `TERM`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send SIG{name}");
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Panics
    /// When it still runs after [`PATIENCE`].
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        let status: ExitStatus = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => {
                    // The end of a child has no event that std can wait for with a deadline; its output closing comes close.
                    let state = self.lines.lock();
                    let wait = Duration::from_millis(if state.ended < self.readers.len() { 200 } else { 5 });
                    drop(self.lines.changed.wait_timeout(state, wait));
                }
                Ok(None) => panic!("`{}` did not end; it said:\n{}", self.name, self.output()),
                Err(error) => panic!("cannot wait for `{}`: {error}", self.name),
            }
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("the reader does not panic");
        }
        let output = self.lines.lock().lines.join("\n");
        Finished { code: status.code(), output }
    }

    fn end(&mut self) {
        // Already ended: nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
