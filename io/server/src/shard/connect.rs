//! From accept to the session: handshake, registration, CONNECT, and the move to the shard that owns the session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use signet_broker::{Admission, ConnectionId, Input, KickCause, Ticket, WillRule, apply, expect_connect};
use signet_identity::{NoIdentity, Peer};
use signet_mqtt::{ClientIdentifier, Connack, DecodeError, Packet, ProtocolVersion, ReasonCode};
use signet_net::{Entry, LinkId, is_proxy_header, unix_seconds};
use signet_policy::{Client, Origin, check_client};
use signet_tls::{Check, Refusal};

use super::{Shard, closing};
use crate::counters::Cause;
use crate::gate::Displaced;
use crate::inbound::Inbound;
use crate::lines::{self, Introduction};
use crate::link::{Accepted, Link, Marks, Phase};
use crate::log::{self, DenialLog};
use crate::mailbox::Mail;
use crate::outbox::{Outbox, Outgoing};
use crate::pipe::{Pipe, unexpected_proxy};
use crate::vouching::Entrance;

/// How often the validity of a connected client's certificate is compared with the wall clock, which somebody may set, in milliseconds.
const VALIDITY_CHECK: u64 = 3_600_000;

impl Shard {
    pub(super) fn accepted(&mut self, accepted: Box<Accepted>) {
        if self.stopping.is_some() {
            return;
        }
        if self.queues.in_handshake < self.shared.admissions.handshakes_per_lobby.load(Ordering::Relaxed)
            || !accepted.place.listener().rules().opens_in_steps()
        {
            return self.open(*accepted);
        }
        // A few addresses whose handshakes never end must not make everybody else wait behind them.
        match accepted.place.pass().outrank() {
            None => self.queues.waiting.push_back(accepted),
            Some(Displaced { link, shard }) => {
                match self.outgoing.by_shard.get_mut(usize::from(shard)) {
                    Some(post) if shard != self.index => post.push(Mail::Displace(link)),
                    _ => self.displace(link),
                }
                self.open(*accepted);
            }
        }
    }

