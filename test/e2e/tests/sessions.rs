//! Sessions that outlive connections, and messages shared among subscribers, through other people's clients.

#![expect(clippy::expect_used, reason = "a client that cannot be started fails the test")]

use std::process::Command;

use signet_e2e::{Client, Publication, Running, Site, Subscription, Version};

/// A subscriber with a session that the broker keeps.
#[track_caller]
fn persistent(site: &Site, version: &str, more: &[&str]) -> Running {
    let pump = site.device("pump-7");
    let (certificate, key) = pump.certificate.expect("quickstart issues it");
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", &site.port().to_string(), "-V", version, "-d"]);
    command.arg("--cafile").arg(pump.cafile).arg("--cert").arg(certificate).arg("--key").arg(key);
    command.args(["-i", "sleeper", "-c", "-t", "pump-7/#", "-q", "2", "-F", "message %t %q %r %p"]).args(more);
    Running::start(&mut command)
}

#[test]
fn messages_wait_for_a_session_that_is_away() {
    let site = Site::quickstart();
    let _broker = site.serve();
    for (version, expiry) in [("mqttv311", &[][..]), ("mqttv5", &["-x", "3600"][..])] {
        let first = persistent(&site, version, &[&["-E"], expiry].concat());
        first.finish().succeeded();
        for qos in 0..=2 {
            let payload = format!("{version}-{qos}");
            let message = Publication::of("pump-7/temp", &payload, qos);
            Client::Mosquitto.publish(Version::V5, site.port(), &site.device("pump-7"), &message).succeeded();
        }
        let back = persistent(&site, version, &[&["-C", "2"], expiry].concat());
        let output = back.finish().succeeded().output;
        for qos in 1..=2 {
            let line = format!("message pump-7/temp {qos} 0 {version}-{qos}");
            assert_eq!(output.matches(&line).count(), 1, "{output}");
        }
    }
}

/// Each message of a Shared Subscription goes to one of its members, whatever make and wherever in the broker.
#[test]
fn a_shared_subscription_divides_the_messages() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let pump = site.device("pump-7");
    let members: Vec<(Client, Running)> = [Client::Mosquitto, Client::Paho, Client::MqttJs, Client::Signet]
        .into_iter()
        .map(|client| {
            let name = format!("member-{client:?}");
            let subscription = Subscription::to("$share/group/pump-7/#", 1, &name);
            let member = client.subscribe(Version::V5, site.port(), &pump, &subscription);
            client.wait_subscribed(&member);
            (client, member)
        })
        .collect();
    let watch = Subscription { count: 8, ..Subscription::to("pump-7/#", 1, "watcher") };
    let watcher = Client::Mosquitto.subscribe(Version::V5, site.port(), &pump, &watch);
    Client::Mosquitto.wait_subscribed(&watcher);
    for number in 0..8 {
        let payload = format!("job-{number}");
        Client::Mosquitto.publish(Version::V5, site.port(), &pump, &Publication::of("pump-7/job", &payload, 1)).succeeded();
    }
    watcher.finish().succeeded();
    for number in 0..8 {
        let payload = format!("job-{number}");
        let lines = |(client, member): &(Client, Running)| member.output().matches(&client.shows("pump-7/job", 1, false, &payload)).count();
        // The watcher has it already; the member's line may be on its way through a pipe.
        let taken = || members.iter().map(lines).sum::<usize>();
        let deadline = std::time::Instant::now() + signet_e2e::PATIENCE;
        while taken() == 0 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(taken(), 1, "{payload}");
    }
}
