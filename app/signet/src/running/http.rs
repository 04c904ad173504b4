//! Mosquitto's HTTP API: what is asked for, who may ask, and the answers, byte for byte as Mosquitto prints its JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use signet_admin::{HttpAnswer, HttpApi, HttpRequest};
use signet_identity::{NoIdentity, Peer};
use signet_mqtt::{ClientIdentifier, Connect, ConnectProperties, Password, ProtocolVersion, TopicName};
use signet_net::ListenAddress;
use signet_policy::{Origin, Proof, identify};
use signet_server::Asking;
use signet_tls::{ListenerTls, TrustProfiles};

use super::*;

/// The TLS of listeners that speak HTTP, by their names.
pub(super) type HttpTls = BTreeMap<String, Arc<ListenerTls>>;

/// Loads it. No certificates are asked for, so no trust profiles are needed.
pub(super) fn load_tls(config: &Config, revocations: &CurrentRevocations) -> Result<HttpTls, StartError> {
    let mut loaded = BTreeMap::new();
    for listener in config.listeners.iter().filter(|listener| listener.http().is_some()) {
        let Some(tls) = &listener.tls else { continue };
        let tls = ListenerTls::load(&tls.config(), &TrustProfiles::default(), revocations, unix_seconds());
        let tls = tls.map_err(|source| StartError::Tls { listener: listener.name.clone(), source })?;
        loaded.insert(listener.name.clone(), tls);
    }
    Ok(loaded)
}

/// One listener of it.
struct Api {
    name: String,
    running: Arc<Running>,
}

impl Running {
    /// The listeners that speak HTTP, each with who answers there.
    pub(crate) fn http_listeners(self: &Arc<Self>) -> Vec<(config::Listener, Arc<dyn HttpApi>)> {
        let listeners = self.started_with.listeners.iter().filter(|listener| listener.http().is_some());
        let api =
            |listener: &config::Listener| -> Arc<dyn HttpApi> { Arc::new(Api { name: listener.name.clone(), running: Arc::clone(self) }) };
        listeners.map(|listener| (listener.clone(), api(listener))).collect()
    }
}

impl HttpApi for Api {
    fn tls(&self) -> Option<Arc<ListenerTls>> {
        self.running.state().http_tls.get(&self.name).cloned()
    }

    fn answer(&self, request: HttpRequest) -> HttpAnswer {
        let found = self.running.state().config.listeners.iter().find(|listener| listener.name == self.name).cloned();
        // A reload has taken it away; the socket stays until the next start.
        let Some(listener) = found.filter(|listener| listener.http().is_some()) else { return HttpAnswer::NotFound };
        if !self.may_read(&listener, &request) {
            return HttpAnswer::NotAuthorized;
        }
        if request.path.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("/api/")) {
            return self.api(&request.path);
        }
        let directory = listener.http().and_then(|http| http.directory.as_deref());
        directory.and_then(|directory| file(directory, &request.path)).unwrap_or(HttpAnswer::NotFound)
    }
}

