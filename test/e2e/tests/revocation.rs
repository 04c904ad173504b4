//! A revocation reaches whoever is connected: the connection ends with the reason, nothing resumes it, and the answer counts what was
//! done. The same for a revocation that arrives as another authority's CRL file.

use signet_e2e::{Client, Pki, Publication, Site, Subscription, Validity, Version, Will, s_client};

#[test]
fn live_connections_end_with_the_reason() {
    for client in Client::ALL {
        let site = Site::quickstart();
        let broker = site.serve();
        let pump = site.device("pump-7");
        let connect = |version, name| {
            let running = client.subscribe(version, site.port(), &pump, &Subscription::to("pump-7/#", 1, name));
            client.wait_subscribed(&running);
            running
        };
        let new = connect(Version::V5, "new");
        let old = connect(Version::V311, "old");

        let answer = site.signet(&["device", "revoke", "pump-7", "--reason", "keyCompromise"]).succeeded();
        assert!(answer.says("2 sessions closed in ") && answer.says("CRL number "), "{}", answer.output);

        // 5.0: DISCONNECT 0x98 with a reason string where the client shows one. 3.1.1 has no such packet: the socket closes.
        match client {
            Client::Mosquitto => new.wait_for("DISCONNECT (152)"),
            Client::Paho | Client::MqttJs => new
                .wait_for_line("disconnected 152 with a reason", |line| line.starts_with("disconnected 152 ") && line.contains("revoked")),
            Client::Signet => new.wait_for("revoked"),
        };
        if client == Client::Mosquitto {
            // mosquitto_sub starts over by itself; the broker refuses it each time.
            broker.logs_all(&["refused", "CN=pump-7", "revocation"]);
            old.kill();
        } else {
            assert_ne!(new.finish().code, Some(0));
            assert_ne!(old.finish().code, Some(0));
        }
    }
}

#[test]
fn the_will_of_a_revoked_device_is_published_or_dropped_as_configured() {
    for (rule, arrives) in [("publish", true), ("drop", false)] {
        let site = Site::quickstart();
        site.signet(&["device", "add", "valve-1"]).succeeded();
        site.edit("signet.toml", |text| {
            text.replace("will = \"publish\"", &format!("will = \"{rule}\" # set"))
                .replace("\npublish = [\"${device}/#\"]\nsubscribe = [\"${device}/#\"]", "\npublish = [\"#\"]\nsubscribe = [\"#\"]")
        });
        let _broker = site.serve();
        let valve = site.device("valve-1");
        let watch = Subscription { count: 1, ..Subscription::to("w/#", 1, "watcher") };
        let watcher = Client::Mosquitto.subscribe(Version::V5, site.port(), &valve, &watch);
        Client::Mosquitto.wait_subscribed(&watcher);

        let will = Will { topic: "w/will", message: "gone", qos: 1 };
        let subscription = Subscription { will: Some(will), ..Subscription::to("x", 0, "mortal") };
        let mortal = Client::Paho.subscribe(Version::V5, site.port(), &site.device("pump-7"), &subscription);
        Client::Paho.wait_subscribed(&mortal);
        site.signet(&["device", "revoke", "pump-7"]).succeeded();
        mortal.wait_for("disconnected 152");

        Client::Mosquitto.publish(Version::V5, site.port(), &valve, &Publication::of("w/end", "x", 1)).succeeded();
        let output = watcher.finish().succeeded().output;
        assert_eq!(output.contains("message w/will 1 0 gone"), arrives, "{rule}:\n{output}");
    }
}

/// A resumed TLS session is never trusted more than a full handshake.
#[test]
fn a_resumed_tls_session_is_refused_after_the_revocation() {
    for version in ["-tls1_2", "-tls1_3"] {
        let site = Site::quickstart();
        let broker = site.serve();
        let pump = site.device("pump-7");
        let first = s_client::accepted(&site, &pump, "session.pem", &[version]);
        assert!(!first.contains("Reused, "), "{first}");
        let resumed = s_client::accepted(&site, &pump, "session.pem", &[version, "-sess_in", "session.pem"]);
        assert!(resumed.contains("Reused, "), "{version} does not resume:\n{resumed}");
        site.signet(&["device", "revoke", "pump-7"]).succeeded();
        let output = s_client::refused(&site, &pump, &[version, "-sess_in", "session.pem"]);
        assert!(output.contains("SSL alert number 44"), "{version}:\n{output}");
        broker.logs_all(&["refused", "CN=pump-7", "revocation"]);
    }
}

