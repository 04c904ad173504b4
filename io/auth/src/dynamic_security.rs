//! Dynamic security as a running broker holds it: who logs in, what clients may do, and requests that change both, one at a time and durable before
//! they count.

mod initial;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use signet_dynsec::{Administrator, Bounds, Connections, Kick, Names, Passwords, State, Surroundings, Wish, execute};
use signet_mqtt::Password;
use signet_policy::{Applicant, Client, Credential, Grant, JudgeAccess, Outcome, Principal, ProvenNames};

pub use initial::{InitialDocument, initial_document};

use crate::hashing::HashingPool;
use crate::password::{NewHash, PasswordHash};
use crate::password_source::Record;
use crate::source::{Authenticator, BoxFuture, Failure};
use crate::verifier::Verifier;

/// Before the names of clients in those of credentials.
const PREFIX: &str = "dynamic_security/";

/// As many as Mosquitto 2.1 takes.
const ITERATIONS: u32 = 1_000;

/// Makes the text of the file durable. The words of an error are for the log.
pub type KeepDocument = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// All clients, groups and roles.
pub struct DynamicSecurity {
    state: RwLock<Arc<State>>,
    bounds: Bounds,
    keep: KeepDocument,
    /// Held by whoever carries out a request.
    turn: Mutex<()>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Controlled {
    /// What is to be published as the response.
    pub response: String,
    /// Whose sessions are to end: their credentials hold no more.
    pub kicks: Vec<Kick>,
}

impl DynamicSecurity {
    /// With what there is; changes are kept by `keep`.
    #[must_use]
    pub fn new(state: State, bounds: Bounds, keep: KeepDocument) -> Self {
        Self { state: RwLock::new(Arc::new(state)), bounds, keep, turn: Mutex::default() }
    }

    /// The name of a client's credential.
    #[must_use]
    pub fn credential(username: &str) -> String {
        format!("{PREFIX}{username}")
    }

    /// Carries out a request. When this returns, what it changes is durable and in force; what cannot be made durable is not in force either, and the
    /// response says so. Waits for the disk, for others whose turn it is, and for password hashes.
    pub fn control(&self, request: &[u8], administrator: Administrator<'_>, connections: &dyn Connections) -> Controlled {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let surroundings = Surroundings { passwords: &mut NewHashes, connections, administrator, bounds: &self.bounds };
        let executed = execute(&self.state(), request, surroundings);
        if executed.is_changed
            && let Err(error) = (self.keep)(&executed.state.write())
        {
            tracing::error!(target: "signet::auth", "dynamic security: nothing of a request counts, because it could not be made durable: {error}");
            let response = r#"{"responses":[{"command":"Unknown command","error":"Internal error"}]}"#.to_owned();
            return Controlled { response, kicks: Vec::new() };
        }
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(executed.state);
        for line in &executed.log {
            tracing::info!(target: "signet::dynsec", "{line}");
        }
        Controlled { response: executed.response, kicks: executed.kicks }
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        let username = credential.name.strip_prefix(PREFIX)?;
        let state = self.state();
        let client = state.client(username).filter(|client| !client.is_disabled());
        Some(client.is_some_and(|client| client.version() == credential.version))
    }
}

impl fmt::Debug for DynamicSecurity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DynamicSecurity").field("clients", &self.state().client_count()).finish_non_exhaustive()
    }
}

impl JudgeAccess for DynamicSecurity {
    fn judge(&self, client: &Client, wish: signet_policy::Wish, topic: &str) -> Option<bool> {
        let names = Names { username: username(client)?, client_identifier: client.client_identifier().as_str() };
        let wish = match wish {
            signet_policy::Wish::Publish => Wish::Publish,
            signet_policy::Wish::Receive => Wish::Receive,
            signet_policy::Wish::Subscribe => Wish::Subscribe,
            signet_policy::Wish::Unsubscribe => Wish::Unsubscribe,
        };
        self.state().judge(names, wish, topic)
    }
}

