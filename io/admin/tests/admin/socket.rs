//! The admin API as the command line meets it: over a real unix socket, on a real ledger.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use signet_admin::api::{
    AddDevice, AuthenticatorState, DeviceKey, Explain, Explained, ForgetAnswers, ForgetReport, Forgive, ForgiveReport, HeldOffClient,
    Numbers, Problem, ProblemKind, RefreshReport, RefreshSources, RefusalQuery, RefusedClient, ReloadReport, RevocationSource, Revoke,
    Status, TrustProfile,
};
use signet_admin::{AdminSocket, Administration, Caller, Client, ClientError, Control, Live, Settings, SocketError};
use signet_ca::{Intent, KeyType, Ledger, ProfileKind};
use signet_identity::{CertificateId, NameDigest, SerialNumber};
use signet_ledger::{AuthorityFiles, CeremonyPlan, DurableLedger, Inventory, MemoryLedger, Overwrite, PrivateKey};
use signet_net::{Registry, unix_seconds};
use signet_revocation::{Reason, RevocationIndex};
use signet_tls::CurrentRevocations;
use tokio::sync::oneshot;

/// A broker's control side with nothing behind it.
struct Idle;

impl Control for Idle {
    fn status(&self) -> Status {
        Status { version: "test".to_owned(), pid: 1, started_at: String::new(), listeners: Vec::new(), connections: 0, revoked: 0 }
    }

    fn numbers(&self) -> Numbers {
        Numbers { series: [("signet_connections".to_owned(), 2.0)].into() }
    }

    fn reload(&self) -> Result<ReloadReport, Problem> {
        Err(Problem::new(ProblemKind::Invalid, "`signet.toml` has 2 problems"))
    }

    fn explain(&self, request: &Explain) -> Result<Explained, Problem> {
        Ok(Explained { listener: request.listener.clone().unwrap_or_default(), ..Explained::default() })
    }

    fn authenticators(&self) -> Vec<AuthenticatorState> {
        Vec::new()
    }

    fn forget_answers(&self, _: &ForgetAnswers) -> Result<ForgetReport, Problem> {
        Ok(ForgetReport { forgotten: 0 })
    }

    fn refusals(&self, query: &RefusalQuery) -> Vec<RefusedClient> {
        crate::trust::refusals().into_iter().filter(|refused| query.number.is_none_or(|number| number == refused.number)).collect()
    }

    fn held_off(&self) -> Vec<HeldOffClient> {
        let held = |who: &str, why: &str| HeldOffClient { who: who.to_owned(), why: why.to_owned(), until: String::new(), times: 1 };
        vec![held("192.0.2.7", "address"), held("pump-7", "flapping")]
    }

    fn forgive(&self, request: &Forgive) -> Result<ForgiveReport, Problem> {
        let goes = |held: &&HeldOffClient| request.who.as_ref().is_none_or(|who| *who == held.who);
        match self.held_off().iter().filter(goes).count() {
            0 => Err(Problem::new(ProblemKind::NotFound, "nobody is held off under that name")),
            count => Ok(ForgiveReport { forgiven: u64::try_from(count).unwrap() }),
        }
    }

    fn trust(&self) -> Vec<TrustProfile> {
        crate::trust::profiles()
    }

    fn sources(&self) -> Vec<RevocationSource> {
        Vec::new()
    }

    fn refresh(&self, request: &RefreshSources) -> Result<RefreshReport, Problem> {
        Ok(RefreshReport { sources: u64::from(request.which.is_some()) })
    }
}

/// A served administration in a directory of its own.
pub(crate) struct Rig {
    directory: tempfile::TempDir,
    pub(crate) client: Client,
    pub(crate) revocations: CurrentRevocations,
    pub(crate) registry: Arc<Registry>,
    pub(crate) administration: Arc<Administration>,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Rig {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = DurableLedger::open(&directory.path().join("ledger.redb")).unwrap();
        Self::serve(directory, Box::new(ledger))
    }

