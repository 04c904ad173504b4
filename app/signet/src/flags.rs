//! Every flag of every command: name, value, default and help, in one place. What they do is in `command/`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use signet_ca::KeyType;
use signet_identity::DeviceName;
use signet_revocation::Reason;

use crate::config::Origin;
use crate::exit;

mod access;
mod bench;
mod live;
mod serve;
mod trust;
mod user;

pub(crate) use access::{Acl, AclCheck, Auth};
pub(crate) use bench::{Bench, BenchCommon, BenchPubsub, BenchTls, LayoutName};
pub(crate) use live::{Audit, Connections, ConnectionsCommand, Named, Revocation, Which};
pub(crate) use serve::Serve;
pub(crate) use trust::{Explain, Refusals, RefusalsCommand, Trust};
pub(crate) use user::{Common as UserCommon, Mechanism, Scram, Secret, User, UserAdd};

const EXAMPLES: &str = "\
Examples:
  signet quickstart                               a CA, a device and a broker with mutual TLS, in this directory
  signet device add pump-8                        a certificate for one more device
  signet device revoke pump-8 -r keyCompromise    its sessions end, its next handshake is refused
  signet device suspend pump-8                    its sessions end, it stays out until it is resumed
  signet user add alice                           somebody who logs in with a password
  signet connections                              who is connected now
  signet explain --cert devices/pump-7.pem        would it be let in, and why
  signet check -c signet.toml                     every mistake in a configuration, with its line";

const SUSPEND_EXAMPLES: &str = "\
Examples:
  signet device suspend pump-7 --reason 'sent in for repair'    ends its sessions, keeps it out
  signet device suspend plant-a/pump-7                          the device of one tenant
  signet device list --suspended                                who is suspended, since when, why
  signet device resume pump-7                                   it may connect again

Nothing is revoked: the CRL does not change, and others who trust the certificate do not notice.
To tell them too: signet device revoke pump-7 -r certificateHold, and later signet device release pump-7.";

const RELEASE_EXAMPLES: &str = "\
Examples:
  signet device revoke pump-7 -r certificateHold    on hold: on the CRL, its sessions end
  signet device release pump-7                      off hold: the next CRL does not list it, it may connect again";

/// An MQTT broker and the certificate authority of its devices, in one program.
#[derive(Debug, Parser)]
#[command(name = "signet", version, about, after_help = help_after(), max_term_width = 110, propagate_version = false)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
}

fn help_after() -> String {
    format!("{EXAMPLES}\n\n{}", exit::TABLE)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up a CA, a server certificate, one device and a configuration in a directory, and serve them
    Quickstart(Quickstart),
    /// Run the broker
    Serve(Serve),
    /// Show how the running broker fares, and everything it has counted
    Status(Status),
    /// Check a configuration and every file it names; print every problem
    Check(Check),
    /// Write the configuration of another broker as signet.toml
    #[command(subcommand)]
    Import(Import),
    /// Create and show the certificate authority, sign its CRL
    #[command(subcommand)]
    Ca(Ca),
    /// Issue, list, show, revoke and suspend device certificates
    #[command(subcommand)]
    Device(Device),
    /// Make, list, change and remove users who log in with a password
    #[command(subcommand)]
    User(User),
    /// Trust single certificates, keys or authorities of others no longer
    #[command(subcommand)]
    Revocation(Revocation),
    /// Show who is connected, or close connections
    Connections(Box<Connections>),
    /// Explain why a device is let in or not: every check, revocation, names, access
    Explain(Box<Explain>),
    /// Say what a client may publish and subscribe to, and by which rule
    #[command(subcommand)]
    Acl(Acl),
    /// Show how those fare who are asked about clients, or have them asked anew
    #[command(subcommand)]
    Auth(Auth),
    /// Show the last clients that were not let in, and why
    Refusals(Box<Refusals>),
    /// Show trust profiles, or switch one off with every session under it
    #[command(subcommand)]
    Trust(Trust),
    /// Show what was done: revocations, suspensions, closed sessions, and when
    Audit(Audit),
    /// Look after what is kept on disk for sessions; the broker must not run
    #[command(subcommand)]
    Store(Store),
    /// Measure how many connections and messages a broker takes: this one or any other
    #[command(subcommand)]
    Bench(Bench),
    /// Publish messages (flags as mosquitto_pub)
    #[command(disable_help_flag = true)]
    Pub(ClientWords),
    /// Subscribe and print messages (flags as mosquitto_sub)
    #[command(disable_help_flag = true)]
    Sub(ClientWords),
    /// Publish a request and print the answer (flags as mosquitto_rr)
    #[command(disable_help_flag = true)]
    Rr(ClientWords),
    /// Write password files (flags as mosquitto_passwd)
    #[command(disable_help_flag = true)]
    Passwd(ClientWords),
}

