//! Clients that connect with a Will and never come back: what they left behind has to be published once, and not too early.

use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS, ReasonCode, Will, WillProperties};
use signet_testkit::topic;

use crate::ledger::Ledger;
use crate::line::Line;
use crate::publisher::persistent;

/// The delay of the Wills that have one.
const DELAY_SECONDS: u32 = 1;

/// The Wills of one round, with the connections that are to be lost.
#[derive(Debug)]
pub(crate) struct Wills {
    _lines: Vec<Line>,
    delayed: Vec<String>,
}

impl Wills {
    /// Connects a client with a Will at once and one with a delay. What the broker did not acknowledge is not counted.
    pub(crate) fn arm(port: u16, ledger: &Ledger, round: u32) -> Self {
        let mut wills = Self { _lines: Vec::new(), delayed: Vec::new() };
        for (kind, version, delay) in [
            ("plain", ProtocolVersion::V311, None),
            ("plain5", ProtocolVersion::V5, None),
            ("delayed", ProtocolVersion::V5, Some(DELAY_SECONDS)),
        ] {
            let name = format!("{kind}-{round}");
            let mut connect = persistent(version, &format!("mortal-{name}"));
            connect.will = Some(Will {
                topic: topic(&format!("will/{kind}")),
                payload: name.clone().into(),
                qos: QoS::ExactlyOnce,
                retain: false,
                properties: WillProperties { delay_interval: delay, ..WillProperties::default() },
            });
            let Some((line, connack)) = Line::introduce(port, connect) else { continue };
            if connack.reason_code == ReasonCode::Success {
                ledger.will_set(&name);
                wills._lines.push(line);
                if delay.is_some() {
                    wills.delayed.push(name);
                }
            }
        }
        wills
    }

    /// To be called just before the connections are lost.
    pub(crate) fn expect_loss(&self, ledger: &Ledger) {
        for will in &self.delayed {
            ledger.will_delayed(will, Duration::from_secs(u64::from(DELAY_SECONDS)));
        }
    }
}
