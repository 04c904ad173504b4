//! `mosquitto_rr`, `signet rr`: one request, and the first answer.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use signet_mqtt::{ProtocolVersion, ReasonCode, RetainHandling, SubscribeFilter, SubscriptionOptions, TopicFilter};

use crate::connect::plan;
use crate::flags::parse;
use crate::options::Options;
use crate::output::{self, Incoming, Output};
use crate::property::{self, Value};
use crate::publish::{payload, sending};
use crate::session::{Ending, Event, Plan, Sending, Session};
use crate::stop::Stop;
use crate::subscribe::TIMED_OUT;
use crate::trouble::Trouble;
use crate::{Kind, Manner, report, words};

/// Runs the program; `program` is its name in messages.
pub fn run(program: &str, arguments: Vec<OsString>) -> ExitCode {
    let mut options = match parse(Kind::Request, Manner::of(program), arguments) {
        Ok(options) => options,
        Err(wrong) => return report::command_line(program, Kind::Request, &wrong),
    };
    let payload = match payload(&options) {
        Ok(payload) => payload,
        Err(code) => return code,
    };
    let publish = &options.publish;
    let (Some(topic), Some(_), Some(response)) = (publish.topic.clone(), &publish.source, publish.response_topic.clone()) else {
        output::error(&format!(
            "Error: All of topic, message, and response topic must be supplied.\n\nUse '{program} --help' to see usage.\n"
        ));
        return 1.into();
    };
    if options.properties.publish.has(property::RESPONSE_TOPIC) {
        report::error(&options, "Error in PUBLISH properties: Duplicate response topic.\n");
        return 1.into();
    }
    options.properties.publish.push(property::RESPONSE_TOPIC, Value::Text(response.clone()));
    let plan = match plan(&options) {
        Ok(plan) => plan,
        Err(reason) => return report::no_plan(&options, &reason),
    };
    let (Ok(filter), Some(mut sending)) = (TopicFilter::new(response), sending(&options, &topic, payload)) else { return 1.into() };
    if options.who.version != ProtocolVersion::V5 {
        sending.publish.properties = Default::default();
        sending.has_properties = false;
    }
    Requester::new(&options, &plan, sending).run(&filter)
}

struct Requester<'a> {
    options: &'a Options,
    session: Session<'a>,
    output: Output<'a>,
    request: Sending,
    sent: Option<Instant>,
    /// From the request to its answer.
    latency: Option<Duration>,
    refused: u8,
}

impl<'a> Requester<'a> {
    fn new(options: &'a Options, plan: &'a Plan, request: Sending) -> Self {
        Self {
            options,
            session: Session::new(plan, Stop::default()),
            output: Output::new(&options.output, options.quiet),
            request,
            sent: None,
            latency: None,
            refused: 0,
        }
    }

    fn run(&mut self, filter: &TopicFilter) -> ExitCode {
        if let Err(ending) = self.session.connect() {
            return report::ending(self.options, &ending, 0);
        }
        let deadline = self.options.subscribe.timeout.map(|seconds| Instant::now() + Duration::from_secs(u64::from(seconds)));
        loop {
            let over = match self.session.poll(deadline) {
                Ok(Some(event)) => self.event(event, filter),
                Ok(None) => Some(self.timed_out()),
                Err(ending) => Some(self.ended(&ending)),
            };
            if let Some(code) = over {
                self.report_latency();
                self.session.close();
                return code;
            }
        }
    }

