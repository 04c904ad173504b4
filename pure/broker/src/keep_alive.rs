//! Keep Alive (§3.1.2.10): a client that is silent for one and a half times what it promised is gone.

use signet_mqtt::Connect;

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::ConnectionId;
use crate::input::WillRule;
use crate::limits::Limits;
use crate::moment::Moment;
use crate::output::CloseCause;
use crate::store::Store;
use crate::timers::Timer;

/// How long one connection may be silent. Hearing from it touches no timer: the timer looks, when it fires, how long ago that was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepAlive {
    allowed_ms: Option<u64>,
    heard_at: Moment,
    /// When the timer fires next, to disarm it.
    pub(crate) armed: Option<Moment>,
}

impl KeepAlive {
    /// `seconds` zero: the client may be silent for ever [MQTT-3.1.2-22 applies to values above zero].
    pub(crate) fn new(seconds: u16, now: Moment) -> Self {
        let allowed_ms = (seconds > 0).then(|| u64::from(seconds) * 1500);
        Self { allowed_ms, heard_at: now, armed: allowed_ms.map(|allowed| now.plus_millis(allowed)) }
    }

    /// A packet came.
    pub(crate) fn heard(&mut self, now: Moment) {
        self.heard_at = now;
    }

    fn deadline(&self) -> Option<Moment> {
        self.allowed_ms.map(|allowed| self.heard_at.plus_millis(allowed))
    }
}

/// The Server Keep Alive, if it has to differ from what the client asked for [MQTT-3.2.2-21].
pub(crate) fn server_keep_alive(connect: &Connect, limits: &Limits) -> Option<u16> {
    let maximum = limits.connect.keep_alive_maximum;
    let is_within = maximum == 0 || (1..=maximum).contains(&connect.keep_alive);
    (!is_within && connect.version.has_properties()).then_some(maximum)
}

impl Broker {
    pub(crate) fn check_keep_alive<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.keep_alive.armed = None;
        let Some(deadline) = connection.keep_alive.deadline() else { return };
        if connection.is_asking() {
            // It may have said much that nobody has read.
            connection.keep_alive.heard(context.now);
        }
        let deadline = connection.keep_alive.deadline().unwrap_or(deadline);
        if deadline > context.now {
            connection.keep_alive.armed = Some(deadline);
            self.timers.arm(deadline, Timer::KeepAlive(id));
            return;
        }
        self.stats.keep_alive_timeouts += 1;
        self.disconnect(id, CloseCause::KeepAliveTimeout, WillRule::Publish, context);
    }
}
