//! `signet quickstart`: from an empty directory to a broker with mutual TLS and one device. Makes what is missing, changes nothing that is there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use signet_admin::api::{AddDevice, DeviceKey};
use signet_admin::{Administration, Caller};
use signet_ca::{KeyType, ServerName, SubjectKey};
use signet_ledger::{FileError, Overwrite, PrivateKey, read_key, write_public};
use signet_net::{BindRules, ListenAddress, bind, unix_seconds};

use crate::ca_files;
use crate::command::ca;
use crate::command::device::DeviceFiles;
use crate::command::serve::{self, Manner, serve};
use crate::config::{self, Config, Origin};
use crate::data_lock::DataLock;
use crate::exit::Exit;
use crate::flags::Quickstart;
use crate::hint::Failure;
use crate::office::{self, Places};
use crate::output;

/// The device everything is shown with.
const DEVICE: &str = "pump-7";

const ELSEWHERE: &str = "quickstart writes into the current directory, or where --dir DIR says";

const DEFAULT_PORT: u16 = 8883;

const TEMPLATE: &str = include_str!("../template/signet.toml");

/// Runs the command.
pub(crate) fn run(flags: &Quickstart) -> Result<Exit, Failure> {
    let dir = &flags.dir;
    std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    let path = below(dir, "signet.toml");
    let is_new = !path.exists();
    let places = if is_new {
        Places::of(Config::nothing_written(dir))
    } else {
        Places::of(config::load_places(&Origin::Native(path.clone())).map_err(|error| error.report(&path))?)
    };
    // A broker that runs here already explains a taken port better than the port does.
    let lock = if places.data_dir.exists() { Some(DataLock::take(&places.data_dir)?) } else { None };
    if !flags.no_serve {
        check_ports(&path, is_new, flags.port)?;
    }
    let mut written = Vec::new();
    {
        let _lock = match lock {
            Some(lock) => lock,
            None => DataLock::take(&places.data_dir).map_err(|failure| failure.hint(ELSEWHERE))?,
        };
        written.extend(ca_files::complete(&places.ca.dir, &ca::plan("Signet Quickstart", KeyType::P256))?);
        let administration = office::open_administration(&places)?;
        let caller = Caller::user(rustix::process::getuid().as_raw());
        issue_server(dir, &administration, &caller, &mut written)?;
        issue_device(dir, &administration, &caller, &mut written)?;
        if let Some(crl) = administration.sign_crl_if_due().map_err(office::problem)? {
            written.extend(crl.path.map(PathBuf::from));
        }
        if is_new {
            write_public(&path, template(flags.port.unwrap_or(DEFAULT_PORT)).as_bytes()).map_err(failed)?;
            written.push(path.clone());
        }
        if !written.is_empty() {
            say_written(&written);
        }
        warn_if_revoked(&administration);
    }
    // Files that were there already are as good as they were: only now is it known whether that is good enough.
    let mut config = config::load(&Origin::Native(path.clone()), unix_seconds()).map_err(|error| error.report(&path))?;
    if written.is_empty() {
        let place = if dir == Path::new(".") { "this directory".to_owned() } else { format!("`{}`", dir.display()) };
        output::data(&format!("Everything is in {place} already; nothing was changed."));
    }
    if let Some(port) = flags.port {
        use_port(&mut config, port);
    }
    let port = tls_port(&config).unwrap_or(DEFAULT_PORT);
    let lines = next_steps(dir, port);
    if flags.no_serve {
        output::data(&format!("\nStart the broker:\n  signet serve{}\n{lines}", config_flag(dir)));
        return Ok(Exit::Done);
    }
    serve(config, Manner::default(), || output::data(&lines))
}

