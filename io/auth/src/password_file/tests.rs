//! Password files, of Mosquitto's own programs too.

use std::process::Command;

use super::*;

fn read(text: &str, hash: PasswordHash) -> Result<PasswordFile, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passwords");
    std::fs::write(&path, text).unwrap();
    PasswordFile::read(&path, hash, "file").map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

fn has(file: &PasswordFile, name: &str, password: &str) -> bool {
    let Some(user) = file.find(name) else { return false };
    user.hash.verify(password.as_bytes(), user.record.password_hash.as_deref().unwrap(), None).unwrap()
}

const ALICE: &str = "$7$101$GYCxSph6LOCRp3g3$NdYz6ZlwK6An0D5zk5rBJtZglWkTGWG9Agpd+STt6uF0oRt7hguYOHBwyVGBFdNXlkmYCjAXOrNGmmaldKGyww==";
/// From Mosquitto's own tests.
const TEST: &str = "$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==";

#[test]
fn the_lines_of_mosquitto() {
    let text = format!(
        "# people\nalice:{ALICE}\r\n\nnobody at all\n  test : {TEST}  \n#bob:{ALICE}\nümläut 7:{ALICE}\n\
         :\n:carol::{TEST}:what comes then\n\u{a0}dave:\x0B{TEST}\x0B"
    );
    let file = read(&text, PasswordHash::Auto).unwrap();
    assert_eq!(file.len(), 5);
    assert!(has(&file, "carol", "test") && has(&file, "\u{a0}dave", "test") && !has(&file, "dave", "test"));
    assert!(has(&file, "alice", "public") && has(&file, "test", "test") && has(&file, "ümläut 7", "public"));
    assert!(!has(&file, "alice", "test") && !has(&file, "Alice", "public") && !has(&file, "bob", "public"));
}

#[test]
fn a_file_of_mosquitto_passwd() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passwords");
    for (number, (name, password, kind)) in
        [("alice", "wonder land", "sha512-pbkdf2"), ("bob", "päss:word", "sha512"), ("carol", "$7$x", "sha512-pbkdf2")]
            .into_iter()
            .enumerate()
    {
        let create = if number == 0 { "-c" } else { "-H" };
        let mut command = Command::new("mosquitto_passwd");
        command.args(if number == 0 { vec![create, "-b"] } else { vec![create, kind, "-b"] }).arg(&path).args([name, password]);
        assert!(command.status().unwrap().success(), "mosquitto_passwd for {name}");
    }
    let file = PasswordFile::read(&path, PasswordHash::Auto, "file").unwrap();
    assert_eq!(file.len(), 3);
    assert!(has(&file, "alice", "wonder land") && has(&file, "bob", "päss:word") && has(&file, "carol", "$7$x"));
    assert!(!has(&file, "alice", "wonder"));
}

#[test]
fn our_hashes_in_a_file() {
    for kind in [crate::NewHash::Argon2id, crate::NewHash::MosquittoSha512, crate::NewHash::MosquittoPbkdf2 { iterations: 101 }] {
        let file = read(&format!("alice:{}", kind.make(b"public").unwrap()), PasswordHash::Auto).unwrap();
        assert!(has(&file, "alice", "public") && !has(&file, "alice", "private"));
    }
}

#[test]
fn wrong_lines_are_named_and_nothing_secret_is() {
    for (text, line, says) in [
        ("# x\n\nalice:public\n".to_owned(), 3, "password_hash = \"plain\""),
        ("alice:".to_owned(), 1, "mosquitto_passwd"),
        (format!("alice:{ALICE}\n:{ALICE}"), 2, "no hash behind"),
        (format!("alice:{ALICE}\n \t:{ALICE}"), 2, "empty"),
        (format!("alice:{ALICE}\nbob:{ALICE}\nalice:{TEST}"), 3, "`alice` is there twice"),
        (format!("{}:{ALICE}", "x".repeat(65_536)), 1, "too long"),
        ("alice:$7$101$GYCxSph6LOCRp3g3$".to_owned(), 1, "bytes"),
        ("alice:$6$rounds=5000$abc$def".to_owned(), 1, "crypt(3)"),
    ] {
        let error = read(&text, PasswordHash::Auto).unwrap_err();
        assert!(error.starts_with(&format!("FILE:{line}: ")) && error.contains(says), "{error}");
        assert!(!error.contains("public\n") && !error.contains("GYCx"), "{error}");
    }
}

#[test]
fn plain_passwords_only_where_that_is_said() {
    let file = read("alice: pub:lic \nbob:x", PasswordHash::Plain).unwrap();
    assert!(has(&file, "alice", " pub:lic ") && has(&file, "bob", "x"));
    let digests = read("alice:efa1f375d76194fa51a3556a97e641e61685f914d446979da50a551a4333ffd7", "sha256".parse().unwrap()).unwrap();
    assert!(has(&digests, "alice", "public"));
    assert!(read("alice:public", "sha256".parse().unwrap()).unwrap_err().contains("password_hash"));
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let missing = PasswordFile::read(&directory.path().join("missing"), PasswordHash::Auto, "file").unwrap_err();
    assert!(missing.to_string().contains("missing` cannot be read"), "{missing}");
    let path = directory.path().join("binary");
    std::fs::write(&path, b"alice:\xff").unwrap();
    assert!(PasswordFile::read(&path, PasswordHash::Auto, "file").unwrap_err().to_string().contains("binary:1: it is not UTF-8 text"));
    std::fs::write(&path, [b"# Z\xFCrich\nno name \xFF\nalice:", ALICE.as_bytes()].concat()).unwrap();
    assert_eq!(PasswordFile::read(&path, PasswordHash::Auto, "file").unwrap().len(), 1);
    File::create(&path).unwrap().set_len(FILE_MAXIMUM + 1).unwrap();
    assert!(matches!(PasswordFile::read(&path, PasswordHash::Auto, "file"), Err(PasswordFileError::TooLarge { .. })));
}

#[test]
fn what_a_client_holds_lasts_as_long_as_its_line() {
    let before = read(&format!("alice:{ALICE}\nbob:{ALICE}"), PasswordHash::Auto).unwrap();
    let alice = before.find("alice").unwrap().credential;
    let bob = before.find("bob").unwrap().credential;
    let after = read(&format!("bob:{TEST}\nalice:{ALICE}"), PasswordHash::Auto).unwrap();
    assert_eq!((after.holds(&alice), after.holds(&bob)), (Some(true), Some(false)));
    let gone = read("", PasswordHash::Auto).unwrap();
    assert_eq!(gone.holds(&alice), Some(false));
    assert_eq!(after.holds(&Credential { name: "users/alice".into(), version: alice.version }), None);
}
