//! The work behind the admin API, on any inventory: with a broker behind it, live connections are ended too; without one, the ledger is all there is.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use signet_auth::UserStore;
use signet_ca::{
    AUDIT_RECORDS_KEPT, Authority, CrlRecord, Csr, IssuanceRequest, Record, RevocationOutcome, ServerName, SubjectKey, Target,
    crl_is_complete, encode_pem, issue_certificate, publish_crl, resolve,
};
use signet_identity::{AuthorityId, DeviceName, SerialNumber};
use signet_ledger::{Inventory, serial_entropy, write_public};
use signet_net::{Registry, unix_seconds};
use signet_revocation::{Generation, RevocationIndex};
use signet_tls::CurrentRevocations;

use crate::api::{AddDevice, AddedDevice, CaReport, Certificate, CertificateList, CrlFile, CrlSummary, DeviceKey, Problem, ProblemKind};
use crate::caller::Caller;
use crate::view;

mod audit;
mod connections;
mod in_force;
mod nearest;
mod operator;
mod revoke;
mod suspend;
mod trust;
mod users;

pub use audit::Done;

/// How long a revocation waits for the shards to close sessions before it reports those that did.
const PATIENCE: Duration = Duration::from_secs(2);

/// Certificates in one part of a list.
const PAGE: usize = 1000;

/// Where things go and how long they last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// File of the CRL, PEM.
    pub crl_path: PathBuf,
    /// From a CRL to its `nextUpdate`, seconds.
    pub crl_validity_seconds: i64,
    /// Validity of a device certificate when nothing else is asked for, seconds.
    pub device_validity_seconds: i64,
}

/// What a running broker adds: the index every handshake reads, and the connections that are open.
#[derive(Clone)]
pub struct Live {
    /// The index in force.
    pub revocations: CurrentRevocations,
    /// The live connections.
    pub registry: Arc<Registry>,
}

/// Issues, lists and revokes.
pub struct Administration {
    desk: Mutex<Desk>,
    live: OnceLock<Live>,
    /// The users in force.
    users: Arc<UserStore>,
}

/// What one request at a time works with.
struct Desk {
    ledger: Box<dyn Inventory + Send>,
    authority: Option<Authority>,
    settings: Settings,
    /// Until when the file is known to hold the newest CRL, with everything revoked on it, and no other is due. Not known at first: the
    /// process before may have ended between a revocation and its CRL, or between the CRL and its file.
    published_until: Option<i64>,
    /// How many audit records stay.
    audit_kept: u64,
}

impl Administration {
    /// Administration of `ledger`. Without an `authority` nothing can be issued and no CRL signed; revoking works.
    pub fn new(ledger: Box<dyn Inventory + Send>, authority: Option<Authority>, settings: Settings) -> Self {
        Self {
            desk: Mutex::new(Desk { ledger, authority, settings, published_until: None, audit_kept: AUDIT_RECORDS_KEPT }),
            live: OnceLock::new(),
            users: Arc::default(),
        }
    }

    /// From now on revocations reach `live` too. The first call counts.
    pub fn attach(&self, live: Live) {
        self.live.get_or_init(|| live);
    }

    /// Puts another authority and other settings in force.
    pub fn replace(&self, authority: Option<Authority>, settings: Settings) {
        let mut desk = self.desk();
        desk.authority = authority;
        desk.settings = settings;
        desk.published_until = None;
    }

    /// Issues a device certificate.
    ///
    /// # Errors
    /// A name or key that cannot be certified, no authority, a ledger or key that fails. Nothing is handed out then.
    pub fn add_device(&self, request: &AddDevice, caller: &Caller) -> Result<AddedDevice, Problem> {
        let name = DeviceName::new(&request.name).map_err(invalid)?;
        let key = match &request.key {
            DeviceKey::Csr(text) => Csr::parse(&unhex(text)?).map_err(invalid)?.key().clone(),
            DeviceKey::PublicKey(text) => SubjectKey::from_spki(&unhex(text)?).map_err(invalid)?,
        };
        let now = unix_seconds();
        let mut desk = self.desk();
        let seconds = request.days.map_or(desk.settings.device_validity_seconds, |days| i64::from(days) * 86_400);
        let wish = IssuanceRequest::device(name, key, caller.as_str()).with_validity(seconds).map_err(invalid)?;
        desk.issue(wish, now, caller)
    }

    /// Issues a server certificate; the first name is the one it is filed under.
    ///
    /// # Errors
    /// As [`Self::add_device`].
    pub fn add_server(&self, names: Vec<ServerName>, key: SubjectKey, caller: &Caller) -> Result<AddedDevice, Problem> {
        let wish = IssuanceRequest::server(names, key, caller.as_str()).map_err(invalid)?;
        self.desk().issue(wish, unix_seconds(), caller)
    }

    /// The authorities that certificates are issued under here: the ledger knows all that is revoked of theirs.
    pub fn own_authorities(&self) -> Vec<AuthorityId> {
        self.desk().authority.iter().map(|authority| authority.certificate().leaf().authority_id()).collect()
    }

