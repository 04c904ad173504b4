//! Where certificates are administered: the running broker if there is one, else the ledger itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use signet_admin::api::{AddDevice, AddedDevice, CaReport, Certificate, CrlFile, Problem, ProblemKind, Revoke, RevokeReport};
use signet_admin::{Administration, Caller, Client, ClientError, Settings};
use signet_ledger::{DurableLedger, OpenError};
use tokio::runtime::Runtime;

use crate::ca_files;
use crate::config::{self, CaConfig, Config};
use crate::exit::Exit;
use crate::flags::ConfigFlag;
use crate::hint::{Failure, plain};
use crate::inventory;
use crate::output;

/// How long a ledger that another process has open is waited for.
const LEDGER_PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts.
const LEDGER_PAUSE: Duration = Duration::from_millis(20);

/// Where the CA, the inventory and the admin socket are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) data_dir: PathBuf,
    pub(crate) admin_socket: PathBuf,
    pub(crate) ca: CaConfig,
    audit_kept: u64,
}

impl Places {
    /// From the configuration; without one, the usual names in the current directory.
    pub(crate) fn find(flag: &ConfigFlag) -> Result<Self, Failure> {
        let path = flag.path();
        if flag.config.is_none() && !path.exists() {
            return Ok(Self::of(Config::nothing_written(Path::new("."))));
        }
        config::load_places(&flag.origin()).map(Self::of).map_err(|error| error.report(&path))
    }

    /// From a configuration.
    pub(crate) fn of(config: Config) -> Self {
        Self { data_dir: config.data_dir, admin_socket: config.admin_socket, ca: config.ca, audit_kept: config.revocation.audit_kept }
    }

    /// The inventory's file.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.data_dir.join("ledger.redb")
    }
}

/// The settings of an administration.
pub(crate) fn settings(ca: &CaConfig) -> Settings {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Settings {
        crl_path: ca.crl.clone(),
        crl_validity_seconds: seconds(ca.crl_validity),
        device_validity_seconds: seconds(ca.device_validity),
    }
}

/// Opens the ledger, made if needed, and the authority, if there is one.
pub(crate) fn open_administration(places: &Places) -> Result<Administration, Failure> {
    let authority = ca_files::load_authority(&places.ca.dir)?;
    let ledger = open_ledger(places)?;
    let administration = Administration::new(Box::new(ledger), authority, settings(&places.ca));
    administration.keep_audit_records(places.audit_kept);
    inventory::check(places, &administration)?;
    Ok(administration)
}

pub(crate) fn open_ledger(places: &Places) -> Result<DurableLedger, Failure> {
    std::fs::create_dir_all(&places.data_dir).map_err(|error| Failure::file("create", &places.data_dir, &error))?;
    patiently(&places.ledger()).map_err(|error| match error {
        OpenError::InUse { .. } => Failure::new(error.to_string()).exit(Exit::Busy),
        OpenError::File { path, source } => Failure::file("open", &path, &source),
        other => Failure::new(other.to_string()),
    })
}

/// Opens the ledger. Another command has it for a moment only, so its end is awaited; whoever keeps it longer is reported.
fn patiently(path: &Path) -> Result<DurableLedger, OpenError> {
    let deadline = Instant::now() + LEDGER_PATIENCE;
    loop {
        match DurableLedger::open(path) {
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => std::thread::sleep(LEDGER_PAUSE),
            other => return other,
        }
    }
}

mod live;
mod trust;
mod users;

pub(crate) use trust::BrokerOffice;

/// The office that is open: one of two, with the same answers.
pub(crate) enum Office {
    /// A broker runs: it alone writes.
    Broker { client: Client, runtime: Runtime },
    /// No broker runs: we write ourselves.
    Ledger { administration: Box<Administration>, caller: Caller },
}

impl Office {
    /// Finds the broker, or opens an existing ledger and says so.
    pub(crate) fn open(places: &Places) -> Result<Self, Failure> {
        Self::find(places, |places| {
            let ledger = places.ledger();
            if ledger.exists() {
                return Ok(());
            }
            Err(Failure::new(format!("there is no inventory of certificates: `{}` does not exist", ledger.display()))
                .hint("run it where signet.toml is, or name that with -c FILE; `signet quickstart` sets up a new directory"))
        })
    }

