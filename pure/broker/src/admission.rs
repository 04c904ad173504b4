//! CONNECT, the part that needs no session: run where the connection was accepted, before its owning shard is known.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use signet_identity::Peer;
use signet_mqtt::{ClientIdentifier, Connack, Connect, Packet, ProtocolVersion, ReasonCode, TopicName, Will, encoded_len};
use signet_policy::{
    AccessQuestion, AdmissionRules, Answers, Applicant, Client, ConnectPermit, DenialReason, Denied, Known, NoPermit, Origin, Passed,
    PublishPermit, Published, Ruleset, authorize_connect, authorize_publish, identify, shown, vouched,
};

use crate::ids::{ShardId, owner_shard};
use crate::limits::Limits;
use crate::rules::Wording;

/// A CONNECT that may go on to the shard that owns its Client Identifier. Holds the [`ConnectPermit`]: there is no other way in.
#[derive(Debug)]
pub struct Admission {
    pub(crate) permit: ConnectPermit,
    pub(crate) connect: Connect,
    /// Those of the listener.
    pub(crate) limits: Arc<Limits>,
    /// Authentication Method and the last data of its exchange, for the CONNACK [MQTT-4.12.0-5].
    pub(crate) authentication: Option<(ByteString, Bytes)>,
    /// What access sources have said about the Will.
    pub(crate) will_answers: Option<Box<Answers>>,
}

impl Admission {
    /// Who connects.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.permit.client()
    }

    /// The same, shared.
    #[must_use]
    pub fn shared_client(&self) -> Arc<Client> {
        Arc::clone(self.permit.client())
    }

    /// The Client Identifier after mapping or assignment; from here on there is no other [MQTT-3.1.3-7].
    #[must_use]
    pub fn client_identifier(&self) -> &ClientIdentifier {
        self.permit.client().client_identifier()
    }

    /// What the connection speaks.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.connect.version
    }

    /// The shard to which the connection has to move.
    #[must_use]
    pub fn owner(&self, shards: u16) -> ShardId {
        owner_shard(&self.permit.client().session_key(), shards)
    }
}

/// A CONNECT that goes no further. The caller sends the CONNACK, logs the denial and closes [MQTT-3.1.4-2].
#[derive(Debug)]
pub struct Refusal {
    /// What to send before closing.
    pub connack: Option<Box<Connack>>,
    /// How to encode it.
    pub version: ProtocolVersion,
    /// Which rule refused, why, and the hint.
    pub denied: Box<Denied>,
}

/// The first packet of a connection has to be CONNECT [MQTT-3.1.0-1]; anything else ends the connection without an answer.
///
/// # Errors
/// The name of the packet that came instead.
pub fn expect_connect(packet: Packet) -> Result<Connect, &'static str> {
    match packet {
        Packet::Connect(connect) => Ok(*connect),
        other => Err(other.name()),
    }
}

/// A CONNECT whose client is known, and for whom nobody has vouched yet.
#[derive(Debug)]
pub struct Application {
    connect: Connect,
    applicant: Applicant,
    limits: Arc<Limits>,
}

impl Application {
    /// Who wants to be let in.
    #[must_use]
    pub fn applicant(&self) -> &Applicant {
        &self.applicant
    }

    /// What an access source has to be asked about the Will before [`admit`], and who the client is then. To be called again with each answer among the
    /// others, until there is no question; one without an answer refuses the CONNECT.
    #[must_use]
    pub fn will_question(&self, passed: &Passed, ruleset: &Ruleset, answers: &Answers) -> Option<(Client, AccessQuestion)> {
        let will = self.connect.will.as_ref().filter(|_| ruleset.asks())?;
        let client = vouched(&self.applicant, passed);
        let message = Published { qos: will.qos, retain: will.retain, will: true };
        match authorize_publish(ruleset, &client, &will.topic, message, Known { held: Some(answers), ..Known::NOTHING }) {
            Err(NoPermit::Ask(question)) => Some((client, *question)),
            Ok(_) | Err(NoPermit::Denied(_)) => None,
        }
    }

    /// What the connection speaks.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.connect.version
    }

    /// Refuses the CONNECT.
    #[must_use]
    pub fn refuse(self, denied: Denied) -> Refusal {
        refusal(&self.connect, &self.limits, denied)
    }
}

