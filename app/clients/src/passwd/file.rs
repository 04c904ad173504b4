//! Password files on disk. They are changed in place, so that owner, rights and whatever else hangs on them stay; what they held before stands in a file
//! beside them until everything is written.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Failure, complain};

/// The largest file that is read, in bytes, as the broker reads it.
const FILE_MAXIMUM: u64 = 64 << 20;

/// Attempts at a name for the copy that nobody has taken.
const ATTEMPTS: u32 = 100;

/// The path without links where there is something, else as it was written.
pub(super) fn full(path: &[u8]) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    match path.canonicalize() {
        Ok(full) => Ok(full),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path),
        Err(error) => Err(Failure::new(format!("Error reading password file: {}", words(&error)))),
    }
}

/// A new file, which only its owner may read.
pub(super) fn create(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let failed =
        |error: &io::Error| Failure::of(&[b"Error: Unable to open file ", octets(path), b" for writing. ", words(error).as_bytes(), b"."]);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| failed(&error))?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(|error| failed(&error))
}

/// A file that is there.
pub(super) struct PasswordFile {
    path: PathBuf,
    file: File,
    text: Vec<u8>,
}

impl PasswordFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |why: &str| Failure::of(&[b"Error: Unable to open password file ", octets(path), b". ", why.as_bytes(), b"."]);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| failed(&words(&error)))?;
        let metadata = file.metadata().map_err(|error| failed(&words(&error)))?;
        warn(path, &metadata);
        if !metadata.is_file() {
            return Err(Failure::of(&[b"Error: ", octets(path), b" is not a file."]));
        }
        let mut text = Vec::new();
        (&mut file).take(FILE_MAXIMUM + 1).read_to_end(&mut text).map_err(|error| failed(&words(&error)))?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_MAXIMUM {
            return Err(failed(&words(&io::Error::from(ErrorKind::FileTooLarge))));
        }
        Ok(Self { path: path.to_owned(), file, text })
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Writes another text into the file.
    pub(super) fn replace(&mut self, text: &[u8]) -> Result<(), Failure> {
        let copy = self.copy()?;
        let written = self.write(text);
        if written.is_err() {
            return Err(Failure::of(&[
                b"Error occurred updating password file.\nPassword file may be corrupt, check the backup file: ",
                octets(&copy),
                b".",
            ]));
        }
        // It holds old hashes: the sooner it is gone the better, and if it stays nothing is wrong.
        let _ = std::fs::remove_file(copy);
        Ok(())
    }

    /// Over what was there, and only then shorter: whoever reads meanwhile never finds it empty.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text)?;
        self.file.set_len(u64::try_from(text.len()).map_err(io::Error::other)?)?;
        self.file.sync_all()
    }

    /// A copy beside it, with a name of chance.
    fn copy(&self) -> Result<PathBuf, Failure> {
        let mut last = self.copy_path("XXXXXX");
        let failed = |what: &[u8], path: &Path| Failure::of(&[what, b" backup password file \"", octets(path), b"\", not continuing."]);
        for _ in 0..ATTEMPTS {
            let mut chance = [0; 3];
            aws_lc_rs::rand::fill(&mut chance).map_err(|_| failed(b"Error creating", &last))?;
            last = self.copy_path(&chance.iter().map(|octet| format!("{octet:02x}")).collect::<String>());
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&last) {
                Ok(mut file) => {
                    let written = file.write_all(&self.text).and_then(|()| file.sync_all());
                    return written.map(|()| last.clone()).map_err(|_| failed(b"Error copying data to", &last));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        Err(failed(b"Error creating", &last))
    }

    fn copy_path(&self, end: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".backup.{end}"));
        name.into()
    }
}

/// Says who else can do what with the file.
fn warn(path: &Path, metadata: &Metadata) {
    let name = octets(path);
    if metadata.mode() & 0o007 != 0 {
        let [first, second, third] = [
            &b"Warning: File "[..],
            b" has world readable permissions. Future versions will refuse to load this file.\nTo fix this, use `chmod 0700 ",
            b"`.\n",
        ];
        complain(&[first, name, second, name, third].concat());
    }
}

fn octets(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The system's own words without the number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
