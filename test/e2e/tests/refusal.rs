//! Who must not get in does not get in, with any client and in every version; the broker's log says who it was and what failed, and the
//! client gets the TLS alert that the standard names.

use signet_e2e::{Client, Credentials, Pki, Publication, Site, Subscription, Validity, Version, s_client};

/// Tries with every client and version; each must fail, and the log must name the check each time.
#[track_caller]
fn is_refused(site: &Site, credentials: &Credentials, log: &[&str]) {
    let broker = site.serve();
    for version in Version::ALL {
        for client in Client::ALL {
            let message = Publication::of("pump-7/temp", "must not arrive", 1);
            let attempt = client.publish(version, site.port(), credentials, &message);
            assert_ne!(attempt.code, Some(0), "{client:?} {version:?} got in:\n{}", attempt.output);
        }
    }
    broker.logs_all(log);
    let refused = broker.log().lines().filter(|line| log.iter().all(|text| line.contains(text))).count();
    // `signet pub` looks at its own certificate first and may not even try.
    assert!(refused >= (Client::ALL.len() - 1) * Version::ALL.len(), "{refused} lines with {log:?}:\n{}", broker.log());
}

/// The alert number that `openssl s_client` shows for both TLS versions.
#[track_caller]
fn gets_alert(site: &Site, credentials: &Credentials, number: u8) {
    let _broker = site.serve();
    for version in ["-tls1_2", "-tls1_3"] {
        let output = s_client::refused(site, credentials, &[version]);
        assert!(output.contains(&format!("SSL alert number {number}")), "{version}:\n{output}");
    }
}

#[test]
fn a_certificate_of_another_ca() {
    let site = Site::quickstart();
    let other = Pki::new("Other CA");
    let stranger = other.issue("pump-7", Validity::Now, &site.path("ca/ca.pem"));
    is_refused(&site, &stranger, &["refused", "CN=pump-7", "CN=Other CA"]);
    gets_alert(&site, &stranger, 48);
}

#[test]
fn no_certificate() {
    let site = Site::quickstart();
    is_refused(&site, &site.nobody(), &["refused", "no certificate"]);
    gets_alert(&site, &site.nobody(), 116);
}

#[test]
fn an_expired_certificate() {
    let site = Site::quickstart();
    let issuing = Pki::of(&site.path("ca/issuing.pem"), &site.path("ca/issuing.key"));
    let expired = issuing.issue("pump-7", Validity::Past, &site.path("ca/ca.pem"));
    is_refused(&site, &expired, &["refused", "CN=pump-7", "validity"]);
    gets_alert(&site, &expired, 45);
}

#[test]
fn a_revoked_certificate() {
    let site = Site::quickstart();
    site.signet(&["device", "revoke", "pump-7", "--reason", "keyCompromise"]).succeeded();
    is_refused(&site, &site.device("pump-7"), &["refused", "CN=pump-7", "revocation", "keyCompromise"]);
    gets_alert(&site, &site.device("pump-7"), 44);
}

/// `openssl x509 -req` without an extension file makes X.509 version 1: the log says so and how to make a version 3.
#[test]
fn a_version_1_certificate() {
    let site = Site::quickstart();
    let issuing = Pki::of(&site.path("ca/issuing.pem"), &site.path("ca/issuing.key"));
    let old = issuing.issue_version_1("pump-7", &site.path("ca/ca.pem"));
    is_refused(&site, &old, &["refused", "CN=pump-7", "version 1", "-extfile"]);
    gets_alert(&site, &old, 43);
}

/// A server's certificate does not make a device.
#[test]
fn a_certificate_for_another_use() {
    let site = Site::quickstart();
    let server = Credentials { certificate: Some((site.path("server/server.pem"), site.path("server/server.key"))), ..site.nobody() };
    is_refused(&site, &server, &["refused", "CN=localhost", "usage"]);
    gets_alert(&site, &server, 43);
}

/// The template finds no such field: there is no fallback.
#[test]
fn a_certificate_without_the_field_that_names_the_device() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replace("\ndevice = \"${cert.cn}\"", "\ndevice = \"${cert.san.email}\""));
    is_refused(&site, &site.device("pump-7"), &["refused", "CN=pump-7", "device name", "cert.san.email"]);
    gets_alert(&site, &site.device("pump-7"), 49);
}

