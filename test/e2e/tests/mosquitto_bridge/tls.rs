//! Bridges over TLS: who is believed and who is not, by ours as by Mosquitto's.

use std::path::Path;

use signet_e2e::openssl;
use signet_mqtt::QoS;
use signet_testkit::{Device, Mosquitto, free_port};
use tempfile::TempDir;

use crate::rig::{Near, Whose, await_or_show, await_that, client};

/// Two authorities and the certificates of a broker that are right or wrong in one way.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for authority in ["ca", "foreign"] {
            files.run(&format!(
                "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout {authority}.key -out {authority}.pem -days 30 \
                 -subj /CN={authority} -addext basicConstraints=critical,CA:TRUE"
            ));
        }
        for (name, common_name, alternative, days) in [
            ("good", "broker", "subjectAltName=IP:127.0.0.1,DNS:localhost", "30"),
            ("other", "broker", "subjectAltName=DNS:elsewhere.example.com", "30"),
            ("expired", "broker", "subjectAltName=IP:127.0.0.1,DNS:localhost", "0"),
            ("common", "localhost", "keyUsage=digitalSignature", "30"),
            ("site", "site", "extendedKeyUsage=clientAuth", "30"),
        ] {
            std::fs::write(files.0.path().join(format!("{name}.ext")), alternative).unwrap();
            files.run(&format!(
                "req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout {name}.key -out {name}.csr -subj /CN={common_name}"
            ));
            if days == "0" {
                past(&files, name);
            } else {
                files.run(&format!(
                    "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial 7 -extfile {name}.ext -days {days} -out {name}.pem"
                ));
            }
        }
        files
    }

    fn run(&self, arguments: &str) {
        openssl(self.0.path(), &arguments.split_whitespace().collect::<Vec<_>>()).succeeded();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// A Mosquitto that shows this certificate on a second port.
    fn far(&self, certificate: &str, more: &str) -> (Mosquitto, u16) {
        let port = free_port();
        let (pem, key) = (self.path(&format!("{certificate}.pem")), self.path(&format!("{certificate}.key")));
        let options = format!("allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {pem}\nkeyfile {key}\n{more}\n");
        (Mosquitto::start_with(&options, None), port)
    }
}

/// A certificate of the past, which only `openssl ca` can make everywhere.
fn past(files: &Files, name: &str) {
    let folder: &Path = files.0.path();
    let text = format!(
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\npolicy = p\n\
         certificate = ca.pem\nprivate_key = ca.key\nx509_extensions = e\n[p]\ncommonName = supplied\n[e]\n{}\n",
        std::fs::read_to_string(folder.join(format!("{name}.ext"))).unwrap()
    );
    for (file, content) in [("ca.cnf", &*text), ("index.txt", ""), ("serial", "1001\n")] {
        std::fs::write(folder.join(file), content).unwrap();
    }
    files.run(&format!(
        "ca -batch -notext -config ca.cnf -in {name}.csr -out {name}.pem -startdate 20200101000000Z -enddate 20201231000000Z"
    ));
}

/// Whether the bridge gets through.
#[track_caller]
fn expect(what: &str, near: &Near, far: &Mosquitto, gets_through: bool) {
    if gets_through {
        let mut there: Device = client(far, "there");
        there.subscribe("t/#", QoS::AtLeastOnce);
        near.client("p").publish("t/kept", "x", QoS::AtLeastOnce, true);
        // Retained, so that it comes whenever the bridge does.
        let message = there.expect_publish();
        assert_eq!(&message.payload[..], b"x", "{what}");
        return;
    }
    await_that(&format!("{what}: it is refused"), || {
        let log = near.log();
        log.contains("bridge down: TLS with") || log.contains("OpenSSL Error") || log.contains("Protocol error")
    });
    assert!(!far.log().contains("New client connected") && !far.log().contains("New bridge connected"), "{what}:\n{}", far.log());
}

