//! `memory [COUNT [CONNECTIONS]]`: prints what one session, subscription, retained message and idle connection costs the broker `$SIGNET_BIN`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    let Some(binary) = std::env::var_os("SIGNET_BIN").map(PathBuf::from) else {
        eprintln!("set SIGNET_BIN to the binary to measure, such as target/release/signet");
        return ExitCode::from(2);
    };
    let numbers: Option<Vec<u32>> = std::env::args().skip(1).map(|text| text.parse().ok()).collect();
    let (count, connections) = match numbers.as_deref() {
        Some([]) => (100_000, 5_000),
        Some([count]) => (*count, 5_000),
        Some([count, connections]) => (*count, *connections),
        _ => {
            eprintln!("usage: memory [COUNT [CONNECTIONS]]");
            return ExitCode::from(2);
        }
    };
    // Each connection is an open file of ours too.
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        eprintln!("the limit of open files cannot be raised; the measurement may fail");
    }
    println!("| One of | Measured with | Memory, bytes | Disk, bytes |\n|---|---|---|---|");
    for cost in signet_bench::measure(&binary, count, connections) {
        println!("| {} | {} | {} | {} |", cost.what, cost.count, cost.memory_each(), cost.disk_each());
    }
    ExitCode::SUCCESS
}
