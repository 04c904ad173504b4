//! Dynamic security: its file, from the first one on, and the requests that clients publish below `$CONTROL/`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use signet_auth::{DynamicSecurity, initial_dynamic_security};
use signet_broker::ControlAnswer;
use signet_dynsec::{Administrator, Bounds, Connections, Kick, REQUEST_TOPIC, RESPONSE_TOPIC, State};
use signet_identity::Peer;
use signet_ledger::{Overwrite, write_secret};
use signet_mqtt::{Message, QoS, TopicName};
use signet_net::{ConnectionInfo, KickCause, LinkId, Registry, Selector};
use signet_policy::BRIDGE_IDENTIFIERS;
use signet_server::{ControlDone, ControlRequest, ControlTopics, Monitor};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::broker_control::{self, BrokerFacts};
use crate::config::DynamicSecurityFiles;
use crate::hint::plain;

/// The administrator's password for a file that is made, at least [`PASSWORD_MINIMUM`] characters.
const PASSWORD_VARIABLE: &str = "MOSQUITTO_DYNSEC_PASSWORD";
const PASSWORD_MINIMUM: usize = 12;

/// Requests that wait. Each client has one at most.
const WAITING_MAXIMUM: usize = 1_000;

/// Reads the file, or makes the first one.
///
/// # Errors
/// In words, with the file's name: nothing is served by half a file.
pub(crate) fn open(files: &DynamicSecurityFiles) -> Result<Arc<DynamicSecurity>, String> {
    let path = &files.file;
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make_first(files)?.into_bytes(),
        other => other.map_err(|error| format!("cannot read `{}`: {}", path.display(), plain(&error)))?,
    };
    let state = parsed(path, &text)?;
    let path = path.clone();
    let keep = move |text: &str| write_secret(&path, text.as_bytes(), Overwrite::Forced).map_err(|error| error.to_string());
    Ok(Arc::new(DynamicSecurity::new(state, Bounds::default(), Box::new(keep))))
}

/// Whether the file can be used, if it is there.
///
/// # Errors
/// As [`open`].
pub(crate) fn check(path: &Path) -> Result<(), String> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot read `{}`: {}", path.display(), plain(&error))),
        Ok(text) => parsed(path, &text).map(drop),
    }
}

fn parsed(path: &Path, text: &[u8]) -> Result<State, String> {
    State::read(text, &Bounds::default()).map_err(|error| format!("the file of dynamic security `{}`: {error}", path.display()))
}

/// Makes the first file, with an administrator.
fn make_first(files: &DynamicSecurityFiles) -> Result<String, String> {
    let path = files.file.display();
    let password = given_password(files)?;
    let first = initial_dynamic_security(password.as_deref()).map_err(|error| error.to_string())?;
    let written = |path: &Path, text: &str| write_secret(path, text.as_bytes(), Overwrite::Forced).map_err(|error| error.to_string());
    // Passwords that nobody knows are of no use: they come first.
    if let Some(passwords) = &first.passwords {
        let mut name = files.file.clone().into_os_string();
        name.push(".pw");
        let name = PathBuf::from(name);
        written(&name, passwords)?;
        tracing::info!(target: "signet::dynsec", "there is no `{path}`: made one, with passwords in `{}`", name.display());
    } else {
        tracing::info!(target: "signet::dynsec", "there is no `{path}`: made one, with the client `admin` and the password that was given");
    }
    written(&files.file, &first.text)?;
    Ok(first.text)
}

