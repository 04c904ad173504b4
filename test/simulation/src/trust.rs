//! Trust: certificates and their revocation, step by step in the order of the real thing, and rules that change while everything goes on.
//!
//! The real index of revocations is used. The registry of live connections is a model of the order that the real one keeps: a connection is
//! registered before it is compared with the index, and a revocation is in the index before the registry is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use signet_broker::{ConnectionId, Input, Judge, KickCause, SessionRule, WillRule};
use signet_identity::{CertificateId, DeviceIdentity};
use signet_revocation::{Reason, RevocationIndex, RevocationSource, Revoked};

use crate::dice::Dice;
use crate::history::What;
use crate::people::rules;
use crate::world::World;

/// What is known about certificates, and what is being done about them.
pub(crate) struct Trust {
    /// Of its own, so that runs without any of this are what they were before there was.
    pub(crate) dice: Dice,
    /// Percent of steps that are about trust.
    pub(crate) rate: usize,
    index: RevocationIndex,
    /// By client, how many certificates its device has had before the present one.
    generations: Vec<usize>,
    revoking: Option<Revoking>,
    /// Shards that have not heard of the new rules.
    unaware: BTreeSet<usize>,
    is_strict: bool,
    /// Everybody is to be there in the end.
    pub(crate) is_ending: bool,
}

/// A revocation under way.
struct Revoking {
    client: usize,
    generation: usize,
    certificate: CertificateId,
    /// The connections that the registry was asked to end, once it was.
    asked: Option<Vec<u64>>,
}

/// Entitled are those of whose path nothing is in the index.
#[derive(Debug)]
struct Unrevoked(RevocationIndex);

impl Judge for Unrevoked {
    fn is_entitled(&self, identity: &DeviceIdentity) -> bool {
        identity.path().iter().all(|on_path| self.0.lookup(&on_path.id).is_none())
    }
}

impl Trust {
    pub(crate) fn new(seed: u64, clients: usize) -> Self {
        let mut dice = Dice::new(seed.rotate_left(32) ^ 0x5eed_0f74_0571);
        let rate = dice.pick(&[0, 1, 3]);
        Self {
            dice,
            rate,
            index: RevocationIndex::default(),
            // One more than there are: whoever looks at the retained messages.
            generations: vec![0; clients + 1],
            revoking: None,
            unaware: BTreeSet::new(),
            is_strict: false,
            is_ending: false,
        }
    }
}

impl World {
    /// Something about trust happens.
    pub(crate) fn trust_step(&mut self) {
        if self.trust.dice.percent(25) { self.change_rules() } else { self.go_on_revoking() }
    }

    // --- certificates

    /// The TLS handshake, full or resumed: the index is asked in any case. Gives the number of the certificate; nothing if it is refused.
    pub(crate) fn handshake(&mut self, client: usize) -> Option<usize> {
        let generation = self.trust.generations[client];
        let Some(certificate) = self.people.certificate(client, generation) else { return Some(generation) };
        if self.trust.index.lookup(&certificate).is_none() {
            return Some(generation);
        }
        if !self.trust.is_ending && self.trust.dice.percent(50) {
            return None;
        }
        // The same device with another certificate.
        self.trust.generations[client] += 1;
        Some(generation + 1)
    }

    /// The registry has the connection; then it is compared with the index once more.
    pub(crate) fn is_still_trusted(&self, client: usize, generation: usize) -> bool {
        self.people.certificate(client, generation).is_none_or(|certificate| self.trust.index.lookup(&certificate).is_none())
    }

    /// One step of a revocation. What the steps are, and that each may be long after the one before, is what matters here.
    pub(crate) fn go_on_revoking(&mut self) {
        match self.trust.revoking.take() {
            None => self.begin_revoking(),
            Some(Revoking { asked: None, client, generation, certificate }) => {
                let asked = self.ask_registry(client, generation);
                self.trust.revoking = Some(Revoking { asked: Some(asked), client, generation, certificate });
            }
            Some(Revoking { asked: Some(asked), client, generation, certificate }) => {
                let is_closed = |id: &u64| self.links.get(id).is_none_or(|link| !link.is_served);
                if asked.iter().all(is_closed) {
                    self.note(What::RevocationAcknowledged { client, generation });
                } else {
                    self.trust.revoking = Some(Revoking { asked: Some(asked), client, generation, certificate });
                }
            }
        }
    }

    fn begin_revoking(&mut self) {
        let client = self.trust.dice.below(self.actors.len());
        let generation = self.trust.generations[client];
        let Some(certificate) = self.people.certificate(client, generation) else { return };
        if self.trust.index.lookup(&certificate).is_some() {
            return;
        }
        self.enter_index(certificate);
        self.note(What::Revoked { client });
        self.trust.revoking = Some(Revoking { client, generation, certificate, asked: None });
    }

    fn enter_index(&mut self, certificate: CertificateId) {
        let revoked = Revoked { since: 0, reason: Reason::KeyCompromise, source: RevocationSource::Authority };
        self.trust.index = self.trust.index.with_revocations([(certificate, revoked)]);
    }

    /// The registry orders the shards to end connections, and they get the orders when they get to them.
    fn ask_registry(&mut self, client: usize, generation: usize) -> Vec<u64> {
        let will = self.trust.dice.pick(&[WillRule::Publish, WillRule::Drop]);
        let judge: Arc<dyn Judge> = Arc::new(Unrevoked(self.trust.index.clone()));
        for shard in 0..usize::from(self.host.shards()) {
            let session = SessionRule::Keep;
            self.host.order(shard, Input::Review { judge: Arc::clone(&judge), will, session });
        }
        let mut asked = Vec::new();
        for (id, link) in self.links.iter().filter(|(_, link)| link.is_served && (link.client, link.generation) == (client, generation)) {
            let Some(shard) = link.shard else { continue };
            let cause = KickCause::Revoked("keyCompromise");
            let session = SessionRule::Keep;
            self.host.order(shard, Input::Kick { connection: ConnectionId(*id), cause, will, session });
            asked.push(*id);
        }
        asked
    }

    // --- rules

    /// What is secret is shut to its confidant, or opened again. The shards hear of it one after the other.
    fn change_rules(&mut self) {
        if !self.trust.unaware.is_empty() {
            return;
        }
        self.trust.is_strict = !self.trust.is_strict;
        self.people.ruleset = Arc::new(rules(self.trust.is_strict));
        self.trust.unaware = (0..usize::from(self.host.shards())).collect();
        for shard in 0..usize::from(self.host.shards()) {
            self.host.order(shard, Input::PolicyChanged(Arc::clone(&self.people.ruleset)));
        }
        self.note(What::RulesChanging);
    }

    pub(crate) fn heard_of_rules(&mut self, shard: usize) {
        if self.trust.unaware.remove(&shard) && self.trust.unaware.is_empty() {
            self.note(What::RulesInForce { is_strict: self.trust.is_strict });
        }
    }

    /// The process came back: it has the rules of the present, and no orders.
    pub(crate) fn trust_after_restart(&mut self) {
        if !std::mem::take(&mut self.trust.unaware).is_empty() {
            self.note(What::RulesInForce { is_strict: self.trust.is_strict });
        }
    }

    /// What was begun is brought to its end, and who was refused gets another certificate.
    pub(crate) fn finish_trust(&mut self) {
        self.trust.rate = 0;
        self.trust.is_ending = true;
        while self.trust.revoking.is_some() {
            self.go_on_revoking();
            while self.mail(0) {}
        }
    }
}
