//! Orders to close connections: why, to whom they go, and what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signet_identity::CertificateId;
use signet_revocation::Reason;

use super::entry::LinkId;
use crate::confirmation::{Confirmation, Confirmed};

/// Why connections are to be closed. The words are for the log, the audit record and the operator; what a client is told is the broker's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KickCause {
    /// A certificate of their path was revoked, or a key or authority of it.
    Revoked(Reason),
    /// Their certificate is past its `notAfter`, and the grace is over.
    Expired,
    /// Their path leads to no trust anchor in force any more, or breaks a rule of its trust profile.
    Untrusted(String),
    /// The trust profile of this name was disabled.
    ProfileDisabled(Arc<str>),
    /// The device of this qualified name was suspended.
    Suspended(Arc<str>),
    /// By the rules in force now the certificate is another device, or may not use its Client Identifier.
    IdentityChanged(String),
    /// The user of this name was removed or disabled, or has another password or other rights.
    CredentialRevoked(Arc<str>),
    /// Somebody else uses the certificate at the same time.
    Cloned,
    /// Whether they are revoked cannot be known, or what is known is too old.
    Unchecked(String),
    /// Their listener was taken away.
    ListenerRemoved,
    /// The client of this name was changed by a request below `$CONTROL/`; without a name, what clients may do that have none.
    DynamicSecurity(Option<Arc<str>>),
    /// An operator asked for it, in these words.
    Administrative(String),
}

impl KickCause {
    /// Whether the client is not believed any more, by its certificate or by decision: then its Will and its session are not its own to leave.
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::Revoked(_)
                | Self::Untrusted(_)
                | Self::ProfileDisabled(_)
                | Self::Suspended(_)
                | Self::CredentialRevoked(_)
                | Self::Cloned
        )
    }

    /// Every [`Self::name`].
    pub const NAMES: [&'static str; 12] = [
        "revoked",
        "expired",
        "untrusted",
        "profile disabled",
        "suspended",
        "identity changed",
        "credential revoked",
        "cloned",
        "unchecked",
        "listener removed",
        "dynamic security",
        "administrative",
    ];

    /// The kind of cause, as reports and metrics name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Revoked(_) => "revoked",
            Self::Expired => "expired",
            Self::Untrusted(_) => "untrusted",
            Self::ProfileDisabled(_) => "profile disabled",
            Self::Suspended(_) => "suspended",
            Self::IdentityChanged(_) => "identity changed",
            Self::CredentialRevoked(_) => "credential revoked",
            Self::Cloned => "cloned",
            Self::Unchecked(_) => "unchecked",
            Self::ListenerRemoved => "listener removed",
            Self::DynamicSecurity(_) => "dynamic security",
            Self::Administrative(_) => "administrative",
        }
    }
}

/// The whole cause in words.
impl std::fmt::Display for KickCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Revoked(reason) => write!(f, "the certificate was revoked ({})", reason.name()),
            Self::Expired => f.write_str("the certificate expired"),
            Self::Untrusted(why) => write!(f, "the certificate is not trusted any more: {why}"),
            Self::ProfileDisabled(profile) => write!(f, "the trust profile `{profile}` was disabled"),
            Self::Suspended(device) => write!(f, "the device `{device}` is suspended"),
            Self::IdentityChanged(why) => write!(f, "the device is another one by the rules in force now: {why}"),
            Self::CredentialRevoked(user) => {
                write!(f, "the user `{user}` was removed or disabled, or has another password or other rights")
            }
            Self::Cloned => f.write_str("the certificate is in use by somebody else at the same time"),
            Self::Unchecked(why) => write!(f, "whether the certificate is revoked is not known: {why}"),
            Self::ListenerRemoved => f.write_str("the listener was removed"),
            Self::DynamicSecurity(Some(username)) => {
                write!(f, "the client `{username}` was changed, disabled or deleted by dynamic security")
            }
            Self::DynamicSecurity(None) => f.write_str("what clients without a user name may do was changed by dynamic security"),
            Self::Administrative(why) => f.write_str(why),
        }
    }
}

/// The order to close one connection.
#[derive(Debug)]
pub struct Kick {
    /// The connection.
    pub link: LinkId,
    /// Why.
    pub cause: KickCause,
    /// Tells the one who ordered it that the connection is closed, when dropped.
    pub done: Confirmation,
}

/// Where the orders for one shard go. Called with the registry unlocked; must not block.
pub trait KickTarget: Send + Sync {
    /// Takes an order. A connection that is not there any more counts as closed: drop the order.
    fn kick(&self, kick: Kick);

    /// Takes many orders at once, in their order. For a target that can be woken once for all of them.
    fn kick_all(&self, kicks: Vec<Kick>) {
        for kick in kicks {
            self.kick(kick);
        }
    }

    /// Learns that certificates were revoked, for what their devices left behind: wills that wait for their delay. Every shard is told, before
    /// the kicks of the same revocation.
    fn revoked(&self, certificates: &Arc<[CertificateId]>);
}

/// What a kick achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KickReport {
    /// Connections found and told to close.
    pub found: usize,
    /// Of these, the ones confirmed closed within the time allowed.
    pub closed: usize,
    /// How long it took until the last confirmation, or the time allowed.
    pub elapsed: Duration,
    /// When it was ordered, unix milliseconds.
    pub ordered_at: i64,
    /// When the first connection was confirmed closed, unix milliseconds.
    pub first_closed_at: Option<i64>,
    /// When the last one was, of those closed within the time allowed, unix milliseconds.
    pub last_closed_at: Option<i64>,
}

impl KickReport {
    /// Both together, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            found: self.found + other.found,
            closed: self.closed + other.closed,
            elapsed: self.elapsed + other.elapsed,
            ordered_at: if self == Self::default() { other.ordered_at } else { self.ordered_at },
            first_closed_at: self.first_closed_at.into_iter().chain(other.first_closed_at).min(),
            last_closed_at: self.last_closed_at.max(other.last_closed_at),
        }
    }

    pub(super) fn new(found: usize, confirmed: Confirmed, elapsed: Duration, ordered_at: i64) -> Self {
        Self {
            found,
            closed: found.saturating_sub(confirmed.outstanding),
            elapsed,
            ordered_at,
            first_closed_at: confirmed.first,
            last_closed_at: confirmed.last,
        }
    }
}

/// What a walk over all live connections achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Connections judged.
    pub examined: usize,
    /// How many were told to close, by [`KickCause::name`].
    pub ended: BTreeMap<&'static str, usize>,
    /// The first of them, at most [`Self::EXAMPLES`], for log and audit: the device if there is one, and the cause.
    pub examples: Vec<(LinkId, Option<String>, KickCause)>,
    /// All of them together. `ordered_at` is when the walk began, `elapsed` from there to the last confirmation.
    pub kicks: KickReport,
}

impl ReconcileReport {
    /// How many ended connections are named in [`Self::examples`].
    pub const EXAMPLES: usize = 32;
}
