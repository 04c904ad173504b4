//! A file with the process identifier, for scripts that send signals.

use std::path::PathBuf;

use crate::hint::Failure;

/// The file; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it, if one is wanted.
    pub(crate) fn write(path: Option<PathBuf>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else { return Ok(None) };
        std::fs::write(&path, std::process::id().to_string()).map_err(|error| Failure::file("write", &path, &error))?;
        Ok(Some(Self(path)))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Whoever removed it before did what we wanted.
        drop(std::fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_as_long_as_we_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        assert!(PidFile::write(None).unwrap().is_none());
        let file = PidFile::write(Some(path.clone())).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
        assert!(PidFile::write(Some(dir.path().join("no/pid"))).is_err());
    }
}
