//! As whom the process runs, with how many threads, and where it says which one it is: `user`, `shards` and `pid_file`.

use std::path::{Path, PathBuf};

use super::problem::Problems;
use super::section::Section;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Whom it becomes when root starts it; nobody else than root: stay.
    pub(crate) user: Option<String>,
    /// Threads of the data plane; one per processor when absent.
    pub(crate) shards: Option<u16>,
    /// Where it writes its process identifier.
    pub(crate) pid_file: Option<PathBuf>,
}

impl Process {
    /// Reads it from the top level; paths are looked up from `base`.
    pub(super) fn read(top: &Section<'_>, base: &Path, problems: &Problems) -> Self {
        let user = top.string("user");
        if let Some(at) = user.as_ref().filter(|at| at.value.is_empty() || at.value.contains('\0')) {
            problems.at(&at.span, "`user` is no name of a user".to_owned(), Some("write user = \"mosquitto\", or leave it out".to_owned()));
        }
        let shards = top.number("shards", 1, 256).and_then(|at| u16::try_from(at.value).ok());
        Self { user: user.map(|at| at.value), shards, pid_file: top.string("pid_file").map(|at| base.join(at.value)) }
    }
}
