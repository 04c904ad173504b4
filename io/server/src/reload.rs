//! Other listeners and trust profiles for a running server: everything is loaded, checked and bound before anything changes, and whoever is
//! entitled by the new ones stays connected.

use std::sync::Arc;
use std::time::Duration;

use signet_identity::Peer;
use signet_net::{ConnectionInfo, KickCause, ListenAddress, ListenSocket, ReconcileReport, bind, unix_seconds};
use signet_policy::check_client;
use signet_tls::{ListenerTls, Refusal};

use crate::config::Profiles;
use crate::handle::{Bound, check_names};
use crate::listener::{Listener, ListenerRules};
use crate::{ListenerConfig, ProfileConfig, ServerHandle, StartError};

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Listeners that are new.
    pub added: Vec<String>,
    /// Listeners that are gone, and their connections with them.
    pub removed: Vec<String>,
    /// Listeners that go on, perhaps by other rules.
    pub kept: Vec<String>,
}

/// A reload that is ready: everything is loaded, checked and bound, and nothing of it can fail any more. Dropped, it changes nothing.
pub struct PreparedReload {
    rules: Vec<(Arc<Listener>, ListenerRules)>,
    open: Vec<(ListenSocket, Arc<Listener>)>,
    opened: Vec<Bound>,
    close: Vec<(Arc<str>, ListenAddress)>,
    reloaded: Reloaded,
}

impl ServerHandle {
    /// Puts other listeners and trust profiles in force: all of them or, on an error, none; see [`Self::install`].
    ///
    /// # Errors
    /// As [`Self::prepare_reload`].
    pub fn reload(&self, listeners: &[ListenerConfig], profiles: &[ProfileConfig]) -> Result<Reloaded, StartError> {
        Ok(self.install(self.prepare_reload(listeners, profiles)?))
    }

    /// Does all of a reload that can fail. Between this and [`Self::install`] a caller can change what it could not take back, and no other reload
    /// may come.
    ///
    /// # Errors
    /// What cannot be used: files, profiles, addresses. Everything stays as it was.
    pub fn prepare_reload(&self, listeners: &[ListenerConfig], profiles: &[ProfileConfig]) -> Result<PreparedReload, StartError> {
        check_names(listeners)?;
        self.plan(listeners, profiles)
    }

    /// Puts what was prepared in force. New connections are taken by it at once; those that are open are looked at by [`Self::review`], which the
    /// caller calls next.
    ///
    /// A listener is the same as before if it has the same name. Addresses that it keeps are not bound anew, so nobody who is connecting is turned
    /// away.
    pub fn install(&self, prepared: PreparedReload) -> Reloaded {
        let before = self.shared.listeners.load_full();
        let is_kept = |listener: &Arc<Listener>| prepared.rules.iter().any(|(kept, _)| Arc::ptr_eq(kept, listener));
        let (mut all, gone): (Vec<_>, Vec<_>) = before.iter().cloned().partition(is_kept);
        for (listener, rules) in prepared.rules {
            listener.install(rules);
        }
        for (_, listener) in &prepared.open {
            if !all.iter().any(|known| known.name == listener.name) {
                all.push(Arc::clone(listener));
            }
        }
        gone.iter().for_each(|listener| listener.retire());
        self.shared.listeners.store(Arc::new(all));
        let mut places = self.places();
        places.retain(|place| !prepared.close.iter().any(|(name, address)| *name == place.listener && *address == place.address));
        places.extend(prepared.opened);
        drop(places);
        self.accept.change(prepared.open, prepared.close);
        prepared.reloaded
    }

