//! Topics that the Server takes for itself: requests to it below `$CONTROL/`, and birth certificates of Sparkplug.
//!
//! A request is held like a packet about which somebody is asked: nothing behind it is looked at before whoever it is for has answered. So the requests of
//! one client are carried out in their order, one at a time, and the acknowledgement says that it was.

use std::sync::Arc;

use bytes::Bytes;
use signet_mqtt::{Message, PacketId, Publish, QoS, TopicName};
use signet_policy::{PublishPermit, authorize_server_publish};

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::durability::Durability;
use crate::identifiers::SubscriptionIdentifiers;
use crate::ids::ConnectionId;
use crate::output::Output;
use crate::queue::Pending;
use crate::route::Origin;
use crate::store::Store;

/// Below which requests to the Server are published.
const CONTROL: &str = "$CONTROL/";

/// Before the topics of birth certificates that the Server keeps.
const CERTIFICATES: &str = "$sparkplug/certificates/";

/// The answer to a request ([`Output::Control`]).
#[derive(Debug, Clone, Default)]
pub struct ControlAnswer {
    /// What the Server publishes, below `$CONTROL/`, to whoever has subscribed to it.
    pub publish: Vec<Message>,
    /// What the client alone gets, whether it has subscribed to it or not, with QoS 0.
    pub reply: Option<Message>,
}

impl Broker {
    /// Whether what is published there is a request to the Server.
    pub(crate) fn is_control(&self, topic: &TopicName) -> bool {
        self.ruleset.own_topics().control && topic.as_str().starts_with(CONTROL)
    }

    /// A request waits for its answer.
    pub(crate) fn control<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        permit: PublishPermit,
        publish: &Publish,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let client = Arc::clone(&connection.client);
        connection.asking.get_or_insert_default().control = Some((publish.qos, publish.packet_id));
        let payload = Bytes::copy_from_slice(&publish.payload);
        context.output.push(Output::Control { connection: id, client, topic: permit.into_topic(), payload });
    }

    /// A request was carried out, or refused. The answer goes out before the acknowledgement, as with Mosquitto; and even if whoever asked is gone.
    pub(crate) fn controlled<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        answer: ControlAnswer,
        context: &mut Context<'_, D, S>,
    ) {
        for message in answer.publish {
            self.publish_own(message, context);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some((qos, packet_id)) = connection.asking.as_mut().and_then(|asking| asking.control.take()) else { return };
        connection.keep_alive.heard(context.now);
        if let Some(message) = answer.reply.filter(|_| connection.is_writable) {
            let (retain, identifiers) = (false, SubscriptionIdentifiers::default());
            let message = Arc::new(message);
            let pending = Pending { id: None, message, qos: QoS::AtMostOnce, retain, identifiers, received_at: context.now, shared: None };
            connection.transmit(pending, context.now, (context.output, &mut self.stats));
        }
        if let Some(packet_id) = packet_id {
            self.acknowledge_control(id, (qos, packet_id), context);
        }
        self.go_on(id, context);
    }

    /// Keeps a birth certificate of Sparkplug, where the Server does so, for those who come later.
    pub(crate) fn keep_birth_certificate<D: SharedDirectory, S: Store>(
        &mut self,
        message: Message,
        durability: Durability,
        context: &mut Context<'_, D, S>,
    ) {
        let Ok(topic) = TopicName::new(format!("{CERTIFICATES}{}", message.topic.as_str())) else { return };
        let Ok(permit) = authorize_server_publish(&topic) else { return };
        let origin = Origin { publisher: None, known: None, durability, is_refusable: true };
        // One for which there is no room is not kept: its own message went on its way.
        drop(self.route(permit, Message { topic, retain: true, ..message }, origin, context));
    }

    /// Whether what is published there is a birth certificate that is kept.
    pub(crate) fn is_birth_certificate(&self, topic: &TopicName) -> bool {
        self.ruleset.own_topics().birth_certificates && is_birth(topic.as_str())
    }
}

/// `spBv1.0/GROUP/NBIRTH/NODE` and `spBv1.0/GROUP/DBIRTH/NODE/DEVICE`.
fn is_birth(topic: &str) -> bool {
    let mut levels = topic.split('/');
    let (Some("spBv1.0"), Some(_), Some(kind), Some(_)) = (levels.next(), levels.next(), levels.next(), levels.next()) else {
        return false;
    };
    matches!((kind, levels.next(), levels.next()), ("NBIRTH", None, None) | ("DBIRTH", Some(_), None))
}

/// The request of a connection that waits for its answer.
pub(crate) type Request = (QoS, Option<PacketId>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_topics_are_births() {
        for (topic, expected) in [
            ("spBv1.0/g/NBIRTH/n", true),
            ("spBv1.0/g/DBIRTH/n/d", true),
            ("spBv1.0/g/NBIRTH/n/d", false),
            ("spBv1.0/g/DBIRTH/n", false),
            ("spBv1.0/g/NDEATH/n", false),
            ("spBv2.0/g/NBIRTH/n", false),
            ("spBv1.0/g/NBIRTH", false),
        ] {
            assert_eq!(is_birth(topic), expected, "{topic}");
        }
    }
}
