//! Every option, row by row: what is accepted and what becomes of it, what is refused and in which words.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test reports by panicking")]

mod cases;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cases::Case;
use signet_mosquitto::conf::options::{self, Kind, Scope};
use signet_mosquitto::{Files, Mistake, Notice, Translation, nothing_configured, translate, translate_with};

const DIRECTORY: &str = "/etc/mosquitto";
const MAIN: &str = "mosquitto.conf";

/// Files that are only here.
struct Here(BTreeMap<PathBuf, Vec<u8>>);

impl Files for Here {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| "there is no such file".to_owned())
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>, String> {
        let inside = self.0.keys().filter(|path| path.parent() == Some(directory));
        let names: Vec<String> = inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        if names.is_empty() { Err("there is no such directory".to_owned()) } else { Ok(names) }
    }
}

fn files(conf: &str, others: &[(&str, &str)]) -> Here {
    let certificate = "-----BEGIN CERTIFICATE-----\n";
    let known = [
        ("conf.d/a.conf", "max_queued_messages 5\n"),
        ("conf.d/B.conf", "max_queued_messages 6\n"),
        ("conf.d/b.conf", "max_queued_messages 7\n"),
        ("conf.d/c.conf.bak", "nonsense\n"),
        ("nested.d/a.conf", "include_dir /etc/mosquitto/conf.d\n"),
        ("ca.d/0123abcd.0", certificate),
        ("ca.d/0123abcd.r0", "-----BEGIN X509 CRL-----\n"),
        ("ca.d/ca.pem", certificate),
        ("pem.d/ca.pem", certificate),
        ("pem.d/ca.key", "-----BEGIN PRIVATE KEY-----\n"),
        ("pem.d/key.pem", "-----BEGIN PRIVATE KEY-----\n"),
    ];
    let all = known.iter().chain(others).copied().chain([(MAIN, conf)]);
    Here(all.map(|(name, content)| (Path::new(DIRECTORY).join(name), content.as_bytes().to_vec())).collect())
}

fn read(conf: &str) -> Result<Translation, Vec<Mistake>> {
    read_with(conf, &[])
}

fn read_with(conf: &str, others: &[(&str, &str)]) -> Result<Translation, Vec<Mistake>> {
    translate(Path::new(MAIN), Path::new(DIRECTORY), &files(conf, others))
}

/// The lines of a text without what comes behind `  #`.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split("  # ").next().unwrap_or_default()).collect()
}

fn said(notices: &[Notice]) -> Vec<&str> {
    notices.iter().map(|notice| notice.message.as_str()).collect()
}