    fn plan(&self, configs: &[ListenerConfig], profiles: &[ProfileConfig]) -> Result<PreparedReload, StartError> {
        let now = unix_seconds();
        let profiles = Arc::new(Profiles::load(profiles).map_err(StartError::Profile)?);
        let current = self.shared.listeners.load_full();
        let mut plan =
            PreparedReload { rules: Vec::new(), open: Vec::new(), opened: Vec::new(), close: Vec::new(), reloaded: Reloaded::default() };
        for config in configs {
            let rules = ListenerRules::load(config, &profiles, &self.revocations, now)?;
            let listener = match current.iter().find(|listener| *listener.name == *config.name) {
                Some(listener) => {
                    plan.rules.push((Arc::clone(listener), rules.with_tickets_of(&listener.rules())));
                    plan.reloaded.kept.push(config.name.clone());
                    Arc::clone(listener)
                }
                None => {
                    plan.reloaded.added.push(config.name.clone());
                    Arc::new(Listener::new(rules, &self.shared.admissions.total, &self.shared.refusals))
                }
            };
            self.plan_addresses(config, &listener, &mut plan)?;
        }
        for place in self.places().iter() {
            if !configs.iter().any(|config| *config.name == *place.listener) {
                plan.close.push((Arc::clone(&place.listener), place.address.clone()));
                if !plan.reloaded.removed.iter().any(|name| **name == *place.listener) {
                    plan.reloaded.removed.push(place.listener.to_string());
                }
            }
        }
        Ok(plan)
    }

    /// Binds the addresses that are new and lists those that are not wanted any more.
    fn plan_addresses(&self, config: &ListenerConfig, listener: &Arc<Listener>, plan: &mut PreparedReload) -> Result<(), StartError> {
        let places = self.places();
        let own = || places.iter().filter(|place| place.listener == listener.name);
        let new: Vec<ListenAddress> = config.bind.iter().filter(|address| !own().any(|place| place.asked == **address)).cloned().collect();
        for place in own().filter(|place| !config.bind.contains(&place.asked)) {
            plan.close.push((Arc::clone(&place.listener), place.address.clone()));
        }
        for (asked, socket) in bind(&config.name, &new, &config.bind_rules)? {
            plan.opened.push(Bound { listener: Arc::clone(&listener.name), asked, address: socket.local_address()? });
            plan.open.push((socket, Arc::clone(listener)));
        }
        Ok(())
    }

    /// Looks at every open connection by what is in force now (listeners, trust profiles, revocations, suspensions, dates) and ends those that may
    /// not go on. Waits up to `patience` until they are closed. To be called after every change of any of these, never before: who connects
    /// meanwhile is looked at when it is registered.
    pub fn review(&self, patience: Duration) -> ReconcileReport {
        let listeners = self.shared.listeners.load_full();
        let now = unix_seconds();
        self.shared.registry.reconcile(
            |info| {
                // Bridges come in by a way of their own, which no configuration of listeners can close.
                let rules = match listeners.iter().find(|listener| listener.name == info.entry.listener) {
                    Some(listener) => listener.rules(),
                    None if is_internal(info) => return None,
                    None => return Some(KickCause::ListenerRemoved),
                };
                let checked = rules.check_open(&info.entry.peer, now).and_then(|()| check_names_of(&rules, info));
                let (refusal, cause) = checked.err()?;
                // Its CONNECT waits until somebody has found out, and no longer than it may.
                let is_held = info.client_identifier.is_none() && matches!(info.entry.peer, Peer::Pending(_));
                if is_held && matches!(cause, KickCause::Unchecked(_)) {
                    return None;
                }
                let why = refusal.as_ref().map_or_else(|| format!("{cause:?}"), ToString::to_string);
                tracing::info!(target: "signet::session", connection = info.entry.link.number(), address = %info.entry.address, "may not go on: {why}");
                Some(cause)
            },
            patience,
        )
    }

    /// The TLS of each listener that has any, by name: what it shows and whom it believes.
    pub fn tls(&self) -> Vec<(Arc<str>, Arc<ListenerTls>)> {
        let listeners = self.shared.listeners.load();
        listeners.iter().filter_map(|listener| Some((Arc::clone(&listener.name), Arc::clone(listener.rules().tls()?)))).collect()
    }
}

/// Whether a device may have the names that it has, once it has any.
fn check_names_of(rules: &ListenerRules, info: &ConnectionInfo) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
    let (Some(identity), Some(client_identifier)) = (info.entry.peer.identity(), &info.client_identifier) else { return Ok(()) };
    check_client(rules.admission_of(Some(&**identity)), identity, client_identifier, info.username.as_deref())
        .map_err(|denied| (None, KickCause::IdentityChanged(denied.to_string())))
}

/// Whether the connection is one of this process to itself.
fn is_internal(info: &ConnectionInfo) -> bool {
    info.entry.listener.starts_with("bridge ") && matches!(info.entry.peer, Peer::Anonymous(_))
}
