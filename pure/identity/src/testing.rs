//! Certificates by hand, for names that no tool writes.

/// Header and content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => der.push(short),
        _ => der.extend([0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()]),
    }
    // A length of 0x80 to 0xff in two octets is not DER.
    if let (0x80..0x100, Some(short)) = (length, u8::try_from(length).ok()) {
        der.truncate(1);
        der.extend([0x81, short]);
    }
    der.extend(content);
    der
}

/// A certificate whose subject and issuer have these RDNs, UTF8Strings all.
pub(crate) fn certificate(rdns: &[&[(&[u8], &str)]]) -> Vec<u8> {
    let rdn = |attributes: &&[(&[u8], &str)]| {
        let attribute = |(oid, text): &(&[u8], &str)| element(0x30, &[element(6, oid), element(0x0c, text.as_bytes())].concat());
        element(0x31, &attributes.iter().map(attribute).collect::<Vec<_>>().concat())
    };
    of_name(&element(0x30, &rdns.iter().map(rdn).collect::<Vec<_>>().concat()))
}

/// A certificate with these common names, of one string type.
pub(crate) fn certificate_of_bytes(tag: u8, names: &[Vec<u8>]) -> Vec<u8> {
    let rdn = |name: &Vec<u8>| element(0x31, &element(0x30, &[element(6, &[0x55, 4, 3]), element(tag, name)].concat()));
    of_name(&element(0x30, &names.iter().map(rdn).collect::<Vec<_>>().concat()))
}

fn of_name(name: &[u8]) -> Vec<u8> {
    let algorithm = element(0x30, &element(6, &[0x2b, 0x65, 0x70]));
    let validity = element(0x30, &[element(0x17, b"260101000000Z"), element(0x17, b"270101000000Z")].concat());
    let key = element(0x30, &[algorithm.clone(), element(3, &[0; 33])].concat());
    let tbs = [element(2, &[7]), algorithm.clone(), name.to_vec(), validity, name.to_vec(), key].concat();
    element(0x30, &[element(0x30, &tbs), algorithm, element(3, &[0; 65])].concat())
}
