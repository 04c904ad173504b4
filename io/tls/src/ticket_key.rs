//! What session tickets are encrypted with: AES-256-GCM, under a random key of which this process is the only owner.
//!
//! The library's own tickets (RFC 5077 §4) are encrypted and authenticated in two passes, by ciphers that work on one block after the other: with a
//! chain of certificates in each, that was a fiftieth of a resumed connection. A nonce is random, and a key makes tickets for six hours: with 10,000
//! handshakes a second that is a twentieth of the 2^32 which NIST SP 800-38D §8.3 allows.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::crypto::GetRandomFailed;
use rustls::server::ProducesTickets;
use rustls::ticketer::TicketRotator;
use zeroize::Zeroizing;

use crate::TlsError;

/// How long a key makes tickets, seconds. For as long again it still reads them.
const ROLL: u32 = 6 * 60 * 60;

/// Octets that name a key at the start of a ticket.
const NAME: usize = 16;

/// Keys that roll.
pub(crate) fn rolling() -> Result<TicketRotator, TlsError> {
    TicketRotator::new(ROLL, || match TicketKey::new() {
        Some(key) => Ok(Box::new(key)),
        None => Err(GetRandomFailed),
    })
    .map_err(|error| TlsError::Library(error.to_string()))
}

/// One key. A ticket is its name, the ciphertext with its tag, and the nonce.
#[derive(Debug)]
struct TicketKey {
    name: [u8; NAME],
    key: RandomizedNonceKey,
}

impl TicketKey {
    fn new() -> Option<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *secret).ok()?;
        let mut name = [0; NAME];
        aws_lc_rs::rand::fill(&mut name).ok()?;
        Some(Self { name, key: RandomizedNonceKey::new(&AES_256_GCM, &*secret).ok()? })
    }
}

impl ProducesTickets for TicketKey {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        ROLL.saturating_mul(2)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let tag = AES_256_GCM.tag_len();
        let mut ticket = Vec::with_capacity(NAME.saturating_add(plain.len()).saturating_add(tag).saturating_add(NONCE_LEN));
        ticket.extend_from_slice(&self.name);
        ticket.extend_from_slice(plain);
        let (nonce, tag) = self.key.seal_in_place_separate_tag(Aad::from(&self.name), ticket.get_mut(NAME..)?).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        ticket.extend_from_slice(nonce.as_ref());
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        // Somebody else's: of another host, of an earlier process, or of a key that has rolled.
        let sealed = ticket.strip_prefix(&self.name)?;
        let (sealed, nonce) = sealed.split_last_chunk::<NONCE_LEN>()?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, Aad::from(&self.name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_with_its_key_and_no_other() {
        let (key, other) = (TicketKey::new().unwrap(), TicketKey::new().unwrap());
        for plain in [&b""[..], b"session", &[7; 4_000]] {
            let ticket = key.encrypt(plain).unwrap();
            assert_eq!(key.decrypt(&ticket).as_deref(), Some(plain));
            assert_eq!(other.decrypt(&ticket), None);
            // Nor with another key of the same name.
            assert_eq!(TicketKey { name: key.name, ..TicketKey::new().unwrap() }.decrypt(&ticket), None);
        }
    }

    #[test]
    fn a_changed_ticket_opens_with_nothing() {
        let key = TicketKey::new().unwrap();
        let ticket = key.encrypt(b"session").unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(key.decrypt(&changed), None, "octet {at}");
            assert_eq!(key.decrypt(&ticket[..at]), None, "cut to {at}");
        }
        assert_eq!(key.decrypt(&[&ticket[..], &[0]].concat()), None);
    }

    #[test]
    fn no_two_tickets_are_alike() {
        let key = TicketKey::new().unwrap();
        let (one, two) = (key.encrypt(b"session").unwrap(), key.encrypt(b"session").unwrap());
        assert_ne!(one[one.len() - NONCE_LEN..], two[two.len() - NONCE_LEN..], "a nonce is never used again");
        assert!(!one.windows(7).any(|window| window == b"session"));
    }

    #[test]
    fn keys_that_roll_make_tickets_for_a_while() {
        let keys = rolling().unwrap();
        assert_eq!(keys.lifetime(), 2 * ROLL);
        assert_eq!(keys.decrypt(&keys.encrypt(b"session").unwrap()).as_deref(), Some(&b"session"[..]));
        assert_eq!(rolling().unwrap().decrypt(&keys.encrypt(b"session").unwrap()), None);
    }
}
