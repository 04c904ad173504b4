//! Files that say who may do what, and what everybody on this machine may do with them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Others may do something with a file.
const OTHERS: u32 = 0o007;

/// Says so where everybody may read or write a file. A group may: that is how a broker reads a file of its administrator.
pub(super) fn warn(path: &Path) {
    // One that is not there is told by who reads it.
    if let Some(warning) = std::fs::metadata(path).ok().and_then(|metadata| warning(path, metadata.permissions().mode())) {
        tracing::warn!("{warning}");
    }
}

fn warning(path: &Path, mode: u32) -> Option<String> {
    let path = path.display();
    (mode & OTHERS != 0).then(|| format!("everybody on this machine may read or write `{path}`; `chmod o-rwx {path}` takes that away"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_for_everybody_is_told() {
        for (mode, is_told) in [(0o600, false), (0o640, false), (0o660, false), (0o644, true), (0o602, true), (0o100_604, true)] {
            assert_eq!(warning(Path::new("passwords"), mode).is_some(), is_told, "{mode:o}");
        }
    }
}
