//! A CA, sources, and whoever is told about changes.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signet_identity::{DeviceIdentity, DeviceName, Leaf, PathCertificate};
use signet_revocation::{Assurance, RevocationIndex, RevocationMode, RevocationRules, Verdict};
use signet_sources::{Changes, ListChange, ProfileSources, SourceReport, Sources, SourcesConfig};
use signet_testkit::{Issued, OpensslCa};
use signet_tls::CurrentRevocations;
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PROFILE: &str = "devices";

/// Everything but the sources, which each test starts as it likes.
pub(crate) struct Rig {
    pub(crate) directory: TempDir,
    pub(crate) ca: OpensslCa,
    pub(crate) revocations: CurrentRevocations,
    pub(crate) told: Arc<Told>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ca = OpensslCa::create(&directory.path().join("ca"), "Test CA");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        Self { directory, ca, revocations, told: Arc::default(), runtime }
    }

    /// A profile that trusts the CA and has no sources yet.
    pub(crate) fn profile(&self) -> ProfileSources {
        ProfileSources { timeout: PATIENCE, ..ProfileSources::new(PROFILE.into(), vec![self.ca.der()]) }
    }

    pub(crate) fn config(&self, profile: ProfileSources) -> SourcesConfig {
        SourcesConfig { profiles: vec![profile], directory: Some(self.directory.path().join("copies")), ..SourcesConfig::default() }
    }

    pub(crate) fn start(&self, profile: ProfileSources) -> Sources {
        self.start_all(&self.config(profile))
    }

    pub(crate) fn start_all(&self, config: &SourcesConfig) -> Sources {
        self.try_start(config).unwrap()
    }

    pub(crate) fn try_start(&self, config: &SourcesConfig) -> Result<Sources, signet_sources::SourceError> {
        let changes: Arc<dyn Changes> = self.told.clone();
        Sources::start(config, self.revocations.clone(), changes, self.runtime.handle().clone())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn identity(&self, issued: &Issued) -> Arc<DeviceIdentity> {
        let issuer = Leaf::parse(&self.ca.der()).unwrap().spki_digest();
        let leaf = Leaf::parse(&issued.der).unwrap();
        Arc::new(DeviceIdentity::new(DeviceName::new("device").unwrap(), leaf, issuer, []).under(PROFILE.into(), None))
    }

    pub(crate) fn judge(&self, issued: &Issued) -> Verdict {
        let rules = RevocationRules { mode: RevocationMode::Require, ..RevocationRules::default() };
        self.revocations.judge(&self.identity(issued), &rules, now())
    }

    pub(crate) fn is_good(&self, issued: &Issued) -> bool {
        self.judge(issued) == Verdict::Good(Assurance::Fresh)
    }

    pub(crate) fn is_revoked(&self, issued: &Issued) -> bool {
        matches!(self.judge(issued), Verdict::Revoked { .. })
    }

    pub(crate) fn is_unknown(&self, issued: &Issued) -> bool {
        matches!(self.judge(issued), Verdict::Unknown { .. })
    }

    /// Asks about a device and waits until it is done.
    pub(crate) fn ask(&self, sources: &Sources, issued: &Issued) {
        let (done, is_done) = std::sync::mpsc::channel();
        sources.ask(&self.identity(issued), Box::new(move || done.send(()).unwrap()));
        is_done.recv_timeout(PATIENCE).expect("an answer in time");
    }
}

/// Remembers what it is told.
#[derive(Default)]
pub(crate) struct Told {
    events: Mutex<Events>,
    more: Condvar,
}

#[derive(Default)]
pub(crate) struct Events {
    pub(crate) lists: Vec<ListChange>,
    pub(crate) answers: usize,
    pub(crate) live: bool,
}

impl Told {
    /// Waits until what was told is enough.
    pub(crate) fn wait(&self, what: &str, enough: impl Fn(&Events) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut events = self.events.lock().unwrap();
        while !enough(&events) {
            let left =
                deadline.checked_duration_since(Instant::now()).unwrap_or_else(|| panic!("{what} in time; told: {:?}", events.lists));
            events = self.more.wait_timeout(events, left).unwrap().0;
        }
    }

    pub(crate) fn lists(&self) -> usize {
        self.events.lock().unwrap().lists.len()
    }

    pub(crate) fn answers(&self) -> usize {
        self.events.lock().unwrap().answers
    }

    pub(crate) fn set_live(&self, live: bool) {
        self.events.lock().unwrap().live = live;
    }
}

impl Changes for Told {
    fn lists_changed(&self, change: &ListChange) {
        self.events.lock().unwrap().lists.push(change.clone());
        self.more.notify_all();
    }

    fn answer_changed(&self, _certificate: &PathCertificate) {
        self.events.lock().unwrap().answers += 1;
        self.more.notify_all();
    }

    fn is_live(&self, _certificate: &PathCertificate) -> bool {
        self.events.lock().unwrap().live
    }
}

/// Waits until something is so that nobody tells about.
pub(crate) fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "{what} in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn report(sources: &Sources, address: &str) -> SourceReport {
    let reports = sources.report();
    reports.iter().find(|report| report.address == address).unwrap_or_else(|| panic!("{address} is not in {reports:?}")).clone()
}

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
