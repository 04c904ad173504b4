//! How the program ends: every exit code, what it means, and the table `signet --help` prints.

use std::process::ExitCode;

/// Why the program ended. Scripts may rely on the numbers; `signet pub` and `signet sub` add the codes of their own help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done as asked.
    Done,
    /// Something in the world was in the way: a file, a port, a broker that does not answer.
    Failed,
    /// The configuration has problems; nothing was started or changed.
    Configuration,
    /// There is no such device, user, certificate, profile, client or refusal.
    NotFound,
    /// A file or a name is taken already and was left as it is.
    Exists,
    /// Another broker runs on the same data directory.
    Busy,
    /// The disk failed under the running broker: what was acknowledged before is safe, nothing was acknowledged after.
    StoreFailed,
    /// The store on disk is damaged, and was left as it is.
    StoreDamaged,
    /// What was asked about would be refused.
    Refused,
}

/// The table for `--help`. Code 2 belongs to the flag parser.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  failed: a file, a port or the broker was in the way; the message says which
  2  the command line is wrong
  3  the configuration has problems; every one of them was printed
  4  there is no such device, user, certificate, profile, client or refusal
  5  it exists already and was left alone (see --force)
  6  another signet runs on the same data directory
  7  the store failed: the disk did not take what had to be durable; nothing was acknowledged after it
  8  the store is damaged and was left as it is; signet store check says where
  9  signet explain, signet acl check: the client would be refused, or what was asked about denied";

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Configuration => 3,
            Self::NotFound => 4,
            Self::Exists => 5,
            Self::Busy => 6,
            Self::StoreFailed => 7,
            Self::StoreDamaged => 8,
            Self::Refused => 9,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_table_lists_every_code_once() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Configuration,
            Exit::NotFound,
            Exit::Exists,
            Exit::Busy,
            Exit::StoreFailed,
            Exit::StoreDamaged,
            Exit::Refused,
        ];
        for exit in all {
            assert_eq!(TABLE.matches(&format!("\n  {}  ", exit.code())).count(), 1, "{exit:?}");
        }
    }
}
