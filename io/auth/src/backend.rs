//! What stands between clients and a backend, so that neither can exhaust the other.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::future::Cache;
use tokio::sync::Semaphore;

use crate::key::QueryKey;
use crate::source::Failure;

/// How a backend is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendConfig {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What kind it is, in one word: `redis`.
    pub kind: &'static str,
    /// How long one question may take, waiting for a place included.
    pub timeout: Duration,
    /// Questions at a time.
    pub concurrent_maximum: usize,
    /// Questions that wait for a place. Beyond it they fail at once.
    pub waiting_maximum: usize,
    /// How long an answer counts; zero: it is only shared by those who ask at the same time.
    pub cache_ttl: Duration,
    /// Answers that are kept.
    pub cache_maximum: u64,
    /// Failures in a row after which nobody is asked for a while; 0: never.
    pub breaker_failures: u32,
    /// That while.
    pub breaker_pause: Duration,
}

impl BackendConfig {
    /// 5 s for a question, 8 at a time and 20,000 waiting, answers for 10 s and 10,000 of them, a pause of 5 s after 5 failures.
    #[must_use]
    pub fn new(name: &str, kind: &'static str) -> Self {
        Self {
            name: name.into(),
            kind,
            timeout: Duration::from_secs(5),
            concurrent_maximum: 8,
            waiting_maximum: 20_000,
            cache_ttl: Duration::from_secs(10),
            cache_maximum: 10_000,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5),
        }
    }
}

/// Whether a backend is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It is not: it has failed too often in a row.
    Open,
    /// One question finds out whether it is back.
    Trying,
}

impl BreakerState {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Trying => "trying",
        }
    }
}

/// How a backend fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendReport {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it is asked.
    pub breaker: BreakerState,
    /// Questions to it, answered or not.
    pub asked: u64,
    /// Those that failed, by themselves or by the time limit.
    pub failed: u64,
    /// Questions that were answered from memory, or by somebody else's question at the same time.
    pub remembered: u64,
    /// Questions that failed by no fault of the backend's: too many waited, their time went by in the queue, or it was given up for a while.
    pub spared: u64,
    /// Answers in memory, about.
    pub cached: u64,
    /// Microseconds that all questions took together.
    pub microseconds: u64,
    /// The last failure.
    pub last_failure: Option<String>,
}

/// One backend, and everything that is known of how it fares.
pub struct Backend {
    config: BackendConfig,
    places: Semaphore,
    waiting: AtomicU64,
    breaker: Mutex<Breaker>,
    counts: Counts,
    last_failure: Mutex<Option<String>>,
    /// Counts up with every order to forget: remembered answers of an earlier count are not used.
    generation: AtomicU64,
}

#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    failed: AtomicU64,
    remembered: AtomicU64,
    spared: AtomicU64,
    cached: AtomicU64,
    microseconds: AtomicU64,
}

#[derive(Default)]
struct Breaker {
    failures: u32,
    /// Until when nobody is asked.
    open_until: Option<Instant>,
    /// One is asked now, to find out.
    is_trying: bool,
}

impl Backend {
    /// One that nobody has asked yet.
    #[must_use]
    pub fn new(config: BackendConfig) -> Arc<Self> {
        Arc::new(Self {
            places: Semaphore::new(config.concurrent_maximum.max(1)),
            waiting: AtomicU64::new(0),
            breaker: Mutex::default(),
            counts: Counts::default(),
            last_failure: Mutex::default(),
            generation: AtomicU64::new(0),
            config,
        })
    }

    /// How it is asked.
    #[must_use]
    pub fn config(&self) -> &BackendConfig {
        &self.config
    }

    /// Asks, within the bounds. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// The question failed, took too long, or was not asked because too many wait or the backend has failed too often.
    pub async fn ask<T>(&self, question: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let probe = self.enter()?;
        let waiting = Waiting::enter(&self.waiting, u64::try_from(self.config.waiting_maximum).unwrap_or(u64::MAX));
        let Some(waiting) = waiting else {
            self.counts.spared.fetch_add(1, Ordering::Relaxed);
            return Err(Failure(format!("{} questions wait for `{}` already", self.config.waiting_maximum, self.config.name)));
        };
        let mut asked_at = None;
        let limited = tokio::time::timeout(self.config.timeout, async {
            let _place = self.places.acquire().await.map_err(Failure::new)?;
            drop(waiting);
            self.counts.asked.fetch_add(1, Ordering::Relaxed);
            let begun = *asked_at.insert(Instant::now());
            let answer = question.await;
            let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.counts.microseconds.fetch_add(took, Ordering::Relaxed);
            answer
        });
        let answer = match limited.await {
            Ok(answer) => answer,
            // Its time went by in the queue. That many ask at once is not the backend's fault, and no reason to give it up.
            Err(_) if asked_at.is_none_or(|begun| begun.elapsed() < self.config.timeout / 2) => {
                self.counts.spared.fetch_add(1, Ordering::Relaxed);
                return Err(Failure(format!("others kept `{}` busy for {:?}", self.config.name, self.config.timeout)));
            }
            Err(_) => Err(Failure(format!("no answer from `{}` within {:?}", self.config.name, self.config.timeout))),
        };
        probe.over(answer.as_ref().err());
        answer
    }