impl Api {
    /// Whether somebody is let in by whoever vouches for clients of the listener, and may read a topic called like the path.
    fn may_read(&self, listener: &config::Listener, request: &HttpRequest) -> bool {
        let HttpRequest { path, credentials, address } = request;
        let (username, password) = credentials.as_ref().map(|(username, password)| (username.clone(), password)).unzip();
        let connect = Connect {
            version: ProtocolVersion::V5,
            is_bridge: false,
            clean_start: true,
            keep_alive: 0,
            client_identifier: ClientIdentifier::new("http-api"),
            will: None,
            username: username.map(Into::into),
            password: password.map(|password| Password::new(Bytes::copy_from_slice(password.as_bytes()))),
            properties: ConnectProperties::default(),
        };
        let origin = Origin { address: Some(address.ip().to_canonical()), listener: listener.name.as_str().into() };
        let peer = Peer::Anonymous(NoIdentity::PlainTransport);
        let admission = &listener.admission;
        let assigned = || ClientIdentifier::new("http-api");
        let Ok(applicant) = identify(admission, &peer, &connect, origin, unix_seconds(), assigned) else { return false };
        // Browsers ask without credentials first: that is no attempt.
        let is_attempt = credentials.is_some();
        if is_attempt && !self.may_try(*address) {
            return false;
        }
        let asking = Asking { applicant, chain: admission.chain.clone(), anonymous: admission.anonymous };
        let (_, client) = self.running.vouchers.explain(asking);
        match (client, TopicName::new(path.clone())) {
            // Those who guessed meanwhile, all at once, gain nothing by it.
            (Ok(_), _) if is_attempt && !self.may_try(*address) => false,
            (Ok(client), Ok(topic)) => self.server(|server| server.may_receive(&client, &topic)) == Some(true),
            (Err(denied), _) => {
                if is_attempt {
                    self.server(|server| server.note_failed(*address, &denied));
                }
                tracing::info!(target: "signet::refused", %address, listener = listener.name, "refused: HTTP API: {denied}");
                false
            }
            (Ok(_), Err(_)) => false,
        }
    }

    /// Whether an address is not held off for its failed attempts, here or over MQTT.
    fn may_try(&self, address: SocketAddr) -> bool {
        let held = self.server(|server| server.may_try(address));
        if let Some(Err(Some(refusal))) = &held {
            tracing::warn!(target: "signet::refused", %address, listener = self.name, hint = refusal.hint, "refused: HTTP API: {}", refusal.found);
        }
        held.is_some_and(|held| held.is_ok())
    }

    /// Asks the server, as long as there is one. Nobody may be waited for meanwhile.
    fn server<T>(&self, ask: impl FnOnce(&ServerHandle) -> T) -> Option<T> {
        self.running.state().server.as_ref().map(ask)
    }

    fn api(&self, path: &str) -> HttpAnswer {
        let text = match path {
            "/api/v1/version" => env!("CARGO_PKG_VERSION").to_owned(),
            "/api/v1/systree" => systree(self.running.telemetry.sys_tree()),
            "/api/v1/listeners" => listeners(&self.running.state().config),
            _ => return HttpAnswer::NotFound,
        };
        HttpAnswer::Found { headers: "Access-Control-Allow-Origin: *\r\n".to_owned(), body: text.into_bytes() }
    }
}

/// The numbers of the tree, as Mosquitto has them: what is no whole number is left out, and the time is in seconds.
fn systree(topics: Vec<(String, String)>) -> String {
    let number = |(topic, payload): (String, String)| {
        let number: i64 = payload.strip_suffix(" seconds").unwrap_or(&payload).parse().ok()?;
        Some(format!("\t\"{topic}\":\t{number}"))
    };
    let lines: Vec<String> = topics.into_iter().filter_map(number).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn listeners(config: &Config) -> String {
    let objects: Vec<String> = config.listeners.iter().map(listener_object).collect();
    format!("{{\n\t\"listeners\":\t[{}]\n}}", objects.join(", "))
}

fn listener_object(listener: &config::Listener) -> String {
    let place = match listener.bind.first() {
        Some(ListenAddress::Unix(path)) => format!("\"path\":\t{}", serde_json::Value::from(path.display().to_string())),
        Some(ListenAddress::Ip(address)) => format!("\"port\":\t{}", SocketAddr::port(address)),
        None => "\"port\":\t0".to_owned(),
    };
    let protocol = match (listener.http().is_some(), listener.is_websocket()) {
        (true, _) => "httpapi",
        (false, true) => "websockets",
        (false, false) => "mqtt",
    };
    let chain = listener.admission.chain.as_ref();
    let by_chain = chain.is_some_and(|chain| chain.alternatives.iter().flatten().any(|member| member.proof == Proof::Anonymous));
    let anonymous = if chain.is_some() { by_chain } else { listener.admission.anonymous };
    let (tls, mtls) = (listener.tls.is_some(), listener.tls.as_ref().is_some_and(|tls| tls.requires_certificate()));
    format!(
        "{{\n\t\t\t{place},\n\t\t\t\"protocol\":\t\"{protocol}\",\n\t\t\t\"tls\":\t{tls},\n\t\t\t\"mtls\":\t{mtls},\n\t\t\t\"allow_anonymous\":\t{anonymous}\n\t\t}}"
    )
}

/// The largest file that is shown, in bytes.
const FILE_MAXIMUM: u64 = 64 << 20;

/// What browsers are told of a file by its name; others have to find out.
const TYPES: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
    ("txt", "text/plain; charset=utf-8"),
    ("woff2", "font/woff2"),
];

