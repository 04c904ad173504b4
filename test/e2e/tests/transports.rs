//! Other people's clients over WebSocket, with and without TLS, and over unix sockets; and the same identity, topics and messages everywhere.

use signet_e2e::{Client, Door, Publication, Site, Subscription, Version};

/// The quickstart's broker with two WebSocket listeners and a unix socket beside.
struct Doors {
    site: Site,
    ws: Door,
    wss: Door,
    unix: Door,
}

fn doors() -> Doors {
    let site = Site::quickstart();
    let (ws, wss) = (site.free_port(), site.free_port());
    let extra = format!(
        "\n[[listener]]\nname = \"ws\"\nbind = [\"127.0.0.1:{ws}\"]\ntransport = \"ws\"\nanonymous = true\n\n\
         [[listener]]\nname = \"wss\"\nbind = [\"127.0.0.1:{wss}\"]\ntransport = \"wss\"\ncertificate = \"server/server.pem\"\n\
         key = \"server/server.key\"\ntrust = [\"ca/ca.pem\"]\nusername = \"${{cert.cn}}\"\n\n\
         [[listener]]\nname = \"local\"\nbind = [\"unix:mqtt.sock\"]\nunix_mode = \"0600\"\ntransport = \"tcp\"\nanonymous = true\n\n\
         [[access]]\nwho = \"anonymous\"\npublish = [\"pump-7/#\"]\nsubscribe = [\"pump-7/#\"]\n"
    );
    site.edit("signet.toml", |text| text + &extra);
    let checked = site.signet(&["check"]).succeeded().output;
    assert!(checked.contains(&format!("listener `wss`: wss on 127.0.0.1:{wss}")), "{checked}");
    assert!(checked.contains("listener `local`: tcp on unix:mqtt.sock"), "{checked}");
    let unix = Door::Unix(site.path("mqtt.sock"));
    Doors { site, ws: Door::WebSocket(ws), wss: Door::SecureWebSocket(wss), unix }
}

/// A subscriber behind `door` hears from a publisher behind every door, at every QoS.
#[track_caller]
fn receives_through(door: impl Fn(&Doors) -> Door, makes: &[Client]) {
    let doors = doors();
    let broker = doors.site.serve();
    let pump = doors.site.device("pump-7");
    let publishers = [(Client::WEBSOCKET, &doors.ws), (Client::WEBSOCKET, &doors.wss), (Client::UNIX, &doors.unix)];
    for version in Version::ALL {
        for receiver in makes {
            let count = publishers.len() * 3;
            let subscription = Subscription { count, ..Subscription::to("pump-7/#", 2, "receiver") };
            let subscriber = receiver.subscribe(version, door(&doors), &pump, &subscription);
            receiver.wait_subscribed(&subscriber);
            for (round, (clients, from)) in publishers.iter().enumerate() {
                for (qos, publisher) in (0..=2).zip(clients) {
                    let payload = format!("{round}-{qos}");
                    publisher.publish(version, (*from).clone(), &pump, &Publication::of("pump-7/temp", &payload, qos)).succeeded();
                    subscriber.wait_for(&receiver.shows("pump-7/temp", qos, false, &payload));
                }
            }
            subscriber.finish().succeeded();
        }
    }
    broker.stop().succeeded();
    assert!(!doors.site.path("mqtt.sock").exists(), "the socket goes with the broker");
}

#[test]
fn messages_arrive_over_websocket() {
    receives_through(|doors| doors.ws.clone(), &Client::WEBSOCKET);
}

#[test]
fn messages_arrive_over_secure_websocket_with_certificates() {
    receives_through(|doors| doors.wss.clone(), &Client::WEBSOCKET);
}

#[test]
fn messages_arrive_over_a_unix_socket() {
    receives_through(|doors| doors.unix.clone(), &Client::UNIX);
}

#[test]
fn a_large_message_crosses_every_door() {
    let doors = doors();
    let _broker = doors.site.serve();
    let pump = doors.site.device("pump-7");
    let payload = "x".repeat(100_000);
    for (client, door) in
        [(Client::Paho, &doors.ws), (Client::MqttJs, &doors.wss), (Client::Signet, &doors.wss), (Client::Paho, &doors.unix)]
    {
        let subscription = Subscription { count: 1, ..Subscription::to("pump-7/large", 1, "receiver") };
        let subscriber = client.subscribe(Version::V5, door.clone(), &pump, &subscription);
        client.wait_subscribed(&subscriber);
        client.publish(Version::V5, door.clone(), &pump, &Publication::of("pump-7/large", &payload, 1)).succeeded();
        subscriber.wait_for(&client.shows("pump-7/large", 1, false, &payload));
        subscriber.finish().succeeded();
    }
}

#[test]
fn a_certificate_is_needed_and_revoked_over_websocket_too() {
    let doors = doors();
    let broker = doors.site.serve();
    let nobody = doors.site.nobody();
    for client in Client::WEBSOCKET {
        let refused = client.publish(Version::V5, doors.wss.clone(), &nobody, &Publication::of("pump-7/x", "x", 0));
        assert_ne!(refused.code, Some(0), "{client:?}: {}", refused.output);
    }
    broker.logs_all(&["refused", "listener=\"wss\"", "certificate present"]);
    let pump = doors.site.device("pump-7");
    let subscriber = Client::Paho.subscribe(Version::V5, doors.wss.clone(), &pump, &Subscription::to("pump-7/#", 0, "reader"));
    Client::Paho.wait_subscribed(&subscriber);
    doors.site.signet(&["device", "revoke", "pump-7"]).succeeded();
    subscriber.wait_for("disconnected 152");
}

#[test]
fn the_socket_a_killed_broker_left_is_taken_over_and_a_running_ones_is_not() {
    let doors = doors();
    let broker = doors.site.serve();
    broker.signal("KILL");
    broker.stop();
    assert!(doors.site.path("mqtt.sock").exists());
    let _broker = doors.site.serve();
    let Door::Unix(path) = &doors.unix else { return };
    let second = Site::empty();
    second.write("signet.toml", &format!("[[listener]]\nbind = [\"unix:{}\"]\ntransport = \"tcp\"\nanonymous = true\n", path.display()));
    let refused = second.signet(&["serve"]);
    assert!(refused.code != Some(0) && refused.says("another process listens on"), "{}", refused.output);
    let pump = doors.site.device("pump-7");
    Client::Mosquitto.publish(Version::V311, doors.unix.clone(), &pump, &Publication::of("pump-7/x", "x", 1)).succeeded();
}
