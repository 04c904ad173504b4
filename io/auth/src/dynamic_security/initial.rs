//! The first file, when there is none.

use aws_lc_rs::rand;
use signet_dynsec::{Bounds, DEMO_CLIENT, State};

use super::ITERATIONS;
use crate::password::{HashError, NewHash};

/// Of which made-up passwords are: Mosquitto's.
const CHARACTERS: &[u8; 79] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-=_+[]{}@#~,./<>?";

/// Of a made-up password.
const LENGTH: usize = 20;

/// The first file.
pub struct InitialDocument {
    /// Its text.
    pub text: String,
    /// The passwords that were made up, for the operator: a line for each client, with its name.
    pub passwords: Option<String>,
}

/// Makes the first file: with the administrator `admin`, who has this password; or, without one, with a made-up one, and then with `democlient` as well, as
/// Mosquitto 2.1 does.
///
/// # Errors
/// There is no randomness.
pub fn initial_document(password: Option<&str>) -> Result<InitialDocument, HashError> {
    let hash = |password: &str| NewHash::MosquittoPbkdf2 { iterations: ITERATIONS }.make(password.as_bytes());
    let (document, passwords) = match password {
        Some(password) => (signet_dynsec::initial_document(&hash(password)?, None), None),
        None => {
            let (admin, demo) = (made_up()?, made_up()?);
            let document = signet_dynsec::initial_document(&hash(&admin)?, Some(&hash(&demo)?));
            (document, Some(format!("admin {admin}\n{DEMO_CLIENT} {demo}\n")))
        }
    };
    // Written in the form that Mosquitto 2.0 reads, too.
    let state = State::read(document.as_bytes(), &Bounds::default()).map_err(|error| HashError(error.to_string()))?;
    Ok(InitialDocument { text: state.write(), passwords })
}

fn made_up() -> Result<String, HashError> {
    let mut password = String::new();
    while password.len() < LENGTH {
        let mut octet = [0];
        rand::fill(&mut octet).map_err(|_| HashError::new("the system has no randomness for a password"))?;
        let [octet] = octet;
        // 237 is the last multiple of 79: each character is as likely as any other.
        if octet < 237 {
            password.extend(CHARACTERS.get(usize::from(octet % 79)).map(|character| char::from(*character)));
        }
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_passwords_are_told_and_work() {
        let InitialDocument { text, passwords } = initial_document(None).unwrap();
        let passwords = passwords.unwrap();
        let told: Vec<(&str, &str)> = passwords.lines().map(|line| line.split_once(' ').unwrap()).collect();
        assert_eq!(told.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["admin", "democlient"]);
        let state = State::read(text.as_bytes(), &Bounds::default()).unwrap();
        for (name, password) in told {
            assert_eq!(password.len(), LENGTH);
            let stored = state.client(name).unwrap().password().unwrap().to_string();
            assert!(crate::PasswordHash::Auto.verify(password.as_bytes(), stored.as_bytes(), None).unwrap());
        }
        assert!(text.contains("\"iterations\":\t1000"), "{text}");
    }

    #[test]
    fn a_given_password_is_not_told_again() {
        let InitialDocument { text, passwords } = initial_document(Some("given")).unwrap();
        assert!(passwords.is_none() && !text.contains("given") && !text.contains("democlient"));
    }
}
