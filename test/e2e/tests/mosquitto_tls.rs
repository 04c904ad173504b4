//! Certificates as Mosquitto judges them: the same clients against a real mosquitto and against Signet, with the keys that a mosquitto.conf is
//! translated to.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use signet_e2e::{Broker, Running, Site, Whose, openssl};

/// What becomes of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It is connected, under this user name (`None`: under none).
    In(Option<String>),
    /// CONNACK with this code, for MQTT 3.1.1 and 5.0.
    Connack(u8, u8),
    /// No CONNACK; the alert that TLS 1.2 shows.
    Alert(u8),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(user) => write!(f, "in as {user:?}"),
            Self::Connack(old, new) => write!(f, "CONNACK {old} / {new:#04x}"),
            Self::Alert(number) => write!(f, "alert {number}"),
        }
    }
}

/// `openssl ca` for a root, an authority below it, and a stranger.
const CONFIGURATION: &str = "\
[ca]
default_ca = root
[root]
database = root.txt
new_certs_dir = .
serial = serial
crlnumber = number
certificate = root.pem
private_key = root.key
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
unique_subject = no
copy_extensions = none
[sub]
database = sub.txt
new_certs_dir = .
serial = serial
crlnumber = number
certificate = sub.pem
private_key = sub.key
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = optional
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[device]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
[req]
distinguished_name = dn
string_mask = utf8only
[dn]
";

/// The files of both brokers and of all clients.
struct Rig {
    site: Site,
}

impl Rig {
    fn new() -> Self {
        let rig = Self { site: Site::empty() };
        for (name, text) in [("ca.cnf", CONFIGURATION), ("root.txt", ""), ("sub.txt", ""), ("serial", "1001\n"), ("number", "01\n")] {
            rig.site.write(name, text);
        }
        for (name, subject, dates) in [("root", "/CN=Root", None), ("stranger", "/CN=Stranger", None), ("past", "/CN=Past", Some(PAST))] {
            rig.key(name);
            match dates {
                None => rig.openssl(&format!(
                    "req -x509 -new -key {name}.key -subj {subject} -days 365 -config ca.cnf -extensions authority -out {name}.pem"
                )),
                Some((start, end)) => {
                    rig.openssl(&format!("req -new -key {name}.key -subj {subject} -config ca.cnf -out {name}.csr"));
                    rig.openssl(&format!(
                        "ca -batch -notext -config ca.cnf -name root -selfsign -keyfile {name}.key -in {name}.csr -extensions authority -startdate {start} -enddate {end} -out {name}.pem -policy any"
                    ));
                }
            }
        }
        rig.issue("root", "authority", "sub", "/CN=Issuing", None);
        rig.issue("root", "server", "server", "/CN=localhost", None);
        rig
    }

    fn openssl(&self, arguments: &str) {
        let arguments: Vec<&str> = arguments.split(' ').filter(|word| !word.is_empty()).collect();
        openssl(self.site.folder(), &arguments).succeeded();
    }

    fn key(&self, name: &str) {
        self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
    }

    /// A certificate of `issuer` ("root" or "sub") and its key.
    fn issue(&self, issuer: &str, extensions: &str, name: &str, subject: &str, dates: Option<(&str, &str)>) {
        self.key(name);
        self.openssl(&format!("req -new -key {name}.key -subj {} -config ca.cnf -out {name}.csr", subject));
        let dates = dates.map_or_else(String::new, |(start, end)| format!("-startdate {start} -enddate {end}"));
        self.openssl(&format!(
            "ca -batch -notext -preserveDN -config ca.cnf -name {issuer} -in {name}.csr -extensions {extensions} {dates} -out {name}.pem"
        ));
    }

    /// A device of "sub", or of another.
    fn device(&self, name: &str) {
        self.issue("sub", "device", name, &format!("/CN={name}"), None);
    }

