//! Messages between other people's clients over mutual TLS: every client subscribes to every client, in every version of MQTT, at
//! every QoS; retained messages and wills besides.

use signet_e2e::{Client, Publication, Site, Subscription, Version, Will};

/// Every publisher sends one message of each QoS to a subscriber of `receiver`'s make.
#[track_caller]
fn receives_from_everybody(receiver: Client, version: Version) {
    let site = Site::quickstart();
    let broker = site.serve();
    let pump = site.device("pump-7");
    let subscription = Subscription { count: Client::ALL.len() * 3, ..Subscription::to("pump-7/#", 2, "receiver") };
    let subscriber = receiver.subscribe(version, site.port(), &pump, &subscription);
    receiver.wait_subscribed(&subscriber);

    for publisher in Client::ALL {
        for qos in 0..=2 {
            let payload = format!("{publisher:?}-{qos}");
            let message = Publication::of("pump-7/temp", &payload, qos);
            publisher.publish(version, site.port(), &pump, &message).succeeded();
            subscriber.wait_for(&receiver.shows("pump-7/temp", qos, false, &payload));
        }
    }
    let output = subscriber.finish().succeeded().output;
    for publisher in Client::ALL {
        for qos in 0..=2 {
            let line = receiver.shows("pump-7/temp", qos, false, &format!("{publisher:?}-{qos}"));
            assert_eq!(output.matches(&line).count(), 1, "{line} is not there once:\n{output}");
        }
    }
    broker.stop().succeeded();
}

#[test]
fn mosquitto_receives_from_everybody_3_1() {
    receives_from_everybody(Client::Mosquitto, Version::V31);
}

#[test]
fn mosquitto_receives_from_everybody_3_1_1() {
    receives_from_everybody(Client::Mosquitto, Version::V311);
}

#[test]
fn mosquitto_receives_from_everybody_5_0() {
    receives_from_everybody(Client::Mosquitto, Version::V5);
}

#[test]
fn paho_receives_from_everybody_3_1() {
    receives_from_everybody(Client::Paho, Version::V31);
}

#[test]
fn paho_receives_from_everybody_3_1_1() {
    receives_from_everybody(Client::Paho, Version::V311);
}

#[test]
fn paho_receives_from_everybody_5_0() {
    receives_from_everybody(Client::Paho, Version::V5);
}

#[test]
fn mqtt_js_receives_from_everybody_3_1() {
    receives_from_everybody(Client::MqttJs, Version::V31);
}

#[test]
fn mqtt_js_receives_from_everybody_3_1_1() {
    receives_from_everybody(Client::MqttJs, Version::V311);
}

#[test]
fn mqtt_js_receives_from_everybody_5_0() {
    receives_from_everybody(Client::MqttJs, Version::V5);
}

#[test]
fn signet_receives_from_everybody_3_1() {
    receives_from_everybody(Client::Signet, Version::V31);
}

#[test]
fn signet_receives_from_everybody_3_1_1() {
    receives_from_everybody(Client::Signet, Version::V311);
}

#[test]
fn signet_receives_from_everybody_5_0() {
    receives_from_everybody(Client::Signet, Version::V5);
}

/// The subscriber's QoS is the ceiling of what it receives.
#[test]
fn a_subscription_lowers_the_qos() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let pump = site.device("pump-7");
    for version in Version::ALL {
        for receiver in Client::ALL {
            let subscription = Subscription { count: 1, ..Subscription::to("pump-7/low", 1, "receiver") };
            let subscriber = receiver.subscribe(version, site.port(), &pump, &subscription);
            receiver.wait_subscribed(&subscriber);
            let message = Publication::of("pump-7/low", "x", 2);
            Client::Mosquitto.publish(version, site.port(), &pump, &message).succeeded();
            subscriber.wait_for(&receiver.shows("pump-7/low", 1, false, "x"));
            subscriber.finish().succeeded();
        }
    }
}

/// Kept for whoever comes later, replaced by the next, gone with an empty payload.
#[test]
fn retained_messages_reach_later_subscribers() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let pump = site.device("pump-7");
    for version in Version::ALL {
        for publisher in Client::ALL {
            let topic = format!("pump-7/state/{publisher:?}/{version:?}");
            for payload in ["old", "new"] {
                let message = Publication { retain: true, ..Publication::of(&topic, payload, 1) };
                publisher.publish(version, site.port(), &pump, &message).succeeded();
            }
            for receiver in Client::ALL {
                let subscription = Subscription { count: 1, ..Subscription::to(&topic, 1, "receiver") };
                let subscriber = receiver.subscribe(version, site.port(), &pump, &subscription);
                subscriber.wait_for(&receiver.shows(&topic, 1, true, "new"));
                subscriber.finish().succeeded();
            }
        }
    }
}

/// A client that is gone without a word leaves its will.
#[test]
fn a_lost_connection_publishes_the_will() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let pump = site.device("pump-7");
    for version in Version::ALL {
        for lost in Client::ALL {
            let watch = Subscription { count: 1, ..Subscription::to("pump-7/will", 2, "watcher") };
            let watcher = Client::Mosquitto.subscribe(version, site.port(), &pump, &watch);
            Client::Mosquitto.wait_subscribed(&watcher);

            let payload = format!("lost-{lost:?}");
            let will = Will { topic: "pump-7/will", message: &payload, qos: 1 };
            let subscription = Subscription { will: Some(will), ..Subscription::to("pump-7/x", 0, "mortal") };
            let mortal = lost.subscribe(version, site.port(), &pump, &subscription);
            lost.wait_subscribed(&mortal);
            mortal.kill();

            watcher.wait_for(&format!("message pump-7/will 1 0 {payload}"));
            watcher.finish().succeeded();
        }
    }
}

/// A client that says goodbye takes its will along.
#[test]
fn a_clean_end_drops_the_will() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let pump = site.device("pump-7");
    let watch = Subscription { count: 1, ..Subscription::to("pump-7/#", 2, "watcher") };
    let watcher = Client::Mosquitto.subscribe(Version::V5, site.port(), &pump, &watch);
    Client::Mosquitto.wait_subscribed(&watcher);

    let will = Will { topic: "pump-7/will", message: "must not appear", qos: 1 };
    let subscription = Subscription { will: Some(will), count: 1, ..Subscription::to("$share/a/pump-7/go", 0, "polite") };
    // The rule names pump-7/#, and a shared subscription is judged by its filter.
    let polite = Client::Paho.subscribe(Version::V5, site.port(), &pump, &subscription);
    Client::Paho.wait_subscribed(&polite);
    Client::Mosquitto.publish(Version::V5, site.port(), &pump, &Publication::of("pump-7/go", "now", 0)).succeeded();
    polite.finish().succeeded();

    let output = watcher.finish().succeeded().output;
    assert!(output.contains("message pump-7/go 0 0 now") && !output.contains("must not appear"), "{output}");
}
