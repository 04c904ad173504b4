//! A directory with some clients, and the ways to ask it.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{
    Backend, BackendConfig, HashingPool, LdapAttributes, LdapAuthenticator, LdapDirectory, LdapDn, LdapFilter, LdapProof, LdapScope,
    LdapSearch, LdapSecurity, LdapServer, LdapWho, PasswordHash,
};
use signet_mqtt::Password;
use signet_testkit::LdapServer as Directory;

/// A password as `slappasswd -h {SSHA}` would write it; the binds of the tests hold it against the server.
pub(crate) fn ssha(password: &str) -> String {
    use base64::Engine as _;
    use sha1::Digest as _;
    let mut bytes = sha1::Sha1::digest(format!("{password}pepper")).to_vec();
    bytes.extend(b"pepper");
    format!("{{SSHA}}{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// An entry below `ou=devices`, with more lines of LDIF.
pub(crate) fn add(directory: &Directory, uid: &str, more: &str) {
    use base64::Engine as _;
    // In base64 a name can hold anything.
    let encoded = base64::engine::general_purpose::STANDARD.encode(uid);
    let dn = format!("uid={},ou=devices,{}", escaped(uid), Directory::BASE);
    let dn = base64::engine::general_purpose::STANDARD.encode(dn);
    directory.add(&format!(
        "dn:: {dn}\nobjectClass: account\nobjectClass: simpleSecurityObject\nobjectClass: mqttUser\nuid:: {encoded}\n{more}\n"
    ));
}

/// By another hand than that under test.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("\\{byte:02x}") }).collect()
}

/// A directory with `ann` (password `secret`, hashed), `root` (password `root`, may do everything) and `nobody`, whose password is not usable.
pub(crate) fn fill(directory: &Directory) {
    add(directory, "ann", &format!("userPassword: {}\ndescription: blue\nhost: a\nhost: b", ssha("secret")));
    add(directory, "root", &format!("userPassword: {}\nisSuperuser: TRUE", ssha("root")));
    add(directory, "nobody", "userPassword: {UNKNOWN}secret");
}

pub(crate) fn server(directory: &Directory) -> LdapServer {
    LdapServer {
        host: "127.0.0.1".to_owned(),
        port: directory.port(),
        security: LdapSecurity::Off,
        ca_files: Vec::new(),
        client: None,
        account: Some((Directory::ADMIN.to_owned(), Password::new(Directory::PASSWORD))),
        pool_size: 8,
        connect_timeout: Duration::from_secs(60),
        query_timeout: Duration::from_secs(60),
    }
}

pub(crate) fn search(filter: &str) -> LdapSearch {
    LdapSearch { base: LdapDn::parse(Directory::BASE).unwrap(), scope: LdapScope::Subtree, filter: LdapFilter::parse(filter).unwrap() }
}

pub(crate) const FILTER: &str = "(&(objectClass=mqttUser)(uid=${username}))";

/// A bind as whoever has this name.
pub(crate) fn by_name() -> LdapProof {
    LdapProof::Bind(LdapWho::Dn(LdapDn::parse(&format!("uid=${{username}},ou=devices,{}", Directory::BASE)).unwrap()))
}

/// A bind as whoever is found.
pub(crate) fn by_search() -> LdapProof {
    LdapProof::Bind(LdapWho::Search(search(FILTER)))
}

/// The password of whoever is found.
pub(crate) fn by_password() -> LdapProof {
    LdapProof::Password { search: search(FILTER), attribute: "userPassword".into(), hash: PasswordHash::Auto }
}

pub(crate) fn users(directory: &Directory, proof: LdapProof) -> LdapAuthenticator {
    let attributes = LdapAttributes { superuser: Some("isSuperuser".into()), ..LdapAttributes::default() };
    users_at(server(directory), proof, attributes, crate::people::patient("ldap"))
}

pub(crate) fn users_at(server: LdapServer, proof: LdapProof, attributes: LdapAttributes, config: BackendConfig) -> LdapAuthenticator {
    let (directory, backend) = (LdapDirectory::new(server).unwrap(), Backend::new(config));
    let name: Arc<str> = "directory".into();
    LdapAuthenticator::new(name, directory, proof, attributes, backend, HashingPool::new(4)).unwrap()
}
