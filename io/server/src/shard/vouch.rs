//! CONNECT where others have to vouch: its connection waits for them, and nobody else does. AUTH, before and after (§4.12).

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use signet_broker::{Application, ConnectionId, Input, KickCause, Refusal, Ticket, WillRule, admit};
use signet_mqtt::{Auth, Connack, Packet, ProtocolVersion, ReasonCode};
use signet_net::{Credential as Held, LinkId, unix_seconds};
use signet_policy::{
    Answers, Applicant, Chain, Client, DenialReason, Denied, NameOrigins, Next, Passed, Principal, ProvenNames, SourceRules, Walk,
    reauthorize, without_identity,
};
use signet_tls::{Check, Refusal as Refused};

use super::Shard;
use crate::authentication::{Exchange, Promise, Verdict};
use crate::counters::Cause;
use crate::link::{Link, Phase};
use crate::log;
use crate::mailbox::Mail;
use crate::outbox::Outgoing;
use crate::vouching::{Terms, Vouching};

impl Shard {
    /// Finds out whether whoever has to vouches for a client: at once, where nobody outside has to be asked.
    pub(super) fn vouch(&mut self, id: LinkId, application: Application, chain: Option<Arc<Chain>>, anonymous: bool) {
        let authentication = self.shared.asked.authentication.clone();
        let is_bridge = matches!(application.applicant().client.principal(), Principal::Bridge(_));
        let has_rule_sources = !is_bridge && authentication.as_ref().is_some_and(|authentication| authentication.has_rule_sources());
        let known = match &chain {
            None => Some(Passed::without_chain(application.applicant(), anonymous)),
            Some(chain) => match Walk::new(Arc::clone(chain)).next(application.applicant()) {
                Next::Done(decided) => Some(decided),
                Next::Ask(_) => None,
            },
        };
        match (known, authentication) {
            (Some(Err(denied)), _) => self.refuse_application(id, application.refuse(denied)),
            (Some(Ok(passed)), _) if !has_rule_sources => self.enter(id, application, Box::new(passed), Answers::default()),
            (_, None) => {
                let denied = Denied {
                    rule: "authenticators".to_owned(),
                    reason: DenialReason::Authentication { verdicts: Vec::new() },
                    reason_code: ReasonCode::ServerUnavailable,
                };
                self.refuse_application(id, application.refuse(denied));
            }
            (_, Some(authentication)) => {
                let Some(done) = self.verdict_of(id) else { return };
                let applicant = application.applicant().clone();
                let Some(link) = self.links.get_mut(&id) else { return };
                link.entrance.vouching = Some(Box::new(Vouching::Asking(application)));
                let time = link.listener().rules().config.authentication_timeout;
                self.set_deadline_in(id, time);
                authentication.begin(chain, anonymous, applicant, done);
            }
        }
    }

    /// When rules that are asked for now are to be asked for again; nothing where nobody has any.
    fn rules_until(&self) -> Option<u64> {
        let last = self.shared.asked.authentication.as_ref().and_then(|authentication| authentication.rules_last())?;
        Some(self.now.saturating_add(last))
    }

    /// What takes the answer of those who were asked, on whatever thread they have it.
    fn verdict_of(&self, id: LinkId) -> Option<crate::authentication::Done> {
        let mailbox = self.shared.mailboxes.get(usize::from(self.index)).cloned()?;
        Some(Box::new(move |verdict| mailbox.post_one(Mail::Vouched(id, verdict))))
    }