/// Looks at a CONNECT as far as nobody outside has to be asked: identifier, and who the client would be. `limits` are those of the listener, `now` is
/// in Unix seconds. `assigned` makes the unpredictable part of a Client Identifier for clients that leave it to the Server.
///
/// # Errors
/// A [`Refusal`] with the CONNACK to send.
pub fn apply(
    connect: Connect,
    peer: &Peer,
    rules: &AdmissionRules,
    limits: &Arc<Limits>,
    (origin, now): (Origin, i64),
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<Application, Refusal> {
    let prefix = &limits.connect.assigned_client_identifier_prefix;
    let assigned = || ClientIdentifier::new(format!("{prefix}{}", assigned().as_str()));
    let identified = check_connect(&connect, limits).and_then(|()| identify(rules, peer, &connect, origin, now, assigned));
    match identified {
        Ok(applicant) => Ok(Application { connect, applicant, limits: Arc::clone(limits) }),
        Err(denied) => Err(refusal(&connect, limits, denied)),
    }
}

/// Lets in whoever has passed those who had to vouch, if the Will may be published. `answers`: what access sources have said about the Will
/// ([`Application::will_question`]).
///
/// # Errors
/// A [`Refusal`] with the CONNACK to send.
pub fn admit(application: Application, passed: Passed, ruleset: &Ruleset, answers: Answers) -> Result<Admission, Refusal> {
    let Application { mut connect, applicant, limits } = application;
    if let Err(denied) = check_authentication_method(&connect, &passed) {
        return Err(refusal(&connect, &limits, denied));
    }
    let authentication = connect.properties.authentication_method.take().zip(passed.authentication_data().cloned());
    let permit = authorize_connect(applicant, passed);
    match check_will((connect.will.as_ref(), connect.version), permit.client(), (ruleset, &answers), &limits) {
        Ok(will) => {
            if let (Some(will_permit), Some(will)) = (will, &mut connect.will) {
                // From here on it is where it will be published.
                will.topic = will_permit.into_topic();
                will.properties.response_topic = place_response(permit.client(), will.properties.response_topic.take());
            }
            // The password has served its purpose; nothing behind this point needs it.
            connect.password = None;
            let will_answers = (!answers.is_empty()).then(|| Box::new(answers));
            Ok(Admission { permit, connect, limits, authentication, will_answers })
        }
        Err(denied) => Err(refusal(&connect, &limits, denied)),
    }
}

/// [`apply`] and [`admit`] in one, where the listener has no chain of authenticators.
///
/// # Errors
/// A [`Refusal`] with the CONNACK to send.
pub fn admit_without_chain(
    connect: Connect,
    peer: &Peer,
    rules: &AdmissionRules,
    ruleset: &Ruleset,
    limits: &Arc<Limits>,
    from: (Origin, i64),
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<Admission, Refusal> {
    let application = apply(connect, peer, rules, limits, from, assigned)?;
    match Passed::without_chain(application.applicant(), rules.anonymous) {
        Ok(passed) => admit(application, passed, ruleset, Answers::default()),
        Err(denied) => Err(application.refuse(denied)),
    }
}

fn refusal(connect: &Connect, limits: &Limits, denied: Denied) -> Refusal {
    let version = connect.version;
    let connack = refusing(connect, limits, denied.reason_code, &denied.reason.for_client());
    // [MQTT-3.2.2-6] of MQTT 3.1.1: a refusal that none of its return codes fits closes the connection and says nothing.
    let can_be_told = version.has_properties() || denied.reason_code.connect_return_code().is_some();
    Refusal { connack: can_be_told.then_some(connack), version, denied: Box::new(denied) }
}

/// The CONNACK of a refusal, with the words if they fit into what this client takes [MQTT-3.2.2-19].
pub(crate) fn refusing(connect: &Connect, limits: &Limits, reason_code: ReasonCode, words: &str) -> Box<Connack> {
    let mut connack = Connack { reason_code, ..Connack::default() };
    if limits.messages.answers == Wording::Plain {
        return Box::new(connack);
    }
    connack.properties.reason_string = Some(words.to_owned().into());
    let maximum = connect.properties.maximum_packet_size.map_or(usize::MAX, |size| usize::try_from(size.get()).unwrap_or(usize::MAX));
    let connack = Box::new(connack);
    if encoded_len(&Packet::Connack(connack.clone()), connect.version) > maximum {
        return Box::new(Connack { reason_code, ..Connack::default() });
    }
    connack
}

/// A method that nobody has used is refused [MQTT-4.12.0-1], [MQTT-4.12.0-4].
fn check_authentication_method(connect: &Connect, passed: &Passed) -> Result<(), Denied> {
    let Some(method) = connect.properties.authentication_method.as_ref().filter(|_| passed.authentication_data().is_none()) else {
        return Ok(());
    };
    Err(Denied {
        rule: "enhanced authentication".to_owned(),
        reason: DenialReason::AuthenticationMethod { method: method.to_string() },
        reason_code: ReasonCode::BadAuthenticationMethod,
    })
}

/// What the CONNECT says besides who the client is.
fn check_connect(connect: &Connect, limits: &Limits) -> Result<(), Denied> {
    let refuse = |rule: &str, detail: String, reason_code| Denied {
        rule: format!("limits: {rule}"),
        reason: DenialReason::Connect { detail },
        reason_code,
    };
    let rules = &limits.connect;
    if !rules.protocol_versions.contains(&connect.version) {
        // [MQTT-3.1.2-2]
        let detail = format!("{} is not spoken here", connect.version);
        return Err(refuse("protocol_versions", detail, ReasonCode::UnsupportedProtocolVersion));
    }
    let is_within = rules.keep_alive_maximum == 0 || (1..=rules.keep_alive_maximum).contains(&connect.keep_alive);
    if rules.keep_alive_enforced && !is_within && !connect.version.has_properties() {
        let detail = format!("its keep alive of {} s is not one of 1 to {}", connect.keep_alive, rules.keep_alive_maximum);
        return Err(refuse("keep_alive_enforced", detail, ReasonCode::ClientIdentifierNotValid));
    }
    if let Some(will) = connect.will.as_ref().filter(|will| will.retain && !limits.messages.retained_available) {
        // [MQTT-3.2.2-13]
        let detail = format!("its will message to `{}` is to be retained, and nothing is here", shown(will.topic.as_str()));
        return Err(refuse("retained_available", detail, ReasonCode::RetainNotSupported));
    }
    check_identifier(connect, limits)
}

/// Any identifier is fine, short and plain ones [MQTT-3.1.3-5] or not, up to a limit.
fn check_identifier(connect: &Connect, limits: &Limits) -> Result<(), Denied> {
    let claimed = &connect.client_identifier;
    let refuse_with = |rule: &str, claimed: String, detail: &'static str, reason_code| Denied {
        rule: rule.to_owned(),
        reason: DenialReason::ClientIdentifier { claimed, detail },
        reason_code,
    };
    let refuse = |rule: &str, claimed: String, detail| refuse_with(rule, claimed, detail, ReasonCode::ClientIdentifierNotValid);
    let rules = &limits.connect;
    match connect.version {
        ProtocolVersion::V31 if claimed.is_empty() => {
            return Err(refuse("§3.1 (MQTT 3.1)", String::new(), "an identifier is empty, which MQTT 3.1 does not allow"));
        }
        // [MQTT-3.1.3-8] of MQTT 3.1.1: a session that nobody can name cannot be kept.
        ProtocolVersion::V311 if claimed.is_empty() && !connect.clean_start => {
            return Err(refuse("MQTT-3.1.3-8 (3.1.1)", String::new(), "an empty identifier needs a clean session"));
        }
        version if claimed.is_empty() && !rules.empty_client_identifier => {
            // [MQTT-3.1.3-8]: the code is free.
            let code = if version.has_properties() { ReasonCode::UnspecifiedError } else { ReasonCode::ClientIdentifierNotValid };
            return Err(refuse_with("limits: empty_client_identifier", String::new(), "an identifier has to be sent", code));
        }
        _ => {}
    }
    // One that is given begins as it is said there.
    let begins = if claimed.is_empty() { &rules.assigned_client_identifier_prefix } else { claimed.as_str() };
    if !begins.starts_with(&*rules.client_identifier_prefix) {
        let shown: String = claimed.as_str().chars().take(64).collect();
        let detail = "it does not begin as it has to";
        return Err(refuse_with("limits: client_identifier_prefix", shown, detail, ReasonCode::NotAuthorized));
    }
    if claimed.as_str().len() > usize::from(rules.client_identifier_bytes_maximum) {
        let shown: String = claimed.as_str().chars().take(32).collect();
        return Err(refuse("limits: client_identifier_bytes_maximum", shown + "…", "it is longer than the limit"));
    }
    Ok(())
}

/// A Will is a publish that happens later: it is judged now, so that the client hears of it, and again when it is published.
fn check_will(
    (will, version): (Option<&Will>, ProtocolVersion),
    client: &Client,
    (ruleset, answers): (&Ruleset, &Answers),
    limits: &Limits,
) -> Result<Option<PublishPermit>, Denied> {
    let Some(will) = will else { return Ok(None) };
    let payload_maximum = limits.messages.payload_maximum;
    if payload_maximum > 0 && will.payload.len() > payload_maximum {
        return Err(Denied {
            rule: "limits: payload_maximum".to_owned(),
            reason: DenialReason::Will { detail: format!("its payload has {} bytes, more than {payload_maximum}", will.payload.len()) },
            // Before MQTT 5.0 nothing fits better.
            reason_code: if version.has_properties() { ReasonCode::PacketTooLarge } else { ReasonCode::NotAuthorized },
        });
    }
    if will.qos > limits.maximum_qos {
        // [MQTT-3.2.2-12]
        return Err(Denied {
            rule: "limits: maximum_qos".to_owned(),
            reason: DenialReason::Will { detail: format!("its QoS {} is above the maximum {}", will.qos, limits.maximum_qos) },
            reason_code: ReasonCode::QosNotSupported,
        });
    }
    // What stands before it takes levels too.
    if will.topic.levels().count() + client.levels_before() > usize::from(limits.topic_levels_maximum) {
        return Err(Denied {
            rule: "limits: topic_levels_maximum".to_owned(),
            reason: DenialReason::Will { detail: "its topic has too many levels".to_owned() },
            reason_code: ReasonCode::TopicNameInvalid,
        });
    }
    let message = Published { qos: will.qos, retain: will.retain, will: true };
    let known = Known { held: Some(answers), ..Known::NOTHING };
    authorize_publish(ruleset, client, &will.topic, message, known).map(Some).map_err(|no| no.or_denied(client))
}

/// A Response Topic is a topic too: whoever answers has to find it, another tenant's name space being none of his. One that becomes too long is
/// left out.
pub(crate) fn place_response(client: &Client, topic: Option<TopicName>) -> Option<TopicName> {
    client.place_topic(&topic?).ok()
}