    fn serve(directory: tempfile::TempDir, ledger: Box<dyn Inventory + Send>) -> Self {
        let authority = AuthorityFiles::new(directory.path().join("ca"))
            .create(&CeremonyPlan::named("Test"), Overwrite::Never, unix_seconds())
            .unwrap();
        let settings =
            Settings { crl_path: directory.path().join("crl.pem"), crl_validity_seconds: 3600, device_validity_seconds: 30 * 86_400 };
        let administration = Arc::new(Administration::new(ledger, Some(authority), settings));
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let registry = Arc::new(Registry::new());
        administration.attach(Live { revocations: revocations.clone(), registry: Arc::clone(&registry) });
        let path = directory.path().join("admin.sock");
        let socket = AdminSocket::bind(&path).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let wait = async move { drop(stopped.await) };
        let server = tokio::spawn(signet_admin::serve(socket, Arc::clone(&administration), Arc::new(Idle), wait));
        Self { client: Client::new(&path), directory, revocations, registry, administration, stop: Some(stop), server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn add(&self, name: &str) -> signet_admin::api::AddedDevice {
        self.client.add_device(&request(name)).await.unwrap()
    }
}

fn request(name: &str) -> AddDevice {
    let key = PrivateKey::generate(KeyType::P256).unwrap().subject_key().unwrap();
    AddDevice { name: name.to_owned(), key: DeviceKey::PublicKey(hex::encode(key.spki())), days: None }
}

pub(crate) fn revoke(which: &str, reason: &str) -> Revoke {
    Revoke { which: which.to_owned(), reason: reason.to_owned() }
}

pub(crate) fn refused(error: ClientError) -> Problem {
    match error {
        ClientError::Refused(problem) => problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_device_is_added_listed_shown_and_revoked() {
    let rig = Rig::start();
    let first = rig.add("pump-7").await;
    let second = rig.add("pump-7").await;
    rig.add("pump-8").await;
    assert_eq!(first.chain_pem.matches("BEGIN CERTIFICATE").count(), 2, "leaf and issuing CA");
    let me = Caller::user(rustix::process::getuid().as_raw());
    assert_eq!(first.certificate.issued_by, me.as_str(), "the kernel's word for who asked");

    let names: Vec<String> = rig.client.list_certificates().await.unwrap().into_iter().map(|certificate| certificate.name).collect();
    assert_eq!(names, ["pump-7", "pump-7", "pump-8"]);
    assert_eq!(rig.client.show("pump-7").await.unwrap().len(), 2);
    let by_serial = rig.client.show(&first.certificate.serial).await.unwrap();
    assert_eq!(by_serial, std::slice::from_ref(&first.certificate));

    let report = rig.client.revoke(&revoke("pump-7", "keyCompromise")).await.unwrap();
    assert_eq!(report.certificates.len(), 2, "a name means every certificate of the device");
    assert_eq!(report.sessions.unwrap().closed, 0);
    let crl = report.crl.unwrap();
    assert_eq!((crl.number, crl.entries), (1, 2));
    assert_eq!(std::fs::read_to_string(rig.path("crl.pem")).unwrap(), crl.pem);
    let index = rig.revocations.load();
    for serial in [&first.certificate.serial, &second.certificate.serial] {
        let issuer = issuer_of(&first.certificate.issuer);
        let id = CertificateId::new(issuer, serial.parse::<SerialNumber>().unwrap());
        assert_eq!(index.lookup(&id).unwrap().reason, Reason::KeyCompromise);
    }

    let again = rig.client.revoke(&revoke(&first.certificate.serial, "superseded")).await.unwrap();
    assert!(again.certificates.is_empty());
    assert_eq!(again.already_revoked[0].revoked.as_ref().unwrap().reason, "keyCompromise", "the first reason stays");
    assert_eq!(again.crl.unwrap().number, 2);

    let ca = rig.client.ca().await.unwrap();
    assert_eq!((ca.certificates_total, ca.revoked_total, ca.crl.unwrap().number), (3, 2, 2));
    assert_eq!(rig.client.sign_crl().await.unwrap().number, 3);
}

fn issuer_of(text: &str) -> NameDigest {
    let octets: [u8; 32] = hex::decode(text).unwrap().try_into().unwrap();
    NameDigest::from_bytes(octets)
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_kind_and_changes_nothing() {
    let rig = Rig::start();
    let problem = refused(rig.client.add_device(&request("a/b")).await.unwrap_err());
    assert_eq!(problem.kind, ProblemKind::Invalid);
    assert!(problem.message.contains("`a/b` cannot be a device name"), "{problem}");
    for key in [DeviceKey::Csr("3000".to_owned()), DeviceKey::PublicKey("zz".to_owned())] {
        let wish = AddDevice { name: "pump-7".to_owned(), key, days: None };
        assert_eq!(refused(rig.client.add_device(&wish).await.unwrap_err()).kind, ProblemKind::Invalid);
    }
    assert!(rig.client.list_certificates().await.unwrap().is_empty());

    let problem = refused(rig.client.show("pumpe ä/7?").await.unwrap_err());
    assert_eq!(problem.kind, ProblemKind::NotFound);
    assert!(problem.message.contains("`pumpe ä/7?`") && problem.hint.is_some(), "{problem}");
    assert_eq!(refused(rig.client.revoke(&revoke("pump-9", "superseded")).await.unwrap_err()).kind, ProblemKind::NotFound);
    rig.add("pump-7").await;
    let problem = refused(rig.client.revoke(&revoke("pump-7", "keycompromize")).await.unwrap_err());
    assert_eq!(problem.kind, ProblemKind::Invalid);
    assert!(problem.message.contains("did you mean `keyCompromise`?"), "{problem}");
    assert_eq!(rig.client.show("pump-7").await.unwrap()[0].status, "valid");
    assert_eq!(refused(rig.client.reload().await.unwrap_err()).message, "`signet.toml` has 2 problems");
}

#[tokio::test]
async fn a_long_inventory_comes_in_parts_and_whole() {
    let mut ledger = MemoryLedger::new();
    for number in 1_u32..=2001 {
        let serial = SerialNumber::from_der_integer(&number.to_be_bytes()).unwrap();
        ledger
            .record_intent(&Intent {
                certificate: CertificateId::new(NameDigest::of(b"issuer"), serial),
                name: format!("device-{number}"),
                profile: ProfileKind::Device,
                key_type: "P-256".to_owned(),
                key_digest: [0; 32],
                not_before: 0,
                not_after: i64::from(number),
                intended_at: 0,
                issued_by: "test".to_owned(),
            })
            .unwrap();
    }
    let rig = Rig::serve(tempfile::tempdir().unwrap(), Box::new(ledger));
    let all = rig.client.list_certificates().await.unwrap();
    assert_eq!(all.len(), 2001);
    assert_eq!(all.last().unwrap().name, "device-2001");
    assert_eq!(all[0].status, "intended");
}

#[tokio::test]
async fn the_socket_is_the_owners_alone_and_goes_with_the_broker() {
    let mut rig = Rig::start();
    let metadata = std::fs::metadata(rig.path("admin.sock")).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(rig.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".admin")), "{left:?}");
    assert!(matches!(AdminSocket::bind(&rig.path("admin.sock")).unwrap_err(), SocketError::InUse(_)));
    rig.client.status().await.unwrap();
    assert_eq!(rig.client.numbers().await.unwrap().series["signet_connections"], 2.0);

    rig.stop.take().unwrap().send(()).unwrap();
    (&mut rig.server).await.unwrap().unwrap();
    assert!(!rig.path("admin.sock").exists());
    assert!(matches!(rig.client.status().await.unwrap_err(), ClientError::NotRunning(_)));
}

#[tokio::test]
async fn what_a_killed_broker_left_behind_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(Client::new(&path).status().await.unwrap_err(), ClientError::NotRunning(_)));
    AdminSocket::bind(&path).unwrap();
    let file = directory.path().join("signet.toml");
    std::fs::write(&file, "data_dir = \"data\"\n").unwrap();
    assert!(matches!(AdminSocket::bind(&file).unwrap_err(), SocketError::NotASocket(_)));
    assert!(std::fs::read_to_string(&file).unwrap().contains("data_dir"), "a slip of the pen costs no file");
    let long = directory.path().join("x".repeat(120)).join("admin.sock");
    assert!(matches!(AdminSocket::bind(&long).unwrap_err(), SocketError::TooLong(_)));
}
