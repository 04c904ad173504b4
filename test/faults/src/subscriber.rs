//! A subscriber with a session that outlives its connections; half of the time it is not there. It reads Wills too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signet_mqtt::{Packet, ProtocolVersion, Publish, QoS, ReasonCode};
use signet_testkit::{Happened, Session, subscribe_packet};

use crate::dice::Dice;
use crate::ledger::{Ledger, MessageName, inbox};
use crate::line::{Line, Seen};
use crate::phase::Phase;
use crate::publisher::persistent;

/// What a subscriber is.
#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    pub(crate) client_identifier: String,
    pub(crate) version: ProtocolVersion,
    /// What it subscribes to, all with QoS 2, in its first connection.
    pub(crate) filters: Vec<String>,
    /// The name of the Shared Subscription it is a member of.
    pub(crate) group: Option<String>,
    /// Whether it stays away for about half of the time while there is load.
    pub(crate) is_often_away: bool,
}

impl Subscriber {
    /// The name of its inbox in the ledger.
    pub(crate) fn inbox(&self) -> String {
        inbox(&self.client_identifier, self.group.as_deref())
    }

    /// Subscribes, and leaves again. From here on the session has to get everything.
    pub(crate) fn subscribe(&self, port: u16) {
        let (mut line, connack) = Line::introduce(port, persistent(self.version, &self.client_identifier)).expect("the broker listens");
        assert_eq!(connack.reason_code, ReasonCode::Success, "{connack:?}");
        let filters: Vec<_> = self.filters.iter().map(|filter| (&**filter, QoS::ExactlyOnce)).collect();
        assert!(line.send(&Packet::Subscribe(subscribe_packet(1, &filters))));
        match line.expect() {
            Packet::Suback(suback) => assert!(suback.reason_codes.iter().all(|code| !code.is_error()), "{suback:?}"),
            other => panic!("expected SUBACK, got {other:?}"),
        }
    }

    /// Runs until the phase is over.
    pub(crate) fn run(&self, port: u16, ledger: &Arc<Ledger>, phase: &Phase, seed: u64) {
        let mut dice = Dice::new(seed);
        let mut session = Session::<()>::default();
        let inbox = self.inbox();
        while !phase.is_over() {
            let Some((mut line, connack)) = Line::introduce(port, persistent(self.version, &self.client_identifier)) else {
                phase.pause();
                continue;
            };
            if connack.reason_code != ReasonCode::Success {
                phase.pause();
                continue;
            }
            if !connack.session_present {
                ledger.fault(format!("{} was told that it had no session", self.client_identifier));
                return;
            }
            session.resume(true);
            let stay = Duration::from_millis(dice.between(50, 400));
            let until = self.is_often_away.then(|| Instant::now() + stay);
            read(&mut line, &mut session, ledger, phase, (&inbox, until));
            drop(line);
            let away = Instant::now() + Duration::from_millis(dice.between(50, 400));
            while self.is_often_away && phase.is_loading() && Instant::now() < away {
                phase.pause();
            }
        }
    }
}

/// Reads until the time is over, while there is load, or until the connection is lost.
fn read(line: &mut Line, session: &mut Session<()>, ledger: &Ledger, phase: &Phase, (inbox, until): (&str, Option<Instant>)) {
    let has_stayed = || phase.is_loading() && until.is_some_and(|until| Instant::now() >= until);
    while !phase.is_over() && !has_stayed() {
        let mut wait = Duration::from_millis(20);
        loop {
            let packet = match line.next(wait) {
                Seen::Packet(packet) => packet,
                Seen::Nothing => break,
                Seen::Lost => return,
            };
            wait = Duration::ZERO;
            let (happened, answer) = session.receive(packet);
            match happened {
                Happened::Arrived { publish, is_repeat: false } => note(&publish, ledger, inbox),
                Happened::Arrived { is_repeat: true, .. } | Happened::Released(_) | Happened::Other(Packet::Disconnect(_)) => {}
                other => ledger.fault(format!("{inbox} got {other:?}")),
            }
            if let Some(answer) = answer {
                line.push(&answer);
            }
        }
        if !line.flush() {
            return;
        }
    }
}

fn note(publish: &Publish, ledger: &Ledger, inbox: &str) {
    let topic = publish.topic.as_ref().map(|topic| topic.as_str().to_owned()).unwrap_or_default();
    let text = String::from_utf8_lossy(&publish.payload);
    if topic.starts_with("will/") {
        return ledger.will_received(&text);
    }
    match MessageName::parse(&publish.payload) {
        Some(name) => ledger.received(inbox, name, (publish.qos, topic.starts_with("state/"))),
        None => ledger.fault(format!("{inbox} got `{text}` on `{topic}`, which nobody sent")),
    }
}
