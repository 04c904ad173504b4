//! `mosquitto_sub`, `signet sub`: messages from a broker to stdout, until a count, a time or a signal ends it.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use signet_mqtt::{
    ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, SubscribeFilter, SubscriptionOptions, TopicFilter, TopicName,
};

use crate::connect::{host, plan};
use crate::flags::parse;
use crate::options::{Options, SubscribeOptions};
use crate::output::{self, Incoming, Output};
use crate::session::{Ending, Event, Plan, Sending, Session};
use crate::stop::Stop;
use crate::{Kind, Manner, report};

/// `MOSQ_ERR_TIMEOUT`: `-W` ended it.
pub(crate) const TIMED_OUT: u8 = 27;

/// A signal came before the broker had answered.
const TOO_EARLY: u8 = 255;

/// Runs the program; `program` is its name in messages.
pub fn run(program: &str, arguments: Vec<OsString>) -> ExitCode {
    let mut options = match parse(Kind::Subscribe, Manner::of(program), arguments) {
        Ok(options) => options,
        Err(wrong) => return report::command_line(program, Kind::Subscribe, &wrong),
    };
    if options.subscribe.no_retain && options.subscribe.retained_only {
        output::error("\nError: Combining '-R' and '--retained-only' makes no sense.\n");
        return 1.into();
    }
    if options.subscribe.message_rate {
        options.output.watch = false;
    }
    let plan = match plan(&options) {
        Ok(plan) => plan,
        Err(reason) => return report::no_plan(&options, &reason),
    };
    Subscriber::new(&options, &plan).run()
}

struct Subscriber<'a> {
    options: &'a Options,
    session: Session<'a>,
    stop: Stop,
    output: Output<'a>,
    filters: Vec<TopicFilter>,
    filter_outs: Vec<TopicFilter>,
    /// Whether messages are looked at still.
    processing: bool,
    shown: u32,
    /// The last message that takes a retained one away.
    removal: Option<u16>,
    refused: u8,
    has_connack: bool,
    timed_out: bool,
    /// In our manner: the reason code with which every subscription was denied.
    denied: Option<ReasonCode>,
}

/// What the loop does next.
enum Next {
    On,
    Over(ExitCode),
}

impl<'a> Subscriber<'a> {
    fn new(options: &'a Options, plan: &'a Plan) -> Self {
        let stop = Stop::default();
        let filters = |texts: &[String]| texts.iter().filter_map(|text| TopicFilter::new(text.as_str()).ok()).collect::<Vec<_>>();
        Self {
            options,
            session: Session::new(plan, stop.clone()),
            stop,
            output: Output::new(&options.output, options.quiet),
            filters: filters(&options.subscribe.filters),
            filter_outs: filters(&options.subscribe.filter_outs),
            processing: !options.subscribe.message_rate,
            shown: 0,
            removal: None,
            refused: 0,
            has_connack: false,
            timed_out: false,
            denied: None,
        }
    }

