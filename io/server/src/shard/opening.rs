//! Between accept and CONNECT: the layers of a connection open one after the other, and each says something about who it is.

use signet_identity::{NoIdentity, Peer};
use signet_net::{ForwardedTls, LinkId, ListenAddress, ProxyHeader, unix_seconds};
use signet_tls::{Check, Refusal};

use super::Shard;
use crate::gate::origin;
use crate::lines;
use crate::link::{Link, Phase};
use crate::mailbox::Mail;
use crate::pipe::Opening;

impl Shard {
    /// Takes note of what opened. An error: the client may not stay.
    pub(super) fn advance(&mut self, id: LinkId, opening: Opening) -> Result<(), Box<Refusal>> {
        if let Some(header) = opening.proxied {
            self.proxied(id, &header)?;
        }
        if let (Some(question), Some(mailbox)) = (opening.question, self.shared.mailboxes.get(usize::from(self.index)).cloned()) {
            // The thread does not wait: the connection does, and is not read meanwhile.
            question.ask(move || mailbox.post_one(Mail::KeyAnswered(id)));
        }
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        if let Some(peer) = opening.peer {
            self.counts.handshakes.full += u64::from(link.pipe.is_resumed() == Some(false));
            self.counts.handshakes.resumed += u64::from(link.pipe.is_resumed() == Some(true));
            link.peer = Some(peer);
        }
        if link.phase == Phase::Handshake && link.pipe.awaited().is_none() {
            let peer = link.peer.clone().unwrap_or(Peer::Anonymous(NoIdentity::PlainTransport));
            self.established(id, peer);
        }
        Ok(())
    }

    /// A trusted proxy has said for whom it speaks.
    fn proxied(&mut self, id: LinkId, header: &ProxyHeader) -> Result<(), Box<Refusal>> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let proxy = link.address;
        if let Some(source) = header.source {
            link.address = source;
            link.place.readdress(origin(&source)).map_err(|_| Box::new(too_many()))?;
        }
        tracing::debug!(target: "signet::connection", connection = id.number(), address = %link.address, %proxy, version = header.version, local = header.is_local, "PROXY header");
        lines::accepted(&link.address, link.listener(), port_of(link));
        if let Some((protocol, cipher)) = header.tls.as_ref().and_then(ForwardedTls::negotiated) {
            lines::negotiated_with_proxy(link, protocol, cipher);
        }
        // Where TLS comes through the proxy, the certificate is seen here, and nobody's word is needed.
        if !link.pipe.transport().is_encrypted()
            && let Some(proxy) = link.listener().rules().proxy()
        {
            link.peer = Some(proxy.peer(header, unix_seconds())?);
        }
        Ok(())
    }

    /// What a connection waited for when the time for its opening was over, and what to do.
    pub(super) fn late_opening(awaited: Option<Check>) -> (Check, &'static str, &'static str) {
        match awaited {
            Some(Check::Proxy) => (Check::Proxy, "PROXY header", "does the proxy send one? `handshake_timeout` sets the limit"),
            Some(Check::WebSocket) => {
                (Check::WebSocket, "WebSocket upgrade", "is it a WebSocket client? `handshake_timeout` sets the limit")
            }
            Some(Check::PresharedKey) => {
                let hint = "whoever is asked for keys is slow or away, see the log; `handshake_timeout` sets the limit";
                (Check::PresharedKey, "answer about its pre-shared key", hint)
            }
            _ => (Check::Handshake, "TLS handshake", "is it a TLS client? is the network this slow? `handshake_timeout` sets the limit"),
        }
    }
}

/// The port of the listener, where it has only one.
fn port_of(link: &Link) -> Option<u16> {
    link.listener().rules().config.bind.iter().find_map(ListenAddress::port)
}

fn too_many() -> Refusal {
    let hint = "`connections_per_address_maximum` of the listener sets the limit";
    Refusal::without_certificate(Check::Proxy, "the client's address has as many connections as it may have", hint)
}
