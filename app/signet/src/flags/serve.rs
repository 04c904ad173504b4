//! `signet serve`: the flags of `mosquitto`.

use std::path::PathBuf;

use clap::Args;
use signet_mosquitto::program::Flags;

use super::ConfigFlag;

/// `signet serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
    /// Go to the background once the configuration is read
    #[arg(short, long)]
    pub(crate) daemon: bool,
    /// Listen on PORT where a mosquitto.conf has no listener; can be given ten times
    #[arg(short, long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) ports: Vec<u16>,
    /// Log nothing, whatever the configuration and -v say
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Log everything, whatever the configuration says
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Check the configuration and end
    #[arg(long)]
    pub(crate) test_config: bool,
    /// Write the secrets of every TLS connection to FILE, for programs such as Wireshark
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_keylog: Option<PathBuf>,
}

impl From<Serve> for Flags {
    fn from(serve: Serve) -> Self {
        let Serve { config, daemon, ports, quiet, verbose, test_config, tls_keylog } = serve;
        Self { config_file: config.config, daemon, ports, quiet, verbose, test_config, tls_keylog }
    }
}
