//! The revocations in force: answers of `openssl ocsp`, verified by the algorithms of the TLS library, change what everybody judges by.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail by panicking, as the test itself does")]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::{SystemTime, UNIX_EPOCH};

use signet_identity::{DeviceIdentity, DeviceName, Leaf};
use signet_revocation::{
    Assurance, CertIdHash, IssuerCertificate, OcspAnswer, OcspError, OcspRequest, OcspResponse, OcspRules, Reason, RevocationDepth,
    RevocationIndex, RevocationMode, RevocationRules, RevocationSource, Revoked, StalePolicy, Verdict,
};
use signet_tls::{CrlSignatureVerifier, CurrentRevocations};

const REQUIRE: RevocationRules =
    RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Chain, grace: 0, stale: StalePolicy::Deny };
const PREFER: RevocationRules = RevocationRules { mode: RevocationMode::Prefer, ..REQUIRE };

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

struct Rig {
    directory: tempfile::TempDir,
    issuer: IssuerCertificate,
    device: Arc<DeviceIdentity>,
}

impl Rig {
    /// A CA, a device `a` and a delegate `responder` with keys of these kinds.
    fn new(ca_key: &str, delegate_key: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join("delegate.ext"), "extendedKeyUsage = OCSPSigning\n").unwrap();
        std::fs::write(path.join("device.ext"), "keyUsage = digitalSignature\n").unwrap();
        openssl(path, &format!("req -x509 -nodes -newkey {ca_key} -keyout ca.key -out ca.pem -subj /CN=CA"));
        for (name, key, serial) in [("a", ca_key, 7), ("delegate", delegate_key, 8)] {
            let extensions = if name == "a" { "device" } else { "delegate" };
            openssl(path, &format!("req -new -nodes -newkey {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
            openssl(
                path,
                &format!(
                    "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial {serial} -extfile {extensions}.ext -out {name}.pem"
                ),
            );
        }
        let der = |name: &str| {
            openssl(path, &format!("x509 -in {name}.pem -outform DER -out {name}.der"));
            std::fs::read(path.join(format!("{name}.der"))).unwrap()
        };
        let issuer = IssuerCertificate::parse(&der("ca")).unwrap();
        let leaf = Leaf::parse(&der("a")).unwrap();
        let device = DeviceIdentity::new(DeviceName::new("a").unwrap(), leaf, issuer.leaf().spki_digest(), []);
        Self { directory, issuer, device: Arc::new(device) }
    }

    fn response(&self, signer: &str, status: &str, digest: &str) -> Result<OcspAnswer, OcspError> {
        let path = self.directory.path();
        let leaf = self.device.leaf();
        let request = OcspRequest::new(&self.issuer, leaf.id().serial(), CertIdHash::Sha1, Some([7; 32])).unwrap();
        std::fs::write(path.join("req.der"), request.der()).unwrap();
        std::fs::write(path.join("index.txt"), format!("{status}\t07\tunknown\t/CN=a\n")).unwrap();
        openssl(
            path,
            &format!(
                "ocsp -index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key -rmd {digest} -ndays 1 -reqin req.der -respout resp.der"
            ),
        );
        let response = std::fs::read(path.join("resp.der")).unwrap();
        OcspResponse::verify(&response, &request, &OcspRules::default(), &CrlSignatureVerifier, now()).map(|response| response.answer())
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().expect("openssl is needed for this test");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

const GOOD: &str = "V\t350101000000Z\t";
const REVOKED: &str = "R\t350101000000Z\t260101000000Z,keyCompromise";
const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

#[test]
fn answers_are_recorded_and_judged_by() {
    let rig = Rig::new(P256, P256);
    let revocations = CurrentRevocations::with_ocsp_capacity(RevocationIndex::new(), 10);
    let certificate = rig.device.path()[0];
    let judge = |rules: RevocationRules| revocations.judge(&rig.device, &rules, now());
    assert_eq!(judge(REQUIRE), Verdict::Unknown { id: certificate.id });
    let good = rig.response("ca", GOOD, "sha256").unwrap();
    assert!(revocations.record_answer(good), "nothing was known before");
    assert_eq!((judge(REQUIRE), revocations.answers()), (Verdict::Good(Assurance::Fresh), 1));
    assert!(!revocations.record_answer(rig.response("ca", GOOD, "sha256").unwrap()), "it says the same");
    assert_eq!(revocations.expiring_answers(now(), 10), []);
    assert_eq!(revocations.expiring_answers(now() + 2 * 86_400, 10), [certificate]);
    assert!(revocations.record_answer(rig.response("delegate", REVOKED, "sha256").unwrap()));
    for rules in [REQUIRE, PREFER] {
        let verdict = judge(rules);
        assert!(
            matches!(verdict, Verdict::Revoked { revoked, .. } if revoked.source == RevocationSource::Ocsp && revoked.reason == Reason::KeyCompromise)
        );
    }
    assert!(revocations.answer(&certificate).unwrap().delegate().is_some());
    let shown = revocations.explain(&rig.device, &REQUIRE, now());
    assert_eq!(shown[0].answers[0].finding.to_string(), "revoked (keyCompromise)");
    revocations.forget_answer(&certificate);
    assert_eq!(judge(REQUIRE), Verdict::Unknown { id: certificate.id });
}

#[test]
fn every_supported_key_signs_responses_and_delegates() {
    for (ca, delegate, digest) in [
        ("rsa:2048", P256, "sha256"),
        (P256, "rsa:2048", "sha384"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "ec -pkeyopt ec_paramgen_curve:P-384", "sha384"),
    ] {
        let rig = Rig::new(ca, delegate);
        assert!(rig.response("delegate", GOOD, digest).is_ok(), "{ca} {delegate} {digest}");
    }
    let rig = Rig::new("rsa:2048", P256);
    let error = rig.response("ca", GOOD, "sha1").unwrap_err().to_string();
    assert!(error.contains("the signature algorithm is not supported"), "SHA-1 proves nothing: {error}");
}

/// The order of both sides, raced: whoever registers and then judges, or records and then looks at who is registered. One of them must see the
/// other, every time.
#[test]
fn a_change_and_a_new_connection_never_miss_each_other() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let rig = Rig::new(P256, P256);
    let revoked = rig.response("ca", REVOKED, "sha256").unwrap();
    let by_index = |round: usize| round.is_multiple_of(2);
    for round in 0..2000 {
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let (registered, barrier) = (AtomicBool::new(false), Barrier::new(2));
        let (refused, found) = std::thread::scope(|scope| {
            let connection = scope.spawn(|| {
                barrier.wait();
                registered.store(true, Ordering::SeqCst);
                matches!(revocations.judge(&rig.device, &PREFER, now()), Verdict::Revoked { .. })
            });
            barrier.wait();
            if by_index(round) {
                let word = Revoked { since: 1, reason: Reason::KeyCompromise, source: RevocationSource::Authority };
                revocations.update(|index| index.with_revocations([(rig.device.certificate(), word)]));
            } else {
                assert!(revocations.record_answer(revoked));
            }
            let found = registered.load(Ordering::SeqCst);
            (connection.join().unwrap(), found)
        });
        assert!(refused || found, "round {round}: the connection is in, and nobody looks at it");
    }
}