    pub(super) fn set_deadline_in(&mut self, id: LinkId, time: std::time::Duration) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let at = self.now.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.deadlines.set(id, &mut link.deadline, Some(at));
    }

    /// Those who were asked have answered.
    pub(super) fn vouched(&mut self, id: LinkId, verdict: Verdict) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.phase.is_closing()) else { return };
        match link.entrance.vouching.take().map(|vouching| *vouching) {
            Some(Vouching::Asking(application)) => {
                match verdict {
                    Verdict::Passed(passed) => self.enter(id, application, passed, Answers::default()),
                    Verdict::Refused(denied) => self.refuse_application(id, application.refuse(*denied)),
                    Verdict::Challenge(data, exchange) => self.challenge(id, application, data, exchange),
                }
                self.enqueue(id);
            }
            Some(Vouching::AskingAgain) => self.vouched_again(id, verdict),
            // Its time was over before.
            other => link.entrance.vouching = other.map(Box::new),
        }
    }

    /// Everybody who has to vouches: the client is let in, if the rest of its CONNECT allows it.
    pub(super) fn vouched_for(&mut self, id: LinkId, application: Application, passed: Passed, answers: Answers) {
        let method = application.applicant().method.clone();
        match admit(application, passed, &self.ruleset, answers) {
            Ok(admission) => {
                let rules_until = self.rules_until();
                let Some(link) = self.links.get_mut(&id) else { return };
                link.entrance.client = Some(admission.shared_client());
                if method.is_some() || rules_until.is_some() {
                    link.entrance.terms = Some(Box::new(Terms { method, rules_until, ..Terms::default() }));
                }
                self.admitted(id, admission);
            }
            Err(refusal) => self.refuse_application(id, refusal),
        }
    }

    /// A CONNECT that is refused for what it says, or because nobody vouches for it.
    pub(super) fn refuse_application(&mut self, id: LinkId, refusal: Refusal) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_vouching = matches!(refusal.denied.reason, DenialReason::Authentication { .. });
        let check = if is_vouching { Check::Authentication } else { Check::Connect };
        let hint = match &refusal.denied.reason {
            DenialReason::Authentication { .. } => {
                "`signet explain` shows what each authenticator says; `authentication` of the listener, or else `chain`, names them"
            }
            DenialReason::Mapping { .. } => {
                "the template is `username` or `client_identifier` of the listener or trust profile; behind ` | ` it may name what to take instead, as in `${cert.cn | username}`"
            }
            _ => "see the listener's settings in signet.toml",
        };
        link.version = refusal.version;
        self.shared.admissions.abuse.note_refusal(&link.address, link.peer.as_ref(), &refusal.denied, self.now);
        log::refused_with(link, check, refusal.denied.to_string(), hint, Some(refusal.denied.reason_code));
        if let Some(connack) = refusal.connack {
            link.send(Outgoing::Packet(Packet::Connack(connack), Ticket::NONE));
        }
        self.refuse(id, Cause::Check(check));
    }

    /// Those who were asked have not answered in time.
    pub(super) fn vouching_overdue(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let rules = link.listener().rules();
        let (what, hint, reason_code) = match link.entrance.vouching.as_deref() {
            Some(Vouching::Challenged(..)) => {
                let time = rules.config.connect_timeout;
                (format!("the client has not answered within {time:?}"), "`connect_timeout` sets the limit", ReasonCode::NotAuthorized)
            }
            _ => {
                let time = rules.config.authentication_timeout;
                let hint = "`signet auth` shows how they fare; `authentication_timeout` sets the limit";
                (format!("those who have to vouch have not answered within {time:?}"), hint, ReasonCode::ServerUnavailable)
            }
        };
        log::refused(link, Check::Authentication, what, hint);
        Self::answer_waiting(link, reason_code);
        self.refuse(id, Cause::Check(Check::Authentication));
    }

    /// Refuses a CONNECT that waits for those who have to vouch, where one does: whoever ends the connection has logged it.
    pub(super) fn answer_waiting(link: &mut Link, reason_code: ReasonCode) {
        if link.phase == Phase::ExpectConnect && link.entrance.vouching.take().is_some() {
            let connack = Connack { reason_code, ..Connack::default() };
            link.send(Outgoing::Packet(Packet::Connack(Box::new(connack)), Ticket::NONE));
        }
    }

    // --- AUTH

    /// The client has to answer this before it is let in.
    fn challenge(&mut self, id: LinkId, application: Application, data: Bytes, exchange: Box<dyn Exchange>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let method = application.applicant().method.clone();
        link.entrance.vouching = Some(Box::new(Vouching::Challenged(application, exchange)));
        link.version = ProtocolVersion::V5;
        // [MQTT-4.12.0-2]
        send(link, ReasonCode::ContinueAuthentication, method, data);
        let time = link.listener().rules().config.connect_timeout;
        self.set_deadline_in(id, time);
        self.mark_dirty(id);
    }

    /// A packet of a client that was challenged in answer to its CONNECT [MQTT-4.12.0-3].
    pub(super) fn answered(&mut self, id: LinkId, packet: Packet) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(Vouching::Challenged(application, exchange)) = link.entrance.vouching.take().map(|vouching| *vouching) else { return };
        let method = application.applicant().method.clone();
        match packet {
            Packet::Auth(auth) if auth.reason_code == ReasonCode::ContinueAuthentication && auth.authentication_method == method => {
                let Some(done) = self.verdict_of(id) else { return };
                let Some(link) = self.links.get_mut(&id) else { return };
                link.entrance.vouching = Some(Box::new(Vouching::Asking(application)));
                let time = link.listener().rules().config.authentication_timeout;
                self.set_deadline_in(id, time);
                exchange.answer(auth.authentication_data.unwrap_or_default(), done);
            }
            Packet::Disconnect(_) => {
                log::refused(link, Check::Authentication, "the client gave up while it was authenticated", "");
                self.refuse(id, Cause::Check(Check::Authentication));
            }
            other => {
                let found = format!("{} while the client is authenticated, expected AUTH of its method [MQTT-4.12.0-3]", other.name());
                log::refused(link, Check::Authentication, found, "is it a client of MQTT 5.0?");
                let denied = Denied {
                    rule: "MQTT-4.12.0-3".to_owned(),
                    reason: DenialReason::Authentication { verdicts: Vec::new() },
                    reason_code: ReasonCode::ProtocolError,
                };
                if let Some(connack) = application.refuse(denied).connack {
                    link.send(Outgoing::Packet(Packet::Connack(connack), Ticket::NONE));
                }
                self.refuse(id, Cause::Check(Check::Authentication));
            }
        }
    }

    /// AUTH of a connected client: it authenticates again, or goes on with that. Gives the packet back if it is out of place, which is for the broker to
    /// say.
    pub(super) fn authenticate_again(&mut self, id: LinkId, auth: Box<Auth>) -> Result<(), Box<Auth>> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let method = link.entrance.terms.as_ref().and_then(|terms| terms.method.clone());
        // [MQTT-4.12.1-1]
        if method.is_none() || auth.authentication_method != method {
            return Err(auth);
        }
        match (auth.reason_code, link.entrance.vouching.take().map(|vouching| *vouching)) {
            (ReasonCode::ReAuthenticate, None) => {
                self.begin_again(id, auth.authentication_data.unwrap_or_default());
                Ok(())
            }
            (ReasonCode::ContinueAuthentication, Some(Vouching::ChallengedAgain(exchange))) => {
                let Some(done) = self.verdict_of(id) else { return Ok(()) };
                if let Some(link) = self.links.get_mut(&id) {
                    link.entrance.vouching = Some(Box::new(Vouching::AskingAgain));
                }
                exchange.answer(auth.authentication_data.unwrap_or_default(), done);
                Ok(())
            }
            (_, vouching) => {
                link.entrance.vouching = vouching.map(Box::new);
                Err(auth)
            }
        }
    }

    fn begin_again(&mut self, id: LinkId, data: Bytes) {
        let Some(done) = self.verdict_of(id) else { return };
        let Some(authentication) = self.shared.asked.authentication.clone() else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        let (Some(client), Some(terms)) = (&link.entrance.client, &link.entrance.terms) else { return };
        let rules = link.listener().rules();
        let admission = rules.admission_of(client.identity().map(|identity| &**identity));
        let proven = client.grant().and_then(|grant| grant.username.clone());
        let applicant = Applicant {
            // Those who vouch are asked about the names under which it comes, as when it connected.
            client: (**client).clone().with_proven(ProvenNames::BOTH),
            is_assigned: false,
            names: NameOrigins::of(admission, client, false),
            // It may not become somebody else.
            claimed_username: proven.or_else(|| client.username().map(ByteString::from)),
            password: None,
            method: terms.method.clone(),
            method_data: Some(data),
            // As it was when it connected: a device that a proxy has named holds no pre-shared key.
            without_identity: link.peer.as_ref().and_then(without_identity),
            now: unix_seconds(),
        };
        let (chain, anonymous) = (admission.chain.clone(), admission.anonymous);
        link.entrance.vouching = Some(Box::new(Vouching::AskingAgain));
        authentication.begin(chain, anonymous, applicant, done);
    }

    fn vouched_again(&mut self, id: LinkId, verdict: Verdict) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (Some(client), Some(terms)) = (link.entrance.client.clone(), &link.entrance.terms) else { return };
        let method = terms.method.clone();
        match verdict {
            Verdict::Challenge(data, exchange) => {
                link.entrance.vouching = Some(Box::new(Vouching::ChallengedAgain(exchange)));
                send(link, ReasonCode::ContinueAuthentication, method, data);
                self.mark_dirty(id);
            }
            Verdict::Passed(passed) if passed.authentication_data().is_some() => {
                let data = passed.authentication_data().cloned().unwrap_or_default();
                let client = Arc::new(reauthorize(&client, *passed));
                // In place of what it held before, also where that is nothing now.
                self.shared.registry.hold(id, Box::default());
                if self.note_credentials(id, &client).is_some() {
                    let (will, session) = self.shared.on_distrust;
                    return self.end_with(id, KickCause::CredentialRevoked, will, session);
                }
                let Some(link) = self.links.get_mut(&id) else { return };
                // [MQTT-4.12.0-5]
                send(link, ReasonCode::Success, method, data);
                self.mark_dirty(id);
                self.regrant(id, client);
            }
            Verdict::Passed(_) | Verdict::Refused(_) => {
                let why = match verdict {
                    Verdict::Refused(denied) => denied.to_string(),
                    _ => "nobody has used its authentication method".to_owned(),
                };
                tracing::info!(target: "signet::session", connection = id.number(), "the client could not authenticate again: {why}");
                // [MQTT-4.12.1-2]
                self.end(id, KickCause::AuthenticationFailed, WillRule::Publish);
            }
        }
    }

    // --- what holds for a connected client

    /// Notes by what a client is let in, then asks whether that still holds: whoever takes it back does that first, and looks at what is noted here
    /// afterwards. A refusal: it does not.
    pub(super) fn note_credentials(&self, id: LinkId, client: &Client) -> Option<Refused> {
        let credentials = &client.grant().filter(|grant| !grant.credentials.is_empty())?.credentials;
        let held = credentials.iter().map(|held| Held { name: Arc::clone(&held.name), version: held.version });
        self.shared.registry.hold(id, held.collect());
        let authentication = self.shared.asked.authentication.as_ref();
        let lost = credentials.iter().find(|held| !authentication.is_some_and(|authentication| authentication.holds(held)))?;
        let found = format!("`{}` was removed or replaced while the client connected", lost.name);
        Some(Refused::without_certificate(Check::Authentication, found, "connect again"))
    }

    /// A connected client is granted something else from here on.
    fn regrant(&mut self, id: LinkId, client: Arc<Client>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.entrance.client = Some(Arc::clone(&client));
        self.apply(Input::Regranted { connection: ConnectionId(id.number()), client });
        self.watch_validity(id);
    }

    /// Asks again for the rules about a connected client.
    pub(super) fn ask_for_rules(&mut self, id: LinkId) {
        let Some(authentication) = self.shared.asked.authentication.clone() else { return };
        let Some(mailbox) = self.shared.mailboxes.get(usize::from(self.index)).cloned() else { return };
        let Some(link) = self.links.get_mut(&id).filter(|link| link.phase == Phase::Connected) else { return };
        // What a bridge may do is its own list.
        let Some(client) = link.entrance.client.clone().filter(|client| !matches!(client.principal(), Principal::Bridge(_))) else {
            return;
        };
        let terms = link.entrance.terms.get_or_insert_default();
        if terms.asking_rules.is_some() {
            return;
        }
        terms.asking_rules = Some(Arc::clone(&client));
        // No rules are no rights.
        let promise = Promise::new(Vec::new(), move |rules| mailbox.post_one(Mail::RulesOf(id, rules)));
        authentication.rules_of(client, Box::new(move |rules| promise.keep(rules)));
    }

    /// The rules about a connected client, as they are now.
    pub(super) fn rules_of(&mut self, id: LinkId, rules: Vec<SourceRules>) {
        let rules_until = self.rules_until();
        let Some(link) = self.links.get_mut(&id).filter(|link| link.phase == Phase::Connected) else { return };
        let (Some(before), Some(terms)) = (&link.entrance.client, &mut link.entrance.terms) else { return };
        let is_about_it = terms.asking_rules.take().is_some_and(|asked| Arc::ptr_eq(&asked, before));
        if std::mem::take(&mut terms.are_rules_stale) || !is_about_it {
            return self.ask_for_rules(id);
        }
        terms.rules_until = rules_until;
        let mut grant = before.grant().map(|grant| (**grant).clone()).unwrap_or_default();
        grant.fetched = rules.into_iter().map(|rules| (Arc::clone(&rules.source), rules)).collect();
        let client = Arc::new(before.regranted(Arc::new(grant)));
        if client.is_same(before) {
            return self.watch_validity(id);
        }
        self.regrant(id, client);
    }

    /// Asks again for the rules about every client that is here: somebody says that they have changed.
    pub(super) fn ask_for_all_rules(&mut self) {
        let has_rule_sources = self.shared.asked.authentication.as_ref().is_some_and(|authentication| authentication.has_rule_sources());
        let is_meant = |link: &Link| {
            has_rule_sources
                || link.entrance.client.as_ref().is_some_and(|client| client.grant().is_some_and(|grant| !grant.fetched.is_empty()))
        };
        let ids: Vec<LinkId> = self.links.values().filter(|link| is_meant(link)).map(|link| link.id).collect();
        for id in ids {
            let terms = self.links.get_mut(&id).and_then(|link| link.entrance.terms.as_mut());
            if let Some(terms) = terms.filter(|terms| terms.asking_rules.is_some()) {
                terms.are_rules_stale = true;
            }
            self.ask_for_rules(id);
        }
    }
}

/// Writes an AUTH.
fn send(link: &mut Link, reason_code: ReasonCode, method: Option<ByteString>, data: Bytes) {
    let auth = Auth {
        reason_code,
        authentication_method: method,
        authentication_data: Some(data).filter(|data| !data.is_empty()),
        ..Auth::default()
    };
    link.send(Outgoing::Packet(Packet::Auth(Box::new(auth)), Ticket::NONE));
}
