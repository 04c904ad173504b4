//! File systems that can lose power or run full. They live in a mount namespace of this program's own, so that the kernel takes them away with
//! it, whatever becomes of it; loop devices detach themselves with their last mount.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// `FS_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: what was not synced is lost at once, and every later sync fails. The ioctl needs
/// `unsafe` in Rust, which this repository has none of.
const SHUTDOWN: &str = "import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// Size of the ext4 image.
const IMAGE_BYTES: u64 = 512 * 1024 * 1024;

/// A mounted file system. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct Volume {
    _directory: TempDir,
    /// Where it is mounted.
    pub(crate) path: PathBuf,
    /// What is mounted; nothing for memory.
    image: Option<PathBuf>,
}

impl Volume {
    /// A new ext4 in a file.
    pub(crate) fn ext4() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        std::fs::File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES)).unwrap();
        run("mkfs.ext4", &["-q".as_ref(), &image]);
        let volume = Self::at(directory, Some(image));
        volume.mount();
        volume
    }

    /// Memory of so many MiB.
    pub(crate) fn memory(mebibytes: u32) -> Self {
        let volume = Self::at(tempfile::tempdir().unwrap(), None);
        let options = format!("size={mebibytes}m");
        run("mount", &["-t".as_ref(), "tmpfs".as_ref(), "-o".as_ref(), options.as_ref(), "tmpfs".as_ref(), &volume.path]);
        volume
    }

    fn at(directory: TempDir, image: Option<PathBuf>) -> Self {
        let path = directory.path().join("volume");
        std::fs::create_dir(&path).unwrap();
        Self { _directory: directory, path, image }
    }

    fn mount(&self) {
        let Some(image) = &self.image else { return };
        let device = run("losetup", &["--find".as_ref(), "--show".as_ref(), image]);
        let device = PathBuf::from(String::from_utf8(device.stdout).unwrap().trim());
        run("mount", &[&device, &self.path]);
        // The device stays for as long as it is mounted.
        run("losetup", &["--detach".as_ref(), &device]);
    }

    /// The power fails: nothing that is not on the medium by now will ever be.
    pub(crate) fn lose_power(&self) {
        run("python3", &["-c".as_ref(), SHUTDOWN.as_ref(), &self.path]);
    }

    /// The power is back. Nobody uses the file system.
    pub(crate) fn restart(&self) {
        run("umount", &[&self.path]);
        self.mount();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("--lazy").arg(&self.path).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("cannot unmount {}", self.path.display());
        }
    }
}

/// Whether this process may mount.
pub(crate) fn may_mount() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(program: &str, arguments: &[&Path]) -> Output {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("cannot run `{program}`: {error} (run test/setup)"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