    /// The index of everything this ledger says is revoked, suspended or disabled, as a broker starts with it.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn revocation_index(&self) -> Result<RevocationIndex, Problem> {
        let desk = self.desk();
        let events = desk.ledger.revoked_since(Generation::default()).map_err(failed)?;
        let suspensions = desk.ledger.suspensions().map_err(failed)?;
        let index = in_force::index(events, &suspensions, &desk.ledger.operator_entries().map_err(failed)?);
        Ok(in_force::with_disabled_profiles(&index, &desk.ledger.disabled_profiles().map_err(failed)?))
    }

    /// Part of the inventory in the order of issuance, from behind `after`.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn list(&self, after: u64) -> Result<CertificateList, Problem> {
        let now = unix_seconds();
        let desk = self.desk();
        let records = desk.ledger.list(after, PAGE).map_err(failed)?;
        let next = if records.len() == PAGE { records.last().map(|record| record.sequence) } else { None };
        Ok(CertificateList { certificates: desk.shown(&records, now)?, next })
    }

    /// The certificates of a device, or the one with a serial number.
    ///
    /// # Errors
    /// There is none; the ledger fails.
    pub fn show(&self, which: &str) -> Result<Vec<Certificate>, Problem> {
        let now = unix_seconds();
        let desk = self.desk();
        let target = target(&desk, which)?;
        let records = resolve(desk.ledger.as_ref(), &target).map_err(failed)?;
        desk.shown(&records, now)
    }

    /// The certificate that was issued last for a name, in DER; nothing where there is none.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn chain_of(&self, name: &str) -> Result<Vec<Vec<u8>>, Problem> {
        let desk = self.desk();
        let records = desk.ledger.find_by_name(name).map_err(failed)?;
        let Some(newest) = records.last() else { return Ok(Vec::new()) };
        Ok(desk.ledger.certificate_der(&newest.intent.certificate).map_err(failed)?.into_iter().collect())
    }

    /// The authority and its inventory in numbers.
    ///
    /// # Errors
    /// There is no authority; the ledger fails.
    pub fn ca(&self) -> Result<CaReport, Problem> {
        let desk = self.desk();
        let authority = desk.authority.as_ref().ok_or_else(no_authority)?;
        let (mut certificates_total, mut revoked_total, mut after) = (0, 0, 0);
        loop {
            let records = desk.ledger.list(after, PAGE).map_err(failed)?;
            let Some(last) = records.last() else { break };
            after = last.sequence;
            certificates_total += u64::try_from(records.len()).unwrap_or(u64::MAX);
            revoked_total += records.iter().map(|record| u64::from(record.revoked.is_some())).sum::<u64>();
        }
        let latest = desk.ledger.latest_crl(authority.name_digest()).map_err(failed)?;
        Ok(CaReport {
            certificates: std::iter::once(authority.certificate()).chain(authority.chain()).map(view::ca_certificate).collect(),
            certificates_total,
            revoked_total,
            generation: desk.ledger.generation().map_err(failed)?.number(),
            crl: latest.map(|crl| CrlSummary {
                number: crl.number,
                this_update: view::date(crl.this_update),
                next_update: view::date(crl.next_update),
            }),
        })
    }

    /// Certificates ever issued or intended, and revocations ever recorded; nothing without an authority.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn totals(&self) -> Result<Option<(u64, u64)>, Problem> {
        let desk = self.desk();
        if desk.authority.is_none() {
            return Ok(None);
        }
        let revocations = desk.ledger.generation().map_err(failed)?.number();
        Ok(Some((desk.ledger.count().map_err(failed)?, revocations)))
    }

    /// The number of the newest CRL that the ledger has of the authority; 0 when it has none.
    ///
    /// # Errors
    /// There is no authority; the ledger fails.
    pub fn crl_number(&self) -> Result<u64, Problem> {
        let desk = self.desk();
        let authority = desk.authority.as_ref().ok_or_else(no_authority)?;
        let latest = desk.ledger.latest_crl(authority.name_digest()).map_err(failed)?;
        Ok(latest.map_or(0, |crl| crl.number))
    }

    /// Signs the next CRL and writes it where the settings say.
    ///
    /// # Errors
    /// There is no authority; its key, the ledger or the file fails.
    pub fn sign_crl(&self) -> Result<CrlFile, Problem> {
        self.desk().sign_crl(unix_seconds())
    }

    /// Signs the next CRL when there is none, half of the newest one's time is over, or the file is not the newest one with every revocation on
    /// it, because signing or writing failed or was cut short. `None`: not yet due, or no authority.
    ///
    /// # Errors
    /// As [`Self::sign_crl`].
    pub fn sign_crl_if_due(&self) -> Result<Option<CrlFile>, Problem> {
        let now = unix_seconds();
        let mut desk = self.desk();
        if desk.is_crl_due(now)? {
            return desk.sign_crl(now).map(Some);
        }
        Ok(None)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic in another request leaves nothing half done here: each step is durable or not in the ledger itself.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Administration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Administration").field("live", &self.live.get().is_some()).finish_non_exhaustive()
    }
}

