//! `lists`: what a revocation list costs as it grows: to read, to put in force, to look something up in, to keep; and what a delta costs beside it.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use signet_identity::{DeviceIdentity, DeviceName, Leaf};
use signet_revocation::{
    Crl, IssuerCertificate, ListSource, RevocationDepth, RevocationIndex, RevocationMode, RevocationRules, StalePolicy,
};
use signet_tls::CrlSignatureVerifier;

use crate::Figure;
use crate::handshakes::now;
use crate::meter::{percentile, resident, thread_time};
use crate::pki::{Authority, spread};

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Entries of the lists.
    pub lists: Vec<u64>,
    /// Entries of the delta on the last of them.
    pub delta: u64,
    /// Look-ups of each run; there are nine.
    pub lookups: u32,
}

const RULES: RevocationRules =
    RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Chain, grace: 0, stale: StalePolicy::Deny };

/// Reads lists, puts them in force and looks things up. All times are processor time of the one thread that works. `program` is this command: what a
/// list takes in memory is measured in a process that has done nothing else ([`memory_of`]).
///
/// # Panics
/// When a list is not taken.
#[must_use]
pub fn measure(program: &Path, plan: &Plan) -> Vec<Figure> {
    let ca = Authority::root("Bench Root");
    let source = ListSource::new("bench.crl");
    let devices: Vec<DeviceIdentity> = (0..64).map(|number| device(&ca, number)).collect();
    let mut figures = Vec::new();
    let mut last = RevocationIndex::new();
    for entries in &plan.lists {
        let der = ca.crl(1, (0..*entries).map(|number| spread(number, true)));
        figures.push(Figure::count(format!("{entries} entries: bytes of DER"), der.len()));
        let (crl, read) = timed(|| ca.read(&der));
        let (index, swap) = timed(|| RevocationIndex::new().with_crl(crl, source.clone()).expect("a list fits in"));
        figures.push(Figure::millis(format!("{entries} entries: read and verified"), read));
        figures.push(Figure::micros(format!("{entries} entries: put in force"), swap));
        let growth = kept_elsewhere(program, &ca, &der);
        figures.push(Figure::count(format!("{entries} entries: bytes of memory"), growth));
        if *entries > 0 {
            let each = float(growth) / float(usize::try_from(*entries).unwrap_or(usize::MAX));
            figures.push(Figure::new(format!("{entries} entries: memory for each"), each, "bytes"));
        }
        figures.push(Figure::new(format!("{entries} entries: one device judged"), judged(&index, &devices, plan.lookups), "ns"));
        last = index;
    }
    let first = 1 << 40;
    let der = ca.delta(2, 1, (first..first + plan.delta).map(|number| spread(number, true)));
    let (delta, read) = timed(|| ca.read(&der));
    let (with_delta, swap) = timed(|| last.with_crl(delta, source.clone()).expect("a delta fits"));
    let what = format!("a delta of {} on the last", plan.delta);
    figures.push(Figure::millis(format!("{what}: read and verified"), read));
    figures.push(Figure::micros(format!("{what}: put in force"), swap));
    figures.push(Figure::new(format!("{what}: one device judged"), judged(&with_delta, &devices, plan.lookups), "ns"));
    figures
}

/// How much more memory this process holds when it has the list of the file `list`, signed by the authority of the file `issuer` (both DER), and
/// nothing else.
///
/// # Panics
/// When the list is not taken.
#[must_use]
pub fn memory_of(list: &Path, issuer: &Path) -> usize {
    let issuer = IssuerCertificate::parse(&fs::read(issuer).expect("the certificate is there")).unwrap();
    let before = resident();
    let der = fs::read(list).expect("the list is there");
    let mut lists = Crl::parse_pem_or_der(&der, std::slice::from_ref(&issuer), &CrlSignatureVerifier).expect("the list is good");
    drop(der);
    let index = RevocationIndex::new().with_crl(lists.pop().expect("there is one list"), ListSource::new("bench.crl")).unwrap();
    let growth = resident().saturating_sub(before);
    drop(black_box(index));
    growth
}

/// [`memory_of`] in a process of its own.
fn kept_elsewhere(program: &Path, ca: &Authority, der: &[u8]) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let (list, issuer) = (directory.path().join("list.crl"), directory.path().join("ca.der"));
    fs::write(&list, der).unwrap();
    fs::write(&issuer, ca.certificate().leaf().der()).unwrap();
    let output = Command::new(program).arg("list-memory").args([&list, &issuer]).output().expect("this command can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("no number but `{text}`: {}", String::from_utf8_lossy(&output.stderr)))
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = thread_time();
    let done = work();
    (done, thread_time() - begun)
}

/// Nanoseconds for each judgement: the median of several runs.
fn judged(index: &RevocationIndex, devices: &[DeviceIdentity], lookups: u32) -> f64 {
    let now = now();
    let mut runs: Vec<Duration> = (0..9)
        .map(|_| {
            let begun = thread_time();
            for device in devices.iter().cycle().take(usize::try_from(lookups).unwrap_or(0)) {
                black_box(index.judge(black_box(device), &RULES, None, now));
            }
            thread_time() - begun
        })
        .collect();
    percentile(&mut runs, 50).as_secs_f64() * 1e9 / f64::from(lookups.max(1))
}

/// A device whose certificate is not listed.
fn device(ca: &Authority, number: u64) -> DeviceIdentity {
    let key = ca.device(&format!("pump-{number}"), spread(number, false));
    let leaf = Leaf::parse(key.chain.first().expect("a certificate")).unwrap();
    DeviceIdentity::new(DeviceName::new("pump").unwrap(), leaf, ca.certificate().leaf().spki_digest(), [])
}