#[test]
fn the_other_brokers_certificate_is_judged_as_by_mosquitto() {
    let files = Files::new();
    let (ca, foreign) = (files.path("ca.pem"), files.path("foreign.pem"));
    for (certificate, host, options, gets_through) in [
        ("good", "127.0.0.1", format!("bridge_cafile {ca}"), true),
        ("good", "localhost", format!("bridge_cafile {ca}\nbridge_tls_version tlsv1.3"), true),
        ("good", "127.0.0.1", format!("bridge_cafile {foreign}"), false),
        ("good", "127.0.0.1", format!("bridge_cafile {foreign}\nbridge_insecure true"), false),
        ("other", "127.0.0.1", format!("bridge_cafile {ca}"), false),
        ("other", "127.0.0.1", format!("bridge_cafile {ca}\nbridge_insecure true"), true),
        ("expired", "127.0.0.1", format!("bridge_cafile {ca}"), false),
        ("expired", "127.0.0.1", format!("bridge_cafile {ca}\nbridge_insecure true"), false),
        ("common", "localhost", format!("bridge_cafile {ca}"), true),
        ("good", "127.0.0.1", format!("bridge_cafile {ca}\nbridge_require_ocsp true"), false),
        ("good", "127.0.0.1", format!("bridge_cafile {ca}\nbridge_alpn mqtt"), true),
    ] {
        for whose in Whose::BOTH {
            let (far, port) = files.far(certificate, "");
            let lines = format!("connection b\naddress {host}:{port}\nrestart_timeout 1\ntopic t/# out 1\n{options}\n");
            expect(&format!("{whose:?} {certificate} {options}"), &Near::start(whose, &lines), &far, gets_through);
        }
    }
}

#[test]
fn our_certificate_is_shown_to_a_broker_that_asks() {
    let files = Files::new();
    let ca = files.path("ca.pem");
    let own = format!("bridge_certfile {}\nbridge_keyfile {}", files.path("site.pem"), files.path("site.key"));
    for (options, gets_through) in [(&*own, true), ("", false)] {
        for whose in Whose::BOTH {
            let (far, port) = files.far("good", &format!("cafile {ca}\nrequire_certificate true"));
            let lines =
                format!("connection b\naddress 127.0.0.1:{port}\nrestart_timeout 1\ntopic t/# out 1\nbridge_cafile {ca}\n{options}\n");
            let near = Near::start(whose, &lines);
            if gets_through {
                expect(&format!("{whose:?} {options}"), &near, &far, true);
            } else {
                await_that("the other broker misses it", || far.log().contains("peer did not return a certificate"));
            }
        }
    }
}

/// Mosquitto 2.0.11 words a handshake that fails at once in one way, and one that fails a moment later in another.
fn is_refused(log: &str) -> bool {
    log.contains("OpenSSL Error") || log.contains("binder does not verify")
}

#[test]
fn a_key_that_both_know_takes_the_place_of_certificates() {
    let files = Files::new();
    std::fs::write(files.0.path().join("psk"), "site:00112233445566778899aabbccddeeff\n").unwrap();
    for (key, gets_through) in [("00112233445566778899aabbccddeeff", true), ("ffeeddccbbaa99887766554433221100", false)] {
        for whose in Whose::BOTH {
            let port = free_port();
            let options = format!("allow_anonymous true\npsk_file {}\nlistener {port} 127.0.0.1\npsk_hint h\n", files.path("psk"));
            let far = Mosquitto::start_with(&options, None);
            let lines = format!(
                "connection b\naddress 127.0.0.1:{port}\nrestart_timeout 1\ntopic t/# out 1\nbridge_identity site\nbridge_psk {key}\n"
            );
            let near = Near::start(whose, &lines);
            if gets_through {
                let large = "x".repeat(300_000);
                expect(&format!("{whose:?}"), &near, &far, true);
                let mut there = client(&far, "large");
                there.subscribe("t/large", QoS::AtLeastOnce);
                near.client("p").publish("t/large", &large, QoS::AtLeastOnce, false);
                there.expect_message("t/large", &large);
            } else {
                let logs = || format!("{whose:?}\n--- far\n{}\n--- near\n{}", far.log(), near.log());
                await_or_show("the other broker refuses it", || is_refused(&far.log()), logs);
            }
        }
    }
}
