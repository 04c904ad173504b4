//! `signet user import`: the users of other brokers.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use signet_admin::api::{AddUser, IMPORT_MAXIMUM, ImportReport, ImportUsers, NewSecret, SecretText};
use signet_auth::{PasswordHash, password_entries};
use zeroize::Zeroizing;

use super::sessions;
use crate::exit::Exit;
use crate::flags::UserCommon as Common;
use crate::hint::Failure;
use crate::office::Office;
use crate::output;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Users with a plain password in one request: each is hashed, which takes time.
const PLAIN_PORTION: usize = 50;

/// Runs it.
pub(super) fn run(file: &Path, password_hash: Option<&str>, replace: bool, common: &Common) -> Result<(), Failure> {
    let text = read(file)?;
    let at_line = |(line, problem): (usize, String)| Failure::new(format!("{}:{line}: {problem}", file.display()));
    let users = if is_csv(&text) { of_csv(&text, password_hash).map_err(at_line)? } else { of_password_file(&text).map_err(at_line)? };
    let mut names = BTreeSet::new();
    if let Some(twice) = users.iter().find(|user| !names.insert(user.name.as_str())) {
        return Err(Failure::new(format!("{}: the user `{}` is there twice", file.display(), twice.name)));
    }
    let office = Office::open_or_create(&common.config)?;
    if !replace && let Some(there) = office.users()?.iter().find(|user| names.contains(user.name.as_str())) {
        return Err(Failure::new(format!("there is a user `{}` already; nothing was imported", there.name))
            .exit(Exit::Exists)
            .hint("--replace puts the new ones in their place"));
    }
    let mut total = ImportReport { added: 0, replaced: 0, sessions: None };
    let is_plain = users.iter().any(|user| matches!(user.secret, Some(NewSecret::Password(_))));
    for portion in users.chunks(if is_plain { PLAIN_PORTION } else { IMPORT_MAXIMUM }) {
        let report = office.import_users(&ImportUsers { users: portion.to_vec(), replace }).map_err(|failure| {
            let done = total.added + total.replaced;
            if done == 0 { failure } else { failure.hint(format!("{done} users were imported before; --replace goes on from there")) }
        })?;
        total.added += report.added;
        total.replaced += report.replaced;
        total.sessions = match (total.sessions, report.sessions) {
            (Some(mut before), Some(now)) => {
                (before.found, before.closed) = (before.found + now.found, before.closed + now.closed);
                before.microseconds += now.microseconds;
                Some(before)
            }
            (before, now) => before.or(now),
        };
    }
    if common.json {
        return output::json(&total);
    }
    let ended =
        total.sessions.filter(|closed| closed.found > 0).map_or_else(String::new, |closed| format!("; {}", sessions(Some(&closed))));
    let users = match total.added + total.replaced {
        1 => "1 user".to_owned(),
        many => format!("{many} users"),
    };
    output::data(&format!("imported {users}, {} of them in place of others{ended}", total.replaced));
    Ok(())
}

fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", file, &error);
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(file).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(Failure::new(format!("`{}` has more than {FILE_BYTES_MAX} bytes", file.display())));
    }
    Ok(text)
}

/// Those of EMQX begin with the names of their columns.
fn is_csv(text: &str) -> bool {
    text.lines().next().is_some_and(|line| fields(line).is_some_and(|fields| fields.iter().any(|field| field == "user_id")))
}

fn of_password_file(text: &str) -> Result<Vec<AddUser>, (usize, String)> {
    let entries = password_entries(text, &PasswordHash::Auto)?;
    let user =
        |(name, hash): (&str, &str)| AddUser { name: name.to_owned(), secret: Some(hashed("auto", hash, None)), ..AddUser::default() };
    Ok(entries.into_iter().map(user).collect())
}

fn hashed(kind: &str, hash: &str, salt: Option<&str>) -> NewSecret {
    let secret = |text: &str| SecretText::new(text.to_owned());
    NewSecret::Hash { kind: kind.to_owned(), hash: secret(hash), salt: salt.filter(|salt| !salt.is_empty()).map(secret) }
}

