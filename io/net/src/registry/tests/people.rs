//! Devices with certificates of their own, made by changing serial number and key of one certificate: nobody verifies them here.

use std::sync::{Arc, LazyLock};

use signet_identity::{
    CertificateId, DeviceIdentity, DeviceName, KeyDigest, Leaf, NameDigest, PathCertificate, Peer, SerialNumber, VerifiedPeer,
};

/// The template's serial number, found again in its DER.
const SERIAL: [u8; 8] = [0x51, 0x6e, 0x17, 0x7e, 0x57, 0x00, 0x00, 0x01];

static TEMPLATE: LazyLock<(Vec<u8>, usize, usize)> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["device.test".to_owned()]).unwrap();
    parameters.serial_number = Some(SERIAL.to_vec().into());
    let der = parameters.self_signed(&key).unwrap().der().to_vec();
    let find = |part: &[u8]| der.windows(part.len()).position(|window| window == part).unwrap();
    let (serial, point) = (find(&SERIAL), find(key.public_key_raw()));
    (der, serial + 4, point + 8)
});

/// Everything that a path says, by small numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// Certificate and key.
    pub(super) certificate: u32,
    /// The key alone, when another certificate has it too.
    pub(super) key: u32,
    /// The device's name.
    pub(super) device: u32,
    /// Issuing authority, and its own certificate in the path.
    pub(super) issuer: u8,
    pub(super) profile: u8,
}

impl Person {
    /// Device, certificate and key of one number.
    pub(super) fn own(number: u32) -> Self {
        Self { certificate: number, key: number, device: number, issuer: 0, profile: 0 }
    }

    pub(super) fn peer(self) -> Peer {
        let (der, serial, point) = &*TEMPLATE;
        let mut der = der.clone();
        der[*serial..serial + 4].copy_from_slice(&self.certificate.to_be_bytes());
        der[*point..point + 4].copy_from_slice(&self.key.to_be_bytes());
        let name = DeviceName::new(&device(self.device)).unwrap();
        let root = KeyDigest::of(b"root");
        let intermediate = PathCertificate { id: intermediate(self.issuer), issuer_key: root };
        let identity = DeviceIdentity::new(name, Leaf::parse(&der).unwrap(), KeyDigest::of(&[self.issuer]), [intermediate]);
        let tenant = (self.device % 2 == 1).then(|| Arc::from("odd"));
        Peer::Device(VerifiedPeer::assertion(Arc::new(identity.under(profile(self.profile).into(), tenant)), false))
    }
}

pub(super) fn device(number: u32) -> String {
    format!("pump-{number}")
}

/// As [`super::Selector::Device`] wants it.
pub(super) fn qualified(number: u32) -> String {
    if number % 2 == 1 { format!("odd/{}", device(number)) } else { device(number) }
}

pub(super) fn profile(number: u8) -> String {
    format!("plant-{number}")
}

pub(super) fn intermediate(number: u8) -> CertificateId {
    CertificateId::new(NameDigest::of(b"root"), SerialNumber::from_der_integer(&[number + 1]).unwrap())
}
