//! Flags of what looks at live connections and ends them, of the operator's revocation list, and of the audit records.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use signet_identity::SerialNumber;
use signet_revocation::Reason;

use super::{ConfigFlag, reason};

const REVOCATION_EXAMPLES: &str = "\
Examples:
  signet revocation add --cert stolen.pem -r keyCompromise       one certificate, by its file
  signet revocation add --issuer plant-ca.pem --serial 4F:01     one certificate, by what a log line says
  signet revocation add --key device.pub.pem                     every certificate of one key, or signed with it
  signet revocation add --ca old-plant-ca.pem -r cACompromise    every certificate below one authority
  signet revocation remove --cert stolen.pem                     trusted again, as far as this list goes
  signet revocation sources                                      how CRLs and OCSP responders fare
  signet revocation refresh plant                                fetch and read those of one trust profile now

The list is for certificates that other authorities issued. Signet's own: signet device revoke.
A listener trusts a CA because signet.toml says so: to stop for good, take it out there.";

const CONNECTIONS_EXAMPLES: &str = "\
Examples:
  signet connections                                  everybody
  signet connections --profile plant --json           for scripts
  signet connections --ca plant-ca.pem                whoever has that authority in the path
  signet connections close --device pump-7            it may come back at once
  signet connections close --listener legacy --reason 'moving to 8883'

To keep a device out: signet device suspend, or signet device revoke.";

const AUDIT_EXAMPLES: &str = "\
Examples:
  signet audit                             the newest 50
  signet audit --device pump-7             all that was done to one device
  signet audit --since 2h                  the last two hours; also 30m, 7d, 2026-11-30, 2026-11-30T12:00:00Z
  signet audit --limit 1000 --json         for a system that collects such records";

/// `signet revocation …`
#[derive(Debug, Subcommand)]
#[command(after_help = REVOCATION_EXAMPLES)]
pub(crate) enum Revocation {
    /// Trust a certificate, a key or a whole authority no longer; live sessions end at once
    #[command(after_help = REVOCATION_EXAMPLES, group = ArgGroup::new("what").args(["cert", "issuer", "key", "ca"]).required(true))]
    Add {
        #[command(flatten)]
        which: Named,
        /// Why, in the words of RFC 5280: keyCompromise, superseded, cACompromise, …
        #[arg(short, long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
        reason: Reason,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// List what is no longer trusted
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Take something off the list
    #[command(after_help = REVOCATION_EXAMPLES)]
    Remove {
        #[command(flatten)]
        which: Named,
        /// The entry as `signet revocation list` shows it
        #[arg(value_name = "ID", conflicts_with_all = ["cert", "issuer", "key", "ca"], required_unless_present_any = ["cert", "issuer", "key", "ca"])]
        id: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Show where revocation knowledge comes from: each list's age and next update, what failed
    Sources {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Fetch lists and read files now, and ask OCSP responders again; does not wait for what comes of it
    Refresh {
        /// Those of this trust profile, or with this address [default: all]
        #[arg(value_name = "PROFILE|ADDRESS")]
        which: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

/// What an entry names, by files at hand.
#[derive(Debug, Clone, Args)]
#[group(multiple = true)]
pub(crate) struct Named {
    /// This certificate
    #[arg(long, value_name = "FILE", conflicts_with_all = ["issuer", "key", "ca"])]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate that this CA issued with --serial
    #[arg(long, value_name = "FILE", requires = "serial", conflicts_with_all = ["key", "ca"])]
    pub(crate) issuer: Option<PathBuf>,
    /// Serial number, hexadecimal
    #[arg(long, value_name = "HEX", requires = "issuer", value_parser = serial)]
    pub(crate) serial: Option<SerialNumber>,
    /// Every certificate with the key in this file: a public key, a certificate or a private key
    #[arg(long, value_name = "FILE", conflicts_with = "ca")]
    pub(crate) key: Option<PathBuf>,
    /// Every certificate with this CA in its path
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// `signet connections`
#[derive(Debug, Args)]
#[command(after_help = CONNECTIONS_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Connections {
    #[command(subcommand)]
    pub(crate) command: Option<ConnectionsCommand>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// `signet connections …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionsCommand {
    /// Close live connections; nothing is revoked, they may come back at once
    #[command(after_help = CONNECTIONS_EXAMPLES)]
    Close {
        #[command(flatten)]
        which: Which,
        /// Every connection
        #[arg(long)]
        all: bool,
        /// Why, for the log and the audit record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

/// Which connections: those for which everything given is true.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Of this device (`tenant/name` for one of a tenant)
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Of devices of this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Verified under this trust profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// With this CA in the path
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// With this certificate, or with it in the path
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// With the key in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// With this Client Identifier
    #[arg(long, value_name = "TEXT")]
    pub(crate) client_identifier: Option<String>,
    /// Accepted by this listener
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
}

/// `signet audit`
#[derive(Debug, Args)]
#[command(after_help = AUDIT_EXAMPLES)]
pub(crate) struct Audit {
    /// Only what was done to this device
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Only from then on: a time (RFC 3339), a date (UTC), or how long ago (30m, 2h, 7d)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

fn serial(text: &str) -> Result<SerialNumber, String> {
    text.parse().map_err(|error: <SerialNumber as std::str::FromStr>::Err| error.to_string())
}