    /// An exit code: that was all.
    fn event(&mut self, event: Event, filter: &TopicFilter) -> Option<ExitCode> {
        match event {
            Event::Connack(0) => self.subscribe(filter),
            Event::Connack(code) => {
                self.refused = code;
                report::refused(self.options, code);
                if self.options.manner == Manner::Mosquitto {
                    self.session.disconnect(ReasonCode::Success);
                    return Some(code.into());
                }
            }
            Event::Suback { codes, reason_string, .. } => match codes.first() {
                Some(code) if code.is_error() => return Some(self.denied(*code, reason_string.as_deref())),
                _ => {
                    self.sent = Some(Instant::now());
                    if let Err(trouble) = self.session.publish(self.request.clone()) {
                        report::error(self.options, &format!("Error: {}\n", trouble.words()));
                        return Some(trouble.code().into());
                    }
                }
            },
            Event::Published { reason, reason_string, .. } if reason.is_error() && self.options.manner == Manner::Signet => {
                let words = signet_client::in_words(reason, reason_string.as_deref());
                report::own(self.options, &format!("the broker refused the request: {words}"));
                self.session.disconnect(ReasonCode::Success);
                return Some(u8::from(reason).into());
            }
            Event::Message(message) => return self.answer(&message),
            Event::Published { .. } | Event::Interrupted => {}
        }
        None
    }

    fn subscribe(&mut self, filter: &TopicFilter) {
        let is_v5 = self.session.version() == ProtocolVersion::V5;
        let asked = &self.options.subscribe;
        let options = SubscriptionOptions {
            maximum_qos: self.options.qos,
            no_local: false,
            retain_as_published: asked.retain_as_published && is_v5,
            retain_handling: if is_v5 { asked.retain_handling } else { RetainHandling::SendAtSubscribe },
        };
        // What cannot be sent is not, and nobody says so: as Mosquitto's program.
        let _ = self.session.subscribe(vec![SubscribeFilter { filter: filter.clone(), options }], &self.options.properties.subscribe);
    }

    fn denied(&mut self, code: ReasonCode, reason_string: Option<&str>) -> ExitCode {
        self.session.disconnect(ReasonCode::Success);
        match self.options.manner {
            Manner::Mosquitto => {
                report::error(self.options, &format!("{}\n", words::reason(code.into())));
                ExitCode::SUCCESS
            }
            Manner::Signet => {
                let words = signet_client::in_words(code, reason_string);
                report::own(self.options, &format!("the broker refused the subscription to the response topic: {words}"));
                u8::from(code).into()
            }
        }
    }

    /// Mosquitto's program leaves without a word once it has the answer, so that the broker publishes its will.
    fn answer(&mut self, message: &Incoming) -> Option<ExitCode> {
        if message.retain && self.options.subscribe.no_retain {
            return None;
        }
        self.latency = self.sent.map(|sent| sent.elapsed());
        let _ = self.output.show(message);
        if self.options.manner == Manner::Signet {
            self.session.disconnect(ReasonCode::Success);
        }
        Some(ExitCode::SUCCESS)
    }

    fn timed_out(&mut self) -> ExitCode {
        let reason = match self.options.manner {
            Manner::Mosquitto => ReasonCode::DisconnectWithWill,
            Manner::Signet => ReasonCode::Success,
        };
        self.session.disconnect(reason);
        report::error(self.options, "Timed out\n");
        TIMED_OUT.into()
    }

    fn ended(&self, ending: &Ending) -> ExitCode {
        // There is always a count, and with one it is no error that the broker said goodbye.
        if self.options.manner == Manner::Mosquitto && matches!(ending.trouble, Trouble::NotConnected) {
            return self.refused.into();
        }
        report::ending(self.options, ending, self.refused)
    }

    fn report_latency(&self) {
        if !self.options.publish.measure_latency {
            return;
        }
        let latency = self.latency.unwrap_or_default();
        let nanoseconds = f64::from(latency.subsec_nanos());
        output::line(&match (latency.as_secs(), latency.subsec_nanos()) {
            (0, below @ 0..1_000) => format!("Latency: {below}ns"),
            (0, 0..1_000_000) => format!("Latency: {:.6}µs", nanoseconds / 1_000.0),
            (0, _) => format!("Latency: {:.6}ms", nanoseconds / 1_000_000.0),
            (seconds, below) => format!("Latency: {seconds}.{below:09}"),
        });
    }
}
