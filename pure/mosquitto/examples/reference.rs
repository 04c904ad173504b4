//! Prints `docs/reference/mosquitto-options.md`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

fn main() {
    print!("{}", signet_mosquitto::conf::options::reference());
}
