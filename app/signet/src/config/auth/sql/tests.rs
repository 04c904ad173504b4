//! The keys of PostgreSQL and MySQL as they are written.

use super::super::testing::{mistake, read};

const WHERE: &str = "address = \"db\"\ndatabase = \"mqtt\"\nusername = \"signet\"\n";

const QUERY: &str = "query = \"SELECT password_hash FROM u WHERE n = ${username}\"\n";

fn authenticator(keys: &str) -> String {
    format!("[[authenticator]]\ntype = \"postgresql\"\n{keys}\n")
}

fn source(keys: &str) -> String {
    format!("[[access_source]]\ntype = \"mysql\"\n{keys}\n")
}

#[test]
fn keys_become_what_they_say() {
    let (config, problems) = read(&format!(
        "{}{}",
        authenticator(&format!(
            "{WHERE}{QUERY}password_file = \"p\"\ntransport = \"tls\"\ntrust = [\"ca.pem\"]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n\
             password_hash = \"sha256\"\nsalt_position = \"suffix\"\ngroups = \"g\"\nexpire_at = \"e\"\nattributes = [\"a\"]"
        )),
        source(&format!(
            "{}query = \"SELECT allow, access, topic FROM a WHERE n = '%u'\"",
            WHERE.replace("db", "unix:/run/mysqld/mysqld.sock")
        ))
    ));
    assert_eq!(problems, Vec::<String>::new());
    let files: Vec<String> = config.authentication.files().iter().map(|file| file.display().to_string()).collect();
    assert_eq!(files, ["/etc/signet/p", "/etc/signet/ca.pem", "/etc/signet/c.pem", "/k.pem"]);
    let said = format!("{:?}", config.authentication.authenticators[0].kind);
    for expected in ["port: 5432", "Sha256(Suffix)", "n = $1", "groups: Some(\"g\")", "expires_at: Some(\"e\")", "transport: true"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = format!("{:?}", config.authentication.sources[0].kind);
    for expected in ["Unix(\"/run/mysqld/mysqld.sock\")", "style: Emqx4", "n = ?"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn what_makes_no_sense_is_reported_where_it_stands() {
    for (keys, expected) in [
        (QUERY.to_owned() + "database = \"m\"\nusername = \"u\"", "has no `address`"),
        (QUERY.to_owned() + "address = \"db\"\nusername = \"u\"", "has no `database`"),
        (QUERY.to_owned() + "address = \"db\"\ndatabase = \"m\"", "has no `username`"),
        (WHERE.to_owned(), "has no `query`"),
        (format!("{WHERE}query = \"SELECT 'x${{username}}'\""), "concat("),
        (format!("{WHERE}query = \"SELECT ${{usernam}}\""), "username"),
        (format!("{WHERE}{QUERY}trust = \"ca.pem\""), "`trust` has no meaning"),
        (format!("{WHERE}{QUERY}transport = \"tls\"\nkey = \"k.pem\""), "a client certificate takes both files"),
        (format!("{}{QUERY}transport = \"tls\"", WHERE.replace("db", "unix:/run/pg")), "has no TLS"),
        (format!("{}{QUERY}", WHERE.replace("db", "postgres://db")), "is no address of a server"),
        (format!("{}{QUERY}", WHERE.replace("db", "unix:run")), "is no address of a server"),
    ] {
        mistake(&authenticator(&keys), expected);
    }
    mistake(&source(WHERE), "has no `query`");
    mistake(&source(&format!("{WHERE}{QUERY}groups = \"g\"")), "groups");
}
