//! Where a broker keeps what has to outlive it, such as revocations, when its configuration does not say: that of Mosquitto has no such place unless
//! messages persist.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::config::MosquittoOrigin;
use crate::hint::Failure;
use crate::privileges;

/// The directory of one configuration, or of one set of ports: `signet/NAME` where programs of this user keep their state (XDG Base Directory).
///
/// systemd's `STATE_DIRECTORY` goes first, then `XDG_STATE_HOME`, then `.local/state` of the home directory. Where root is about to become `user`, its home
/// will not do, and `/var/lib/signet` takes its place.
pub(crate) fn of(origin: &MosquittoOrigin, user: Option<&str>) -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("STATE_DIRECTORY")
        .or_else(|| set("XDG_STATE_HOME").map(|home| home.join("signet")))
        .or_else(|| privileges::would_give_up(user).then(|| PathBuf::from("/var/lib/signet")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/signet")));
    let Some(base) = base else {
        let failure = Failure::new("there is no place for the inventory of certificates: neither `persistence_location` nor HOME is set");
        return Err(failure.hint("set STATE_DIRECTORY to a directory that the broker may write to"));
    };
    Ok(base.join(name(origin)))
}

/// The same for the same configuration, and another for any other: two brokers may run beside each other.
fn name(origin: &MosquittoOrigin) -> String {
    let Some(file) = &origin.file else {
        let ports: Vec<String> = origin.ports.iter().map(u16::to_string).collect();
        return if ports.is_empty() { "mosquitto".to_owned() } else { format!("mosquitto-{}", ports.join("-")) };
    };
    let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let digest: String = hex::encode(digest).chars().take(12).collect();
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    format!("{stem}-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_configuration_has_a_place_of_its_own() {
        let file = |path: &str| MosquittoOrigin { file: Some(path.into()), ..MosquittoOrigin::default() };
        let ports = |ports: &[u16]| MosquittoOrigin { file: None, ports: ports.to_vec(), place: None };
        let names = [file("/etc/a/mosquitto.conf"), file("/etc/b/mosquitto.conf"), ports(&[]), ports(&[1884]), ports(&[1884, 1885])]
            .map(|o| name(&o));
        for (index, one) in names.iter().enumerate() {
            assert!(names.iter().skip(index + 1).all(|other| other != one), "{names:?}");
        }
        assert_eq!(name(&file("/etc/a/mosquitto.conf")), names[0]);
        assert_eq!(names[2], "mosquitto");
    }
}
