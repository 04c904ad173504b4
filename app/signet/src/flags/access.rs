//! Flags of what says what a client may do, and how those fare who are asked about clients.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::ConfigFlag;

const ACL_EXAMPLES: &str = "\
Examples:
  signet acl check --identity pump-7 --topic pump-7/temp              both: may it publish there, and subscribe to it?
  signet acl check --identity pump-7 --topic 'plant/#' --subscribe
  signet acl check --cert partner.pem --listener partners --topic x/y
  signet acl check --username ann --client-identifier a1 --address 10.0.0.7 --topic a/b

Whoever has to vouch is not asked: it says what the client could do once it was let in, by the rules in force and the access sources.
Ends with code 0 when all of it is allowed, 9 when not. See also: signet explain.";

const AUTH_EXAMPLES: &str = "\
Examples:
  signet auth list                 every authenticator, access source and key look-up that is somewhere else: asked, failed, given up for a while
  signet auth forget               what they have said: who connects next is asked about anew, and what clients may do too
  signet auth forget devices       of one of them";

/// `signet acl`
#[derive(Debug, Subcommand)]
pub(crate) enum Acl {
    /// Say whether a client may publish to a topic, and subscribe to it, and by which rule
    #[command(after_help = ACL_EXAMPLES)]
    Check(Box<AclCheck>),
}

/// `signet acl check`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("who").args(["identity", "cert", "username", "client_identifier"]).multiple(true).required(true))]
pub(crate) struct AclCheck {
    /// The device of this name: its live connection, or the last certificate that was issued for it here
    #[arg(long, value_name = "NAME", conflicts_with = "cert")]
    pub(crate) identity: Option<String>,
    /// This certificate, PEM; further ones in the file are the intermediates that the device sends
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The user name that it sends
    #[arg(long, value_name = "TEXT")]
    pub(crate) username: Option<String>,
    /// The Client Identifier that it sends
    #[arg(long, value_name = "TEXT")]
    pub(crate) client_identifier: Option<String>,
    /// Where it comes in [default: the only listener that would do]
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The address that it comes from
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    /// The Topic Name or Topic Filter
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: String,
    /// Only whether it may publish
    #[arg(long)]
    pub(crate) publish: bool,
    /// Only whether it may subscribe
    #[arg(long)]
    pub(crate) subscribe: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

/// `signet auth`
#[derive(Debug, Subcommand)]
#[command(after_help = AUTH_EXAMPLES)]
pub(crate) enum Auth {
    /// Show how authenticators and access sources fare
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Forget what they have said
    Forget {
        /// Only of the one with this name
        name: Option<String>,
        #[command(flatten)]
        config: ConfigFlag,
    },
}
