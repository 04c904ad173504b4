//! Stored hashes that say themselves what they are.

use argon2::{Algorithm, Version};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::HashError;
use super::cost::{self, Argon2Cost, Mac, ScryptCost};
use super::text::{self, Parameters};

/// The longest stored hash that is looked at, in bytes.
const STORED_MAXIMUM: usize = 1024;
/// The longest hash in one, in bytes.
const HASH_MAXIMUM: usize = 512;
/// A shorter hash would be found by chance.
const HASH_MINIMUM: usize = 10;

/// What somebody may insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Bcrypt,
    Scrypt,
    Argon2,
}

/// Text of a bounded length.
///
/// # Errors
/// It is too long or no text.
pub(super) fn utf8(stored: &[u8]) -> Result<&str, HashError> {
    if stored.len() > STORED_MAXIMUM {
        return Err(HashError(format!("the stored hash has {} bytes, and may have {STORED_MAXIMUM}", stored.len())));
    }
    std::str::from_utf8(stored).map_err(|_| HashError::new("the stored hash is no text"))
}

/// Whether the password fits.
///
/// # Errors
/// It is not `wanted`, describes nothing, or costs too much.
pub(super) fn verify(password: &[u8], stored: &str, wanted: Option<Family>) -> Result<bool, HashError> {
    let described = Described::read(stored, wanted)?;
    let (made, hash) = match described {
        Described::Bcrypt(hash) => return bcrypt::verify(password, hash).map_err(|_| HashError::new("the stored bcrypt hash is damaged")),
        Described::Argon2 { cost, salt, hash } => (cost::argon2(&cost, hash.len(), password, &salt)?, hash),
        Described::Scrypt { cost, salt, hash } => (cost::scrypt(&cost, hash.len(), password, &salt)?, hash),
        Described::Pbkdf2 { mac, iterations, salt, hash } => (cost::pbkdf2(mac, iterations, hash.len(), password, &salt)?, hash),
        Described::Digest { digest, salt, hash } => (digest(password, &salt), hash),
    };
    Ok(made.ct_eq(&hash).into())
}

/// # Errors
/// As [`verify`].
pub(super) fn check(stored: &str, wanted: Option<Family>) -> Result<(), HashError> {
    Described::read(stored, wanted).map(|_| ())
}

/// Of the password followed by the salt.
type DigestOf = fn(&[u8], &[u8]) -> Vec<u8>;

/// What a stored hash says.
enum Described<'a> {
    Bcrypt(&'a str),
    Argon2 { cost: Argon2Cost, salt: Vec<u8>, hash: Vec<u8> },
    Scrypt { cost: ScryptCost, salt: Vec<u8>, hash: Vec<u8> },
    Pbkdf2 { mac: Mac, iterations: u32, salt: Vec<u8>, hash: Vec<u8> },
    Digest { digest: DigestOf, salt: Vec<u8>, hash: Vec<u8> },
}

impl<'a> Described<'a> {
    fn read(stored: &'a str, wanted: Option<Family>) -> Result<Self, HashError> {
        // `{CRYPT}$2y$…` and `{ARGON2}$argon2id$…` of directories.
        let inner = match stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((scheme, rest)) if ["CRYPT", "ARGON2", "BCRYPT"].iter().any(|name| scheme.eq_ignore_ascii_case(name)) => rest,
            Some((scheme, rest)) if wanted.is_none() => return directory(&scheme.to_ascii_uppercase(), rest),
            _ => stored,
        };
        let (family, name) = match inner {
            _ if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| inner.starts_with(prefix)) => (Some(Family::Bcrypt), "bcrypt"),
            _ if inner.starts_with("$argon2") => (Some(Family::Argon2), "argon2"),
            _ if inner.starts_with("$scrypt$") => (Some(Family::Scrypt), "scrypt"),
            _ => (None, "another hash"),
        };
        match (wanted, family) {
            (None | Some(Family::Bcrypt), Some(Family::Bcrypt)) => bcrypt(inner),
            (None | Some(Family::Argon2), Some(Family::Argon2)) => argon2(inner),
            (None | Some(Family::Scrypt), Some(Family::Scrypt)) => scrypt(inner),
            (None, None) => others(inner),
            (Some(wanted), _) => {
                let wanted = match wanted {
                    Family::Bcrypt => "bcrypt, `$2b$…`",
                    Family::Scrypt => "scrypt, `$scrypt$…`",
                    Family::Argon2 => "argon2, `$argon2id$…`",
                };
                Err(HashError(format!("the stored hash is {name}, and should be {wanted}")))
            }
        }
    }
}