    fn run(&mut self) -> ExitCode {
        self.output.begin(&host(self.options));
        let started = Instant::now();
        if let Err(ending) = self.session.connect() {
            return report::ending(self.options, &ending, 0);
        }
        self.stop.on_signals();
        // Ours counts connecting too.
        let from = if self.options.manner == Manner::Signet { started } else { Instant::now() };
        let deadline = self.options.subscribe.timeout.map(|seconds| from + Duration::from_secs(u64::from(seconds)));
        let mut rate = self.options.subscribe.message_rate.then(|| Rate { due: Instant::now() + SECOND, messages: 0 });
        loop {
            let until = match (&rate, deadline) {
                (Some(rate), Some(deadline)) => Some(rate.due.min(deadline)),
                (Some(rate), None) => Some(rate.due),
                (None, deadline) => deadline,
            };
            let next = match self.session.poll(until) {
                Ok(Some(event)) => {
                    if let (Some(rate), Event::Message(_)) = (&mut rate, &event) {
                        rate.messages += 1;
                    }
                    self.event(event)
                }
                Ok(None) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    self.timed_out = true;
                    self.stopped()
                }
                Ok(None) => Next::On,
                Err(ending) => self.ended(ending, deadline),
            };
            if let Some(rate) = rate.as_mut().filter(|rate| Instant::now() >= rate.due) {
                output::line(&format!("{} msgs/s", rate.messages));
                *rate = Rate { due: rate.due + SECOND, messages: 0 };
            }
            match next {
                Next::Over(code) => return code,
                Next::On if self.session.is_leaving() => return self.end(),
                Next::On => {}
            }
        }
    }

    fn event(&mut self, event: Event) -> Next {
        match event {
            Event::Connack(0) => {
                self.has_connack = true;
                self.subscribe();
            }
            Event::Connack(code) => {
                (self.has_connack, self.refused) = (true, code);
                report::refused(self.options, code);
                if self.options.manner == Manner::Mosquitto {
                    self.session.disconnect(ReasonCode::Success);
                }
            }
            Event::Suback { mid, codes, reason_string } => self.answered(mid, &codes, reason_string.as_deref()),
            Event::Message(message) => self.message(&message),
            Event::Published { mid, .. } => {
                if !self.processing && self.removal == Some(mid) {
                    self.session.disconnect(ReasonCode::Success);
                }
            }
            Event::Interrupted => return self.stopped(),
        }
        Next::On
    }

    fn subscribe(&mut self) {
        let SubscribeOptions { no_local, retain_as_published, retain_handling, .. } = self.options.subscribe;
        let is_v5 = self.session.version() == ProtocolVersion::V5;
        let options = SubscriptionOptions {
            maximum_qos: self.options.qos,
            no_local: no_local && is_v5,
            retain_as_published: retain_as_published && is_v5,
            retain_handling: if is_v5 { retain_handling } else { RetainHandling::SendAtSubscribe },
        };
        let subscriptions = self.filters.iter().map(|filter| SubscribeFilter { filter: filter.clone(), options }).collect();
        let properties = &self.options.properties;
        // What cannot be sent is not, and nobody says so: as Mosquitto's program.
        let _ = self.session.subscribe(subscriptions, &properties.subscribe);
        for filter in self.options.subscribe.unsubscribe.iter().filter_map(|text| TopicFilter::new(text.as_str()).ok()) {
            let _ = self.session.unsubscribe(filter, &properties.unsubscribe);
        }
    }

    fn answered(&mut self, mid: u16, codes: &[ReasonCode], reason_string: Option<&str>) {
        if self.options.debug && !self.options.quiet {
            let codes: Vec<String> = codes.iter().map(|code| u8::from(*code).to_string()).collect();
            output::line(&format!("Subscribed (mid: {mid}): {}", codes.join(", ")));
        }
        if self.options.manner == Manner::Signet {
            for (filter, code) in self.filters.iter().zip(codes).filter(|(_, code)| code.is_error()) {
                let words = signet_client::in_words(*code, reason_string);
                report::own(self.options, &format!("the broker refused the subscription to `{}`: {words}", filter.as_str()));
            }
        }
        if codes.iter().all(|code| code.is_error()) {
            self.session.disconnect(ReasonCode::Success);
            match self.options.manner {
                Manner::Mosquitto => report::error(self.options, "All subscription requests were denied.\n"),
                Manner::Signet => self.denied = codes.first().copied(),
            }
        }
        if self.options.subscribe.exit_after_suback && !self.session.is_leaving() {
            self.session.disconnect(ReasonCode::Success);
        }
    }

    fn message(&mut self, message: &Incoming) {
        let asked = &self.options.subscribe;
        if !self.processing {
            return;
        }
        if asked.retained_only && !message.retain {
            return self.enough();
        }
        if (message.retain && asked.no_retain) || self.filter_outs.iter().any(|filter| filter.matches(&message.topic)) {
            return;
        }
        if asked.remove_retained && message.retain {
            self.removal = self.session.publish(removal(&message.topic)).ok();
        }
        if self.output.show(message).is_err() {
            // The reader of our output went away: nothing is left to do.
            self.session.disconnect(ReasonCode::Success);
        }
        self.shown = self.shown.saturating_add(1);
        if asked.count == Some(self.shown) {
            self.enough();
        }
    }

    /// Leaves, but not before the broker has what it has to forget.
    fn enough(&mut self) {
        self.processing = false;
        if self.removal.is_none() {
            self.session.disconnect(ReasonCode::Success);
        }
    }

    /// A signal, or `-W`. Mosquitto's program asks the broker to publish the will.
    fn stopped(&mut self) -> Next {
        if !self.has_connack {
            return match self.options.manner {
                Manner::Mosquitto => Next::Over(TOO_EARLY.into()),
                Manner::Signet if self.timed_out => Next::Over(TIMED_OUT.into()),
                Manner::Signet => Next::Over(ExitCode::SUCCESS),
            };
        }
        self.processing = false;
        let reason = match self.options.manner {
            Manner::Mosquitto => ReasonCode::DisconnectWithWill,
            Manner::Signet => ReasonCode::Success,
        };
        self.session.disconnect(reason);
        // Where that was not possible it is over all the same.
        Next::Over(self.end())
    }

    /// The connection is over. Mosquitto's program connects again, for ever, but for what cannot get better.
    fn ended(&mut self, ending: Ending, deadline: Option<Instant>) -> Next {
        if self.session.is_leaving() {
            return Next::Over(self.end());
        }
        if self.options.manner == Manner::Signet || ending.is_fatal() {
            return Next::Over(report::ending(self.options, &ending, self.refused));
        }
        while self.session.reconnect().is_err() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.timed_out = true;
                return self.stopped();
            }
        }
        Next::On
    }

    fn end(&mut self) -> ExitCode {
        self.session.close();
        if self.timed_out {
            report::error(self.options, "Timed out\n");
            return TIMED_OUT.into();
        }
        match self.denied {
            Some(reason) => u8::from(reason).into(),
            None => self.refused.into(),
        }
    }
}

/// Takes a retained message away: an empty one in its place.
fn removal(topic: &TopicName) -> Sending {
    let publish = Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: Some(topic.clone()),
        packet_id: None,
        properties: Default::default(),
        payload: bytes::Bytes::new(),
    };
    Sending { publish, has_properties: false }
}

const SECOND: Duration = Duration::from_secs(1);

/// Messages since the last line about them.
struct Rate {
    due: Instant,
    messages: u32,
}