    /// The same for what makes a first certificate or CRL: an authority is enough, the ledger is made if needed.
    pub(crate) fn open_or_begin(places: &Places) -> Result<Self, Failure> {
        Self::find(places, |places| match ca_files::load_authority(&places.ca.dir)? {
            Some(_) => Ok(()),
            None => Err(Failure::new(format!("there is no certificate authority in `{}`", places.ca.dir.display()))
                .hint("`signet ca init` makes one; or run it where signet.toml is, or name that with -c FILE")),
        })
    }

    /// The running broker; no other will do.
    pub(crate) fn of_broker(places: &Places) -> Result<Self, Failure> {
        Self::find(places, |places| {
            Err(Failure::new(format!("no broker runs here: nobody answers on `{}`", places.admin_socket.display()))
                .hint("start it: signet serve"))
        })
    }

    fn find(places: &Places, may_open: impl FnOnce(&Places) -> Result<(), Failure>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("the system gives no event loop: {error}")))?;
        let client = Client::new(&places.admin_socket);
        match runtime.block_on(client.status()) {
            Ok(_) => Ok(Self::Broker { client, runtime }),
            Err(ClientError::NotRunning(_)) => {
                may_open(places)?;
                let administration = Box::new(open_administration(places)?);
                output::note(&format!("note: no broker runs here, working on the inventory `{}` alone", places.ledger().display()));
                let caller = Caller::user(rustix::process::getuid().as_raw());
                Ok(Self::Ledger { administration, caller })
            }
            Err(error) => Err(refused(error, &places.admin_socket)),
        }
    }

    pub(crate) fn add_device(&self, request: &AddDevice) -> Result<AddedDevice, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.add_device(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.add_device(request, caller).map_err(problem),
        }
    }

    pub(crate) fn list(&self) -> Result<Vec<Certificate>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.list_certificates()).map_err(call_failed),
            Self::Ledger { administration, .. } => {
                let (mut all, mut after) = (Vec::new(), Some(0));
                while let Some(position) = after {
                    let page = administration.list(position).map_err(problem)?;
                    all.extend(page.certificates);
                    after = page.next;
                }
                Ok(all)
            }
        }
    }

    pub(crate) fn show(&self, which: &str) -> Result<Vec<Certificate>, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.show(which)).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.show(which).map_err(problem),
        }
    }

    pub(crate) fn revoke(&self, request: &Revoke) -> Result<RevokeReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.revoke(request)).map_err(call_failed),
            Self::Ledger { administration, caller } => administration.revoke(request, caller).map_err(problem),
        }
    }

    pub(crate) fn ca(&self) -> Result<CaReport, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.ca()).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.ca().map_err(problem),
        }
    }

    pub(crate) fn sign_crl(&self) -> Result<CrlFile, Failure> {
        match self {
            Self::Broker { client, runtime } => runtime.block_on(client.sign_crl()).map_err(call_failed),
            Self::Ledger { administration, .. } => administration.sign_crl().map_err(problem),
        }
    }
}

/// A refusal of the administration as the command line ends with it.
pub(crate) fn problem(problem: Problem) -> Failure {
    let failure = Failure { exit: Exit::Failed, message: problem.message, hint: problem.hint };
    match problem.kind {
        ProblemKind::NotFound => failure.exit(Exit::NotFound),
        ProblemKind::Invalid | ProblemKind::Failed => failure,
    }
}

fn call_failed(error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refusal) => problem(refusal),
        other => Failure::new(other.to_string()),
    }
}

/// What to say about a socket that does not answer as a broker does.
pub(crate) fn refused(error: ClientError, socket: &Path) -> Failure {
    let ClientError::Socket { source, .. } = &error else { return call_failed(error) };
    let failure = Failure::new(format!("cannot talk to the broker on `{}`: {}", socket.display(), plain(source)));
    if source.kind() == std::io::ErrorKind::PermissionDenied {
        return failure.hint(format!("run it as the user that owns the broker: ls -l {}", socket.display()));
    }
    failure
}
