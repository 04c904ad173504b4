//! The floor: the least that can stand in for a broker, on the same TLS library. It answers CONNECT and SUBSCRIBE and forwards PUBLISH packets of
//! QoS 0 byte for byte, in batches. No session, no topic tree, no rule, no check of what it is sent: what a broker costs above this is its own.

mod connection;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use connection::Connection;

const LISTENER: Token = Token(usize::MAX);

/// Where to listen, and with what.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Port of 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Authority of the clients' certificates: mutual TLS instead of TCP
    #[arg(long, requires_all = ["certificate", "key"])]
    trust: Option<PathBuf>,
    /// The server's own certificate
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// Its key
    #[arg(long)]
    key: Option<PathBuf>,
}

/// Forwards until the process is ended.
///
/// # Errors
/// When the port is taken or the system refuses to poll.
///
/// # Panics
/// When a file is no certificate or no key.
pub fn run(options: &Options) -> io::Result<()> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], options.port));
    let mut listener = TcpListener::bind(address)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor =
        Floor { poll, tls: tls(options), connections: Vec::new(), free: Vec::new(), subscribers: HashMap::new(), wanted: Vec::new() };
    let mut events = Events::with_capacity(512);
    let mut room = vec![0; 256 * 1024];
    // Connections that have something to send once the batch is through.
    let mut dirty = Vec::new();
    loop {
        floor.poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                floor.accept(&listener)?;
            } else {
                floor.serve(event, &mut room, &mut dirty);
            }
        }
        for at in dirty.drain(..) {
            floor.flush(at);
        }
    }
}

/// What the listener would have of TLS: both versions, one ticket, and a client certificate.
fn tls(options: &Options) -> Option<Arc<ServerConfig>> {
    let (trust, certificate, key) = (options.trust.as_ref()?, options.certificate.as_ref()?, options.key.as_ref()?);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = |path| CertificateDer::pem_file_iter(path).expect("a file of certificates").map(|found| found.expect("a certificate"));
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain(trust));
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().expect("an authority");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(certificate).collect(), PrivateKeyDer::from_pem_file(key).expect("a key"))
        .expect("a key that fits its certificate");
    config.send_tls13_tickets = 1;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().expect("keys for tickets");
    Some(Arc::new(config))
}

struct Floor {
    poll: Poll,
    tls: Option<Arc<ServerConfig>>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Topic Filter → connections. A filter is a Topic Name, or one with `+` or `#` in place of its last level.
    subscribers: HashMap<Vec<u8>, Vec<usize>>,
    /// A Topic Filter that is looked up; only its room is kept.
    wanted: Vec<u8>,
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let mut socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or(self.connections.len());
            self.poll.registry().register(&mut socket, Token(at), Interest::READABLE | Interest::WRITABLE)?;
            let tls = self.tls.as_ref().map(|config| {
                let mut tls = ServerConnection::new(Arc::clone(config)).expect("the configuration is good");
                tls.set_buffer_limit(None);
                tls
            });
            if self.connections.len() <= at {
                self.connections.resize_with(at + 1, || None);
            }
            if let Some(place) = self.connections.get_mut(at) {
                *place = Some(Connection::new(socket, tls));
            }
        }
    }

    fn serve(&mut self, event: &Event, room: &mut [u8], dirty: &mut Vec<usize>) {
        let at = event.token().0;
        let Some(mut connection) = self.connections.get_mut(at).and_then(Option::take) else { return };
        let mut alive = !event.is_readable() || connection.receive(room);
        let input = connection.take_input();
        let mut rest = input.as_slice();
        while let Some((packet, after)) = connection::split_packet(rest) {
            rest = after;
            match packet.kind() {
                connection::PUBLISH => self.forward(&packet, at, &mut connection, dirty),
                connection::SUBSCRIBE => {
                    for filter in connection.subscribed(&packet) {
                        self.subscribers.entry(filter).or_default().push(at);
                    }
                }
                _ => alive &= connection.answer(&packet),
            }
        }
        let read = input.len() - rest.len();
        connection.put_back(input, read);
        alive &= connection.flush();
        if alive {
            if let Some(place) = self.connections.get_mut(at) {
                *place = Some(connection);
            }
            return;
        }
        connection.end();
        for subscribers in self.subscribers.values_mut() {
            subscribers.retain(|subscriber| *subscriber != at);
        }
        self.free.push(at);
    }

    /// Puts the bytes of a PUBLISH into the output of all who asked for its topic. `sender` is the connection of `from`, which is not at its place.
    fn forward(&mut self, packet: &connection::Packet<'_>, from: usize, sender: &mut Connection, dirty: &mut Vec<usize>) {
        let topic = packet.topic();
        let parent = topic.iter().rposition(|octet| *octet == b'/').map_or(0, |slash| slash + 1);
        for last in [None, Some(b'+'), Some(b'#')] {
            self.wanted.clear();
            self.wanted.extend_from_slice(last.map_or(topic, |_| topic.get(..parent).unwrap_or_default()));
            self.wanted.extend(last);
            for to in self.subscribers.get(&self.wanted).into_iter().flatten() {
                if *to == from {
                    sender.send(packet.bytes);
                } else if let Some(connection) = self.connections.get_mut(*to).and_then(Option::as_mut)
                    && connection.send(packet.bytes)
                {
                    dirty.push(*to);
                }
            }
        }
    }

    fn flush(&mut self, at: usize) {
        if let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) {
            // Broken: its own event says so.
            let _ = connection.flush();
        }
    }
}
