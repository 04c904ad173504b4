//! The `ca` directory: loaded for use, made by `signet ca init`, and finished by `signet quickstart` when a first run was cut short.

use std::path::{Path, PathBuf};

use signet_ca::{Authority, CaCertificate, SubjectKey, create_issuing, create_root};
use signet_ledger::{
    AuthorityFiles, CeremonyPlan, FileError, Overwrite, PrivateKey, read_certificates, read_key, serial_entropy, write_public,
};
use signet_net::unix_seconds;

use crate::exit::Exit;
use crate::hint::Failure;

/// The authority of a directory; `None` when no part of one is there.
pub(crate) fn load_authority(dir: &Path) -> Result<Option<Authority>, Failure> {
    let files = AuthorityFiles::new(dir);
    if !files.exists() || !files.issuing_certificate().exists() && only_trust_is_there(&files) {
        return Ok(None);
    }
    files.load(unix_seconds()).map(Some).map_err(|error| match &error {
        FileError::Read { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
            let hint = part_is_missing(&files, path);
            Failure::from(error).hint(hint)
        }
        _ => error.into(),
    })
}

/// A certificate can be signed again by what is there; a key cannot be made again.
fn part_is_missing(files: &AuthorityFiles, path: &Path) -> &'static str {
    if *path == files.issuing_certificate() {
        return "the directory holds a part of an authority: `signet quickstart` finishes one it began, or restore the file";
    }
    if *path == files.root_certificate() {
        return "restore the file; the last certificate in ca.pem of the same directory is the same one";
    }
    "restore the key from a backup: without it nothing can be signed, and another key would make another authority"
}

/// A directory with somebody else's certificates to trust, and nothing to issue with.
fn only_trust_is_there(files: &AuthorityFiles) -> bool {
    !files.issuing_key().exists() && !files.root_key().exists()
}

/// Makes a root and an issuing authority where nothing of one is.
pub(crate) fn create(dir: &Path, plan: &CeremonyPlan) -> Result<Authority, Failure> {
    AuthorityFiles::new(dir).create(plan, Overwrite::Never, unix_seconds()).map_err(|error| match error {
        FileError::Exists { path } => Failure::new(format!(
            "`{}` exists: an authority is never overwritten, every certificate it issued would be worthless",
            path.display()
        ))
        .exit(Exit::Exists)
        .hint("`signet ca show` shows it; --dir DIR makes another one elsewhere"),
        other => other.into(),
    })
}

/// Makes what is missing of an authority and keeps what is there. Returns the files written.
pub(crate) fn complete(dir: &Path, plan: &CeremonyPlan) -> Result<Vec<PathBuf>, Failure> {
    let files = AuthorityFiles::new(dir);
    std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
    complete_files(&files, plan).map_err(|error| match error {
        FileError::Exists { path } => Failure::new(format!("`{}` exists already", path.display())).exit(Exit::Exists),
        other => other.into(),
    })
}

fn complete_files(files: &AuthorityFiles, plan: &CeremonyPlan) -> Result<Vec<PathBuf>, FileError> {
    let mut written = Vec::new();
    let now = unix_seconds();
    if !files.issuing_certificate().exists() {
        let root = complete_root(files, plan, now, &mut written)?;
        let root_key = read_key(&files.root_key())?;
        let issuing_key = key(&files.issuing_key(), plan, &mut written)?;
        let public: SubjectKey = issuing_key.subject_key()?;
        let validity = plan.issuing_validity_seconds;
        let issuing = create_issuing(&plan.issuing_name, &public, &root, &root_key, serial_entropy()?, now, validity)?;
        write_public(&files.issuing_certificate(), issuing.pem().as_bytes())?;
        written.push(files.issuing_certificate());
    }
    if !files.bundle().exists() {
        let authority = files.load(now)?;
        write_public(&files.bundle(), authority.bundle_pem().as_bytes())?;
        written.push(files.bundle());
    }
    Ok(written)
}

fn complete_root(files: &AuthorityFiles, plan: &CeremonyPlan, now: i64, written: &mut Vec<PathBuf>) -> Result<CaCertificate, FileError> {
    let path = files.root_certificate();
    if path.exists() {
        let certificates = read_certificates(&path)?;
        let der = certificates.first().map(Vec::as_slice).unwrap_or_default();
        return CaCertificate::from_der(der).map_err(|source| FileError::Authority { path, source });
    }
    let root_key = key(&files.root_key(), plan, written)?;
    let root = create_root(&plan.root_name, &root_key, serial_entropy()?, now, plan.root_validity_seconds)?;
    write_public(&path, root.pem().as_bytes())?;
    written.push(path);
    Ok(root)
}

fn key(path: &Path, plan: &CeremonyPlan, written: &mut Vec<PathBuf>) -> Result<PrivateKey, FileError> {
    if path.exists() {
        return read_key(path);
    }
    let key = PrivateKey::generate(plan.key_type)?;
    key.write(path, Overwrite::Never)?;
    written.push(path.to_owned());
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_cut_short_at_any_file_is_finished_and_what_is_there_stays() {
        let whole = tempfile::tempdir().unwrap();
        let plan = CeremonyPlan::named("Test");
        let written = complete(whole.path(), &plan).unwrap();
        assert_eq!(written.len(), 5);
        // The order in which files are written is the order in which a crash leaves them behind.
        for count in 0..=written.len() {
            let part = tempfile::tempdir().unwrap();
            for path in written.iter().take(count) {
                std::fs::copy(path, part.path().join(path.file_name().unwrap())).unwrap();
            }
            let added = complete(part.path(), &plan).unwrap();
            assert_eq!(added.len(), written.len() - count, "after {count} files");
            assert!(load_authority(part.path()).unwrap().is_some());
            for path in written.iter().take(count) {
                assert_eq!(std::fs::read(path).unwrap(), std::fs::read(part.path().join(path.file_name().unwrap())).unwrap());
            }
        }
    }

    #[test]
    fn an_authority_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let plan = CeremonyPlan::named("Test");
        create(directory.path(), &plan).unwrap();
        assert_eq!(create(directory.path(), &plan).unwrap_err().exit, Exit::Exists);
        assert!(complete(directory.path(), &plan).unwrap().is_empty());
    }

    #[test]
    fn a_directory_without_an_authority_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(load_authority(directory.path()).unwrap().is_none());
    }
}
