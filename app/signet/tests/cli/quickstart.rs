//! `signet quickstart` and `signet check`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::rig::Rig;

const FILES: [&str; 11] = [
    "ca/ca.pem",
    "ca/crl.pem",
    "ca/issuing.key",
    "ca/issuing.pem",
    "ca/root.key",
    "ca/root.pem",
    "devices/pump-7.key",
    "devices/pump-7.pem",
    "server/server.key",
    "server/server.pem",
    "signet.toml",
];

/// Every file below a directory with its content, the working data of the ledger left out.
fn contents(rig: &Rig) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(directory: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(&rig.path("."), &mut files);
    files.retain(|path, _| !path.components().any(|part| part.as_os_str() == "data"));
    files
}

#[test]
fn the_first_run_writes_everything_and_the_second_changes_nothing() {
    let rig = Rig::new();
    let first = rig.run(&["quickstart", "--no-serve"]).expect(0);
    for file in FILES {
        assert!(first.out.contains(&format!("\n  {file} ")), "{file} is not announced:\n{}", first.out);
        let mode = std::fs::metadata(rig.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077 == 0, file.ends_with(".key"), "{file} has mode {mode:o}");
    }
    let before = contents(&rig);
    assert_eq!(before.len(), FILES.len());
    let second = rig.run(&["quickstart", "--no-serve"]).expect(0);
    assert!(second.out.starts_with("Everything is in this directory already; nothing was changed.\n"), "{}", second.out);
    assert!(contents(&rig) == before, "the second run changed a file");
    rig.run(&["check"]).expect(0);
}

#[test]
fn the_lines_it_prints_are_the_ones_to_paste() {
    let out = Rig::new().run(&["quickstart", "--no-serve", "--port", "18884"]).expect(0).out;
    for line in [
        "  signet sub -p 18884 --cafile ca/ca.pem --cert devices/pump-7.pem --key devices/pump-7.key -t 'pump-7/#' -v",
        "  mosquitto_sub -h localhost -p 18884 --cafile ca/ca.pem --cert devices/pump-7.pem --key devices/pump-7.key -t 'pump-7/#' -v",
        "  signet pub -p 18884 --cafile ca/ca.pem --cert devices/pump-7.pem --key devices/pump-7.key -t pump-7/temp -m 21",
        "  mosquitto_pub -h localhost -p 18884 --cafile ca/ca.pem --cert devices/pump-7.pem --key devices/pump-7.key -t pump-7/temp -m 21",
        "  signet device revoke pump-7",
    ] {
        assert!(out.lines().any(|found| found == line), "missing: {line}\n{out}");
    }
}

#[test]
fn a_directory_cut_short_is_finished() {
    let rig = Rig::new();
    rig.run(&["quickstart", "--no-serve"]).expect(0);
    let before = contents(&rig);
    for file in ["signet.toml", "devices/pump-7.pem", "server/server.pem", "ca/ca.pem"] {
        std::fs::remove_file(rig.path(file)).unwrap();
    }
    let out = rig.run(&["quickstart", "--no-serve"]).expect(0).out;
    assert!(out.contains("\n  devices/pump-7.pem ") && !out.contains("pump-7.key  "), "{out}");
    let after = contents(&rig);
    for file in ["ca/ca.pem", "ca/issuing.pem", "ca/root.key", "devices/pump-7.key", "signet.toml"] {
        let path = rig.path(".").join(file);
        assert!(before[&path] == after[&path], "{file} differs");
    }
    rig.run(&["check"]).expect(0);
}

#[test]
fn a_lost_key_is_named_and_not_passed_over() {
    let rig = Rig::new();
    rig.run(&["quickstart", "--no-serve"]).expect(0);
    for (key, certificate) in [("devices/pump-7.key", "devices/pump-7.pem"), ("server/server.key", "server/server.pem")] {
        let kept = rig.read(key);
        std::fs::remove_file(rig.path(key)).unwrap();
        let ended = rig.run(&["quickstart", "--no-serve"]).expect(1);
        assert!(ended.err.contains(&format!("`{key}` is missing, and without it `{certificate}` is of no use")), "{}", ended.err);
        assert!(ended.err.contains("\nhint: ") && ended.out.is_empty(), "{ended:?}");
        std::fs::rename(rig.path(certificate), rig.path("aside.pem")).unwrap();
        rig.run(&["quickstart", "--no-serve"]).expect(0);
        assert_ne!(rig.read(key), kept);
    }
}

