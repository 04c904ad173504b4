//! One source of lists: which it is, and what came of it so far.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signet_revocation::ListSource;
use tokio::sync::{Notify, watch};

use crate::apply::Applied;
use crate::files::Seen;
use crate::http::Validators;
use crate::profile::Profile;
use crate::report::{Attempts, SourceKind};
use signet_http::Url;

/// Which source it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) profile: Arc<str>,
    pub(crate) place: Place,
}

/// Where lists lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    File(PathBuf),
    Url(Url),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// A source of lists.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) key: Key,
    pub(crate) kind: SourceKind,
    /// Its name in the index.
    pub(crate) label: ListSource,
    /// Fetch now rather than later.
    pub(crate) wake: Notify,
    /// Counts the attempts that ended.
    pub(crate) ended: watch::Sender<u64>,
    profile: Mutex<Arc<Profile>>,
    progress: Mutex<Progress>,
    /// Named no more: what is still under way must not enter the index.
    gone: AtomicBool,
    /// When a certificate named it last, seconds since 1970-01-01 UTC.
    used: AtomicI64,
}

/// What came of a source so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) attempts: Attempts,
    pub(crate) validators: Validators,
    /// Fetches in a row that brought nothing newer than a list that is overdue.
    pub(crate) stale: u32,
    /// What the file looked like when it was read; `None`: not looked at yet, or to be read whatever it looks like.
    pub(crate) seen: Option<Seen>,
    /// A list of it is older than another source's: should that one leave, this one is to be read again.
    pub(crate) behind: bool,
    /// Where the list says that its deltas are.
    pub(crate) freshest: Vec<Url>,
    /// The last failure was a delta CRL whose complete list is not there yet.
    pub(crate) lacks_base: bool,
}

impl Progress {
    /// What the lists of an attempt came to.
    pub(crate) fn note(&mut self, applied: &Applied) {
        self.lacks_base = applied.lacks_base;
        self.behind = applied.behind;
    }
}

impl Source {
    pub(crate) fn new(key: Key, kind: SourceKind, profile: Arc<Profile>) -> Self {
        let label = ListSource::new(format!("{}: {}", key.profile, key.place));
        Self {
            key,
            kind,
            label,
            wake: Notify::new(),
            ended: watch::Sender::new(0),
            profile: Mutex::new(profile),
            progress: Mutex::default(),
            gone: AtomicBool::new(false),
            used: AtomicI64::new(0),
        }
    }

    pub(crate) fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.profile.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_profile(&self, profile: Arc<Profile>) {
        *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = profile;
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        // Each change is one assignment: a panic elsewhere leaves nothing half done.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn url(&self) -> Option<&Url> {
        match &self.key.place {
            Place::Url(url) => Some(url),
            Place::File(_) => None,
        }
    }

    pub(crate) fn retire(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn note_use(&self, now: i64) {
        self.used.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> i64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes an outcome over and says it in the log when it is news.
    pub(crate) fn ended(&self, outcome: Result<std::time::Duration, &str>, now: i64) {
        let (profile, address) = (&*self.key.profile, &self.key.place);
        let news = {
            let mut progress = self.progress();
            let failed_before = progress.attempts.consecutive_failures > 0;
            match outcome {
                Ok(latency) => {
                    progress.attempts.succeeded(now, latency);
                    failed_before
                }
                Err(error) => progress.attempts.failed(now, error),
            }
        };
        match outcome {
            Ok(_) if news => tracing::info!(profile, %address, "this source of revocation lists is well again"),
            Err(error) if news => {
                tracing::error!(profile, %address, "no revocation list from this source, the last good one stays in force: {error}");
            }
            Err(error) => tracing::debug!(profile, %address, "again no revocation list: {error}"),
            Ok(_) => {}
        }
        self.ended.send_modify(|count| *count = count.saturating_add(1));
    }
}
