//! The office's answers about the built-in users.

use signet_admin::api::{AddUser, ChangeUser, ImportReport, ImportUsers, RemoveUser, User, UserQuery, UserReport};

use super::{Office, Places, call_failed, problem};
use crate::flags::ConfigFlag;
use crate::hint::Failure;

impl Office {
    /// Finds the broker, or opens the ledger, which is made where there is a configuration: users need no authority.
    pub(crate) fn open_or_create(flag: &ConfigFlag) -> Result<Self, Failure> {
        let has_configuration = flag.path().exists();
        Self::find(&Places::find(flag)?, |places| {
            if has_configuration || places.ledger().exists() {
                return Ok(());
            }
            Err(Failure::new(format!("there is no configuration `{}` here, and no inventory", flag.path().display()))
                .hint("run it where signet.toml is, or name that with -c FILE; `signet quickstart` sets up a new directory"))
        })
    }

    pub(crate) fn add_user(&self, request: &AddUser) -> Result<UserReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.add_user(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.add_user(request, caller).map_err(problem),
        }
    }

    pub(crate) fn change_user(&self, request: &ChangeUser) -> Result<UserReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.change_user(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.change_user(request, caller).map_err(problem),
        }
    }

    pub(crate) fn remove_user(&self, request: &RemoveUser) -> Result<UserReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.remove_user(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.remove_user(request, caller).map_err(problem),
        }
    }

    pub(crate) fn import_users(&self, request: &ImportUsers) -> Result<ImportReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.import_users(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.import_users(request, caller).map_err(problem),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Result<User, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.user(name)).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.user(name).map_err(problem),
        }
    }

    pub(crate) fn users(&self) -> Result<Vec<User>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.users()).map_err(call_failed),
            Self::Ledger { administration, .. } => {
                let (mut all, mut query) = (Vec::new(), UserQuery::default());
                loop {
                    let page = administration.list_users(&query).map_err(problem)?;
                    all.extend(page.users);
                    match page.next {
                        Some(next) => query.after = Some(next),
                        None => return Ok(all),
                    }
                }
            }
        }
    }
}
