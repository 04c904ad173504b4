//! Password files: ours and Mosquitto's program do the same to the same files, and each reads what the other wrote.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use signet_e2e::{Finished, Running, Site, Whose};
use signet_testkit::Mosquitto;

const PROGRAM: &str = "mosquitto_passwd";

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    code: Option<i32>,
    out: String,
    err: String,
    /// The file, with the method in the place of each hash.
    file: Option<String>,
}

/// A run in a directory of its own, in which a file `f` may be.
fn run(whose: Whose, file: Option<&str>, arguments: &str, input: &str) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    if let Some(text) = file {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut command = whose.command(PROGRAM, folder.path());
    command.args(arguments.split('|').filter(|argument| !argument.is_empty())).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended before it read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&folder.path().display().to_string(), "DIR");
    let left = fs::read_to_string(&path).ok();
    assert!(
        left.is_none()
            || fs::read_dir(folder.path()).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().contains("backup"))
    );
    Left { code: output.status.code(), out: methods(&text(&output.stdout)), err: text(&output.stderr), file: left.as_deref().map(methods) }
}

/// Hashes without what is by chance.
fn methods(text: &str) -> String {
    let line = |line: &str| match line.split_once(":$") {
        Some((name, hash)) => {
            let fields: Vec<&str> = hash.split('$').collect();
            format!("{name}:${}", fields.first().copied().unwrap_or_default())
        }
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

const TEST: &str = "$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==";

#[test]
fn both_do_and_say_the_same() {
    let two = format!("a:{TEST}\nb:{TEST}\n");
    let long = format!("-b|f|{}|x", "u".repeat(65_536));
    let cases: Vec<(Option<&str>, &str, &str)> = vec![
        // Flags that cannot be.
        (None, "-H", ""),
        (None, "-H|md5|f|u", ""),
        (None, "-H|SHA512|f|u", ""),
        (None, "-I", ""),
        (None, "-I|0|f|u", ""),
        (None, "-I|-4|f|u", ""),
        (None, "-I|x|f|u", ""),
        (None, "-c|-D|f|u", ""),
        (None, "-c|-U|f", ""),
        (None, "-D|-U|f", ""),
        (None, "-b|-D|f|u", ""),
        (None, "-c|f", ""),
        (None, "-c", ""),
        (None, "-c|-b|f|u", ""),
        (None, "-D|f", ""),
        (None, "-U", ""),
        (None, "-U|f|u", ""),
        // Names that cannot be.
        (Some(&two), "-b|f|a:b|x", ""),
        (Some(&two), "-b|f|a\tb|x", ""),
        (Some(&two), &long, ""),
        (Some(&two), "-D|f|a:b", ""),
        // Files that are not there, or are something else.
        (None, "-b|f|a|x", ""),
        (None, "-b|no/f|a|x", ""),
        (None, "-D|f|a", ""),
        (None, "-U|f", ""),
        (None, "f|a", "x\nx\n"),
        (None, "-c|-b|no/f|u|p", ""),
        // Changes.
        (Some(&two), "-D|f|a", ""),
        (Some(&two), "-D|f|c", ""),
        (Some(""), "-D|f|c", ""),
        (Some(""), "-U|f", ""),
        (Some("a:b\nc : d \ne:f:g\n"), "-U|f", ""),
        (Some("a:b\n"), "-H|sha512|-U|f", ""),
        (Some("a:b\nbroken\n"), "-U|f", ""),
        (Some("a:b\n:\n"), "-U|f", ""),
        (Some("a:b\n:x\n"), "-U|f", ""),
        (Some("broken\na:b\n"), "-D|f|a", ""),
        // Passwords that are asked for.
        (Some(&two), "f|a", ""),
        (Some(&two), "f|a", "\n\n"),
        (Some(&two), "f|a", "x\n"),
        (Some(&two), "f|a", "x\ny\n"),
        (Some(&two), "f|a", "x\n\n"),
        (None, "-c|-|u", "x\ny\n"),
    ];
    let mut wrong = Vec::new();
    for (file, arguments, input) in cases {
        let (ours, theirs) = (run(Whose::Ours, file, arguments, input), run(Whose::Mosquittos, file, arguments, input));
        if ours != theirs {
            wrong.push(format!("{file:?} {arguments:.80} {input:?}\nours:   {ours:?}\ntheirs: {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where Mosquitto 2.1 differs from 2.0, whose program is here: what its source says.
#[test]
fn what_is_new_in_mosquitto_2_1() {
    let old = format!("a:{TEST}\n");
    let left = |code, out: &str, err: &str, file: Option<&str>| Left {
        code: Some(code),
        out: out.to_owned(),
        err: err.to_owned(),
        file: file.map(str::to_owned),
    };
    let prompts = "Password: \nReenter password: \n";
    let cases = [
        ((None, "-c|-|u", "x y\r\nx y"), left(0, &format!("{prompts}u:$7\n"), "", None)),
        ((None, "-c|-H|sha512|-|u", "p\np\n"), left(0, &format!("{prompts}u:$6\n"), "", None)),
        ((None, "-c|-b|-|u|p", ""), left(0, "u:$7\n", "", None)),
        ((None, "-c|-b|f|u|p", ""), left(0, "Adding password for user u\n", "", Some("u:$7\n"))),
        ((None, "-c|f|u", "p\np\n"), left(0, &format!("{prompts}Adding password for user u\n"), "", Some("u:$7\n"))),
        ((Some(&*old), "-c|-b|f|u|p", ""), left(1, "", "Error: Unable to open file DIR/f for writing. File exists.\n", Some("a:$6\n"))),
        ((Some(&*old), "-b|f|a|p", ""), left(0, "Updating password for user a\n", "", Some("a:$7\n"))),
        ((Some(&*old), "f|u", "p\np\n"), left(0, &format!("{prompts}Adding password for user u\n"), "", Some("a:$6\nu:$7\n"))),
        ((Some(&*old), "-H|argon2id|-b|f|u|p", ""), left(0, "Adding password for user u\n", "", Some("a:$6\nu:$argon2id\n"))),
    ];
    for ((file, arguments, input), expected) in cases {
        assert_eq!(run(Whose::Ours, file, arguments, input), expected, "{arguments}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (arguments, rounds) in [("", "1000"), ("-I|7|", "7")] {
        let arguments = format!("{arguments}-c|-b|-|u|p");
        let line = Whose::Ours.run(PROGRAM, folder.path(), &arguments.split('|').collect::<Vec<_>>()).succeeded().output;
        assert!(line.starts_with(&format!("u:$7${rounds}$")), "{line}");
    }
}

/// Where Mosquitto's program loses lines, or makes a file that its broker does not read.
#[test]
fn nothing_is_lost_where_mosquittos_program_loses_it() {
    let cases = [
        ("# people\n\na:b\n", "-b|f|a|p", 0, "", "# people\n\na:$7\n"),
        ("a:b", "-b|f|c|p", 0, "", "a:b\nc:$7\n"),
        ("a:b\nbroken\nc:d\n", "-b|f|e|p", 1, "Error: Corrupt password file at line 2.\n", "a:b\nbroken\nc:d\n"),
    ];
    for (file, arguments, code, err, expected) in cases {
        let left = run(Whose::Ours, Some(file), arguments, "");
        assert_eq!((left.code, left.err.as_str(), left.file.as_deref()), (Some(code), err, Some(expected)), "{file:?}");
        assert_ne!(
            run(Whose::Mosquittos, Some(file), arguments, "").file.as_deref(),
            Some(expected),
            "it does as well: no exception any more"
        );
    }
    let hashed = format!("a:{TEST}\nb:plain\n");
    assert_eq!(run(Whose::Ours, Some(&hashed), "-U|f", "").file.as_deref(), Some("a:$6\nb:$7\n"));
}

#[test]
fn a_file_keeps_its_owner_and_its_rights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let link = folder.path().join("link");
    let ours = |arguments: &[&str]| Whose::Ours.run(PROGRAM, folder.path(), arguments);
    ours(&["-c", "-b", "f", "a", "p"]).succeeded();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Another name for the same file, and rights for a group.
    fs::hard_link(&path, &link).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    ours(&["-b", "f", "b", "p"]).succeeded();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read(&link).unwrap(), fs::read(&path).unwrap());
    // Through a link in the file system, and a warning for everybody's file.
    std::os::unix::fs::symlink(&path, folder.path().join("soft")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let warned = ours(&["-b", "soft", "c", "p"]).succeeded();
    assert!(warned.says("has world readable permissions"), "{}", warned.output);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
}

fn publish(port: u16, user: &str, password: &str) -> Finished {
    let port = port.to_string();
    Running::run(Command::new("mosquitto_pub").args([
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "t/x",
        "-m",
        "x",
        "-q",
        "1",
        "-u",
        user,
        "-P",
        password,
    ]))
}

#[test]
fn each_broker_reads_what_each_program_wrote() {
    let site = Site::quickstart();
    let port = site.free_port();
    site.edit("signet.toml", |text| {
        format!(
            "{text}\n[[access]]\nwho = \"everyone\"\npublish = [\"t/#\"]\nsubscribe = [\"t/#\"]\n\
             [[listener]]\nname = \"plain\"\nbind = [\"127.0.0.1:{port}\"]\ntransport = \"tcp\"\nauthentication = [\"file\"]\n\
             [[authenticator]]\nname = \"file\"\ntype = \"password_file\"\nfile = \"passwords\"\n"
        )
    });
    let passwd = |whose: Whose, folder: &Path, arguments: &[&str]| whose.run(PROGRAM, folder, arguments).succeeded();
    // One after the other they write into the same file.
    passwd(Whose::Ours, site.folder(), &["-c", "-b", "passwords", "alice", "wonder land"]);
    passwd(Whose::Mosquittos, site.folder(), &["-b", "passwords", "bob", "pä$$:w0rd"]);
    passwd(Whose::Ours, site.folder(), &["-H", "sha512", "-b", "passwords", "carol", "$7$x"]);
    passwd(Whose::Mosquittos, site.folder(), &["-H", "sha512", "-b", "passwords", "alice", "again"]);
    passwd(Whose::Ours, site.folder(), &["-b", "passwords", "bob", "once more"]);
    passwd(Whose::Mosquittos, site.folder(), &["-b", "passwords", "dave", "x"]);
    passwd(Whose::Ours, site.folder(), &["-D", "passwords", "dave"]);
    let mosquitto = Mosquitto::with_passwords(&site.path("passwords"));
    let _broker = site.serve();
    for (user, password, expected) in [
        ("alice", "again", true),
        ("alice", "wonder land", false),
        ("bob", "once more", true),
        ("carol", "$7$x", true),
        ("dave", "x", false),
    ] {
        for port in [port, mosquitto.plain_port()] {
            let tried = publish(port, user, password);
            assert_eq!(tried.code == Some(0), expected, "{user} {password} {port}: {}", tried.output);
        }
    }
}

#[test]
fn signets_own_name_for_it() {
    let site = Site::empty();
    let shown = site.signet(&["passwd"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.says("Usage: signet passwd [-H METHOD]"), "{}", shown.output);
    assert!(site.signet(&["passwd", "--help"]).says("Usage: signet passwd"));
    site.signet(&["passwd", "-c", "-b", "f", "a", "p"]).succeeded();
    site.signet(&["passwd", "-D", "f", "b"]);
    assert!(fs::read_to_string(site.path("f")).unwrap().starts_with("a:$7$1000$"));
}
