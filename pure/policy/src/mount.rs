//! Tenants and mount points: where a client's topics are among the topics of all.
//!
//! The topics of a tenant's clients live under `TENANT/`. A client of the tenant writes and reads them without that, and so do the access rules:
//! they see a topic as the client sees it. Everything behind the decisions (subscriptions, retained messages, Wills, the store) has the whole
//! topic, and so has a client without tenant. Topics that start with `$` are the Server's own. They are the same for everybody, so they are never
//! prefixed by a tenant: its client may read one that an access rule names, and may publish to none.
//!
//! A mount point is a text that stands before every topic of whoever comes by a listener, whatever the topic begins with, so that its clients reach
//! nothing else, the Server's own topics neither. They do not see it; access rules do: they are about the topic with its mount point, and without
//! its tenant. Where there are both, the tenant stands first.

use std::sync::Arc;

use bytestring::ByteString;
use signet_mqtt::{TopicError, TopicFilter, TopicName};

/// The place of one client's topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// With the slash behind it.
    tenant: Option<ByteString>,
    point: Option<Arc<str>>,
}

impl Mount {
    /// The place of the tenant with this name.
    #[must_use]
    pub fn new(tenant: &str) -> Self {
        Self { tenant: Some(format!("{tenant}/").into()), point: None }
    }

    /// The place of a tenant's clients, if they have one, that come by a listener with a mount point, if it has one.
    #[must_use]
    pub fn of(tenant: Option<&str>, point: Option<&Arc<str>>) -> Option<Self> {
        let tenant = tenant.map(|tenant| format!("{tenant}/").into());
        (tenant.is_some() || point.is_some()).then(|| Self { tenant, point: point.cloned() })
    }

    /// The whole topic of one that a client wrote.
    ///
    /// # Errors
    /// It is too long with what stands before it.
    pub fn place_topic(&self, topic: &TopicName) -> Result<TopicName, TopicError> {
        let (tenant, point) = self.before(topic.as_str());
        TopicName::new(format!("{tenant}{point}{}", topic.as_str()))
    }

    /// The whole filter of one that a client wrote; of a Shared Subscription the prefix stands behind the ShareName, so that groups of two tenants
    /// with the same ShareName are two groups.
    ///
    /// # Errors
    /// It is too long with what stands before it, or no filter: a wildcard takes a whole level.
    pub fn place_filter(&self, filter: &TopicFilter) -> Result<TopicFilter, TopicError> {
        let inner = filter.without_share_name();
        let (tenant, point) = self.before(inner);
        TopicFilter::new(match filter.shared() {
            Some((share_name, inner)) => format!("$share/{share_name}/{tenant}{point}{inner}"),
            None => format!("{tenant}{point}{inner}"),
        })
    }

    /// A whole topic as the client sees it; nothing if it does not see it at all. What another has published below `TENANT/$` would look like the
    /// Server's own, and wildcards do not reach that [MQTT-4.7.2-1].
    #[must_use]
    pub fn view_topic(&self, topic: &TopicName) -> Option<TopicName> {
        let topic = self.without_tenant(topic)?;
        match &self.point {
            None => Some(topic),
            Some(point) => topic.without_prefix(point),
        }
    }

    /// A whole topic as access rules see it; nothing if the client does not see it.
    #[must_use]
    pub fn ruled_topic(&self, topic: &TopicName) -> Option<TopicName> {
        self.view_topic(topic).and_then(|_| self.without_tenant(topic))
    }

    /// A whole filter as the client wrote it; nothing if none of them can have it.
    #[must_use]
    pub fn view_filter(&self, filter: &TopicFilter) -> Option<TopicFilter> {
        let inner = filter.without_share_name();
        let inner = match &self.tenant {
            Some(tenant) if !inner.starts_with('$') => inner.strip_prefix(&**tenant)?,
            _ => inner,
        };
        let inner = self.point.as_deref().map_or(Some(inner), |point| inner.strip_prefix(point))?;
        let text = match filter.shared() {
            Some((share_name, _)) => format!("$share/{share_name}/{inner}"),
            None => inner.to_owned(),
        };
        TopicFilter::new(text).ok()
    }

