//! What a revocation look-up costs as lists grow, how much memory an entry takes, and what a delta costs beside a million:
//! `cargo run --release -p signet-revocation --example million`.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a measurement needs a clock; nothing pure is measured by itself")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, date_time_ymd,
};
use signet_identity::{DeviceIdentity, DeviceName, Leaf};
use signet_revocation::{
    Crl, IssuerCertificate, ListSource, RevocationDepth, RevocationIndex, RevocationMode, RevocationRules, SignatureVerifier, SignedData,
    StalePolicy,
};

type Ca = CertifiedIssuer<'static, KeyPair>;
const NOW: i64 = 1_767_225_600;
const RULES: RevocationRules =
    RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Chain, grace: 0, stale: StalePolicy::Deny };
const ROUNDS: u32 = 200_000;

/// The cost of the signature is not what is measured.
struct AcceptAll;

impl SignatureVerifier for AcceptAll {
    fn verify(&self, _: SignedData<'_>) -> Result<(), String> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let ca = authority()?;
    let issuer = IssuerCertificate::parse(ca.as_ref().der())?;
    let devices: Vec<DeviceIdentity> = (0..64).map(|number| device(&ca, &issuer, number)).collect::<Result<_, _>>()?;
    let source = ListSource::new("million.crl");
    let mut million = RevocationIndex::new();
    for entries in [0, 1000, 1_000_000_u64] {
        let der = crl_der(&ca, 1, 0..entries, None)?;
        let size = der.len();
        let resident = resident();
        let begun = Instant::now();
        let crl = Crl::parse_pem_or_der(&der, std::slice::from_ref(&issuer), &AcceptAll)?.pop().ok_or("no CRL")?;
        let parsed = begun.elapsed();
        drop(der);
        let begun = Instant::now();
        let index = RevocationIndex::new().with_crl(crl, source.clone())?;
        let swapped = begun.elapsed();
        let growth = self::resident().saturating_sub(resident).saturating_add(size.div_euclid(1024));
        println!("{entries} entries, {size} bytes of DER: read in {parsed:?}, in force in {swapped:?}");
        println!("  judge one device {:?}, which is not listed", per_judgement(&index, &devices)?);
        if entries == 1_000_000 {
            println!("  {:.1} bytes an entry by resident memory, 26 by the array", 1024.0 * f64::from(u32::try_from(growth)?) / 1e6);
        }
        million = index;
    }
    let der = crl_der(&ca, 2, 5_000_000..5_001_000, Some(1))?;
    let begun = Instant::now();
    let delta = Crl::parse_pem_or_der(&der, std::slice::from_ref(&issuer), &AcceptAll)?.pop().ok_or("no CRL")?;
    let parsed = begun.elapsed();
    let begun = Instant::now();
    let with_delta = million.with_crl(delta, source)?;
    println!("a delta of 1000 on a million: read in {parsed:?}, in force in {:?}", begun.elapsed());
    println!("  judge one device {:?}", per_judgement(&with_delta, &devices)?);
    Ok(())
}

/// The median of several runs, for each call of `judge`.
fn per_judgement(index: &RevocationIndex, devices: &[DeviceIdentity]) -> Result<Duration, Box<dyn Error>> {
    let mut runs: Vec<Duration> = (0..9)
        .map(|_| {
            let begun = Instant::now();
            for device in devices.iter().cycle().take(usize::try_from(ROUNDS).unwrap_or(0)) {
                black_box(index.judge(black_box(device), &RULES, None, NOW));
            }
            begun.elapsed() / ROUNDS
        })
        .collect();
    runs.sort();
    Ok(*runs.get(4).ok_or("no run")?)
}

/// Resident memory in KiB, as Linux counts it.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}

fn authority() -> Result<Ca, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Serial numbers spread over 64 bits, so that a search cannot guess; the lowest bit says whether it may be listed.
fn spread(number: u64, listed: u64) -> u64 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) << 1) | listed
}

fn device(ca: &Ca, issuer: &IssuerCertificate, number: u64) -> Result<DeviceIdentity, Box<dyn Error>> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(spread(number, 0).into());
    let leaf = Leaf::parse(params.signed_by(&KeyPair::generate()?, ca)?.der())?;
    Ok(DeviceIdentity::new(DeviceName::new("pump")?, leaf, issuer.leaf().spki_digest(), []))
}

fn crl_der(ca: &Ca, number: u64, serials: std::ops::Range<u64>, base: Option<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let entry = |number| RevokedCertParams {
        serial_number: spread(number, 1).into(),
        revocation_time: date_time_ymd(2025, 12, 31),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2026, 1, 8),
        crl_number: number.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let der = params.signed_by(ca)?.der().to_vec();
    Ok(match base {
        None => der,
        // rcgen writes no deltaCRLIndicator: its place is taken by authorityKeyIdentifier's, whose signature nobody checks here.
        Some(base) => as_delta(&der, base)?,
    })
}

/// The same CRL with the extension deltaCRLIndicator in front of its others.
fn as_delta(der: &[u8], base: u8) -> Result<Vec<u8>, Box<dyn Error>> {
    use signet_identity::der::{self as tags, Reader};
    let words = |error: tags::DerError| error.to_string();
    let mut outer = Reader::document(der).map_err(words)?;
    let mut tbs = outer.sequence().map_err(words)?;
    let (algorithm, signature) = (outer.element().map_err(words)?.encoded, outer.element().map_err(words)?.encoded);
    let mut fields = Vec::new();
    while tbs.peek().is_some_and(|tag| tag != 0xa0) {
        fields.extend(tbs.element().map_err(words)?.encoded);
    }
    let extensions = Reader::new(tbs.element().map_err(words)?.content).element().map_err(words)?.content;
    let indicator = [0x30, 13, 6, 3, 0x55, 0x1d, 27, 1, 1, 0xff, 4, 3, 2, 1, base];
    fields.extend(element(0xa0, &element(0x30, &[&indicator, extensions].concat())));
    Ok(element(0x30, &[&element(0x30, &fields), algorithm, signature].concat()))
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let octets = content.len().to_be_bytes();
    let significant: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
    let length = match significant.as_slice() {
        [] => vec![0],
        [short @ 0..0x80] => vec![*short],
        long => [&[0x80 | u8::try_from(long.len()).unwrap_or(0)], long].concat(),
    };
    [&[tag], length.as_slice(), content].concat()
}
