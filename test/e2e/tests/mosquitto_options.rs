//! Every row about options of `mosquitto.conf`, tried with the real Mosquitto: what is said there of it, and what it really takes and refuses.
//!
//! Debian has 2.0.11; the rows are about 2.1.2 and say where the two differ. Options that came with 2.1 are unknown there, which is looked at too.

#![expect(clippy::expect_used, reason = "a rig that cannot do its job fails the test that uses it")]

#[path = "../../../pure/mosquitto/tests/cases/mod.rs"]
mod cases;

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cases::Case;
use signet_e2e::Site;
use signet_e2e::original;
use signet_mosquitto::conf::options;
use signet_testkit::free_port;

const PATIENCE: Duration = Duration::from_secs(20);

/// What rows say whose configuration keeps it from saying that it runs. It is accepted then when it listens.
const SILENT: &str = "silent";

/// Rows that are tried at a time.
const THREADS: usize = 4;

/// What Mosquitto does with a configuration.
#[derive(Debug)]
enum Outcome {
    Accepted,
    /// With what it said.
    Refused(String),
}

#[test]
fn rows_are_what_the_real_mosquitto_does() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    original::furnish(folder.path());
    let count = cases::all("", [0, 0]).len();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let tried = |first: usize| {
            let folder = folder.path();
            scope.spawn(move || -> Vec<String> { (first..count).step_by(THREADS).filter_map(|index| judge(folder, index)).collect() })
        };
        let threads: Vec<_> = (0..THREADS).map(tried).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread ends")).collect()
    });
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n\n"));
}

/// What becomes of a row has to be a configuration of ours, with every file that it names.
#[test]
fn rows_become_configurations_of_ours() {
    let site = Site::empty();
    original::furnish(site.folder());
    let directory = site.folder().to_str().expect("a path that is text");
    let mut wrong = Vec::new();
    for case in cases::all(directory, [free_port(), free_port()]).into_iter().filter(|case| case.error.is_none()) {
        site.write("row.conf", &format!("{}\n", case.conf));
        let finished = site.signet(&["serve", "-c", "row.conf", "--test-config"]);
        if finished.code != Some(0) {
            wrong.push(format!("{}: {:?}\n{}", case.option, case.conf, finished.output));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Tries a row; what is wrong with it.
fn judge(folder: &Path, index: usize) -> Option<String> {
    let ports = [free_port(), free_port()];
    let directory = folder.to_str().expect("a path that is text");
    let case = cases::all(directory, ports).into_iter().nth(index)?;
    let is_silent = case.real.as_deref() == Some(SILENT);
    let outcome = run(folder, index, &case.conf, ports[0], is_silent);
    let expected = expected(&case);
    let fits = match (&outcome, &expected) {
        (Outcome::Accepted, None) => true,
        (Outcome::Refused(said), Some(message)) => plain(said).contains(&plain(message)),
        _ => false,
    };
    (!fits).then(|| format!("{}: {:?}\n  expected {expected:?}\n  found {outcome:?}", case.option, case.conf))
}

/// What 2.0.11 says; `None`: it accepts it.
fn expected(case: &Case) -> Option<String> {
    let names = case.conf.lines().filter_map(|line| line.split_whitespace().next());
    let unknown = names.filter_map(|name| options::find(name).filter(|option| option.since_2_1).map(|_| name)).next();
    match (case.real.as_deref(), unknown) {
        (Some("accepts" | SILENT), _) => None,
        (Some("refuses"), _) => Some(String::new()),
        (Some(message), _) => Some(message.to_owned()),
        (None, Some(name)) => Some(format!("Error: Unknown configuration variable {name}.")),
        (None, None) => case.error.clone(),
    }
}

/// Without quotes: 2.0 and 2.1 put them in different places.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !matches!(character, '\'' | '"' | '`')).collect()
}

fn run(folder: &Path, index: usize, conf: &str, port: u16, is_silent: bool) -> Outcome {
    let file = folder.join(format!("{index}.conf"));
    fs::write(&file, format!("{conf}\n")).expect("the configuration can be written");
    let log = folder.join(format!("{index}.said"));
    let said = fs::File::create(&log).expect("the log can be written");
    let mut child = Command::new(original::program())
        .arg("-c")
        .arg(&file)
        .arg("-p")
        .arg(port.to_string())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(said.try_clone().expect("a second handle"))
        .stderr(said)
        .spawn()
        .expect("mosquitto is needed for this test (apt-get install mosquitto)");
    let outcome = wait(&mut child, &log, is_silent.then_some(port));
    let _ = child.kill();
    let _ = child.wait();
    outcome
}

/// It says that it runs, or ends. Where it says nothing its port tells, although it may listen and end for another reason.
fn wait(child: &mut Child, log: &Path, port: Option<u16>) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = child.try_wait().expect("the process can be asked").is_some();
        let said = fs::read_to_string(log).unwrap_or_default();
        if ended {
            return Outcome::Refused(said);
        }
        if said.contains(" running") || port.is_some_and(|port| TcpStream::connect(("127.0.0.1", port)).is_ok()) {
            return Outcome::Accepted;
        }
        assert!(Instant::now() < deadline, "mosquitto neither runs nor ends:\n{said}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