fn bcrypt(stored: &str) -> Result<Described<'_>, HashError> {
    let damaged = || HashError::new("the stored bcrypt hash is damaged: 60 characters are expected, as in `$2b$10$…`");
    let [version, cost, rest] = *text::fields(stored) else { return Err(damaged()) };
    // What a faulty program of 2011 wrote. It takes some passwords for others.
    if version == "2x" {
        return Err(HashError::new("bcrypt of the version `$2x$` is not accepted"));
    }
    if rest.len() != 53 || cost.len() != 2 || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')) {
        return Err(damaged());
    }
    cost::check_bcrypt(cost.parse().map_err(|_| damaged())?)?;
    Ok(Described::Bcrypt(stored))
}

fn argon2(stored: &str) -> Result<Described<'_>, HashError> {
    let damaged = || HashError::new("the stored Argon2 hash is damaged: `$argon2id$v=19$m=…,t=…,p=…$salt$hash` is expected");
    let (algorithm, version, parameters, salt, hash) = match *text::fields(stored) {
        [algorithm, version, parameters, salt, hash] => (algorithm, Some(version), parameters, salt, hash),
        // Before there was a version.
        [algorithm, parameters, salt, hash] => (algorithm, None, parameters, salt, hash),
        _ => return Err(damaged()),
    };
    let algorithm = match algorithm {
        "argon2id" => Algorithm::Argon2id,
        "argon2i" => Algorithm::Argon2i,
        "argon2d" => Algorithm::Argon2d,
        _ => return Err(damaged()),
    };
    let version = match version {
        Some("v=19") => Version::V0x13,
        Some("v=16") | None => Version::V0x10,
        Some(_) => return Err(damaged()),
    };
    let parameters = Parameters::of(parameters);
    let (memory, passes, lanes) = (parameters.required("m")?, parameters.required("t")?, parameters.required("p")?);
    let cost = Argon2Cost { algorithm, version, memory, passes, lanes };
    cost.check()?;
    Ok(Described::Argon2 { cost, salt: text::base64(salt, "salt")?, hash: hash_of(hash)? })
}

fn scrypt(stored: &str) -> Result<Described<'_>, HashError> {
    let damaged = || HashError::new("the stored scrypt hash is damaged: `$scrypt$ln=…,r=…,p=…$salt$hash` is expected");
    let [_, parameters, salt, hash] = *text::fields(stored) else { return Err(damaged()) };
    let parameters = Parameters::of(parameters);
    let log_n = u8::try_from(parameters.required("ln")?).map_err(|_| damaged())?;
    let cost = ScryptCost { log_n, r: parameters.required("r")?, p: parameters.required("p")? };
    cost.check()?;
    Ok(Described::Scrypt { cost, salt: text::base64(salt, "salt")?, hash: hash_of(hash)? })
}

