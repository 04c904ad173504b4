//! The listeners that speak HTTP: sockets of the control plane.

use std::sync::Arc;

use signet_net::{ListenSocket, bind};
use tokio::sync::watch;

use super::listen_failed;
use crate::hint::Failure;
use crate::running::Running;

/// Opens the listeners that speak HTTP. What they show is that of the configuration in force; which there are is that of the start.
pub(super) fn serve(running: &Arc<Running>, stopped: &watch::Receiver<()>) -> Result<(), Failure> {
    for (listener, api) in running.http_listeners() {
        for (address, socket) in bind(&listener.name, &listener.bind, listener.bind_rules()).map_err(listen_failed)? {
            let ListenSocket::Tcp(socket) = socket else { continue };
            let mut stopped = stopped.clone();
            tracing::info!(listener = listener.name, transport = listener.transport(), %address, "listening");
            let served = signet_admin::serve_http_api(socket, Arc::clone(&api), async move { drop(stopped.changed().await) });
            tokio::spawn(async move {
                if let Err(error) = served.await {
                    tracing::error!(%error, "the HTTP API cannot be served");
                }
            });
        }
    }
    Ok(())
}
