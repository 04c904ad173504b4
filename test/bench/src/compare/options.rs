//! What can be asked of `compare`.

use std::path::PathBuf;

/// The options of the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rows to measure, such as `connect-ecdsa,fanin0-tls`; a part of a name does, so `tls` are all over TLS
    #[arg(long, value_delimiter = ',')]
    pub rows: Vec<String>,
    /// Brokers to measure: floor, mosquitto, nats, rumqttd, rmqtt, flashmq, signet, signet-2
    #[arg(long, value_delimiter = ',')]
    pub peers: Vec<String>,
    /// The broker that the others are compared with [default: mosquitto]
    #[arg(long)]
    pub base: Option<String>,
    /// How often each broker has its turn in each row
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// How long messages are counted in each turn, in seconds
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// What is not measured after so many minutes is left out [default: three times what is expected]
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Measure the curves (payload, topics, wildcards, `QoS`, connections, versions) in place of the table
    #[arg(long)]
    pub curves: bool,
    /// So little of everything that it only shows that the measurement works
    #[arg(long)]
    pub quick: bool,
    /// First install the brokers that are missing and can be had; builds take many minutes
    #[arg(long)]
    pub install: bool,
    /// The binary of Signet that is measured
    #[arg(long, env = "SIGNET_BIN", default_value = "target/release/signet", value_parser = whole)]
    pub signet: PathBuf,
    /// The binary of Signet whose `bench` makes the load [default: the one that is measured]
    #[arg(long, value_parser = whole)]
    pub load: Option<PathBuf>,
    /// Folder for results.json, table.md and the pictures
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Measure nothing: print and draw the results in this file once more
    #[arg(long)]
    pub redraw: Option<PathBuf>,
}

/// Data for whoever reads the output.
#[expect(clippy::print_stdout, reason = "it is the result of a command")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

/// Progress for whoever waits.
#[expect(clippy::print_stderr, reason = "progress is not part of the result")]
pub(super) fn tell(text: &str) {
    eprintln!("{text}");
}

/// A path that is the same from every directory: brokers start in one of their own.
fn whole(text: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(text)
}
