//! What was asked for, in the order in which mosquitto_passwd looks at it.

use signet_auth::NewHash;

use super::Failure;

/// The longest user name and password, in octets: what MQTT can carry.
const LENGTH_MAXIMUM: usize = 65_535;

/// Rounds of PBKDF2 where nobody says another number.
const ITERATIONS: u32 = 1000;

/// What to do, and how to hash.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) hash: NewHash,
}

/// What to do. Without a password it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A line on the standard output.
    Print { user: Vec<u8>, password: Option<Vec<u8>> },
    /// A new file with one user.
    Create { path: Vec<u8>, user: Vec<u8>, password: Option<Vec<u8>> },
    /// A user of a file, who may be there.
    Set { path: Vec<u8>, user: Vec<u8>, password: Option<Vec<u8>> },
    /// A user less.
    Delete { path: Vec<u8>, user: Vec<u8> },
    /// Hashes instead of passwords.
    Upgrade { path: Vec<u8> },
}

#[derive(Debug, Default)]
struct Flags {
    is_batch: bool,
    is_new: bool,
    is_removal: bool,
    is_upgrade: bool,
    method: Method,
    iterations: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Method {
    #[default]
    Pbkdf2,
    Sha512,
    Argon2id,
}

const METHODS: [(&[u8], Method); 3] = [(b"argon2id", Method::Argon2id), (b"sha512-pbkdf2", Method::Pbkdf2), (b"sha512", Method::Sha512)];

/// `None`: the usage is to be shown.
pub(super) fn parse(arguments: &[Vec<u8>]) -> Result<Option<Request>, Failure> {
    let (flags, words) = flags(arguments)?;
    let is_pair = [
        (flags.is_new && flags.is_removal, "-c and -D"),
        (flags.is_new && flags.is_upgrade, "-c and -U"),
        (flags.is_removal && flags.is_upgrade, "-D and -U"),
        (flags.is_removal && flags.is_batch, "-b and -D"),
    ];
    if let Some((_, pair)) = is_pair.iter().find(|(is_there, _)| *is_there) {
        return Err(Failure::new(format!("Error: {pair} cannot be used together.")));
    }
    let Some(task) = task(&flags, words)? else { return Ok(None) };
    check(&task)?;
    let hash = match flags.method {
        Method::Pbkdf2 => NewHash::MosquittoPbkdf2 { iterations: flags.iterations.unwrap_or(ITERATIONS) },
        Method::Sha512 => NewHash::MosquittoSha512,
        Method::Argon2id => NewHash::Argon2id,
    };
    Ok(Some(Request { task, hash }))
}

/// The flags, and what stands behind them.
fn flags(arguments: &[Vec<u8>]) -> Result<(Flags, &[Vec<u8>]), Failure> {
    let mut flags = Flags::default();
    let mut rest = arguments;
    while let [first, behind @ ..] = rest {
        let value = |flag: &str| {
            behind.first().ok_or_else(|| Failure::new(format!("Error: {flag} argument given but not enough other arguments.")))
        };
        rest = match first.as_slice() {
            b"-H" => {
                let name = value("-H")?;
                let known = METHODS.iter().find(|(known, _)| known == name);
                flags.method = known.ok_or_else(|| Failure::of(&[b"Error: Unknown hash type '", name, b"'"]))?.1;
                behind.get(1..).unwrap_or_default()
            }
            b"-I" => {
                let number = number(value("-I")?);
                if number < 1 {
                    return Err(Failure::new("Error: Number of iterations must be > 0."));
                }
                flags.iterations = Some(number.unsigned_abs());
                behind.get(1..).unwrap_or_default()
            }
            b"-b" => set(&mut flags.is_batch, behind),
            b"-c" => set(&mut flags.is_new, behind),
            b"-D" => set(&mut flags.is_removal, behind),
            b"-U" => set(&mut flags.is_upgrade, behind),
            _ => break,
        };
    }
    Ok((flags, rest))
}

fn set<'a>(flag: &mut bool, behind: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
    *flag = true;
    behind
}

