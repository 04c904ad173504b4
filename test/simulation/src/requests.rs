//! What clients ask for: connections, subscriptions, messages.

use signet_broker::{ConnectionId, Input, admit_without_chain};
use signet_mqtt::{
    ClientIdentifier, Connect, ConnectProperties, Disconnect, Packet, ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode,
    RetainHandling, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, TopicName, Unsubscribe,
    UserProperties, Will, WillProperties,
};
use signet_policy::Origin;

use crate::actor::{QUALITIES, Request};
use crate::history::{Entry, Label, MessageSpec, SubscriptionSpec, What, WillSpec};
use crate::link::Link;
use crate::people::{FILTERS, LOCKED, SHARED, TOPICS, WATCHER, durability, name};
use crate::swarm::Swarm;
use crate::world::World;

/// Session Expiry Intervals of sessions that are to last, in seconds: long, or about as long as a pause.
const LONG: u32 = 1_000_000;
const SHORT: [u32; 3] = [1, 3, 20];

impl World {
    // --- connections

    /// A client without a connection makes one. Its old one may not be noticed to be gone yet: that is a take-over.
    pub(crate) fn connect(&mut self, client: usize) {
        if self.actors[client].link.is_some() {
            return;
        }
        let Some(generation) = self.handshake(client) else { return };
        let version = if client == WATCHER {
            ProtocolVersion::V5
        } else {
            self.dice.pick(&[ProtocolVersion::V5, ProtocolVersion::V5, ProtocolVersion::V311, ProtocolVersion::V31])
        };
        let is_lasting = client == WATCHER || self.dice.percent(self.swarm.persistent);
        let is_short = client != WATCHER && self.dice.percent(self.swarm.short);
        let mut clean = client != WATCHER && self.dice.percent(self.swarm.clean) || self.actors[client].must_start_clean;
        let expiry = match (is_lasting, is_short) {
            (false, _) => 0,
            (true, true) => self.dice.pick(&SHORT),
            (true, false) => LONG,
        };
        // In MQTT 3 one flag says both.
        let granted = if version.has_properties() {
            expiry
        } else {
            clean |= !is_lasting;
            if clean { 0 } else { self.people.limits.session_expiry_maximum }
        };
        if self.would_disturb_group(client, clean, granted) {
            return;
        }
        let window = Swarm::receive_maximum(&mut self.dice).filter(|_| version.has_properties());
        // Who watches sees the Wills of one tenant.
        let is_seen = self.history.tenant(client) == 0;
        let will = (self.dice.percent(self.swarm.will) && is_seen).then(|| self.will(client, version));
        let properties = ConnectProperties {
            session_expiry_interval: (version.has_properties() && expiry > 0).then_some(expiry),
            receive_maximum: window,
            topic_alias_maximum: version.has_properties().then(|| self.dice.pick(&[0, 1, 5])),
            ..ConnectProperties::default()
        };
        let (will, will_spec) = will.unzip();
        let connect = Connect {
            version,
            is_bridge: false,
            clean_start: clean,
            keep_alive: 0,
            client_identifier: ClientIdentifier::new(name(client)),
            will,
            username: client.is_multiple_of(2).then(|| name(client).into()),
            password: None,
            properties,
        };
        let id = self.next_link;
        self.next_link += 1;
        let actor = &mut self.actors[client];
        actor.link = Some(id);
        actor.version = version;
        actor.is_persistent = granted > 0;
        actor.must_start_clean |= clean;
        actor.is_there_to_stay = granted >= self.people.limits.session_expiry_maximum;
        let mut link = Link::new(client, version, generation);
        link.send(&Packet::Connect(Box::new(connect)));
        self.links.insert(id, link);
        let expiry = granted.min(self.people.limits.session_expiry_maximum);
        let window = window.map_or(u16::MAX, std::num::NonZeroU16::get);
        self.note(What::Handshaken { client, connection: id, generation });
        self.note(What::Connecting { client, connection: id, version, clean, expiry, window, will: will_spec });
        if clean {
            // [MQTT-3.1.2-4]: both sides begin anew, whether the answer arrives or not.
            for what in self.actors[client].forget_session() {
                self.note(what);
            }
        }
    }

    /// Whether a member's session would end in a run that wants to count what a group gets. One that has to end makes it another kind of run.
    fn would_disturb_group(&mut self, client: usize, clean: bool, granted: u32) -> bool {
        let actor = &self.actors[client];
        let is_member = actor.filters.iter().any(|filter| filter.shared().is_some());
        self.history.is_group_disturbed |= actor.must_start_clean && is_member;
        let is_over = clean || granted < self.people.limits.session_expiry_maximum;
        is_member && is_over && !self.history.is_group_disturbed
    }

