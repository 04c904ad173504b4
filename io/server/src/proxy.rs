//! A listener behind proxies: who may send a PROXY header, and what becomes of what it says.

use signet_identity::{NoIdentity, Peer};
use signet_net::{MAXIMUM_HEADER, PeerAddress, ProxyError, ProxyHeader, ProxyVersions, Source, read_proxy_header};
use signet_tls::{Check, CurrentRevocations, ForwardedFacts, ForwardedIdentity, Refusal, TlsError, TrustProfiles};

use crate::{ListenerConfig, ProxyDemand};

/// The rules of one listener about proxies.
pub(crate) struct ProxyRules {
    versions: ProxyVersions,
    trusted: Vec<Source>,
    demand: ProxyDemand,
    pub(crate) identity: ForwardedIdentity,
}

impl ProxyRules {
    /// `None`: the listener takes no PROXY headers.
    pub(crate) fn load(
        config: &ListenerConfig,
        profiles: &TrustProfiles,
        revocations: &CurrentRevocations,
    ) -> Result<Option<Self>, TlsError> {
        let Some(proxy) = &config.proxy_protocol else { return Ok(None) };
        if proxy.trusted.is_empty() {
            let words = "PROXY headers are expected but no source is trusted to send them; name the proxies in `proxy_trusted`";
            return Err(TlsError::Setting(words.to_owned()));
        }
        let identity = ForwardedIdentity::load(&proxy.identity, profiles, revocations.clone())?;
        Ok(Some(Self { versions: proxy.versions, trusted: proxy.trusted.clone(), demand: proxy.demand, identity }))
    }

    /// Whether a connection from there may be opened at all. Each begins with a header, so there is nothing to tell apart by looking at it.
    pub(crate) fn check_source(&self, address: &PeerAddress) -> Result<(), Box<Refusal>> {
        if self.trusted.iter().any(|source| source.contains(address)) {
            return Ok(());
        }
        Err(Box::new(Refusal::without_certificate(
            Check::Proxy,
            "the listener takes connections of trusted proxies only, and this is none",
            "clients that need no proxy connect to a listener without `proxy_protocol`; a proxy has to be in `proxy_trusted`",
        )))
    }

    pub(crate) fn receiver(&self) -> ProxyReceiver {
        ProxyReceiver { versions: self.versions, octets: Vec::new() }
    }

    /// Who the client is, where its TLS ended at the proxy. `now` in unix seconds.
    pub(crate) fn peer(&self, header: &ProxyHeader, now: i64) -> Result<Peer, Box<Refusal>> {
        let certificate = header.tls.as_ref().and_then(|tls| tls.verified_certificate());
        let is_tls = header.tls.as_ref().is_some_and(signet_net::ForwardedTls::is_tls);
        // A proxy that speaks for itself shows neither, and is no client either.
        match self.demand {
            ProxyDemand::Tls if !is_tls => return Err(Box::new(without_tls())),
            ProxyDemand::Certificate if certificate.is_none() => return Err(Box::new(without_certificate())),
            _ => {}
        }
        if header.is_local {
            return Ok(Peer::Anonymous(NoIdentity::NotForwarded));
        }
        let facts = certificate.map(|certificate| ForwardedFacts { certificate: certificate.der, common_name: certificate.common_name });
        self.identity.establish(facts, now)
    }
}

fn without_tls() -> Refusal {
    let hint = "let the client use TLS to the proxy, and the proxy say so (haproxy: `send-proxy-v2-ssl`); `proxy_require_tls` demands it";
    Refusal::without_certificate(Check::Proxy, "the client did not connect to the proxy using TLS", hint)
}

fn without_certificate() -> Refusal {
    let hint = "let the proxy verify certificates and say so (haproxy: `verify required` and `send-proxy-v2-ssl-cn`); `client_certificate` demands it";
    Refusal::without_certificate(Check::CertificatePresent, "the client did not show the proxy a certificate that it has verified", hint)
}

/// A header that has not come completely.
pub(crate) struct ProxyReceiver {
    versions: ProxyVersions,
    /// At most one header, which is bounded.
    octets: Vec<u8>,
}

impl ProxyReceiver {
    /// Takes octets; with a whole header comes how many of `input` belong to it.
    pub(crate) fn receive(&mut self, input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, Box<Refusal>> {
        let before = self.octets.len();
        let room = MAXIMUM_HEADER.saturating_sub(before).min(input.len());
        self.octets.extend_from_slice(input.get(..room).unwrap_or_default());
        let read = read_proxy_header(&self.octets, self.versions).map_err(|error| Box::new(refusal(&error)))?;
        Ok(read.map(|(header, length)| (header, length.saturating_sub(before))))
    }
}

fn refusal(error: &ProxyError) -> Refusal {
    let hint = match error {
        ProxyError::Missing(_) => {
            "let the proxy send it (haproxy: `send-proxy-v2`, nginx: `proxy_protocol on`), or remove `proxy_protocol` from this listener"
        }
        ProxyError::Version { .. } => "let the proxy send the other version, or set `proxy_protocol = true` for both",
        ProxyError::TooLong(_) => "let the proxy send fewer entries",
        ProxyError::Malformed(_) | ProxyError::Checksum => "is it a proxy that speaks the PROXY protocol? see its own log",
    };
    Refusal::without_certificate(Check::Proxy, error.to_string(), hint)
}
