//! What rules can look at: who is calling, and under which names.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytestring::ByteString;
use signet_identity::{DeviceIdentity, DeviceName, Facts};
use signet_mqtt::{ClientIdentifier, TopicError, TopicName};

use crate::grant::{Grant, Origin};
use crate::mount::Mount;
use crate::proven::ProvenNames;

/// Who the caller is, as far as it was proven.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A device whose certificate was verified, here or, where the listener says so, by a trusted proxy; the name comes from the certificate, never
    /// from what the client claims.
    Device(QualifiedName),
    /// A bridge of this Server to another broker, by its name in the configuration.
    Bridge(ByteString),
    /// Somebody without a certificate whose user name, or without one whose Client Identifier, an authenticator has vouched for.
    User(ByteString),
    /// Somebody without a certificate for whom an authenticator has vouched without answering for any name.
    Unnamed,
    /// Nobody in particular: no certificate was presented, or the transport cannot carry one, and nobody has vouched for more.
    Anonymous,
}

/// A device's name, and the tenant in whose name space it lives: two tenants may each have a `pump-7`, and those are two devices.
///
/// It reads as the bare name, which is what rules and templates see; what is printed, and what makes two of them equal, is both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QualifiedName {
    tenant: Option<Arc<str>>,
    name: DeviceName,
}

impl QualifiedName {
    /// A device of this tenant, or of none.
    #[must_use]
    pub fn new(tenant: Option<Arc<str>>, name: DeviceName) -> Self {
        Self { tenant, name }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }
}

impl From<DeviceName> for QualifiedName {
    fn from(name: DeviceName) -> Self {
        Self::new(None, name)
    }
}

impl Deref for QualifiedName {
    type Target = DeviceName;

    fn deref(&self) -> &DeviceName {
        &self.name
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write!(formatter, "{tenant}/")?;
        }
        self.name.fmt(formatter)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => write!(formatter, "device `{name}`"),
            Self::Bridge(name) => write!(formatter, "bridge `{name}`"),
            Self::User(name) => write!(formatter, "user `{}`", crate::denied::shown(name)),
            Self::Unnamed => formatter.write_str("a user without a proven name"),
            Self::Anonymous => formatter.write_str("anonymous"),
        }
    }
}

/// A client as rules see it: connected, and then built by [`crate::authorize_connect`] only, or the last to use a session that was stored.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) principal: Principal,
    pub(crate) username: Option<ByteString>,
    pub(crate) client_identifier: ClientIdentifier,
    /// Which of these two names rules look at.
    pub(crate) proven: ProvenNames,
    pub(crate) identity: Option<Arc<DeviceIdentity>>,
    /// Where it came from; nothing for one whose session was stored.
    pub(crate) origin: Option<Origin>,
    /// What those who vouched for it gave it; nothing for one whose session was stored.
    pub(crate) grant: Option<Arc<Grant>>,
    /// That of the listener by which it came.
    pub(crate) mount_point: Option<Arc<str>>,
}

impl Client {
    /// A client whose session was stored, at its word: rules look at both its names. It permits nothing: to connect it has to be asked for a permit
    /// again. A device is of the tenant that its identity names.
    #[must_use]
    pub fn restored(
        principal: Principal,
        username: Option<ByteString>,
        client_identifier: ClientIdentifier,
        identity: Option<Arc<DeviceIdentity>>,
    ) -> Self {
        let principal = match (principal, identity.as_ref().and_then(|identity| identity.tenant())) {
            (Principal::Device(name), Some(tenant)) => Principal::Device(QualifiedName::new(Some(Arc::clone(tenant)), name.name)),
            (principal, _) => principal,
        };
        let proven = ProvenNames::BOTH;
        Self { principal, username, client_identifier, proven, identity, origin: None, grant: None, mount_point: None }
    }

    /// The same client where rules look at these of its names and at no others.
    #[must_use]
    pub fn with_proven(self, proven: ProvenNames) -> Self {
        Self { proven, ..self }
    }

    /// The same client with another grant: what those who vouch for it give it has changed.
    #[must_use]
    pub fn regranted(&self, grant: Arc<Grant>) -> Self {
        Self { grant: Some(grant), ..self.clone() }
    }

