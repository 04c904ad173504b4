//! From [`Options`] to a [`Plan`]: what Mosquitto's clients check between the command line and the network, in their order and their words.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use signet_client::{DeviceName, Endpoint, MinimumVersion, Psk, PskOptions, SocketOptions, Socks5Proxy, TlsOptions};
use signet_mqtt::{ClientIdentifier, Connect, ConnectProperties, Password, ProtocolVersion, TopicName, Will};

use crate::options::{Options, TlsFlags};
use crate::session::Plan;
use crate::trouble::Trouble;
use crate::{Kind, Manner, topics};

/// Bound on each step of connecting, so that a person at a terminal learns something.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The same for Mosquitto's programs, which wait as long as the system does.
const LONG_TIMEOUT: Duration = Duration::from_secs(130);

/// Letters of the identifiers that Mosquitto's library makes up for MQTT 3.1.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Why there is no plan: a line for stderr, unless `--quiet`; or nothing to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoPlan(pub(crate) Option<String>);

fn said(text: impl Into<String>) -> NoPlan {
    NoPlan(Some(text.into()))
}

/// Checks everything that can be checked before connecting.
pub(crate) fn plan(options: &Options) -> Result<Plan, NoPlan> {
    let client_identifier = client_identifier(options)?;
    let will = will(options)?;
    let (username, password) = credentials(options)?;
    let tls = tls(options)?;
    let endpoint = endpoint(options, tls.is_some());
    let who = &options.who;
    let properties = connect_properties(options)?;
    let connect = Connect {
        version: who.version,
        is_bridge: false,
        clean_start: who.clean_session,
        keep_alive: who.keep_alive,
        client_identifier,
        will,
        username: username.map(Into::into),
        password: password.map(Password::new),
        properties,
    };
    let timeout = match (options.manner, options.subscribe.timeout) {
        (Manner::Mosquitto, _) => LONG_TIMEOUT,
        (Manner::Signet, Some(seconds)) => TIMEOUT.min(Duration::from_secs(u64::from(seconds))),
        (Manner::Signet, None) => TIMEOUT,
    };
    Ok(Plan {
        endpoint,
        socket: socket(options),
        tls,
        connect,
        in_flight_maximum: who.in_flight_maximum,
        disconnect: options.properties.disconnect.clone(),
        reach_first: options.manner == Manner::Mosquitto,
        timeout,
        debug: options.debug,
    })
}

fn client_identifier(options: &Options) -> Result<ClientIdentifier, NoPlan> {
    let who = &options.who;
    let invalid = || match options.kind {
        Kind::Publish => said("Error: Invalid id.\n"),
        Kind::Subscribe | Kind::Request => said("Error: Invalid id and/or clean_session.\n"),
    };
    let given = match (&who.id, &who.id_prefix) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(prefix)) => Some([prefix, std::process::id().to_string().as_bytes()].concat()),
        (None, None) => None,
    };
    let text = match given {
        Some(id) if id.is_empty() => return Err(invalid()),
        // Mosquitto's clients say nothing of it.
        Some(id) => topics::text(&id).ok_or(NoPlan(None))?.to_owned(),
        None if !who.clean_session => return Err(invalid()),
        None => match (options.manner, who.version) {
            (Manner::Signet, _) => format!("signet-{}-{}", name(options.kind), random_end()?),
            (Manner::Mosquitto, ProtocolVersion::V31) => random_identifier()?,
            (Manner::Mosquitto, _) => String::new(),
        },
    };
    Ok(ClientIdentifier::new(text))
}

/// The last word of the program's name.
pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Publish => "pub",
        Kind::Subscribe => "sub",
        Kind::Request => "rr",
    }
}

fn will(options: &Options) -> Result<Option<Will>, NoPlan> {
    let problem = || said("Error: Problem setting will.\n");
    let Some(topic) = &options.will.topic else { return Ok(None) };
    let properties = &options.properties.will;
    if !properties.is_empty() && options.who.version != ProtocolVersion::V5 {
        return Err(problem());
    }
    Ok(Some(Will {
        topic: TopicName::new(topic.as_str()).map_err(|_| problem())?,
        payload: options.will.payload.clone().unwrap_or_default().into(),
        qos: options.will.qos,
        retain: options.will.retain,
        properties: properties.for_will(),
    }))
}

type Credentials = (Option<String>, Option<Vec<u8>>);

fn credentials(options: &Options) -> Result<Credentials, NoPlan> {
    let who = &options.who;
    let problem = || said("Error: Problem setting username and/or password.\n");
    // [MQTT-3.1.2-22] of 3.1.1: without a user name there is no password.
    if who.password.is_some() && who.username.is_none() && who.version != ProtocolVersion::V5 {
        return Err(problem());
    }
    let username = who.username.as_ref().map(|name| topics::text(name).map(str::to_owned).ok_or_else(problem)).transpose()?;
    match &who.password {
        Some(password) if password.len() > signet_mqtt::MAXIMUM_STRING_LENGTH => Err(problem()),
        password => Ok((username, password.clone())),
    }
}

fn connect_properties(options: &Options) -> Result<ConnectProperties, NoPlan> {
    let given = &options.properties.connect;
    if options.who.version != ProtocolVersion::V5 {
        if given.is_empty() {
            return Ok(ConnectProperties::default());
        }
        return Err(said(format!("Unable to connect ({}).\n", Trouble::NotSupported.words())));
    }
    let mut properties = given.for_connect();
    // As many as are waited for, so that none is lost that comes after the last one.
    let receive_maximum = options.subscribe.count.and_then(|count| u16::try_from(count).ok()).map_or(20, |count| count.min(20));
    properties.receive_maximum = properties.receive_maximum.or_else(|| receive_maximum.try_into().ok());
    Ok(properties)
}

