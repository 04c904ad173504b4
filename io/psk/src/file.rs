//! A file of keys: one identity and its key to a line, as Mosquitto's `psk_file` and EMQX's `init_file` have them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use signet_identity::{DeviceName, KeyMark};
use signet_tls::TlsError;
use zeroize::Zeroizing;

use crate::key::{Psk, PskError};

/// How keys are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PskEncoding {
    /// In hexadecimal digits, as Mosquitto has them.
    #[default]
    Hexadecimal,
    /// The characters themselves are the key, as EMQX has them.
    Text,
}

/// Where a file is and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PskFileConfig {
    /// The file.
    pub path: PathBuf,
    /// What stands between identity and key. Not empty.
    pub separator: String,
    /// How keys are written.
    pub encoding: PskEncoding,
    /// The shortest key that is taken, in octets.
    pub minimum: usize,
    /// Which lines have to be right.
    pub lines: PskLines,
}

/// Which lines of a file have to be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PskLines {
    /// All.
    #[default]
    All,
    /// Those with an identity that a device can have and a key of a possible length, in the order of the file; the others are passed over, and the log says
    /// so. That is how Mosquitto reads them, which ends a key at a second separator, and fills up one with an odd number of digits. A key that is not
    /// written in hexadecimal digits is wrong here too.
    Usable,
}

impl PskFileConfig {
    /// A file as Mosquitto has it, with the bounds by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            separator: ":".to_owned(),
            encoding: PskEncoding::default(),
            minimum: Psk::MINIMUM_BY_DEFAULT,
            lines: PskLines::default(),
        }
    }
}

/// Larger files are refused, in octets: about two million keys.
const MAXIMUM_SIZE: u64 = 256 * 1024 * 1024;

/// The keys of a file.
pub struct PskFile {
    keys: HashMap<DeviceName, Psk>,
}

impl PskFile {
    /// Reads a file whole. Empty lines and those that start with `#` count for nothing.
    ///
    /// # Errors
    /// It cannot be read, or a line is wrong: file, line and what is wrong, but never the key.
    pub fn load(config: &PskFileConfig) -> Result<Self, TlsError> {
        let contents = read(&config.path)?;
        let mut keys = HashMap::new();
        for (index, line) in contents.split(|octet| *octet == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            let read = read_line(line, config).and_then(|(identity, key)| match keys.entry(identity) {
                Entry::Vacant(vacant) => {
                    vacant.insert(key);
                    Ok(())
                }
                Entry::Occupied(occupied) => Err(twice(occupied.key())),
            });
            match read {
                Err(wrong) if config.lines == PskLines::All || wrong.is_always => return Err(wrong.at(&config.path, index + 1)),
                Err(wrong) => tracing::warn!("`{}`: line {} is passed over: {}", config.path.display(), index + 1, wrong.found),
                Ok(()) => {}
            }
        }
        Ok(Self { keys })
    }

    /// The key of an identity.
    #[must_use]
    pub fn find(&self, identity: &DeviceName) -> Option<&Psk> {
        self.keys.get(identity)
    }

    /// The mark of the key of an identity.
    #[must_use]
    pub fn mark(&self, identity: &DeviceName) -> Option<KeyMark> {
        self.find(identity)?.mark()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl std::fmt::Debug for PskFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PskFile({} keys)", self.keys.len())
    }
}

/// What is wrong with a line, and what to do.
struct Wrong {
    found: String,
    hint: String,
    /// However lines are read.
    is_always: bool,
}

impl Wrong {
    fn new(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { found: found.into(), hint: hint.into(), is_always: false }
    }

    fn at(self, path: &Path, line: usize) -> TlsError {
        TlsError::File { path: path.to_owned(), found: format!("line {line}: {}", self.found), hint: self.hint }
    }
}

fn twice(identity: &DeviceName) -> Wrong {
    Wrong::new(format!("`{identity}` has a key already"), "leave one line for each identity")
}