/// `user_id,password_hash,salt,is_superuser` or `user_id,password,is_superuser`, the columns in any order.
fn of_csv(text: &str, password_hash: Option<&str>) -> Result<Vec<AddUser>, (usize, String)> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.trim().is_empty());
    let Some((_, heading)) = lines.next() else { return Ok(Vec::new()) };
    let broken = |line: usize| (line, "the line is no CSV: a quote is not closed, or stands inside of a field".to_owned());
    let heading = fields(heading).ok_or_else(|| broken(1))?;
    let known = ["user_id", "password", "password_hash", "salt", "is_superuser"];
    if let Some(other) = heading.iter().find(|name| !known.contains(&name.as_str())) {
        return Err((1, format!("there is no column `{other}`: expected {}", known.join(", "))));
    }
    let column = |name: &str| heading.iter().position(|heading| heading == name);
    let kind = match (column("password_hash"), column("password"), password_hash) {
        (Some(_), None, Some(kind)) => {
            kind.parse::<PasswordHash>().map_err(|error| (1, error.to_string()))?;
            kind
        }
        (Some(_), None, None) => {
            return Err((
                1,
                "how the column `password_hash` was made is not known: say it with --password-hash, for example salt,sha256".to_owned(),
            ));
        }
        (None, Some(_), None) => "",
        (None, Some(_), Some(_)) => return Err((1, "--password-hash is for a column `password_hash`, and there is none".to_owned())),
        _ => return Err((1, "expected either a column `password_hash` or a column `password`".to_owned())),
    };
    let mut users = Vec::new();
    for (line, text) in lines {
        let fields = fields(text).ok_or_else(|| broken(line))?;
        if fields.len() != heading.len() {
            return Err((line, format!("{} fields, expected {} as in the first line", fields.len(), heading.len())));
        }
        let field = |name: &str| column(name).and_then(|index| fields.get(index)).map(String::as_str);
        let superuser = match field("is_superuser").unwrap_or_default() {
            "true" | "1" => true,
            "false" | "0" | "" => false,
            _ => return Err((line, "`is_superuser` is neither `true` nor `false`".to_owned())),
        };
        let secret = match field("password") {
            Some(password) => NewSecret::Password(SecretText::new(password.to_owned())),
            None => hashed(kind, field("password_hash").unwrap_or_default(), field("salt")),
        };
        users.push(AddUser {
            name: field("user_id").unwrap_or_default().to_owned(),
            secret: Some(secret),
            superuser,
            ..AddUser::default()
        });
    }
    Ok(users)
}

/// The fields of one line (RFC 4180); none of them may hold the end of a line. `None`: a quote stands where it must not.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line.strip_suffix('\r').unwrap_or(line);
    loop {
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (field, behind) = rest.split_once(',').map_or((rest, None), |(field, behind)| (field, Some(behind)));
            if field.contains('"') {
                return None;
            }
            fields.push(field.to_owned());
            match behind {
                Some(behind) => rest = behind,
                None => return Some(fields),
            }
            continue;
        };
        let mut field = String::new();
        loop {
            let (text, behind) = quoted.split_once('"')?;
            field.push_str(text);
            let Some(more) = behind.strip_prefix('"') else {
                quoted = behind;
                break;
            };
            field.push('"');
            quoted = more;
        }
        fields.push(field);
        if quoted.is_empty() {
            return Some(fields);
        }
        rest = quoted.strip_prefix(',')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_csv() {
        for (line, expected) in
            [("a,b,,c", &["a", "b", "", "c"][..]), ("", &[""]), ("a,\r", &["a", ""]), ("\"a,b\",\"c\"\"d\",\"\"", &["a,b", "c\"d", ""])]
        {
            assert_eq!(fields(line).unwrap(), expected);
        }
        for broken in ["a\"b", "\"a", "\"a\"b,c", "\"a\",\"b"] {
            assert_eq!(fields(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_tables_of_emqx() {
        let hashed = "user_id,password_hash,salt,is_superuser\r\n\
            myuser1,b6c743545a7817ae8c8f624371d5f5f0373234bb0ff36b8ffbf19bce0e06ab75,de1024f462fb83910fd13151bd4bd235,true\r\n\
            \"my,user2\",ee68c985a69208b6eda8c6c9b4c7c2d2b15ee2352cdd64a903171710a9955f1b,,false\n";
        assert!(is_csv(hashed));
        let users = of_csv(hashed, Some("salt,sha256")).unwrap();
        assert_eq!(
            users.iter().map(|user| (user.name.as_str(), user.superuser)).collect::<Vec<_>>(),
            [("myuser1", true), ("my,user2", false)]
        );
        let NewSecret::Hash { kind, salt, .. } = users[0].secret.clone().unwrap() else { panic!() };
        assert_eq!((kind.as_str(), salt.unwrap().expose()), ("salt,sha256", "de1024f462fb83910fd13151bd4bd235"));
        assert!(matches!(&users[1].secret, Some(NewSecret::Hash { salt: None, .. })));
        let plain = of_csv("is_superuser,user_id,password\n,alice,pass\n1,bob,\"wo,rd\"\n", None).unwrap();
        assert_eq!(plain[1].secret, Some(NewSecret::Password(SecretText::new("wo,rd".to_owned()))));
        assert_eq!((plain[0].superuser, plain[1].superuser), (false, true));
    }

    #[test]
    fn what_is_wrong_in_a_table_is_named_by_its_line() {
        for (text, kind, line, says) in [
            ("user_id,password_hash\na,b", None, 1, "--password-hash"),
            ("user_id,password_hash\na,b", Some("sha3"), 1, "sha3"),
            ("user_id,password\na,b", Some("sha256"), 1, "--password-hash"),
            ("user_id,password,email\na,b,c", None, 1, "`email`"),
            ("user_id,is_superuser\na,true", None, 1, "password"),
            ("user_id,password\na,b\n\nc", None, 4, "1 fields"),
            ("user_id,password,is_superuser\na,b,yes", None, 2, "is_superuser"),
            ("user_id,password\na,\"b", None, 2, "CSV"),
        ] {
            let (found, problem) = of_csv(text, kind).unwrap_err();
            assert!(found == line && problem.contains(says), "{found}: {problem}");
        }
        assert!(!is_csv("alice:$7$101$x$y\n"));
    }
}
