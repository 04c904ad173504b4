//! The certificates of a comparison: one authority, one server, and many devices, whose turn comes one after the other.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use signet_tls::CredentialFiles;

use super::load::Key;
use crate::pki::Authority;

/// Files in a folder.
pub(super) struct Certificates {
    pub(super) authority: PathBuf,
    pub(super) server: CredentialFiles,
    ecdsa: PathBuf,
    rsa: PathBuf,
}

impl Certificates {
    /// Makes them, so many devices of each kind of key.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub(super) fn create(folder: &Path, ecdsa: u64, rsa: u64) -> Self {
        let authority = Authority::root("Comparison");
        let made = Self {
            authority: authority.write(folder.join("ca.pem")),
            server: authority.write_server(folder),
            ecdsa: folder.join("ecdsa"),
            rsa: folder.join("rsa"),
        };
        for folder in [&made.ecdsa, &made.rsa] {
            std::fs::create_dir_all(folder).expect("a folder for certificates");
        }
        for number in 0..ecdsa {
            authority.write_device(&made.ecdsa, &format!("device-{number:04}"), 1_000 + number, &KeyPair::generate().unwrap());
        }
        for number in 0..rsa {
            let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
            authority.write_device(&made.rsa, &format!("device-{number:04}"), 100_000 + number, &key);
        }
        made
    }

    /// The folder with the devices whose keys are of this kind: `NAME.pem` and `NAME.key`.
    pub(super) fn devices(&self, key: Key) -> &Path {
        match key {
            Key::Ecdsa => &self.ecdsa,
            Key::Rsa => &self.rsa,
        }
    }
}
