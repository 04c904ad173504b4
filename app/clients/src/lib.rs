//! Programs that have the flags, the output and the exit codes of Mosquitto's: pub, sub, rr and passwd.
//!
//! ```text
//! arguments, option file ──flags──▶ Options ──connect──▶ Session (one MQTT connection after the other) ──events──▶ publish | subscribe | request
//!                                                                                                                  └─messages──▶ output (format, json)
//! ```
//!
//! Everything a user can see, byte for byte, follows Mosquitto 2.1.2. Under Signet's own names a few things differ on purpose, all of them
//! in [`Manner`].

mod c_text;
mod connect;
mod flag_table;
mod flags;
mod format;
mod hidden_line;
mod json;
mod local_time;
mod option_file;
mod options;
mod output;
mod own_json;
mod passwd;
mod property;
mod publish;
mod report;
mod request;
mod session;
mod stop;
mod subscribe;
mod topics;
mod trouble;
mod url;
mod words;

pub use hidden_line::hidden_line;
pub use passwd::run as passwd;
pub use publish::run as publish;
pub use request::run as request;
pub use subscribe::run as subscribe;

/// Which of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Publish,
    Subscribe,
    Request,
}

impl Kind {
    /// The name that Mosquitto's option files have.
    pub(crate) fn option_file(self) -> &'static str {
        match self {
            Self::Publish => "mosquitto_pub",
            Self::Subscribe => "mosquitto_sub",
            Self::Request => "mosquitto_rr",
        }
    }
}

/// Whose program it is that was asked for.
///
/// Under Signet's names MQTT 5.0 is the default, because only 5.0 tells why the broker ended a connection; what went wrong is said in our words
/// with a hint, and shown by the exit code; a lost connection ends `signet sub` instead of being made again for ever; `--insecure` alone
/// means TLS; and there are flags that Mosquitto has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Mosquitto,
    Signet,
}

impl Manner {
    /// By the name that the program was started under.
    pub(crate) fn of(program: &str) -> Self {
        if program.starts_with("mosquitto") { Self::Mosquitto } else { Self::Signet }
    }
}
