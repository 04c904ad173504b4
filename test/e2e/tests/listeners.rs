//! Other listeners than quickstart's: without certificates, with optional ones, with names made of other fields.

use signet_e2e::{Client, Credentials, Publication, Site, Subscription, Version, s_client};

/// Sets keys of the one listener.
#[track_caller]
fn with_listener(replacements: &[(&str, &str)]) -> Site {
    let site = Site::quickstart();
    for (from, to) in replacements {
        site.edit("signet.toml", |text| text.replacen(from, to, 1));
    }
    site.signet(&["check"]).succeeded();
    site
}

#[test]
fn an_optional_certificate() {
    let site = with_listener(&[
        ("client_certificate = \"required\"", "client_certificate = \"optional\"\nanonymous = true"),
        ("\nusername = \"${cert.cn}\"", "\n# username = \"${cert.cn}\""),
        ("\n[[access]]\n", "\n[[access]]\nwho = \"anonymous\"\npublish = [\"lobby/#\"]\n\n[[access]]\n"),
    ]);
    let _broker = site.serve();
    let pump = site.device("pump-7");
    for version in Version::ALL {
        for client in Client::ALL {
            client.publish(version, site.port(), &site.nobody(), &Publication::of("lobby/x", "x", 1)).succeeded();
            client.publish(version, site.port(), &pump, &Publication::of("pump-7/x", "x", 1)).succeeded();
        }
    }
    let denied = Client::Mosquitto.publish(Version::V5, site.port(), &site.nobody(), &Publication::of("pump-7/x", "x", 1));
    assert!(denied.output.to_lowercase().contains("not authorized"), "{}", denied.output);
}

#[test]
fn no_certificates_asked_for_and_nobody_anonymous_allowed() {
    let site = with_listener(&[
        ("client_certificate = \"required\"", "client_certificate = \"none\"\nanonymous = true"),
        ("\nusername = \"${cert.cn}\"", "\n# username"),
        ("\ndevice = \"${cert.cn}\"", "\n# device"),
        ("who = \"devices\"", "who = \"username:ann\""),
        ("publish = [\"${device}/#\"]", "publish = [\"${username}/#\"]"),
        ("subscribe = [\"${device}/#\"]", "subscribe = [\"${username}/#\"]"),
    ]);
    let _broker = site.serve();
    // A device's certificate is not looked at here: it is nobody's.
    let subscription = Subscription::to("pump-7/#", 0, "x");
    let denied = Client::Paho.subscribe(Version::V5, site.port(), &site.device("pump-7"), &subscription);
    denied.wait_for("subscribed 135");
}

/// The name from another field of the certificate, and with it the topics.
#[test]
fn a_name_from_the_subject_alternative_name() {
    let site = with_listener(&[
        ("\ndevice = \"${cert.cn}\"", "\ndevice = \"unit-${cert.san.dns}\""),
        ("\nusername = \"${cert.cn}\"", "\nusername = \"${cert.issuer.cn}\"\nclient_identifier = \"${cert.serial}\""),
    ]);
    let broker = site.serve();
    let watch = Subscription { count: 1, ..Subscription::to("unit-pump-7/#", 1, "ignored") };
    let watcher = Client::Mosquitto.subscribe(Version::V5, site.port(), &site.device("pump-7"), &watch);
    Client::Mosquitto.wait_subscribed(&watcher);
    broker.logs_all(&["connected", "unit-pump-7"]);
    // One identifier for one certificate: the publisher takes the session over from the subscriber.
    let publisher = Client::Paho.publish(Version::V5, site.port(), &site.device("pump-7"), &Publication::of("unit-pump-7/x", "x", 1));
    publisher.succeeded();
    watcher.wait_for("DISCONNECT (142)");
}

#[test]
fn tls_1_3_only() {
    let site = with_listener(&[("# tls_min = \"1.2\"", "tls_min = \"1.3\"")]);
    let _broker = site.serve();
    let pump = site.device("pump-7");
    let old = s_client::refused(&site, &pump, &["-tls1_2"]);
    assert!(old.contains("alert protocol version") || old.contains("SSL alert number 70"), "{old}");
    s_client::accepted(&site, &pump, "session.pem", &["-tls1_3"]);
}

/// A device certificate of another broker's authority, though both CAs have the same name.
#[test]
fn an_authority_of_the_same_name_is_not_the_same() {
    let site = Site::quickstart();
    let other = Site::quickstart();
    let broker = site.serve();
    let stranger = Credentials { cafile: site.path("ca/ca.pem"), ..other.device("pump-7") };
    let attempt = Client::Mosquitto.publish(Version::V5, site.port(), &stranger, &Publication::of("pump-7/x", "x", 1));
    assert_ne!(attempt.code, Some(0), "{}", attempt.output);
    broker.logs_all(&["refused", "CN=pump-7"]);
}
