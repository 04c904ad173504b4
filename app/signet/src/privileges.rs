//! Root starts the broker, and somebody else is it: everything but the configuration is read and written by the user that it names.

use std::ffi::CString;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getegid, geteuid, initgroups, setgid, setgroups, setuid};

use crate::hint::Failure;

/// Whom Mosquitto becomes where nothing is written, and who takes its place on a system that does not know it.
const USUAL: (&str, &str) = ("mosquitto", "nobody");

/// By these variables of the environment the makers of containers name user and group in numbers; 0 stays.
const PUID: &str = "PUID";
const PGID: &str = "PGID";

/// What there is to say about it once there is a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Who it is now.
    pub(crate) user: String,
    /// It is root, or in root's group.
    pub(crate) is_root: bool,
    /// A user took the place of the one that was named.
    pub(crate) instead_of: Option<String>,
}

/// Whether root runs this and `user` is somebody else.
pub(crate) fn would_give_up(user: Option<&str>) -> bool {
    user.is_some_and(|user| geteuid().is_root() && user != "root")
}

/// Becomes `user`, with the groups of that user, if root runs this and `user` is somebody else. `place` is a directory that is made for that user
/// before. There is no way back.
///
/// # Errors
/// There is no such user, or the system does not let us: nothing may go on as root then.
pub(crate) fn give_up(user: Option<&str>, place: Option<&Path>) -> Result<Dropped, Failure> {
    let mut instead_of = None;
    let by_number = (number(PUID)?, number(PGID)?);
    if would_give_up(user) && by_number != (None, None) {
        become_numbers(by_number, place)?;
    } else if let Some(user) = user.filter(|_| would_give_up(user)) {
        let known = match named(user)? {
            None if user == USUAL.0 => {
                instead_of = Some(user.to_owned());
                named(USUAL.1)?
            }
            known => known,
        };
        let unknown = || {
            Failure::new(format!("cannot become `{user}`: there is no such user"))
                .hint("make it (`useradd --system`), or name another one: `user` in the configuration")
        };
        let known = known.ok_or_else(unknown)?;
        if let Some(place) = place {
            make_place(place, Some(known.uid.as_raw()), Some(known.gid.as_raw()))?;
        }
        become_user(&known)?;
    }
    let user = User::from_uid(geteuid()).ok().flatten().map_or_else(|| geteuid().to_string(), |user| user.name);
    Ok(Dropped { user, is_root: geteuid().is_root() || getegid().as_raw() == 0, instead_of })
}

fn named(user: &str) -> Result<Option<User>, Failure> {
    User::from_name(user).map_err(|error| Failure::new(format!("cannot look up the user `{user}`: {error}")))
}

fn number(variable: &str) -> Result<Option<u32>, Failure> {
    let Some(written) = std::env::var_os(variable) else { return Ok(None) };
    let number = written.to_str().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Failure::new(format!("{variable} is not a valid ID: `{}`", written.to_string_lossy())))
}

/// Without the other groups of root, which nothing names here.
fn become_numbers((uid, gid): (Option<u32>, Option<u32>), place: Option<&Path>) -> Result<(), Failure> {
    let (uid, gid) = (uid.filter(|uid| *uid > 0), gid.filter(|gid| *gid > 0));
    if let Some(place) = place {
        make_place(place, uid, gid)?;
    }
    let refused = |what: &str, error: nix::Error| Failure::new(format!("the system does not set {what}: {error}"));
    let main = gid.map_or_else(getegid, Gid::from_raw);
    // Also where only the user changes: it would keep all groups of root's otherwise.
    setgroups(&[main]).map_err(|error| refused("the groups by PGID", error))?;
    if let Some(gid) = gid.map(Gid::from_raw) {
        setgid(gid).map_err(|error| refused("the group by PGID", error))?;
    }
    uid.map_or(Ok(()), |uid| setuid(Uid::from_raw(uid)).map_err(|error| refused("the user by PUID", error)))
}

/// A directory where the user may write and nobody else may read.
fn make_place(place: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("make", place, &error);
    std::fs::create_dir_all(place).map_err(failed)?;
    std::fs::set_permissions(place, Permissions::from_mode(0o700)).map_err(failed)?;
    chown(place, uid, gid).map_err(failed)
}

/// Groups first: afterwards nobody may change them.
fn become_user(user: &User) -> Result<(), Failure> {
    let refused =
        |what: &str, error: nix::Error| Failure::new(format!("cannot become `{}`: the system does not set {what}: {error}", user.name));
    let name = CString::new(user.name.as_str()).map_err(|_| Failure::new("a user's name has a zero octet"))?;
    let (uid, gid): (Uid, Gid) = (user.uid, user.gid);
    initgroups(&name, gid).map_err(|error| refused("its groups", error))?;
    setgid(gid).map_err(|error| refused("its group", error))?;
    setuid(uid).map_err(|error| refused("its user identifier", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_left_as_it_was() {
        let before = geteuid();
        let dropped = give_up(None, None).unwrap();
        assert_eq!((geteuid(), dropped.instead_of), (before, None));
        assert_eq!(dropped.is_root, before.is_root() || getegid().as_raw() == 0);
    }

    #[test]
    fn root_does_not_go_on_as_nobody_knows_whom() {
        let tried = give_up(Some("no-such-user-here"), None);
        assert_eq!(tried.is_err(), geteuid().is_root(), "others than root stay who they are");
    }
}
