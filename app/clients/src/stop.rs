//! SIGINT and SIGTERM: they end a wait for packets, or a pause.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_client::Interrupter;

/// Whether somebody asked to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    asked: bool,
    /// Of the connection that is open now.
    connection: Option<Interrupter>,
}

impl Stop {
    /// From here on signals are asked to stop instead of ending the process. Returns when that holds.
    pub(crate) fn on_signals(&self) {
        let stop = self.clone();
        let (ready, registered) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
                    return;
                };
                let _ = ready.send(());
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                stop.ask();
            });
        });
        // An error means that the thread gave up: then a signal ends the process the system's way.
        let _ = registered.recv();
    }

    fn ask(&self) {
        let mut state = self.lock();
        state.asked = true;
        if let Some(connection) = &state.connection {
            connection.interrupt();
        }
        self.0.1.notify_all();
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.lock().asked
    }

    /// The connection whose wait has to end.
    pub(crate) fn watch(&self, connection: Option<Interrupter>) {
        let mut state = self.lock();
        if let (true, Some(connection)) = (state.asked, &connection) {
            connection.interrupt();
        }
        state.connection = connection;
    }

    /// Waits; the end of the time, or of the wish to go on.
    pub(crate) fn pause(&self, time: Duration) {
        let state = self.lock();
        let _ = self.0.1.wait_timeout_while(state, time, |state| !state.asked);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
