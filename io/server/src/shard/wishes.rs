//! What a client wants to do, where access sources are asked about each wish: its connection is not read until there is an answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use signet_broker::{Application, ConnectionId, ControlAnswer, Input};
use signet_mqtt::{Message, QoS, TopicName};
use signet_net::LinkId;
use signet_policy::{AccessAnswer, AccessQuestion, Answers, Client, Passed};

use super::Shard;
use crate::authentication::Promise;
use crate::control::ControlRequest;
use crate::mailbox::Mail;
use crate::vouching::Vouching;

impl Shard {
    /// Asks a source for the broker.
    pub(super) fn ask_about_wish(&mut self, id: LinkId, client: Arc<Client>, question: AccessQuestion) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.marks.asking = true;
        self.ask_source(id, client, question);
    }

    /// Its answer comes as mail, as soon as there is one; that nobody can be asked is an answer too.
    fn ask_source(&self, id: LinkId, client: Arc<Client>, question: AccessQuestion) {
        let Some(mailbox) = self.shared.mailboxes.get(usize::from(self.index)).cloned() else { return };
        let asked = question.clone();
        let nothing = AccessAnswer::Failed("whoever was asked has broken down".to_owned());
        let promise = Promise::new((nothing, Duration::ZERO), move |(answer, lasts)| {
            mailbox.post_one(Mail::Answered(id, asked, answer, lasts));
        });
        let done = move |answer, lasts| promise.keep((answer, lasts));
        match &self.shared.asked.authentication {
            Some(authentication) => authentication.ask(client, question, Box::new(done)),
            None => done(AccessAnswer::Failed("nobody asks access sources about topics here".to_owned()), Duration::ZERO),
        }
    }

    /// A source has answered.
    pub(super) fn answered_about(&mut self, id: LinkId, question: AccessQuestion, answer: AccessAnswer, lasts: Duration) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match link.entrance.vouching.take().map(|vouching| *vouching) {
            Some(Vouching::AskingWill(application, passed, mut answers)) if !link.phase.is_closing() => {
                answers.remember(question, answer, lasts, 0);
                self.enter(id, application, passed, answers);
                self.enqueue(id);
            }
            other => {
                link.entrance.vouching = other.map(Box::new);
                link.marks.asking = false;
                self.apply(Input::Answered { connection: ConnectionId(id.number()), question, answer, lasts });
                // Unless the broker has another question, what the client has sent meanwhile has its turn.
                self.enqueue(id);
            }
        }
    }

    /// Gives a request below `$CONTROL/` to whoever carries it out. Its answer comes as mail; that nobody does is an answer too.
    pub(super) fn control(&mut self, request: ControlRequest) {
        let Some(mailbox) = self.shared.mailboxes.get(usize::from(self.index)).cloned() else { return };
        let id = request.connection;
        if let Some(link) = self.links.get_mut(&id) {
            link.marks.asking = true;
        }
        let promise = Promise::new(unavailable(&request.topic), move |answer| mailbox.post_one(Mail::Controlled(id, answer)));
        if let Some(control) = self.shared.asked.control.get() {
            control.request(request, Box::new(move |answer| promise.keep(answer)));
        }
    }

    /// A request was carried out.
    pub(super) fn controlled(&mut self, id: LinkId, answer: ControlAnswer) {
        if let Some(link) = self.links.get_mut(&id) {
            link.marks.asking = false;
        }
        self.apply(Input::Controlled { connection: ConnectionId(id.number()), answer });
        self.enqueue(id);
    }

    /// Somebody may connect: asks what there is to ask about its Will, and then lets it in.
    pub(super) fn enter(&mut self, id: LinkId, application: Application, passed: Box<Passed>, answers: Answers) {
        match application.will_question(&passed, &self.ruleset, &answers) {
            Some((client, question)) => {
                let Some(link) = self.links.get_mut(&id) else { return };
                let time = link.listener().rules().config.authentication_timeout;
                link.entrance.vouching = Some(Box::new(Vouching::AskingWill(application, passed, answers)));
                self.set_deadline_in(id, time);
                self.ask_source(id, Arc::new(client), question);
            }
            None => self.vouched_for(id, application, *passed, answers),
        }
    }
}

/// The answer to a request that nobody carries out, in Mosquitto's words.
pub(crate) fn unavailable(topic: &TopicName) -> ControlAnswer {
    let reply = TopicName::new(format!("{}/response", topic.as_str())).map(|topic| Message {
        topic,
        payload: Bytes::from_static(br#"{"error": "endpoint not available"}"#),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Default::default(),
    });
    ControlAnswer { publish: Vec::new(), reply: reply.ok() }
}
