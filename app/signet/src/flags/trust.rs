//! Flags of what explains why somebody is let in or not, and of trust profiles.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::ConfigFlag;

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  signet explain --cert devices/pump-7.pem                            would it be let in?
  signet explain --cert p.pem --publish pump-7/temp                   and may it publish there?
  signet explain --cert p.pem --listener partners --server-name mqtt.example.com
  signet explain --client pump-7 --subscribe 'plant/#'                a client that is connected now
  signet explain --listener lan --username ann --password-file -      a client without a certificate; the password from the terminal
  signet explain --refusal 17                                         one of signet refusals, by what is in force now

Ends with code 0 when everything asked about would be allowed, 9 when not. Rates, bounds and cloned certificates depend on the
moment and are not looked at. The running broker answers: what it knows of revocations is what counts.";

const REFUSALS_EXAMPLES: &str = "\
Examples:
  signet refusals                               the newest 50
  signet refusals --listener mqtts --last 10
  signet refusals --device pump-7               with that common name in the certificate
  signet refusals show 17                       all that is known of one
  signet explain --refusal 17                   every check, by what is in force now
  signet refusals held                          who is not listened to for a while, and until when
  signet refusals forgive 192.0.2.7             lets it try again at once";

const TRUST_EXAMPLES: &str = "\
Examples:
  signet trust list                                            profiles, their sessions, who is off
  signet trust show partner                                    authorities, rules, sources
  signet trust disable partner --dry-run                       who would be disconnected
  signet trust disable partner --reason 'CA broken into'       every session under it ends, nobody comes in
  signet trust enable partner

A disabled profile stays so over restarts, until it is enabled.";

/// `signet explain`
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES, group = ArgGroup::new("what").args(["cert", "client", "refusal", "username", "client_identifier"]).multiple(true).required(true))]
pub(crate) struct Explain {
    /// This certificate, PEM; further ones in the file are the intermediates that the device sends
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The live client with this Client Identifier
    #[arg(long, value_name = "TEXT", conflicts_with = "cert")]
    pub(crate) client: Option<String>,
    /// The refused attempt with this number
    #[arg(long, value_name = "N", conflicts_with_all = ["cert", "client"])]
    pub(crate) refusal: Option<u64>,
    /// Where it comes in [default: where it came in, or the only listener that looks at certificates]
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The server name (SNI) that it asks for
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// The Client Identifier that it sends [default: an empty one]
    #[arg(long, value_name = "TEXT")]
    pub(crate) client_identifier: Option<String>,
    /// The user name that it sends
    #[arg(long, value_name = "TEXT")]
    pub(crate) username: Option<String>,
    /// The password that it sends: the first line of this file, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The address that it comes from
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<std::net::IpAddr>,
    /// May it publish to this topic?
    #[arg(long, value_name = "TOPIC")]
    pub(crate) publish: Option<String>,
    /// May it subscribe to this filter?
    #[arg(long, value_name = "FILTER")]
    pub(crate) subscribe: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// `signet refusals`
#[derive(Debug, Args)]
#[command(after_help = REFUSALS_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Refusals {
    #[command(subcommand)]
    pub(crate) command: Option<RefusalsCommand>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) last: u32,
    /// At this listener
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// With this common name in the certificate
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// With this serial number, hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) serial: Option<String>,
    /// From this address, without port; `unix` for unix sockets
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// `signet refusals …`
#[derive(Debug, Subcommand)]
pub(crate) enum RefusalsCommand {
    /// Show all that is known of one refusal
    #[command(after_help = REFUSALS_EXAMPLES)]
    Show {
        /// Its number, as `signet refusals` shows it
        number: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// List who is held off for a while: too many failed attempts, or too many connections
    #[command(after_help = REFUSALS_EXAMPLES)]
    Held {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Forget what there is against somebody who is held off
    #[command(after_help = REFUSALS_EXAMPLES)]
    Forgive {
        /// An address or a name, as `signet refusals held` shows it
        #[arg(value_name = "WHO", required_unless_present = "all", conflicts_with = "all")]
        who: Option<String>,
        /// Everybody
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

/// `signet trust …`
#[derive(Debug, Subcommand)]
#[command(after_help = TRUST_EXAMPLES)]
pub(crate) enum Trust {
    /// List trust profiles, the listeners that use them, and their live sessions
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Show a trust profile: authorities, rules, revocation
    Show {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// End every session under a trust profile and let nobody in, until it is enabled
    #[command(after_help = TRUST_EXAMPLES)]
    Disable {
        /// Its name
        name: String,
        /// Why, in any words; it is shown in lists, in the log and in the audit records
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Only list the sessions that would end
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Let the devices of a disabled trust profile in again
    #[command(after_help = TRUST_EXAMPLES)]
    Enable {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
}