#[test]
fn what_is_not_good_enough_to_start_is_not_called_complete() {
    let rig = Rig::new();
    rig.run(&["quickstart", "--no-serve"]).expect(0);
    rig.write("server/server.key", "");
    let ended = rig.run(&["quickstart", "--no-serve"]).expect(3);
    assert!(ended.err.contains("`server/server.key`: holds no private key") && ended.out.is_empty(), "{ended:?}");
}

#[test]
fn a_lost_inventory_does_not_forget_who_is_revoked() {
    let rig = Rig::quickstarted();
    rig.run(&["device", "revoke", "pump-7"]).expect(0);
    let list = rig.read("ca/crl.pem");
    std::fs::rename(rig.path("data"), rig.path("aside")).unwrap();
    for command in [vec!["serve"], vec!["quickstart", "--no-serve"], vec!["ca", "crl"], vec!["device", "add", "x"]] {
        let ended = rig.run(&command).expect(1);
        assert!(ended.err.contains("`ca/crl.pem` is list number 2 with 1 revoked certificate"), "{command:?}: {}", ended.err);
        assert!(ended.err.contains("`data/ledger.redb` has signed none") && ended.err.contains("\nhint: "), "{}", ended.err);
        assert_eq!(rig.read("ca/crl.pem"), list, "{command:?} overwrote the list");
    }
    std::fs::remove_dir_all(rig.path("data")).unwrap();
    std::fs::rename(rig.path("aside"), rig.path("data")).unwrap();
    rig.run(&["ca", "crl"]).expect(0);
    // Who means it says so.
    std::fs::remove_dir_all(rig.path("data")).unwrap();
    std::fs::rename(rig.path("ca/crl.pem"), rig.path("aside.pem")).unwrap();
    rig.run(&["ca", "crl"]).expect(0);
}

#[test]
fn a_taken_port_is_named_before_anything_is_written() {
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let rig = Rig::new();
    let ended = rig.run(&["quickstart", "--port", &port]).expect(1);
    assert!(ended.err.starts_with(&format!("signet: error: port `{port}` is taken")), "{}", ended.err);
    assert!(ended.err.contains(&format!("ss -ltnp 'sport = :{port}'")) && ended.err.contains("--port"), "{}", ended.err);
    assert!(contents(&rig).is_empty());
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let rig = Rig::new();
    rig.write("file", "");
    let ended = rig.run(&["quickstart", "--no-serve", "--dir", "file/below"]).expect(1);
    assert!(ended.err.starts_with("signet: error: cannot create `file/below`: not a directory"), "{}", ended.err);
    assert!(ended.err.contains("\nhint: "), "{}", ended.err);
}

#[test]
fn another_directory_is_used_from_outside() {
    let rig = Rig::new();
    let out = rig.run(&["quickstart", "--no-serve", "--dir", "demo"]).expect(0).out;
    assert!(out.contains("  signet device revoke pump-7 -c demo/signet.toml"), "{out}");
    let list = rig.run(&["device", "list", "-c", "demo/signet.toml"]).expect(0);
    assert!(list.out.contains("pump-7"), "{}", list.out);
}

#[test]
fn check_reports_every_problem_and_ends_with_3() {
    let rig = Rig::quickstarted();
    let text =
        rig.read("signet.toml").replace("client_certificate =", "client_certifcate =").replace("level = \"info\"", "level = \"lout\"");
    rig.write("signet.toml", &text);
    std::fs::copy(rig.path("server/server.pem"), rig.path("server/server.key")).unwrap();
    for command in ["check", "serve"] {
        let ended = rig.run(&[command]).expect(3);
        for part in [
            "`lout` is not a value of `level`",
            "unknown key `client_certifcate` in [[listener]]",
            "= hint: did you mean `client_certificate`?",
            "`server/server.key`: ",
            "signet: error: `signet.toml` has 3 problems, nothing was started or changed",
        ] {
            assert!(ended.err.contains(part), "{command} does not say {part}:\n{}", ended.err);
        }
    }
}

#[test]
fn without_a_configuration_the_way_to_one_is_shown() {
    let ended = Rig::new().run(&["serve"]).expect(3);
    assert!(
        ended.err.starts_with("signet: error: cannot read `signet.toml`: no such file or directory\nhint: `signet quickstart`"),
        "{}",
        ended.err
    );
    Rig::new().run(&["serve", "--unknown"]).expect(2);
    let help = Rig::new().run(&["--help"]).expect(0).out;
    assert!(help.contains("Exit codes:") && help.contains("signet device revoke"), "{help}");
}