    fn crl(&self, issuer: &str, file: &str, more: &str) {
        self.openssl(&format!("ca -config ca.cnf -name {issuer} -gencrl {more} -out {file}"));
    }

    /// Joins files into one.
    fn bundle(&self, file: &str, parts: &[&str]) {
        let text: String = parts.iter().map(|part| fs::read_to_string(self.site.path(part)).unwrap()).collect();
        self.site.write(file, &text);
    }
}

const PAST: (&str, &str) = ("20200101000000Z", "20201231000000Z");
const FUTURE: (&str, &str) = ("20400101000000Z", "20401231000000Z");

/// One listener in both languages.
struct Door {
    name: &'static str,
    /// `require_certificate` and `use_identity_as_username` go with it unless it begins with `-`.
    theirs: &'static str,
    /// With the same exception; `None`: cannot be said natively.
    ours: Option<&'static str>,
}

/// What each listener shows.
const SERVER: (&str, &str) =
    ("certfile server.pem\nkeyfile server.key\n", "transport = \"tls\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");

/// How certificates are judged: as OpenSSL does it, and so that a device needs no name.
const JUDGED: &str = "certificate_dates = \"strict\"\nversion_1 = \"allow\"\ndevice = \"${cert.cn:name | cert.fingerprint}\"\n";

/// `require_certificate` and `use_identity_as_username`.
const IDENTITY: (&str, &str) = ("require_certificate true\nuse_identity_as_username true\n", "username = \"${cert.cn}\"\n");

/// `crlfile`: lists have to be there and current, about the device alone. Without one, lists of other listeners count as far as they are known.
const CRL: (&str, &str) = ("revocation = \"require\"\nrevocation_depth = \"leaf\"\n", "crl_stale = \"allow\"\n");

const DOORS: [Door; 13] = [
    Door { name: "root", theirs: "cafile root.pem", ours: Some("trust = \"root.pem\"") },
    Door { name: "sub", theirs: "cafile sub.pem", ours: Some("trust = \"sub.pem\"") },
    Door { name: "both", theirs: "cafile both.pem", ours: Some("trust = \"both.pem\"") },
    Door { name: "past", theirs: "cafile past.pem", ours: Some("trust = \"past.pem\"") },
    Door { name: "none", theirs: "", ours: None },
    Door { name: "crl", theirs: "cafile both.pem\ncrlfile all.crl", ours: Some("trust = \"both.pem\"\ncrl = \"all.crl\"") },
    Door { name: "crl-of-sub", theirs: "cafile both.pem\ncrlfile sub.crl", ours: Some("trust = \"both.pem\"\ncrl = \"sub.crl\"") },
    Door { name: "crl-of-root", theirs: "cafile both.pem\ncrlfile root.crl", ours: Some("trust = \"both.pem\"\ncrl = \"root.crl\"") },
    Door { name: "crl-overdue", theirs: "cafile both.pem\ncrlfile overdue.crl", ours: Some("trust = \"both.pem\"\ncrl = \"overdue.crl\"") },
    Door {
        name: "crl-sub-revoked",
        theirs: "cafile both.pem\ncrlfile revoking.crl",
        ours: Some("trust = \"both.pem\"\ncrl = \"revoking.crl\""),
    },
    Door {
        name: "subject",
        theirs: "-cafile both.pem\nrequire_certificate true\nuse_subject_as_username true",
        ours: Some("-trust = \"both.pem\"\nusername = \"${cert.dn.rfc2253}\""),
    },
    Door { name: "gate", theirs: "-cafile both.pem\nrequire_certificate true", ours: Some("-trust = \"both.pem\"") },
    Door {
        name: "unasked",
        theirs: "-cafile both.pem\nuse_identity_as_username true",
        ours: Some("client_certificate = \"optional\"\nanonymous = true\ntrust = \"both.pem\""),
    },
];

