//! Password files in the format of Mosquitto: `user:hash` in each line.
//!
//! Lines that begin with `#` are comments. The name ends at the first `:`, the hash at the next; several `:` are like one, and blanks around both do not
//! count. A line without `:` names nobody and is left out, as Mosquitto does. A name that is empty, too long or there twice, and a hash that cannot be
//! verified, are errors, as in Mosquitto 2.1: a file that is half understood lets nobody in who should not be, and locks out who should.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use signet_policy::Credential;

use crate::local::{LocalUser, LocalUsers};
use crate::password::{HashError, PasswordHash};
use crate::password_source::Record;

/// The largest file that is read, in bytes.
const FILE_MAXIMUM: u64 = 64 << 20;
/// The longest name, in bytes: that of a user name on the wire.
const NAME_MAXIMUM: usize = 65_535;

/// Why a password file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileError {
    /// It cannot be read.
    #[error("the password file `{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: std::io::Error,
    },
    /// It is too large.
    #[error("the password file `{}` has more than {FILE_MAXIMUM} bytes: keep so many users in a data base, or with `signet user import`", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, and what to do. Never with a hash or a password.
        problem: String,
    },
}

/// The users of a password file, as it was when it was read.
#[derive(Debug)]
pub struct PasswordFile {
    users: HashMap<Arc<str>, Known>,
    hash: PasswordHash,
    /// What stands before the names of its users in those of credentials.
    prefix: String,
}

#[derive(Debug)]
struct Known {
    record: Arc<Record>,
    /// Another one for every other hash.
    version: u64,
}

impl PasswordFile {
    /// Reads the whole file, whose passwords are hashed as `hash` says: [`PasswordHash::Auto`] where each line says it itself. `name` is that of the
    /// authenticator.
    ///
    /// # Errors
    /// [`PasswordFileError`].
    pub fn read(path: &Path, hash: PasswordHash, name: &str) -> Result<Self, PasswordFileError> {
        let failed = |source| PasswordFileError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(FILE_MAXIMUM + 1).read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAXIMUM {
            return Err(PasswordFileError::TooLarge { path: path.to_owned() });
        }
        let entries = entries(&bytes, &hash).map_err(|(line, problem)| PasswordFileError::Line { path: path.to_owned(), line, problem })?;
        let users = entries.into_iter().map(|(name, hash)| (name.into(), Known::new(hash)));
        Ok(Self { users: users.collect(), hash, prefix: format!("password_file:{name}/") })
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

impl Known {
    fn new(hash: &str) -> Self {
        let [first, second, third, fourth, fifth, sixth, seventh, eighth, ..] = <[u8; 32]>::from(Sha256::digest(hash));
        let version = u64::from_le_bytes([first, second, third, fourth, fifth, sixth, seventh, eighth]);
        let record = Record { password_hash: Some(hash.as_bytes().to_vec()), ..Record::default() };
        Self { record: Arc::new(record), version }
    }
}

impl LocalUsers for PasswordFile {
    fn find(&self, name: &str) -> Option<LocalUser> {
        let Known { record, version } = self.users.get(name)?;
        let credential = Credential { name: format!("{}{name}", self.prefix).into(), version: *version };
        Some(LocalUser { record: Arc::clone(record), hash: self.hash.clone(), is_disabled: false, credential })
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        let name = credential.name.strip_prefix(&*self.prefix)?;
        Some(self.users.get(name).is_some_and(|known| known.version == credential.version))
    }
}

/// The names and hashes in the text of a password file, in its order.
///
/// # Errors
/// The line, from 1, and what is wrong with it.
pub fn password_entries<'a>(text: &'a str, hash: &PasswordHash) -> Result<Vec<(&'a str, &'a str)>, (usize, String)> {
    let mut found: Vec<_> = entries(text.as_bytes(), hash)?.into_iter().collect();
    found.sort_unstable();
    Ok(found)
}

/// Comments may be in any encoding.
fn entries<'a>(text: &'a [u8], hash: &PasswordHash) -> Result<HashMap<&'a str, &'a str>, (usize, String)> {
    let mut found: HashMap<&str, &str> = HashMap::new();
    for (index, line) in text.split(|octet| *octet == b'\n').enumerate() {
        if line.starts_with(b"#") || !line.contains(&b':') {
            continue;
        }
        let problem = |problem: String| (index + 1, problem);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| problem("it is not UTF-8 text".to_owned()))?;
        let Some((name, stored)) = parts(line, hash) else { continue };
        if name.is_empty() || name.len() > NAME_MAXIMUM || name.contains('\0') {
            return Err(problem("the user name is empty or too long".to_owned()));
        }
        // The name may be a hash whose name was forgotten: it is not shown.
        let stored =
            stored.ok_or_else(|| problem("there is no hash behind the name: `mosquitto_passwd FILE USER` writes both".to_owned()))?;
        hash.check(stored.as_bytes()).map_err(|error| problem(wrong(name, hash, &error)))?;
        match found.entry(name) {
            Entry::Vacant(place) => drop(place.insert(stored)),
            Entry::Occupied(_) => return Err(problem(format!("the user `{name}` is there twice: remove one of the two lines"))),
        }
    }
    Ok(found)
}

/// The name and what is stored for it, if anything. Passwords as they are may hold `:` and blanks. `None`: nothing but `:`.
fn parts<'a>(line: &'a str, hash: &PasswordHash) -> Option<(&'a str, Option<&'a str>)> {
    // What C's `isspace` is true for.
    let blanks = |character: char| character.is_ascii_whitespace() || character == '\x0B';
    if *hash == PasswordHash::Plain {
        return line.split_once(':').map(|(name, stored)| (name.trim_matches(blanks), Some(stored)));
    }
    let mut tokens = line.split(':').filter(|token| !token.is_empty());
    let name = tokens.next()?;
    Some((name.trim_matches(blanks), tokens.next().map(|stored| stored.trim_matches(blanks))))
}

fn wrong(name: &str, hash: &PasswordHash, error: &HashError) -> String {
    let advice = match hash {
        PasswordHash::Auto => {
            "`mosquitto_passwd FILE USER` writes a hash; a file of plain passwords needs `password_hash = \"plain\"`, one of bare digests its own"
        }
        _ => "`password_hash` of the authenticator says what is expected",
    };
    format!("the password of `{name}`: {error}; {advice}")
}

#[cfg(test)]
mod tests;
