//! The first thing a reader tries must work: the README's transcript, typed as it stands there. Only the port is another.

#![expect(clippy::expect_used, reason = "a transcript that cannot be typed fails the test")]

use std::collections::BTreeMap;
use std::process::Command;

use signet_e2e::transcript::{Seen, Step, of_markdown};
use signet_e2e::{Running, Site, repository};

/// Terminals in the order of use; dropping them closes what still runs.
struct Desk {
    site: Site,
    terminals: BTreeMap<String, Running>,
    seen: Seen,
}

impl Desk {
    /// Types a command. A running command of the same terminal is waited for first, as the prompt would make a person wait.
    fn type_in(&mut self, terminal: &str, command: &str) {
        if let Some(before) = self.terminals.remove(terminal) {
            before.finish();
        }
        self.seen.restart(terminal);
        let subscribes = command.starts_with("signet sub ");
        let port = self.site.port();
        let mut line = command.to_owned();
        if command.starts_with("signet quickstart") {
            line.push_str(&format!(" --port {port}"));
        }
        if subscribes || command.starts_with("signet pub ") {
            line.push_str(&format!(" -p {port}"));
        }
        if subscribes {
            // A person reads on before publishing; a test waits for the SUBACK.
            line.push_str(" -d");
        }
        let signet = self.site.command(&[]).get_program().to_owned();
        let mut shell = Command::new("bash");
        shell.current_dir(self.site.folder()).env("SIGNET", signet).env("NO_COLOR", "1");
        shell.args(["-c", &format!("signet() {{ exec \"$SIGNET\" \"$@\"; }}; {line}")]);
        let mut running = Running::start(&mut shell);
        running.close_input();
        if subscribes {
            running.wait_for("SUBACK");
        }
        self.terminals.insert(terminal.to_owned(), running);
    }

    #[track_caller]
    fn see(&mut self, terminal: &str, pattern: &str) {
        let pattern = pattern.replace("8883", &self.site.port().to_string());
        let running = self.terminals.get(terminal).expect("a command was typed");
        running.wait_until(&pattern, |lines| {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            self.seen.advance(terminal, &pattern, &lines)
        });
    }
}

#[test]
fn the_transcript_of_the_readme_works() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let mut desk = Desk { site: Site::empty(), terminals: BTreeMap::new(), seen: Seen::default() };
    let steps = of_markdown(&readme);
    assert!(steps.len() > 7, "{steps:?}");
    for step in &steps {
        match step {
            Step::Type { terminal, command } => desk.type_in(terminal, command),
            Step::See { terminal, line } => desk.see(terminal, line),
        }
    }
}
