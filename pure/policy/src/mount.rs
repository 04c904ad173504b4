//! Tenants: where a client's topics are among the topics of all.
//!
//! The topics of a tenant's clients live under `TENANT/`. A client of the tenant writes and reads them without that, and so do the access rules:
//! they see a topic as the client sees it. Everything behind the decisions (subscriptions, retained messages, Wills, the store) has the whole
//! topic, and so has a client without tenant.
//!
//! Topics that start with `$` are the Server's own. They are the same for everybody, so they are never prefixed: a tenant's client may read
//! one that an access rule names, and may publish to none.

use bytestring::ByteString;
use signet_mqtt::{TopicError, TopicFilter, TopicName};

/// The place of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount(ByteString);

impl Mount {
    /// The place of the tenant with this name.
    #[must_use]
    pub fn new(tenant: &str) -> Self {
        Self(format!("{tenant}/").into())
    }

    /// The whole topic of one that a client of the tenant wrote.
    ///
    /// # Errors
    /// It is too long with the tenant before it.
    pub fn place_topic(&self, topic: &TopicName) -> Result<TopicName, TopicError> {
        TopicName::new(format!("{}{}", self.0, topic.as_str()))
    }

    /// The whole filter of one that a client of the tenant wrote; of a Shared Subscription the tenant stands behind the ShareName, so that
    /// groups of two tenants with the same ShareName are two groups.
    ///
    /// # Errors
    /// It is too long with the tenant before it.
    pub fn place_filter(&self, filter: &TopicFilter) -> Result<TopicFilter, TopicError> {
        let inner = filter.without_share_name();
        if inner.starts_with('$') {
            return Ok(filter.clone());
        }
        TopicFilter::new(match filter.shared() {
            Some((share_name, inner)) => format!("$share/{share_name}/{}{inner}", self.0),
            None => format!("{}{inner}", self.0),
        })
    }

    /// A whole topic as clients of the tenant see it; nothing if they do not see it at all. What another has published below `TENANT/$` would
    /// look like the Server's own, and wildcards do not reach that [MQTT-4.7.2-1].
    #[must_use]
    pub fn view_topic(&self, topic: &TopicName) -> Option<TopicName> {
        if topic.starts_with_dollar() {
            return Some(topic.clone());
        }
        topic.without_prefix(&self.0).filter(|topic| !topic.starts_with_dollar())
    }

    /// A whole filter as the client of the tenant wrote it; nothing if none of them can have.
    #[must_use]
    pub fn view_filter(&self, filter: &TopicFilter) -> Option<TopicFilter> {
        let inner = filter.without_share_name();
        if inner.starts_with('$') {
            return Some(filter.clone());
        }
        let inner = inner.strip_prefix(&*self.0)?;
        let text = match filter.shared() {
            Some((share_name, _)) => format!("$share/{share_name}/{inner}"),
            None => inner.to_owned(),
        };
        TopicFilter::new(text).ok()
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
    fn a_topic_that_becomes_too_long_is_none() {
        let longest = "x".repeat(65_535);
        assert!(Mount::new("a").place_topic(&TopicName::new(longest.clone()).unwrap()).is_err());
        assert!(Mount::new("a").place_filter(&TopicFilter::new(longest).unwrap()).is_err());
    }
}
