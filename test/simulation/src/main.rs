//! Deterministic simulation of the broker: clients, network, shards, process and disk in one thread, driven by chance from one seed. The same
//! seed is the same run, on every machine. What the clients saw is judged by checkers that know nothing of the broker and of each other.
//!
//! `signet-simulation [--seed N] [--seeds COUNT] [--steps N] [--fixed]`: one seed, or so many fresh ones, or the fixed set. Exit code 0 when
//! nothing was found. What fails is printed with the command that repeats it, cut down to as few steps as still fail.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a simulation reports by panicking and prints its results"
)]

mod actor;
mod check;
mod dice;
mod disk;
mod finish;
mod history;
mod host;
mod link;
mod people;
mod requests;
mod swarm;
mod timeline;
mod trust;
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use history::{History, What};
use world::World;

/// Steps of a run before everything heals.
const STEPS: usize = 3000;

/// Seeds that every test run repeats: they found something once, or stand for a kind of run.
const FIXED: std::ops::Range<u64> = 0..150;

const USAGE: &str = "usage: signet-simulation [--seed N] [--seeds COUNT] [--steps N] [--fixed]

  --seed N       run this seed; may be repeated
  --seeds COUNT  run so many fresh seeds [default: 20]
  --steps N      steps of each run before everything heals [default: 3000]
  --fixed        run the seeds of every test run

Exit code 0 when nothing was found, 1 when something was, 2 when this command line is wrong.";

/// What was asked for.
#[derive(Debug)]
struct Options {
    seeds: Vec<u64>,
    steps: usize,
}

/// What a run came to.
struct Run {
    steps: usize,
    /// What was found, each with its trace.
    found: Vec<(String, Vec<String>)>,
    counts: Counts,
}

/// What the runs did, so that one that does nothing is noticed.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    entries: usize,
    accepted: usize,
    arrived: usize,
    crashes: usize,
    /// Revocations that were acknowledged.
    revocations: usize,
    /// Subscriptions that rules ended.
    ended: usize,
    /// Bytes that compaction moved.
    moved: u64,
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
    let mut total = Counts::default();
    let mut failed = 0;
    for seed in &options.seeds {
        let run = run(*seed, options.steps);
        if run.found.is_empty() {
            total = total.plus(run.counts);
            continue;
        }
        failed += 1;
        let run = shrink(*seed, run);
        println!("seed {seed} FAILED; cargo run -p signet-simulation -- --seed {seed} --steps {}", run.steps);
        for (text, trace) in run.found.iter().take(3) {
            println!("  {text}");
            trace.iter().for_each(|line| println!("    {line}"));
        }
    }
    println!(
        "simulation: {} seeds, {failed} failed; {} things happened, {} messages accepted, {} deliveries, {} crashes, {} revocations, {} subscriptions ended by rules, {} bytes compacted",
        options.seeds.len(),
        total.entries,
        total.accepted,
        total.arrived,
        total.crashes,
        total.revocations,
        total.ended,
        total.moved
    );
    let is_idle = options.seeds.len() >= 10
        && failed == 0
        && (total.revocations == 0 || total.crashes == 0 || total.arrived == 0 || total.moved == 0);
    if failed == 0 && !is_idle { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(seed: u64, steps: usize) -> Run {
    let mut world = None;
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let world = world.insert(World::new(seed));
        for _ in 0..steps {
            world.step();
        }
        world.finish();
    }));
    let Some(world) = world else {
        return Run { steps, found: vec![("it does not start".to_owned(), Vec::new())], counts: Counts::default() };
    };
    let history = &world.history;
    let counts = Counts::of(history);
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let last = history.iter().skip(history.entries.len().saturating_sub(15));
        let trace = last.map(|(place, entry)| format!("{place:6} {:9} {:?}", entry.at.as_millis(), entry.what)).collect();
        return Run { steps, found: vec![(format!("panic: {}", text.unwrap_or_default()), trace)], counts };
    }
    let found = check::all(history).into_iter().map(|violation| (violation.to_string(), violation.trace(history))).collect();
    Run { steps, found, counts }
}

/// Looks for a shorter run that fails too: the same chance, stopped earlier.
fn shrink(seed: u64, mut failing: Run) -> Run {
    let mut step = failing.steps / 2;
    while step > 0 {
        let shorter = failing.steps.saturating_sub(step);
        let attempt = run(seed, shorter);
        if attempt.found.is_empty() {
            step /= 2;
        } else {
            failing = attempt;
            step = step.min(failing.steps / 2);
        }
    }
    failing
}

impl Counts {
    fn of(history: &History) -> Self {
        let count = |wanted: fn(&What) -> bool| history.entries.iter().filter(|entry| wanted(&entry.what)).count();
        Self {
            entries: history.entries.len(),
            accepted: count(|what| matches!(what, What::Answered { code, .. } if !code.is_error())),
            arrived: count(|what| matches!(what, What::Arrived { .. })),
            crashes: count(|what| matches!(what, What::Crashed)),
            revocations: count(|what| matches!(what, What::RevocationAcknowledged { .. })),
            ended: count(|what| matches!(what, What::Ended { .. })),
            moved: history.bytes_moved,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            accepted: self.accepted + other.accepted,
            arrived: self.arrived + other.arrived,
            crashes: self.crashes + other.crashes,
            revocations: self.revocations + other.revocations,
            ended: self.ended + other.ended,
            moved: self.moved + other.moved,
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options { seeds: Vec::new(), steps: STEPS };
    let mut words = std::env::args().skip(1);
    let chance = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() % 1_000_000_000);
    let fresh = u64::try_from(chance).unwrap() << 20;
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|value| value.parse::<u64>().ok()).ok_or_else(|| format!("`{word}` needs a number"));
        match &*word {
            "--seed" => options.seeds.push(number()?),
            "--seeds" => options.seeds.extend((fresh..).take(usize::try_from(number()?).unwrap())),
            "--steps" => options.steps = usize::try_from(number()?).unwrap(),
            "--fixed" => options.seeds.extend(FIXED),
            _ => return Err(format!("`{word}` is unknown")),
        }
    }
    if options.seeds.is_empty() {
        options.seeds.extend((fresh..).take(20));
    }
    println!("simulation: seeds {} to {}", options.seeds.iter().min().unwrap(), options.seeds.iter().max().unwrap());
    Ok(options)
}