    fn will(&mut self, client: usize, version: ProtocolVersion) -> (Will, WillSpec) {
        let topic = TopicName::new(format!("w/{client}")).unwrap();
        let qos = self.dice.pick(&QUALITIES);
        let delay = if version.has_properties() { self.dice.pick(&[0, 0, 1, 5, 60]) } else { 0 };
        let label = self.spec(MessageSpec {
            publisher: client,
            topic: topic.clone(),
            qos,
            retain: false,
            is_clearing: false,
            expiry: None,
            durability: durability("w"),
            is_will: true,
        });
        let properties = WillProperties { delay_interval: (delay > 0).then_some(delay), ..WillProperties::default() };
        let will = Will { topic, payload: label.to_string().into(), qos, retain: false, properties };
        (will, WillSpec { label, delay })
    }

    fn spec(&mut self, spec: MessageSpec) -> Label {
        self.history.messages.push(spec);
        self.history.messages.len() - 1
    }

    /// The broker takes a CONNECT from the network.
    pub(crate) fn admit(&mut self, id: u64, connect: Connect) {
        let Some(link) = self.links.get(&id) else { return };
        let (client, generation) = (link.client, link.generation);
        if !self.is_still_trusted(client, generation) {
            // Registered, compared once more, and refused.
            if let Some(link) = self.links.get_mut(&id) {
                link.close();
            }
            return;
        }
        let peer = self.people.peer(client, generation);
        let people = &self.people;
        let assigned = || ClientIdentifier::new(format!("assigned-{id}"));
        let origin = Origin { address: None, listener: "network".into() };
        let admitted = admit_without_chain(connect, &peer, &people.admission, &people.ruleset, &people.limits, (origin, 0), assigned);
        let admission = admitted.unwrap_or_else(|refusal| panic!("the rules let everybody in: {}", refusal.denied.reason));
        let shard = usize::from(admission.owner(self.host.shards()).0);
        if let Some(link) = self.links.get_mut(&id) {
            link.shard = Some(shard);
        }
        let place = self.history.entries.len();
        self.apply(shard, Input::Admitted { connection: ConnectionId(id), admission: Box::new(admission) });
        // It comes before everything that it caused.
        let is_accepted = self.links.get(&id).is_some_and(|link| link.is_served);
        let session_present = self.links.get(&id).is_some_and(|link| link.session_present);
        // An answer may have arrived in the same step; it cannot have been read yet.
        if let Some(actor) = self.actors.get_mut(client) {
            actor.must_start_clean |= is_accepted && !session_present;
        }
        let what = What::Admitted { client, connection: id, is_accepted, session_present };
        self.history.entries.insert(place, Entry { at: self.now, what });
    }