/// Asked before anything is written: who has to choose another port should not find half a directory.
fn check_ports(path: &Path, is_new: bool, port: Option<u16>) -> Result<(), Failure> {
    let mut addresses: Vec<ListenAddress> = Vec::new();
    if is_new {
        addresses.push(SocketAddr::from(([0, 0, 0, 0], port.unwrap_or(DEFAULT_PORT))).into());
    } else {
        let mut config = config::load_places(&Origin::Native(path.to_owned())).map_err(|error| error.report(path))?;
        if let Some(port) = port {
            use_port(&mut config, port);
        }
        addresses.extend(config.listeners.iter().flat_map(|listener| listener.bind.clone()));
    }
    bind("mqtts", &addresses, &BindRules::default()).map(drop).map_err(serve::listen_failed)
}

/// Another port for this run, where the configuration is there already and stays as it is.
fn use_port(config: &mut Config, port: u16) {
    let Some(listener) = config.listeners.iter_mut().find(|listener| listener.tls.is_some()) else { return };
    for address in &mut listener.bind {
        if let ListenAddress::Ip(address) = address {
            address.set_port(port);
        }
    }
}

fn tls_port(config: &Config) -> Option<u16> {
    config.listeners.iter().find(|listener| listener.tls.is_some())?.bind.first().and_then(ListenAddress::port)
}

fn issue_server(dir: &Path, administration: &Administration, caller: &Caller, written: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let (certificate, key_file) = (below(dir, "server/server.pem"), below(dir, "server/server.key"));
    if certificate.exists() {
        return has_key(&certificate, &key_file);
    }
    let key = subject_key(&key_file, written)?;
    let chain = administration.add_server(server_names(), key, caller).map_err(office::problem)?.chain_pem;
    write_public(&certificate, chain.as_bytes()).map_err(failed)?;
    written.push(certificate);
    Ok(())
}

fn issue_device(dir: &Path, administration: &Administration, caller: &Caller, written: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let files = DeviceFiles::new(&below(dir, "devices"), DEVICE);
    if files.certificate.exists() {
        return has_key(&files.certificate, &files.key);
    }
    let key = subject_key(&files.key, written)?;
    let request = AddDevice { name: DEVICE.to_owned(), key: DeviceKey::PublicKey(hex::encode(key.spki())), days: None };
    let chain = administration.add_device(&request, caller).map_err(office::problem)?.chain_pem;
    write_public(&files.certificate, chain.as_bytes()).map_err(failed)?;
    written.push(files.certificate);
    Ok(())
}

/// A lost key cannot be made again, and the lines to try would end in an error: better said here.
fn has_key(certificate: &Path, key: &Path) -> Result<(), Failure> {
    if key.exists() {
        return Ok(());
    }
    let (certificate, key) = (certificate.display(), key.display());
    Err(Failure::new(format!("`{key}` is missing, and without it `{certificate}` is of no use"))
        .hint(format!("put the key back; if it is lost, move `{certificate}` away and run quickstart again: it makes a new pair")))
}

/// The public half of a key file, which is made if it is not there: a first run may have been cut short behind it.
fn subject_key(path: &Path, written: &mut Vec<PathBuf>) -> Result<SubjectKey, Failure> {
    let key = if path.exists() {
        read_key(path).map_err(failed)?
    } else {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        }
        let key = PrivateKey::generate(KeyType::P256).map_err(|error| Failure::new(error.to_string()))?;
        key.write(path, Overwrite::Never).map_err(failed)?;
        written.push(path.to_owned());
        key
    };
    key.subject_key().map_err(|error| Failure::new(error.to_string()))
}