    /// The same client, coming from there.
    #[must_use]
    pub fn coming_from(&self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self.clone() }
    }

    /// Whether rules see the same in both: who it is, where it came from and what it was given.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        // When a grant ends is nothing that rules look at.
        let is_granted_the_same = match (self.grant.as_deref(), other.grant.as_deref()) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                let own = |grant: &Grant| (grant.superuser, grant.groups == other.groups, grant.attributes == other.attributes);
                own(one) == own(other) && one.rules == other.rules && one.fetched == other.fetched
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.has_same_names(other) && self.origin == other.origin && self.mount_point == other.mount_point && is_granted_the_same
    }

    /// Whether both are the same client under the same names, by the same certificate, wherever they came from: what is kept of a client when it is
    /// stored is the same.
    #[must_use]
    pub fn has_same_names(&self, other: &Self) -> bool {
        let facts = |client: &Self| {
            let identity = client.identity.as_ref()?;
            Some((identity.leaf().fingerprint(), identity.path().to_vec(), Arc::clone(identity.profile()), identity.tenant().cloned()))
        };
        self.principal == other.principal
            && self.username == other.username
            && self.client_identifier == other.client_identifier
            && self.proven == other.proven
            && facts(self) == facts(other)
    }

    /// Who the caller is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Which of its names somebody answers for: those that rules look at.
    #[must_use]
    pub fn proven(&self) -> ProvenNames {
        self.proven
    }

    /// The user name, where somebody answers for it.
    #[must_use]
    pub fn proven_username(&self) -> Option<&str> {
        self.username().filter(|_| self.proven.username)
    }

    /// Who it is in the words of a refusal: the principal, and the user name that it claims without proof.
    pub(crate) fn described(&self) -> String {
        match self.username().filter(|_| !self.proven.username) {
            Some(claimed) => format!("{} under the user name `{}`, which nobody has proven", self.principal, crate::denied::shown(claimed)),
            None => self.principal.to_string(),
        }
    }

    /// The user name after mapping: what a template made from the certificate, or else what the client sent. Whether rules look at it
    /// [`Self::proven`] says.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The Client Identifier after mapping or assignment; never empty.
    #[must_use]
    pub fn client_identifier(&self) -> &ClientIdentifier {
        &self.client_identifier
    }

    /// The verified identity, absent for all but [`Principal::Device`], and for a device that only a proxy has verified.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<DeviceIdentity>> {
        self.identity.as_ref()
    }

    /// The tenant in whose name space the client lives; nothing for one that sees all of them.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()?.tenant()
    }

    /// Under which name the Server keeps the client's session. Without a tenant that is the Client Identifier. The Client Identifiers of a
    /// tenant are its own: its name stands before them, with U+0000 in between, which no client can send in an identifier of its own
    /// [MQTT-1.5.4-2]. So nobody reaches, or blocks, a session of another tenant by what he calls himself.
    #[must_use]
    pub fn session_key(&self) -> ClientIdentifier {
        match self.tenant() {
            None => self.client_identifier.clone(),
            Some(tenant) => ClientIdentifier::new(format!("{tenant}\0{}", self.client_identifier.as_str())),
        }
    }

    /// Where the client's topics are among those of all; nothing for a client that sees them all.
    #[must_use]
    pub fn mount(&self) -> Option<Mount> {
        Mount::of(self.tenant().map(|tenant| &**tenant), self.mount_point.as_ref())
    }

    /// How many levels stand before the topics that the client writes.
    #[must_use]
    pub fn levels_before(&self) -> usize {
        let point = self.mount_point.as_ref().map_or(0, |point| point.matches('/').count());
        point + usize::from(self.tenant().is_some())
    }

    /// A topic, or a filter without ShareName, that the client writes as access rules see it: with its mount point.
    #[must_use]
    pub fn ruled<'a>(&self, written: &'a str) -> Cow<'a, str> {
        match &self.mount_point {
            None => Cow::Borrowed(written),
            Some(point) => Cow::Owned(format!("{point}{written}")),
        }
    }

    /// The whole topic of one that the client wrote.
    ///
    /// # Errors
    /// It is too long with what stands before it.
    pub fn place_topic(&self, topic: &TopicName) -> Result<TopicName, TopicError> {
        self.mount().map_or_else(|| Ok(topic.clone()), |mount| mount.place_topic(topic))
    }

    /// A whole topic as the client sees it; nothing if it does not see it at all.
    #[must_use]
    pub fn view_topic(&self, topic: &TopicName) -> Option<TopicName> {
        self.mount().map_or_else(|| Some(topic.clone()), |mount| mount.view_topic(topic))
    }

    /// What a template may look at: everything that is kept of a client, so not the time. A name that nobody answers for is not there.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let identity = self.identity.as_deref();
        Facts {
            leaf: identity.map(DeviceIdentity::leaf),
            device: self.device(),
            username: self.proven_username(),
            client_identifier: Some(self.client_identifier.as_str()).filter(|_| self.proven.client_identifier),
            // Where there are no profiles, the name of the one is empty.
            profile: identity.map(|identity| &**identity.profile()).filter(|profile| !profile.is_empty()),
            tenant: identity.and_then(DeviceIdentity::tenant).map(|tenant| &**tenant),
            address: self.origin.as_ref().and_then(|origin| origin.address),
            listener: self.origin.as_ref().map(|origin| &*origin.listener),
            attributes: self.grant.as_ref().map(|grant| &grant.attributes),
            ..Facts::default()
        }
    }

    /// Where it came from; nothing for one whose session was stored and that has not come back.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// What those who vouched for it gave it.
    #[must_use]
    pub fn grant(&self) -> Option<&Arc<Grant>> {
        self.grant.as_ref()
    }

    /// The device's name, absent for all but [`Principal::Device`].
    #[must_use]
    pub fn device(&self) -> Option<&DeviceName> {
        match &self.principal {
            Principal::Device(name) => Some(name),
            Principal::Bridge(_) | Principal::User(_) | Principal::Unnamed | Principal::Anonymous => None,
        }
    }
}
