//! What the tests share: an authority in a directory, and the system's openssl as an independent judge.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use signet_ca::{Authority, IssuanceRequest, KeyType};
use signet_identity::{DeviceName, Leaf};
use signet_ledger::{AuthorityFiles, CeremonyPlan, Overwrite, PrivateKey, read_certificates, read_key};

/// The real time, since openssl looks at its own clock.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub(crate) fn create_authority(directory: &Path, key_type: KeyType) -> (AuthorityFiles, Authority) {
    let files = AuthorityFiles::new(directory.join("ca"));
    let plan = CeremonyPlan { key_type, ..CeremonyPlan::named("Test") };
    let authority = files.create(&plan, Overwrite::Never, now()).unwrap();
    (files, authority)
}

pub(crate) fn device_request(name: &str) -> IssuanceRequest {
    let key = PrivateKey::generate(KeyType::P256).unwrap().subject_key().unwrap();
    IssuanceRequest::device(DeviceName::new(name).unwrap(), key, "test")
}

/// The first certificate of a file, which must be that of the key.
pub(crate) fn leaf_of_key(certificate: &Path, key: &Path) -> Leaf {
    let leaf = Leaf::parse(&read_certificates(certificate).unwrap()[0]).unwrap();
    assert_eq!(read_key(key).unwrap().subject_key().unwrap().digest(), *leaf.spki_digest().as_bytes());
    leaf
}

pub(crate) fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().expect("openssl is installed")
}

/// Runs openssl, fails the test when openssl fails, returns what it printed.
pub(crate) fn openssl_ok(arguments: &[&str]) -> String {
    let output = openssl(arguments);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    text
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn put(path: PathBuf, content: impl AsRef<[u8]>) -> PathBuf {
    std::fs::write(&path, content).unwrap();
    path
}