impl Desk {
    fn issue(&mut self, wish: IssuanceRequest, now: i64, caller: &Caller) -> Result<AddedDevice, Problem> {
        let authority = self.authority.as_ref().ok_or_else(no_authority)?;
        let entropy = serial_entropy().map_err(failed)?;
        let issued = issue_certificate(authority, self.ledger.as_mut(), wish, entropy, now).map_err(failed)?;
        let record = self.ledger.find(&issued.id()).map_err(failed)?.ok_or_else(|| self.not_found(issued.name()))?;
        tracing::info!(name = issued.name(), serial = %issued.id().serial(), by = caller.as_str(), "certificate issued");
        Ok(AddedDevice { certificate: view::certificate(&record, now), chain_pem: issued.chain_pem().to_owned() })
    }

    /// Whether the next CRL has to be signed. Ledger and file are read until they are known to agree, not every time.
    fn is_crl_due(&mut self, now: i64) -> Result<bool, Problem> {
        let Some(authority) = &self.authority else { return Ok(false) };
        let path = &self.settings.crl_path;
        if !path.exists() {
            return Ok(true);
        }
        if self.published_until.is_some_and(|until| now < until) {
            return Ok(false);
        }
        let Some(newest) = self.ledger.latest_crl(authority.name_digest()).map_err(failed)? else { return Ok(true) };
        let until = due_at(&newest);
        if now >= until || !crl_is_complete(authority, self.ledger.as_ref(), now, self.settings.crl_validity_seconds).map_err(failed)? {
            return Ok(true);
        }
        // A file that cannot be read is not the newest CRL either.
        if std::fs::read(path).ok().as_deref() != Some(encode_pem("X509 CRL", &newest.der).as_bytes()) {
            return Ok(true);
        }
        self.published_until = Some(until);
        Ok(false)
    }

    fn sign_crl(&mut self, now: i64) -> Result<CrlFile, Problem> {
        self.published_until = None;
        let authority = self.authority.as_ref().ok_or_else(no_authority)?;
        let signed = publish_crl(authority, self.ledger.as_mut(), now, self.settings.crl_validity_seconds).map_err(failed)?;
        let path = &self.settings.crl_path;
        write_public(path, signed.pem().as_bytes()).map_err(failed)?;
        self.published_until = Some(due_at(&signed.record));
        Ok(view::crl(&signed, Some(path.display().to_string())))
    }

    /// Records as the API shows them, with what else is known of their devices.
    fn shown(&self, records: &[Record], now: i64) -> Result<Vec<Certificate>, Problem> {
        let suspensions = self.ledger.suspensions().map_err(failed)?;
        let suspended: BTreeSet<&str> = suspensions.iter().map(|suspension| suspension.device.as_str()).collect();
        let view =
            |record: &Record| Certificate { suspended: suspended.contains(record.intent.name.as_str()), ..view::certificate(record, now) };
        Ok(records.iter().map(view).collect())
    }

    fn views(&self, outcomes: &[&RevocationOutcome], now: i64) -> Result<Vec<Certificate>, Problem> {
        let find = |outcome: &&RevocationOutcome| self.ledger.find(&outcome.certificate).map_err(failed).transpose();
        outcomes.iter().filter_map(find).map(|record| record.map(|record| view::certificate(&record, now))).collect()
    }
}

/// When the successor of a CRL is to be signed: half of its time is left then for whatever goes wrong.
fn due_at(crl: &CrlRecord) -> i64 {
    crl.this_update.midpoint(crl.next_update)
}

/// A device name goes before a serial number: names are what people chose.
fn target(desk: &Desk, which: &str) -> Result<Target, Problem> {
    let ledger = desk.ledger.as_ref();
    if let Ok(name) = DeviceName::new(which)
        && !ledger.find_by_name(which).map_err(failed)?.is_empty()
    {
        return Ok(Target::Device(name));
    }
    match which.parse::<SerialNumber>() {
        Ok(serial) if !ledger.find_by_serial(&serial).map_err(failed)?.is_empty() => Ok(Target::Serial(serial)),
        _ => Err(desk.not_found(which)),
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, Problem> {
    hex::decode(text).map_err(|error| Problem::new(ProblemKind::Invalid, format!("the key is not hexadecimal: {error}")))
}

fn no_authority() -> Problem {
    Problem::new(ProblemKind::Failed, "there is no certificate authority here")
        .with_hint("`signet ca init` makes one; a running broker takes it over when it reloads: kill -HUP")
}

fn invalid(error: impl fmt::Display) -> Problem {
    Problem::new(ProblemKind::Invalid, error.to_string())
}

fn failed(error: impl fmt::Display) -> Problem {
    Problem::new(ProblemKind::Failed, error.to_string())
}
