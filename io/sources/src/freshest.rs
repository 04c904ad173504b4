//! Where a CRL says that its delta CRLs are (freshestCRL, RFC 5280 §5.2.6). For CRLs whose signature was verified.

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use signet_identity::der::{self, DerError, Extension, Reader};
use signet_identity::distribution::{MAXIMUM_POINTS, read_point_name};

use signet_http::Url;

const OID_FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];

/// The addresses in one CRL in DER, or in those of a PEM file. What cannot be read or fetched is passed over: it says less, not something else.
pub(crate) fn addresses(list: &[u8]) -> Vec<Url> {
    let mut found = Vec::new();
    if Reader::document(list).is_ok() {
        found = read(list).unwrap_or_default();
    } else {
        for block in CertificateRevocationListDer::pem_slice_iter(list).map_while(Result::ok) {
            found.extend(read(&block).unwrap_or_default());
        }
    }
    let mut urls: Vec<Url> = found.iter().filter_map(|text| text.parse().ok()).collect();
    urls.sort_unstable();
    urls.dedup();
    urls.truncate(MAXIMUM_POINTS);
    urls
}

fn read(list: &[u8]) -> Result<Vec<String>, DerError> {
    let mut tbs = Reader::document(list)?.sequence()?;
    let mut found = Vec::new();
    while !tbs.is_empty() {
        let element = tbs.element()?;
        if element.tag != 0xa0 {
            continue;
        }
        let mut extensions = Reader::document(element.content)?;
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions)?;
            if extension.oid == OID_FRESHEST_CRL {
                read_points(extension.value, &mut found)?;
            }
        }
    }
    Ok(found)
}

fn read_points(value: &[u8], found: &mut Vec<String>) -> Result<(), DerError> {
    let mut points = Reader::document(value)?;
    while !points.is_empty() {
        let mut point = Reader::new(points.expect(der::SEQUENCE)?.content);
        // A name relative to the issuer is no address.
        let names = point.optional(0xa0)?.map(|name| read_point_name(name.content, None));
        let names = names.and_then(Result::ok).unwrap_or_default();
        found.extend(names.iter().filter_map(|name| name.http_uri()).map(str::to_owned));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use signet_testkit::{CrlWish, OpensslCa};

    use super::*;

    #[test]
    fn addresses_are_found_in_der_and_in_every_block_of_pem() {
        let directory = tempfile::tempdir().unwrap();
        let ca = OpensslCa::create(directory.path(), "CA");
        let list = |url: &str, der: bool| {
            let extensions = format!("freshestCRL=URI:{url},URI:ldap://a/cn=CA");
            ca.crl(CrlWish { extensions: &extensions, der, ..CrlWish::default() })
        };
        let text = |bytes: &[u8]| addresses(bytes).iter().map(Url::to_string).collect::<Vec<_>>();
        assert_eq!(text(&list("http://a/1.crl", true)), ["http://a/1.crl"]);
        let both = [list("http://a/1.crl", false), list("https://a/2.crl", false)].concat();
        assert_eq!(text(&both), ["http://a/1.crl", "https://a/2.crl"]);
        assert!(text(&ca.crl(CrlWish::default())).is_empty());
        assert!(text(b"0").is_empty() && text(b"").is_empty() && text(b"-----BEGIN X509 CRL-----").is_empty());
    }
}
