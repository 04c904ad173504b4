//! What an operator ordered besides the authority's own certificates: suspended devices, disabled trust profiles, the list of foreign certificates
//! that are no longer trusted, and the record of everything that was done. `io/ledger` implements it beside [`crate::Ledger`].

use signet_identity::{AuthorityId, CertificateId, KeyDigest, NameDigest};
use signet_revocation::Reason;

use crate::ledger::LedgerError;

/// Suspended devices at most. Copies found by the broker can suspend devices too, so it is bounded.
pub const SUSPENSIONS_MAXIMUM: usize = 100_000;

/// Entries of the operator's own revocation list at most.
pub const OPERATOR_ENTRIES_MAXIMUM: usize = 100_000;

/// Disabled trust profiles at most. Names that left the configuration stay until they are enabled, so it is bounded.
pub const DISABLED_PROFILES_MAXIMUM: usize = 10_000;

/// Audit records kept unless told otherwise: the newest.
pub const AUDIT_RECORDS_KEPT: u64 = 100_000;

/// What was ordered. Each `record_…` and `remove_…` is durable when it returns `Ok`, and has changed nothing when it returns `Err`.
pub trait Orders {
    /// Suspends a device, or returns how it is suspended already, unchanged.
    ///
    /// # Errors
    /// [`LedgerError::Full`] with [`SUSPENSIONS_MAXIMUM`] suspended devices; [`LedgerError::Storage`].
    fn record_suspended(&mut self, suspension: &Suspension) -> Result<Option<Suspension>, LedgerError>;

    /// Ends a suspension and returns it; `None` when the device is not suspended.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn remove_suspended(&mut self, device: &str) -> Result<Option<Suspension>, LedgerError>;

    /// Every suspended device, by name.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn suspensions(&self) -> Result<Vec<Suspension>, LedgerError>;

    /// Disables a trust profile, or returns how it is disabled already, unchanged.
    ///
    /// # Errors
    /// [`LedgerError::Full`] with [`DISABLED_PROFILES_MAXIMUM`] of them; [`LedgerError::Storage`].
    fn record_disabled_profile(&mut self, profile: &DisabledProfile) -> Result<Option<DisabledProfile>, LedgerError>;

    /// Enables a trust profile again and returns how it was disabled; `None` when it is not.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn remove_disabled_profile(&mut self, name: &str) -> Result<Option<DisabledProfile>, LedgerError>;

    /// Every disabled trust profile, by name.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn disabled_profiles(&self) -> Result<Vec<DisabledProfile>, LedgerError>;

    /// Puts something on the operator's list, or returns the entry that it has already, unchanged.
    ///
    /// # Errors
    /// [`LedgerError::Full`] with [`OPERATOR_ENTRIES_MAXIMUM`] entries; [`LedgerError::Storage`].
    fn record_operator_entry(&mut self, entry: &OperatorEntry) -> Result<Option<OperatorEntry>, LedgerError>;

    /// Takes something off the operator's list and returns the entry; `None` when it is not on it.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn remove_operator_entry(&mut self, subject: &OperatorSubject) -> Result<Option<OperatorEntry>, LedgerError>;

    /// The operator's list.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn operator_entries(&self) -> Result<Vec<OperatorEntry>, LedgerError>;

    /// Appends an audit record and returns its sequence number; of all records the newest `keep` stay.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn record_audit(&mut self, record: &AuditRecord, keep: u64) -> Result<u64, LedgerError>;

    /// Audit records, the newest first.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn audit(&self, query: &AuditQuery) -> Result<Vec<(u64, AuditRecord)>, LedgerError>;
}

/// A device that may not connect, whichever certificate it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Its qualified name.
    pub device: String,
    /// Since when, Unix seconds.
    pub since: i64,
    /// Why, in the words of whoever asked; may be empty.
    pub why: String,
    /// Who asked.
    pub by: String,
}

/// A trust profile under which nobody is let in, whatever the configuration says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledProfile {
    /// Its name.
    pub name: String,
    /// Since when, Unix seconds.
    pub since: i64,
    /// Why, in the words of whoever asked; may be empty.
    pub why: String,
    /// Who asked.
    pub by: String,
}

/// What an entry of the operator's list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperatorSubject {
    /// One certificate.
    Certificate(CertificateId),
    /// Every certificate with this key, and every one signed with it.
    Key(KeyDigest),
    /// Every certificate below this authority.
    Authority(AuthorityId),
}

impl OperatorSubject {
    /// Its kind in one word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::Key(_) => "key",
            Self::Authority(_) => "authority",
        }
    }

    /// The octets that are its own among those of one kind.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Certificate(id) => id.to_bytes().to_vec(),
            Self::Key(key) => key.as_bytes().to_vec(),
            Self::Authority(authority) => [authority.name.as_bytes().as_slice(), authority.key.as_bytes()].concat(),
        }
    }

    /// From [`Self::kind`] and [`Self::to_bytes`].
    #[must_use]
    pub fn from_parts(kind: &str, bytes: &[u8]) -> Option<Self> {
        match kind {
            "certificate" => CertificateId::from_bytes(bytes).map(Self::Certificate),
            "key" => Some(Self::Key(KeyDigest::from_bytes(bytes.try_into().ok()?))),
            "authority" => {
                let (name, key) = bytes.split_at_checked(32)?;
                let (name, key) = (NameDigest::from_bytes(name.try_into().ok()?), KeyDigest::from_bytes(key.try_into().ok()?));
                Some(Self::Authority(AuthorityId { name, key }))
            }
            _ => None,
        }
    }
}

/// An entry of the operator's own revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorEntry {
    /// What is no longer trusted.
    pub subject: OperatorSubject,
    /// The same in words that people know, such as a subject name.
    pub label: String,
    /// Since when, Unix seconds.
    pub since: i64,
    /// Why (RFC 5280 §5.3.1).
    pub reason: Reason,
    /// Who asked.
    pub by: String,
}

/// One thing that was done, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditRecord {
    /// When it was complete, Unix milliseconds.
    pub at: i64,
    /// Who asked, or which source caused it.
    pub by: String,
    /// What was done, such as `device.revoke`.
    pub action: String,
    /// To whom or what: the device's qualified name where there is one.
    pub subject: String,
    /// More, as a JSON object; empty for nothing.
    pub details: String,
    /// When it was durable and in force, so that no handshake succeeded any more, Unix milliseconds.
    pub revoked_at: Option<i64>,
    /// Live sessions found; `None` where no broker ran.
    pub sessions_found: Option<u64>,
    /// Of these, closed for certain.
    pub sessions_closed: Option<u64>,
    /// When the last one was, Unix milliseconds; `None` when there was none.
    pub last_session_closed_at: Option<i64>,
}

/// Which audit records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those about this subject.
    pub subject: Option<String>,
    /// Only those from here on, Unix milliseconds.
    pub since: Option<i64>,
    /// Only those with a lower sequence number: to go on behind an earlier answer.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl AuditQuery {
    /// Whether a record is one of those asked for.
    #[must_use]
    pub fn takes(&self, record: &AuditRecord) -> bool {
        self.subject.as_ref().is_none_or(|subject| record.subject == *subject) && self.since.is_none_or(|since| record.at >= since)
    }
}