fn read_line(line: &[u8], config: &PskFileConfig) -> Result<(DeviceName, Psk), Wrong> {
    let line = std::str::from_utf8(line).map_err(|_| Wrong::new("is not UTF-8 text", "write identities in UTF-8"))?;
    let separator = config.separator.as_str();
    // No key in hexadecimal holds a separator, so an identity may; a key in characters may, so no identity does.
    let parts = match (config.lines, config.encoding) {
        (PskLines::All, PskEncoding::Hexadecimal) => line.rsplit_once(separator),
        (PskLines::All, PskEncoding::Text) => line.split_once(separator),
        (PskLines::Usable, _) => {
            let mut tokens = line.split(separator).filter(|token| !token.is_empty());
            tokens.next().zip(tokens.next())
        }
    };
    let form = format!("write `IDENTITY{separator}KEY`");
    let (identity, written) = parts.ok_or_else(|| Wrong::new(format!("has no `{separator}`"), form))?;
    let identity = DeviceName::new(identity.trim())
        .map_err(|error| Wrong::new(error.to_string(), "an identity is the name of a device: 1 to 128 octets, none of `+`, `#` and `/`"))?;
    let key = match config.encoding {
        PskEncoding::Hexadecimal if config.lines == PskLines::Usable && written.trim().len() % 2 == 1 => {
            let filled = Zeroizing::new([b"0", written.trim().as_bytes()].concat());
            Psk::from_hex(&filled)
        }
        PskEncoding::Hexadecimal => Psk::from_hex(written.trim().as_bytes()),
        PskEncoding::Text => Psk::new(written.as_bytes()),
    };
    let key = key.map_err(|error| match error {
        PskError::NotHexadecimal => {
            let hint = "write it as `openssl rand -hex 32` does; keys of EMQX are characters, not digits: psk_encoding = \"text\"";
            let found = format!("the key of `{identity}` is not written in pairs of hexadecimal digits");
            Wrong { is_always: true, ..Wrong::new(found, hint) }
        }
        PskError::Length(length) => Wrong::new(
            format!("the key of `{identity}` has {length} octets"),
            format!("make one of {} to {} octets, such as `openssl rand -hex 32`", config.minimum, Psk::MAXIMUM),
        ),
    })?;
    if key.octets().len() < config.minimum {
        let found = format!("the key of `{identity}` has {} octets, at least {} are needed", key.octets().len(), config.minimum);
        let hint =
            "make a longer one, such as `openssl rand -hex 32`; `psk_minimum` allows shorter ones, which can be guessed from one handshake";
        return Err(Wrong::new(found, hint));
    }
    Ok((identity, key))
}

