//! The real broker meets misfortune: `kill -9`, power failure, a full disk, a disk that returns errors, damaged files. Publishers keep a ledger
//! of what was acknowledged, subscribers of what arrived; the two are compared, and the counts printed.
//!
//! `signet-faults [--seed N] [--seconds N] [--rounds N] [SCENARIO…]`, all scenarios without a name. Exit code 0 when everything was as promised. A scenario
//! that cannot run here fails and says why, unless `SIGNET_FAULTS_EXCLUDE` names it; then it is counted as excluded.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a rig reports by panicking and prints its results"
)]

mod dice;
mod ledger;
mod line;
mod outcome;
mod phase;
mod probe;
mod publisher;
mod scenario;
mod scene;
mod server;
mod subscriber;
mod volume;
mod wills;

use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use outcome::Outcome;

/// A name, whether it must mount, and how it runs.
type Scenario = (&'static str, bool, fn(&Options) -> Outcome);

/// Every scenario: its name, whether it needs to mount, and how it runs.
const SCENARIOS: [Scenario; 5] = [
    ("kill", false, |options| scenario::kill::run(options.seconds, options.seed)),
    ("power", true, |options| scenario::power::run(options.rounds, options.seed)),
    ("full", true, |options| scenario::full::run(options.seed)),
    ("inject", false, |_| scenario::inject::run()),
    ("damage", false, |_| scenario::damage::run()),
];

/// Names of scenarios that must not run here, separated by commas.
const EXCLUDE: &str = "SIGNET_FAULTS_EXCLUDE";

/// Set for the copy of this program that has a mount namespace of its own.
const INSIDE: &str = "SIGNET_FAULTS_NAMESPACE";

const USAGE: &str = "usage: signet-faults [--seed N] [--seconds N] [--rounds N] [SCENARIO…]

  SCENARIO     kill, power, full, inject, damage; without one all of them
  --seconds N  how long `kill` goes on [default: 60]
  --rounds N   how often `power` fails [default: 10]
  --seed N     where chance begins [default: by the clock; it is printed]

It runs the `signet` beside itself, or the one SIGNET_BIN names. `power` and `full` mount file systems and need root, unless
SIGNET_FAULTS_EXCLUDE=power,full leaves them out. Exit code 0 when everything was as promised, 1 when not, 2 when this command line is wrong.";

/// What was asked for.
#[derive(Debug, Clone)]
struct Options {
    seed: u64,
    seconds: u64,
    rounds: u32,
    names: Vec<String>,
}

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let excluded = std::env::var(EXCLUDE).unwrap_or_default();
    let is_excluded = |name: &str| excluded.split(',').any(|word| word == name);
    let wanted = |name: &str| options.names.is_empty() || options.names.iter().any(|word| word == name);
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for (name, must_mount, run) in SCENARIOS.into_iter().filter(|(name, _, _)| wanted(name)) {
        if is_excluded(name) {
            left_out += 1;
            println!("{name}: EXCLUDED by {EXCLUDE}");
            continue;
        }
        let started = Instant::now();
        let is_good = if must_mount && std::env::var_os(INSIDE).is_none() { elsewhere(name, &options) } else { here(name, run, &options) };
        if std::env::var_os(INSIDE).is_none() {
            println!("{name}: {} in {} s", if is_good { "passed" } else { "FAILED" }, started.elapsed().as_secs());
        }
        if is_good { passed += 1 } else { failed += 1 }
    }
    if std::env::var_os(INSIDE).is_none() {
        println!("faults: {passed} passed, {failed} failed, {left_out} excluded (seed {})", options.seed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn here(name: &str, run: fn(&Options) -> Outcome, options: &Options) -> bool {
    let outcome = std::panic::catch_unwind(|| run(options));
    match outcome {
        Ok(outcome) => {
            println!("{name}: {}", outcome.text);
            outcome.is_good
        }
        // The panic has said why.
        Err(_) => false,
    }
}

/// Runs a scenario in a copy of this program whose mounts nobody else sees and that end with it.
fn elsewhere(name: &str, options: &Options) -> bool {
    if !volume::may_mount() {
        println!("{name}: needs root, for it mounts file systems; run as root, or exclude it by name with {EXCLUDE}={name}");
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]).arg(program).env(INSIDE, "1");
    command.args(["--seed", &options.seed.to_string(), "--rounds", &options.rounds.to_string(), name]);
    command.status().unwrap_or_else(|error| panic!("cannot run `unshare`: {error} (package util-linux)")).success()
}

fn options() -> Result<Options, String> {
    let chance = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() % 1_000_000_000);
    let mut options = Options { seed: u64::try_from(chance).unwrap(), seconds: 60, rounds: 10, names: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|value| value.parse().ok()).ok_or_else(|| format!("`{word}` needs a number"));
        match &*word {
            "--seed" => options.seed = number()?,
            "--seconds" => options.seconds = number()?,
            "--rounds" => options.rounds = u32::try_from(number()?).unwrap(),
            name if SCENARIOS.iter().any(|(known, _, _)| *known == name) => options.names.push(word),
            _ => return Err(format!("`{word}` is no scenario and no flag")),
        }
    }
    Ok(options)
}