    /// What stands before a topic or filter without ShareName.
    fn before(&self, written: &str) -> (&str, &str) {
        let point = self.point.as_deref().unwrap_or_default();
        let is_servers = if point.is_empty() { written.starts_with('$') } else { point.starts_with('$') };
        (self.tenant.as_deref().filter(|_| !is_servers).unwrap_or_default(), point)
    }

    fn without_tenant(&self, topic: &TopicName) -> Option<TopicName> {
        match &self.tenant {
            Some(tenant) if !topic.starts_with_dollar() => topic.without_prefix(tenant).filter(|topic| !topic.starts_with_dollar()),
            _ => Some(topic.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tenant_writes_is_below_its_name_and_read_without_it() {
        let mount = Mount::new("acme");
        for (written, placed) in [
            ("a/b", "acme/a/b"),
            ("/", "acme//"),
            ("#", "acme/#"),
            ("+/x", "acme/+/x"),
            ("$share/g/a/#", "$share/g/acme/a/#"),
            ("$SYS/#", "$SYS/#"),
            ("$share/g/$SYS/#", "$share/g/$SYS/#"),
        ] {
            let written = TopicFilter::new(written).unwrap();
            let found = mount.place_filter(&written).unwrap();
            assert_eq!(found.as_str(), placed);
            assert_eq!(mount.view_filter(&found), Some(written));
        }
        let placed = mount.place_topic(&TopicName::new("a").unwrap()).unwrap();
        assert_eq!((placed.as_str(), mount.view_topic(&placed).unwrap().as_str()), ("acme/a", "a"));
        assert_eq!(mount.view_filter(&TopicFilter::new("other/#").unwrap()), None);
    }

    #[test]
    fn what_is_not_below_its_name_is_not_seen_and_nothing_looks_like_the_servers_own() {
        let mount = Mount::new("acme");
        for topic in ["acme", "acme/", "acme/$SYS/x", "acmes/x", "other/acme/x"] {
            assert_eq!(mount.view_topic(&TopicName::new(topic).unwrap()), None, "`{topic}`");
        }
        assert_eq!(mount.view_topic(&TopicName::new("$SYS/x").unwrap()).unwrap().as_str(), "$SYS/x");
    }

    #[test]
    fn what_comes_by_a_mount_point_is_behind_it_whatever_it_begins_with() {
        let point = |text: &str| Mount::of(None, Some(&text.into())).unwrap();
        for (mount, written, placed) in [
            (point("m/"), "a/b", "m/a/b"),
            (point("m/"), "#", "m/#"),
            (point("m/"), "$SYS/#", "m/$SYS/#"),
            (point("m/"), "$share/g/a/#", "$share/g/m/a/#"),
            (point("m"), "a/b", "ma/b"),
            (Mount::of(Some("acme"), Some(&"m/".into())).unwrap(), "a", "acme/m/a"),
            (Mount::of(Some("acme"), Some(&"m/".into())).unwrap(), "$SYS/#", "acme/m/$SYS/#"),
        ] {
            let written = TopicFilter::new(written).unwrap();
            let found = mount.place_filter(&written).unwrap();
            assert_eq!(found.as_str(), placed);
            assert_eq!(mount.view_filter(&found), Some(written));
        }
        assert!(point("m").place_filter(&TopicFilter::new("+/x").unwrap()).is_err(), "a wildcard takes a whole level");
        let both = Mount::of(Some("acme"), Some(&"m/".into())).unwrap();
        let whole = TopicName::new("acme/m/a").unwrap();
        assert_eq!(both.view_topic(&whole).unwrap().as_str(), "a");
        assert_eq!(both.ruled_topic(&whole).unwrap().as_str(), "m/a");
        for topic in ["acme/a", "m/a", "acme/m/", "$SYS/x"] {
            let topic = TopicName::new(topic).unwrap();
            assert_eq!((both.view_topic(&topic), both.ruled_topic(&topic)), (None, None), "`{topic:?}`");
        }
    }

    #[test]
    fn a_topic_that_becomes_too_long_is_none() {
        let longest = "x".repeat(65_535);
        assert!(Mount::new("a").place_topic(&TopicName::new(longest.clone()).unwrap()).is_err());
        assert!(Mount::new("a").place_filter(&TopicFilter::new(longest).unwrap()).is_err());
    }
}
