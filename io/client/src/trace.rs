//! A line per packet, for `-d`: word for word what Mosquitto's clients print.

use signet_mqtt::{Ack, Packet};

type Sink = Box<dyn FnMut(&str) + Send>;

/// Where packet lines go; [`Trace::off`] when nobody asked.
pub struct Trace {
    /// None before there is one: a broker assigns it.
    client_identifier: Option<String>,
    sink: Option<Sink>,
}

impl Trace {
    /// Writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { client_identifier: None, sink: None }
    }

    /// Hands each line, without line end, to `sink`.
    #[must_use]
    pub fn to(sink: impl FnMut(&str) + Send + 'static) -> Self {
        Self { client_identifier: None, sink: Some(Box::new(sink)) }
    }

    /// From here on lines name the client so; without a name until the first call, or with an empty one.
    pub fn named(&mut self, client_identifier: &str) {
        self.client_identifier = (!client_identifier.is_empty()).then(|| client_identifier.to_owned());
    }

    /// A packet leaves. A PUBLISH of QoS 0 may have a Packet Identifier here: it is shown, and not sent.
    pub fn sending(&mut self, packet: &Packet) {
        match packet {
            Packet::Subscribe(subscribe) => {
                for one in &subscribe.subscriptions {
                    let (mid, topic, qos) = (subscribe.packet_id.get(), one.filter.as_str(), u8::from(one.options.maximum_qos));
                    let options = option_bits(&one.options);
                    self.line(|name| {
                        format!("Client {name} sending SUBSCRIBE (Mid: {mid}, Topic: {topic}, QoS: {qos}, Options: 0x{options:02x})")
                    });
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                for filter in &unsubscribe.filters {
                    let mid = unsubscribe.packet_id.get();
                    self.line(|name| format!("Client {name} sending UNSUBSCRIBE (Mid: {mid}, Topic: {})", filter.as_str()));
                }
            }
            other => self.line(|name| format!("Client {name} sending {}", sent(other))),
        }
    }

    /// A packet came.
    pub fn received(&mut self, packet: &Packet) {
        match packet {
            Packet::Disconnect(disconnect) => self.line(|_| format!("Received DISCONNECT ({})", u8::from(disconnect.reason_code))),
            other => self.line(|name| format!("Client {name} received {}", got(other))),
        }
    }

    /// What is not about one packet: `text` follows the client's name.
    pub fn note(&mut self, text: &str) {
        self.line(|name| format!("Client {name} {text}"));
    }

    fn line(&mut self, text: impl FnOnce(&str) -> String) {
        if let Some(sink) = &mut self.sink {
            sink(&text(self.client_identifier.as_deref().unwrap_or("(null)")));
        }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Trace({})", if self.sink.is_some() { "on" } else { "off" })
    }
}

fn sent(packet: &Packet) -> String {
    let acknowledgement = |name: &str, ack: &Ack| format!("{name} (m{}, rc{})", ack.packet_id.get(), u8::from(ack.reason_code));
    match packet {
        Packet::Publish(publish) => self::publish(publish),
        Packet::Puback(ack) => acknowledgement("PUBACK", ack),
        Packet::Pubrec(ack) => acknowledgement("PUBREC", ack),
        Packet::Pubrel(ack) => format!("PUBREL (m{})", ack.packet_id.get()),
        Packet::Pubcomp(ack) => format!("PUBCOMP (m{})", ack.packet_id.get()),
        other => other.name().to_owned(),
    }
}

fn got(packet: &Packet) -> String {
    let acknowledgement = |name: &str, ack: &Ack| format!("{name} (Mid: {}, RC:{})", ack.packet_id.get(), u8::from(ack.reason_code));
    match packet {
        Packet::Connack(connack) => format!("CONNACK ({})", u8::from(connack.reason_code)),
        Packet::Publish(publish) => self::publish(publish),
        Packet::Puback(ack) => acknowledgement("PUBACK", ack),
        Packet::Pubrec(ack) => format!("PUBREC (Mid: {})", ack.packet_id.get()),
        Packet::Pubrel(ack) => format!("PUBREL (Mid: {})", ack.packet_id.get()),
        Packet::Pubcomp(ack) => acknowledgement("PUBCOMP", ack),
        other => other.name().to_owned(),
    }
}

fn publish(publish: &signet_mqtt::Publish) -> String {
    format!(
        "PUBLISH (d{}, q{}, r{}, m{}, '{}', ... ({} bytes))",
        u8::from(publish.dup),
        u8::from(publish.qos),
        u8::from(publish.retain),
        publish.packet_id.map_or(0, |id| id.get()),
        publish.topic.as_ref().map_or("(null)", |topic| topic.as_str()),
        publish.payload.len()
    )
}

/// The Subscription Options byte without its QoS bits (MQTT 5.0 §3.8.3.1).
fn option_bits(options: &signet_mqtt::SubscriptionOptions) -> u8 {
    use signet_mqtt::RetainHandling;
    let handling = match options.retain_handling {
        RetainHandling::SendAtSubscribe => 0x00,
        RetainHandling::SendIfNew => 0x10,
        RetainHandling::DoNotSend => 0x20,
    };
    handling | if options.no_local { 0x04 } else { 0 } | if options.retain_as_published { 0x08 } else { 0 }
}