/// The password of a file, or else of the environment.
fn given_password(files: &DynamicSecurityFiles) -> Result<Option<String>, String> {
    if let Some(path) = &files.password_init_file {
        let named = |why: &str| format!("the first password of dynamic security in `{}`: {why}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&plain(&error)))?;
        let line = text.lines().next().unwrap_or_default().trim_end();
        return if line.is_empty() { Err(named("the file is empty")) } else { Ok(Some(line.to_owned())) };
    }
    match std::env::var(PASSWORD_VARIABLE) {
        Err(std::env::VarError::NotPresent) => Ok(None),
        Ok(password) if password.len() >= PASSWORD_MINIMUM => Ok(Some(password)),
        _ => Err(format!("no file of dynamic security is made, because {PASSWORD_VARIABLE} has fewer than {PASSWORD_MINIMUM} characters")),
    }
}

/// Carries out requests, beside the shards and one at a time.
pub(crate) struct ControlDesk {
    inner: Arc<Inner>,
    runtime: Handle,
    /// Who has the next turn: first come, first served.
    turn: Arc<Mutex<()>>,
    waiting: Arc<AtomicUsize>,
}

struct Inner {
    dynamic_security: Option<Arc<DynamicSecurity>>,
    /// What requests about the broker itself are answered with; nothing where they are not.
    broker: ArcSwap<Option<BrokerFacts>>,
    registry: Arc<Registry>,
    monitor: Monitor,
}

impl ControlDesk {
    /// To be called inside of the runtime.
    pub(crate) fn new(
        dynamic_security: Option<Arc<DynamicSecurity>>,
        broker: Option<BrokerFacts>,
        registry: Arc<Registry>,
        monitor: Monitor,
    ) -> Self {
        let inner = Inner { dynamic_security, broker: ArcSwap::from_pointee(broker), registry, monitor };
        Self { inner: Arc::new(inner), runtime: Handle::current(), turn: Arc::default(), waiting: Arc::default() }
    }

    /// What requests about the broker are answered with from here on.
    pub(crate) fn replace(&self, broker: Option<BrokerFacts>) {
        self.inner.broker.store(Arc::new(broker));
    }

    fn administer(&self, clients: Arc<DynamicSecurity>, request: ControlRequest, done: ControlDone) {
        let place = Place::take(&self.waiting);
        if place.is_beyond() {
            let busy = r#"{"responses":[{"command":"Unknown command","error":"Too many requests"}]}"#;
            return done(response(RESPONSE_TOPIC, busy.to_owned()));
        }
        let (inner, turn) = (Arc::clone(&self.inner), Arc::clone(&self.turn));
        self.runtime.spawn(async move {
            let turn = turn.lock_owned().await;
            let work = tokio::task::spawn_blocking(move || {
                inner.administer(&clients, &request, done);
                drop((turn, place));
            });
            if let Err(error) = work.await {
                tracing::error!(target: "signet::dynsec", "a request ended early: {error}");
            }
        });
    }
}

impl ControlTopics for ControlDesk {
    fn request(&self, request: ControlRequest, done: ControlDone) {
        let broker = self.inner.broker.load_full();
        match (request.topic.as_str(), &self.inner.dynamic_security, broker.is_some()) {
            (REQUEST_TOPIC, Some(clients), _) => self.administer(Arc::clone(clients), request, done),
            (broker_control::REQUEST_TOPIC, _, true) => {
                let (client_identifier, username) = (request.client.client_identifier(), request.client.username());
                tracing::info!(target: "signet::dynsec", client_identifier = client_identifier.as_str(), username, "a request about the broker");
                // A request may be large, and a shard has others to serve.
                self.runtime.spawn_blocking(move || match &*broker {
                    Some(facts) => done(response(broker_control::RESPONSE_TOPIC, facts.answer(&request.payload))),
                    None => drop(done),
                });
            }
            // Whoever has asked says that nobody is here.
            _ => drop(done),
        }
    }
}

/// One request that waits, or is carried out.
struct Place {
    count: Arc<AtomicUsize>,
    before: usize,
}

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Self {
        Self { before: count.fetch_add(1, Ordering::Relaxed), count: Arc::clone(count) }
    }

    fn is_beyond(&self) -> bool {
        self.before >= WAITING_MAXIMUM
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    /// What is changed is durable and in force before the response goes out, and the order to end sessions is given. Only whoever asked hears what became
    /// of the request before its own session ends.
    fn administer(&self, clients: &DynamicSecurity, request: &ControlRequest, done: ControlDone) {
        let administrator =
            Administrator { client_identifier: request.client.client_identifier().as_str(), username: request.client.username() };
        let controlled = clients.control(&request.payload, administrator, self);
        let mut own = None;
        for kick in &controlled.kicks {
            let (cause, mut links) = self.named(kick);
            if links.contains(&request.connection) {
                own = Some(cause.clone());
                links.retain(|link| *link != request.connection);
            }
            self.registry.kick(&links, &cause, Duration::ZERO);
        }
        done(response(RESPONSE_TOPIC, controlled.response));
        if let Some(cause) = own {
            self.registry.kick(&[request.connection], &cause, Duration::ZERO);
        }
        // Of sessions whose client is away, for one: their subscriptions end too. Behind the orders, because it would end connections in its own way.
        if !controlled.kicks.is_empty() {
            self.monitor.judgements_changed();
        }
    }

    /// Whose sessions end, and why.
    fn named(&self, kick: &Kick) -> (KickCause, Vec<LinkId>) {
        match kick {
            Kick::Client(username) => {
                let links = self.registry.select(&Selector::Credential(&DynamicSecurity::credential(username)));
                (KickCause::DynamicSecurity(Some(signet_policy::shown(username).into())), links)
            }
            Kick::Anonymous => {
                let all = self.registry.selected(&Selector::All);
                (KickCause::DynamicSecurity(None), all.iter().filter(|info| is_nobody(info)).map(|info| info.entry.link).collect())
            }
        }
    }
}

/// A client that nobody has vouched for and that claims no name.
fn is_nobody(info: &ConnectionInfo) -> bool {
    let is_bridge = info.client_identifier.as_deref().is_none_or(|identifier| identifier.starts_with(BRIDGE_IDENTIFIERS));
    matches!(info.entry.peer, Peer::Anonymous(_)) && info.username.is_none() && info.credentials.is_empty() && !is_bridge
}

impl Connections for Inner {
    fn addresses(&self, username: &str, client_identifier: Option<&str>) -> Vec<String> {
        let found = self.registry.selected(&Selector::Credential(&DynamicSecurity::credential(username)));
        let meant = found.iter().filter(|info| client_identifier.is_none_or(|wanted| info.client_identifier.as_deref() == Some(wanted)));
        meant.filter_map(|info| info.entry.address.ip()).map(|address| address.to_string()).collect()
    }
}

fn response(topic: &str, payload: String) -> ControlAnswer {
    let message = TopicName::new(topic.to_owned()).map(|topic| Message {
        topic,
        payload: payload.into(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Default::default(),
    });
    ControlAnswer { publish: message.into_iter().collect(), reply: None }
}
