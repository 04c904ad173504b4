//! Prints `docs/reference/metrics.md`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

fn main() {
    print!("{}", signet_telemetry::reference());
}
