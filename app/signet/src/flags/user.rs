//! Flags of the built-in users.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ConfigFlag;

const EXAMPLES: &str = "\
Examples:
  signet user add alice                                    asks for the password
  signet user add meter-12 --generate --group meters       makes one and prints it
  signet user add bob --password-file bob.txt --scram sha256
  pass show mqtt/carol | signet user add carol --password-stdin
  signet user password alice                               another one; her sessions end
  signet user set alice --superuser true --group operators
  signet user disable alice                                her sessions end, she stays out
  signet user remove alice
  signet user import /etc/mosquitto/passwd                 of mosquitto_passwd, or a CSV of EMQX

They are asked about where a chain names an authenticator of type \"users\" or \"scram\":
  [authentication]
  chain = [\"users\"]

  [[authenticator]]
  type = \"users\"";

/// `signet user …`
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum User {
    /// Make a user
    #[command(after_help = EXAMPLES)]
    Add(Box<UserAdd>),
    /// List the users
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Show one user
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Give a user another password; its sessions end at once
    #[command(after_help = EXAMPLES)]
    Password {
        /// Its name
        name: String,
        #[command(flatten)]
        secret: Secret,
        #[command(flatten)]
        scram: Scram,
        #[command(flatten)]
        keep: Keep,
        #[command(flatten)]
        common: Common,
    },
    /// Change what a user is given; its sessions end at once
    #[command(after_help = EXAMPLES)]
    Set {
        /// Its name
        name: String,
        /// Whether it may do everything
        #[arg(long, value_name = "BOOL")]
        superuser: Option<bool>,
        /// A group that rules can name; all that it is to be in, each with this flag
        #[arg(long = "group", value_name = "GROUP", conflicts_with = "no_groups")]
        groups: Vec<String>,
        /// In no group any more
        #[arg(long)]
        no_groups: bool,
        /// An attribute that rules and templates can look at; all that it is to have, each with this flag
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute, conflicts_with = "no_attributes")]
        attributes: Vec<(String, String)>,
        /// Without attributes from now on
        #[arg(long)]
        no_attributes: bool,
        #[command(flatten)]
        keep: Keep,
        #[command(flatten)]
        common: Common,
    },
    /// Keep a user out until it is enabled again; its sessions end at once
    Disable {
        /// Its name
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Let a disabled user in again
    Enable {
        /// Its name
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a user; its sessions end at once
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        keep: Keep,
        #[command(flatten)]
        common: Common,
    },
    /// Make the users of a file: one of mosquitto_passwd, or a CSV as EMQX imports it
    #[command(after_help = EXAMPLES)]
    Import {
        /// The file
        file: PathBuf,
        /// How the column `password_hash` of a CSV was made: `salt,sha256`, `sha256,salt`, `bcrypt`, `pbkdf2,sha256,1000,32`, …
        #[arg(long, value_name = "KIND")]
        password_hash: Option<String>,
        /// Put users in place of those who are there already; their sessions end at once
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        common: Common,
    },
}

/// `signet user add`
#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    /// The name: a user name or a Client Identifier
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) secret: Secret,
    /// It cannot log in yet
    #[arg(long, conflicts_with_all = ["password_file", "password_stdin", "generate"])]
    pub(crate) no_password: bool,
    #[command(flatten)]
    pub(crate) scram: Scram,
    /// It may do everything
    #[arg(long)]
    pub(crate) superuser: bool,
    /// A group that rules can name; may be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// An attribute that rules and templates can look at; may be given more than once
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute)]
    pub(crate) attributes: Vec<(String, String)>,
    /// It is there and cannot log in until it is enabled
    #[arg(long)]
    pub(crate) disabled: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Where a password comes from; without any of them it is asked for. Never from the command line, which others can read.
#[derive(Debug, Args)]
pub(crate) struct Secret {
    /// Read the password from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["password_stdin", "generate"])]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from the first line of the standard input
    #[arg(long, conflicts_with = "generate")]
    pub(crate) password_stdin: bool,
    /// Make a password and print it, once
    #[arg(long)]
    pub(crate) generate: bool,
}

/// Keys for SCRAM.
#[derive(Debug, Args)]
pub(crate) struct Scram {
    /// Keep keys for this mechanism too; may be given more than once
    #[arg(long = "scram", value_name = "MECHANISM", value_enum)]
    pub(crate) mechanisms: Vec<Mechanism>,
    /// Rounds that every client has to compute [default: 10000]
    #[arg(long = "scram-iterations", value_name = "COUNT", requires = "mechanisms", value_parser = clap::value_parser!(u32).range(4096..=10_000_000))]
    pub(crate) iterations: Option<u32>,
}

/// A mechanism of SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mechanism {
    /// SCRAM-SHA-256
    Sha256,
    /// SCRAM-SHA-512
    Sha512,
}

/// What becomes of open sessions.
#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// Leave open sessions as they are
    #[arg(long)]
    pub(crate) keep_sessions: bool,
}

/// What every command has.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFlag,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
