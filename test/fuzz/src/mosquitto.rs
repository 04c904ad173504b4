//! A `mosquitto.conf`, read and written as a `signet.toml`.

use std::path::Path;

use signet_mosquitto::Files;

/// One file, in whatever directory: it includes itself.
struct Itself<'a>(&'a [u8]);

impl Files for Itself<'_> {
    fn read(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Ok(self.0.to_vec())
    }

    fn list(&self, _directory: &Path) -> Result<Vec<String>, String> {
        Ok(vec!["00112233.0".to_owned(), "a.conf".to_owned()])
    }
}

/// A configuration.
///
/// # Panics
/// When what comes out is no TOML, when a place is not in the text, or when nothing is said about why there is none.
pub fn mosquitto(data: &[u8]) {
    match signet_mosquitto::translate(Path::new("mosquitto.conf"), Path::new("/"), &Itself(data)) {
        Ok(translation) => {
            assert!(translation.toml.parse::<toml::Table>().is_ok(), "{}", translation.toml);
            assert!(translation.origins.iter().all(|(range, place)| translation.toml.get(range.clone()).is_some() && place.line > 0));
        }
        Err(mistakes) => assert!(mistakes.iter().all(|mistake| !mistake.message.is_empty()) && !mistakes.is_empty()),
    }
}

/// Configurations with much in them.
#[must_use]
pub fn configurations() -> Vec<Vec<u8>> {
    let tls = "certfile a\nkeyfile b\ncafile c\ncapath d\ncrlfile e\nrequire_certificate true\nuse_identity_as_username 1\nciphers HIGH:!aNULL:+AES\n";
    [
        format!("allow_anonymous true\npassword_file p\nacl_file a\nlistener 1883 localhost\nmax_qos 1\nlistener 8883\n{tls}"),
        "per_listener_settings true\nlistener 0 /s\npsk_file k\npsk_hint h\nlistener 1\nplugin mosquitto_acl_file.so\nplugin_opt_acl_file x\n".to_owned(),
        "connection a\naddresses h:1 ::1:2 # x\ntopic \"a b/#\" both 2 l/ r/\nrestart_timeout 5 30 9\nbridge_cafile c\nbridge_insecure true\n".to_owned(),
        "include_dir d\nlog_dest file /l\nlog_type all\npersistence 1\npersistent_client_expiration 2m\nmax_packet_size 0x800\n".to_owned(),
        "listener 9001\nprotocol websockets\nwebsockets_origin o\naccept_protocol_versions 3,5\nenable_proxy_protocol 2\nmount_point m/\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