    /// DISCONNECT, with or without the Will.
    pub(crate) fn say_goodbye(&mut self, client: usize) {
        let actor = &self.actors[client];
        let (Some(id), true) = (actor.link, actor.is_connected) else { return };
        let has_reasons = actor.version.has_properties();
        let reason = if has_reasons && self.dice.percent(30) { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
        let mut disconnect = Disconnect::new(reason);
        let may_change = has_reasons && actor.is_persistent && client != WATCHER && self.swarm.is_group_disturbed;
        if may_change && self.dice.percent(20) {
            disconnect.session_expiry_interval = Some(self.dice.pick(&[0, 2, LONG]));
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.send(&Packet::Disconnect(Box::new(disconnect)));
        link.is_open = false;
        link.down.clear();
        self.lose(client, id);
    }

    // --- subscriptions

    pub(crate) fn subscribe(&mut self, client: usize) {
        if client == WATCHER && !self.actors[WATCHER].filters.is_empty() && self.dice.percent(80) {
            return;
        }
        let is_shared = client != WATCHER && self.dice.percent(self.swarm.shared);
        let (text, qos) = match (client, is_shared) {
            (WATCHER, _) if !self.actors[WATCHER].filters.iter().any(|filter| filter.as_str() == "w/#") => ("w/#", QoS::ExactlyOnce),
            (_, true) => (self.dice.pick(&SHARED), QoS::ExactlyOnce),
            _ => (self.dice.pick(&FILTERS), self.dice.pick(&QUALITIES)),
        };
        let is_calm = !self.swarm.is_group_disturbed;
        if is_shared && is_calm && !self.actors[client].is_there_to_stay {
            return;
        }
        let has_properties = self.actors[client].version.has_properties();
        let subscription = SubscriptionSpec {
            filter: TopicFilter::new(text.to_owned()).unwrap(),
            qos,
            no_local: has_properties && !is_shared && client != WATCHER && self.dice.percent(10),
            identifier: (has_properties && self.dice.percent(30)).then(|| u32::try_from(self.dice.between(1, 9)).unwrap()),
        };
        self.subscribe_to(client, subscription);
    }

    fn subscribe_to(&mut self, client: usize, subscription: SubscriptionSpec) {
        let retain_handling = self.dice.pick(&[RetainHandling::SendAtSubscribe, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
        self.subscribe_as(client, subscription, retain_handling);
    }

    /// Subscribes so that every retained message comes.
    pub(crate) fn ask_for_retained(&mut self, client: usize, subscription: SubscriptionSpec) {
        self.subscribe_as(client, subscription, RetainHandling::SendAtSubscribe);
    }

    fn subscribe_as(&mut self, client: usize, subscription: SubscriptionSpec, retain_handling: RetainHandling) {
        let actor = &mut self.actors[client];
        let (Some(id), true) = (actor.link, actor.is_connected) else { return };
        let options = SubscriptionOptions {
            maximum_qos: subscription.qos,
            no_local: subscription.no_local,
            retain_handling: if actor.version.has_properties() { retain_handling } else { RetainHandling::SendAtSubscribe },
            ..SubscriptionOptions::default()
        };
        let packet_id = actor.request(Request::Subscribe(subscription.filter.clone()));
        actor.wants(&subscription);
        let subscribe = Subscribe {
            packet_id,
            subscription_identifier: subscription.identifier.and_then(SubscriptionIdentifier::new),
            user_properties: UserProperties::default(),
            subscriptions: vec![SubscribeFilter { filter: subscription.filter.clone(), options }],
        };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.send(&Packet::Subscribe(subscribe));
        self.note(What::Subscribing { client, subscription });
    }

    pub(crate) fn unsubscribe(&mut self, client: usize) {
        let actor = &mut self.actors[client];
        let (Some(id), true) = (actor.link, actor.is_connected) else { return };
        if client == WATCHER || actor.filters.is_empty() {
            return;
        }
        let filter = actor.filters[self.dice.below(actor.filters.len())].clone();
        if filter.shared().is_some() && !self.swarm.is_group_disturbed {
            return;
        }
        actor.filters.retain(|known| *known != filter);
        let packet_id = actor.request(Request::Unsubscribe(filter.clone()));
        let unsubscribe = Unsubscribe { packet_id, user_properties: UserProperties::default(), filters: vec![filter.clone()] };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.send(&Packet::Unsubscribe(unsubscribe));
        self.note(What::Unsubscribing { client, filter });
    }

    // --- messages

    pub(crate) fn publish(&mut self, client: usize) {
        let actor = &self.actors[client];
        let (Some(id), true) = (actor.link, actor.is_connected) else { return };
        let qos = self.dice.pick(&QUALITIES);
        // Receive Maximum counts QoS 1 and 2 [MQTT-3.3.4-7].
        if qos > QoS::AtMostOnce && actor.session.in_flight() >= actor.window {
            return;
        }
        let has_properties = actor.version.has_properties();
        let retain = self.dice.percent(self.swarm.retain);
        // Only one client writes to a topic that is retained, so that "the last" means something.
        let topic = if retain {
            format!("r/{client}/{}", self.dice.below(2))
        } else if self.dice.percent(3) {
            LOCKED.to_owned()
        } else {
            self.dice.pick(&TOPICS).to_owned()
        };
        let is_clearing = retain && self.dice.percent(20);
        let expiry = (has_properties && self.dice.percent(self.swarm.expiring)).then(|| u32::try_from(self.dice.between(1, 10)).unwrap());
        let topic_name = TopicName::new(topic.clone()).unwrap();
        let label = self.spec(MessageSpec {
            publisher: client,
            topic: topic_name.clone(),
            qos,
            retain,
            is_clearing,
            expiry,
            durability: durability(&topic),
            is_will: false,
        });
        let mut publish = Publish {
            dup: false,
            qos,
            retain,
            topic: Some(topic_name),
            packet_id: None,
            properties: PublishProperties { message_expiry_interval: expiry, ..PublishProperties::default() }.into(),
            payload: if is_clearing { bytes::Bytes::new() } else { label.to_string().into() },
        };
        if qos == QoS::AtMostOnce && !is_clearing {
            // What may be sent again keeps its topic: an alias means nothing on another connection.
            let is_wanted = self.dice.percent(30);
            self.actors[client].alias(&mut publish, is_wanted);
        }
        let packet = self.actors[client].session.publish(publish, label);
        if let (true, Packet::Publish(publish)) = (is_clearing, &packet) {
            self.people.note_clearing(client, publish, label);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.send(&packet);
        self.note(What::Publishing { client, label, is_again: false });
    }
}
