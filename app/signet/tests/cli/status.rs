//! OCSP with a responder of `openssl`: devices that wait for its answer, and the answer that the broker shows with its own certificate.

use signet_mqtt::{Packet, ProtocolVersion, ReasonCode};
use signet_testkit::{Device, OpensslCa, Received, Target, connect_packet};

use crate::rig::Rig;

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::V5, ProtocolVersion::V311];

#[test]
fn a_device_waits_for_what_the_responder_says() {
    let rig = Rig::quickstarted();
    let partner = OpensslCa::create(&rig.path("partner"), "Partner");
    let issued = ["good-5", "good-4", "revoked-5", "revoked-4", "late-5", "late-4"].map(|name| partner.device(name, ""));
    partner.revoke(&issued[2], "keyCompromise");
    partner.revoke(&issued[3], "keyCompromise");
    let mut responder = partner.responder(None, &["-nmin", "5"]);
    let listener = rig.read("signet.toml").replacen("trust = [\"ca/ca.pem\"]", "trust = [\"ca/ca.pem\"]\nprofiles = [\"partner\"]", 1);
    rig.write(
        "signet.toml",
        &format!(
            "{listener}\n[[trust]]\nname = \"partner\"\nca = \"partner/ca.pem\"\nrevocation = \"require\"\nocsp = \"{}\"\nstatus_wait = \"2s\"\n\
             revocation_timeout = \"1s\"\n",
            responder.url()
        ),
    );
    let mut broker = rig.serve();
    let port = rig.port_of("mqtts");
    let target = |name: &str| Target::tls(port, rig.path("ca/ca.pem"), Some(&rig.identity(&format!("partner/{name}"))));
    let connect = |name: &str, version| Device::introduce(&target(name), connect_packet(version, name));
    let names = |kind: &str| VERSIONS.map(|version| (format!("{kind}-{}", if version == ProtocolVersion::V5 { 5 } else { 4 }), version));
    for (name, version) in names("good") {
        assert_eq!(connect(&name, version).1.reason_code, ReasonCode::Success);
    }
    for (name, version) in names("revoked") {
        // Where the answer is faster than the CONNECT there is nothing to answer yet.
        let mut device = Device::open(&target(&name), version);
        device.try_send(&Packet::Connect(Box::new(connect_packet(version, &name))));
        match device.await_next() {
            Ok(Received::Packet(Packet::Connack(connack))) => assert_eq!(connack.reason_code, ReasonCode::NotAuthorized, "{name}"),
            Ok(Received::Packet(other)) => panic!("{name}: {other:?}"),
            _ => {}
        }
        let line = broker.wait_for("refused:");
        assert!(line.contains(&format!("CN={name}")) && line.contains("check=\"revocation\"") && line.contains("keyCompromise"), "{line}");
        assert!(Device::try_open(&target(&name), version).and_then(|mut device| device.await_next()).is_err(), "{name}: known now");
        broker.wait_for("refused:");
    }
    responder.stop();
    for (name, version) in names("late") {
        let (mut device, connack) = connect(&name, version);
        assert!(matches!(connack.reason_code, ReasonCode::NotAuthorized), "{name}: {connack:?}");
        device.expect_closed();
        let line = broker.wait_for("refused:");
        assert!(
            line.contains(&format!("CN={name}")) && line.contains("check=\"revocation status\"") && line.contains("revocation sources"),
            "{line}"
        );
    }
    // What is known stays known without the responder, and devices of our own authority never needed it.
    assert_eq!(connect("good-5", ProtocolVersion::V5).1.reason_code, ReasonCode::Success);
    let own = Target::tls(port, rig.path("ca/ca.pem"), Some(&rig.identity("devices/pump-7")));
    Device::connect(&own, ProtocolVersion::V5, "pump-7").leave(ReasonCode::Success);
}

#[test]
fn the_brokers_own_certificate_comes_with_an_answer() {
    let rig = Rig::quickstarted();
    let web = OpensslCa::create(&rig.path("web"), "Web");
    let mut responder = web.responder(None, &["-nmin", "5"]);
    let extensions =
        format!("extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\nauthorityInfoAccess=OCSP;URI:{}\n", responder.url());
    let server = web.issue("localhost", &extensions);
    responder.reread();
    let chain = [&server.certificate, &web.certificate()].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    rig.write("server/server.pem", &chain);
    std::fs::copy(&server.key, rig.path("server/server.key")).unwrap();
    rig.write("signet.toml", &rig.read("signet.toml").replacen("transport = \"tls\"", "transport = \"tls\"\nocsp_stapling = true", 1));
    let broker = rig.serve();
    let port = rig.port_of("mqtts");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut said = String::new();
        for _ in 0..500 {
            said = rig.s_client(port, &["-status", "-CAfile", "web/ca.pem", version]);
            if !said.contains("OCSP response: no response sent") {
                break;
            }
        }
        assert!(said.contains("OCSP Response Status: successful") && said.contains("Cert Status: good"), "{version}: {said}");
    }
    // The response outlives its responder, and a reload fetches it anew only where it has to.
    responder.stop();
    assert!(rig.s_client(port, &["-status", "-CAfile", "web/ca.pem"]).contains("Cert Status: good"));
    drop(broker);
}

/// What somebody with mosquitto or openssl sees who is not let in.
#[test]
fn what_other_peoples_clients_show_of_a_refusal() {
    let rig = Rig::quickstarted();
    let stranger = OpensslCa::create(&rig.path("stranger"), "Stranger");
    drop(stranger.device("pump-9", ""));
    rig.run(&["device", "add", "pump-8"]).expect(0);
    rig.run(&["device", "revoke", "pump-8"]).expect(0);
    rig.run(&["device", "add", "pump-6"]).expect(0);
    rig.run(&["device", "suspend", "pump-6"]).expect(0);
    let mut broker = rig.serve();
    let port = rig.port_of("mqtts");
    for (stem, alert, words, subject) in [
        ("stranger/pump-9", 48, "unknown ca", "CN=pump-9"),
        ("devices/pump-8", 44, "certificate revoked", "CN=pump-8"),
        ("devices/pump-6", 46, "certificate unknown", "CN=pump-6"),
        ("server/server", 43, "unsupported certificate", "CN=localhost"),
    ] {
        let (certificate, key) = (format!("{stem}.pem"), format!("{stem}.key"));
        for version in ["-tls1_2", "-tls1_3"] {
            let said = rig.s_client(port, &["-cert", &certificate, "-cert_chain", &certificate, "-key", &key, "-ign_eof", version]);
            assert!(said.contains(&format!("SSL alert number {alert}")) && said.contains(words), "{stem} {version}: {said}");
            let line = broker.wait_for("refused:");
            assert!(line.contains(subject) && line.contains("hint="), "{line}");
        }
        let port = port.to_string();
        let output = std::process::Command::new("mosquitto_pub")
            .current_dir(rig.path(""))
            .args([
                "-h",
                "localhost",
                "-p",
                &port,
                "--cafile",
                "ca/ca.pem",
                "--cert",
                &certificate,
                "--key",
                &key,
                "-t",
                "pump-7/x",
                "-m",
                "x",
                "-q",
                "1",
            ])
            .output()
            .expect("the mosquitto clients are needed (apt-get install mosquitto-clients)");
        assert!(!output.status.success(), "{stem} got in");
        broker.wait_for("refused:");
    }
}