/// The contents are wiped when dropped.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let fail = |source| TlsError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    // Large enough at once: a buffer that grows would leave copies behind. One octet more than allowed, because a device has no size.
    let expected = usize::try_from(metadata.len().min(MAXIMUM_SIZE)).unwrap_or(0);
    let mut contents = Zeroizing::new(Vec::with_capacity(expected.saturating_add(1)));
    file.take(MAXIMUM_SIZE.saturating_add(1)).read_to_end(&mut contents).map_err(fail)?;
    if u64::try_from(contents.len()).unwrap_or(u64::MAX) > MAXIMUM_SIZE {
        let found = "the file is larger than a file of keys can be".to_owned();
        return Err(TlsError::File { path: path.to_owned(), found, hint: "name a file of at most 256 MiB".to_owned() });
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, change: impl FnOnce(&mut PskFileConfig)) -> Result<PskFile, String> {
        let dir = tempfile::tempdir().unwrap();
        let mut config = PskFileConfig::new(dir.path().join("psk.txt"));
        std::fs::write(&config.path, text).unwrap();
        change(&mut config);
        PskFile::load(&config).map_err(|error| error.to_string().replace(&*config.path.to_string_lossy(), "psk.txt"))
    }

    fn key(file: &PskFile, identity: &str) -> Vec<u8> {
        file.find(&DeviceName::new(identity).unwrap()).map(|key| key.octets().to_vec()).unwrap()
    }

    const KEY: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_file_of_mosquitto_is_read() {
        let text = format!("# devices\n\npump-7:{KEY}\r\nurn:dev:8 : {}\n  \nMüller:{KEY}", KEY.to_uppercase());
        let file = load(&text, |_| {}).unwrap();
        assert_eq!(file.len(), 3);
        for identity in ["pump-7", "urn:dev:8", "Müller"] {
            assert_eq!(hex::encode(key(&file, identity)), KEY);
        }
        assert!(file.find(&DeviceName::new("pump-9").unwrap()).is_none());
        assert_eq!(format!("{file:?}"), "PskFile(3 keys)");
        assert!(load("", |_| {}).unwrap().is_empty());
    }

    #[test]
    fn a_file_of_emqx_is_read() {
        let text = "emqx_c:BA0DB2A3-4483-45A3-A13A-91C2ADA44778\nemqx_a:A6FC9EDF:6286 4125\n";
        let file = load(text, |config| config.encoding = PskEncoding::Text).unwrap();
        assert_eq!(key(&file, "emqx_c"), b"BA0DB2A3-4483-45A3-A13A-91C2ADA44778");
        assert_eq!(key(&file, "emqx_a"), b"A6FC9EDF:6286 4125");
        let file = load(&format!("pump-7 => {KEY}"), |config| config.separator = " => ".to_owned()).unwrap();
        assert_eq!(hex::encode(key(&file, "pump-7")), KEY);
    }

    #[test]
    fn a_wrong_line_is_named_and_no_key_is_shown() {
        let cases = [
            ("pump-8:secretsecret".to_owned(), "line 2: the key of `pump-8` is not written in pairs of hexadecimal digits"),
            (format!("pump-8:{KEY}0"), "line 2: the key of `pump-8` is not written in pairs"),
            ("pump-8".to_owned(), "line 2: has no `:`"),
            ("pump-8:".to_owned(), "line 2: the key of `pump-8` has 0 octets"),
            ("pump-8:aabb".to_owned(), "line 2: the key of `pump-8` has 2 octets, at least 16 are needed"),
            (format!("pump-8:{}", "ab".repeat(65)), "line 2: the key of `pump-8` has 65 octets"),
            (format!(":{KEY}"), "line 2: "),
            (format!("a/b:{KEY}"), "line 2: "),
            (format!("a\tb:{KEY}"), "line 2: "),
            (format!("{}:{KEY}", "x".repeat(129)), "has 129 bytes"),
            (format!("pump-7:{KEY}"), "line 2: `pump-7` has a key already"),
        ];
        for (line, expected) in cases {
            let error = load(&format!("pump-7:{KEY}\n{line}\n"), |_| {}).unwrap_err();
            assert!(error.starts_with("`psk.txt`: ") && error.contains(expected), "{line}: {error}");
            assert!(!error.contains(KEY) && !error.contains("secret"), "{error}");
        }
        assert!(load("pump-8:aabb", |config| config.minimum = 2).is_ok());
    }

    #[test]
    fn lines_that_are_none_are_passed_over_where_that_is_said() {
        let usable = |text: &str| {
            load(text, |config| {
                config.lines = PskLines::Usable;
                config.minimum = 1;
            })
        };
        let long = "ab".repeat(65);
        let text = format!("nothing\n\na:{KEY}\na:00\n:b::0a:0b\n:\n : 00\nc:\nd/e:00\nf:abc\ng:{long}\nh:00\n{}:00\n", "x".repeat(129));
        let file = usable(&text).unwrap();
        assert_eq!(hex::encode(key(&file, "a")), KEY);
        assert_eq!((key(&file, "b"), key(&file, "f"), key(&file, "h"), file.len()), (vec![0x0A], vec![0x0A, 0xBC], vec![0], 4));
        let error = usable("a:00\nb:secret\n").unwrap_err();
        assert!(error.contains("line 2: the key of `b` is not written in pairs") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn what_is_no_file_is_named() {
        let missing = PskFile::load(&PskFileConfig::new("/nowhere/psk.txt")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/psk.txt"), "{missing}");
        assert!(PskFile::load(&PskFileConfig::new("/")).is_err());
    }
}
