//! Data bases behind TLS.

use std::path::PathBuf;

use signet_auth::{SqlAddress, SqlEngine, SqlPool, SqlServer, SqlTls};
use signet_testkit::{Issued, MariadbServer, OpensslCa, PostgresServer};

use crate::people::{patient, says, user};
use crate::rig::{QUERY, Rig};

const FOR_SERVERS: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n";

async fn with(rig: &Rig, server: SqlServer) -> String {
    says(&rig.users_at(server, QUERY, patient("sql")), &user("ann", "secret")).await
}

fn named(host: &str, rig: &Rig, ca: Option<PathBuf>, client: Option<&Issued>) -> SqlServer {
    let client = client.map(|issued| (issued.certificate.clone(), issued.key.clone()));
    let address = SqlAddress::Tcp { host: host.to_owned(), port: rig.port() };
    SqlServer { address, tls: SqlTls::Required { ca_files: ca.into_iter().collect(), client }, ..rig.server() }
}

async fn both(engine: SqlEngine) {
    let directory = tempfile::tempdir().unwrap();
    let ca = OpensslCa::create(&directory.path().join("ca"), "Data");
    let stranger = OpensslCa::create(&directory.path().join("stranger"), "Stranger");
    let issued = ca.issue("localhost", FOR_SERVERS);
    let client = ca.device("certified", "");
    let rig = match engine {
        SqlEngine::PostgreSql => Rig::Postgres(PostgresServer::start_tls(&ca, &issued)),
        SqlEngine::MySql => Rig::Mariadb(MariadbServer::start_tls(&ca, &issued)),
    };
    rig.fill();
    assert_eq!(with(&rig, named("localhost", &rig, Some(ca.certificate()), None)).await, "allow");
    // The server wants TLS, and we want the right server.
    for server in [
        rig.server(),
        named("127.0.0.1", &rig, Some(ca.certificate()), None),
        named("localhost", &rig, Some(stranger.certificate()), None),
        named("localhost", &rig, None, None),
    ] {
        let said = with(&rig, server.clone()).await;
        assert!(said.starts_with("failed: no connection to "), "{:?}: {said}", server.tls);
    }
    match &rig {
        Rig::Postgres(server) => server.execute("CREATE USER certified; GRANT SELECT ON mqtt_user TO certified"),
        Rig::Mariadb(server) => server.execute("CREATE USER certified@'%' REQUIRE X509; GRANT SELECT ON mqtt.* TO certified@'%'"),
    };
    let certified =
        |client| SqlServer { username: "certified".to_owned(), password: None, ..named("localhost", &rig, Some(ca.certificate()), client) };
    assert_eq!(with(&rig, certified(Some(&client))).await, "allow");
    assert!(with(&rig, certified(None)).await.starts_with("failed: no connection to "));
    let missing = SqlServer { tls: SqlTls::Required { ca_files: vec!["/nowhere.pem".into()], client: None }, ..rig.server() };
    let error = SqlPool::new(missing).unwrap_err();
    assert!(error.0.contains("`/nowhere.pem` cannot be read"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    both(SqlEngine::PostgreSql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() {
    both(SqlEngine::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_needs_no_tls() {
    for engine in [SqlEngine::PostgreSql, SqlEngine::MySql] {
        let rig = Rig::start(engine);
        let (path, port) = match &rig {
            Rig::Postgres(server) => (server.socket_directory().to_owned(), server.port()),
            Rig::Mariadb(server) => (server.socket(), 0),
        };
        let address = SqlAddress::Socket { path, port };
        assert_eq!(with(&rig, SqlServer { address: address.clone(), ..rig.server() }).await, "allow");
        let tls = SqlTls::Required { ca_files: Vec::new(), client: None };
        assert!(SqlPool::new(SqlServer { address, tls, ..rig.server() }).is_err());
    }
}