/// What follows `signet pub` and the like: read by the client, and here only to be listed.
#[derive(Debug, Args)]
pub(crate) struct ClientWords {
    /// See `--help`
    #[arg(value_name = "OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// `signet quickstart`
#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Directory to set up; made if it does not exist
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Port of the TLS listener [default: 8883, or what signet.toml says]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Only write the files, do not start the broker
    #[arg(long)]
    pub(crate) no_serve: bool,
}

/// `signet status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// `signet check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// `signet import …`
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Mosquitto's; what cannot be the same is said, and nothing is left out without a word
    Mosquitto {
        /// The file, such as /etc/mosquitto/mosquitto.conf
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where to write it; `-` prints it
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigFlag {
    /// Configuration file; one whose name ends in .conf is read as Mosquitto's [default: signet.toml]
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigFlag {
    /// The file named, or the usual one.
    pub(crate) fn path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| PathBuf::from("signet.toml"))
    }

    /// The same, with the grammar by which it is read.
    pub(crate) fn origin(&self) -> Origin {
        Origin::of(&self.path())
    }
}

/// `signet ca …`
#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Create a root and an issuing CA; refuses to touch an existing one
    Init {
        /// Directory for certificates and keys [default: the configuration's, else ca]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Common name of the root; the issuing CA is named after it
        #[arg(long, value_name = "CN", default_value = "Signet CA")]
        name: String,
        /// Kind of key: p256, p384, ed25519, rsa2048, rsa3072, rsa4096
        #[arg(long, value_name = "TYPE", default_value = "p256", value_parser = key_type)]
        key_type: KeyType,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Show the CA's certificates, its inventory in numbers and its CRL
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Sign a fresh CRL
    Crl {
        /// Write the PEM here as well as to the configured place; `-` prints it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

/// `signet store …`
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Read every file of the store and say what is damaged; changes nothing
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Cut out what is damaged, so that the broker can start with the rest; each damaged file is kept as NAME.damaged
    Repair {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

/// `signet device …`
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Issue a certificate for a device
    Add(DeviceAdd),
    /// List every certificate issued
    List {
        /// Only the suspended devices: since when, by whom, why
        #[arg(long)]
        suspended: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Show the certificates of a device, or one certificate by serial number
    Show {
        /// Device name or serial number
        #[arg(value_name = "NAME|SERIAL")]
        which: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Keep a device out, whichever certificate it shows, until it is resumed; live sessions end at once
    #[command(after_help = SUSPEND_EXAMPLES)]
    Suspend {
        /// Name of the device; `tenant/name` for one of a tenant
        name: String,
        /// Why, in any words; it is shown in lists, in the log and in the audit records
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Let a suspended device connect again
    #[command(after_help = SUSPEND_EXAMPLES)]
    Resume {
        /// Name of the device, as `signet device list --suspended` shows it
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Take certificates off hold (revoked with reason certificateHold); no other revocation can be taken back
    #[command(after_help = RELEASE_EXAMPLES)]
    Release {
        /// Device name or serial number
        #[arg(value_name = "NAME|SERIAL")]
        which: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Revoke every certificate of a device, or one by serial number; live sessions end at once
    Revoke {
        /// Device name or serial number
        #[arg(value_name = "NAME|SERIAL")]
        which: String,
        /// Why, in the words of RFC 5280: keyCompromise, superseded, cessationOfOperation, …
        #[arg(short, long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
        reason: Reason,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

/// `signet device add`
#[derive(Debug, Args)]
pub(crate) struct DeviceAdd {
    /// Name of the device: what topics, rules and revocation know it by
    #[arg(value_parser = device_name)]
    pub(crate) name: String,
    /// Sign this certification request (PEM or DER) instead of making a key
    #[arg(long, value_name = "FILE", conflicts_with = "key_type")]
    pub(crate) csr: Option<PathBuf>,
    /// Days of validity [default: the configuration's device_validity, 365]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500), allow_negative_numbers = true)]
    pub(crate) days: Option<u32>,
    /// Kind of key to make: p256, p384, ed25519, rsa2048, rsa3072, rsa4096 [default: p256]
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    pub(crate) key_type: Option<KeyType>,
    /// Directory for NAME.pem and NAME.key
    #[arg(long, value_name = "DIR", default_value = "devices")]
    pub(crate) out: PathBuf,
    /// Replace existing files
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// Checked before anything is made of it, above all a file name.
fn device_name(text: &str) -> Result<String, String> {
    DeviceName::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn key_type(text: &str) -> Result<KeyType, String> {
    text.parse().map_err(|error: <KeyType as std::str::FromStr>::Err| error.to_string())
}

fn reason(text: &str) -> Result<Reason, String> {
    text.parse().map_err(|error: <Reason as std::str::FromStr>::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Flags::command().debug_assert();
    }
}