impl Door {
    fn theirs(&self, port: u16) -> String {
        let own = self.theirs.strip_prefix('-').map_or_else(|| format!("{}\n{}", self.theirs, IDENTITY.0), |own| format!("{own}\n"));
        format!("listener {port} 127.0.0.1\nallow_anonymous true\n{}{own}", SERVER.0)
    }

    fn ours(&self, port: u16) -> Option<String> {
        let own = self.ours?;
        let own = own.strip_prefix('-').map_or_else(|| format!("{own}\n{}", IDENTITY.1), |own| format!("{own}\n"));
        let lists = if own.contains("crl = ") { CRL.0 } else { CRL.1 };
        Some(format!("[[listener]]\nname = \"mqtts\"\nbind = \"127.0.0.1:{port}\"\n{}{own}{JUDGED}{lists}", SERVER.1))
    }
}

/// Which client at which listener, what Mosquitto makes of it, and, where that is something else, what we do and why.
struct Row(&'static str, Shows, Outcome, Option<(Outcome, &'static str)>);

/// What a client shows: its own certificate, and what it sends along.
#[derive(Debug, Clone, Copy)]
enum Shows {
    Nothing,
    Alone(&'static str),
    With(&'static str, &'static str),
}

fn user(name: &str) -> Outcome {
    Outcome::In(Some(name.to_owned()))
}

/// Refused all the same, and the alert says more exactly why.
const OWN_ALERT: &str = "the alert is the one that the standard has for it";

/// Mosquitto wants the way to a self-signed root; who puts an authority into the file means its devices.
const WHO_IS_NAMED_IS_BELIEVED: &str = "an authority in the file is a trust anchor where nobody in the file has signed it";

const BAD_USER: Outcome = Outcome::Connack(4, 0x86);

fn rows() -> Vec<Row> {
    use Outcome::{Alert, In};
    use Shows::{Alone, Nothing, With};
    vec![
        // The path has to end at a self-signed root in cafile; what lies between may come from either side.
        Row("root", With("pump", "sub.pem"), user("pump"), None),
        Row("root", Alone("pump"), Alert(48), None),
        Row("root", Alone("of-root"), user("of-root"), None),
        Row("sub", Alone("pump"), Alert(48), Some((user("pump"), WHO_IS_NAMED_IS_BELIEVED))),
        Row("sub", With("pump", "sub.pem"), Alert(48), Some((user("pump"), WHO_IS_NAMED_IS_BELIEVED))),
        Row("sub", Alone("of-root"), Alert(48), None),
        Row("both", Alone("pump"), user("pump"), None),
        Row("both", With("pump", "sub.pem"), user("pump"), None),
        Row("both", Alone("strange"), Alert(48), None),
        Row("both", Nothing, Alert(40), Some((Alert(116), OWN_ALERT))),
        Row("none", Alone("pump"), Alert(48), None),
        Row("past", Alone("of-past"), Alert(45), None),
        // Dates and purposes.
        Row("both", Alone("expired"), Alert(45), None),
        Row("both", Alone("future"), Alert(42), Some((Alert(45), OWN_ALERT))),
        Row("both", Alone("for-servers"), Alert(43), None),
        Row("both", Alone("version-1"), user("version-1"), None),
        // Names.
        Row("both", Alone("nameless"), BAD_USER, None),
        Row("both", Alone("two-names"), user("first"), None),
        Row("both", Alone("slash"), user("a/b"), None),
        Row("both", Alone("wide"), BAD_USER, Some((user("wide"), "a BMPString is text, whatever its octets look like"))),
        Row("both", Alone("control"), user("a\u{1}b"), Some((BAD_USER, "such a name could write lines of its own into logs"))),
        Row("subject", Alone("pump"), user("CN=pump"), None),
        Row("subject", Alone("nameless"), user("O=Acme"), None),
        Row("gate", Alone("pump"), In(None), None),
        Row("gate", Alone("nameless"), In(None), None),
        Row("gate", Nothing, Alert(40), Some((Alert(116), OWN_ALERT))),
        Row("unasked", Nothing, BAD_USER, None),
        Row(
            "unasked",
            Alone("pump"),
            BAD_USER,
            Some((user("pump"), "there a certificate is not even asked for, and nobody can be in the right")),
        ),
        // Revocation: of the client's own certificate alone, by a current list of whoever issued it.
        Row("crl", Alone("pump"), user("pump"), None),
        Row("crl", Alone("revoked"), Alert(44), None),
        Row("crl", Alone("of-root"), user("of-root"), None),
        Row("crl-of-sub", Alone("pump"), user("pump"), None),
        Row("crl-of-sub", Alone("of-root"), Alert(48), Some((Alert(46), OWN_ALERT))),
        Row("crl-of-root", Alone("pump"), Alert(48), Some((Alert(46), OWN_ALERT))),
        Row("crl-of-root", Alone("of-root"), user("of-root"), None),
        Row("crl-overdue", Alone("pump"), Alert(45), Some((Alert(46), OWN_ALERT))),
        Row("crl-overdue", Alone("revoked"), Alert(45), Some((Alert(44), OWN_ALERT))),
        Row("crl-sub-revoked", Alone("pump"), user("pump"), Some((Alert(44), "whose authority is known to be revoked is not let in"))),
    ]
}

/// Makes the clients and the lists.
fn populate(rig: &Rig) {
    for name in ["pump", "revoked"] {
        rig.device(name);
    }
    rig.issue("root", "device", "of-root", "/CN=of-root", None);
    rig.issue("sub", "device", "expired", "/CN=expired", Some(PAST));
    rig.issue("sub", "device", "future", "/CN=future", Some(FUTURE));
    rig.issue("sub", "server", "for-servers", "/CN=for-servers", None);
    rig.issue("sub", "device", "nameless", "/O=Acme", None);
    rig.issue("sub", "device", "two-names", "/CN=first/CN=second", None);
    rig.issue("sub", "device", "slash", "/CN=a\\/b", None);
    for (name, issuer) in [("strange", "stranger"), ("of-past", "past")] {
        rig.key(name);
        rig.openssl(&format!("req -new -key {name}.key -subj /CN={name} -config ca.cnf -out {name}.csr"));
        rig.openssl(&format!("x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 3 -extfile ca.cnf -extensions device -out {name}.pem"));
    }
    rig.key("version-1");
    rig.openssl("req -new -key version-1.key -subj /CN=version-1 -config ca.cnf -out version-1.csr");
    rig.openssl("x509 -req -in version-1.csr -CA sub.pem -CAkey sub.key -CAcreateserial -days 3 -out version-1.pem");
    // A BMPString, and one with a control character.
    rig.site.write("wide.cnf", "[req]\ndistinguished_name = dn\nstring_mask = MASK:0x0800\nprompt = no\n[dn]\nCN = wide\n");
    rig.key("wide");
    rig.openssl("req -new -key wide.key -config wide.cnf -out wide.csr");
    rig.openssl("ca -batch -notext -preserveDN -config ca.cnf -name sub -in wide.csr -extensions device -out wide.pem");
    rig.issue("sub", "device", "control", "/CN=a\u{1}b", None);
    rig.openssl("ca -config ca.cnf -name sub -revoke revoked.pem");
    rig.crl("sub", "sub.crl", "");
    rig.crl("root", "root.crl", "");
    rig.crl("sub", "overdue.crl", "-crl_lastupdate 20200101000000Z -crl_nextupdate 20200108000000Z");
    rig.openssl("ca -config ca.cnf -name root -revoke sub.pem");
    rig.crl("root", "root-revoking.crl", "");
    rig.bundle("all.crl", &["root.crl", "sub.crl"]);
    rig.bundle("revoking.crl", &["root-revoking.crl", "sub.crl"]);
    rig.bundle("both.pem", &["sub.pem", "root.pem"]);
}

/// One mosquitto with these listeners, and the port of each.
fn mosquitto(rig: &Rig, doors: &[Door]) -> (Running, Vec<u16>) {
    let ports: Vec<u16> = doors.iter().map(|_| rig.site.free_port()).collect();
    let listeners: String = doors.iter().zip(&ports).map(|(door, port)| door.theirs(*port)).collect();
    rig.site.write("mosquitto.conf", &format!("user root\nper_listener_settings true\nlog_dest stderr\nlog_type all\n{listeners}"));
    let running = Whose::Mosquittos.start("mosquitto", rig.site.folder(), &["-c", "mosquitto.conf"]);
    running.wait_for(" running");
    (running, ports)
}

/// A Signet with one listener: what one of several listeners knows to be revoked, all of them would know.
fn signet(rig: &Rig, door: &Door) -> Option<(Broker, u16)> {
    let port = rig.site.free_port();
    rig.site.write("signet.toml", &door.ours(port)?);
    Some((rig.site.serve(), port))
}

/// CONNECT of MQTT 3.1.1 and 5.0 with the Client Identifier `x`.
const CONNECTS: [&[u8]; 2] = [b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x", b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01x"];
const DISCONNECT: &[u8] = b"\xe0\x00";

/// `openssl s_client` as this client.
fn client(rig: &Rig, port: u16, shows: Shows, tls: &str) -> Command {
    let mut command = Command::new("openssl");
    let address = format!("127.0.0.1:{port}");
    command.current_dir(rig.site.folder()).args(["s_client", "-quiet", tls, "-connect", &address, "-CAfile", "root.pem"]);
    let (own, along) = match shows {
        Shows::Nothing => (None, None),
        Shows::Alone(own) => (Some(own), None),
        Shows::With(own, along) => (Some(own), Some(along)),
    };
    if let Some(own) = own {
        command.args(["-cert", &format!("{own}.pem"), "-key", &format!("{own}.key")]);
    }
    if let Some(along) = along {
        command.args(["-cert_chain", along]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The code of the CONNACK, or the alert.
fn attempt(rig: &Rig, port: u16, shows: Shows, tls: &str, connect: &[u8]) -> Result<u8, Option<u8>> {
    let mut child = client(rig, port, shows, tls).spawn().unwrap();
    // Who is refused may be gone already.
    let _ = child.stdin.as_mut().unwrap().write_all(&[connect, DISCONNECT].concat());
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let alert = words.split("SSL alert number ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    match output.stdout.as_slice() {
        // A length from 128 on takes two octets.
        [0x20, length, _, _, code, ..] if *length >= 0x80 => Ok(*code),
        [0x20, _, _, code, ..] => Ok(*code),
        _ => Err(alert),
    }
}

/// What both versions of TLS and of MQTT make of a client, which have to agree; `user` says under which name it came in last.
fn outcome(rig: &Rig, port: u16, shows: Shows, user: impl FnOnce() -> Option<String>) -> Result<Outcome, String> {
    let seen = ["-tls1_2", "-tls1_3"].map(|tls| CONNECTS.map(|connect| attempt(rig, port, shows, tls, connect)));
    match seen {
        [[Ok(0), Ok(0)], [Ok(0), Ok(0)]] => Ok(Outcome::In(user())),
        [[Ok(old), Ok(new)], newer] if newer == [Ok(old), Ok(new)] => Ok(Outcome::Connack(old, new)),
        // With TLS 1.3 a client hears of its refusal only after it has said CONNECT, and perhaps that the connection is reset.
        [[Err(Some(alert)), Err(Some(again))], [Err(_), Err(_)]] if alert == again => Ok(Outcome::Alert(alert)),
        seen => Err(format!("{seen:?}")),
    }
}

/// The user name of the last client, by mosquitto's log.
fn their_user(log: &str) -> Option<String> {
    let line = log.lines().rfind(|line| line.contains("New client connected"))?;
    Some(line.split_once("u'")?.1.strip_suffix("').")?.to_owned())
}

/// The user name that a client has here, while it is connected.
fn our_user(rig: &Rig, port: u16, shows: Shows) -> Option<String> {
    let mut child = client(rig, port, shows, "-tls1_3").spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(CONNECTS[0]).unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    let shown = rig.site.signet(&["connections", "--json"]).succeeded().output;
    child.kill().unwrap();
    child.wait().unwrap();
    Some(unescaped(shown.split_once("\"username\": \"")?.1))
}

/// A JSON text up to its end.
fn unescaped(json: &str) -> String {
    let mut text = String::new();
    let mut characters = json.chars();
    loop {
        match characters.next() {
            None | Some('"') => return text,
            Some('\\') => text.extend(characters.next()),
            Some(character) => text.push(character),
        }
    }
}

#[test]
fn clients_fare_as_with_mosquitto_or_otherwise_for_a_reason() {
    let rig = Rig::new();
    populate(&rig);
    let (mosquitto, ports) = mosquitto(&rig, &DOORS);
    let mut wrong = Vec::new();
    for (door, port) in DOORS.iter().zip(ports) {
        let signet = signet(&rig, door);
        for Row(_, shows, theirs, ours) in rows().into_iter().filter(|row| row.0 == door.name) {
            let found = outcome(&rig, port, shows, || their_user(&mosquitto.output()));
            if found != Ok(theirs.clone()) {
                wrong.push(format!("mosquitto, {}, {shows:?}: {found:?}, expected {theirs}", door.name));
            }
            let Some((_, port)) = &signet else { continue };
            let expected = match ours {
                None => theirs,
                Some((ours, why)) => {
                    println!("{} {shows:?}: {theirs} there, {ours} here: {why}", door.name);
                    ours
                }
            };
            let found = outcome(&rig, *port, shows, || our_user(&rig, *port, shows));
            if found != Ok(expected.clone()) {
                wrong.push(format!("signet, {}, {shows:?}: {found:?}, expected {expected}", door.name));
            }
        }
        if let Some((broker, _)) = signet {
            broker.stop();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sections `[dn]` of a request.
const SUBJECTS: [&str; 20] = [
    "C = DE\nO = Acme\nCN = pump-7",
    "CN = Müller 泵",
    "CN = a\\,b+c\\\"d\\;e<f>g\\\\h=i",
    "CN = \" leading and trailing \"",
    "CN = \"#hash\"",
    "CN = \"#\"",
    "CN = \" \"",
    "O = Acme\nCN = a\n+UID = b\n+OU = c",
    "weird = x\nCN = y",
    "O = Acme\nweird = ü",
    "0.DC = com\n1.DC = example\nUID = u\nemailAddress = a@example.com\nserialNumber = 12",
    "0.OU = one\n1.OU = two\n2.OU = three\nCN = z",
    "L = Nottingham\nST = Nottinghamshire\nSN = Light\nGN = R\ntitle = Dr\ninitials = RL\ndnQualifier = q\npseudonym = p",
    "street = Main St. 1\npostalCode = 12345\nCN = s",
    "businessCategory = b\njurisdictionC = DE\norganizationIdentifier = VATDE-1\nCN = o",
    "CN = a/b/c",
    "unstructuredName = u\nCN = n",
    "description = d\nname = n\nCN = q",
    "role = r\nhouseIdentifier = 1\ntelephoneNumber = +49 1\nCN = t",
    "x500UniqueIdentifier = 1\nCN = u",
];

#[test]
fn a_subject_as_user_name_is_written_as_mosquitto_writes_it() {
    let rig = Rig::new();
    rig.bundle("both.pem", &["sub.pem", "root.pem"]);
    let mut devices = Vec::new();
    // UTF8String, BMPString, T61String and UniversalString: the characters are the same.
    for (form, mask) in [("utf8", "utf8only"), ("bmp", "MASK:0x0800"), ("t61", "MASK:0x0004"), ("universal", "MASK:0x0100")] {
        let count = if form == "utf8" { SUBJECTS.len() } else { 2 };
        for (number, subject) in SUBJECTS.iter().enumerate().take(count).filter(|(_, subject)| form != "t61" || subject.is_ascii()) {
            let name = format!("{form}-{number}");
            let text = format!(
                "oid_section = oids\n[oids]\nweird = 1.2.3.4.5\n[req]\ndistinguished_name = dn\nprompt = no\nutf8 = yes\nstring_mask = {mask}\n[dn]\n{subject}\n"
            );
            rig.site.write("odd.cnf", &text);
            rig.key(&name);
            rig.openssl(&format!("req -new -utf8 -key {name}.key -config odd.cnf -out {name}.csr"));
            rig.openssl(&format!("x509 -req -in {name}.csr -CA sub.pem -CAkey sub.key -CAcreateserial -days 3 -extfile ca.cnf -extensions device -out {name}.pem"));
            devices.push((name, *subject));
        }
    }
    let door = DOORS.iter().find(|door| door.name == "subject").unwrap();
    let (mosquitto, ports) = mosquitto(&rig, std::slice::from_ref(door));
    let (broker, port) = signet(&rig, door).unwrap();
    for (name, subject) in devices {
        let shows = Shows::Alone(name.leak());
        let theirs = outcome(&rig, ports[0], shows, || their_user(&mosquitto.output()));
        let ours = outcome(&rig, port, shows, || our_user(&rig, port, shows));
        assert!(matches!(theirs, Ok(Outcome::In(Some(_)))), "{subject}: {theirs:?}");
        assert_eq!(ours, theirs, "{shows:?}: {subject}");
    }
    broker.stop();
}

/// A client of Mosquitto that shows this certificate.
fn mosquitto_client(rig: &Rig, program: &str, port: u16, name: &str, more: &[&str]) -> Running {
    let (port, certificate, key) = (port.to_string(), format!("{name}.pem"), format!("{name}.key"));
    let common = ["-p", &port, "--cafile", "root.pem", "--cert", &certificate, "--key", &key, "-i", name, "-q", "1"];
    // Into a pipe the C library would keep lines back until a block is full.
    Running::start(Command::new("stdbuf").current_dir(rig.site.folder()).args(["-oL", program]).args(common).args(more))
}

/// A stream of numbers from one device to another, which nothing may interrupt.
struct Stream {
    publisher: Running,
    subscriber: Running,
    said: u32,
}

impl Stream {
    fn start(rig: &Rig, port: u16) -> Self {
        let subscriber = mosquitto_client(rig, "mosquitto_sub", port, "pump", &["-t", "numbers", "-d"]);
        subscriber.wait_for("received SUBACK");
        let publisher = mosquitto_client(rig, "mosquitto_pub", port, "of-root", &["-t", "numbers", "-l"]);
        Self { publisher, subscriber, said: 0 }
    }

    /// The next ten numbers arrive.
    fn flow(&mut self) {
        for _ in 0..10 {
            self.said += 1;
            self.publisher.write(format!("number {}\n", self.said).as_bytes());
        }
        let last = format!("number {}", self.said);
        self.subscriber.wait_for_line(&last, |line| line == last);
    }

    /// Every number once, in order, over one connection.
    fn check(&self) {
        let shown = self.subscriber.output();
        let numbers: Vec<&str> = shown.lines().filter(|line| line.starts_with("number ")).collect();
        let expected: Vec<String> = (1..=self.said).map(|number| format!("number {number}")).collect();
        assert_eq!(numbers, expected);
        assert_eq!(shown.matches("sending CONNECT").count(), 1, "{shown}");
    }
}

#[test]
fn authorities_keys_and_lists_are_replaced_in_place_and_who_is_entitled_does_not_notice() {
    let rig = Rig::new();
    populate(&rig);
    rig.device("newcomer");
    rig.bundle("trust.pem", &["root.pem", "sub.pem", "stranger.pem"]);
    // A list of the stranger, who issues devices too.
    rig.site.write("stranger.txt", "");
    rig.site.edit("ca.cnf", |text| text.replace("[any]\n", "[stranger]\ndatabase = stranger.txt\ncrlnumber = number\ncertificate = stranger.pem\nprivate_key = stranger.key\ndefault_md = sha256\ndefault_crl_days = 7\n[any]\n"));
    rig.crl("stranger", "stranger.crl", "");
    rig.bundle("live.crl", &["root.crl", "sub.crl", "stranger.crl"]);
    let door = Door { name: "live", theirs: "", ours: Some("trust = \"trust.pem\"\ncrl = \"live.crl\"") };
    let (broker, port) = signet(&rig, &door).unwrap();
    let mut stream = Stream::start(&rig, port);
    let strange = mosquitto_client(&rig, "mosquitto_sub", port, "strange", &["-t", "x", "-d"]);
    strange.wait_for("received SUBACK");
    stream.flow();
    let reload = |words: &str| {
        broker.signal("HUP");
        broker.logs(words);
    };

    // Another key and certificate of the server: whoever connects now sees it.
    rig.issue("root", "server", "server-2", "/CN=localhost", None);
    for kind in ["pem", "key"] {
        fs::copy(rig.site.path(&format!("server-2.{kind}")), rig.site.path(&format!("server.{kind}"))).unwrap();
    }
    reload("reloaded");
    stream.flow();
    let shown = |rig: &Rig| {
        let mut child = Command::new("openssl");
        child.current_dir(rig.site.folder()).args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{port}"),
            "-cert",
            "pump.pem",
            "-key",
            "pump.key",
            "-showcerts",
        ]);
        Running::run(&mut child).output
    };
    let second = fs::read_to_string(rig.site.path("server-2.pem")).unwrap();
    assert!(shown(&rig).contains(second.lines().nth(1).unwrap()));

    // A key that does not belong to the certificate: nothing of the reload is in force, not even the shorter list of authorities.
    fs::copy(rig.site.path("pump.key"), rig.site.path("server.key")).unwrap();
    let trust = fs::read_to_string(rig.site.path("trust.pem")).unwrap();
    rig.bundle("trust.pem", &["root.pem", "sub.pem"]);
    reload("not the private key");
    stream.flow();
    assert!(shown(&rig).contains(second.lines().nth(1).unwrap()));
    let again = mosquitto_client(&rig, "mosquitto_sub", port, "strange", &["-t", "x", "-d", "-i", "again"]);
    again.wait_for("received SUBACK");
    drop(again);
    rig.site.write("trust.pem", &trust);
    fs::copy(rig.site.path("server-2.key"), rig.site.path("server.key")).unwrap();

    // A newcomer is revoked by a list put in the place of the old one.
    let newcomer = mosquitto_client(&rig, "mosquitto_sub", port, "newcomer", &["-t", "x", "-d"]);
    newcomer.wait_for("received SUBACK");
    rig.openssl("ca -config ca.cnf -name sub -revoke newcomer.pem");
    rig.crl("sub", "next.crl", "");
    rig.bundle("live.crl", &["root.crl", "next.crl", "stranger.crl"]);
    broker.signal("HUP");
    broker.logs_all(&["refused", "CN=newcomer", "revoked"]);
    drop(newcomer);
    stream.flow();

    // An authority goes, and its devices with it.
    rig.bundle("trust.pem", &["root.pem", "sub.pem"]);
    broker.signal("HUP");
    broker.logs_all(&["refused", "CN=strange", "trust anchor"]);
    drop(strange);
    stream.flow();
    stream.check();
    broker.stop();
}
