//! A relay between a client and a server that misbehaves when told to: holds what comes, or breaks off in the middle.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a relay does with new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Passes everything on.
    Pass,
    /// Accepts, reads nothing and says nothing, until told otherwise.
    Hold,
    /// Passes so many bytes of the answer on, then closes.
    Cut(usize),
}

/// A relay on a port of its own. Dropping it stops new connections.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    conduct: Conduct,
    connections: usize,
    ended: bool,
}

impl Relay {
    /// Relays to a port on loopback.
    #[must_use]
    pub fn start(target: u16, conduct: Conduct) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { conduct, connections: 0, ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.state.lock().unwrap().ended {
                    return;
                }
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || shared.serve(client, target));
            }
        });
        Self { port, shared }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what it does, also for connections that are held.
    pub fn conduct(&self, conduct: Conduct) {
        self.shared.state.lock().unwrap().conduct = conduct;
        self.shared.changed.notify_all();
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().connections
    }

    /// Waits until there were so many connections.
    pub fn wait_for(&self, connections: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state.lock().unwrap();
        while state.connections < connections {
            let left = deadline.checked_duration_since(Instant::now()).expect("a connection to the relay in time");
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream, target: u16) {
        let mut state = self.state.lock().unwrap();
        state.connections += 1;
        self.changed.notify_all();
        while state.conduct == Conduct::Hold && !state.ended {
            state = self.changed.wait(state).unwrap();
        }
        let limit = if let Conduct::Cut(bytes) = state.conduct { bytes } else { usize::MAX };
        drop(state);
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)) else { return };
        let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) else { return };
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let (mut left, mut buffer) = (limit, [0; 4096]);
        while left > 0 {
            let Ok(count @ 1..) = server.read(&mut buffer) else { break };
            let passed = count.min(left);
            if client.write_all(buffer.get(..passed).unwrap_or_default()).is_err() {
                break;
            }
            left -= passed;
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().ended = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