/// Whether a path says where it leads: access rules are about it as it is written, and `/open/../closed` is below `/open` to them.
fn is_straight(path: &str) -> bool {
    let mut levels = path.split('/').skip(1).peekable();
    std::iter::from_fn(|| levels.next().map(|level| (level, levels.peek().is_none())))
        .all(|(level, is_last)| !matches!(level, "." | "..") && (is_last || !level.is_empty()))
}

/// A regular file inside of the directory, whatever links lead to it.
fn file(directory: &Path, path: &str) -> Option<HttpAnswer> {
    if !is_straight(path) {
        return None;
    }
    let relative = path.trim_start_matches('/');
    let relative = if path.ends_with('/') { format!("{relative}index.html") } else { relative.to_owned() };
    let directory = fs::canonicalize(directory).ok()?;
    let place = fs::canonicalize(directory.join(relative)).ok()?;
    // By whole names: `/srv/www-private` is not inside of `/srv/www`.
    if !place.starts_with(&directory) || !fs::metadata(&place).ok()?.is_file() {
        return None;
    }
    let file = fs::File::open(&place).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > FILE_MAXIMUM {
        return None;
    }
    let mut body = Vec::new();
    file.take(FILE_MAXIMUM).read_to_end(&mut body).ok()?;
    let extension = place.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let kind = TYPES.iter().find(|(known, _)| *known == extension).map(|(_, kind)| format!("Content-Type: {kind}\r\n"));
    Some(HttpAnswer::Found { headers: kind.unwrap_or_default(), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_inside_of_the_directory_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let www = folder.path().join("www");
        fs::create_dir_all(www.join("sub")).unwrap();
        fs::create_dir(folder.path().join("www-private")).unwrap();
        for (name, text) in
            [("www/index.html", "start"), ("www/sub/index.html", "sub"), ("www/a b.css", "css"), ("secret", "s"), ("www-private/x", "p")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("secret"), www.join("out")).unwrap();
        std::os::unix::fs::symlink(www.join("index.html"), www.join("in")).unwrap();
        for (path, expected) in [
            ("/", Some("start")),
            ("/index.html", Some("start")),
            ("/sub/", Some("sub")),
            ("/a b.css", Some("css")),
            ("/in", Some("start")),
            ("/out", None),
            ("/sub", None),
            ("/../secret", None),
            ("/sub/../../secret", None),
            ("/../www-private/x", None),
            ("//etc/passwd", None),
            ("/missing", None),
            // Rules for what is below `/sub/` are not for these.
            ("/sub/../index.html", None),
            ("/sub/./index.html", None),
            ("//index.html", None),
            ("/sub//index.html", None),
            ("/sub/..", None),
        ] {
            let found = file(&www, path).map(|answer| match answer {
                HttpAnswer::Found { body, .. } => String::from_utf8(body).unwrap(),
                other => panic!("{other:?}"),
            });
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn numbers_are_printed_as_mosquitto_prints_them() {
        let topics =
            [("$SYS/broker/uptime", "7 seconds"), ("$SYS/broker/load/sockets/1min", "0.25"), ("$SYS/broker/clients/connected", "2")];
        let text = systree(topics.map(|(topic, payload)| (topic.to_owned(), payload.to_owned())).into());
        assert_eq!(text, "{\n\t\"$SYS/broker/uptime\":\t7,\n\t\"$SYS/broker/clients/connected\":\t2\n}");
    }
}
