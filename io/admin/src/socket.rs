//! The admin socket's file: never open to others, not even for a moment; replaced when a killed broker left one behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// The longest path a unix socket can have on Linux, in bytes (unix(7): 108 with the closing NUL).
const PATH_BYTES_MAX: usize = 107;

/// A listening admin socket; the file goes away with it.
#[derive(Debug)]
pub struct AdminSocket {
    listener: Option<UnixListener>,
    path: PathBuf,
}

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another broker answers there.
    #[error("another broker listens on the admin socket `{}`", .0.display())]
    InUse(PathBuf),
    /// The path does not fit into a socket address.
    #[error("the path of the admin socket is too long: `{}` has {} bytes, a unix socket takes {PATH_BYTES_MAX}", .0.display(), .0.as_os_str().len())]
    TooLong(PathBuf),
    /// Something is there that no broker left behind.
    #[error("`{}` is not a socket: it is left alone; give the admin socket another path", .0.display())]
    NotASocket(PathBuf),
    /// The file system said no.
    #[error("cannot make the admin socket `{}`: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl AdminSocket {
    /// Listens on `path` with mode 0600. Call inside a tokio runtime.
    ///
    /// # Errors
    /// [`SocketError`]. A socket that nobody listens on is replaced.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_owned(), source };
        // A directory that only we can enter, so that nobody connects before the mode is set.
        let private = path.with_file_name(format!(".admin-{}", std::process::id()));
        let first = private.join("s");
        let longest = first.as_os_str().len().max(path.as_os_str().len());
        if longest > PATH_BYTES_MAX {
            return Err(SocketError::TooLong(path.to_owned()));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(SocketError::InUse(path.to_owned()));
        }
        if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(SocketError::NotASocket(path.to_owned()));
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        // What a killed process with our number left behind.
        drop(fs::remove_dir_all(&private));
        fs::DirBuilder::new().mode(0o700).create(&private).map_err(failed)?;
        let listener = UnixListener::bind(&first).and_then(|listener| {
            fs::set_permissions(&first, Permissions::from_mode(0o600))?;
            fs::rename(&first, path)?;
            Ok(listener)
        });
        drop(fs::remove_dir_all(&private));
        Ok(Self { listener: Some(listener.map_err(failed)?), path: path.to_owned() })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Nothing depends on it: the next start replaces a socket nobody listens on.
        drop(fs::remove_file(&self.path));
    }
}
