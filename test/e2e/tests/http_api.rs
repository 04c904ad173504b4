//! Mosquitto's HTTP API, asked with `curl`.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::process::Command;

use signet_e2e::{Running, Site, openssl};

/// The directory and the ports of a broker with the API on plain TCP and on TLS, and what else listens.
struct Rig {
    site: Site,
    plain: u16,
    secure: u16,
    mqtt: u16,
}

fn rig() -> Rig {
    let site = Site::empty();
    let [plain, secure, mqtt] = std::array::from_fn(|_| site.free_port());
    fs::create_dir(site.path("www")).unwrap();
    site.write("www/index.html", "<p>dashboard</p>");
    site.write("secret.txt", "nobody's business");
    for name in ["server", "server-2"] {
        openssl(
            site.folder(),
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-keyout",
                &format!("{name}.key"),
                "-out",
                &format!("{name}.pem"),
                "-subj",
                "/CN=localhost",
                "-days",
                "30",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
                "extendedKeyUsage=serverAuth",
            ],
        )
        .succeeded();
    }
    for user in ["admin", "guest"] {
        let create: &[&str] = if user == "admin" { &["-c"] } else { &[] };
        let mut command = Command::new("mosquitto_passwd");
        command.current_dir(site.folder()).args(create).args(["-b", "passwords", user, &format!("{user}-secret")]);
        Running::run(&mut command).succeeded();
    }
    let api = "transport = \"http_api\"\nhttp_directory = \"www\"\nauthentication = [\"people\"]\n";
    site.write(
        "signet.toml",
        &format!(
            "[[listener]]\nname = \"mqtt\"\nbind = \"127.0.0.1:{mqtt}\"\ntransport = \"ws\"\nanonymous = true\n\
             [[listener]]\nname = \"api\"\nbind = \"127.0.0.1:{plain}\"\n{api}\
             [[listener]]\nname = \"apis\"\nbind = \"127.0.0.1:{secure}\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n{api}\
             [[authenticator]]\nname = \"people\"\ntype = \"password_file\"\nfile = \"passwords\"\n\
             [[access]]\nwho = \"username:admin\"\nsubscribe = [\"#\"]\n\
             [[access]]\nwho = \"username:guest\"\nsubscribe = [\"/api/v1/version\"]\n"
        ),
    );
    site.signet(&["check"]).succeeded();
    Rig { site, plain, secure, mqtt }
}

impl Rig {
    /// `curl` with these arguments; what it shows, head and all.
    fn curl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("curl");
        command.current_dir(self.site.folder()).args(["-sS", "-i", "--path-as-is", "--cacert", "server.pem"]).args(arguments);
        Running::run(&mut command).output
    }

    fn get(&self, user: &str, path: &str) -> String {
        let (credentials, url) = (format!("{user}:{user}-secret"), format!("http://127.0.0.1:{}{path}", self.plain));
        self.curl(&["-u", &credentials, &url])
    }
}

