//! One line per packet, for `-d`: the wording that users of mosquitto's clients already know how to read.

use signet_mqtt::{Ack, Packet, ReasonCode};

type Sink = Box<dyn FnMut(&str) + Send>;

/// Where packet lines go; [`Trace::off`] when nobody asked.
pub struct Trace {
    client_identifier: String,
    sink: Option<Sink>,
}

impl Trace {
    /// Writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { client_identifier: String::new(), sink: None }
    }

    /// Hands each line, without line end, to `sink`.
    #[must_use]
    pub fn to(sink: impl FnMut(&str) + Send + 'static) -> Self {
        Self { client_identifier: String::new(), sink: Some(Box::new(sink)) }
    }

    pub(crate) fn named(&mut self, client_identifier: &str) {
        client_identifier.clone_into(&mut self.client_identifier);
    }

    pub(crate) fn sending(&mut self, packet: &Packet) {
        self.line(|name| format!("Client {name} sending {}", sent(packet)));
    }

    pub(crate) fn received(&mut self, packet: &Packet) {
        self.line(|name| format!("Client {name} received {}", got(packet)));
        if let Packet::Suback(suback) = packet {
            let granted: Vec<String> = suback.reason_codes.iter().map(|code| u8::from(*code).to_string()).collect();
            self.line(|_| format!("Subscribed (mid: {}): {}", suback.packet_id.get(), granted.join(", ")));
        }
    }

    fn line(&mut self, text: impl FnOnce(&str) -> String) {
        if let Some(sink) = &mut self.sink {
            sink(&text(&self.client_identifier));
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
        Packet::Subscribe(subscribe) => {
            let filters: Vec<String> = subscribe
                .subscriptions
                .iter()
                .map(|one| {
                    format!(
                        "Topic: {}, QoS: {}, Options: 0x{:02x}",
                        one.filter.as_str(),
                        u8::from(one.options.maximum_qos),
                        option_bits(&one.options)
                    )
                })
                .collect();
            format!("SUBSCRIBE (Mid: {}, {})", subscribe.packet_id.get(), filters.join("; "))
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters: Vec<&str> = unsubscribe.filters.iter().map(|filter| filter.as_str()).collect();
            format!("UNSUBSCRIBE (Mid: {}, Topic: {})", unsubscribe.packet_id.get(), filters.join(", "))
        }
        other => other.name().to_owned(),
    }
}

fn got(packet: &Packet) -> String {
    let acknowledgement = |name: &str, ack: &Ack| format!("{name} (Mid: {}, RC:{})", ack.packet_id.get(), u8::from(ack.reason_code));
    match packet {
        Packet::Connack(connack) => format!("CONNACK ({})", u8::from(connack.reason_code)),
        Packet::Publish(publish) => self::publish(publish),
        Packet::Puback(ack) => acknowledgement("PUBACK", ack),
        Packet::Pubrec(ack) => acknowledgement("PUBREC", ack),
        Packet::Pubrel(ack) => format!("PUBREL (Mid: {})", ack.packet_id.get()),
        Packet::Pubcomp(ack) => acknowledgement("PUBCOMP", ack),
        Packet::Disconnect(disconnect) if disconnect.reason_code != ReasonCode::Success => {
            format!("DISCONNECT ({})", u8::from(disconnect.reason_code))
        }
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
        publish.topic.as_ref().map_or("", |topic| topic.as_str()),
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