fn endpoint(options: &Options, has_tls: bool) -> Endpoint {
    let place = &options.place;
    let host = host(options);
    let uses_tls_port = match options.manner {
        Manner::Mosquitto => options.tls.ca_file.is_some() || options.tls.ca_path.is_some() || options.tls.psk.is_some(),
        Manner::Signet => has_tls,
    };
    let endpoint = match place.port.unwrap_or(if uses_tls_port { 8883 } else { 1883 }) {
        _ if place.srv => Endpoint::service(host),
        0 => Endpoint::unix(host),
        port => Endpoint::tcp(host, port),
    };
    match &place.websocket {
        Some(path) => endpoint.with_websocket(path),
        None => endpoint,
    }
}

/// The host as it was given, or the usual one.
pub(crate) fn host(options: &Options) -> String {
    options.place.host.as_ref().map_or_else(|| "localhost".to_owned(), |host| String::from_utf8_lossy(host).into_owned())
}

fn socket(options: &Options) -> SocketOptions {
    let place = &options.place;
    let proxy = place.proxy.clone().map(|proxy| Socks5Proxy {
        host: proxy.host,
        port: proxy.port,
        username: proxy.username,
        password: proxy.password,
    });
    // Small packets at once harm nobody: --nodelay changes nothing.
    SocketOptions { bind_address: place.bind_address.clone(), proxy, ..SocketOptions::default() }
}

fn tls(options: &Options) -> Result<Option<TlsOptions>, NoPlan> {
    let flags = &options.tls;
    if flags.none {
        return Ok(None);
    }
    let has_authorities = flags.ca_file.is_some() || flags.ca_path.is_some();
    if has_authorities && options.manner == Manner::Mosquitto {
        check_files(flags)?;
    }
    let psk = if has_authorities { None } else { psk(options)? };
    let is_tls_port = !has_authorities && psk.is_none() && options.place.port == Some(8883);
    let is_believed = options.manner == Manner::Signet && flags.insecure;
    if options.manner == Manner::Signet
        && flags.certificate.is_some()
        && !(has_authorities || flags.use_os_trust || is_tls_port || is_believed)
    {
        return Err(said(
            "signet: error: `--cert` and `--key` need `--cafile`, the authorities that vouch for the broker\nhint: after `signet quickstart` that is `--cafile ca/ca.pem`\n",
        ));
    }
    check_forms(flags)?;
    let minimum_version = match flags.version.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("tlsv1.2") => MinimumVersion::Tls12,
        Some("tlsv1.3") => MinimumVersion::Tls13,
        Some(_) => return Err(said("Error: Problem setting TLS options, check the options are valid.\n")),
    };
    if !(has_authorities || psk.is_some() || is_tls_port || flags.use_os_trust || is_believed) {
        return Ok(None);
    }
    Ok(Some(TlsOptions {
        ca_file: flags.ca_file.clone(),
        ca_path: flags.ca_path.clone(),
        use_os_trust: flags.use_os_trust || is_tls_port,
        certificate: flags.certificate.clone(),
        key: flags.key.clone(),
        insecure: flags.insecure,
        old_certificates: options.manner == Manner::Mosquitto,
        psk,
        minimum_version,
        ciphers: flags.ciphers.clone(),
        alpn: flags.alpn.iter().cloned().collect(),
        key_log: flags.key_log.clone(),
    }))
}

fn check_files(flags: &TlsFlags) -> Result<(), NoPlan> {
    let files: [&Option<PathBuf>; 3] = [&flags.ca_file, &flags.certificate, &flags.key];
    if files.into_iter().flatten().all(|path| std::fs::File::open(path).is_ok()) {
        return Ok(());
    }
    Err(said("Error: Problem setting TLS options: File not found.\n"))
}

fn psk(options: &Options) -> Result<Option<PskOptions>, NoPlan> {
    let (Some(key), Some(identity)) = (&options.tls.psk, &options.tls.psk_identity) else { return Ok(None) };
    let problem = |words: String| match options.manner {
        Manner::Mosquitto => said("Error: Problem setting TLS-PSK options.\n"),
        Manner::Signet => said(format!("signet: error: {words}\n")),
    };
    let key = Psk::from_hex(key.as_bytes()).map_err(|error| problem(error.to_string()))?;
    let identity = DeviceName::new(identity).map_err(|error| problem(error.to_string()))?;
    Ok(Some(PskOptions { identity, key }))
}

/// There are no engines here, so that the only form of a key is PEM.
fn check_forms(flags: &TlsFlags) -> Result<(), NoPlan> {
    if let Some(engine) = &flags.engine.name {
        return Err(said(format!("Error: Problem setting TLS engine, is {engine} a valid engine?\n")));
    }
    match &flags.key_form {
        Some(form) if !form.eq_ignore_ascii_case("pem") => {
            Err(said("Error: Problem setting key form, it must be one of 'pem' or 'engine'.\n"))
        }
        _ => Ok(()),
    }
}

fn random<const N: usize>() -> Result<[u8; N], NoPlan> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| said("Error: the system gives no random numbers\n"))?;
    Ok(bytes)
}

fn random_end() -> Result<String, NoPlan> {
    Ok(random::<4>()?.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn random_identifier() -> Result<String, NoPlan> {
    let letters = random::<18>()?.map(|byte| LETTERS.get(usize::from(byte & 0x7F) % LETTERS.len()).copied().map_or('x', char::from));
    Ok("mosq-".chars().chain(letters).collect())
}

#[cfg(test)]
mod tests;
