//! A real HTTP service in a process of its own, for what asks over HTTP who a client is: it answers, answers wrongly, is slow, stops and comes back.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::certs::Pki;

const PROGRAM: &str = include_str!("http_service.py");

/// How it is to be reached.
#[derive(Clone, Copy, Default)]
pub enum ServiceTls<'a> {
    /// Over http.
    #[default]
    None,
    /// Over https, with the server certificate of a PKI.
    Server(&'a Pki),
    /// The same, for those who show a certificate of the PKI's CA.
    Mutual(&'a Pki),
}

/// A running service. Dropping it ends the process.
pub struct HttpService {
    child: Option<Child>,
    directory: TempDir,
    arguments: Vec<String>,
    scheme: &'static str,
    port: u16,
}

impl HttpService {
    /// Starts it and waits until it listens. `answers` is a JSON list of rules, as `http_service.py` describes them. Needs `python3`.
    #[must_use]
    pub fn start(tls: ServiceTls<'_>, answers: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("http_service.py"), PROGRAM).unwrap();
        let mut arguments = Vec::new();
        if let ServiceTls::Server(pki) | ServiceTls::Mutual(pki) = tls {
            arguments.extend([&pki.server().certificate, &pki.server().key].map(|path| path.display().to_string()));
        }
        if let ServiceTls::Mutual(pki) = tls {
            arguments.push(pki.ca_file().display().to_string());
        }
        let scheme = if arguments.is_empty() { "http" } else { "https" };
        let mut service = Self { child: None, directory, arguments, scheme, port: 0 };
        service.answer(answers);
        service.run();
        service
    }

    /// Answers differently from now on.
    pub fn answer(&self, answers: &str) {
        let (new, place) = (self.directory.path().join("answers.new"), self.directory.path().join("answers.json"));
        fs::write(&new, answers).unwrap();
        fs::rename(&new, &place).unwrap();
    }

    /// The address of a path, which begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Every request so far, one JSON object each: `connection` (a number), `method`, `target`, `headers` (pairs), `body`; and what Python's library makes
    /// of them: `segments` of the path, `query` and `form` (pairs). They are noted before they are answered.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("requests.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Ends the process; its port refuses connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port; connections are counted from 1 again.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
    }

    fn run(&mut self) {
        let log = fs::File::create(self.directory.path().join("errors")).unwrap();
        let mut child = Command::new("python3")
            .arg(self.directory.path().join("http_service.py"))
            .arg(self.directory.path())
            .arg(self.port.to_string())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("python3 is needed for this test (apt-get install python3)");
        let mut line = String::new();
        let said = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        self.child = Some(child);
        let errors = fs::read_to_string(self.directory.path().join("errors")).unwrap_or_default();
        assert!(matches!(said, Some(Ok(1..))), "the service does not listen:\n{errors}");
        self.port = line.trim().parse().unwrap();
    }
}

impl Drop for HttpService {
    fn drop(&mut self) {
        self.stop();
    }
}