/// What clients may call this machine: `localhost`, its host name, and the loopback addresses.
fn server_names() -> Vec<ServerName> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut names: Vec<ServerName> = Vec::new();
    for text in ["localhost", host.trim(), "127.0.0.1", "::1"] {
        // A host name that no certificate can carry is left out; the others still work.
        if let Ok(name) = text.parse::<ServerName>()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// The configuration, with what this machine can do: without IPv6 an IPv6 address cannot be bound.
fn template(port: u16) -> String {
    let text = TEMPLATE.replace("@PORT@", &port.to_string());
    let any_ipv6 = SocketAddr::from(([0_u16; 8], 0));
    if bind("probe", &[any_ipv6.into()], &BindRules::default()).is_ok() { text } else { text.replace(&format!(", \"[::]:{port}\""), "") }
}

fn say_written(written: &[PathBuf]) {
    output::data("Wrote:");
    for path in written {
        output::data(&format!("  {:<24} {}", path.display().to_string(), describe(path)));
    }
}

fn describe(path: &Path) -> &'static str {
    match path.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
        "root.pem" => "root CA",
        "root.key" => "key of the root CA: keep it off this machine in real use",
        "issuing.pem" => "issuing CA",
        "issuing.key" => "key of the issuing CA",
        "ca.pem" => "both CAs: what clients and listeners trust",
        "crl.pem" => "list of revoked certificates",
        "server.pem" => "the broker's certificate: localhost, this host, 127.0.0.1, ::1",
        "server.key" => "key of the broker",
        "signet.toml" => "configuration, every key explained",
        name if name.ends_with(".pem") => "certificate of a device",
        name if name.ends_with(".key") => "key of a device",
        _ => "",
    }
}

fn warn_if_revoked(administration: &Administration) {
    let Ok(certificates) = administration.show(DEVICE) else { return };
    if !certificates.iter().any(|certificate| certificate.status == "valid") {
        output::note(&format!("note: no certificate of {DEVICE} is valid any more; `signet device add {DEVICE} --force` issues another"));
    }
}

/// The exact lines to try, in a second and third terminal.
fn next_steps(dir: &Path, port: u16) -> String {
    let ca = below(dir, "ca/ca.pem");
    let files = DeviceFiles::new(&below(dir, "devices"), DEVICE);
    let port = if port == DEFAULT_PORT { String::new() } else { format!("-p {port} ") };
    let tls = format!("{port}--cafile {} --cert {} --key {}", ca.display(), files.certificate.display(), files.key.display());
    format!(
        "
Subscribe, in another terminal:
  signet sub {tls} -t '{DEVICE}/#' -v
  mosquitto_sub -h localhost {tls} -t '{DEVICE}/#' -v

Publish, in a third one:
  signet pub {tls} -t {DEVICE}/temp -m 21
  mosquitto_pub -h localhost {tls} -t {DEVICE}/temp -m 21

Revoke; the subscriber's session ends at once:
  signet device revoke {DEVICE}{}
",
        config_flag(dir)
    )
}

fn config_flag(dir: &Path) -> String {
    if dir == Path::new(".") { String::new() } else { format!(" -c {}", below(dir, "signet.toml").display()) }
}

/// A file of the directory as people write it: no `./` in front.
fn below(dir: &Path, name: &str) -> PathBuf {
    if dir == Path::new(".") { PathBuf::from(name) } else { dir.join(name) }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::file("create", path, error).hint(ELSEWHERE)
}

fn failed(error: FileError) -> Failure {
    let unwritable = matches!(&error, FileError::Write { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied);
    let failure = Failure::from(error);
    if unwritable { failure.hint(ELSEWHERE) } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_try_name_the_port_only_when_it_is_unusual() {
        let usual = next_steps(Path::new("."), 8883);
        assert!(usual.contains(
            "\n  mosquitto_pub -h localhost --cafile ca/ca.pem --cert devices/pump-7.pem --key devices/pump-7.key -t pump-7/temp -m 21\n"
        ));
        assert!(usual.contains("\n  signet device revoke pump-7\n"));
        let other = next_steps(Path::new("/x"), 9000);
        assert!(other.contains("\n  signet sub -p 9000 --cafile /x/ca/ca.pem --cert /x/devices/pump-7.pem "));
        assert!(other.contains("\n  signet device revoke pump-7 -c /x/signet.toml\n"));
    }

    #[test]
    fn the_server_certificate_names_the_loopback() {
        let names: Vec<String> = server_names().iter().map(ToString::to_string).collect();
        for name in ["localhost", "127.0.0.1", "::1"] {
            assert!(names.contains(&name.to_owned()), "{names:?}");
        }
    }
}
