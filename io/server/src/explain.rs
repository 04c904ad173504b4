//! What would become of a client: its certificate at a listener, its CONNECT, and what it wants to publish and subscribe to, by everything that is in
//! force. A question changes nothing and lets nobody in.
//!
//! Left out is what depends on the moment: rates, bounds, whether somebody else uses the certificate now.

use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Connect, ProtocolVersion, TopicFilter, TopicName};
use signet_net::unix_seconds;
use signet_policy::{Client, Denied, explain_connect, explain_publish, explain_subscribe};
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
    /// Where it wants to publish.
    pub publish: Option<TopicName>,
    /// What it wants to subscribe to.
    pub subscribe: Option<TopicFilter>,
}

/// What would become of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it comes in.
    pub listener: String,
    /// Its certificate.
    pub certificate: Explanation,
    /// Its CONNECT; `None`: no trust profile takes the certificate, so nobody knows whose it would be.
    pub connect: Option<Result<ConnectAnswer, Denied>>,
    /// Its publish, where one was asked about and the CONNECT is accepted.
    pub publish: Option<signet_policy::Explanation>,
    /// Its subscription, likewise.
    pub subscribe: Option<signet_policy::Explanation>,
}

/// Whom a CONNECT makes of the client.
#[derive(Clone, Debug)]
pub struct ConnectAnswer {
    /// Its names, as rules see them.
    pub client: Client,
    /// Whether the Client Identifier would be chosen by the server.
    pub is_assigned: bool,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Several listeners would do.
    #[error("several listeners look at certificates ({}); name one", .0.join(", "))]
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
        let listener = self.listener_for(question.listener.as_deref())?;
        let rules = listener.rules();
        let Some(certificate) = rules.explain(question.server_name.as_deref(), &question.chain, now) else {
            return Err(Unanswered::NoCertificates(listener.name.to_string()));
        };
        let connect = certificate.identity.as_ref().map(|identity| {
            let connected = explain_connect(rules.admission_of(Some(identity)), identity, &connect_of(question));
            connected.map(|(client, is_assigned)| ConnectAnswer { client, is_assigned })
        });
        let ruleset = self.shared.ruleset.load();
        let client = connect.as_ref().and_then(|connect| connect.as_ref().ok()).map(|connected| &connected.client);
        let publish = client.zip(question.publish.as_ref()).map(|(client, topic)| explain_publish(&ruleset, client, topic));
        let subscribe = client.zip(question.subscribe.as_ref()).map(|(client, filter)| explain_subscribe(&ruleset, client, filter));
        Ok(Answer { listener: listener.name.to_string(), certificate, connect, publish, subscribe })
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

    fn listener_for(&self, name: Option<&str>) -> Result<Arc<crate::listener::Listener>, Unanswered> {
        let listeners = self.shared.listeners.load();
        if let Some(name) = name {
            return listeners.iter().find(|listener| *listener.name == *name).cloned().ok_or_else(|| Unanswered::UnknownListener {
                name: name.to_owned(),
                known: listeners.iter().map(|listener| listener.name.to_string()).collect(),
            });
        }
        let looks = |listener: &&Arc<crate::listener::Listener>| {
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
        password: None,
        properties: signet_mqtt::ConnectProperties::default(),
    }
}
