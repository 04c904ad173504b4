//! Addresses to ask at: http and https, nothing else, nothing hidden in them.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// The longest address that is taken, in bytes. Those in certificates have 30 to 100.
pub const MAXIMUM_URL_BYTES: usize = 2048;

/// The address of a server, or of something at a server: `http://` or `https://`, a host, perhaps a port, a path, perhaps a query.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Url {
    text: String,
    https: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why text is no address to fetch from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Another scheme than http and https.
    #[error("`{url}` has the scheme `{scheme}`; only `http` and `https` can be fetched")]
    Scheme {
        /// What was given.
        url: String,
        /// Its scheme, in lower case.
        scheme: String,
    },
    /// Not an address at all.
    #[error("`{url}` {found}; expected `http://HOST/PATH` or `https://HOST/PATH`")]
    Form {
        /// What was given.
        url: String,
        /// What is wrong.
        found: &'static str,
    },
}

impl Url {
    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host's name or address, in lower case; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: the one written, 80 or 443.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as they stand in a request.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value of the Host field (RFC 9112 §3.2).
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.https { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The same address with one more segment (RFC 6960 §A.1: the request of an OCSP GET).
    #[must_use]
    pub fn with_segment(&self, segment: &str) -> String {
        format!("{}/{segment}", self.path.trim_end_matches('/'))
    }

    /// Whether a list of hosts allows it: a name for itself, `.name` for everything below it. Case does not matter.
    #[must_use]
    pub fn is_allowed(&self, hosts: &[String]) -> bool {
        hosts.iter().map(|host| host.to_ascii_lowercase()).any(|host| match host.strip_prefix('.') {
            Some(parent) => self.host.strip_suffix(parent).is_some_and(|below| below.ends_with('.')),
            None => self.host == host,
        })
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(200).flat_map(char::escape_debug).collect::<String>();
        let form = |found| UrlError::Form { url: shown(), found };
        if text.len() > MAXIMUM_URL_BYTES {
            return Err(form("is longer than 2048 bytes"));
        }
        let uri: Uri = text.parse().map_err(|_| form("is no URL"))?;
        let https = match uri.scheme_str().map(str::to_ascii_lowercase).as_deref() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(UrlError::Scheme { url: shown(), scheme: other.to_owned() }),
            None => return Err(form("has no scheme")),
        };
        let authority = uri.authority().ok_or_else(|| form("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(form("holds a user name, which is not sent"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(form("has no host"));
        }
        let port = match authority.port_u16() {
            Some(0) => return Err(form("has port 0")),
            Some(port) => port,
            // An empty port is the usual one (RFC 3986 §3.2.3); a number above 65535 is none.
            None if authority.as_str().strip_prefix(authority.host()).is_some_and(|rest| rest.len() > 1) => {
                return Err(form("has no usable port"));
            }
            None if https => 443,
            None => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { text: text.to_owned(), https, host, port, path })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_parts_of_an_address() {
        let plain = url("http://CRL.example.com/ca/1.crl?x=1");
        assert_eq!((plain.is_https(), plain.host(), plain.port(), plain.path()), (false, "crl.example.com", 80, "/ca/1.crl?x=1"));
        assert_eq!(plain.authority(), "crl.example.com");
        let secure = url("HTTPS://[::1]:8443");
        assert_eq!((secure.is_https(), secure.host(), secure.port(), secure.path()), (true, "::1", 8443, "/"));
        assert_eq!(secure.authority(), "[::1]:8443");
        assert_eq!(url("http://a/ocsp/").with_segment("MEI="), "/ocsp/MEI=");
        assert_eq!(url("http://a").with_segment("MEI="), "/MEI=");
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_by_name() {
        let error = |text: &str| text.parse::<Url>().unwrap_err().to_string();
        assert!(error("ldap://ldap.example.com/cn=CA?certificateRevocationList").contains("scheme `ldap`"));
        assert!(error("file:///etc/passwd").contains("http"));
        assert!(error("/ca.crl").contains("no scheme"));
        assert!(error("http://user:secret@host/").contains("user name"));
        assert!(error("http://host:0/").contains("port 0"));
        assert!(error("http://host:99999/").contains("no usable port"));
        assert!(error("http://ho st/\n").contains("no URL"));
        assert!(error(&format!("http://host/{}", "x".repeat(3000))).contains("2048"));
    }

    #[test]
    fn hosts_are_allowed_by_name_or_below_a_name() {
        let hosts = vec!["crl.example.com".to_owned(), ".Example.ORG".to_owned()];
        for (text, allowed) in [
            ("http://crl.example.com/", true),
            ("http://a.crl.example.com/", false),
            ("http://a.example.org/", true),
            ("http://example.org/", false),
            ("http://evilexample.org/", false),
            ("http://127.0.0.1/", false),
        ] {
            assert_eq!(url(text).is_allowed(&hosts), allowed, "{text}");
        }
    }
}