/// Somebody else's CRL file: what it newly revokes is disconnected when the file changes; a broken file changes nothing.
#[test]
fn a_changed_crl_file_ends_sessions() {
    let site = Site::quickstart();
    let partner = Pki::new("Partner CA");
    std::fs::copy(partner.path("ca.pem"), site.path("ca/partner.pem")).expect("the CA can be copied");
    let crl = site.path("ca/partner-crl.pem");
    partner.crl(&crl);
    site.edit("signet.toml", |text| {
        text.replace("trust = [\"ca/ca.pem\"]", "trust = [\"ca/ca.pem\", \"ca/partner.pem\"]\ncrl = [\"ca/partner-crl.pem\"]")
    });
    let broker = site.serve();
    let valve = partner.issue("valve-1", Validity::Now, &site.path("ca/ca.pem"));
    let lamp = partner.issue("lamp-1", Validity::Now, &site.path("ca/ca.pem"));
    let connect = |device, topic, name| {
        let running = Client::Paho.subscribe(Version::V5, site.port(), device, &Subscription::to(topic, 1, name));
        Client::Paho.wait_subscribed(&running);
        running
    };
    let mut staying = connect(&lamp, "lamp-1/#", "lamp");
    let revoked = connect(&valve, "valve-1/#", "valve");

    std::fs::write(&crl, "-----BEGIN X509 CRL-----\nhalf").expect("the file can be written");
    broker.logs_all(&["partner-crl.pem"]);
    Client::Mosquitto.publish(Version::V5, site.port(), &valve, &Publication::of("valve-1/x", "still here", 1)).succeeded();
    revoked.wait_for("message valve-1/x 1 0 still here");

    partner.revoke("valve-1");
    partner.crl(&crl);
    revoked.wait_for("disconnected 152");
    assert!(staying.is_running(), "lamp-1 was not revoked:\n{}", staying.output());
    let attempt = Client::Mosquitto.publish(Version::V5, site.port(), &valve, &Publication::of("valve-1/x", "no", 1));
    assert_ne!(attempt.code, Some(0), "{}", attempt.output);
    Client::Mosquitto.publish(Version::V5, site.port(), &lamp, &Publication::of("lamp-1/x", "yes", 1)).succeeded();
    staying.wait_for("message lamp-1/x 1 0 yes");
}

/// A connection ends with the certificate that it was made with.
#[test]
fn a_connection_ends_when_its_certificate_expires() {
    let site = Site::quickstart();
    let issuing = Pki::of(&site.path("ca/issuing.pem"), &site.path("ca/issuing.key"));
    let broker = site.serve();
    let short = issuing.issue("pump-7", Validity::Seconds(6), &site.path("ca/ca.pem"));
    let running = Client::Paho.subscribe(Version::V5, site.port(), &short, &Subscription::to("pump-7/#", 1, "x"));
    Client::Paho.wait_subscribed(&running);
    running.wait_for_line("disconnected with a reason", |line| line.starts_with("disconnected 1") && line.contains("expired"));
    broker.logs_all(&["disconnected", "expired"]);
}

/// Without a broker the command works on the inventory alone and says so; the next start knows.
#[test]
fn without_a_broker_the_inventory_is_changed_alone() {
    let site = Site::quickstart();
    let answer = site.signet(&["device", "revoke", "pump-7"]).succeeded();
    assert!(answer.says("no broker"), "{}", answer.output);
    let _broker = site.serve();
    let attempt = Client::Mosquitto.publish(Version::V5, site.port(), &site.device("pump-7"), &Publication::of("pump-7/x", "no", 1));
    assert_ne!(attempt.code, Some(0), "{}", attempt.output);
}

/// A fresh certificate of the same device name gets in while the revoked one stays out.
#[test]
fn a_device_with_a_new_certificate_is_welcome() {
    let site = Site::quickstart();
    let _broker = site.serve();
    site.signet(&["device", "revoke", "pump-7", "--reason", "superseded"]).succeeded();
    site.signet(&["device", "add", "pump-7", "--out", "renewed"]).succeeded();
    let mut renewed = site.device("pump-7");
    renewed.certificate = Some((site.path("renewed/pump-7.pem"), site.path("renewed/pump-7.key")));
    for client in Client::ALL {
        let message = Publication::of("pump-7/x", "x", 1);
        client.publish(Version::V5, site.port(), &renewed, &message).succeeded();
        assert_ne!(client.publish(Version::V5, site.port(), &site.device("pump-7"), &message).code, Some(0));
    }
}