    /// A connection that has not sent its CONNECT makes room for one whose address has fewer of them. When its CONNECT has come meanwhile, it stays;
    /// when it was refused meanwhile, it has been told as far as it listens.
    pub(super) fn displace(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            let queues = &mut self.queues;
            let is_removed = [&mut queues.arrived, &mut queues.waiting].into_iter().any(|queue| {
                let at = queue.iter().position(|accepted| accepted.id == id);
                at.and_then(|at| queue.remove(at)).is_some()
            });
            if is_removed {
                self.count_refused(Cause::Displaced);
            }
            return;
        };
        if link.phase == Phase::Connected {
            return;
        }
        tracing::debug!(target: "signet::connection", connection = id.number(), address = %link.address, "closed for one whose address has fewer connections without CONNECT");
        if !link.phase.is_closing() {
            self.count_refused(Cause::Displaced);
        }
        self.remove(id);
    }

    /// Lets the next ones in after a handshake has ended.
    pub(super) fn handshake_over(&mut self) {
        self.queues.in_handshake = self.queues.in_handshake.saturating_sub(1);
        while self.queues.in_handshake < self.shared.admissions.handshakes_per_lobby.load(Ordering::Relaxed) {
            let Some(accepted) = self.queues.waiting.pop_front() else { break };
            self.open(*accepted);
        }
    }

    fn open(&mut self, accepted: Accepted) {
        let Accepted { id, socket, address, place, at } = accepted;
        let rules = place.listener().rules();
        let layers = match rules.layers() {
            Ok(layers) => layers,
            Err(error) => return tracing::error!(%address, %error, "cannot start a TLS handshake"),
        };
        let (phase, time) = match layers.awaited() {
            Some(_) => (Phase::Handshake, rules.config.handshake_timeout),
            None => (Phase::ExpectConnect, rules.config.connect_timeout),
        };
        let mut link = Box::new(Link {
            id,
            address,
            place,
            pipe: Pipe::new(socket, layers),
            phase,
            peer: None,
            version: ProtocolVersion::V5,
            inbound: Inbound::new(&rules.config.limits),
            outbox: Outbox::default(),
            ready: BytesMut::new(),
            deadline: None,
            marks: Marks::default(),
            denials: DenialLog::default(),
            entrance: Entrance::default(),
            confirmations: Vec::new(),
        });
        if let Err(error) = self.watch(&mut link) {
            return tracing::error!(%address, %error, "cannot watch a connection");
        }
        let deadline = at.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.deadlines.set(id, &mut link.deadline, Some(deadline));
        self.links.insert(id, link);
        match phase {
            Phase::Handshake => self.queues.in_handshake += 1,
            _ => self.register(id, Peer::Anonymous(NoIdentity::PlainTransport)),
        }
        self.enqueue(id);
    }

    /// All that lies below MQTT is open.
    pub(super) fn established(&mut self, id: LinkId, peer: Peer) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.phase = Phase::ExpectConnect;
        let time = link.listener().rules().config.connect_timeout;
        let deadline = self.now.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.deadlines.set(id, &mut link.deadline, Some(deadline));
        self.handshake_over();
        self.register(id, peer);
    }

    /// Enters the connection in the registry, which compares it with the revocation index once more.
    fn register(&mut self, id: LinkId, peer: Peer) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let now = unix_seconds();
        let entry = Entry {
            link: id,
            shard: self.index,
            listener: Arc::clone(&link.listener().name),
            address: link.address,
            transport: link.transport(),
            peer: peer.clone(),
            since: now,
        };
        let listener = Arc::clone(link.listener());
        // What is in force now, after the entry: nobody slips between a change and a look at who is connected.
        let registered = self.shared.registry.register(entry, |peer| listener.check_entry(peer, now));
        let is_pending = matches!(peer, Peer::Pending(_));
        link.peer = Some(peer);
        match registered {
            Ok(()) if is_pending => self.ask_about(id),
            Ok(()) => self.note_device(id),
            Err((refusal, cause)) => {
                let check = refusal.as_ref().map_or(Check::Profile, |refusal| refusal.check);
                match refusal {
                    Some(refusal) => link.listener().log_refusal(&refusal, link.address),
                    None => log::refused(link, check, format!("{cause:?}"), "the listener's rules have just changed: connect again"),
                }
                self.count_refused(Cause::Check(check));
                self.drain(id, closing::FLUSH);
            }
        }
    }

    /// The first packet. Where it is refused, nothing behind it is read [MQTT-3.1.4-6].
    pub(super) fn connect(&mut self, id: LinkId, packet: Packet) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(peer) = &link.peer else { return };
        if let Peer::Pending(_) = peer {
            return self.hold_connect(id, packet);
        }
        if link.entrance.vouching.is_some() {
            return self.answered(id, packet);
        }
        let connect = match expect_connect(packet) {
            Ok(connect) => connect,
            Err(other) => {
                let found = format!("the first packet is {}, expected CONNECT [MQTT-3.1.0-1]", other);
                log::refused(link, Check::Connect, found, "is it an MQTT client?");
                return self.refuse(id, Cause::Check(Check::Connect));
            }
        };
        self.counts.connects += 1;
        link.entrance.introduction = Introduction::of(&connect);
        if let Err(held) = self.may_try(id, connect.version) {
            return self.refuse_held_off(id, &held);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(peer) = &link.peer else { return };
        let rules = link.listener().rules();
        let general = self.shared.limits.load();
        let limits = rules.config.broker_limits.as_ref().unwrap_or(&general);
        let origin = Origin { address: link.address.ip(), listener: Arc::clone(&link.listener().name) };
        let admission = rules.admission(peer);
        match apply(connect, peer, admission, limits, (origin, unix_seconds()), assigned_identifier) {
            Ok(application) => {
                link.version = application.version();
                if !self.shared.admissions.connects.load().admit(self.now) {
                    return self.refuse_too_fast(id);
                }
                self.vouch(id, application, admission.chain.clone(), admission.anonymous);
            }
            Err(refusal) => self.refuse_application(id, refusal),
        }
    }

    /// A client that may connect goes to the shard that owns its session.
    pub(super) fn admitted(&mut self, id: LinkId, admission: Admission) {
        if let Err(held) = self.may_connect(id, admission.client().principal()) {
            return self.refuse_held_off(id, &held);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.place.pass().keep();
        let owner = admission.owner(self.shared.shards()).0;
        if owner == self.index {
            self.welcome(id, Box::new(admission));
        } else {
            self.move_out(id, owner, Box::new(admission));
        }
    }

    /// More clients connect at once than the server is to take.
    fn refuse_too_fast(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        log::refused(link, Check::Connect, "too many clients connect at once", "`connect_rate_total` in [limits] sets the rate");
        // MQTT 3.1.1 has no such code and says `server unavailable` (3).
        let connack = Connack { reason_code: ReasonCode::ConnectionRateExceeded, ..Connack::default() };
        link.send(Outgoing::Packet(Packet::Connack(Box::new(connack)), Ticket::NONE));
        self.refuse(id, Cause::TooFast);
    }

    /// The first bytes are no CONNECT that can be taken [MQTT-3.1.4-1].
    pub(super) fn not_a_connect(&mut self, id: LinkId, error: &DecodeError) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match (link.inbound.head(), link.transport().is_encrypted()) {
            // A TLS record of type handshake (RFC 8446 §5.1) is no MQTT packet.
            ([0x16, 0x03, ..], false) => {
                lines::tls_without_listener(link);
                log::refused(
                    link,
                    Check::Connect,
                    "the client starts a TLS handshake on a listener without TLS",
                    "connect to a listener with `transport = \"tls\"`, usually port 8883",
                );
            }
            ([b'G', b'E', b'T', b' ', ..], _) => {
                let hint = "use an MQTT client; one in a browser needs a listener with `transport = \"ws\"` or `\"wss\"`";
                log::refused(link, Check::Connect, "the client speaks HTTP, not MQTT", hint);
            }
            (head, _) if is_proxy_header(head) => {
                let refusal = unexpected_proxy();
                log::refused(link, Check::Proxy, refusal.found, refusal.hint);
            }
            _ => log::refused(link, Check::Connect, error.to_string(), "is it a client of MQTT 3.1, 3.1.1 or 5.0?"),
        }
        if let Some((packet, version)) = error.refusal(link.inbound.version()) {
            link.version = version;
            link.send(Outgoing::Packet(packet, Ticket::NONE));
        }
        self.refuse(id, Cause::Check(Check::Connect));
    }

    pub(super) fn refuse(&mut self, id: LinkId, cause: Cause) {
        self.count_refused(cause);
        self.drain(id, closing::FLUSH);
    }

    pub(super) fn count_refused(&self, cause: Cause) {
        self.shared.counters.refuse(cause);
    }

    /// This shard owns the session.
    fn welcome(&mut self, id: LinkId, admission: Box<Admission>) {
        let client = admission.client();
        let refusal = self.note_names(id, client).or_else(|| self.check_names(id, client)).or_else(|| self.note_credentials(id, client));
        if let Some(refusal) = refusal {
            return self.refuse_connect(id, &refusal);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.phase = Phase::Connected;
        self.watch_validity(id);
        self.apply(Input::Admitted { connection: ConnectionId(id.number()), admission });
    }

    /// Looks at the names of a device by the rules of now, after they were noted for whoever looks at open sessions when rules change: nobody slips
    /// through between the two.
    fn check_names(&self, id: LinkId, client: &Client) -> Option<Refusal> {
        let identity = client.identity()?;
        let rules = self.links.get(&id)?.listener().rules();
        let client_identifier = client.client_identifier().as_str();
        let denied = check_client(rules.admission_of(Some(&**identity)), identity, client_identifier, client.username()).err()?;
        Some(Refusal::of(identity.leaf(), Check::Connect, denied.to_string(), "the rules have just changed: connect again"))
    }

    /// Another shard owns the session: it gets the connection with all that belongs to it.
    fn move_out(&mut self, id: LinkId, owner: u16, admission: Box<Admission>) {
        let Some(mut link) = self.links.remove(&id) else { return };
        self.deadlines.set(id, &mut link.deadline, None);
        if let Err(error) = self.poll.registry().deregister(&mut link.pipe.socket) {
            tracing::error!(%error, connection = id.number(), "cannot stop watching a connection");
        }
        link.marks.queued = false;
        link.marks.dirty = false;
        if let Some(post) = self.outgoing.by_shard.get_mut(usize::from(owner)) {
            post.push(Mail::Moved(link, admission));
            self.outgoing.relocations.push((id, owner));
        }
    }

    pub(super) fn moved_in(&mut self, mut link: Box<Link>, admission: Box<Admission>) {
        let id = link.id;
        link.pipe.change_hands();
        if let Err(error) = self.watch(&mut link) {
            self.shared.registry.remove(id);
            return tracing::error!(%error, connection = id.number(), "cannot watch a connection");
        }
        self.links.insert(id, link);
        // The lobby says so too, after it has posted everything: whoever is revoked in between should not wait for that.
        self.shared.registry.relocate(id, self.index);
        self.welcome(id, admission);
        if self.stopping.is_some() {
            self.end(id, KickCause::ShuttingDown, WillRule::Publish);
        }
        self.enqueue(id);
    }

    /// Arms the timer of a connected client: its certificate's end, or the next look at the wall clock.
    pub(super) fn watch_validity(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let not_after = link.not_after().map(|not_after| not_after.saturating_add(1));
        let end = not_after.into_iter().chain(link.expires_at()).min().map(|end| {
            let left = u64::try_from(end.saturating_sub(unix_seconds())).unwrap_or(0);
            self.now.saturating_add(left.saturating_mul(1000).min(VALIDITY_CHECK))
        });
        let rules_until = link.entrance.terms.as_ref().filter(|terms| terms.asking_rules.is_none()).and_then(|terms| terms.rules_until);
        let at = end.into_iter().chain(rules_until).min();
        self.deadlines.set(id, &mut link.deadline, at);
    }
}

/// A Client Identifier nobody can guess, for clients that leave it to us [MQTT-3.1.3-6].
fn assigned_identifier() -> ClientIdentifier {
    let mut random = [0; 16];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        tracing::error!("the system gives no random numbers; the assigned Client Identifier can be guessed");
    }
    let digits = hex::encode_upper(random);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    ClientIdentifier::new(parts.join("-"))
}
