//! How users look on disk.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Unreadable;
use crate::users::{User, UserPassword, UserScram};

/// One user; its name is the key.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredUser {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<StoredPassword>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scram: Vec<StoredScram>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    superuser: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    groups: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
    created_at: i64,
    changed_at: i64,
    changed_by: String,
}

#[derive(Serialize, Deserialize)]
struct StoredPassword {
    kind: String,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
}

/// Octets in hex.
#[derive(Serialize, Deserialize)]
struct StoredScram {
    mechanism: String,
    salt: String,
    iterations: u32,
    stored_key: String,
    server_key: String,
}

impl StoredUser {
    pub(crate) fn new(user: &User) -> Self {
        let password = user.password.as_ref().map(|password| StoredPassword {
            kind: password.kind.clone(),
            hash: password.hash.clone(),
            salt: password.salt.clone(),
        });
        let scram = user.scram.iter().map(|scram| StoredScram {
            mechanism: scram.mechanism.clone(),
            salt: hex::encode(&scram.salt),
            iterations: scram.iterations,
            stored_key: hex::encode(&scram.stored_key),
            server_key: hex::encode(&scram.server_key),
        });
        Self {
            password,
            scram: scram.collect(),
            superuser: user.superuser,
            groups: user.groups.clone(),
            attributes: user.attributes.clone(),
            disabled: user.disabled,
            created_at: user.created_at,
            changed_at: user.changed_at,
            changed_by: user.changed_by.clone(),
        }
    }

    pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<User, Unreadable> {
        let stored: Self = serde_json::from_slice(bytes)?;
        let octets = |text: &str| hex::decode(text).map_err(|_| Unreadable::Field("scram"));
        let scram = stored.scram.iter().map(|scram| {
            Ok(UserScram {
                mechanism: scram.mechanism.clone(),
                salt: octets(&scram.salt)?,
                iterations: scram.iterations,
                stored_key: octets(&scram.stored_key)?,
                server_key: octets(&scram.server_key)?,
            })
        });
        Ok(User {
            name: name.to_owned(),
            password: stored.password.map(|StoredPassword { kind, hash, salt }| UserPassword { kind, hash, salt }),
            scram: scram.collect::<Result<_, Unreadable>>()?,
            superuser: stored.superuser,
            groups: stored.groups,
            attributes: stored.attributes,
            disabled: stored.disabled,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
            changed_by: stored.changed_by,
        })
    }
}