#[test]
fn every_option_is_read_as_mosquitto_reads_it() {
    let mut wrong = Vec::new();
    for case in cases::all(DIRECTORY, [1883, 1884]) {
        wrong.extend(judge(&case));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn judge(case: &Case) -> Option<String> {
    let Case { option, conf, .. } = case;
    let title = format!("{option}: {conf:?}");
    let translation = match (read(conf), &case.error) {
        (Ok(_), Some(error)) => return Some(format!("{title}\n  is accepted and not: {error}")),
        (Err(mistakes), None) => return Some(format!("{title}\n  is refused: {}", mistakes[0].message)),
        (Err(mistakes), Some(error)) => {
            let first = &mistakes[0];
            let is_named = first.place.is_some();
            return (first.message != *error || !is_named).then(|| format!("{title}\n  says {first:?}\n  and not {error}"));
        }
        (Ok(translation), None) => translation,
    };
    if let Err(error) = translation.toml.parse::<toml::Table>() {
        return Some(format!("{title}\n  is no TOML: {error}\n{}", translation.toml));
    }
    let written = lines(&translation.toml);
    let missing: Vec<&String> = case.toml.iter().filter(|line| !written.contains(&line.as_str())).collect();
    if !missing.is_empty() {
        return Some(format!("{title}\n  lacks {missing:?} in\n{}", translation.toml));
    }
    let notices = said(&translation.notices);
    match &case.notice {
        Some(expected) if notices.iter().any(|notice| notice.contains(expected)) => None,
        Some(expected) => Some(format!("{title}\n  says {notices:?} and not {expected}")),
        None => None,
    }
}

/// A new option has to get rows, and one whose value can be wrong a row with a wrong one.
#[test]
fn every_option_has_its_rows() {
    let cases = cases::all(DIRECTORY, [1883, 1884]);
    for option in options::all() {
        let of = |is_refused: bool| cases.iter().any(|case| case.option == option.name && case.error.is_some() == is_refused);
        assert!(of(false), "`{}` has no row that is accepted", option.name);
        assert!(of(true) || matches!(option.kind, Kind::Anything), "`{}` has no row that is refused", option.name);
        if matches!(option.scope, Scope::Bridge) {
            let alone = read(&format!("{} x", option.name)).unwrap_err();
            let message = format!("Error: The '{}' option requires a bridge to be defined first.", option.name);
            assert_eq!(alone[0].message, message);
        }
    }
}

/// Options and their aliases are one.
#[test]
fn aliases_are_the_same_option() {
    let bridge = "connection hq\naddress 127.0.0.1:9\ntopic #\n";
    for (one, other) in [
        (format!("{bridge}clientid a"), format!("{bridge}remote_clientid a")),
        (format!("{bridge}username a"), format!("{bridge}remote_username a")),
        (format!("{bridge}password a"), format!("{bridge}remote_password a")),
        ("retained_persistence true".to_owned(), "persistence true".to_owned()),
        ("listener 1883\nmaximum_qos 1".to_owned(), "listener 1883\nmax_qos 1".to_owned()),
    ] {
        assert_eq!(read(&one).unwrap().toml, read(&other).unwrap().toml, "{one}");
    }
}

/// What is written of a configuration that says next to nothing: all defaults of this mode.
#[test]
fn defaults_are_those_of_mosquitto() {
    let translation = read("listener 1883\n").unwrap();
    assert_eq!(translation.toml, include_str!("defaults/listener.toml"));
    assert_eq!(translation.notices, []);
    assert_eq!(nothing_configured(&[]).toml, include_str!("defaults/nothing.toml"));
}

#[test]
fn ports_of_the_command_line_count_where_no_listener_is_configured() {
    let bind = |translation: &Translation| -> Vec<String> {
        lines(&translation.toml).iter().filter(|line| line.starts_with("bind =")).map(|line| (*line).to_owned()).collect()
    };
    let local = ["bind = [\"127.0.0.1:1884\", \"[::1]:1884\"]", "bind = [\"127.0.0.1:1885\", \"[::1]:1885\"]"];
    assert_eq!(bind(&nothing_configured(&[1884, 1885])), local);
    let outside = signet_mosquitto::Outside { ports: &[1884, 1885], persistence_location: Some(Path::new("kept")) };
    let with = |conf: &str| translate_with(Path::new(MAIN), Path::new(DIRECTORY), outside, &files(conf, &[])).unwrap();
    assert_eq!(bind(&with("max_packet_size 2000\n")), local);
    assert_eq!(bind(&with("listener 1900 127.0.0.1\n")), ["bind = [\"127.0.0.1:1900\"]"]);
    let kept = with("persistence true\npersistence_location /var/lib/mosquitto\n");
    assert!(lines(&kept.toml).contains(&"data_dir = \"/etc/mosquitto/kept\""), "the environment goes first");
}

#[test]
fn every_mistake_is_found_with_its_line() {
    let conf = "max_conections 5\nlistener 1883\nmax_qos 7\n\nconnection a\naddress\ntopic x\nfoo 1\n";
    let mistakes = read(conf).unwrap_err();
    let found: Vec<(usize, &str)> =
        mistakes.iter().map(|mistake| (mistake.place.as_ref().unwrap().line, mistake.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "Error: Unknown configuration variable 'max_conections'."),
            (3, "Error: 'max_qos' must be between 0 and 2 inclusive."),
            (6, "Error: Empty address value in configuration."),
            (8, "Error: Unknown configuration variable 'foo'."),
        ]
    );
    assert_eq!(mistakes[0].hint.as_deref(), Some("did you mean `max_connections`?"));
}

/// A listener that is wrong is one mistake, and not one for each line that belongs to it.
#[test]
fn what_belongs_to_a_mistake_is_passed_over() {
    let mistakes = read("listener\nmax_qos 1\ncafile a\nconnection\naddress b\nplugin\nplugin_opt_file c\n").unwrap_err();
    assert_eq!(mistakes.iter().map(|mistake| mistake.place.as_ref().unwrap().line).collect::<Vec<_>>(), [1, 4, 6]);
}

#[test]
fn files_that_are_not_there_are_named() {
    let missing = translate(Path::new("other.conf"), Path::new(DIRECTORY), &files("", &[])).unwrap_err();
    assert_eq!(missing[0].message, "Error: Unable to open config file 'other.conf'.");
    assert_eq!((missing[0].place.clone(), missing[0].hint.as_deref()), (None, Some("there is no such file")));
}

/// `max_qos` needs a listener before it in the same file.
#[test]
fn an_included_file_begins_with_no_listener() {
    let included = |content: &str| read_with("listener 1883\ninclude_dir more.d\nmax_qos 1\n", &[("more.d/a.conf", content)]);
    let mistakes = included("mount_point a/\n").unwrap_err();
    assert_eq!(mistakes[0].message, "Error: The 'mount_point' option requires a listener to be defined first.");
    let place = mistakes[0].place.as_ref().unwrap();
    assert_eq!((place.file.to_str(), place.line), (Some("more.d/a.conf"), 1));
    let written = included("listener 1884\nmount_point a/\n").unwrap().toml;
    let table: toml::Table = written.parse().unwrap();
    let listeners = table["listener"].as_array().unwrap();
    let qos: Vec<_> = listeners.iter().map(|listener| listener["limits"]["maximum_qos"].as_integer().unwrap()).collect();
    let mounts: Vec<_> = listeners.iter().map(|listener| listener.get("mount_point").and_then(toml::Value::as_str)).collect();
    assert_eq!((qos, mounts), (vec![1, 2], vec![None, Some("a/")]));
}

/// Each line of the text that comes from a line of the configuration says so, and nothing else does.
#[test]
fn origins_lead_back_to_lines() {
    let translation = read("persistence true\nlistener 1883\nmax_connections 5\nallow_anonymous true\n").unwrap();
    let at = |part: &str| {
        let start = translation.toml.find(part).unwrap_or_else(|| panic!("{part} is not there"));
        translation.origin(&(start..start + part.len())).map(|place| place.line)
    };
    assert_eq!(at("enabled = true"), Some(1));
    assert_eq!(at("1883"), Some(2));
    assert_eq!(at("5  #"), Some(3));
    assert_eq!(at("[\"everyone\"]"), Some(4));
    assert_eq!(at("maximum_packet_size"), None);
    let starts: Vec<usize> = translation.origins.iter().map(|(range, _)| range.start).collect();
    assert!(starts.is_sorted());
}

/// Names of files are text for people: whatever they hold, the TOML stays what it is.
#[test]
fn a_strange_name_of_the_file_changes_nothing() {
    let name = "a\nanonymous = true";
    let files = Here(BTreeMap::from([(Path::new(DIRECTORY).join(name), b"listener 1883\nmax_connections 3\n".to_vec())]));
    let strange = translate(Path::new(name), Path::new(DIRECTORY), &files).unwrap();
    let plain = read("listener 1883\nmax_connections 3\n").unwrap();
    let table = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(table(&strange.toml), table(&plain.toml));
}

#[test]
fn the_reference_is_up_to_date() {
    let page = include_str!("../../../docs/reference/mosquitto-options.md");
    let command = "cargo run -p signet-mosquitto --example reference > docs/reference/mosquitto-options.md";
    assert!(page == options::reference(), "write it anew: {command}");
}