/// The number that a text begins with, as C's `atoi` reads it; 0 where it begins with none.
fn number(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|octet| octet.is_ascii_digit());
    let size = digits.fold(0_i32, |size, digit| size.saturating_mul(10).saturating_add(i32::from(digit - b'0')));
    if is_negative { size.saturating_neg() } else { size }
}

fn task(flags: &Flags, words: &[Vec<u8>]) -> Result<Option<Task>, Failure> {
    let missing = |flag: &str, what: &str| Failure::new(format!("Error: {flag} argument given but {what} missing."));
    if flags.is_new {
        let (path, user, password) = match (flags.is_batch, words) {
            (true, [path, user, password, ..]) => (path, user, Some(password.clone())),
            (true, _) => return Err(missing("-c", "password file, username, or password")),
            (false, [path, user, ..]) => (path, user, None),
            (false, _) => return Err(missing("-c", "password file or username")),
        };
        let user = user.clone();
        return Ok(Some(if path == b"-" { Task::Print { user, password } } else { Task::Create { path: path.clone(), user, password } }));
    }
    if flags.is_removal {
        let [path, user, ..] = words else { return Err(missing("-D", "password file or username")) };
        return Ok(Some(Task::Delete { path: path.clone(), user: user.clone() }));
    }
    if flags.is_upgrade {
        let [path] = words else { return Err(missing("-U", "password file")) };
        return Ok(Some(Task::Upgrade { path: path.clone() }));
    }
    Ok(match (flags.is_batch, words) {
        (true, [path, user, password]) => Some(Task::Set { path: path.clone(), user: user.clone(), password: Some(password.clone()) }),
        (false, [path, user]) => Some(Task::Set { path: path.clone(), user: user.clone(), password: None }),
        _ => None,
    })
}

/// Whether a file can hold the name, and MQTT the password.
fn check(task: &Task) -> Result<(), Failure> {
    let (user, password) = match task {
        Task::Print { user, password } | Task::Create { user, password, .. } | Task::Set { user, password, .. } => {
            (user, password.as_ref())
        }
        Task::Delete { user, .. } => (user, None),
        Task::Upgrade { .. } => return Ok(()),
    };
    if user.len() > LENGTH_MAXIMUM {
        return Err(Failure::new("Error: Username must be less than 65536 characters long."));
    }
    if user.iter().any(u8::is_ascii_control) {
        return Err(Failure::new("Error: Username must not contain control characters."));
    }
    if user.contains(&b':') {
        return Err(Failure::new("Error: Username must not contain the ':' character."));
    }
    if password.is_some_and(|password| password.len() > LENGTH_MAXIMUM) {
        return Err(Failure::new("Error: Password must be less than 65536 characters long."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, expected) in
            [("12", 12), ("12abc", 12), (" +7", 7), ("-3", -3), ("abc", 0), ("", 0), ("99999999999", i32::MAX), ("-99999999999", -i32::MAX)]
        {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn how_to_hash_is_what_the_flags_say() {
        let hash = |flags: &str| {
            let arguments: Vec<Vec<u8>> = flags.split(' ').chain(["-b", "f", "u", "p"]).map(|word| word.as_bytes().to_vec()).collect();
            parse(&arguments).unwrap().unwrap().hash
        };
        assert_eq!(hash("-b"), NewHash::MosquittoPbkdf2 { iterations: 1000 });
        assert_eq!(hash("-I 5"), NewHash::MosquittoPbkdf2 { iterations: 5 });
        assert_eq!(hash("-H sha512 -I 5"), NewHash::MosquittoSha512);
        assert_eq!(hash("-H sha512 -H argon2id"), NewHash::Argon2id);
        assert_eq!(hash("-H argon2id -H sha512-pbkdf2"), NewHash::MosquittoPbkdf2 { iterations: 1000 });
    }
}