/// PBKDF2 in the forms of PHC, passlib, Django and Mosquitto, and Mosquitto's SHA-512.
fn others(stored: &str) -> Result<Described<'_>, HashError> {
    let fields = text::fields(stored);
    let name = fields.first().copied().unwrap_or_default();
    match (stored.starts_with('$'), &*fields) {
        (true, [_, iterations, salt, hash]) if name == "pbkdf2" || name.starts_with("pbkdf2-") => {
            // passlib calls PBKDF2 with SHA-1 just so.
            let mac = mac_named(name.strip_prefix("pbkdf2-").unwrap_or("sha1"))?;
            pbkdf2(mac, iterations, text::base64(salt, "salt")?, hash)
        }
        (false, [_, iterations, salt, hash]) if name.starts_with("pbkdf2_") => {
            let mac = mac_named(name.strip_prefix("pbkdf2_").unwrap_or_default())?;
            pbkdf2(mac, iterations, salt.as_bytes().to_vec(), hash)
        }
        (true, ["7", iterations, salt, hash]) => pbkdf2(Mac::Sha512, iterations, text::base64(salt, "salt")?, hash),
        (true, ["6", salt, hash]) if !salt.starts_with("rounds=") => {
            let hash = text::base64(hash, "hash").ok().filter(|hash| hash.len() == 64);
            let hash = hash.ok_or_else(|| HashError::new("the stored hash is `$6$…` of crypt(3), and only that of Mosquitto is known"))?;
            Ok(Described::Digest { digest: salted::<Sha512>, salt: text::base64(salt, "salt")?, hash })
        }
        (true, ["apr1" | "1" | "5" | "6" | "y", ..]) => {
            Err(HashError(format!("the stored hash is `${name}$…` of crypt(3) or of Apache, which is not known here")))
        }
        _ => Err(HashError::new("the stored hash does not say what it is: `$…$` or `{…}` is expected at its beginning")),
    }
}

fn mac_named(name: &str) -> Result<Mac, HashError> {
    Mac::named(name).ok_or_else(|| HashError::new("the stored hash is PBKDF2 with a hash function that is not known here"))
}

fn pbkdf2(mac: Mac, iterations: &str, salt: Vec<u8>, hash: &str) -> Result<Described<'static>, HashError> {
    let no_number = |_| HashError::new("the iterations of the stored PBKDF2 hash are no number");
    let iterations = match Parameters::of(iterations).number("i")? {
        Some(iterations) => iterations,
        None => iterations.parse().map_err(no_number)?,
    };
    let hash = hash_of(hash)?;
    cost::check_pbkdf2(iterations, hash.len())?;
    Ok(Described::Pbkdf2 { mac, iterations, salt, hash })
}

/// What directories hold in `userPassword` (RFC 2307 and OpenLDAP). `scheme` in upper case.
fn directory(scheme: &str, rest: &str) -> Result<Described<'static>, HashError> {
    if let Some(mac) =
        scheme.strip_prefix("PBKDF2-").or_else(|| scheme.strip_prefix("PBKDF2").filter(|rest| rest.is_empty()).map(|_| "SHA1"))
    {
        let [iterations, salt, hash] = *text::fields(rest) else {
            return Err(HashError::new("the stored hash is damaged: `{PBKDF2-SHA256}iterations$salt$hash` is expected"));
        };
        return pbkdf2(mac_named(&mac.to_ascii_lowercase())?, iterations, text::base64(salt, "salt")?, hash);
    }
    let (length, is_salted, digest): (usize, bool, DigestOf) = match scheme {
        "MD5" => (16, false, salted::<Md5>),
        "SMD5" => (16, true, salted::<Md5>),
        "SHA" => (20, false, salted::<Sha1>),
        "SSHA" => (20, true, salted::<Sha1>),
        "SHA256" => (32, false, salted::<Sha256>),
        "SSHA256" => (32, true, salted::<Sha256>),
        "SHA384" => (48, false, salted::<Sha384>),
        "SSHA384" => (48, true, salted::<Sha384>),
        "SHA512" => (64, false, salted::<Sha512>),
        "SSHA512" => (64, true, salted::<Sha512>),
        _ => return Err(HashError::new("the stored hash has a scheme in braces that is not known here")),
    };
    let mut hash = text::base64(rest, "hash")?;
    if hash.len() < length || (!is_salted && hash.len() > length) {
        return Err(HashError(format!("the stored {{{scheme}}} hash has {} bytes, and should have {length}", hash.len())));
    }
    let salt = hash.split_off(length);
    Ok(Described::Digest { digest, salt, hash })
}

fn hash_of(text: &str) -> Result<Vec<u8>, HashError> {
    let hash = text::base64(text, "hash")?;
    if (HASH_MINIMUM..=HASH_MAXIMUM).contains(&hash.len()) {
        return Ok(hash);
    }
    Err(HashError(format!("the stored hash has {} bytes, and should have {HASH_MINIMUM} to {HASH_MAXIMUM}", hash.len())))
}

fn salted<D: Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
    D::new().chain_update(password).chain_update(salt).finalize().to_vec()
}
