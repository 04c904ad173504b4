//! `signet-bench COMMAND`: measures and prints a table. `--quick` measures so little that it only shows that the measurement works.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use signet_bench::{Figure, authentications, compare, floor, handshakes, lists, live, mosquitto, sockets, storm, subscriptions};
use signet_testkit::raise_open_files;

const USAGE: &str = "usage: signet-bench memory [COUNT [CONNECTIONS]]
       signet-bench handshakes|lists|sessions|subscriptions|mosquitto|authentications|storm [--quick]
       signet-bench compare [OPTIONS], see signet-bench compare --help
memory, mosquitto, authentications and storm measure the binary $SIGNET_BIN, such as target/release/signet";

/// Commands with more to say than a number.
#[derive(clap::Parser)]
#[command(name = "signet-bench")]
enum Long {
    /// Signet beside other brokers, in one run: ratios with their spread, as tables and pictures
    Compare(compare::Options),
    /// The least that can stand in for a broker: what `compare` calls the floor
    #[command(hide = true)]
    Floor(floor::Options),
}

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| ["compare", "floor"].contains(&word.as_str())) {
        return long();
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let printed = match words.as_slice() {
        ["memory", numbers @ ..] => memory(numbers),
        ["list-memory", list, issuer] => {
            println!("{}", lists::memory_of(Path::new(list), Path::new(issuer)));
            Some(())
        }
        ["subscriptions-of", kind, count, place] => subscriptions::measure_one(kind, count, place).map(|lines| print!("{lines}")),
        [command] => measured(command, false),
        [command, "--quick"] => measured(command, true),
        _ => None,
    };
    match printed {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn long() -> ExitCode {
    let done = match Long::parse() {
        Long::Compare(options) => compare::compare(&options),
        Long::Floor(options) => floor::run(&options).map_err(|error| format!("the floor ended: {error}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn signet() -> Option<PathBuf> {
    std::env::var_os("SIGNET_BIN").map(PathBuf::from)
}

fn memory(numbers: &[&str]) -> Option<()> {
    let numbers: Option<Vec<u32>> = numbers.iter().map(|text| text.parse().ok()).collect();
    let (count, connections) = match numbers.as_deref()? {
        [] => (100_000, 5_000),
        [count] => (*count, 5_000),
        [count, connections] => (*count, *connections),
        _ => return None,
    };
    let binary = signet()?;
    // What is allowed has to do; each connection is an open file of ours too.
    let _ = raise_open_files();
    println!("| One of | Measured with | Memory, bytes | Disk, bytes |\n|---|---|---|---|");
    for cost in signet_bench::measure(&binary, count, connections) {
        println!("| {} | {} | {} | {} |", cost.what, cost.count, cost.memory_each(), cost.disk_each());
    }
    Some(())
}

fn measured(command: &str, quick: bool) -> Option<()> {
    let figures = match command {
        "handshakes" => handshakes::measure(&handshakes(quick)),
        "lists" => lists::measure(&std::env::current_exe().ok()?, &lists(quick)),
        "subscriptions" => subscriptions::measure(&std::env::current_exe().ok()?, &subscriptions(quick)),
        "sessions" => {
            let room = raise_open_files();
            let mut figures = sockets::measure(&sockets(quick, room));
            figures.extend(live::measure(&live(quick)));
            figures
        }
        "mosquitto" => mosquitto::measure(&signet()?, &mosquitto(quick)),
        "authentications" => {
            let room = raise_open_files();
            authentications::measure(&signet()?, &authentications(quick, room))
        }
        "storm" => storm::measure(&signet()?, &storm(quick)),
        _ => return None,
    };
    print(&figures);
    Some(())
}

fn print(figures: &[Figure]) {
    println!("| Of what | How much |\n|---|---|");
    for figure in figures {
        println!("{figure}");
    }
}

fn handshakes(quick: bool) -> handshakes::Plan {
    if quick {
        return handshakes::Plan { rounds: 3, devices: 2, lists: vec![0, 100], profiles: vec![1, 3], namesakes: 2, tangles: vec![2] };
    }
    handshakes::Plan {
        rounds: 2_000,
        devices: 64,
        lists: vec![0, 1_000, 1_000_000],
        profiles: vec![1, 10, 50],
        namesakes: 10,
        tangles: vec![0, 4, 6, 8, 10],
    }
}

fn lists(quick: bool) -> lists::Plan {
    if quick {
        return lists::Plan { lists: vec![0, 1_000], delta: 10, lookups: 100 };
    }
    lists::Plan { lists: vec![0, 1_000, 1_000_000], delta: 1_000, lookups: 200_000 }
}

fn subscriptions(quick: bool) -> subscriptions::Plan {
    subscriptions::Plan { counts: if quick { vec![100, 2_000] } else { vec![1_000, 10_000, 100_000, 1_000_000] } }
}

/// `room` is how many files may be open.
fn sockets(quick: bool, room: u64) -> sockets::Plan {
    if quick {
        return sockets::Plan { devices: 30, revoked: vec![1, 10], quiet: Duration::from_millis(300) };
    }
    let devices = usize::try_from(room.saturating_sub(500) / 2).unwrap_or(0).min(8_000);
    sockets::Plan { devices, revoked: vec![1, devices / 8, devices / 8 * 5], quiet: Duration::from_secs(5) }
}

fn live(quick: bool) -> live::Plan {
    if quick {
        return live::Plan { sessions: 40, revoked: vec![1, 10], listed: 100 };
    }
    live::Plan { sessions: 100_000, revoked: vec![1, 1, 1, 10_000], listed: 1_000_000 }
}

fn mosquitto(quick: bool) -> mosquitto::Plan {
    if quick {
        return mosquitto::Plan { lists: vec![0, 1_000], turns: 1, handshakes: 2 };
    }
    mosquitto::Plan { lists: vec![0, 10_000, 200_000], turns: 5, handshakes: 40 }
}

/// `room` is how many files may be open.
fn authentications(quick: bool, room: u64) -> authentications::Plan {
    if quick {
        return authentications::Plan { devices: 100, turns: 1, quiet: Duration::from_millis(300) };
    }
    let devices = usize::try_from(room.saturating_sub(500)).unwrap_or(0).min(10_000);
    authentications::Plan { devices, turns: 5, quiet: Duration::from_secs(3) }
}

fn storm(quick: bool) -> storm::Plan {
    let interval = Duration::from_millis(2);
    if quick {
        return storm::Plan { pairs: 1, interval, devices: 4, time: Duration::from_millis(300), rounds: 1, shards: vec![1] };
    }
    storm::Plan { pairs: 4, interval, devices: 32, time: Duration::from_secs(1), rounds: 11, shards: vec![1, 2] }
}
