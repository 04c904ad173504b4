//! Keys that are looked up for devices that have no certificate: what stands between a listener and whoever has them.

use std::sync::Arc;

use signet_auth::{Failure, KeySource, SharedKey};
use signet_server::{DeviceName, Psk, PskAnswer, PskDone, PskEncoding, PskError, PskLookup};

use crate::authentication::Vouchers;
use crate::config::WantedKeys;

/// Asks whoever a listener names, as it is configured when somebody has to be asked.
pub(crate) struct SharedKeys {
    vouchers: Vouchers,
    wanted: WantedKeys,
}

impl SharedKeys {
    /// Asks through `vouchers`.
    pub(crate) fn new(vouchers: Vouchers, wanted: WantedKeys) -> Arc<Self> {
        Arc::new(Self { vouchers, wanted })
    }
}

impl PskLookup for SharedKeys {
    fn find(&self, identity: &DeviceName, done: PskDone) {
        let Some(source) = self.vouchers.key_source(&self.wanted.name) else {
            return done.answer(PskAnswer::Failed(format!("there is no [[psk_lookup]] `{}` any more", self.wanted.name)));
        };
        let (identity, wanted) = (identity.clone(), self.wanted.clone());
        // Dropped with the runtime it answers too: that nobody did.
        self.vouchers.spawn(async move { done.answer(ask(&*source, &wanted, &identity).await) });
    }
}

async fn ask(source: &dyn KeySource, wanted: &WantedKeys, identity: &DeviceName) -> PskAnswer {
    let failed = |why: &str| PskAnswer::Failed(format!("`{}`: {why}", wanted.name));
    match source.key(identity).await {
        Ok(SharedKey::None) => PskAnswer::Unknown,
        Ok(SharedKey::Unusable(why)) => failed(&why),
        Ok(SharedKey::Written(written)) => match read(&written, wanted) {
            Ok(key) => PskAnswer::Key(key),
            Err(why) => failed(&why),
        },
        Err(Failure(why)) => failed(&why),
    }
}

/// Reads a key as a file of keys has it; what is wrong is said without the key.
fn read(written: &[u8], wanted: &WantedKeys) -> Result<Psk, String> {
    let key = match wanted.encoding {
        PskEncoding::Hexadecimal => Psk::from_hex(written.trim_ascii()),
        PskEncoding::Text => Psk::new(written),
    };
    let key = key.map_err(|error| match error {
        PskError::NotHexadecimal => {
            format!("{error}; write it as `openssl rand -hex 32` does, or set psk_encoding = \"text\" if its characters are the key")
        }
        PskError::Length(_) => error.to_string(),
    })?;
    match key.octets().len() {
        length if length < wanted.minimum => Err(format!("the key has {length} octets, at least {} are needed", wanted.minimum)),
        _ => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use signet_auth::BoxFuture;

    use super::*;

    /// Has one answer for all.
    #[derive(Debug)]
    struct Has(Result<SharedKey, Failure>);

    impl KeySource for Has {
        fn key<'a>(&'a self, _: &'a DeviceName) -> BoxFuture<'a, Result<SharedKey, Failure>> {
            Box::pin(async { self.0.clone() })
        }
    }

    fn answer(has: Result<SharedKey, Failure>, encoding: PskEncoding, minimum: usize) -> Result<Option<Vec<u8>>, String> {
        let wanted = WantedKeys { name: "keys".into(), encoding, minimum };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(ask(&Has(has), &wanted, &DeviceName::new("pump-7").unwrap())) {
            PskAnswer::Key(key) => Ok(Some(key.octets().to_vec())),
            PskAnswer::Unknown => Ok(None),
            PskAnswer::Failed(why) => Err(why),
        }
    }

    fn written(text: &str, encoding: PskEncoding) -> Result<Option<Vec<u8>>, String> {
        answer(Ok(SharedKey::of(text.as_bytes().to_vec().into())), encoding, 16)
    }

    #[test]
    fn keys_are_read_as_the_listener_says() {
        let hexadecimal = "00112233445566778899AABBccddeeff";
        let octets = Some(vec![0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]);
        assert_eq!(written(hexadecimal, PskEncoding::Hexadecimal), Ok(octets.clone()));
        assert_eq!(written(&format!("{hexadecimal}\n"), PskEncoding::Hexadecimal), Ok(octets));
        assert_eq!(written(hexadecimal, PskEncoding::Text), Ok(Some(hexadecimal.as_bytes().to_vec())));
    }

    #[test]
    fn what_is_no_key_is_a_failure_that_does_not_show_it() {
        for (text, expected) in [
            ("secret-secret-secret", "`keys`: the key is not written in pairs of hexadecimal digits; write it as"),
            ("aabb", "`keys`: the key has 2 octets, at least 16 are needed"),
            ("", "`keys`: the key is empty"),
        ] {
            let why = written(text, PskEncoding::Hexadecimal).unwrap_err();
            assert!(why.starts_with(expected) && !why.contains("secret"), "{why}");
        }
        assert!(written(&"k".repeat(65), PskEncoding::Text).unwrap_err().contains("65 octets"));
        assert!(written(&"k".repeat(1025), PskEncoding::Text).unwrap_err().contains("1025 octets, which is no key"));
        assert!(answer(Ok(SharedKey::of(b"aabb".to_vec().into())), PskEncoding::Hexadecimal, 2).is_ok());
    }

    #[test]
    fn who_has_none_and_who_cannot_say_are_told_apart() {
        assert_eq!(answer(Ok(SharedKey::None), PskEncoding::Text, 16), Ok(None));
        assert_eq!(answer(Err(Failure::new("gone")), PskEncoding::Text, 16), Err("`keys`: gone".to_owned()));
    }
}