/// A list that says nothing about today: refuse, unless told to go on.
#[test]
fn a_device_whose_issuer_has_an_overdue_list() {
    let site = Site::quickstart();
    let partner = Pki::new("Partner CA");
    std::fs::copy(partner.path("ca.pem"), site.path("ca/partner.pem")).expect("the CA can be copied");
    partner.overdue_crl(&site.path("ca/partner-crl.pem"));
    site.edit("signet.toml", |text| {
        text.replacen("trust = [\"ca/ca.pem\"]", "trust = [\"ca/ca.pem\", \"ca/partner.pem\"]\ncrl = [\"ca/partner-crl.pem\"]", 1)
    });
    let valve = partner.issue("valve-1", Validity::Now, &site.path("ca/ca.pem"));
    is_refused(&site, &valve, &["refused", "CN=valve-1", "revocation list freshness"]);
    gets_alert(&site, &valve, 46);
    // Devices of our own authority are not concerned.
    let broker = site.serve();
    let message = Publication::of("pump-7/x", "x", 1);
    Client::Mosquitto.publish(Version::V5, site.port(), &site.device("pump-7"), &message).succeeded();
    broker.stop().succeeded();

    site.edit("signet.toml", |text| text.replacen("# crl_stale = \"deny\"", "crl_stale = \"allow\"", 1));
    let _broker = site.serve();
    Client::Mosquitto.publish(Version::V5, site.port(), &valve, &Publication::of("valve-1/x", "x", 1)).succeeded();
}

/// A device may not speak under another's identifier when the listener binds them.
#[test]
fn a_client_identifier_of_another_device() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replace("\nbind_client_identifier = \"any\"", "\nbind_client_identifier = \"${device}*\""));
    let broker = site.serve();
    let pump = site.device("pump-7");
    for version in Version::ALL {
        for client in Client::ALL {
            let as_other = Publication { client_identifier: "pump-8", ..Publication::of("pump-7/temp", "x", 1) };
            let attempt = client.publish(version, site.port(), &pump, &as_other);
            assert_ne!(attempt.code, Some(0), "{client:?} {version:?} got in:\n{}", attempt.output);
            let as_itself = Publication { client_identifier: "pump-7-a", ..as_other };
            client.publish(version, site.port(), &pump, &as_itself).succeeded();
        }
    }
    broker.logs_all(&["pump-8", "pump-7"]);
}

/// Nothing is allowed unless a rule allows it, and MQTT 5.0 says so to the publisher.
#[test]
fn a_topic_of_another_device() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let pump = site.device("pump-7");
    let watch = Subscription { count: 1, ..Subscription::to("pump-7/#", 2, "watcher") };
    let watcher = Client::Mosquitto.subscribe(Version::V5, site.port(), &pump, &watch);
    Client::Mosquitto.wait_subscribed(&watcher);

    let foreign = Publication::of("pump-8/temp", "x", 1);
    let attempt = Client::Mosquitto.publish(Version::V5, site.port(), &pump, &foreign);
    assert!(attempt.says("not authorized") || attempt.says("Not authorized"), "{}", attempt.output);

    let subscription = Subscription::to("pump-8/#", 0, "nosy");
    let nosy = Client::Paho.subscribe(Version::V5, site.port(), &pump, &subscription);
    nosy.wait_for("subscribed 135");

    Client::Mosquitto.publish(Version::V5, site.port(), &pump, &Publication::of("pump-7/temp", "end", 1)).succeeded();
    assert!(watcher.finish().succeeded().says("message pump-7/temp 1 0 end"));
}

/// The broker's certificate is checked by every client: one from a CA they do not trust is refused by them.
#[test]
fn the_clients_refuse_a_broker_of_another_ca() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let other = Pki::new("Other CA");
    let mistrusting = Credentials { cafile: other.path("ca.pem"), ..site.device("pump-7") };
    for client in Client::ALL {
        let attempt = client.publish(Version::V5, site.port(), &mistrusting, &Publication::of("pump-7/temp", "x", 1));
        assert_ne!(attempt.code, Some(0), "{client:?} trusted it:\n{}", attempt.output);
    }
}
