//! After a revocation was acknowledged nothing is delivered to a connection of the revoked certificate, and nothing is accepted from one.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, Violation, What};

pub(super) fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut certificates: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    let mut revoked: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (place, entry) in history.iter() {
        let (connection, did, label) = match &entry.what {
            What::Handshaken { client, connection, generation } => {
                certificates.insert(*connection, (*client, *generation));
                continue;
            }
            What::RevocationAcknowledged { client, generation } => {
                revoked.insert((*client, *generation));
                continue;
            }
            What::Admitted { connection, is_accepted: true, .. } => (connection, "was admitted", None),
            What::Taken { connection, label } => (connection, "had a message taken", Some(*label)),
            What::Handed { connection, label, .. } => (connection, "was given a message", *label),
            _ => continue,
        };
        if let Some(certificate) = certificates.get(connection).filter(|certificate| revoked.contains(certificate)) {
            let (client, generation) = *certificate;
            let text =
                format!("client {client} {did} at {place} over connection {connection}, and its certificate {generation} was revoked");
            found.push(Violation { checker: "revocation", text, client: Some(client), label });
        }
    }
    found
}
