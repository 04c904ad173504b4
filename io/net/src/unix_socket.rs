//! Unix sockets as listeners: permissions that hold from the first moment, and a file that is replaced only when nobody listens behind it.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::listener::BACKLOG;

/// A listening unix socket. Its file is removed when this is dropped, unless another process has put its own there.
#[derive(Debug)]
pub struct UnixListening {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
}

impl UnixListening {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle of the same socket, for whoever accepts.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn try_clone(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for UnixListening {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            // What cannot be removed is a stale socket, which the next start replaces.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, non-blocking.
///
/// # Errors
/// `AddrInUse` when somebody listens there, `AlreadyExists` when something else than a socket stands there.
pub(crate) fn bind(path: &Path, mode: u32) -> io::Result<UnixListening> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let mode = mode & 0o777;
    // Before bind: Linux gives the file the mode of the socket, less the umask, so it is never open to more than `mode` says.
    fchmod(&socket, Mode::from_raw_mode(mode))?;
    let address = SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            remove_stale(path, &address)?;
            socket.bind(&address)?;
        }
        other => other?,
    }
    let found = fs::symlink_metadata(path)?;
    let listening = UnixListening { path: path.to_owned(), file: (found.dev(), found.ino()), listener: socket.into() };
    // What the umask took away.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    let socket = socket2::SockRef::from(&listening.listener);
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(listening)
}

/// Removes the socket that a process left behind when it was killed.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A listener whose backlog is full must not hold us up; it answers WouldBlock, which is an answer.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_file_has_its_mode_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt.sock");
        for mode in [0o600, 0o666, 0o660] {
            let listening = bind(&path, mode).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            UnixStream::connect(&path).unwrap();
            drop(listening);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt.sock");
        // std leaves the file behind, as a killed process does.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let live = bind(&path, 0o600).unwrap();
        assert_eq!(bind(&path, 0o600).unwrap_err().kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop(live);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert_eq!(bind(&path, 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }

    #[test]
    fn the_file_of_a_successor_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt.sock");
        let first = bind(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        let second = bind(&path, 0o600).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        drop(second);
    }
}
