//! Certificate and key files: written whole or not at all, read with a bound, refused with the file's name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use signet_ca::{PemBlock, decode_pem};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::FileError;
use crate::keys::PrivateKey;

/// The largest certificate or key file that is read, in bytes: a bundle of some thousand authorities fits.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Whether an existing file may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// An existing file is an error.
    Never,
    /// The caller was asked to.
    Forced,
}

/// Writes a file that everybody may read (mode 0644 less the umask), replacing an older one at once and durably.
///
/// # Errors
/// [`FileError::Write`]; the older file is then untouched.
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), FileError> {
    write(path, content, 0o644, Overwrite::Forced)
}

/// Writes a file that only its owner may read (mode 0600 from its first byte on), durably.
///
/// # Errors
/// [`FileError::Exists`], [`FileError::Write`]; an older file is then untouched.
pub fn write_secret(path: &Path, content: &[u8], overwrite: Overwrite) -> Result<(), FileError> {
    write(path, content, 0o600, overwrite)
}

/// The DER of every certificate in a PEM file, in order; never an empty list.
///
/// # Errors
/// [`FileError`].
pub fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, FileError> {
    let blocks = read_pem(path)?;
    let found = labels(&blocks);
    let certificates: Vec<Vec<u8>> = blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.der).collect();
    if certificates.is_empty() {
        let hint = "expected `-----BEGIN CERTIFICATE-----`; perhaps certificate and key are exchanged";
        return Err(FileError::WrongContent { path: path.to_owned(), expected: "certificate", found, hint });
    }
    Ok(certificates)
}

/// The first private key in a PEM file: PKCS#8, SEC 1 or PKCS#1, not encrypted.
///
/// # Errors
/// [`FileError`].
pub fn read_key(path: &Path) -> Result<PrivateKey, FileError> {
    let mut blocks = read_pem(path)?;
    let found = labels(&blocks);
    let result = match blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) {
        Some(block) if block.label == "ENCRYPTED PRIVATE KEY" => Err(FileError::WrongContent {
            path: path.to_owned(),
            expected: "unencrypted private key",
            found,
            hint: "take the passphrase off with `openssl pkey -in FILE -out KEY` and keep the result readable by its owner only",
        }),
        Some(block) => PrivateKey::from_der(&block.der).map_err(|source| FileError::Key { path: path.to_owned(), source }),
        None => Err(FileError::WrongContent {
            path: path.to_owned(),
            expected: "private key",
            found,
            hint: "expected `-----BEGIN PRIVATE KEY-----`; perhaps certificate and key are exchanged",
        }),
    };
    for block in &mut blocks {
        block.der.zeroize();
    }
    result
}

fn labels(blocks: &[PemBlock]) -> String {
    let mut list: Vec<String> = Vec::new();
    for block in blocks {
        let label = format!("`{}`", block.label.escape_default());
        if !list.contains(&label) {
            list.push(label);
        }
    }
    list.join(", ")
}

fn read_pem(path: &Path) -> Result<Vec<PemBlock>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.len();
    // Large enough at once: a buffer that grows would leave copies of a key behind.
    let expected = found.min(FILE_BYTES_MAX).saturating_add(1);
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0)));
    // One more than allowed, so that a file that grows or has no size (a pipe) is bounded too.
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
    let found = found.max(u64::try_from(content.len()).unwrap_or(u64::MAX));
    if found > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned(), found, limit: FILE_BYTES_MAX });
    }
    decode_pem(&content).map_err(|source| FileError::NotPem { path: path.to_owned(), source })
}

fn write(path: &Path, content: &[u8], mode: u32, overwrite: Overwrite) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    if overwrite == Overwrite::Never && fs::symlink_metadata(path).is_ok() {
        return Err(FileError::Exists { path: path.to_owned() });
    }
    let (temporary, file) = create_temporary(path, mode).map_err(failed)?;
    let written = write_synced(file, content).and_then(|()| match overwrite {
        Overwrite::Forced => fs::rename(&temporary, path),
        // Unlike a rename, a link fails when somebody else made the file in the meantime.
        Overwrite::Never => match fs::hard_link(&temporary, path) {
            Ok(()) => fs::remove_file(&temporary),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // Some file systems have no links; there the check at the top has to do.
            Err(_) => fs::rename(&temporary, path),
        },
    });
    if let Err(error) = written {
        // The error to report is the first one; a temporary file that cannot be removed harms nobody.
        let _ = fs::remove_file(&temporary);
        return Err(match error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists { path: path.to_owned() },
            _ => failed(error),
        });
    }
    sync_directory(path).map_err(failed)
}

fn write_synced(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// A new file in the same directory: a rename does not cross file systems.
fn create_temporary(path: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    loop {
        let temporary = temporary_path(path)?;
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            // Left behind by a process that was killed and had our number, as the first process of a container always has.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// A name that no other writer of a living process uses.
fn temporary_path(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    Ok(path.with_file_name(temporary))
}

/// Makes a file's name durable: the entry lives in the directory, not in the file.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_private_and_never_overwritten_by_accident() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        write_secret(&path, b"one", Overwrite::Never).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = write_secret(&path, b"two", Overwrite::Never).unwrap_err();
        assert!(matches!(error, FileError::Exists { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_secret(&path, b"three", Overwrite::Forced).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "temporary files are left behind");
    }

    #[test]
    fn a_dangling_link_is_not_followed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(matches!(write_secret(&path, b"x", Overwrite::Never), Err(FileError::Exists { .. })));
    }

    #[test]
    fn what_a_killed_process_of_the_same_number_left_behind_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        let next = temporary_path(&path).unwrap();
        let number: u64 = next.to_str().unwrap().rsplit('.').nth(1).unwrap().parse().unwrap();
        for left in number..number + 50 {
            fs::write(directory.path().join(format!(".crl.pem.{}.{left}.tmp", std::process::id())), "half").unwrap();
        }
        write_public(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let error = write_public(&directory.path().join("missing/crl.pem"), b"x").unwrap_err();
        assert!(error.to_string().contains("missing/crl.pem` cannot be written"), "{error}");
        write_public(&directory.path().join("crl.pem"), b"x").unwrap();
        write_public(&directory.path().join("crl.pem"), b"y").unwrap();
        assert_eq!(fs::read(directory.path().join("crl.pem")).unwrap(), b"y");
    }

    #[test]
    fn certificate_and_key_exchanged_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.pem");
        fs::write(&path, signet_ca::encode_pem("CERTIFICATE", b"x")).unwrap();
        let error = read_key(&path).unwrap_err().to_string();
        assert!(error.contains("holds no private key, only `CERTIFICATE`"), "{error}");
        fs::write(&path, signet_ca::encode_pem("PRIVATE KEY", b"x")).unwrap();
        let error = read_certificates(&path).unwrap_err().to_string();
        assert!(error.contains("holds no certificate, only `PRIVATE KEY`"), "{error}");
        fs::write(&path, signet_ca::encode_pem("ENCRYPTED PRIVATE KEY", b"x")).unwrap();
        assert!(read_key(&path).unwrap_err().to_string().contains("passphrase"));
        fs::write(&path, "").unwrap();
        assert!(matches!(read_key(&path), Err(FileError::NotPem { .. })));
    }
}
