//! A set of keys that somebody else keeps, by address or in a file: fetched again and again, and kept while it cannot be.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::header::{self, HeaderValue};
use jsonwebtoken::Algorithm;
use signet_http::{Question, Url};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;

use super::keys::KeySet;
use crate::backend::Backend;
use crate::http::{Endpoint, EndpointConfig, fixed_headers};
use crate::source::Failure;

/// Where a set of keys is.
#[derive(Clone)]
pub enum JwksPlace {
    /// At an address.
    Url(Box<JwksAddress>),
    /// In a file.
    File(PathBuf),
}

/// An address with a set of keys.
#[derive(Clone)]
pub struct JwksAddress {
    /// The address.
    pub url: Url,
    /// Header fields to send along. They may hold secrets.
    pub headers: Vec<(String, String)>,
    /// How to reach it.
    pub endpoint: EndpointConfig,
}

/// Where a set of keys is, and how often it is fetched.
#[derive(Clone)]
pub struct JwksConfig {
    /// Where.
    pub place: JwksPlace,
    /// How often.
    pub refresh_interval: Duration,
    /// How soon again at the earliest: after a failure, and for a token whose key is not in the set.
    pub refresh_minimum: Duration,
    /// How long keys count while no newer ones can be had.
    pub keep: Duration,
}

impl JwksConfig {
    /// Every 5 minutes, every 10 seconds at most; keys are kept for a day.
    #[must_use]
    pub fn new(place: JwksPlace) -> Self {
        Self {
            place,
            refresh_interval: Duration::from_secs(300),
            refresh_minimum: Duration::from_secs(10),
            keep: Duration::from_secs(86_400),
        }
    }
}

/// Bytes of a set in a file.
const FILE_MAXIMUM: u64 = 1024 * 1024;

/// The set. Dropping it ends its task.
#[derive(Debug)]
pub(super) struct Jwks {
    shared: Arc<Shared>,
    is_started: AtomicBool,
    refreshing: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    place: Place,
    algorithms: Vec<Algorithm>,
    refresh_interval: Duration,
    refresh_minimum: Duration,
    keep: Duration,
    backend: Arc<Backend>,
    known: Mutex<Known>,
    /// One fetches, the others wait for it.
    turn: tokio::sync::Mutex<()>,
}

enum Place {
    Url(Box<(Endpoint, Question)>),
    File(PathBuf),
}

#[derive(Default)]
struct Known {
    /// The last good set, and when it was fetched.
    keys: Option<(Arc<KeySet>, Instant)>,
    attempted: Option<Instant>,
    /// Why the last attempt failed; nothing if it did not.
    failure: Option<Failure>,
}

impl Jwks {
    pub(super) fn new(config: &JwksConfig, algorithms: &[Algorithm], backend: Arc<Backend>) -> Result<Self, String> {
        let place = match &config.place {
            JwksPlace::File(path) => Place::File(path.clone()),
            JwksPlace::Url(address) => {
                let JwksAddress { url, headers, endpoint } = &**address;
                let endpoint = Endpoint::new(url.clone(), endpoint, backend.config())?;
                let mut headers = fixed_headers(headers)?;
                headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
                let question = Question { method: Method::GET, target: url.path().to_owned(), headers, body: bytes::Bytes::new() };
                Place::Url(Box::new((endpoint, question)))
            }
        };
        let shared = Arc::new(Shared {
            place,
            algorithms: algorithms.to_vec(),
            refresh_interval: config.refresh_interval.max(Duration::from_secs(1)),
            refresh_minimum: config.refresh_minimum,
            keep: config.keep,
            backend,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        });
        Ok(Self { shared, is_started: AtomicBool::new(false), refreshing: Mutex::default() })
    }

    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.shared.backend
    }

    /// The keys that count now. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// There are none, and they cannot be had.
    pub(super) async fn current(&self) -> Result<Arc<KeySet>, Failure> {
        if !self.is_started.swap(true, Ordering::SeqCst) {
            let task = tokio::spawn(keep_fresh(Arc::downgrade(&self.shared), self.shared.refresh_interval));
            *self.refreshing.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        match self.shared.usable() {
            Some(keys) => Ok(keys),
            None => self.shared.refresh().await,
        }
    }

    /// Fetches because a token's key is not in the set, if that was not done just now.
    ///
    /// # Errors
    /// The last attempt to fetch them failed: whether there is such a key nobody knows.
    pub(super) async fn after_miss(&self) -> Result<Arc<KeySet>, Failure> {
        self.shared.refresh().await
    }
}

impl Drop for Jwks {
    fn drop(&mut self) {
        if let Some(task) = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Fetches again and again, as long as somebody uses the set.
async fn keep_fresh(shared: Weak<Shared>, mut pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        let Some(shared) = shared.upgrade() else { return };
        let is_good = shared.refresh().await.is_ok();
        // A set that cannot be had is asked for more often, though never without a pause.
        let soon = shared.refresh_minimum.clamp(Duration::from_secs(1), shared.refresh_interval);
        pause = if is_good { shared.refresh_interval } else { soon };
    }
}

impl Shared {
    fn usable(&self) -> Option<Arc<KeySet>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keys.as_ref().filter(|(_, fetched)| fetched.elapsed() < self.keep).map(|(keys, _)| Arc::clone(keys))
    }

    /// The outcome of the last attempt, if there was one after `since`.
    fn outcome_since(&self, since: Option<Instant>) -> Option<Result<Arc<KeySet>, Failure>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let attempted = known.attempted?;
        if since.is_some_and(|since| attempted < since) {
            return None;
        }
        match (&known.failure, &known.keys) {
            (Some(failure), _) => Some(Err(failure.clone())),
            (None, Some((keys, _))) => Some(Ok(Arc::clone(keys))),
            (None, None) => None,
        }
    }

    /// Fetches, unless somebody has done so less than the minimum ago, or does so now.
    async fn refresh(&self) -> Result<Arc<KeySet>, Failure> {
        let since = Instant::now().checked_sub(self.refresh_minimum);
        if let Some(outcome) = self.outcome_since(since) {
            return outcome;
        }
        let _turn = self.turn.lock().await;
        if let Some(outcome) = self.outcome_since(since) {
            return outcome;
        }
        let outcome = self.backend.ask(self.fetch()).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.attempted = Some(Instant::now());
        known.failure = outcome.as_ref().err().cloned();
        let keys = Arc::new(outcome?);
        known.keys = Some((Arc::clone(&keys), Instant::now()));
        Ok(keys)
    }

    async fn fetch(&self) -> Result<KeySet, Failure> {
        let bytes = match &self.place {
            Place::Url(asking) => {
                let (endpoint, question) = &**asking;
                let answer = endpoint.ask(question).await?;
                if answer.status != 200 {
                    return Err(Failure(format!("the keys cannot be had: the server answers {}", answer.status)));
                }
                answer.body.to_vec()
            }
            Place::File(path) => read(path).await.map_err(|error| Failure(format!("`{}`: {error}", path.display())))?,
        };
        KeySet::from_jwks(&bytes, &self.algorithms).map_err(Failure)
    }
}

async fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await?.take(FILE_MAXIMUM).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("backend", &self.backend).finish_non_exhaustive()
    }
}
