//! Messages: publishers with a window each, subscribers that count, and the clock between them.
//!
//! As fast as the window lets it (closed loop) this measures what a broker can do; at a fixed rate it measures how long messages take, counted from the
//! moment each was *due*, so that a broker that holds up the load cannot hide it.

mod plan;
mod publisher;
mod run;
mod subscribing;
mod traffic;

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::{Control, LoadError, Report, Target};

pub use plan::{Layout, QosMix};

/// The smallest payload: its octets say who sent it, which message it is, and when.
pub const SMALLEST_PAYLOAD: usize = crate::wire::HEAD;

/// The largest payload: that of the packet size which most brokers stop at.
const LARGEST_PAYLOAD: usize = 1_000_000;

/// The largest window: Packet Identifiers must not meet again while they are in use.
const LARGEST_WINDOW: usize = 30_000;

const MAXIMUM_CLIENTS: usize = 1_000_000;
const MAXIMUM_TOPICS: u64 = 10_000_000;

/// A count for each publisher that a subscriber hears is kept.
const MAXIMUM_PATHS: usize = 20_000_000;

/// What is published, by whom, to whom.
#[derive(Clone, Debug)]
pub struct PubSubLoad {
    /// Who hears whom.
    pub layout: Layout,
    /// Connections that publish.
    pub publishers: usize,
    /// Connections that subscribe.
    pub subscribers: usize,
    /// QoS of the messages.
    pub qos: QosMix,
    /// Octets of a payload. Of a range, sizes that are about as far apart by their ratio are taken in turns.
    pub payload: RangeInclusive<usize>,
    /// Topics in all, which publishers go round; `None`: one for each publisher, one in all for fan-out.
    pub topics: Option<u64>,
    /// Subscribe by a wildcard instead of by each topic; `None`: for fan-in only.
    pub wildcards: Option<bool>,
    /// Topics begin with this.
    pub topic_prefix: String,
    /// Messages of a publisher that may be under way, which means not acknowledged or not delivered to everybody.
    pub window: usize,
    /// Publishes in a second by all publishers together; `None`: as fast as the window lets them.
    pub rate: Option<u64>,
    /// Before the measured part.
    pub warm_up: Duration,
    /// The measured part.
    pub duration: Duration,
    /// `false`: sessions outlive connections, so that the broker keeps messages of QoS 1 and 2 as durably as it does for any such session.
    pub clean_start: bool,
}

/// Runs it.
///
/// # Errors
/// The settings contradict each other, or it could not begin; what fails later is part of the report.
pub fn pubsub(target: &Target, load: &PubSubLoad, control: &mut Control<'_>) -> Result<Report, LoadError> {
    load.check()?;
    run::run(target, load, control)
}

impl PubSubLoad {
    fn check(&self) -> Result<(), LoadError> {
        let refused = |what: String| Err(LoadError::Setting(what));
        let clients = self.publishers.saturating_add(self.subscribers);
        if self.publishers == 0 || self.subscribers == 0 || clients > MAXIMUM_CLIENTS {
            return refused(format!("{clients} publishers and subscribers; expected at least one of each, and at most {MAXIMUM_CLIENTS}"));
        }
        if self.layout == Layout::Pairs && self.publishers != self.subscribers {
            return refused("pairs need as many publishers as subscribers".to_owned());
        }
        if self.layout != Layout::Pairs && self.publishers.saturating_mul(self.subscribers) > MAXIMUM_PATHS {
            return refused(format!("every subscriber hears every publisher, and more than {MAXIMUM_PATHS} such paths are too many"));
        }
        if *self.payload.start() < SMALLEST_PAYLOAD || *self.payload.end() > LARGEST_PAYLOAD || self.payload.is_empty() {
            return refused(format!("a payload has {SMALLEST_PAYLOAD} to {LARGEST_PAYLOAD} octets"));
        }
        if !(1..=LARGEST_WINDOW).contains(&self.window) {
            return refused(format!("a window has 1 to {LARGEST_WINDOW} messages"));
        }
        if self.topics.is_some_and(|topics| !(1..=MAXIMUM_TOPICS).contains(&topics)) {
            return refused(format!("1 to {MAXIMUM_TOPICS} topics"));
        }
        if self.layout == Layout::Pairs && self.topics.is_some_and(|topics| topics < crate::number::wide(self.publishers)) {
            return refused("each pair has a topic of its own: `--topics` is at least the number of pairs".to_owned());
        }
        if self.rate == Some(0) {
            return refused("a rate is at least 1 message in a second".to_owned());
        }
        Ok(())
    }
}