    /// How it fares.
    #[must_use]
    pub fn report(&self) -> BackendReport {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        BackendReport {
            name: Arc::clone(&self.config.name),
            kind: self.config.kind,
            breaker: self.breaker_state(),
            asked: count(&self.counts.asked),
            failed: count(&self.counts.failed),
            remembered: count(&self.counts.remembered),
            spared: count(&self.counts.spared),
            cached: count(&self.counts.cached),
            microseconds: count(&self.counts.microseconds),
            last_failure: self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Forgets every remembered answer. Questions that are under way are answered, and their answers are not kept.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.counts.cached.store(0, Ordering::Relaxed);
    }

    fn breaker_state(&self) -> BreakerState {
        let breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        match (breaker.open_until, breaker.is_trying) {
            (None, _) => BreakerState::Closed,
            (Some(_), true) => BreakerState::Trying,
            (Some(_), false) => BreakerState::Open,
        }
    }

    /// Whether one more question may be asked now.
    fn enter(&self) -> Result<Probe<'_>, Failure> {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let is_probe = match breaker.open_until {
            None => false,
            Some(until) if until <= Instant::now() && !breaker.is_trying => true,
            Some(_) => {
                self.counts.spared.fetch_add(1, Ordering::Relaxed);
                let last = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
                return Err(Failure(format!("`{}` is not asked for a while, it has failed too often: {last}", self.config.name)));
            }
        };
        breaker.is_trying = breaker.is_trying || is_probe;
        Ok(Probe { backend: self, is_probe, is_over: false })
    }
}

/// One question under way, as far as the breaker is concerned.
struct Probe<'a> {
    backend: &'a Backend,
    is_probe: bool,
    is_over: bool,
}

impl Probe<'_> {
    fn over(mut self, failure: Option<&Failure>) {
        self.is_over = true;
        let backend = self.backend;
        let config = &backend.config;
        let mut breaker = backend.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = breaker.open_until.is_some();
        breaker.is_trying = breaker.is_trying && !self.is_probe;
        let Some(failure) = failure else {
            *breaker = Breaker::default();
            drop(breaker);
            if was_open {
                tracing::info!(target: "signet::auth", backend = &*config.name, "answers again");
            }
            return;
        };
        backend.counts.failed.fetch_add(1, Ordering::Relaxed);
        breaker.failures = breaker.failures.saturating_add(1);
        let is_given_up = config.breaker_failures > 0 && breaker.failures >= config.breaker_failures;
        if is_given_up {
            breaker.open_until = Some(Instant::now() + config.breaker_pause);
        }
        drop(breaker);
        *backend.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.to_string());
        if is_given_up && !was_open {
            tracing::error!(target: "signet::auth", backend = &*config.name, pause = ?config.breaker_pause, "failed {} times in a row and is not asked for a while: {failure}", config.breaker_failures);
        } else if !is_given_up {
            tracing::warn!(target: "signet::auth", backend = &*config.name, "{failure}");
        }
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        // Given up before there was an answer: somebody else may try.
        if self.is_probe && !self.is_over {
            self.backend.breaker.lock().unwrap_or_else(PoisonError::into_inner).is_trying = false;
        }
    }
}

struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicU64, maximum: u64) -> Option<Self> {
        let entered = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < maximum).then_some(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers of a backend that are remembered for a while, and asked for once when several want the same at a time.
pub struct Remembered<T> {
    backend: Arc<Backend>,
    cache: Cache<(u64, QueryKey), T>,
}

impl<T: Clone + Send + Sync + 'static> Remembered<T> {
    /// With the bounds of the backend.
    #[must_use]
    pub fn new(backend: Arc<Backend>) -> Self {
        let config = backend.config();
        // Zero would keep nothing, and nobody could wait for another's question.
        let ttl = config.cache_ttl.max(Duration::from_millis(1));
        let cache = Cache::builder().max_capacity(config.cache_maximum).time_to_live(ttl).build();
        Self { backend, cache }
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// What is remembered under this key, or what the backend says now. Failures are not remembered.
    ///
    /// # Errors
    /// As [`Backend::ask`].
    pub async fn ask(&self, key: QueryKey, question: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let generation = self.backend.generation.load(Ordering::SeqCst);
        let mut has_asked = false;
        let asking = async {
            has_asked = true;
            self.backend.ask(question).await
        };
        let key = (generation, key);
        let answer = self.cache.try_get_with(key, asking).await;
        if has_asked && self.backend.config().cache_ttl.is_zero() {
            // Those who waited have it. Who asks a moment later is told what holds then.
            self.cache.invalidate(&key).await;
        }
        if !has_asked && answer.is_ok() {
            self.backend.counts.remembered.fetch_add(1, Ordering::Relaxed);
        }
        self.backend.counts.cached.store(self.cache.entry_count(), Ordering::Relaxed);
        answer.map_err(|failure| (*failure).clone())
    }
}

impl<T> fmt::Debug for Remembered<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remembered").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Backend").field("name", &self.config.name).field("kind", &self.config.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_in_vain_for_a_busy_backend_does_not_give_it_up() {
        let timeout = Duration::from_secs(2);
        let config = BackendConfig { timeout, concurrent_maximum: 1, breaker_failures: 1, ..BackendConfig::new("r", "redis") };
        let backend = Backend::new(config);
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            Ok(())
        };
        let (first, second, third, fourth) =
            tokio::join!(backend.ask(slow()), backend.ask(slow()), backend.ask(slow()), backend.ask(slow()));
        assert!(first.is_ok() && second.is_err() && third.is_err() && fourth.is_err());
        let report = backend.report();
        assert_eq!((report.breaker, report.failed, report.spared), (BreakerState::Closed, 0, 3));
    }
}
