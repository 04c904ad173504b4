//! The kind of hash as operators name it.

use std::str::FromStr;

use super::cost::{self, Mac};
use super::{HashError, PasswordHash, SaltPosition};

/// What a configuration says besides the name, each under the key of EMQX 5.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HashOptions<'a> {
    /// `salt_position`: `prefix`, `suffix`, or `disable` or `none`. Without it a salt that is stored stands before the password.
    pub salt_position: Option<&'a str>,
    /// `mac_fun`: `sha1`, `sha224`, `sha256`, `sha384`, `sha512`.
    pub mac: Option<&'a str>,
    /// `iterations` of PBKDF2.
    pub iterations: Option<u32>,
    /// `dk_length`: bytes that PBKDF2 makes. Without it, as many as the digest has.
    pub length: Option<usize>,
}

const NAMES: &str = "`auto`, `plain`, `md5`, `sha1`, `sha256`, `sha512`, `bcrypt`, `scrypt`, `argon2`, `pbkdf2`";

impl PasswordHash {
    /// By the name and the options of EMQX 5, or by a text of EMQX 4, which says both: `plain`, `salt,sha256`, `sha256,salt`, `salt,bcrypt`,
    /// `pbkdf2,sha256,1000,20`.
    ///
    /// # Errors
    /// Nothing is called so, an option is missing, does not belong to it, or is out of its bounds.
    pub fn configured(name: &str, options: HashOptions<'_>) -> Result<Self, HashError> {
        let parts: Vec<&str> = name.split(',').map(str::trim).collect();
        match *parts {
            [name] => named(name, options),
            _ if options != HashOptions::default() => {
                Err(HashError(format!("`{name}` says everything already: no other option of the hash can stand beside it")))
            }
            ["salt", "bcrypt"] | ["bcrypt", "salt"] => Ok(Self::Bcrypt),
            ["salt", name] => named(name, HashOptions { salt_position: Some("prefix"), ..options }),
            [name, "salt"] => named(name, HashOptions { salt_position: Some("suffix"), ..options }),
            ["pbkdf2", mac, iterations, length] => {
                let number = |text: &str, what| text.parse().map_err(|_| HashError(format!("the {what} in `{name}` are no number")));
                let (iterations, length) = (number(iterations, "iterations")?, number(length, "bytes")?);
                named(
                    "pbkdf2",
                    HashOptions { mac: Some(mac), iterations: Some(iterations), length: usize::try_from(length).ok(), ..options },
                )
            }
            _ => Err(HashError(format!(
                "there is no password hash `{name}`: expected {NAMES}, `salt,sha256`, `sha256,salt` or `pbkdf2,sha256,1000,32`"
            ))),
        }
    }
}

impl FromStr for PasswordHash {
    type Err = HashError;

    /// As [`PasswordHash::configured`] without options.
    fn from_str(name: &str) -> Result<Self, HashError> {
        Self::configured(name, HashOptions::default())
    }
}

fn named(name: &str, options: HashOptions<'_>) -> Result<PasswordHash, HashError> {
    let made = match name {
        "md5" => PasswordHash::Md5(position(options)?),
        "sha" | "sha1" => PasswordHash::Sha1(position(options)?),
        "sha256" => PasswordHash::Sha256(position(options)?),
        "sha512" => PasswordHash::Sha512(position(options)?),
        "pbkdf2" => pbkdf2(options)?,
        "auto" => PasswordHash::Auto,
        "plain" => PasswordHash::Plain,
        "bcrypt" => PasswordHash::Bcrypt,
        "scrypt" => PasswordHash::Scrypt,
        "argon2" | "argon2id" => PasswordHash::Argon2,
        _ => return Err(HashError(format!("there is no password hash `{name}`: expected one of {NAMES}"))),
    };
    let is_digest = matches!(made, PasswordHash::Md5(_) | PasswordHash::Sha1(_) | PasswordHash::Sha256(_) | PasswordHash::Sha512(_));
    // EMQX writes `salt_position = disable` beside `plain`.
    if !is_digest && options.salt_position.is_some_and(|position| !matches!(position, "disable" | "none")) {
        return Err(HashError(format!("`salt_position` does not belong to `{name}`")));
    }
    let has_cost = options.mac.is_some() || options.iterations.is_some() || options.length.is_some();
    if has_cost && name != "pbkdf2" {
        return Err(HashError(format!("`mac_fun`, `iterations` and `dk_length` belong to `pbkdf2`, and not to `{name}`")));
    }
    Ok(made)
}

fn position(options: HashOptions<'_>) -> Result<SaltPosition, HashError> {
    match options.salt_position {
        None | Some("prefix") => Ok(SaltPosition::Prefix),
        Some("suffix") => Ok(SaltPosition::Suffix),
        Some("disable" | "none") => Ok(SaltPosition::None),
        Some(other) => Err(HashError(format!("there is no salt position `{other}`: expected `prefix`, `suffix` or `none`"))),
    }
}

fn pbkdf2(options: HashOptions<'_>) -> Result<PasswordHash, HashError> {
    let (Some(mac), Some(iterations)) = (options.mac, options.iterations) else {
        return Err(HashError::new("`pbkdf2` needs `mac_fun` and `iterations`; hashes that say both themselves are `auto`"));
    };
    let mac = Mac::named(mac).ok_or_else(|| {
        HashError(format!("there is no hash function `{mac}` for PBKDF2: expected `sha1`, `sha224`, `sha256`, `sha384` or `sha512`"))
    })?;
    let length = options.length.unwrap_or_else(|| mac.length());
    cost::check_pbkdf2(iterations, length)?;
    Ok(PasswordHash::Pbkdf2 { mac, iterations, length })
}
