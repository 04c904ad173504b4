//! What would become of a client: its certificate at a listener, its CONNECT, and what it wants to publish and subscribe to, by everything that is in
//! force. A question changes nothing and lets nobody in.
//!
//! Left out is what depends on the moment: rates, bounds, whether somebody else uses the certificate now.

use std::net::IpAddr;
use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Connect, Password, ProtocolVersion, QoS, TopicFilter, TopicName};
use signet_net::unix_seconds;
use signet_policy::{Applicant, Chain, Client, Denied, Known, Origin, Published, explain_connect, explain_publish, explain_subscribe};
use signet_tls::{Explanation, TrustProfile};

use crate::{ProfileSettings, ServerHandle};

/// A client to ask about.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Where it comes in; `None`: the only listener that looks at certificates.
    pub listener: Option<String>,
    /// The server name (SNI) that it asks for.
    pub server_name: Option<String>,
    /// The certificates that it shows, in DER, its own first.
    pub chain: Vec<Vec<u8>>,
    /// The Client Identifier of its CONNECT; `None`: an empty one.
    pub client_identifier: Option<String>,
    /// The User Name of its CONNECT.
    pub username: Option<String>,
    /// The Password of its CONNECT.
    pub password: Option<Password>,
    /// Where it comes from.
    pub address: Option<IpAddr>,
    /// Where it wants to publish.
    pub publish: Option<TopicName>,
    /// What it wants to subscribe to.
    pub subscribe: Option<TopicFilter>,
}

/// What would become of it, as far as nobody outside has to be asked.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it comes in.
    pub listener: String,
    /// Its certificate; `None`: the listener looks at none.
    pub certificate: Option<Explanation>,
    /// Who would ask to be let in; `None`: its certificate is not good, so there is no CONNECT.
    pub asking: Option<Result<Asking, Denied>>,
}

/// Somebody who would ask to be let in, and who has to vouch.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Its names, as rules see them.
    pub applicant: Applicant,
    /// Who has to vouch; `None`: a certificate is enough.
    pub chain: Option<Arc<Chain>>,
    /// Whether, without a chain, nothing at all is enough.
    pub anonymous: bool,
}

/// What a client may do.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whether it may publish, where that was asked.
    pub publish: Option<signet_policy::Explanation>,
    /// Whether it may subscribe, likewise.
    pub subscribe: Option<signet_policy::Explanation>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Several listeners would do.
    #[error("several listeners would do ({}); name one", .0.join(", "))]
    WhichListener(Vec<String>),
    /// There is none.
    #[error("no listener looks at certificates")]
    NoListener,
    /// It does not exist.
    #[error("there is no listener `{name}`; there are {}", .known.join(", "))]
    UnknownListener {
        /// The one that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// It asks for no certificate.
    #[error("the listener `{0}` does not look at certificates")]
    NoCertificates(String),
}

/// A trust profile, and who uses it.
#[derive(Clone, Debug)]
pub struct ProfileInUse {
    /// Its authorities and rules.
    pub profile: Arc<TrustProfile>,
    /// What it says besides trust.
    pub settings: ProfileSettings,
    /// The listeners that judge certificates by it.
    pub listeners: Vec<String>,
}

impl ServerHandle {
    /// Explains what would become of a client now. Waits for nobody.
    ///
    /// # Errors
    /// There is no such listener, or it is not clear which one is meant.
    pub fn explain(&self, question: &Question) -> Result<Answer, Unanswered> {
        let now = unix_seconds();
        let listener = self.listener_for(question)?;
        let rules = listener.rules();
        let certificate = rules.explain(question.server_name.as_deref(), &question.chain, now);
        if certificate.is_none() && !question.chain.is_empty() {
            return Err(Unanswered::NoCertificates(listener.name.to_string()));
        }
        let identity = certificate.as_ref().and_then(|certificate| certificate.identity.as_ref());
        // Who has a certificate that nobody takes does not come as far as CONNECT.
        let comes_so_far = identity.is_some() || certificate.as_ref().is_none_or(|certificate| certificate.refusal.is_none());
        let asking = comes_so_far.then(|| {
            let admission = rules.admission_of(identity.map(|identity| &**identity));
            let origin = Origin { address: question.address, listener: Arc::clone(&listener.name) };
            let applicant = explain_connect(admission, identity, &connect_of(question), origin, now)?;
            Ok(Asking { applicant, chain: admission.chain.clone(), anonymous: admission.anonymous })
        });
        Ok(Answer { listener: listener.name.to_string(), certificate, asking })
    }

    /// Explains what a client may do, by the rules in force.
    pub fn explain_access(&self, client: &Client, question: &Question) -> Access {
        let ruleset = self.shared.ruleset.load();
        let message = Published { qos: QoS::AtMostOnce, retain: false, will: false };
        Access {
            publish: question.publish.as_ref().map(|topic| explain_publish(&ruleset, client, topic, message)),
            subscribe: question.subscribe.as_ref().map(|filter| explain_subscribe(&ruleset, client, filter, QoS::AtMostOnce)),
        }
    }

    /// Whether a client may see a message with this topic, by the rules in force. Nobody is asked for it.
    pub fn may_receive(&self, client: &Client, topic: &TopicName) -> bool {
        signet_policy::may_receive(&self.shared.ruleset.load(), client, topic, QoS::AtMostOnce, Known::NOTHING)
    }

    /// Every trust profile, by name.
    pub fn profiles(&self) -> Vec<ProfileInUse> {
        let listeners = self.shared.listeners.load();
        // All listeners are given the same profiles, whichever they use.
        let Some(rules) = listeners.first().map(|listener| listener.rules()) else { return Vec::new() };
        let profile = |profile: &Arc<TrustProfile>| ProfileInUse {
            profile: Arc::clone(profile),
            settings: rules.settings(profile.name()).cloned().unwrap_or_default(),
            listeners: listeners
                .iter()
                .filter(|listener| listener.rules().uses(profile.name()))
                .map(|listener| listener.name.to_string())
                .collect(),
        };
        rules.profiles().trust.iter().map(profile).collect()
    }

    fn listener_for(&self, question: &Question) -> Result<Arc<crate::listener::Listener>, Unanswered> {
        let listeners = self.shared.listeners.load();
        if let Some(name) = question.listener.as_deref() {
            return listeners.iter().find(|listener| *listener.name == *name).cloned().ok_or_else(|| Unanswered::UnknownListener {
                name: name.to_owned(),
                known: listeners.iter().map(|listener| listener.name.to_string()).collect(),
            });
        }
        let looks = |listener: &&Arc<crate::listener::Listener>| {
            if question.chain.is_empty() {
                return true;
            }
            let rules = listener.rules();
            rules.profiles().trust.iter().any(|profile| rules.uses(profile.name()))
        };
        let candidates: Vec<_> = listeners.iter().filter(looks).collect();
        match candidates.as_slice() {
            [] => Err(Unanswered::NoListener),
            [one] => Ok(Arc::clone(one)),
            several => Err(Unanswered::WhichListener(several.iter().map(|listener| listener.name.to_string()).collect())),
        }
    }
}

fn connect_of(question: &Question) -> Connect {
    Connect {
        version: ProtocolVersion::V5,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new(question.client_identifier.as_deref().unwrap_or_default()),
        will: None,
        username: question.username.clone().map(Into::into),
        password: question.password.clone(),
        properties: signet_mqtt::ConnectProperties::default(),
    }
}
