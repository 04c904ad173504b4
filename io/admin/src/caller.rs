//! Who is at the other end of the admin socket: the kernel's word, not the caller's (SO_PEERCRED).

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

/// The user on whose behalf a request is made, as it goes into the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// The user with this id: their name where the system knows one.
    pub fn user(uid: u32) -> Self {
        let name = std::fs::read_to_string("/etc/passwd").ok().and_then(|passwd| name_of(&passwd, uid));
        Self(name.unwrap_or_else(|| format!("uid {uid}")))
    }

    /// The broker itself, for what it does by its rules: which rule.
    pub fn broker(rule: &str) -> Self {
        Self(format!("broker ({rule})"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(credentials) => Self::user(credentials.uid()),
            Err(_) => Self("unknown user".to_owned()),
        }
    }
}

/// The login name of `uid` in the text of a passwd file: `name:password:uid:…`.
fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_passwd_file_and_unknown_ids_stay_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(name_of(passwd, 7), None);
        assert_eq!(Caller::user(4_294_000_001).as_str(), "uid 4294000001");
    }
}
