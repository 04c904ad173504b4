//! The real Mosquitto, and the files that configurations of tests name.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use signet_testkit::{CrlWish, OpensslCa};

/// Certificates that [`furnish`] makes, by the names of their files, and their subjects: X.509 version 1, as plain `openssl x509 -req` makes them.
const DEVICES: [(&str, &str); 2] = [("pump-7", "/O=Plant/CN=pump-7"), ("nameless", "/O=Plant")];

/// The broker.
#[must_use]
pub fn program() -> PathBuf {
    crate::tools::system_program("mosquitto")
}

/// Puts certificates, keys, lists, users and rules into a directory. The user `test` has the password `test`. As root Mosquitto becomes somebody else,
/// who can read all of it.
pub fn furnish(folder: &Path) {
    let write = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the directory can be made");
        fs::write(path, content).expect("the file can be written");
    };
    let ca = OpensslCa::create(&folder.join("ca"), "Options");
    let server = ca.issue("localhost", "extendedKeyUsage=serverAuth\n");
    let copy = |from: &Path, to: &str| write(to, &fs::read_to_string(from).expect("the file can be read"));
    for name in ["ca.pem", "ca.d/0123abcd.0", "pem.d/ca.pem"] {
        copy(&ca.certificate(), name);
    }
    copy(&server.certificate, "server.pem");
    copy(&server.key, "server.key");
    fs::write(folder.join("crl.pem"), ca.crl(CrlWish::default())).expect("the file can be written");
    for (name, subject) in DEVICES {
        device(folder, name, subject);
    }
    let hash = "$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==";
    write("passwd", &format!("test:{hash}\n"));
    write("passwd2", &format!("other:{hash}\n"));
    write("acl", "topic read open/#\nuser test\ntopic readwrite t/#\npattern write p/%u/#\n");
    write("psk", "pump-7:0123456789abcdef0123456789abcdef\n");
    write("dynsec.json", "{\"clients\":[],\"groups\":[],\"roles\":[]}\n");
    write("conf.d/a.conf", "max_queued_messages 7\n");
    write("nested.d/a.conf", &format!("include_dir {}/conf.d\n", folder.display()));
    write("db/none", "");
    for directory in [folder.to_path_buf(), folder.join("db")] {
        fs::set_permissions(directory, Permissions::from_mode(0o777)).expect("the mode can be set");
    }
}

fn device(folder: &Path, name: &str, subject: &str) {
    let run = |arguments: &[&str]| {
        crate::openssl(folder, arguments).succeeded();
    };
    let [key, request, certificate] = ["key", "csr", "pem"].map(|ending| format!("{name}.{ending}"));
    run(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key]);
    run(&["req", "-new", "-key", &key, "-subj", subject, "-out", &request]);
    run(&[
        "x509",
        "-req",
        "-in",
        &request,
        "-CA",
        "ca/ca.pem",
        "-CAkey",
        "ca/ca.key",
        "-CAcreateserial",
        "-days",
        "30",
        "-out",
        &certificate,
    ]);
}