/// Under which name a client has roles here: one that was proven, or none because it claims none. `None`: it has none here, whatever it claims.
fn username(client: &Client) -> Option<Option<&str>> {
    let credentials = client.grant().map(|grant| grant.credentials.as_slice()).unwrap_or_default();
    if let Some(username) = credentials.iter().find_map(|credential| credential.name.strip_prefix(PREFIX)) {
        return Some(Some(username));
    }
    match (client.principal(), client.username()) {
        (Principal::User(_), Some(_)) => client.proven_username().map(Some),
        (Principal::Anonymous, None) => Some(None),
        (Principal::User(_) | Principal::Unnamed | Principal::Anonymous | Principal::Device(_) | Principal::Bridge(_), _) => None,
    }
}

/// Vouches for who knows the password of a client, and for a device that is called like one that is not disabled.
#[derive(Debug)]
pub struct DynamicSecurityAuthenticator {
    clients: Arc<DynamicSecurity>,
    verifier: Verifier,
}

impl DynamicSecurityAuthenticator {
    /// Looks clients up there.
    #[must_use]
    pub fn new(clients: Arc<DynamicSecurity>, pool: HashingPool) -> Self {
        Self { clients, verifier: Verifier::new(&PasswordHash::Auto, pool) }
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let state = self.clients.state();
        if let Some(name) = proven_name(applicant) {
            return Ok(match state.client(name) {
                None => Outcome::Unknown(format!("there is no client `{}`", signet_policy::shown(name))),
                Some(client) => spoken_against(client, applicant).unwrap_or_else(|| vouched(name, client, Box::default())),
            });
        }
        let Some(password) = &applicant.password else { return Ok(Outcome::Unknown("it sends no password".to_owned())) };
        let Some(name) = applicant.client.username() else { return Ok(Outcome::Unknown("it has no user name".to_owned())) };
        self.log_in(&state, name, password, applicant).await
    }

    async fn log_in(&self, state: &State, name: &str, password: &Password, applicant: &Applicant) -> Result<Outcome, Failure> {
        let Some(client) = state.client(name) else {
            return self.verifier.turn_away(password, Outcome::Unknown("it is not there".to_owned())).await;
        };
        if let Some(outcome) = spoken_against(client, applicant) {
            return self.verifier.turn_away(password, outcome).await;
        }
        let password_hash = client.password().map(|hash| hash.as_bytes().to_vec());
        let record = Arc::new(Record { password_hash, ..Record::default() });
        Ok(match self.verifier.verdict(password, &PasswordHash::Auto, &record).await? {
            Outcome::Allow(grant) => vouched(name, client, Box::new(Grant { proven: ProvenNames::USERNAME, ..*grant })),
            other => other,
        })
    }
}

/// The name of a device, proven by its certificate or pre-shared key: the user name, where that is made from it. What the client claims proves nothing,
/// unless it shows the password of that name, too.
fn proven_name(applicant: &Applicant) -> Option<&str> {
    let device = applicant.client.device()?;
    match applicant.client.username() {
        Some(username) if applicant.names.proven.username => Some(username),
        Some(_) if applicant.password.is_some() => None,
        _ => Some(device.as_str()),
    }
}

/// Whether a client may not connect, whatever it shows.
fn spoken_against(client: &signet_dynsec::Client, applicant: &Applicant) -> Option<Outcome> {
    if client.is_disabled() {
        return Some(Outcome::Deny("the client is disabled".to_owned()));
    }
    let wanted = client.client_identifier()?;
    let is_other = wanted != applicant.client.client_identifier().as_str();
    is_other.then(|| Outcome::Deny("it has to use another Client Identifier".to_owned()))
}

fn vouched(name: &str, client: &signet_dynsec::Client, mut grant: Box<Grant>) -> Outcome {
    grant.credentials.push(Credential { name: DynamicSecurity::credential(name).into(), version: client.version() });
    Outcome::Allow(grant)
}

impl Authenticator for DynamicSecurityAuthenticator {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.verdict(applicant))
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        self.clients.holds(credential)
    }
}

/// As Mosquitto 2.0 and 2.1 both read them.
struct NewHashes;

impl Passwords for NewHashes {
    fn hash(&mut self, password: &str) -> Option<String> {
        NewHash::MosquittoPbkdf2 { iterations: ITERATIONS }.make(password.as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests;