#[test]
fn who_may_read_a_path_gets_what_mosquitto_would_show() {
    let rig = rig();
    let broker = rig.site.serve();
    let version = rig.get("admin", "/api/v1/version");
    assert!(version.starts_with("HTTP/1.1 200 OK") && version.contains("Access-Control-Allow-Origin: *"), "{version}");
    let listeners = rig.get("admin", "/api/v1/listeners");
    let expected = format!(
        "{{\n\t\"listeners\":\t[{{\n\t\t\t\"port\":\t{},\n\t\t\t\"protocol\":\t\"websockets\",\n\t\t\t\"tls\":\tfalse,\n\t\t\t\"mtls\":\tfalse,\n\
         \t\t\t\"allow_anonymous\":\ttrue\n\t\t}}, {{\n\t\t\t\"port\":\t{},\n\t\t\t\"protocol\":\t\"httpapi\",\n\t\t\t\"tls\":\tfalse,\n",
        rig.mqtt, rig.plain
    );
    assert!(listeners.contains(&expected), "{listeners}\n{expected}");
    let systree = rig.get("admin", "/api/v1/systree");
    for topic in ["$SYS/broker/uptime", "$SYS/broker/clients/connected", "$SYS/broker/messages/received"] {
        assert!(systree.contains(&format!("\t\"{topic}\":\t")), "{systree}");
    }
    assert!(rig.get("admin", "/").contains("dashboard"));

    // The right to read a path is that to read a topic of its name.
    assert!(rig.get("guest", "/api/v1/version").starts_with("HTTP/1.1 200 OK"));
    for (user, path) in [("guest", "/api/v1/systree"), ("guest", "/"), ("stranger", "/api/v1/version")] {
        let refused = rig.get(user, path);
        assert!(refused.starts_with("HTTP/1.1 401 Unauthorized") && refused.ends_with("Not authorised"), "{user} {path}: {refused}");
    }
    let url = format!("http://127.0.0.1:{}", rig.plain);
    let nobody = rig.curl(&[&format!("{url}/api/v1/version")]);
    assert!(nobody.contains("WWW-Authenticate: Basic realm=\"Mosquitto API\""), "{nobody}");
    let wrong = rig.curl(&["-u", "admin:wrong", &format!("{url}/api/v1/version")]);
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    let posted = rig.curl(&["-u", "admin:admin-secret", "-d", "x", &format!("{url}/api/v1/version")]);
    assert!(posted.starts_with("HTTP/1.1 405") && posted.ends_with("Invalid HTTP Method"), "{posted}");
    for path in ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/missing", "/api/v1/other", "/api/v2/version"] {
        let missing = rig.get("admin", path);
        assert!(missing.starts_with("HTTP/1.1 404"), "{path}: {missing}");
    }
    broker.logs_all(&["refused", "HTTP API", "listener=\"api\""]);
    broker.stop();
}

#[test]
fn over_tls_with_a_certificate_that_is_replaced() {
    let rig = rig();
    let broker = rig.site.serve();
    let (url, mapped) = (format!("https://localhost:{}/api/v1/version", rig.secure), format!("localhost:{}:127.0.0.1", rig.secure));
    let get = || rig.curl(&["-u", "admin:admin-secret", "--resolve", &mapped, &url]);
    assert!(get().starts_with("HTTP/1.1 200 OK"), "{}", get());
    for kind in ["pem", "key"] {
        fs::copy(rig.site.path(&format!("server-2.{kind}")), rig.site.path(&format!("served.{kind}"))).unwrap();
    }
    rig.site.edit("signet.toml", |text| text.replace("\"server.pem\"", "\"served.pem\"").replace("\"server.key\"", "\"served.key\""));
    broker.signal("HUP");
    broker.logs("configuration reloaded");
    let other = get();
    assert!(other.contains("certificate problem"), "the old certificate is not shown any more: {other}");
    fs::copy(rig.site.path("server-2.pem"), rig.site.path("server.pem")).unwrap();
    assert!(get().starts_with("HTTP/1.1 200 OK"), "{}", get());
    broker.stop();
}

#[test]
fn who_guesses_here_is_held_off() {
    let rig = rig();
    rig.site.edit("signet.toml", |text| {
        format!("{text}[limits]\nattempts_maximum = 3\nattempts_window = \"1h\"\nhold_off = \"1h\"\nhold_off_maximum = \"1h\"\nattempts_exempt = []\n")
    });
    let broker = rig.site.serve();
    let url = format!("http://127.0.0.1:{}/api/v1/version", rig.plain);
    let says = |credentials: &[&str], code: &str| {
        let shown = rig.curl(&[credentials, &[&url]].concat());
        assert!(shown.starts_with(&format!("HTTP/1.1 {code}")), "{credentials:?}: {shown}");
    };
    // A browser asks without credentials first.
    for _ in 0..4 {
        says(&[], "401");
    }
    says(&["-u", "admin:admin-secret"], "200");
    for _ in 0..3 {
        says(&["-u", "admin:guess"], "401");
    }
    says(&["-u", "admin:admin-secret"], "401");
    broker.logs("clients at 127.0.0.1 that show no certificate are held off");
    assert!(rig.site.signet(&["refusals", "held"]).succeeded().says("127.0.0.1"));
    rig.site.signet(&["refusals", "forgive", "127.0.0.1"]).succeeded();
    says(&["-u", "admin:admin-secret"], "200");
}
